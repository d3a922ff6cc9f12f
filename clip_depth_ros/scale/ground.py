# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The scale of depth from the ground: a camera of known height sees it at that distance."""

from __future__ import annotations

import math
from typing import Final

from clip_depth_ros.core.alignment import median
from clip_depth_ros.core.camera import Rays
from clip_depth_ros.errors import DataError
from clip_depth_ros.scale.correction import Correction, Measure
from clip_depth_ros.types import Depth
import numpy as np
from numpy.typing import NDArray

# All our choice; tried on rendered drives other than those of docs/scale.md.
_LEAST_DOWN: Final = 0.06  # rays that go down by less see the ground far away, if at all
_MOST_POINTS: Final = 1500
_LEAST_POINTS: Final = 200
_N_PLANES: Final = 48
_WITHIN: Final = 0.1  # of their own depth, points of the ground are on the plane
_LEAST_SHARE: Final = 0.5
_SEARCHED_DEG: Final = 15.0
_LEVEL_DEG: Final = 4.0
_ROUNDS: Final = 3

Vectors = NDArray[np.float64]


def up_of_pitch(pitch_deg: float) -> Vectors:
    """Return the direction up in the optical frame of a camera that looks down by an angle."""
    pitch = math.radians(pitch_deg)
    return np.array([0.0, -math.cos(pitch), -math.sin(pitch)])


class GroundMeter:
    """
    Measures how high the camera stands by its depth, with all that is constant computed once.

    A plane is fitted to the points of the lower image, robustly (RANSAC with a fixed seed, then
    least squares of its inliers), and its distance compared with the true height. The distance of
    a point from the plane counts as a share of its depth: that is what depth is wrong by.

    Parameters
    ----------
    rays : float32 (h, w, 2)
        Where the pixels of depth look; NaN where that is not known.
    up : float64 (3,)
        Direction up, of unit length, in the optical frame.
    height_m : float
        True height above ground.

    Raises
    ------
    DataError
        If the camera does not look at the ground.

    """

    def __init__(self, rays: Rays, up: Vectors, height_m: float) -> None:
        self._up, self._height_m = up, height_m
        towards = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=2).astype(np.float64)
        with np.errstate(invalid='ignore'):
            pixels = np.flatnonzero(towards @ -up > _LEAST_DOWN)
        if len(pixels) < _LEAST_POINTS:
            raise DataError(
                'the camera does not look at the ground: no scale by its height; are '
                'camera_pitch_deg, or the transform to ground_frame, right?'
            )
        rng = np.random.default_rng(0)
        if len(pixels) > 2 * _MOST_POINTS:
            pixels = np.sort(rng.choice(pixels, 2 * _MOST_POINTS, replace=False))
        self._pixels, self._towards = pixels, towards.reshape(-1, 3)[pixels]

    def measure(self, depth_m: Depth) -> Measure:
        """
        Return the scale of a depth image, float32 (h, w).

        Raises
        ------
        DataError
            If too little depth is known there, if less than half of it is on one plane (a wall,
            a crowd, a hilltop), or if that plane is not level.

        """
        z = depth_m.reshape(-1)[self._pixels].astype(np.float64)
        is_known = np.isfinite(z) & (z > 0)
        n_known = np.count_nonzero(is_known)
        if n_known < _LEAST_POINTS:
            raise DataError(
                f'depth is known at {n_known} of {len(z)} points of the lower image, too few for '
                'the ground'
            )
        points = self._towards[is_known] * z[is_known, np.newaxis]
        points = points[:: -(-len(points) // _MOST_POINTS)]
        plane = self._plane(points)
        is_on = _is_on(points, plane)
        share = float(is_on.mean())
        if share < _LEAST_SHARE:
            raise DataError(
                f'no ground in sight: {share:.0%} of the lower image are on one plane that is '
                f'nearly level, it takes {_LEAST_SHARE:.0%}'
            )
        # n / h: what points of the plane have a product of 1 with.
        height_m = 1 / float(np.linalg.norm(plane))
        tilt_deg = math.degrees(math.acos(min(1.0, float(-self._up @ plane) * height_m)))
        if tilt_deg > _SEARCHED_DEG:
            raise DataError(
                'no ground in sight: most of the lower image is on a plane tilted by '
                f'{tilt_deg:.0f} degrees, as a wall is'
            )
        if tilt_deg > _LEVEL_DEG:
            raise DataError(
                f'the ground seems tilted by {tilt_deg:.1f} degrees, {_LEVEL_DEG:g} are taken for '
                'level: hills, a wrong camera_pitch_deg, or depth that is no plane there'
            )
        off = np.abs(np.log(points[is_on] @ plane))
        scale = Correction(math.log(self._height_m / height_m))
        return Measure(scale, median(off), int(np.count_nonzero(is_on)))

    def _plane(self, points: Vectors) -> Vectors:
        """Return the plane that most points are on, as its normal over its distance."""
        rng = np.random.default_rng(1)
        corners = points[rng.integers(0, len(points), (_N_PLANES, 3))]
        sides = corners[:, 1:] - corners[:, :1]
        normals = np.cross(sides[:, 0], sides[:, 1])
        distances = np.sum(normals * corners[:, 0], axis=1)
        with np.errstate(divide='ignore', invalid='ignore'):
            planes = normals / distances[:, np.newaxis]
            level = (planes @ -self._up) / np.linalg.norm(planes, axis=1)
        # A plane that is level whatever is seen: what is compared with when nothing else is.
        flat = -self._up / max(median(points @ -self._up), 1e-6)
        planes = np.vstack([flat, planes[level > math.cos(math.radians(_SEARCHED_DEG))]])
        counts = (np.abs(points @ planes.T - 1) < _WITHIN).sum(axis=0)
        plane = planes[int(np.argmax(counts))]
        for _ in range(_ROUNDS):
            on = points[_is_on(points, plane)]
            if len(on) < 3:
                break
            better, *_ = np.linalg.lstsq(on, np.ones(len(on)), rcond=None)
            if not float(-self._up @ better) > 0:
                break
            plane = better
        return np.asarray(plane, np.float64)


def _is_on(points: Vectors, plane: Vectors) -> NDArray[np.bool_]:
    return np.asarray(np.abs(points @ plane - 1) < _WITHIN, np.bool_)
