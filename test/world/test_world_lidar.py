# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated LiDAR: beams, range, noise, dropouts and settings."""

from __future__ import annotations

from dataclasses import replace

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.world.drive import Drive
from clip_depth_ros.world.lidar import LidarModel
import numpy as np
import pytest

EXACT = LidarModel(range_sigma_m=0.0, dropout=0.0)


def test_points_lie_on_the_beams():
    """64 beams from -24.8 to +2 degrees; the sector is 45 degrees to each side."""
    points = Drive(5, lidar=EXACT).frame(3).lidar_points.astype(float)
    elevation = np.degrees(np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1])))
    beams = np.linspace(-24.8, 2.0, 64)
    assert np.abs(elevation[:, None] - beams).min(1).max() < 1e-3
    azimuth = np.degrees(np.arctan2(points[:, 1], points[:, 0]))
    assert np.abs(azimuth).max() <= 45.001
    assert np.abs(azimuth / 0.4 - np.rint(azimuth / 0.4 - 0.5) - 0.5).max() < 1e-2


def test_some_thousand_points_fall_into_the_cameras_view():
    points = Drive(5).frame(3).lidar_points
    assert 4000 < len(points) < 64 * 226


def test_ranges_and_intensities_stay_in_their_limits():
    model = replace(EXACT, min_range_m=8.0, max_range_m=30.0)
    points = Drive(8, lidar=model).frame(0).lidar_points
    ranges = np.linalg.norm(points[:, :3].astype(float), axis=1)
    assert ranges.min() >= 8 - 1e-4
    assert ranges.max() <= 30 + 1e-4
    assert points[:, 3].min() >= 0
    assert points[:, 3].max() <= 1
    assert points[:, 3].std() > 0.03  # it tells surfaces apart


def test_noise_has_the_sigma_that_was_asked_for():
    """Same beams with and without noise: the ranges differ by 1.5 cm rms."""
    clean = Drive(8, lidar=EXACT).frame(0).lidar_points
    noisy = Drive(8, lidar=replace(EXACT, range_sigma_m=0.015)).frame(0).lidar_points
    error = np.linalg.norm(noisy[:, :3], axis=1) - np.linalg.norm(clean[:, :3], axis=1)
    assert error.std() == pytest.approx(0.015, rel=0.05)
    assert abs(error.mean()) < 0.001


def test_dropouts_take_their_share():
    """Of returns that are not weak anyway, 40 % are lost when that is asked for."""
    clean = Drive(8, lidar=EXACT).frame(0).lidar_points
    thinned = Drive(8, lidar=replace(EXACT, dropout=0.4)).frame(0).lidar_points
    strong, kept = (clean[:, 3] > 0.08).sum(), (thinned[:, 3] > 0.08).sum()
    assert kept / strong == pytest.approx(0.6, abs=0.03)


def test_a_full_turn_sees_behind_and_does_not_count_its_seam_twice():
    model = replace(EXACT, azimuths_deg=(-180.0, 180.0), azimuth_step_deg=1.0)
    points = Drive(8, lidar=model).frame(0).lidar_points
    assert (points[:, 0] < -2).sum() > 1000
    lowest = points[: int((np.diff(np.arctan2(points[:, 1], points[:, 0])) > 0).argmin()) + 1]
    assert len(lowest) <= 360


@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        ({'n_beams': 0}, 'n_beams >= 1'),
        ({'azimuth_step_deg': 0.0}, '0 < azimuth_step_deg'),
        ({'azimuths_deg': (30.0, -30.0)}, 'first <= last'),
        ({'elevations_deg': (-95.0, 2.0)}, '-80 <= lowest'),
        ({'min_range_m': 130.0}, 'min_range_m < max_range_m'),
        ({'range_sigma_m': -0.1}, '0 <= range_sigma_m'),
        ({'dropout': 1.0}, '0 <= dropout < 1'),
    ],
)
def test_settings_out_of_range_are_refused(setting, message):
    with pytest.raises(ConfigError, match=message):
        LidarModel(**setting)
