# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One scale over time: first agreement, then following, then held; and pairs by time."""

from __future__ import annotations

import math
import re

from clip_depth_ros.scale.correction import AS_PREDICTED, Correction, Measure
from clip_depth_ros.scale.keeper import Limits, ScaleKeeper
from clip_depth_ros.scale.pairing import Pairing
import numpy as np
import pytest

STEP_NS = 100_000_000
S = 1_000_000_000


def look(scale: float) -> Measure:
    return Measure(Correction(math.log(scale)), 0.1, 300)


def keeper_after(*scales: float, **limits: float) -> tuple[ScaleKeeper, int]:
    """Return a keeper that has seen scales, ten a second, and the time of the newest."""
    keeper = ScaleKeeper(Limits(**limits))
    for index, scale in enumerate(scales):
        keeper.add(index * STEP_NS, look(scale))
    return keeper, (len(scales) - 1) * STEP_NS


def scale_of(keeper: ScaleKeeper, stamp_ns: int) -> float:
    return keeper.at(stamp_ns).correction.scale


def test_the_first_scale_takes_three_looks_that_agree():
    keeper, now = keeper_after(2.0, 2.1)
    assert keeper.at(now).correction == AS_PREDICTED
    assert keeper.at(now).why == '2 of 3 looks at the scale so far'
    keeper.add(now + STEP_NS, look(0.5))
    assert not keeper.at(now).is_known
    assert 'disagree' in keeper.at(now).why
    keeper.add(now + 2 * STEP_NS, look(2.1))
    assert scale_of(keeper, now) == pytest.approx(2.05, rel=0.02)
    assert keeper.at(now).why == ''


def test_noise_is_averaged_away():
    rng = np.random.default_rng(0)
    keeper, now = keeper_after(*np.exp(rng.normal(math.log(1.4), 0.08, 40)))
    assert scale_of(keeper, now) == pytest.approx(1.4, rel=0.03)


def test_one_outlier_changes_nothing_and_many_not_at_once():
    keeper, now = keeper_after(*[1.3] * 20, 3.9)
    assert scale_of(keeper, now) == pytest.approx(1.3)
    scales = []
    for index in range(1, 50):
        keeper.add(now + index * STEP_NS, look(3.9))
        scales.append(scale_of(keeper, now))
    assert np.diff(np.log([1.3, *scales])).max() <= 0.05 + 1e-9  # 0.5 a second
    assert scales[-1] == pytest.approx(3.9, rel=0.05)


def test_a_longer_time_constant_follows_more_slowly():
    slow, now = keeper_after(*[1.0] * 30, *[1.2] * 10, time_s=10.0)
    fast, _ = keeper_after(*[1.0] * 30, *[1.2] * 10, time_s=0.0)
    assert 1.0 < scale_of(slow, now) < 1.05 < scale_of(fast, now) == pytest.approx(1.2, rel=0.01)


def test_silent_it_is_held_then_old_and_stays():
    keeper, now = keeper_after(*[1.3] * 10)
    assert not keeper.at(now + 5 * S).is_old
    old = keeper.at(now + 6 * S)
    assert old.is_old
    assert old.why == 'the scale is 6.0 s old'
    assert old.correction.scale == pytest.approx(1.3)
    keeper.refuse('no point')
    assert keeper.at(now + 6 * S).why == 'the scale is 6.0 s old: no point'


def test_after_a_long_silence_it_takes_three_looks_again():
    keeper, now = keeper_after(*[1.3] * 10)
    later = now + 60 * S
    keeper.add(later, look(3.0))
    assert scale_of(keeper, later) == pytest.approx(1.3)
    for index in range(1, 40):
        keeper.add(later + index * STEP_NS, look(1.6))
    assert scale_of(keeper, later) == pytest.approx(1.6, rel=0.05)
    assert not keeper.at(later + 4 * S).is_old


@pytest.mark.parametrize(('scale', 'said'), [
    (5.0, 'a scale of 5 is not believed, align_max_scale is 4'),
    (0.1, 'a scale of 0.1 is not believed, align_min_scale is 0.25'),
])
def test_impossible_scales_are_not_believed(scale, said):
    keeper, now = keeper_after(*[1.3] * 10)
    assert not keeper.add(now + STEP_NS, look(scale))
    assert keeper.at(now).why == said
    assert scale_of(keeper, now) == pytest.approx(1.3)


def test_reset_forgets():
    keeper, now = keeper_after(*[1.3] * 10)
    keeper.reset('time jumped back')
    assert keeper.at(now).correction == AS_PREDICTED
    assert keeper.at(now).why == 'time jumped back'


def test_late_and_early_measurements_find_the_nearest_image():
    pairing: Pairing[str, str] = Pairing(tolerance_ns=60)
    pairing.put(90, 'early')
    assert pairing.pairs(0, 'image 0') == []
    assert pairing.pairs(100, 'image 1') == [(100, 'early', 'image 1')]
    assert pairing.pairs(200, 'image 2') == []
    pairing.put(40, 'late')
    assert pairing.pairs(300, 'image 3') == [(0, 'late', 'image 0')]
    assert pairing.why == ''


@pytest.mark.parametrize(('stamp_ns', 'said'), [
    (-5 * S, '5.000 s before the nearest image.*clocks'), (9 * S, '9.000 s after'),
])
def test_other_clocks_are_told_apart(stamp_ns, said):
    pairing: Pairing[str, str] = Pairing(tolerance_ns=S // 20)
    pairing.put(stamp_ns, 'cloud')
    assert pairing.pairs(0, 'image') == []

    assert re.search(said, pairing.why)
    pairing.reset()
    assert pairing.pairs(20 * S, 'image') == []
