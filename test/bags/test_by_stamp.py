# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What belongs together by stamp, and where stamps repeat, by when it was received."""

from __future__ import annotations

from clip_depth_ros.bags.by_stamp import ByStamp, n_repeated, once_each
from clip_depth_ros.bags.places import Place
from hypothesis import given, strategies as st
import pytest

TIMES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99)), min_size=1, unique=True)
TIME = st.tuples(st.integers(-1, 10), st.integers(0, 99))


def place(stamp_ns: int, received_ns: int = 0, topic: str = 'd') -> Place:
    """Give a message that was taken, and received, at these times."""
    return Place(topic, received_ns, stamp_ns, '')


def places(*times: tuple[int, int], topic: str = 'd') -> list[Place]:
    """Give messages of these stamps and receive times."""
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
