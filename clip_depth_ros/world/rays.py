# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Grids of rays (a camera's pixels, a LiDAR's beams), and where rays are inside convex solids.

The direction of the ray in row i and column j is ``columns[:, j] + rows[:, i]``. For a pinhole
camera the columns carry x and z = 1 and the rows y, so the ray parameter t **is** the z-depth.
For a spinning LiDAR the columns carry the azimuth as a horizontal unit vector and the rows the
slope, so t is the horizontal distance. Sums make casting cheap: a linear map of the directions
is again a sum of a row and a column vector.
"""

from __future__ import annotations

from dataclasses import dataclass
import functools
import itertools
from typing import Protocol

from clip_depth_ros.types import Intrinsics
from clip_depth_ros.world.things import Bools, Floats, Ints, Solid
import numpy as np

NEAR_M = 0.3
"""Nothing nearer than this is seen."""


class RayGrid(Protocol):
    """H x W rays from one origin, and where on the grid a convex body can be met."""

    @property
    def origin_m(self) -> Floats:
        """Where all rays start, world, float64 (3,)."""

    @property
    def columns(self) -> Floats:
        """Column part of the directions, world, float64 (3, W)."""

    @property
    def rows(self) -> Floats:
        """Row part of the directions, world, float64 (3, H)."""

    def windows(self, points: Floats) -> tuple[Ints, Floats]:
        """
        Return windows of rays that can meet N convex bodies, int64 (N, 4), and how near they are.

        World points, float64 (N, K, 3), have the bodies in their convex hulls. A window is row
        from, row to, column from, column to (half open); empty where to <= from. No ray meets a
        body at a smaller ray parameter than the second answer, float64 (N,).
        """


@dataclass(frozen=True, slots=True)
class CameraRays:
    """
    The rays through the pixel centres of a pinhole camera; pixel (0, 0) is centred at (0, 0).

    Attributes
    ----------
    intrinsics : Intrinsics
    T_world_cam : float64 (4, 4)
        Takes points of the optical frame (x right, y down, z forward) to the world.

    """

    intrinsics: Intrinsics
    T_world_cam: Floats

    @property
    def origin_m(self) -> Floats:
        return self.T_world_cam[:3, 3]

    @property
    def columns(self) -> Floats:
        k, axes = self.intrinsics, self.T_world_cam[:3, :3]
        return axes[:, :1] * (np.arange(k.width) - k.cx) / k.fx + axes[:, 2:]

    @property
    def rows(self) -> Floats:
        k = self.intrinsics
        return self.T_world_cam[:3, 1:2] * (np.arange(k.height) - k.cy) / k.fy

    def windows(self, points: Floats) -> tuple[Ints, Floats]:
        local: Floats = np.einsum('nki,ij->nkj', points - self.origin_m, self.T_world_cam[:3, :3])
        k, front = self.intrinsics, local[:, :, 2] >= NEAR_M
        low, high = _pixel_bounds(k, local, front)
        cut = np.flatnonzero(front.any(1) & ~front.all(1))
        if len(cut):
            low_cut, high_cut = _pixel_bounds(k, *_where_edges_pass(local[cut], NEAR_M))
            low[cut] = np.minimum(low[cut], low_cut)
            high[cut] = np.maximum(high[cut], high_cut)
        size = np.array([k.width, k.height], float)
        begin = np.clip(np.ceil(low - 1e-6), 0, size).astype(np.int64)
        end = np.clip(np.floor(high + 1e-6) + 1, 0, size).astype(np.int64)
        windows = np.stack([begin[:, 1], end[:, 1], begin[:, 0], end[:, 0]], axis=1)
        return windows, np.maximum(local[:, :, 2].min(1), NEAR_M)


@dataclass(frozen=True, slots=True)
class SpinningRays:
    """
    The rays of a LiDAR that spins about its z axis (x forward, y left, z up).

    Attributes
    ----------
    azimuths_rad : float64 (W,)
        Ascending, counter-clockwise from x, within [-pi, pi].
    elevations_rad : float64 (H,)
        Ascending.
    T_world_lidar : float64 (4, 4)
        Takes points of the LiDAR's frame to the world.

    """

    azimuths_rad: Floats
    elevations_rad: Floats
    T_world_lidar: Floats

    @property
    def origin_m(self) -> Floats:
        return self.T_world_lidar[:3, 3]

    @property
    def columns(self) -> Floats:
        axes = self.T_world_lidar[:3, :3]
        return axes[:, :1] * np.cos(self.azimuths_rad) + axes[:, 1:2] * np.sin(self.azimuths_rad)

    @property
    def rows(self) -> Floats:
        return self.T_world_lidar[:3, 2:3] * np.tan(self.elevations_rad)

    def windows(self, points: Floats) -> tuple[Ints, Floats]:
        axes = self.T_world_lidar[:3, :3]
        local: Floats = np.einsum('nki,ij->nkj', points - self.origin_m, axes)
        flat, z = local[:, :, :2], local[:, :, 2]
        middle = np.arctan2(flat[:, :, 1].mean(1), flat[:, :, 0].mean(1))
        # A hull wholly on one side of the sensor's axis is seen between its corners' azimuths,
        # and not nearer than they are along its middle; any other may be met by every ray.
        along = np.stack([np.cos(middle), np.sin(middle)], axis=1)
        nearest = np.einsum('nki,ni->nk', flat, along).min(1)
        is_around = nearest <= NEAR_M
        turn = np.arctan2(flat[:, :, 1], flat[:, :, 0]) - middle[:, None]
        turn = np.mod(turn + np.pi, 2 * np.pi) - np.pi
        left, right = middle + turn.min(1), middle + turn.max(1)
        near, far = np.maximum(nearest, NEAR_M), np.hypot(flat[:, :, 0], flat[:, :, 1]).max(1)
        top, bottom = z.max(1), z.min(1)
        top = np.arctan2(top, np.where(top > 0, near, far))
        bottom = np.arctan2(bottom, np.where(bottom < 0, near, far))
        rows = _between(self.elevations_rad, bottom, top, everything=is_around)
        passes_seam = (left < -np.pi) | (right > np.pi)
        columns = _between(self.azimuths_rad, left, right, everything=is_around | passes_seam)
        windows = np.stack([*rows, *columns], axis=1)
        return windows, near


def _between(angles: Floats, low: Floats, high: Floats, *, everything: Bools) -> tuple[Ints, Ints]:
    """Return the half-open ranges of ascending angles that lie in [low, high], or all of them."""
    begin, end = np.searchsorted(angles, low), np.searchsorted(angles, high, 'right')
    return np.where(everything, 0, begin), np.where(everything, len(angles), end)


def _pixel_bounds(k: Intrinsics, local: Floats, valid: Bools) -> tuple[Floats, Floats]:
    """Return least and greatest (u, v) of the valid points of each body, float64 (N, 2)."""
    z = np.where(valid, local[:, :, 2], 1.0)
    uv = np.stack([k.fx * local[:, :, 0] / z + k.cx, k.fy * local[:, :, 1] / z + k.cy], axis=2)
    shown = valid[:, :, None]
    return np.where(shown, uv, np.inf).min(1), np.where(shown, uv, -np.inf).max(1)


def _where_edges_pass(local: Floats, plane_z: float) -> tuple[Floats, Bools]:
    """Cut every line between two points at z = ``plane_z``; return the cuts and which are real."""
    pairs = np.array(list(itertools.combinations(range(local.shape[1]), 2)))
    a, b = local[:, pairs[:, 0]], local[:, pairs[:, 1]]
    passes = (a[:, :, 2] < plane_z) != (b[:, :, 2] < plane_z)
    rise = np.where(passes, b[:, :, 2] - a[:, :, 2], 1.0)
    share = np.where(passes, (plane_z - a[:, :, 2]) / rise, 0.0)
    return a + share[:, :, None] * (b - a), passes


_TINY = np.float32(1e-20)  # keeps 1 / d finite for rays that run exactly along a face


def inside(solid: Ints, taper: Floats, o: Floats, d: Floats) -> tuple[Floats, Floats]:
    """
    Return where each ray o + t d enters and leaves its solid, float32 (M,) each.

    ``solid``, int (M,), is the :class:`Solid` of each ray, in ascending order; ``taper``, float32
    (2, M), how far the sides of a ``TAPER`` lean in, read for no other. ``o`` and ``d``, float32
    (3, M), are in the unit frame of the solid.
    """
    enter, leave = np.empty_like(o[0]), np.empty_like(o[0])
    ends = np.searchsorted(solid, np.arange(len(Solid) + 1)).tolist()
    for kind in range(len(Solid)):
        part = slice(ends[kind], ends[kind + 1])
        if part.start == part.stop:
            continue
        if kind == Solid.BOX:
            enter[part], leave[part] = in_box(o[:, part], d[:, part])
        elif kind == Solid.TAPER:
            enter[part], leave[part] = _in_taper(o[:, part], d[:, part], taper[:, part])
        elif kind == Solid.ELLIPSOID:
            enter[part], leave[part] = _in_ball(o[:, part], d[:, part])
        else:
            enter[part], leave[part] = _in_cylinder(o[:, part], d[:, part])
    return enter, leave


def in_box(o: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Meet |x|, |y|, |z| <= 1 (as many axes as o and d have)."""
    pace = 1 / (d + _TINY)
    middle, reach = o * pace, np.abs(pace)
    enters, leaves = -middle - reach, reach - middle
    # A chain over two or three rows is several times faster than a reduction over that axis.
    return functools.reduce(np.maximum, enters), functools.reduce(np.minimum, leaves)


def _in_taper(o: Floats, d: Floats, taper: Floats) -> tuple[Floats, Floats]:
    """Meet a box whose sides lean in by ``taper`` (2, M) at the top."""
    enter, leave = in_box(o[2:], d[2:])
    for axis in (0, 1):
        lean = taper[axis] / 2
        for sign in (-1, 1):
            facing = sign * d[axis] + lean * d[2] + _TINY
            t = (1 - lean - sign * o[axis] - lean * o[2]) / facing
            enters = facing < 0
            enter = np.maximum(enter, np.where(enters, t, -np.inf))
            leave = np.minimum(leave, np.where(enters, np.inf, t))
    return enter, leave


def _in_ball(o: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Meet x^2 + y^2 + z^2 <= 1."""
    (x, y, z), (u, v, w) = o, d
    # The cross product tells how far off the ray passes; o.d and o.o would cancel at a distance.
    off = (y * w - z * v) ** 2 + (z * u - x * w) ** 2 + (x * v - y * u) ** 2
    squared = u * u + v * v + w * w
    return _quadric(squared, x * u + y * v + z * w, squared - off)


def _in_cylinder(o: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Meet x^2 + y^2 <= 1, |z| <= 1."""
    (x, y), (u, v) = o[:2], d[:2]
    squared = u * u + v * v + _TINY
    side_in, side_out = _quadric(squared, x * u + y * v, squared - (x * v - y * u) ** 2)
    cap_in, cap_out = in_box(o[2:], d[2:])
    return np.maximum(side_in, cap_in), np.minimum(side_out, cap_out)


def _quadric(squared: Floats, along: Floats, spare: Floats) -> tuple[Floats, Floats]:
    """Solve for t with direction^2, o.d and the quarter discriminant ``spare``."""
    root = np.sqrt(np.maximum(spare, 0))
    enter = np.where(spare >= 0, (-along - root) / squared, np.inf)
    return enter, (root - along) / squared
