# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The street of one seed: course, cross-section, and where rays meet its ground.

World frame: x along the street, y left, z up; the carriageway lies at z = 0, everything beyond
the kerbs at ``KERB_M``. The middle of the street is y = f(x), a sum of two slow sines. Points
are also named by (s, d): s along the street, measured on x, and d the offset to the left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from clip_depth_ros.world.rays import RayGrid
from clip_depth_ros.world.things import Bools, Floats, Ints, Thing
import numpy as np

KERB_M = 0.12
"""Height of the sidewalks above the road."""

CROSSING_M = 9.0
"""Width of the streets that cross."""

DASH_M = 9.0
"""Period of the dashed line in the middle; blocks are whole numbers of it."""


class GroundHits(NamedTuple):
    """
    Where rays meet the ground, float32 (H, W) each.

    Ray parameter ``t``, +Inf for rays that do not come down; metres ``s`` along the street since
    the last crossing street began, in [0, block_m), and ``d`` to the left of its middle, both 0
    where t is +Inf.
    """

    t: Floats
    s: Floats
    d: Floats


@dataclass(frozen=True, slots=True)
class Street:
    """
    Course and cross-section; left and right are as the camera drives.

    Attributes
    ----------
    bends : tuple of (amplitude m, wave number rad/m, phase rad)
        The sines of the middle line.
    lane_m : float
        Width of each of the two lanes.
    parking_m, walk_m : (left, right)
        Widths of the parking strips (0 for none) and sidewalks.
    block_m : float
        From one crossing street to the next.
    first_crossing_m : float
        Where along x a crossing street begins.

    """

    bends: tuple[tuple[float, float, float], ...]
    lane_m: float
    parking_m: tuple[float, float]
    walk_m: tuple[float, float]
    block_m: float
    first_crossing_m: float

    def course(self, dx: Floats | float, x0: float = 0.0) -> tuple[Floats, Floats]:
        """
        Return y and slope dy/dx of the middle line at x = x0 + dx.

        The large ``x0`` is folded into the phases in float64, so that float32 ``dx`` suffice.
        """
        y, slope = np.zeros_like(dx), np.zeros_like(dx)
        for amplitude, k, phase in self.bends:
            angle = np.asarray(k * dx + (phase + k * x0) % (2 * np.pi), np.asarray(dx).dtype)
            y, slope = y + amplitude * np.sin(angle), slope + amplitude * k * np.cos(angle)
        return y, slope

    def kerb_offsets(self) -> tuple[float, float]:
        """Return d of the left kerb and of the right one (negative)."""
        left, right = self.parking_m
        return self.lane_m + left, -(self.lane_m + right)

    def pose(self, s: float, d: float) -> tuple[float, float, float]:
        """Return x, y and yaw (direction of the street) at (s, d)."""
        y, slope = self.course(np.float64(s))
        yaw = float(np.arctan(slope))
        return s - d * float(np.sin(yaw)), float(y) + d * float(np.cos(yaw)), yaw

    def block_of(self, s: float) -> int:
        """Return the number of the block, crossing street first, that holds ``s``."""
        return int(np.floor((s - self.first_crossing_m) / self.block_m))

    def block_start(self, block: int) -> float:
        """Return where along x a block's crossing street begins."""
        return self.first_crossing_m + block * self.block_m


def street_of(seed: int) -> Street:
    """Draw the street of a seed."""
    rng = np.random.default_rng((seed, 1))
    wave = 2 * np.pi / np.array([rng.uniform(220, 420), rng.uniform(90, 150)])
    swing = np.array([rng.uniform(1, 9), rng.uniform(0.2, 1.2)])
    phase = rng.uniform(0, 2 * np.pi, 2)
    block_m = DASH_M * int(rng.integers(8, 15))
    return Street(
        bends=tuple(zip(swing.tolist(), wave.tolist(), phase.tolist(), strict=True)),
        lane_m=float(2.7 + 2.2 * rng.uniform(0, 1) ** 1.6),
        parking_m=(_parking(rng), _parking(rng)),
        walk_m=(float(rng.uniform(2.2, 5.5)), float(rng.uniform(2.2, 5.5))),
        block_m=block_m,
        first_crossing_m=float(rng.uniform(0, block_m)),
    )


def ground_hits(street: Street, rays: RayGrid) -> GroundHits:
    """
    Find where rays meet the road, the kerbs' faces and the level ground beyond them.

    Rays start above the ground. A ray meets the upper level where it is beyond the kerb when it
    reaches ``KERB_M``; else the road where it is within the kerbs when it reaches 0; else the
    kerb's upright face in between, found by false position.
    """
    origin = rays.origin_m
    x, y, z = (
        (column + row[:, None]).astype(np.float32)
        for column, row in zip(rays.columns, rays.rows, strict=True)
    )
    falls = z < -1e-6
    x, y, z = x[falls], y[falls], z[falls]
    t, dx, d = _meet(street, origin, (x, y, z))
    begun_m = np.float32((origin[0] - street.first_crossing_m) % street.block_m)
    hits = GroundHits(
        np.full(falls.shape, np.inf, np.float32), *np.zeros((2, *falls.shape), np.float32)
    )
    hits.t[falls], hits.d[falls] = t, d
    hits.s[falls] = np.mod(dx + begun_m, np.float32(street.block_m))
    return hits


def _meet(
    street: Street, origin: Floats, direction: tuple[Floats, Floats, Floats]
) -> tuple[Floats, Floats, Floats]:
    """Return t, x - origin x along the street, and d, for rays that fall; float32 (M,)."""
    x, y, z = direction
    t = np.float32(KERB_M - origin[2]) / z
    dx, d = _offset(street, origin, t * x, t * y)
    low = np.flatnonzero(_within_kerbs(street, d))
    ray = x[low], y[low]
    t_road = np.float32(-origin[2]) / z[low]
    dx_road, d_road = _offset(street, origin, t_road * ray[0], t_road * ray[1])
    face = np.flatnonzero(~_within_kerbs(street, d_road))
    t_road[face], dx_road[face], d_road[face] = _kerb_face(
        street, origin, (ray[0][face], ray[1][face]), (t[low[face]], t_road[face])
    )
    t[low], dx[low], d[low] = t_road, dx_road, d_road
    return t, dx, d


def _kerb_face(
    street: Street, origin: Floats, ray: tuple[Floats, Floats], span: tuple[Floats, Floats]
) -> tuple[Floats, Floats, Floats]:
    """Find where rays pass the kerb's line, within one value of t and beyond the other."""
    (x, y), (inner, outer) = ray, span
    sign = np.sign(_offset(street, origin, outer * x, outer * y)[1])
    left, right = street.kerb_offsets()
    edge = np.where(sign > 0, np.float32(left), np.float32(-right))

    def excess(t: Floats) -> Floats:
        beyond: Floats = sign * _offset(street, origin, t * x, t * y)[1] - edge
        return beyond

    low, high = excess(inner), excess(outer)
    for _ in range(5):  # a kerb bends by centimetres over its face: this ends near 0.1 mm
        t = inner + (outer - inner) * (low / (low - high))
        middle = excess(t)
        is_in = middle < 0
        inner, low = np.where(is_in, t, inner), np.where(is_in, middle, low)
        outer, high = np.where(is_in, outer, t), np.where(is_in, high, middle)
    return t, *_offset(street, origin, t * x, t * y)


def _offset(street: Street, origin: Floats, dx: Floats, dy: Floats) -> tuple[Floats, Floats]:
    """Return s - origin x and d of points given relative to the rays' origin."""
    course, slope = street.course(dx, float(origin[0]))
    off = dy + np.float32(origin[1]) - course
    steep = 1 / (1 + slope * slope)
    return dx + off * slope * steep, off * np.sqrt(steep)


def _within_kerbs(street: Street, d: Floats) -> Bools:
    left, right = street.kerb_offsets()
    inside: Bools = (d < left) & (d > right)
    return inside


def _parking(rng: np.random.Generator) -> float:
    return float(rng.choice([0.0, 2.1, 2.4]))


def ground_things(street: Street, s: Floats, d: Floats) -> Ints:
    """Return what the ground is at points (s since the last crossing began, d): class ids (M,)."""
    left, right = street.kerb_offsets()
    beyond = np.maximum(d - left, right - d)
    walk = np.where(d > 0, np.float32(street.walk_m[0]), np.float32(street.walk_m[1]))
    side_street = (s < CROSSING_M) & (beyond > walk * 0.4)
    thing = np.where(beyond < walk, Thing.SIDEWALK, Thing.GRASS)
    return np.where((beyond < -1e-4) | side_street, Thing.ROAD, thing)
