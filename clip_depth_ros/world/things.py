# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the world is made of: classes and materials, parts of things, and the table of solids.

A thing (``Placed``) is a prefab at a pose; a prefab is a list of solids (``Part``) in the thing's
own frame; ``assemble`` turns the things of one moment into one table (``Shapes``) to cast rays at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
"""An array of floats; the docstring says shape, unit and, where it matters, precision."""

Ints = NDArray[np.integer[Any]]
"""An array of whole numbers."""

Bools = NDArray[np.bool_]
"""An array of truth values."""

Rgb01 = tuple[float, float, float]
"""A colour as a person would mix it on a screen: gamma-encoded, 0 to 1."""


class Thing(IntEnum):
    """What a pixel shows; the numbers are the class ids of a frame and never change meaning."""

    SKY = 0
    ROAD = 1
    SIDEWALK = 2
    GRASS = 3
    BUILDING = 4
    FENCE = 5
    HEDGE = 6
    TREE = 7
    CAR = 8
    TRUCK = 9
    PEDESTRIAN = 10
    POLE = 11
    SIGN = 12
    BICYCLE = 13
    BUS = 14
    WALL = 15
    BOX = 16
    ANIMAL = 17


# A plain dict, as samples with it are sent to other processes.
CLASS_NAMES: Final[Mapping[int, str]] = {int(thing): thing.name.lower() for thing in Thing}
"""Class id -> name, as in ``class_ids`` of a frame."""


class Solid(IntEnum):
    """The convex solids that rays can meet, each within the unit cube [-1, 1]^3."""

    BOX = 0
    """|x|, |y|, |z| <= 1."""
    TAPER = 1
    """A box whose sides lean inwards: |x| <= 1 - a (z + 1) / 2, |y| <= 1 - b (z + 1) / 2."""
    ELLIPSOID = 2
    """x^2 + y^2 + z^2 <= 1."""
    CYLINDER = 3
    """x^2 + y^2 <= 1, |z| <= 1."""


class Material(IntEnum):
    """How a solid is painted; see :mod:`clip_depth_ros.world.look.paint`."""

    MATTE = 0
    FACADE = 1
    ROOF = 2
    CAR_BODY = 3
    CAR_CABIN = 4
    WHEEL = 5
    LEAVES = 6
    BARK = 7
    HEAD = 8
    SIGN_PLATE = 9
    SIGNAL = 10
    PLANKS = 11


class Tint(IntEnum):
    """Whose colour a part takes: its own, or one of the two of the thing it belongs to."""

    OWN = 0
    PRIMARY = 1
    SECONDARY = 2


class Part(NamedTuple):
    """
    One solid of a thing, in the thing's own frame (x forward, y left, z up, origin on the ground).

    Attributes
    ----------
    solid, thing, material : Solid, Thing, Material
        Form, class and paint.
    centre, half : tuple of 3 floats
        Middle and half extents along the part's own axes, metres.
    colour, tint : Rgb01, Tint
        ``colour`` counts only where ``tint`` is ``OWN``.
    taper : tuple of 2 floats
        How far the sides of a ``TAPER`` lean in at the top, along x and y, in [0, 1].
    shear_m : float
        How far the top is pushed forward along x, and the bottom back.
    axis : 'x', 'y' or 'z'
        Where the part's own z axis (the axis of a cylinder) points.
    pitch_rad : float
        Turn about the y axis, after ``axis``; positive takes z to x.
    visible_m : float
        Beyond this distance from the camera the part is left out of the world.

    """

    solid: Solid
    thing: Thing
    material: Material
    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    colour: Rgb01 = (0.0, 0.0, 0.0)
    tint: Tint = Tint.OWN
    taper: tuple[float, float] = (0.0, 0.0)
    shear_m: float = 0.0
    axis: str = 'z'
    pitch_rad: float = 0.0
    visible_m: float = np.inf


class Placed(NamedTuple):
    """A thing in the world: which, where, how big, in which colours and style."""

    prefab: str
    x: float
    y: float
    z: float
    yaw: float
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    primary: Rgb01 = (0.5, 0.5, 0.5)
    secondary: Rgb01 = (0.3, 0.3, 0.3)
    style: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class PartTable:
    """The parts of all prefabs as columns; ``rows`` says where a prefab's parts are."""

    rows: Mapping[str, tuple[int, int]]
    solid: Ints
    thing: Ints
    material: Ints
    tint: Ints
    colour: Floats
    taper: Floats
    from_unit: Floats
    visible_m: Floats


@dataclass(frozen=True, slots=True)
class Shapes:
    """
    The N solids of one moment, as columns.

    Attributes
    ----------
    solid, thing, material : int (N,)
        Values of the enumerations of these names.
    from_unit, to_unit : float64 (N, 3, 4)
        Affine maps unit frame -> world and back; the solid fills its part of [-1, 1]^3.
    taper : float64 (N, 2)
    half_m : float32 (N, 3)
        Half extents along the solid's own axes, metres.
    colour : float32 (N, 3)
        Linear colours.
    style : float32 (N, 4)
        Free numbers of the thing that the paint reads.
    placed : int (N,)
        Which thing of the moment the solid belongs to.

    """

    solid: Ints
    thing: Ints
    material: Ints
    from_unit: Floats
    to_unit: Floats
    taper: Floats
    half_m: Floats
    colour: Floats
    style: Floats
    placed: Ints

    def __len__(self) -> int:
        """Return the number of solids."""
        return len(self.solid)

    def corners(self) -> Floats:
        """Return the eight corners of each solid's hull in the world, float64 (N, 8, 3)."""
        signs = np.array([(x, y, z) for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], float)
        unit = np.repeat(signs[None], len(self), axis=0)
        unit[:, 4:, :2] *= 1 - self.taper[:, None, :]
        turned: Floats = np.einsum('nij,nkj->nki', self.from_unit[:, :, :3], unit)
        return turned + self.from_unit[:, None, :, 3]

    def chosen(self, which: Bools | Ints) -> Shapes:
        """Return the solids that a mask or a list of rows names."""
        return Shapes(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def part_table(prefabs: Mapping[str, Sequence[Part]]) -> PartTable:
    """Lay the parts of all prefabs out as columns."""
    parts = [part for prefab in prefabs.values() for part in prefab]
    ends = np.cumsum([len(prefab) for prefab in prefabs.values()]).tolist()
    starts = [0, *ends[:-1]]
    rows = {name: (start, end) for name, start, end in zip(prefabs, starts, ends, strict=True)}

    def column(name: str, dtype: Any) -> NDArray[Any]:
        return np.array([getattr(part, name) for part in parts], dtype)

    return PartTable(
        rows=rows,
        solid=column('solid', np.int32),
        thing=column('thing', np.int32),
        material=column('material', np.int32),
        tint=column('tint', np.int32),
        colour=column('colour', np.float64),
        taper=column('taper', np.float64),
        from_unit=np.array([_from_unit(part) for part in parts]),
        visible_m=column('visible_m', np.float64),
    )


def assemble(
    table: PartTable, placed: Sequence[Placed], eye_xy: Floats | None = None
) -> Shapes:
    """
    Take the placed things apart into solids in the world; no things make no solids.

    ``eye_xy``, float64 (2,), is the camera: parts beyond their ``visible_m`` are left out. Without
    it all parts are there.
    """
    spans = [table.rows[thing.prefab] for thing in placed]
    counts = np.array([end - start for start, end in spans], np.int64)
    owner = np.repeat(np.arange(len(placed)), counts)
    row = np.concatenate([np.arange(start, end) for start, end in spans] or [owner])
    pose = np.array([thing[1:5] for thing in placed], np.float64).reshape(-1, 4)
    if eye_xy is not None:
        seen = np.hypot(*(pose[:, :2] - eye_xy).T)[owner] <= table.visible_m[row]
        owner, row = owner[seen], row[seen]
    scale = _column(placed, 'scale', 3)
    from_unit = _posed(table.from_unit[row], pose[owner], scale[owner])
    tints = (_column(placed, name, 3)[owner] for name in ('primary', 'secondary'))
    by_tint = np.stack([table.colour[row], *tints])
    return Shapes(
        solid=table.solid[row],
        thing=table.thing[row],
        material=table.material[row],
        from_unit=from_unit,
        to_unit=_inverse_affine(from_unit),
        taper=table.taper[row],
        half_m=np.sqrt((from_unit[:, :, :3] ** 2).sum(1)).astype(np.float32),
        # A screen's gamma is near 2, so light is the square of what a person mixes.
        colour=(by_tint[table.tint[row], np.arange(len(row))] ** 2).astype(np.float32),
        style=_column(placed, 'style', 4)[owner].astype(np.float32),
        placed=owner,
    )


def _inverse_affine(maps: Floats) -> Floats:
    """Invert affine maps, float64 (N, 3, 4), by cofactors: no LAPACK, the same bits anywhere."""
    x, y, z = maps[:, :, 0], maps[:, :, 1], maps[:, :, 2]
    rows = np.stack([np.cross(y, z), np.cross(z, x), np.cross(x, y)], axis=1)
    linear = rows / (x * rows[:, 0]).sum(1)[:, None, None]
    shift = -np.einsum('nij,nj->ni', linear, maps[:, :, 3])
    return np.concatenate([linear, shift[:, :, None]], axis=2)


def _column(placed: Sequence[Placed], name: str, width: int) -> Floats:
    return np.array([getattr(thing, name) for thing in placed], np.float64).reshape(-1, width)


def _from_unit(part: Part) -> Floats:
    """Return the map of one part from its unit cube into the thing's frame, (3, 4)."""
    axes = {
        'x': [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
        'y': [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
        'z': [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    }
    stretch = np.diag(part.half).astype(float)
    stretch[0, 2] = part.shear_m
    c, s = np.cos(part.pitch_rad), np.sin(part.pitch_rad)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    linear = np.einsum('ij,jk,kl->il', turn, np.array(axes[part.axis], float), stretch)
    return np.concatenate([linear, np.array(part.centre)[:, None]], axis=1)


def _posed(from_unit: Floats, pose: Floats, scale: Floats) -> Floats:
    """Scale the parts' maps (N, 3, 4), turn them by yaw and move them to (x, y, z)."""
    scaled = from_unit * scale[:, :, None]
    c, s = np.cos(pose[:, 3])[:, None], np.sin(pose[:, 3])[:, None]
    x = c * scaled[:, 0] - s * scaled[:, 1]
    y = s * scaled[:, 0] + c * scaled[:, 1]
    posed = np.stack([x, y, scaled[:, 2]], axis=1)
    posed[:, :, 3] += pose[:, :3]
    return posed
