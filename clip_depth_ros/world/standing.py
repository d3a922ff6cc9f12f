# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Prefabs of what stands still: trees, buildings, walls, and what is found on sidewalks.

Everything stands on the ground at its own origin and faces x. Buildings, walls and plain boxes are
built to unit size and scaled when placed; the rest is life-size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product

from clip_depth_ros.world.things import Material, Part, Rgb01, Solid, Thing, Tint
import numpy as np

N_GROWN = 6
"""Trees and bushes grown by chance, ``tree_0`` to ``tree_5`` and so on."""

_BLACK: Rgb01 = (0.08, 0.08, 0.09)
_METAL: Rgb01 = (0.42, 0.44, 0.46)
_LAMP: Rgb01 = (0.85, 0.85, 0.8)
_GLASS: Rgb01 = (0.30, 0.36, 0.40)
_WOOD: Rgb01 = (0.46, 0.34, 0.24)

_BOX, _TAPER, _BALL, _ROUND = Solid.BOX, Solid.TAPER, Solid.ELLIPSOID, Solid.CYLINDER
_UNIT = (0.5, 0.5, 0.5)


def standing() -> Mapping[str, Sequence[Part]]:
    """Return all prefabs of what stands still, by name."""
    return {**_trees(), **_grown(), **_buildings(), **_solids(), **_furniture(), **_on_poles()}


def _trees() -> Mapping[str, Sequence[Part]]:
    """Build trees of 5 to 7 m with their crowns above head height, and a bush of 1 m."""
    crown = partial(Part, _BALL, Thing.TREE, Material.LEAVES, tint=Tint.PRIMARY)
    tier = partial(Part, _TAPER, Thing.TREE, Material.LEAVES, tint=Tint.PRIMARY)
    return {
        'round_tree': [
            _trunk(0.15, 3.0),
            crown((0, 0, 4.3), (1.55, 1.6, 1.35)),
            crown((0.8, 0.5, 3.7), (1.1, 1.0, 0.9)),
            crown((-0.7, -0.7, 3.8), (1.15, 1.1, 0.95)),
            crown((-0.4, 0.8, 4.7), (1.0, 0.95, 0.9)),
        ],
        'wide_tree': [
            _trunk(0.2, 3.2),
            crown((0.9, -0.3, 4.2), (1.5, 1.5, 1.0)),
            crown((-0.9, 0.6, 4.3), (1.6, 1.4, 1.1)),
            crown((0.1, 0.2, 5.2), (1.5, 1.5, 1.0)),
            crown((-0.2, -1.1, 4.6), (1.2, 1.1, 0.9)),
        ],
        'tall_tree': [
            _trunk(0.14, 2.6),
            crown((0, 0, 5.0), (0.95, 0.95, 2.8)),
            crown((0.2, 0.1, 3.6), (1.1, 1.1, 1.4)),
        ],
        'conifer': [
            _trunk(0.14, 1.6),
            tier((0, 0, 2.2), (1.5, 1.5, 1.0), taper=(0.62, 0.62)),
            tier((0, 0, 3.6), (1.15, 1.15, 1.0), taper=(0.68, 0.68)),
            tier((0, 0, 5.1), (0.8, 0.8, 1.1), taper=(0.95, 0.95)),
        ],
        'bush': [
            crown((0, 0, 0.42), (0.6, 0.6, 0.55)),
            crown((0.35, 0.3, 0.35), (0.45, 0.4, 0.4)),
        ],
    }


def _grown() -> Mapping[str, Sequence[Part]]:
    """Grow trees with branches and gaps in their crowns, bare trees, and ragged bushes."""
    rng = np.random.default_rng(2027)
    grown: dict[str, Sequence[Part]] = {}
    for i in range(N_GROWN):
        grown[f'tree_{i}'] = _crowned(rng, n_lumps=5 + i % 3)
        grown[f'bare_{i}'] = _boughs(rng, float(rng.uniform(2.0, 3.2)), n_boughs=6)
        grown[f'thicket_{i}'] = _lumps(rng, 4, (0.9, 0.9, 0.55), (0.35, 0.75), 0.6)
    return grown


def _crowned(rng: np.random.Generator, n_lumps: int) -> list[Part]:
    """Grow a tree: far away only the three large lumps of its crown are left."""
    fork, spread = float(rng.uniform(1.8, 3.0)), float(rng.uniform(1.0, 1.8))
    middle = fork + float(rng.uniform(1.2, 2.4))
    large = _lumps(rng, 3, (spread * 0.6, spread * 0.6, 0.7), (0.9, 1.3), middle)
    small = _lumps(rng, n_lumps, (spread * 1.3, spread * 1.3, 1.6), (0.4, 0.8), middle)
    return [*_boughs(rng, fork, 2), *large, *(lump._replace(visible_m=38) for lump in small)]


def _lumps(
    rng: np.random.Generator, n: int, spread: tuple[float, float, float],
    radius: tuple[float, float], middle: float,
) -> list[Part]:
    lump = partial(Part, _BALL, Thing.TREE, Material.LEAVES, tint=Tint.PRIMARY)
    parts = []
    for _ in range(n):
        x, y, z = (rng.uniform(-1, 1, 3) * spread).tolist()
        a, b, c = (rng.uniform(*radius, 3) * (1, 1, 0.85)).tolist()
        parts.append(lump((x, y, max(middle + z, c * 0.8)), (a, b, c)))
    return parts


def _boughs(rng: np.random.Generator, fork: float, n_boughs: int) -> list[Part]:
    """Grow a trunk up to its fork, and boughs that lean forward and back along x."""
    bough = partial(Part, _ROUND, Thing.TREE, Material.BARK, tint=Tint.SECONDARY, visible_m=45)
    parts = [_trunk(float(rng.uniform(0.1, 0.24)), fork)]
    for _ in range(n_boughs):
        lean, half = float(rng.uniform(-0.9, 0.9)), float(rng.uniform(0.7, 1.4))
        top = fork * float(rng.uniform(0.75, 1.0))
        centre = (float(np.sin(lean)) * half, float(rng.uniform(-0.25, 0.25)),
                  top + float(np.cos(lean)) * half)
        radius = float(rng.uniform(0.04, 0.09))
        parts.append(bough(centre, (radius, radius, half), pitch_rad=lean))
    return parts


def _trunk(radius: float, height: float) -> Part:
    trunk = partial(Part, _ROUND, Thing.TREE, Material.BARK, tint=Tint.SECONDARY)
    return trunk((0, 0, height / 2), (radius, radius, height / 2))


def _buildings() -> Mapping[str, Sequence[Part]]:
    """Build houses, fences and hedges of unit length (x), depth (y) and height (z)."""
    wall = partial(Part, _BOX, Thing.BUILDING, Material.FACADE, tint=Tint.PRIMARY)
    ledge = partial(Part, _BOX, Thing.BUILDING, Material.MATTE, tint=Tint.SECONDARY)
    roof = partial(Part, _TAPER, Thing.BUILDING, Material.ROOF, tint=Tint.SECONDARY)
    fence = partial(Part, _BOX, Thing.FENCE, Material.PLANKS, tint=Tint.PRIMARY)
    hedge = partial(Part, _BOX, Thing.HEDGE, Material.LEAVES, tint=Tint.PRIMARY)
    board = partial(Part, _BOX, Thing.BUILDING, Material.PLANKS, tint=Tint.PRIMARY)
    return {
        'block': [wall((0, 0, 0.48), (0.5, 0.5, 0.48)), ledge((0, 0, 0.975), (0.5, 0.52, 0.025))],
        'stepped_block': [
            wall((0, 0, 0.40), (0.5, 0.5, 0.40)),
            wall((0, 0, 0.89), (0.36, 0.34, 0.11)),
        ],
        'gabled_house': [
            wall((0, 0, 0.31), (0.5, 0.5, 0.31)),
            roof((0, 0, 0.81), (0.54, 0.58, 0.19), taper=(0, 1)),
        ],
        'hipped_house': [
            wall((0, 0, 0.33), (0.5, 0.5, 0.33)),
            roof((0, 0, 0.81), (0.55, 0.57, 0.15), taper=(0.5, 1)),
        ],
        'corner_block': [
            wall((-0.15, 0, 0.5), (0.35, 0.5, 0.5)),
            wall((0.35, 0.12, 0.3), (0.15, 0.38, 0.3)),
        ],
        'bay_house': [
            wall((0, 0, 0.36), (0.5, 0.5, 0.36)),
            wall((0.1, 0, 0.42), (0.14, 0.58, 0.16)),
            roof((0, 0, 0.86), (0.52, 0.54, 0.14), taper=(0.25, 0.8)),
        ],
        'mansard': [
            wall((0, 0, 0.38), (0.5, 0.5, 0.38)),
            roof((0, 0, 0.88), (0.5, 0.5, 0.12), taper=(0.12, 0.4)),
        ],
        'tower': [wall((0, 0, 0.5), (0.5, 0.5, 0.5)), ledge((0, 0, 0.07), (0.55, 0.55, 0.07))],
        'hall': [
            board((0, 0, 0.42), (0.5, 0.5, 0.42)),
            roof((0, 0, 0.92), (0.5, 0.5, 0.08), taper=(0, 0.9)),
        ],
        'shed': [
            board((0, 0, 0.45), (0.5, 0.5, 0.45)),
            ledge((0, 0, 0.95), (0.56, 0.58, 0.05)),
        ],
        'silo': [
            Part(_ROUND, Thing.BUILDING, Material.MATTE, (0, 0, 0.5), _UNIT, tint=Tint.PRIMARY),
        ],
        'chimney': [ledge((0, 0, 0.5), (0.5, 0.5, 0.5), tint=Tint.PRIMARY)],
        'balcony': [
            ledge((0, 0, 0.06), (0.5, 0.5, 0.06)),
            ledge((0, 0, 0.5), (0.48, 0.48, 0.5), tint=Tint.PRIMARY),
        ],
        'fence': [fence((0, 0, 0.5), (0.5, 0.5, 0.5))],
        'hedge': [hedge((0, 0, 0.5), (0.5, 0.5, 0.5))],
        'ragged_hedge': [
            hedge((0, 0, 0.42), (0.5, 0.4, 0.42)),
            *(
                Part(_BALL, Thing.HEDGE, Material.LEAVES, (x, 0, 0.75), (0.17, 0.55, 0.25),
                     tint=Tint.PRIMARY)
                for x in (-0.36, -0.1, 0.14, 0.37)
            ),
        ],
    }


def _solids() -> Mapping[str, Sequence[Part]]:
    """Build plain bodies of unit size: to scale, to colour and to put anywhere."""
    box = partial(Part, _BOX, Thing.BOX, Material.MATTE, (0, 0, 0.5), _UNIT, tint=Tint.PRIMARY)
    cone = partial(Part, _TAPER, Thing.BOX, Material.MATTE, (0, 0, 0.5), _UNIT, tint=Tint.PRIMARY)
    wall = box()._replace(thing=Thing.WALL)
    return {
        'a_box': [box()],
        'a_crate': [box()._replace(material=Material.PLANKS)],
        'a_ball': [box()._replace(solid=_BALL)],
        'a_tube': [box()._replace(solid=_ROUND)],
        'a_roll': [box()._replace(solid=_ROUND, axis='y')],
        'a_cone': [cone(taper=(0.8, 0.8))],
        'a_wedge': [cone(taper=(0.9, 0.0), shear_m=0.2)],
        'a_stone': [box()._replace(solid=_BALL), cone(taper=(0.4, 0.3))],
        'wall': [wall],
        'brick_wall': [wall._replace(material=Material.FACADE)],
        'panel_wall': [wall._replace(material=Material.PLANKS)],
        'pillar': [wall._replace(solid=_ROUND)],
        'wire': [Part(_ROUND, Thing.POLE, Material.MATTE, (0, 0, 0), _UNIT, axis='x')],
        'beam': [Part(_ROUND, Thing.POLE, Material.MATTE, (0, 0, 0.5), _UNIT, colour=_METAL)],
        'plank': [Part(_BOX, Thing.POLE, Material.PLANKS, colour=_WOOD, centre=(0, 0, 0.5),
                       half=_UNIT)],
        'plate': [wall._replace(thing=Thing.SIGN, material=Material.SIGN_PLATE)],
        'track': [wall._replace(thing=Thing.ROAD)],
        'lawn': [wall._replace(thing=Thing.GRASS, material=Material.LEAVES)],
        'kerb': [wall._replace(thing=Thing.SIDEWALK)],
        'container': [
            box()._replace(material=Material.PLANKS, half=(3.03, 1.22, 1.3), centre=(0, 0, 1.3)),
        ],
        'guard_rail': [
            Part(_BOX, Thing.WALL, Material.MATTE, (0, 0, 0.6), (2.05, 0.05, 0.16), colour=_METAL),
            Part(_BOX, Thing.WALL, Material.MATTE, (0, 0, 0.3), (0.05, 0.06, 0.3), colour=_METAL,
                 visible_m=40),
        ],
        'concrete_rail': [
            Part(_TAPER, Thing.WALL, Material.MATTE, (0, 0, 0.42), (2.05, 0.3, 0.42),
                 tint=Tint.PRIMARY, taper=(0, 0.6)),
        ],
        'wire_fence': [
            *(Part(_ROUND, Thing.FENCE, Material.MATTE, (x, 0, 0.7), (0.035, 0.035, 0.7),
                   tint=Tint.PRIMARY, visible_m=50) for x in (-1.5, 0.0, 1.5)),
            *(Part(_BOX, Thing.FENCE, Material.MATTE, (0, 0, z), (1.5, 0.02, 0.03),
                   tint=Tint.PRIMARY) for z in (0.6, 1.2)),
        ],
    }


def _furniture() -> Mapping[str, Sequence[Part]]:
    """Build what stands about on sidewalks."""
    box = partial(Part, _BOX, Thing.BOX, Material.MATTE)
    plank = partial(Part, _BOX, Thing.BOX, Material.PLANKS)
    tube = partial(Part, _ROUND, Thing.BOX, Material.MATTE)
    leaf = partial(Part, _BALL, Thing.TREE, Material.LEAVES, colour=(0.30, 0.46, 0.20))
    pole = partial(Part, _ROUND, Thing.POLE, Material.MATTE, colour=_METAL)
    return {
        'bin': [
            tube((0, 0, 0.5), (0.24, 0.24, 0.5), tint=Tint.PRIMARY),
            tube((0, 0, 1.02), (0.26, 0.26, 0.04), colour=_BLACK),
        ],
        'wheelie_bin': [
            box((0, 0, 0.5), (0.34, 0.28, 0.5), tint=Tint.PRIMARY),
            box((0, 0, 1.04), (0.38, 0.31, 0.05), tint=Tint.SECONDARY),
        ],
        'bench': [
            plank((0, 0, 0.45), (0.25, 0.85, 0.035), colour=_WOOD),
            plank((-0.24, 0, 0.72), (0.03, 0.85, 0.2), colour=_WOOD),
            box((0, 0.7, 0.22), (0.22, 0.04, 0.22), colour=_BLACK),
            box((0, -0.7, 0.22), (0.22, 0.04, 0.22), colour=_BLACK),
        ],
        'planter': [
            box((0, 0, 0.28), (0.45, 0.45, 0.28), tint=Tint.SECONDARY),
            leaf((0, 0, 0.85), (0.5, 0.45, 0.45)),
            leaf((0.15, 0.1, 1.15), (0.3, 0.32, 0.3)),
        ],
        'letter_box': [
            box((0, 0, 0.95), (0.25, 0.3, 0.35), tint=Tint.PRIMARY),
            pole((0, 0, 0.3), (0.06, 0.06, 0.3)),
        ],
        'meter': [
            pole((0, 0, 0.55), (0.045, 0.045, 0.55)),
            box((0, 0, 1.25), (0.1, 0.13, 0.22), tint=Tint.PRIMARY),
        ],
        'cabinet': [box((0, 0, 0.6), (0.2, 0.55, 0.6), tint=Tint.SECONDARY)],
        'ad_column': [
            tube((0, 0, 1.4), (0.65, 0.65, 1.4), tint=Tint.PRIMARY),
            tube((0, 0, 2.9), (0.75, 0.75, 0.12), tint=Tint.SECONDARY),
        ],
        'bus_stop': [
            box((0, 0, 2.4), (0.8, 1.9, 0.06), tint=Tint.SECONDARY),
            box((-0.7, 0, 1.2), (0.03, 1.8, 1.1), colour=_GLASS),
            box((0, 1.85, 1.2), (0.65, 0.04, 1.1), tint=Tint.PRIMARY),
            plank((-0.35, 0, 0.5), (0.2, 1.2, 0.04), colour=_WOOD),
            pole((0.7, -1.8, 1.2), (0.05, 0.05, 1.2)),
        ],
        'stand': [
            plank((0, 0, 0.45), (0.6, 1.0, 0.45), tint=Tint.SECONDARY),
            Part(_TAPER, Thing.BOX, Material.MATTE, (0, 0, 2.3), (0.9, 1.2, 0.2),
                 tint=Tint.PRIMARY, taper=(0.5, 0.1)),
            pole((0.7, 1.0, 1.1), (0.03, 0.03, 1.1)),
            pole((0.7, -1.0, 1.1), (0.03, 0.03, 1.1)),
        ],
        'parasol': [
            pole((0, 0, 1.1), (0.03, 0.03, 1.1)),
            Part(_TAPER, Thing.BOX, Material.MATTE, (0, 0, 2.35), (1.3, 1.3, 0.25),
                 tint=Tint.PRIMARY, taper=(0.9, 0.9)),
            tube((0, 0, 0.72), (0.4, 0.4, 0.03), colour=_LAMP),
            box((0.7, 0, 0.4), (0.22, 0.22, 0.4), tint=Tint.SECONDARY),
            box((-0.7, 0.1, 0.4), (0.22, 0.22, 0.4), tint=Tint.SECONDARY),
        ],
        'a_board': [box((0, 0, 0.5), (0.22, 0.33, 0.5), tint=Tint.PRIMARY)],
        'hydrant': [tube((0, 0, 0.4), (0.13, 0.13, 0.4), colour=(0.75, 0.12, 0.10))],
        'traffic_cone': [
            Part(_TAPER, Thing.BOX, Material.MATTE, (0, 0, 0.36), (0.17, 0.17, 0.36),
                 colour=(0.95, 0.35, 0.08), taper=(0.85, 0.85)),
            box((0, 0, 0.02), (0.22, 0.22, 0.02), colour=_BLACK),
        ],
        'barrier': [
            plank((0, 0, 0.85), (0.03, 1.0, 0.16), tint=Tint.PRIMARY),
            plank((0, 0, 0.4), (0.03, 1.0, 0.08), tint=Tint.PRIMARY),
            box((0, 0.85, 0.45), (0.2, 0.04, 0.45), colour=_LAMP),
            box((0, -0.85, 0.45), (0.2, 0.04, 0.45), colour=_LAMP),
        ],
        'awning': [
            Part(_BOX, Thing.BUILDING, Material.PLANKS, (0, 0, 0), (0.65, 1.6, 0.05),
                 tint=Tint.PRIMARY, pitch_rad=0.35),
        ],
        'stairs': [
            Part(_BOX, Thing.BUILDING, Material.MATTE, (-0.3 * i, 0, 0.09 * (i + 1)),
                 (0.6, 0.9, 0.09 * (i + 1)), tint=Tint.SECONDARY)
            for i in range(3)
        ],
    }


def _on_poles() -> Mapping[str, Sequence[Part]]:
    """Build lamps, signs and traffic lights."""
    pole = partial(Part, _ROUND, Thing.POLE, Material.MATTE, colour=_METAL)
    box = partial(Part, _BOX, Thing.POLE, Material.MATTE)
    disc = partial(Part, _ROUND, Thing.SIGN, Material.SIGN_PLATE, tint=Tint.PRIMARY, axis='x')
    board = partial(Part, _BOX, Thing.SIGN, Material.SIGN_PLATE, tint=Tint.PRIMARY)
    light = partial(Part, _BOX, Thing.SIGN, Material.SIGNAL, colour=_BLACK)
    return {
        'lamp_post': [
            pole((0, 0, 3.2), (0.085, 0.085, 3.2)),
            box((0, -0.9, 6.4), (0.05, 0.9, 0.05), colour=_METAL),
            box((0, -1.7, 6.33), (0.12, 0.3, 0.06), colour=_LAMP),
        ],
        'lantern': [
            pole((0, 0, 1.6), (0.06, 0.06, 1.6)),
            Part(_BALL, Thing.POLE, Material.MATTE, (0, 0, 3.45), (0.25, 0.25, 0.28),
                 colour=_LAMP),
        ],
        'double_lamp': [
            pole((0, 0, 4.2), (0.11, 0.11, 4.2)),
            box((0, 0, 8.4), (0.06, 2.2, 0.06), colour=_METAL),
            *(box((0, y, 8.3), (0.14, 0.4, 0.07), colour=_LAMP) for y in (-2.0, 2.0)),
        ],
        'mast': [pole((0, 0, 4.0), (0.13, 0.13, 4.0), tint=Tint.SECONDARY)],
        'wood_mast': [
            Part(_ROUND, Thing.POLE, Material.BARK, (0, 0, 3.8), (0.14, 0.14, 3.8), colour=_WOOD),
            Part(_BOX, Thing.POLE, Material.MATTE, (0, 0, 7.2), (0.06, 0.9, 0.06), colour=_WOOD),
        ],
        'round_sign': [
            pole((0, 0, 1.25), (0.04, 0.04, 1.25)),
            disc((-0.06, 0, 2.25), (0.34, 0.34, 0.02)),
        ],
        'board_sign': [
            pole((0, 0, 1.3), (0.05, 0.05, 1.3)),
            board((-0.07, 0, 2.3), (0.02, 0.45, 0.32)),
        ],
        'big_sign': [
            *(pole((0, y, 1.8), (0.06, 0.06, 1.8)) for y in (-0.9, 0.9)),
            board((-0.08, 0, 2.8), (0.03, 1.5, 0.9)),
        ],
        'low_sign': [
            pole((0, 0, 0.5), (0.04, 0.04, 0.5)),
            disc((-0.06, 0, 0.9), (0.3, 0.3, 0.02)),
        ],
        'traffic_light': [
            pole((0, 0, 1.75), (0.06, 0.06, 1.75)),
            light((-0.16, 0, 3.0), (0.14, 0.16, 0.45)),
        ],
        'arm_light': [
            pole((0, 0, 2.8), (0.1, 0.1, 2.8)),
            box((0, -2.0, 5.5), (0.06, 2.0, 0.06), colour=_METAL),
            light((-0.16, -3.8, 5.2), (0.14, 0.16, 0.45)),
            light((-0.2, 0, 2.6), (0.14, 0.16, 0.45)),
        ],
        'bollard': [pole((0, 0, 0.45), (0.08, 0.08, 0.45))],
        'bike_stand': [
            *(pole((x, 0, 0.4), (0.025, 0.025, 0.4)) for x in (-0.4, 0.4)),
            box((0, 0, 0.8), (0.42, 0.03, 0.03), colour=_METAL),
        ],
        'scaffold': [
            *(pole((x, y, 3.0), (0.04, 0.04, 3.0), visible_m=60)
              for x, y in product((-1.2, 1.2), (-0.5, 0.5))),
            *(Part(_BOX, Thing.POLE, Material.PLANKS, (0, 0, z), (1.25, 0.55, 0.04), colour=_WOOD)
              for z in (2.1, 4.2, 6.0)),
            box((0, -0.5, 3.2), (1.25, 0.02, 0.03), colour=_METAL),
        ],
    }
