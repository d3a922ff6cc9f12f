# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A lens that is not the camera's: told by things that stand on the road, not by the scale."""

from __future__ import annotations

from typing import Any

from clip_depth_ros.core.camera import Camera, pinhole_rays
from clip_depth_ros.errors import DataError
from clip_depth_ros.scale.lens import LensCheck
from clip_depth_ros.scale.lidar import seen_points
from clip_depth_ros.scale.pairs import measure_pairs, sampled
from clip_depth_ros.types import Intrinsics
import numpy as np
import pytest

WIDTH, HEIGHT = 200, 80


def camera(focal: float) -> Intrinsics:
    return Intrinsics.straight(focal, focal, WIDTH, HEIGHT)


def street(seed: int, *, has_things: bool) -> Any:
    """
    Return the depth of a road behind a lens of 100 pixels, 1.5 m up.

    With boxes on it and a wall at 40 m, or with nothing, and nothing known of the sky.
    """
    rng = np.random.default_rng(seed)
    down = pinhole_rays(camera(100))[..., 1]
    with np.errstate(divide='ignore'):
        depth = np.where(down > 0, 1.5 / down, np.nan)
    if has_things:
        depth = np.where(depth < 40, depth, 40.0)
    for _ in range(6 if has_things else 0):
        far_m, left = rng.uniform(5, 20), int(rng.integers(0, WIDTH - 30))
        foot = int(HEIGHT / 2 + 150 / far_m)
        part = np.s_[max(0, foot - int(200 / far_m)):foot, left:left + int(250 / far_m)]
        depth[part] = np.minimum(depth[part], far_m)
    return depth.astype(np.float32)


def check_after(focal: float, n_looks: int = 40, *, has_things: bool = True) -> LensCheck:
    """Return the check of a camera whose info has a focal length."""
    check, noise = LensCheck(), np.random.default_rng(1)
    for seed in range(n_looks):
        depth = street(seed, has_things=has_things)
        rows, columns = noise.integers(0, HEIGHT, 400), noise.integers(0, WIDTH, 400)
        z = depth[rows, columns].astype(float)
        points = np.dstack([*np.moveaxis(pinhole_rays(camera(100))[rows, columns], 1, 0), z])[0]
        points[:, :2] *= z[:, np.newaxis]
        pred = (depth * np.exp(noise.normal(0, 0.05, depth.shape))).astype(np.float32)

        def spread(factor: float, points: Any = points, pred: Any = pred) -> float:
            seen = seen_points(points, np.eye(4), Camera(camera(focal * factor), None, 'P'))
            return measure_pairs(sampled(pred, seen.places), seen.depth_m, seen.places).spread

        check.look(spread(1.0), spread)
    return check


def test_the_right_lens_is_not_doubted():
    assert check_after(100).doubt == ''


@pytest.mark.parametrize(('focal', 'factor'), [(130, 0.77), (77, 1.3)])
def test_a_wrong_lens_is_doubted_after_some_looks(focal, factor):
    assert f'a lens about {factor} times as long' in check_after(focal).doubt
    assert check_after(focal, 39).doubt == ''


def test_on_an_empty_road_no_lens_can_be_told_from_another():
    """Depth of the road is wrong by one factor, which is taken for scale."""
    assert check_after(130, has_things=False).doubt == ''


def test_where_points_disagree_through_other_lenses_the_own_is_right():
    def disagree(factor: float) -> float:
        raise DataError('no agreement')

    check = LensCheck()
    for _ in range(80):
        check.look(0.1, disagree)
    assert check.doubt == ''
