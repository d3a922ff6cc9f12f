# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The street of one seed: course, cross-section, and where rays meet its ground.

World frame: x along the street, y left, z up; the carriageway lies at z = 0 where there are no
hills, everything beyond the kerbs ``KERB_M`` higher. The middle of the street is y = f(x), a sum
of two slow sines. Points are also named by (s, d): s along the street, measured on x, and d the
offset to the left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from clip_depth_ros.world.hills import Climbs, drawn_climbs, first_meeting, rise
from clip_depth_ros.world.rays import RayGrid
from clip_depth_ros.world.things import Bools, Floats, Ints, Thing
import numpy as np

KERB_M = 0.12
"""Height of the sidewalks above the road."""

CROSSING_M = 9.0
"""Width of the streets that cross a plain street."""

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
    kind : str
        What sort of street it is, one of ``KINDS``: what stands along it follows from that.
    further_m : (left, right)
        Widths of the carriageway beyond the two lanes: further lanes, a median.
    crossing_m : float
        Width of the streets that cross; 0 for none.
    beyond : Thing
        What the ground is behind the sidewalks.
    climbs : Climbs
        Ups and downs along x.

    """

    bends: tuple[tuple[float, float, float], ...]
    lane_m: float
    parking_m: tuple[float, float]
    walk_m: tuple[float, float]
    block_m: float
    first_crossing_m: float
    kind: str = 'plain'
    further_m: tuple[float, float] = (0.0, 0.0)
    crossing_m: float = CROSSING_M
    beyond: Thing = Thing.GRASS
    climbs: Climbs = ()

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
        left, right = (a + b for a, b in zip(self.parking_m, self.further_m, strict=True))
        return self.lane_m + left, -(self.lane_m + right)

    def level(self, d: float) -> float:
        """Return how high the ground at ``d`` lies above the carriageway."""
        left, right = self.kerb_offsets()
        return 0.0 if right < d < left else KERB_M

    def pose(self, s: float, d: float) -> tuple[float, float, float]:
        """Return x, y and yaw (direction of the street) at (s, d)."""
        y, slope = self.course(np.float64(s))
        yaw = float(np.arctan(slope))
        return s - d * float(np.sin(yaw)), float(y) + d * float(np.cos(yaw)), yaw

    def rise(self, x: float) -> tuple[float, float]:
        """Return height of the carriageway and its slope dz/dx at x."""
        if not self.climbs:
            return 0.0, 0.0
        height, slope = rise(self.climbs, np.float64(x))
        return float(height), float(slope)

    def block_of(self, s: float) -> int:
        """Return the number of the block, crossing street first, that holds ``s``."""
        return int(np.floor((s - self.first_crossing_m) / self.block_m))

    def block_start(self, block: int) -> float:
        """Return where along x a block's crossing street begins."""
        return self.first_crossing_m + block * self.block_m


class _Section(NamedTuple):
    """How a kind of street is drawn; pairs are (least, greatest), metres."""

    share: float
    lane_m: tuple[float, float] = (2.6, 4.2)
    walk_m: tuple[float, float] = (1.2, 5.5)
    parking: float = 0.5
    further_m: tuple[float, float] = (0.0, 0.0)
    crossings: float = 1.0
    grounds: tuple[Thing, ...] = (Thing.GRASS,)


_PAVED = (Thing.SIDEWALK, Thing.ROAD, Thing.GRASS)
KINDS: Mapping[str, _Section] = {
    'plain': _Section(0.24),
    'old_town': _Section(
        0.13, (1.7, 3.0), (0.3, 2.4), 0.2, crossings=0.8, grounds=(Thing.SIDEWALK, Thing.ROAD)
    ),
    'avenue': _Section(0.12, (2.9, 3.8), (2.5, 7.0), 0.6, (3.0, 12.0), grounds=_PAVED),
    'gardens': _Section(0.10, (2.2, 3.6), (0.8, 3.0), 0.4, crossings=0.7),
    'country': _Section(0.09, (2.3, 3.6), (0.0, 1.2), 0.0, crossings=0.3),
    'motorway': _Section(0.07, (3.2, 3.9), (0.0, 1.0), 0.0, (3.0, 14.0), crossings=0.0),
    'plaza': _Section(0.07, (2.6, 4.5), (1.0, 6.0), 0.6, (0.0, 4.0), grounds=_PAVED[:2]),
    'yard': _Section(0.07, (2.6, 5.0), (0.4, 3.0), 0.4, (0.0, 4.0), 0.6, _PAVED),
    'mixed': _Section(0.11, (2.2, 4.5), (0.5, 5.0), 0.5, (0.0, 6.0), 0.8, _PAVED),
}
"""The kinds of street, and how often they are met."""

_HILLY = 0.45  # share of the streets that are not plain


def street_of(seed: int) -> Street:
    """Draw the street of a seed."""
    rng = np.random.default_rng((seed, 1))
    wave = 2 * np.pi / np.array([rng.uniform(220, 420), rng.uniform(90, 150)])
    swing = np.array([rng.uniform(1, 9), rng.uniform(0.2, 1.2)])
    phase = rng.uniform(0, 2 * np.pi, 2)
    block_m = DASH_M * int(rng.integers(8, 15))
    plain = Street(
        bends=tuple(zip(swing.tolist(), wave.tolist(), phase.tolist(), strict=True)),
        lane_m=float(2.7 + 2.2 * rng.uniform(0, 1) ** 1.6),
        parking_m=(_parking(rng), _parking(rng)),
        walk_m=(float(rng.uniform(2.2, 5.5)), float(rng.uniform(2.2, 5.5))),
        block_m=block_m,
        first_crossing_m=float(rng.uniform(0, block_m)),
    )
    own = np.random.default_rng((seed, 40))
    shares = np.array([section.share for section in KINDS.values()])
    kind = list(KINDS)[int(own.choice(len(shares), p=shares / shares.sum()))]
    return plain if kind == 'plain' else _other_street(plain, kind, own)


def _other_street(plain: Street, kind: str, rng: np.random.Generator) -> Street:
    section = KINDS[kind]

    def pair(low: float, high: float) -> tuple[float, float]:
        left, right = rng.uniform(low, high, 2).tolist()
        return left, right

    def at_times(share: float, width: tuple[float, float]) -> tuple[float, float]:
        left, right = (np.array(pair(*width)) * (rng.random(2) < share)).tolist()
        return left, right

    return replace(
        plain,
        bends=_bends(rng),
        lane_m=float(rng.uniform(*section.lane_m)),
        parking_m=at_times(section.parking, (2.0, 5.2)),
        walk_m=pair(*section.walk_m),
        kind=kind,
        further_m=at_times(0.75, section.further_m),
        crossing_m=float(rng.uniform(4.0, 16.0) * (rng.random() < section.crossings)),
        beyond=section.grounds[int(rng.integers(len(section.grounds)))],
        climbs=drawn_climbs(rng) if rng.random() < _HILLY else (),
    )


def _bends(rng: np.random.Generator) -> tuple[tuple[float, float, float], ...]:
    """Draw two sines whose bends have radii from 45 m on, and that turn by 22 degrees at most."""
    bends = []
    for shortest, sharpest in ((90, 45), (70, 150)):
        k = 2 * np.pi / rng.uniform(shortest, 500)
        radius = sharpest / rng.uniform(0.02, 1) ** 1.5
        amplitude = min(1 / (radius * k * k), 0.2 / k)
        bends.append((float(amplitude), float(k), float(rng.uniform(0, 2 * np.pi))))
    return tuple(bends)


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
    comes = first_meeting(street.climbs, origin, (x.ravel(), y.ravel(), z.ravel()), KERB_M)
    falls = np.isfinite(comes).reshape(z.shape)
    x, y, z = x[falls], y[falls], z[falls]
    t, dx, d = _meet(street, origin, (x, y, z), comes[falls.ravel()])
    begun_m = np.float32((origin[0] - street.first_crossing_m) % street.block_m)
    hits = GroundHits(
        np.full(falls.shape, np.inf, np.float32), *np.zeros((2, *falls.shape), np.float32)
    )
    hits.t[falls], hits.d[falls] = t, d
    hits.s[falls] = np.mod(dx + begun_m, np.float32(street.block_m))
    return hits


def _meet(
    street: Street, origin: Floats, direction: tuple[Floats, Floats, Floats], t: Floats
) -> tuple[Floats, Floats, Floats]:
    """
    Return t, x - origin x along the street, and d, of rays that come down; float32 (M,).

    ``t`` is where they come down to the upper level.
    """
    x, y, z = direction
    dx, d = _offset(street, origin, t * x, t * y)
    low = np.flatnonzero(_within_kerbs(street, d))
    ray = x[low], y[low], z[low]
    t_road = first_meeting(street.climbs, origin, ray, 0.0)
    # Over the crest of a hill a ray may dip below the kerbs' height and never reach the road.
    t_road = np.where(np.isfinite(t_road), t_road, t[low])
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
    side_street = (s < street.crossing_m) & (beyond > walk * 0.4)
    thing = np.where(beyond < walk, Thing.SIDEWALK, street.beyond)
    return np.where((beyond < -1e-4) | side_street, Thing.ROAD, thing)
