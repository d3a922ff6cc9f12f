# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The scale from the ground: level, pitched, among things; and what is no ground."""

from __future__ import annotations

import math
from typing import Any

from clip_depth_ros.core.camera import pinhole_rays
from clip_depth_ros.errors import DataError
from clip_depth_ros.scale.ground import GroundMeter, up_of_pitch
from clip_depth_ros.types import Intrinsics
import numpy as np
import pytest

CAMERA = Intrinsics(fx=100.0, fy=100.0, cx=99.5, cy=49.5, width=200, height=100)
HEIGHT_M = 1.2


def ground(height_m: float = HEIGHT_M, *, pitch_deg: float = 0.0, slope_deg: float = 0.0) -> Any:
    """Return the depth of ground under the camera, +Inf above it."""
    up = up_of_pitch(pitch_deg + slope_deg)
    down = np.concatenate([pinhole_rays(CAMERA), np.ones((100, 200, 1))], axis=2) @ -up
    with np.errstate(divide='ignore'):
        return np.where(down > 0, height_m / down, np.inf).astype(np.float32)


def meter(pitch_deg: float = 0.0) -> GroundMeter:
    return GroundMeter(pinhole_rays(CAMERA), up_of_pitch(pitch_deg), HEIGHT_M)


@pytest.mark.parametrize('scale', [0.3, 1.0, 3.0])
@pytest.mark.parametrize('pitch_deg', [-5, 0, 20])
def test_the_scale_is_that_of_the_height(scale, pitch_deg):
    measure = meter(pitch_deg).measure(ground(pitch_deg=pitch_deg) / np.float32(scale))
    assert measure.correction.scale == pytest.approx(scale, rel=1e-3)
    assert measure.n_points > 1000


def test_noise_and_things_on_the_ground_hardly_matter():
    """A third of the view is a wall at 4 m, and depth is off by 5 % everywhere."""
    depth = ground() * np.exp(np.random.default_rng(0).normal(0, 0.05, (100, 200)))
    depth[:, :70] = np.minimum(depth[:, :70], 4)
    measure = meter().measure((depth / 2).astype(np.float32))
    assert measure.correction.scale == pytest.approx(2, rel=0.02)
    assert 0.02 < measure.spread < 0.06


def test_braking_is_followed_within_a_few_degrees():
    """The plane has its own tilt: as one of the camera, it would be 25 % of height."""
    measure = meter().measure(ground(pitch_deg=3))
    assert measure.correction.scale == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(('depth', 'said'), [
    (np.full((100, 200), 3.0), 'no ground in sight: .* tilted by 90 degrees, as a wall is'),
    (np.full((100, 200), np.nan), 'depth is known at 0 of 3000 points'),
    (ground(slope_deg=8), 'tilted by 8.0 degrees'),
    (np.random.default_rng(0).uniform(1, 30, (100, 200)), 'no ground in sight'),
])
def test_what_is_no_level_ground_is_refused(depth, said):
    with pytest.raises(DataError, match=said):
        meter().measure(depth.astype(np.float32))


def test_a_hilltop_is_refused():
    """Ground that falls away from 2.5 m on: no plane has half of what is seen."""
    depth = ground()
    beyond = np.clip(depth, 2.5, 200) - np.float32(2.5)
    depth = np.where(beyond > 0, 2.5 + beyond ** 1.6, depth)
    with pytest.raises(DataError, match=r'no ground in sight|tilted'):
        meter().measure(depth.astype(np.float32))


def test_a_camera_that_looks_up_has_no_ground():
    with pytest.raises(DataError, match=r'does not look at the ground.*camera_pitch_deg'):
        meter(pitch_deg=-60)


def test_up_of_a_camera_that_looks_down():
    """By hand: straight down, up is backwards along the axis."""
    assert up_of_pitch(90) == pytest.approx([0, 0, -1])
    assert up_of_pitch(0) == pytest.approx([0, -1, 0])
    assert math.isclose(np.linalg.norm(up_of_pitch(33)), 1)
