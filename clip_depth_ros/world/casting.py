# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Exact ray casting: which surface every ray of a grid meets first, what it is like there, shadows.

A ray o + t d is taken into a solid's unit frame by the solid's affine map; t stays what it was.
Each solid is tried only against the rays of its window. All (solid, ray) pairs of some 30,000
are worked on at once, near solids first, so that pairs that lie behind are dropped early.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from clip_depth_ros.world.rays import in_box, inside, NEAR_M, RayGrid
from clip_depth_ros.world.things import Bools, Floats, Ints, Shapes, Solid
import numpy as np

NOTHING = -1
"""Row number of rays that meet no solid."""

_PAIRS_AT_ONCE = 30_000  # their arrays fit the processor's second-level cache


class Hits(NamedTuple):
    """
    The nearest surface of each ray of a grid.

    Attributes
    ----------
    t : float32 (H, W)
        Ray parameter of the surface, +Inf where there is none.
    shape : int64 (H, W)
        Row of the solid, ``NOTHING`` where the ground or nothing is nearest.

    """

    t: Floats
    shape: Ints


def nearest_hits(rays: RayGrid, shapes: Shapes, ground_t: Floats) -> Hits:
    """
    Find the nearest surface along every ray of H x W.

    ``ground_t``, float32 (H, W), is where they meet the ground: +Inf where they do not.
    """
    t = ground_t.astype(np.float32).ravel()
    shape = np.full(t.shape, NOTHING)
    trial = _trial(rays, shapes, *rays.windows(shapes.corners()))
    for pairs in _pairs(trial, ground_t.shape[1]):
        pairs = pairs.chosen(trial.nearest[pairs.shape] < t[pairs.ray])
        o, d = trial.rays_of(pairs)
        enter, leave = inside(*trial.solids_of(pairs), o, d)
        met = np.flatnonzero((enter <= leave) & (enter > NEAR_M))
        enter, ray = enter[met], pairs.ray[met]
        np.minimum.at(t, ray, enter)
        first = enter == t[ray]
        shape[ray[first]] = trial.row[pairs.shape[met[first]]]
    return Hits(t.reshape(ground_t.shape), shape.reshape(ground_t.shape))


def ground_shadow(
    rays: RayGrid,
    ground_t: Floats,
    shapes: Shapes,
    to_light: Floats,
    levels_m: tuple[Floats | float, Floats | float],
) -> Bools:
    """
    Return which ground points the light does not reach, bool (H, W).

    The rays meet the ground at ``ground_t``, float32 (H, W), +Inf where they do not. Where the
    shadow of a body falls, the ground lies between ``levels_m``, for each or for all.
    ``to_light``, float64 (3,), is a direction in the world, z > 0.
    """
    t = ground_t.ravel()
    open_to_light = np.isfinite(t)
    hull = _shadow_hull(shapes.corners(), to_light, levels_m)
    trial = _trial(rays, shapes, *rays.windows(hull))
    towards = _along(shapes.chosen(trial.row), to_light[:, None])[:, :, 0]
    for pairs in _pairs(trial, ground_t.shape[1]):
        pairs = pairs.chosen(open_to_light[pairs.ray])
        o, d = trial.rays_of(pairs)
        points, to_sun = o + t[pairs.ray] * d, towards.take(pairs.shape, axis=1)
        enter, leave = inside(*trial.solids_of(pairs), points, to_sun)
        open_to_light[pairs.ray[(enter <= leave) & (leave > 0)]] = False
    dark: Bools = ~open_to_light & np.isfinite(t)
    return dark.reshape(ground_t.shape)


def points_in_shadow(points: Floats, boxes: Shapes, to_light: Floats) -> Bools:
    """Return which points, float64 (M, 3), some box hides from the light, bool (M,)."""
    unit = np.einsum('nij,mj->inm', boxes.to_unit[:, :, :3], points)
    unit = (unit + boxes.to_unit[:, :, 3].T[:, :, None]).astype(np.float32)
    enter, leave = in_box(unit, _along(boxes, to_light[:, None]))
    return np.asarray(((enter <= leave) & (leave > 0)).any(0))


class _Pairs(NamedTuple):
    """Some (solid, ray) pairs: rows of the trial, and rays by number, row and column."""

    shape: Ints
    ray: Ints
    row: Ints
    column: Ints

    def chosen(self, which: Bools) -> _Pairs:
        """Return the pairs that a mask names."""
        kept = np.flatnonzero(which)
        return _Pairs(*(values[kept] for values in self))


class _Trial(NamedTuple):
    """The solids that some ray can meet, near to far, with the rays in their unit frames."""

    row: Ints
    solid: Ints
    taper: Floats
    window: Ints
    nearest: Floats
    origin: Floats
    columns: Floats
    rows: Floats

    def solids_of(self, pairs: _Pairs) -> tuple[Ints, Floats]:
        """Return kinds (M,) and tapers (2, M) of the pairs' solids."""
        return self.solid[pairs.shape], self.taper.take(pairs.shape, axis=1)

    def rays_of(self, pairs: _Pairs) -> tuple[Floats, Floats]:
        """Return origins and directions of the pairs' rays, float32 (3, M) each."""
        width, height = self.columns.shape[2], self.rows.shape[2]
        d = self.columns.reshape(3, -1).take(pairs.shape * width + pairs.column, axis=1)
        d += self.rows.reshape(3, -1).take(pairs.shape * height + pairs.row, axis=1)
        return self.origin.take(pairs.shape, axis=1), d


def _trial(rays: RayGrid, shapes: Shapes, windows: Ints, nearest: Floats) -> _Trial:
    """Order the solids that rays can meet from near to far, and take the rays to them."""
    sides = np.maximum(windows[:, 1::2] - windows[:, ::2], 0)
    order = np.argsort(nearest, kind='stable')
    row = order[sides.min(1)[order] > 0]
    tried = shapes.chosen(row)
    origin = np.einsum('nij,j->in', tried.to_unit[:, :, :3], rays.origin_m)
    return _Trial(
        row=row,
        solid=tried.solid,
        taper=tried.taper.T.astype(np.float32),
        window=windows[row],
        nearest=nearest[row].astype(np.float32),
        origin=(origin + tried.to_unit[:, :, 3].T).astype(np.float32),
        columns=_along(tried, rays.columns),
        rows=_along(tried, rays.rows),
    )


def _pairs(trial: _Trial, n_columns: int) -> Iterator[_Pairs]:
    """Yield all pairs in portions, solids of one kind side by side in each."""
    r0, r1, c0, c1 = trial.window.T
    portion = np.cumsum((r1 - r0) * (c1 - c0)) // _PAIRS_AT_ONCE
    for shapes in np.split(np.arange(len(portion)), np.flatnonzero(np.diff(portion)) + 1):
        shapes = shapes[np.argsort(trial.solid[shapes], kind='stable')]
        line_shape, row = _ranges(shapes, r0[shapes], r1[shapes])
        line, column = _ranges(np.arange(len(row)), c0[line_shape], c1[line_shape])
        row = row[line]
        yield _Pairs(line_shape[line], row * n_columns + column, row, column)


def _ranges(labels: Ints, begin: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Lay ranges [begin, end) end to end; return each number's label, and the numbers."""
    counts = end - begin
    first = np.cumsum(counts) - counts
    return np.repeat(labels, counts), np.arange(counts.sum()) + np.repeat(begin - first, counts)


def _along(shapes: Shapes, directions: Floats) -> Floats:
    """Take world directions (3, K) into each solid's frame, float32 (3, N, K)."""
    maps = np.ascontiguousarray(shapes.to_unit[:, :, :3].transpose(1, 0, 2), np.float32)
    maps = maps[:, :, :, None]
    x, y, z = directions.astype(np.float32)
    turned: Floats = maps[:, :, 0] * x
    turned += maps[:, :, 1] * y
    turned += maps[:, :, 2] * z
    return turned


def _shadow_hull(
    corners: Floats, to_light: Floats, levels_m: tuple[Floats | float, Floats | float]
) -> Floats:
    """Return the 16 corners of each body's shadow between two heights."""
    fall = to_light / to_light[2]
    z, parts = corners[:, :, 2:], []
    for level in levels_m:
        parts.append(corners - np.maximum(z - np.reshape(level, (-1, 1, 1)), 0) * fall)
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True, slots=True)
class Surface:
    """
    M points on solids, as columns.

    Attributes
    ----------
    shapes : Shapes
        The table that ``row`` points into.
    row : int (M,)
        Solid of each point.
    unit : float32 (3, M)
        The point in the solid's unit frame.
    face : int (M,)
        0 to 5 for +x, -x, +y, -y, +z, -z; of round bodies only 4 and 5 (caps) mean much.
    normal : float32 (3, M)
        Outward unit normal, world.
    footprint_m : float32 (M,)
        Width of a pixel at the point, metres.

    """

    shapes: Shapes
    row: Ints
    unit: Floats
    face: Ints
    normal: Floats
    footprint_m: Floats

    def at(self, which: Ints) -> Surface:
        """Return some of the points."""
        columns: Any = (self.row, self.unit, self.face, self.normal, self.footprint_m)
        return Surface(self.shapes, *(column[..., which] for column in columns))

    @property
    def colour(self) -> Floats:
        """Linear colours of the points' solids, float32 (M, 3)."""
        return self.shapes.colour[self.row]

    @property
    def half_m(self) -> Floats:
        """Half extents of the points' solids, float32 (M, 3)."""
        return self.shapes.half_m[self.row]

    @property
    def style(self) -> Floats:
        """Free numbers of the points' things, float32 (M, 4)."""
        return self.shapes.style[self.row]

    def metres(self) -> Floats:
        """Return the points in metres along the solid's axes from its middle, float32 (3, M)."""
        points: Floats = self.unit * self.half_m.T
        return points

    def straightened(self) -> tuple[Floats, Floats]:
        """Return x and y of the unit frame with a taper undone, so that sides lie at -1 and 1."""
        lift = (self.unit[2] + 1) / 2
        a, b = self.shapes.taper[self.row].astype(np.float32).T
        return (
            self.unit[0] / np.maximum(1 - a * lift, 0.05),
            self.unit[1] / np.maximum(1 - b * lift, 0.05),
        )


def surface_at(
    shapes: Shapes, row: Ints, origin_m: Floats, reach: Floats, footprint_m: Floats
) -> Surface:
    """
    Describe the points at which rays meet the solids ``row``, int (M,).

    The rays start at ``origin_m``, float64 (3,), and reach the points after ``reach``, float32
    (3, M), both world, metres. ``footprint_m``, float32 (M,), is the width of a pixel there.
    """
    start = np.einsum('nij,j->ni', shapes.to_unit[:, :, :3], origin_m) + shapes.to_unit[:, :, 3]
    maps = np.concatenate([shapes.to_unit[:, :, :3], start[:, :, None]], axis=2)
    columns = np.ascontiguousarray(maps.astype(np.float32).transpose(1, 2, 0))
    maps = columns.take(row, axis=2)  # (3, 4, M)
    x, y, z = reach
    unit = maps[:, 0] * x + maps[:, 1] * y + maps[:, 2] * z + maps[:, 3]
    solid = shapes.solid[row]
    slopes = shapes.taper[row].astype(np.float32).T / 2
    face = _faces(unit, slopes, solid)
    gradient = _gradient(unit, slopes, solid, face)
    normal = maps[0, :3] * gradient[0] + maps[1, :3] * gradient[1] + maps[2, :3] * gradient[2]
    normal = normal / np.sqrt((normal * normal).sum(0))
    return Surface(shapes, row, unit, face, normal, footprint_m)


def _faces(unit: Floats, slopes: Floats, solid: Ints) -> Ints:
    """Return the face whose plane each point is nearest to."""
    lift = unit[2] + 1
    x, y = np.abs(unit[0]) + slopes[0] * lift, np.abs(unit[1]) + slopes[1] * lift
    z = np.abs(unit[2])
    rim = np.sqrt(unit[0] * unit[0] + unit[1] * unit[1])
    x = np.where(solid == Solid.CYLINDER, rim, x)
    axis = np.where((z >= x) & (z >= y), 2, np.where(x >= y, 0, 1))
    below = np.where(axis == 0, unit[0], np.where(axis == 1, unit[1], unit[2])) < 0
    face: Ints = axis * 2 + below
    return face


def _gradient(unit: Floats, slopes: Floats, solid: Ints, face: Ints) -> Floats:
    """Return the outward normals in the unit frame, of any length, float32 (3, M)."""
    axis, sign = face // 2, 1 - 2 * (face % 2).astype(np.float32)
    flat = np.stack([sign * (axis == 0), sign * (axis == 1), sign * (axis == 2)])
    flat[2] += slopes[0] * (axis == 0) + slopes[1] * (axis == 1)
    round_side = np.stack([unit[0], unit[1], unit[2] * (solid == Solid.ELLIPSOID)])
    is_flat = (solid <= Solid.TAPER) | ((solid == Solid.CYLINDER) & (axis == 2))
    gradient: Floats = np.where(is_flat, flat, round_side)
    return gradient
