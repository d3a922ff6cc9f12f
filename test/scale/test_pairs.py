# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The scale from measured points: what it follows, what it does not care for, what it refuses."""

from __future__ import annotations

import math
from typing import Any

from clip_depth_ros.core.camera import Camera
from clip_depth_ros.core.clouds import points_of_scan
from clip_depth_ros.errors import DataError
from clip_depth_ros.scale.correction import AS_PREDICTED, Correction
from clip_depth_ros.scale.lidar import seen_points
from clip_depth_ros.scale.pairs import measure_pairs, sampled
from clip_depth_ros.types import Intrinsics
from hypothesis import given, settings, strategies as st
import numpy as np
import pytest

CAMERA = Camera(Intrinsics(fx=50.0, fy=50.0, cx=49.5, cy=19.5, width=100, height=40), None, 'P')
RANGE: Any = {'min_depth_m': 0.5, 'max_depth_m': 80.0}


def pairs(n: int = 400, *, noise: float = 0.1) -> tuple[Any, Any, Any]:
    """Return depth, the same with noise, and where it is."""
    rng = np.random.default_rng(0)
    pred = rng.uniform(2, 40, n)
    return pred, pred * np.exp(rng.normal(0, noise, n)), rng.uniform(0, 1, (n, 2))


@given(st.floats(0.05, 20))
@settings(max_examples=20, deadline=None)
def test_the_scale_goes_with_the_measured_metres(factor):
    pred, true, places = pairs()
    once = measure_pairs(pred, true, places).correction.scale
    assert measure_pairs(pred, true * factor, places).correction.scale == pytest.approx(
        once * factor
    )
    assert measure_pairs(pred * factor, true, places).correction.scale == pytest.approx(
        once / factor
    )


def test_a_third_of_outliers_hardly_matters():
    """Seen past an edge by one of the two sensors: three times as far, everywhere."""
    pred, true, places = pairs()
    true[::3] *= 3
    measure = measure_pairs(pred, true * 1.3, places)
    assert measure.correction.scale == pytest.approx(1.3, rel=0.08)


def test_many_points_on_one_thing_have_no_more_say_than_its_part_of_the_image():
    pred, true, places = pairs(noise=0.0)
    crowd = np.full((2000, 2), 0.01)
    measure = measure_pairs(
        np.r_[pred, np.full(2000, 5.0)], np.r_[true, np.full(2000, 10.0)],
        np.vstack([places, crowd]),
    )
    assert measure.correction.scale == pytest.approx(1.0)


def test_what_is_no_pair_of_numbers_has_no_say():
    pred, true, places = pairs()
    alone = measure_pairs(pred[100:], true[100:], places[100:])
    pred[:40], true[40:100] = np.inf, np.nan
    measure = measure_pairs(pred, true, places)
    assert measure == alone
    assert measure.n_points == 300


def test_a_line_in_log_depth_is_found_among_outliers():
    """Depth that was pressed together: near things too far, far things too near."""
    _, true, places = pairs(noise=0.0)
    pred = 10 * (true / 10) ** 0.8 / 1.2
    true[::5] *= 2
    measure = measure_pairs(pred, true, places, fit='log')
    assert 1 + measure.correction.slope == pytest.approx(1.25, abs=0.05)
    is_right = np.arange(400) % 5 > 0
    corrected = measure.correction.apply(pred.astype(np.float32)[:, None], **RANGE)[:, 0]
    assert corrected[is_right] == pytest.approx(true[is_right], rel=0.07)  # ends held


def test_depth_of_one_distance_has_a_scale_and_no_slope():
    _, true, places = pairs()
    correction = measure_pairs(np.full(400, 5.0), true, places, fit='log', max_spread=2).correction
    assert correction.slope == 0


def test_beyond_what_was_measured_a_slope_does_not_go_on():
    correction = Correction(0.0, 0.3, math.log(5), math.log(20))
    factors = correction.factor(np.array([[1, 5, 20, 79]], np.float32))[0]
    assert factors[0] == factors[1] < 1 < factors[2] == factors[3]


def test_too_few_points_or_no_agreement_is_refused():
    pred, true, places = pairs()
    with pytest.raises(DataError, match=r'30 measured points .* align_min_points is 50'):
        measure_pairs(pred[:30], true[:30], places[:30])
    with pytest.raises(DataError, match=r'do not agree up to scale.*align_max_spread is 0.35'):
        measure_pairs(pred, np.random.default_rng(1).permutation(true), places)


def test_corrected_depth_is_marked_anew():
    depth = np.array([[0.6, 10, 70, np.nan, -np.inf, np.inf]], np.float32)
    longer = Correction(math.log(1.5)).apply(depth, **RANGE)[0]
    assert longer[:2] == pytest.approx([0.9, 15])
    assert np.isposinf(longer[[2, 5]]).all()
    assert np.isnan(longer[3])
    assert np.isneginf(longer[4])


def test_beyond_range_is_unknown_where_the_range_became_shorter():
    """More than 80 m were more than 40: a wall may be there, nothing may be cleared."""
    depth = np.array([[0.6, 10, np.inf]], np.float32)
    shorter = Correction(math.log(0.5)).apply(depth, **RANGE)[0]
    assert np.isneginf(shorter[0])
    assert shorter[1] == 5
    assert np.isnan(shorter[2])
    assert AS_PREDICTED.apply(depth, **RANGE) is depth


def test_points_fall_on_their_pixels_and_lose_their_scale():
    """By hand: 1 m to the right at 5 m is 10 pixels right of the middle."""
    seen = seen_points(np.array([[1.0, 0.0, 5.0], [0, 0, -1], [50, 0, 5]]), np.eye(4), CAMERA)
    assert seen.depth_m == pytest.approx([5.0])
    assert seen.places * (100, 40) - 0.5 == pytest.approx(np.array([[59.5, 19.5]]))
    depth = np.tile(np.arange(100, dtype=np.float32), (40, 1))
    assert sampled(depth, seen.places) == [60]
    assert sampled(depth[::4, ::4], seen.places) == [60]


@pytest.mark.parametrize(('points', 'said'), [
    ([[0.0, 0, -5], [1, 0, -3]], 'all 2 points of the LiDAR are behind.*lidar_extrinsics'),
    ([[9.0, 0, 1]], 'none of the 1 points of the LiDAR is in the image.*lidar_extrinsics'),
    ([[np.nan, 0, 1], [0, 0, 0]], 'none of the 2 points of the LiDAR is a return'),
])
def test_a_lidar_that_sees_nothing_of_the_image_is_told_why(points, said):
    with pytest.raises(DataError, match=said):
        seen_points(np.array(points), np.eye(4), CAMERA)


def test_a_planar_scan_has_points_where_it_measured():
    class Scan:
        angle_min, angle_increment, range_min, range_max = -math.pi / 2, math.pi / 2, 0.1, 10.0
        ranges = (1.0, 2.0, math.inf, math.nan, 0.05)

    assert points_of_scan(Scan()) == pytest.approx(np.array([[0, -1, 0], [2, 0, 0]]), abs=1e-9)
