# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Matching by stamp: exact before nearest before last, waiting only while it can help."""

from __future__ import annotations

import threading
import time

from clip_depth_ros.bags.places import Place
from clip_depth_ros.core.stamps import ByStamp, Match, n_repeated, once_each, StampMatcher
from hypothesis import given, strategies as st
import pytest

MS = 1_000_000
LONG_AGO = 0.0


def matcher(mode='auto', tolerance_ms=10, stamps_ms=(), **kwargs) -> StampMatcher[str]:
    made: StampMatcher[str] = StampMatcher(mode=mode, tolerance_ns=tolerance_ms * MS, **kwargs)
    for stamp_ms in stamps_ms:
        made.add(stamp_ms * MS, f'at {stamp_ms}')
    return made


@pytest.mark.parametrize(('mode', 'stamp_ms', 'expected'), [
    ('auto', 200, Match('at 200', 'exact')),
    ('auto', 205, Match('at 200', 'nearest')),
    ('auto', 150, Match('at 300', 'last')),
    ('exact', 200, Match('at 200', 'exact')),
    ('exact', 205, None),
    ('nearest', 200, Match('at 200', 'exact')),
    ('nearest', 209, Match('at 200', 'nearest')),
    ('nearest', 211, None),
    ('last', 100, Match('at 300', 'last')),
])
def test_the_best_match_of_each_mode(mode, stamp_ms, expected):
    assert matcher(mode, stamps_ms=(100, 200, 300)).find(stamp_ms * MS) == expected


def test_of_equal_stamps_the_later_item_wins():
    infos = matcher()
    infos.add(5, 'old')
    infos.add(5, 'new')
    assert infos.find(5) == Match('new', 'exact')


def test_what_is_not_acceptable_is_passed_over():
    infos = matcher(stamps_ms=(100, 200))
    assert infos.find(200 * MS, lambda item: item == 'at 100') == Match('at 100', 'last')
    assert infos.find(200 * MS, lambda item: False) is None


def test_nothing_known_is_no_match():
    assert matcher().wait(1, LONG_AGO) is None


def test_the_oldest_items_are_forgotten():
    infos = matcher('exact', stamps_ms=(1, 2, 3), capacity=2)
    assert infos.find(1 * MS) is None
    assert infos.find(2 * MS) is not None


def test_a_stamp_that_falls_behind_forgets_what_was_newer():
    infos = matcher(stamps_ms=(100, 200, 300, 50))
    assert infos.find(300 * MS) == Match('at 50', 'last')


def test_forgetting_after_a_stamp_keeps_what_is_not_newer():
    infos = matcher('exact', stamps_ms=(100, 200))
    infos.forget_after(150 * MS)
    assert infos.find(100 * MS) is not None
    assert infos.find(200 * MS) is None


def test_waiting_ends_as_soon_as_the_exact_one_comes():
    infos = matcher(stamps_ms=(100,))
    threading.Timer(0.05, infos.add, (200 * MS, 'late')).start()
    started_s = time.monotonic()
    assert infos.wait(200 * MS, started_s + 60) == Match('late', 'exact')
    assert time.monotonic() - started_s < 30


def test_waiting_ends_when_a_newer_item_shows_that_no_better_one_will_come():
    infos = matcher('exact', stamps_ms=(100, 300))
    assert infos.wait(200 * MS, time.monotonic() + 60) is None


def test_waiting_ends_at_the_deadline_with_the_best_there_is():
    infos = matcher(stamps_ms=(100,))
    assert infos.wait(200 * MS, time.monotonic() + 0.02) == Match('at 100', 'last')


def test_last_never_waits_when_it_has_something():
    infos = matcher('last', stamps_ms=(100,))
    assert infos.wait(200 * MS, time.monotonic() + 60) == Match('at 100', 'last')


def test_a_change_of_mode_takes_effect_on_what_is_known():
    infos = matcher('exact', stamps_ms=(100,))
    infos.configure(mode='auto', tolerance_ns=0)
    assert infos.find(200 * MS) == Match('at 100', 'last')


def wait_at_once(infos, stamp_ms):
    """Ask with a far deadline; fail if the matcher waits for it."""
    started_s = time.monotonic()
    match = infos.wait(stamp_ms * MS, started_s + 60)
    assert time.monotonic() - started_s < 30
    return match


@pytest.mark.parametrize('mode', ['auto', 'exact', 'nearest'])
def test_after_a_wait_in_vain_nothing_is_waited_for(mode):
    """A camera_info that never comes, or comes once a second, must not slow down the camera."""
    infos = matcher(mode)
    infos.wait(1000 * MS, time.monotonic() + 0.02)
    for stamp_ms in range(1030, 3000, 30):
        if stamp_ms % 1000 < 30:
            infos.add(stamp_ms * MS, 'rare')
        wait_at_once(infos, stamp_ms)


def test_items_of_another_size_under_the_same_stamps_bring_no_new_patience():
    """Images are resized, say, and camera_info is that of the driver: each would be waited for."""
    infos: StampMatcher[str] = matcher()
    infos.wait(100 * MS, time.monotonic() + 0.02, lambda item: item == 'mine')
    for stamp_ms in range(133, 400, 33):
        started_s = time.monotonic()
        infos.wait(stamp_ms * MS, started_s + 60, lambda item: item == 'mine')
        assert time.monotonic() - started_s < 30
        infos.add(stamp_ms * MS, 'of another size')


def test_a_change_that_is_none_brings_no_new_patience():
    infos = matcher('exact')
    infos.wait(1000 * MS, time.monotonic() + 0.02)
    infos.configure(mode='exact', tolerance_ns=10 * MS)
    wait_at_once(infos, 1030)


@pytest.mark.parametrize('delay', ['early', 'late'])
def test_two_images_with_an_item_of_their_own_make_it_patient_again(delay):
    """Late: each item comes just after its image was asked for in vain; the first only starts."""
    infos = matcher('exact')
    infos.wait(100 * MS, time.monotonic() + 0.02)
    for stamp_ms in (200, 250, 300):
        if delay == 'early':
            infos.add(stamp_ms * MS, f'at {stamp_ms}')
        wait_at_once(infos, stamp_ms)
        if delay == 'late':
            infos.add(stamp_ms * MS, f'at {stamp_ms}')
    threading.Timer(0.05, infos.add, (400 * MS, 'awaited')).start()
    assert infos.wait(400 * MS, time.monotonic() + 60) == Match('awaited', 'exact')


def test_closing_wakes_whoever_waits():
    infos = matcher()
    threading.Timer(0.05, infos.close).start()
    assert wait_at_once(infos, 100) is None
    assert wait_at_once(infos, 200) is None


@pytest.mark.parametrize(('mode', 'stamp_ms', 'wanted'), [
    ('exact', 200, Match('at 200', 'exact')),
    ('exact', 150, Match('at 300', 'last')),
    ('nearest', 205, Match('at 200', 'nearest')),
    ('nearest', 999, Match('at 300', 'last')),
    ('auto', 205, Match('at 200', 'nearest')),
    ('last', 200, Match('at 300', 'last')),
])
def test_what_is_known_serves_at_once_whatever_the_mode(mode, stamp_ms, wanted):
    infos = matcher(mode, stamps_ms=(100, 200, 300))
    assert infos.known(stamp_ms * MS, time.monotonic() + 60) == wanted


def test_only_where_nothing_is_known_the_first_acceptable_one_is_waited_for():
    infos = matcher('exact', stamps_ms=(100,))
    threading.Timer(0.02, infos.add, (300 * MS, 'small')).start()
    threading.Timer(0.05, infos.add, (400 * MS, 'wanted')).start()
    match = infos.known(200 * MS, time.monotonic() + 60, lambda item: item == 'wanted')
    assert match == Match('wanted', 'last')
    assert infos.known(200 * MS, time.monotonic() + 0.02, lambda item: False) is None
    assert infos.known(200 * MS, LONG_AGO, lambda item: False) is None


def test_closing_wakes_whoever_waits_for_the_first():
    infos = matcher()
    threading.Timer(0.05, infos.close).start()
    started_s = time.monotonic()
    assert infos.known(1, started_s + 60) is None
    assert time.monotonic() - started_s < 30


@pytest.mark.parametrize('forget', [
    lambda infos: infos.reset(), lambda infos: infos.forget_after(0),
])
def test_the_last_item_outlives_a_jump_of_time(forget):
    """A camera_info that was published once is still the camera's."""
    infos = matcher(stamps_ms=(500,))
    forget(infos)
    assert infos.find(100 * MS) == Match('at 500', 'last')
    infos.configure(mode='exact', tolerance_ns=0)
    assert infos.find(500 * MS) is None


TIMES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99)), min_size=1, unique=True)
TIME = st.tuples(st.integers(-1, 10), st.integers(0, 99))


def place(stamp_ns: int, received_ns: int = 0, topic: str = 'd') -> Place:
    """Return a message that was taken, and received, at these times."""
    return Place(topic, received_ns, stamp_ns, '')


def places(*times: tuple[int, int], topic: str = 'd') -> list[Place]:
    """Return messages of these stamps and receive times."""
    return [place(*time, topic) for time in times]


@given(TIMES, TIME)
def test_law_nearest_stamp_first_then_nearest_receipt(
    times: list[tuple[int, int]], time: tuple[int, int]
):
    """As if all were looked at."""
    def apart(one: Place) -> tuple[int, int]:
        return abs(one.stamp_ns - time[0]), abs(one.received_ns - time[1])

    nearest = ByStamp(places(*times)).nearest(*time)
    assert nearest is not None
    assert apart(nearest) == min(map(apart, places(*times)))


@pytest.mark.parametrize(('received_ns', 'wanted'), [(0, 10), (14, 10), (16, 20), (99, 30)])
def test_without_stamps_the_receipt_decides(received_ns: int, wanted: int):
    nearest = ByStamp(places((0, 10), (0, 20), (0, 30))).nearest(0, received_ns)
    assert nearest == place(0, wanted)


def test_of_equally_near_ones_the_earlier():
    assert ByStamp(places((4, 0), (2, 0))).nearest(3) == place(2)
    assert ByStamp(places((4, 9), (4, 1))).nearest(4, 5) == place(4, 1)
    assert ByStamp(places((4, 9), (4, 1))).nearest(4) == place(4, 1)


def test_nothing_is_near_where_nothing_is():
    assert ByStamp[Place]([]).nearest(3) is None


@given(TIMES, TIMES)
def test_law_once_each_keeps_the_nearest_of_those_that_share(
    images: list[tuple[int, int]], depths: list[tuple[int, int]]
):
    def apart(pair: tuple[Place, Place]) -> tuple[int, int]:
        return abs(pair[0].stamp_ns - pair[1].stamp_ns), abs(
            pair[0].received_ns - pair[1].received_ns
        )

    by_stamp = ByStamp(places(*depths))
    pairs = [
        (image, nearest)
        for image in places(*images, topic='i')
        if (nearest := by_stamp.nearest(image.stamp_ns, image.received_ns)) is not None
    ]
    kept = once_each(pairs)
    assert sorted({depth for _, depth in pairs}, key=repr) == sorted(
        (depth for _, depth in kept), key=repr
    )
    for pair in pairs:
        (rival,) = (other for other in kept if other[1] == pair[1])
        assert apart(rival) <= apart(pair)
    assert kept == [pair for pair in pairs if pair in kept]


def test_all_that_share_a_stamp_are_counted():
    assert n_repeated(places((1, 0), (2, 0), (1, 5), (3, 0), (3, 1), (1, 9))) == 5
    assert n_repeated(places((1, 0), (2, 0))) == 0
