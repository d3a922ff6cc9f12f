# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
True depth from what sensors give, without what they only seem to have measured.

Where nothing comes back, drivers put a mark: a point at (0, 0, 0) or somewhere within the sensor's
blind zone, the largest number of 16 bits, the end of the range in all pixels that see farther.
None of it is depth; it is left out, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
import math
from typing import Any, Final

from clip_depth_ros.core.camera import Camera, Rays
from clip_depth_ros.core.clouds import CloudBuilder
from clip_depth_ros.core.depth_images import range_end_m
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.projection import (
    is_near,
    LidarPixel,
    LidarValue,
    Pixels,
    Projection,
    projection_matrix,
    sparse_depth,
)
from clip_depth_ros.core.transforms import Matrix4
from clip_depth_ros.settings.source import LIDAR_MIN_RANGE_M
from clip_depth_ros.types import Depth
import numpy as np
from numpy.typing import NDArray

Truth = tuple[Depth, Mapping[str, int]]
"""Depth, float32 (H, W), metres, and what was left out, as in ``DepthSample.notes``."""

_FULL_16_BIT: Final = 65535

_AS_FINE: Final = 0.1
_FINEST: Final = 4

_FULL: Final = '65535 in 16-bit depth is no depth, pixels'
_END: Final = (
    'the largest depth of an image, which many pixels share exactly, is taken for the end of the '
    'range (gt_max_range_m says where that is), pixels'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthRules:
    """
    What counts as measured.

    Attributes
    ----------
    lidar_value, lidar_pixel : str
        See :func:`sparse_depth`.
    lidar_min_range_m : float
        Points nearer to the LiDAR are no returns; those at 0 never are.
    max_range_m : float
        Where the range of depth images ends; 0: as :func:`range_end_m` sees it, if they are as
        measured.
    is_measured : bool
        Whether depth images are as a sensor gives them, with marks; not where they are annotated,
        rendered or prepared by those who made the data set.

    """

    lidar_value: LidarValue = 'z'
    lidar_pixel: LidarPixel = 'nearest'
    lidar_min_range_m: float = LIDAR_MIN_RANGE_M
    max_range_m: float = 0.0
    is_measured: bool = False

    def describe(self) -> Mapping[str, str]:
        """Return what is not as usual of the ranges."""
        facts = {}
        if self.lidar_min_range_m != LIDAR_MIN_RANGE_M:
            facts['lidar_min_range_m'] = f'{self.lidar_min_range_m:g}'
        if self.max_range_m:
            facts['gt_max_range_m'] = f'{self.max_range_m:g}'
        return facts

    def of_points(
        self,
        points: NDArray[Any],
        P: Projection,
        size: Size,
        *,
        shown_at: Callable[[Pixels], Pixels] | None = None,
    ) -> Truth:
        """
        Return the depth image that points make, 0 where no point falls.

        Parameters are those of :func:`sparse_depth`. What is counted is pixels on which points
        would have fallen that are no returns.
        """
        near = is_near(points, self.lidar_min_range_m)
        images = [
            sparse_depth(
                some, P, size, value=self.lidar_value, pixel=self.lidar_pixel, shown_at=shown_at
            )
            for some in (points[~near], points[near])
        ]
        n_hit = int(np.count_nonzero(images[1]))
        note = (
            f'points at the LiDAR or nearer than lidar_min_range_m={self.lidar_min_range_m:g} are '
            'no returns, pixels'
        )
        return images[0], {note: n_hit} if n_hit else {}

    def of_image(self, depth_m: Depth, *, per_metre: float = 1000.0) -> Truth:
        """
        Return depth with NaN where it is a mark.

        Parameters
        ----------
        depth_m : float32 (H, W)
            Metres.
        per_metre : float
            What 16 bits stored for each metre, if they did.

        """
        notes: dict[str, int] = {}
        if self.is_measured:
            full_m = np.float32(_FULL_16_BIT) / np.float32(per_metre)
            depth_m = _without(depth_m, depth_m == full_m, _FULL, notes)
        if self.max_range_m:
            note = f'nothing is known from gt_max_range_m={self.max_range_m:g} on, pixels'
            depth_m = _without(depth_m, depth_m >= self.max_range_m, note, notes)
        elif self.is_measured:
            depth_m = _without(depth_m, depth_m >= range_end_m(depth_m), _END, notes)
        return depth_m, notes


def registered(
    depth_m: Depth, depth_camera: Camera, T_camera_depth: Matrix4, camera: Camera
) -> Depth:
    """
    Return a depth image as another camera sees it, 0 where nothing is known.

    Each pixel is a point; of those on one pixel the nearest counts. Where the other camera has
    finer pixels, each is several, so that what is behind does not shine through.

    Parameters
    ----------
    depth_m : float32 (h, w)
        Metres along the axis of the depth camera.
    depth_camera : Camera
        Of an image of this size.
    T_camera_depth : float64 (4, 4)
        Takes points of the depth camera's frame to that of the other one.
    camera : Camera
        The other one; says the size of the result.

    """
    own, other = depth_camera.intrinsics, camera.intrinsics
    finer = max(other.fx / own.fx, other.fy / own.fy)
    times = min(max(math.ceil(finer - _AS_FINE), 1), _FINEST)
    depth_m = np.where(depth_m > 0, depth_m, np.float32(np.nan))
    depth_m = depth_m.repeat(times, axis=0).repeat(times, axis=1)
    height, width = depth_m.shape
    points = CloudBuilder(_rays(depth_camera, width, height)).build(depth_m).reshape(-1, 3)
    P = projection_matrix(other, T_camera_depth)
    return sparse_depth(points, P, Size(other.height, other.width), shown_at=camera.shown_at)


@lru_cache(maxsize=2)
def _rays(camera: Camera, width: int, height: int) -> Rays:
    """Return the rays of a camera; they seldom change, and take long where a lens distorts."""
    return camera.rays(width, height)


def _without(
    depth_m: Depth, pixels: NDArray[np.bool_], note: str, notes: dict[str, int]
) -> Depth:
    """Return depth that is unknown at these pixels, and count those that were finite."""
    count = int(np.count_nonzero(pixels & np.isfinite(depth_m)))
    if not count:
        return depth_m
    notes[note] = count
    return np.where(pixels, np.float32(np.nan), depth_m)
