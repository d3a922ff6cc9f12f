# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A laser scan from depth: the nearest thing in a band of heights, by bearing."""

from __future__ import annotations

from dataclasses import dataclass

from clip_depth_ros.core.camera import Rays
from clip_depth_ros.core.clouds import Crop, level
from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.types import Depth
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Scan:
    """
    Ranges by bearing, in a level frame at the camera, x forward and y to the left.

    Attributes
    ----------
    first_rad, step_rad : float
        Bearing of the first range, at the right, and from one to the next; to the left is plus.
    min_range_m, max_range_m : float
        Between which ranges are numbers.
    ranges_m : float32 (N,)
        NaN where it is not known, +Inf where nothing is in range, -Inf where something is nearer
        (REP 117).

    """

    first_rad: float
    step_rad: float
    min_range_m: float
    max_range_m: float
    ranges_m: NDArray[np.float32]


class ScanBuilder:
    """
    Scans from depth images of one camera, with all that does not depend on depth computed once.

    A pixel counts if its ray passes through the band of heights within range: its range does
    where its point is in the band. It says that nothing is in range only if it looks beyond the
    range and is in the band there; what is over or under the band says nothing of what is in it.

    Parameters
    ----------
    rays : float32 (H, W, 2)
        Where the pixels of the depth image look; NaN where that is not known.
    band : Crop
        The heights above ground and the camera's own; its ranges are along the ground.

    Raises
    ------
    CalibrationError
        If no ray passes through the band within range.

    """

    def __init__(self, rays: Rays, band: Crop) -> None:
        self._band = band
        forward, down = level(rays, band.camera_pitch_deg)
        reach = np.hypot(forward, rays[..., 0])  # metres along the ground to a metre of depth
        low, high = band.depths_of_heights(rays)
        with np.errstate(invalid='ignore'):
            end = band.max_range_m / reach
            counts = (forward > 0) & (low < end) & (high > 0) & (low < high)
        if not counts.any():
            raise CalibrationError(
                f'no pixel sees heights of {band.min_height_m} to {band.max_height_m} m within '
                f'{band.max_range_m} m: correct camera_height_m={band.camera_height_m}, '
                f'camera_pitch_deg={band.camera_pitch_deg}, scan_min_height_m or scan_max_height_m'
            )
        bearing = np.where(counts, np.arctan2(-rays[..., 0], forward), np.nan)
        self._first_rad, last_rad = float(np.nanmin(bearing)), float(np.nanmax(bearing))
        self._step_rad = _widest_pixel_rad(bearing, down)
        self._n_ranges = round((last_rad - self._first_rad) / self._step_rad) + 1
        self._sort_pixels(counts, bearing)
        start = band.min_range_m / reach
        self._reach, self._low = self._sorted(reach), self._sorted(low)
        self._high = self._sorted(np.minimum(high, end))
        self._free_from = self._sorted(np.where((low <= end) & (end <= high), end, np.inf))
        self._is_in_front = self._sorted((low <= start) & (start <= high)) > 0

    def _sort_pixels(self, counts: NDArray[np.bool_], bearing: NDArray[np.float64]) -> None:
        """Bring the pixels that count into the order of their ranges."""
        pixels = np.flatnonzero(counts)
        of_range = np.rint((bearing.ravel()[pixels] - self._first_rad) / self._step_rad)
        order = np.argsort(of_range, kind='stable')
        self._pixels = pixels[order]
        filled, self._starts = np.unique(of_range[order], return_index=True)
        self._filled = np.minimum(filled.astype(np.intp), self._n_ranges - 1)

    def _sorted(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        return values.ravel()[self._pixels].astype(np.float32)

    def build(self, depth_m: Depth) -> Scan:
        """Return the scan of a depth image, float32 (H, W), metres with REP 117 marks."""
        z = depth_m.ravel()[self._pixels]
        ranges = np.where((self._low <= z) & (z <= self._high), z * self._reach, np.nan)
        ranges[z > self._free_from] = np.inf
        is_nearer = ranges < self._band.min_range_m
        ranges[is_nearer | ((z == -np.inf) & self._is_in_front)] = -np.inf
        every = np.full(self._n_ranges, np.nan, np.float32)
        every[self._filled] = np.fmin.reduceat(ranges, self._starts)
        return Scan(
            self._first_rad, self._step_rad, self._band.min_range_m, self._band.max_range_m, every
        )


def _widest_pixel_rad(bearing: NDArray[np.float64], down: NDArray[np.float64]) -> float:
    """Return the largest step between neighbours at the horizon: then no range is empty."""
    steps = np.abs(np.diff(bearing, axis=1))
    is_step = np.isfinite(steps)
    tilt = np.where(is_step, np.abs(down[:, 1:]), np.inf)
    row = int(np.argmin(tilt.min(axis=1)))
    widest = float(np.max(steps[row], where=is_step[row], initial=0.0))
    return widest or 1e-3
