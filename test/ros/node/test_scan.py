# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The laser scan: what is nearest in a band of heights, and what is said where nothing is."""

from __future__ import annotations

import math
from typing import Any

from clip_depth_ros.core.camera import pinhole_rays
from clip_depth_ros.core.clouds import CloudBuilder, Crop
from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.ros.node.scan import Scan, ScanBuilder
from clip_depth_ros.types import Intrinsics
import numpy as np
import pytest

pytest.importorskip('rclpy')

CAMERA = Intrinsics(fx=50.0, fy=50.0, cx=50.0, cy=20.0, width=101, height=41)
"""45 degrees to either side; rows are 0.02 m apart for each metre ahead."""

HEIGHT_M = 1.0


def band(**values: Any) -> Crop:
    return Crop(**{
        'camera_height_m': HEIGHT_M, 'min_height_m': 0.2, 'max_height_m': 1.5,
        'min_range_m': 0.5, 'max_range_m': 20.0, **values,
    })


def scan_of(depth: Any, rays: Any = None, **values: Any) -> Scan:
    rays = pinhole_rays(CAMERA) if rays is None else rays
    return ScanBuilder(rays, band(**values)).build(np.asarray(depth, np.float32))


def bearings(scan: Scan) -> Any:
    return scan.first_rad + scan.step_rad * np.arange(len(scan.ranges_m))


def ground() -> Any:
    """Return the depth of level ground under the camera, +Inf above the horizon."""
    rows = np.arange(CAMERA.height) - CAMERA.cy
    with np.errstate(divide='ignore'):
        z = np.where(rows > 0, HEIGHT_M * CAMERA.fy / rows, np.inf)
    return np.repeat(z[:, None], CAMERA.width, axis=1).astype(np.float32)


def test_a_wall_ahead_has_its_distance_by_bearing():
    """At 4 m: 4 / cos(bearing) along the ground, from -45 degrees at the right to 45."""
    scan = scan_of(np.full((41, 101), 4.0))
    assert bearings(scan)[[0, -1]] == pytest.approx([-math.pi / 4, math.pi / 4], abs=0.02)
    assert scan.ranges_m == pytest.approx(4 / np.cos(bearings(scan)), rel=0.03)
    assert scan.ranges_m.min() == 4.0


def test_what_is_left_in_the_image_is_left_in_the_scan():
    depth = ground()
    depth[:, :20] = np.minimum(depth[:, :20], 6.0)
    scan = scan_of(depth)
    is_thing = np.isfinite(scan.ranges_m)
    assert is_thing[bearings(scan) > 0.55].all()  # column 20 is at atan(0.6) = 0.54
    assert not is_thing[bearings(scan) < 0.5].any()


def test_over_bare_ground_nothing_is_in_range():
    scan = scan_of(ground())
    assert np.isposinf(scan.ranges_m).all()
    assert scan.max_range_m == 20.0


def test_what_is_over_the_band_neither_marks_nor_clears():
    """A bridge: the horizon is open below it, or unknown."""
    depth = ground()
    depth[:15] = 8.0  # 1.8 m up and higher
    assert np.isposinf(scan_of(depth).ranges_m).all()
    depth[15:] = np.nan
    assert np.isnan(scan_of(depth).ranges_m).all()


def test_a_low_thing_counts_though_one_sees_over_it():
    """A box of 0.5 m, 5 m ahead: rows from 5 below the horizon to its foot at 10."""
    depth = ground()
    depth[25:31, 45:56] = 5.0
    scan = scan_of(depth)
    middle = np.abs(bearings(scan)) < 0.09
    assert scan.ranges_m[middle] == pytest.approx(5 / np.cos(bearings(scan)[middle]), rel=0.01)
    assert np.isposinf(scan.ranges_m[np.abs(bearings(scan)) > 0.12]).all()


def test_unknown_is_nan_and_too_near_is_minus_infinite():
    depth = ground()
    depth[:, :40] = np.nan
    depth[:, 60:] = -np.inf
    scan = scan_of(depth)
    assert np.isnan(scan.ranges_m[bearings(scan) > 0.22]).all()
    assert np.isneginf(scan.ranges_m[bearings(scan) < -0.22]).all()
    assert np.isposinf(scan.ranges_m[np.abs(bearings(scan)) < 0.17]).all()


def test_beyond_the_range_is_nothing_in_range():
    """A wall at 25 m is beyond 20 m, and through it nobody looks: only what is nearer counts."""
    assert np.isposinf(scan_of(np.full((41, 101), 25.0)).ranges_m).all()


@pytest.mark.parametrize('hfov_deg', [30, 60, 90, 120])
def test_no_bearing_is_left_out_between_pixels(hfov_deg):
    fx = 200 / math.tan(math.radians(hfov_deg / 2))
    camera = Intrinsics(fx, fx, 199.5, 20.0, 400, 41)
    scan = scan_of(np.full((41, 400), 4.0), pinhole_rays(camera))
    assert np.isfinite(scan.ranges_m).all()
    assert len(scan.ranges_m) <= 400


def test_a_camera_that_looks_down_sees_a_wall_upright():
    """A wall 5 m ahead, seen 20 degrees downwards: depth differs by row, the range does not."""
    turn = math.radians(20)
    rays = pinhole_rays(CAMERA)
    depth = 5 / (math.cos(turn) - math.sin(turn) * rays[..., 1])
    scan = scan_of(depth, camera_pitch_deg=20.0)
    ahead = np.abs(bearings(scan)) < 0.3
    assert scan.ranges_m[ahead] == pytest.approx(5 / np.cos(bearings(scan)[ahead]), rel=0.02)


def test_agrees_with_the_cloud():
    """By another way: the nearest point of the cropped cloud in each bearing."""
    rng = np.random.default_rng(1)
    depth = np.where(rng.random((41, 101)) < 0.5, rng.uniform(1, 30, (41, 101)), np.nan)
    depth = depth.astype(np.float32)
    rays = pinhole_rays(CAMERA)
    crop = Crop(camera_height_m=HEIGHT_M, min_height_m=0.2, max_height_m=1.5)
    x, _, z = np.moveaxis(CloudBuilder(rays, crop=crop).build(depth), 2, 0)
    scan = scan_of(depth)
    cell = np.rint((np.arctan2(-x, z) - scan.first_rad) / scan.step_rad)
    for i, range_m in enumerate(scan.ranges_m):
        nearest = np.nanmin(np.hypot(x, z)[cell == i], initial=np.inf)
        assert range_m == pytest.approx(nearest) or nearest > 20


def test_a_band_that_no_pixel_sees_is_an_error_that_names_the_settings():
    with pytest.raises(CalibrationError, match=r'camera_height_m=90.0, camera_pitch_deg=-60'):
        scan_of(ground(), camera_height_m=90.0, camera_pitch_deg=-60.0)
