# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the painter and the LiDAR need to know about points on solids: place, normal, face."""

from __future__ import annotations

from dataclasses import dataclass

from clip_depth_ros.world.shapes import Shapes
from clip_depth_ros.world.things import Floats, Ints, Solid
import numpy as np


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
        """Give some of the points."""
        return Surface(
            self.shapes,
            self.row[which],
            self.unit[:, which],
            self.face[which],
            self.normal[:, which],
            self.footprint_m[which],
        )

    def metres(self) -> Floats:
        """Give the points in metres along the solid's axes from its middle, float32 (3, M)."""
        points: Floats = self.unit * self.shapes.half_m[self.row].T
        return points

    def straightened(self) -> tuple[Floats, Floats]:
        """Give x and y of the unit frame with a taper undone, so that sides lie at -1 and 1."""
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
    Describe the points at which rays meet solids.

    Parameters
    ----------
    shapes : Shapes
        The solids.
    row : int (M,)
        Which solid each ray meets.
    origin_m : float64 (3,)
        Where the rays start, world.
    reach : float32 (3, M)
        From there to the points, world, metres.
    footprint_m : float32 (M,)
        Width of a pixel at each point.

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
    """Give the face whose plane each point is nearest to."""
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
    """Give the outward normals in the unit frame, of any length, float32 (3, M)."""
    axis, sign = face // 2, 1 - 2 * (face % 2).astype(np.float32)
    flat = np.stack([sign * (axis == 0), sign * (axis == 1), sign * (axis == 2)])
    flat[2] += slopes[0] * (axis == 0) + slopes[1] * (axis == 1)
    round_side = np.stack([unit[0], unit[1], unit[2] * (solid == Solid.ELLIPSOID)])
    is_flat = (solid <= Solid.TAPER) | ((solid == Solid.CYLINDER) & (axis == 2))
    gradient: Floats = np.where(is_flat, flat, round_side)
    return gradient
