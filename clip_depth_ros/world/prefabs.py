# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What stands in the street, as lists of solids: trees, houses, street furniture; and all prefabs.

Everything stands on the ground at its own origin and faces x. Houses and hedges are built to
unit size and scaled when placed; the rest is life-size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial

from clip_depth_ros.world.movers import movers
from clip_depth_ros.world.shapes import Part, part_table, PartTable
from clip_depth_ros.world.things import Material, Rgb01, Solid, Thing, Tint

_BLACK: Rgb01 = (0.08, 0.08, 0.09)
_METAL: Rgb01 = (0.42, 0.44, 0.46)
_LAMP: Rgb01 = (0.85, 0.85, 0.8)

_BOX, _TAPER, _BALL, _ROUND = Solid.BOX, Solid.TAPER, Solid.ELLIPSOID, Solid.CYLINDER


@lru_cache(maxsize=1)
def library() -> PartTable:
    """Give all prefabs, taken apart; the same for every seed."""
    return part_table({**movers(), **_trees(), **_buildings(), **_furniture()})


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


def _trunk(radius: float, height: float) -> Part:
    return Part(
        _ROUND,
        Thing.TREE,
        Material.BARK,
        (0, 0, height / 2),
        (radius, radius, height / 2),
        tint=Tint.SECONDARY,
    )


def _buildings() -> Mapping[str, Sequence[Part]]:
    """Build houses, fences and hedges of unit length (x), depth (y) and height (z)."""
    wall = partial(Part, _BOX, Thing.BUILDING, Material.FACADE, tint=Tint.PRIMARY)
    ledge = partial(Part, _BOX, Thing.BUILDING, Material.MATTE, tint=Tint.SECONDARY)
    roof = partial(Part, _TAPER, Thing.BUILDING, Material.ROOF, tint=Tint.SECONDARY)
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
        'chimney': [ledge((0, 0, 0.5), (0.5, 0.5, 0.5), tint=Tint.PRIMARY)],
        'fence': [
            Part(
                _BOX, Thing.FENCE, Material.PLANKS, (0, 0, 0.5), (0.5, 0.5, 0.5), tint=Tint.PRIMARY
            )
        ],
        'hedge': [
            Part(
                _BOX, Thing.HEDGE, Material.LEAVES, (0, 0, 0.5), (0.5, 0.5, 0.5), tint=Tint.PRIMARY
            )
        ],
    }


def _furniture() -> Mapping[str, Sequence[Part]]:
    pole = partial(Part, _ROUND, Thing.POLE, Material.MATTE, colour=_METAL)
    box = partial(Part, _BOX, Thing.POLE, Material.MATTE)
    plate = partial(Part, _ROUND, Thing.SIGN, Material.SIGN_PLATE, tint=Tint.PRIMARY, axis='x')
    lamp = [
        pole((0, 0, 3.2), (0.085, 0.085, 3.2)),
        box((0, -0.9, 6.4), (0.05, 0.9, 0.05), colour=_METAL),
        box((0, -1.7, 6.33), (0.12, 0.3, 0.06), colour=_LAMP),
    ]
    light = Part(
        _BOX, Thing.SIGN, Material.SIGNAL, (-0.16, 0, 3.0), (0.14, 0.16, 0.45), colour=_BLACK
    )
    return {
        'lamp_post': lamp,
        'round_sign': [
            pole((0, 0, 1.25), (0.04, 0.04, 1.25)),
            plate((-0.06, 0, 2.25), (0.34, 0.34, 0.02)),
        ],
        'board_sign': [
            pole((0, 0, 1.3), (0.05, 0.05, 1.3)),
            Part(
                _BOX,
                Thing.SIGN,
                Material.SIGN_PLATE,
                (-0.07, 0, 2.3),
                (0.02, 0.45, 0.32),
                tint=Tint.PRIMARY,
            ),
        ],
        'traffic_light': [pole((0, 0, 1.75), (0.06, 0.06, 1.75)), light],
        'bollard': [pole((0, 0, 0.45), (0.08, 0.08, 0.45))],
    }
