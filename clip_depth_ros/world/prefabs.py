# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The prefabs, as lists of solids: what moves in the street, and what stands in it.

Everything stands on the ground at its own origin and faces x. Houses and hedges are built to
unit size and scaled when placed; the rest is life-size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from itertools import product

from clip_depth_ros.world.things import (
    Material,
    Part,
    part_table,
    PartTable,
    Rgb01,
    Solid,
    Thing,
    Tint,
)
import numpy as np

N_STEPS = 8
"""A walking person is drawn in this many phases of the stride."""

_BLACK: Rgb01 = (0.08, 0.08, 0.09)
_METAL: Rgb01 = (0.42, 0.44, 0.46)
_LAMP: Rgb01 = (0.85, 0.85, 0.8)

_BOX, _TAPER, _BALL, _ROUND = Solid.BOX, Solid.TAPER, Solid.ELLIPSOID, Solid.CYLINDER


@lru_cache(maxsize=1)
def library() -> PartTable:
    """
    Return all prefabs by name, taken apart; the same for every seed.

    People are named ``pedestrian_0`` to ``pedestrian_7``, by the phase of their stride.
    """
    walkers = {f'pedestrian_{i}': _pedestrian(2 * np.pi * i / N_STEPS) for i in range(N_STEPS)}
    return part_table({**_vehicles(), **walkers, **_trees(), **_buildings(), **_furniture()})


def _vehicles() -> Mapping[str, Sequence[Part]]:
    return {
        'sedan': _car(4.5, 1.78, (0.26, 0.84, 1.42), (-1.75, 1.0), (-1.05, 0.2)),
        'hatchback': _car(3.9, 1.74, (0.26, 0.86, 1.48), (-1.86, 0.95), (-1.45, 0.15)),
        'estate': _car(4.6, 1.80, (0.26, 0.84, 1.46), (-2.2, 1.0), (-1.9, 0.15)),
        'suv': _car(4.5, 1.90, (0.32, 1.00, 1.72), (-2.15, 1.05), (-1.8, 0.3), wheel_m=0.38),
        'van': _car(4.9, 1.94, (0.30, 1.05, 2.02), (-2.4, 1.9), (-2.35, 0.85), wheel_m=0.35),
        'truck': _truck(),
    }


def _car(
    length: float,
    width: float,
    levels: tuple[float, float, float],
    belt: tuple[float, float],
    roof: tuple[float, float],
    wheel_m: float = 0.32,
) -> list[Part]:
    """
    Build a car of a body, a cabin and four wheels of radius ``wheel_m``; all in metres.

    ``levels`` are the heights of the floor, the window line and the roof; ``belt`` and ``roof``
    the ends (rear, front) of the cabin along x at the window line and at the roof.
    """
    floor, line, top = levels
    middle, reach = (belt[0] + belt[1]) / 2, (belt[1] - belt[0]) / 2
    shear = ((roof[0] + roof[1]) / 2 - middle) / 2
    part = partial(Part, _TAPER, Thing.CAR, tint=Tint.PRIMARY)
    body = part(
        Material.CAR_BODY,
        centre=(0, 0, (floor + line) / 2),
        half=(length / 2, width / 2, (line - floor) / 2),
        taper=(0.04, 0.07),
    )
    cabin = part(
        Material.CAR_CABIN,
        centre=(middle + shear, 0, (line + top) / 2),
        half=(reach, width / 2 * 0.93, (top - line) / 2),
        taper=(1 - (roof[1] - roof[0]) / 2 / reach, 0.2),
        shear_m=shear,
    )
    wheels = _wheels(Thing.CAR, (-0.29 * length, 0.30 * length), width / 2 - 0.1, wheel_m)
    return [body, cabin, *wheels]


def _wheels(thing: Thing, at_x: Sequence[float], y: float, radius: float) -> list[Part]:
    wheel = partial(Part, _ROUND, thing, Material.WHEEL, colour=_BLACK, axis='y', visible_m=55)
    half = (radius, radius, 0.11)
    return [wheel((x, side * y, radius), half) for x, side in product(at_x, (-1, 1))]


def _truck() -> list[Part]:
    box = partial(Part, _BOX, Thing.TRUCK)
    cab = partial(Part, _TAPER, Thing.TRUCK, tint=Tint.PRIMARY)
    return [
        box(Material.PLANKS, (-1.1, 0, 2.05), (2.9, 1.22, 1.2), tint=Tint.SECONDARY),
        cab(Material.CAR_BODY, (2.85, 0, 1.15), (0.95, 1.15, 0.7), taper=(0.02, 0.02)),
        cab(Material.CAR_CABIN, (2.8, 0, 2.3), (0.9, 1.12, 0.45), taper=(0.15, 0.06)),
        box(Material.MATTE, (-1.0, 0, 0.7), (2.9, 0.9, 0.15), colour=_BLACK),
        *_wheels(Thing.TRUCK, (-2.9, -1.9, 2.7), 1.0, 0.46),
    ]


def _pedestrian(phase: float) -> list[Part]:
    """Build a person in mid-stride; arms swing against the legs."""
    part = partial(Part, _BALL, Thing.PEDESTRIAN, Material.MATTE, tint=Tint.PRIMARY)
    swing = 0.42 * float(np.sin(phase))
    legs = [
        _limb((0, 0.10 * side, 0.88), 0.88, 0.082, side * swing, Tint.SECONDARY)
        for side in (-1, 1)
    ]
    arms = [
        _limb((0, 0.25 * side, 1.42), 0.62, 0.052, -side * swing, Tint.PRIMARY)._replace(
            visible_m=45
        )
        for side in (-1, 1)
    ]
    trunk = part((0, 0, 1.16), (0.15, 0.225, 0.36))
    shoulders = part((0, 0, 1.37), (0.12, 0.245, 0.12))
    head = Part(
        _BALL,
        Thing.PEDESTRIAN,
        Material.HEAD,
        (0.02, 0, 1.62),
        (0.115, 0.1, 0.135),
        colour=(0.80, 0.62, 0.50),
    )
    return [trunk, shoulders, head, *legs, *arms]


def _limb(
    joint: tuple[float, float, float], length: float, radius: float, swing: float, tint: Tint
) -> Part:
    x, y, z = joint
    centre = (x - float(np.sin(swing)) * length / 2, y, z - float(np.cos(swing)) * length / 2)
    limb = partial(Part, _ROUND, Thing.PEDESTRIAN, Material.MATTE)
    return limb(centre, (radius, radius, length / 2), tint=tint, pitch_rad=swing)


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
    trunk = partial(Part, _ROUND, Thing.TREE, Material.BARK, tint=Tint.SECONDARY)
    return trunk((0, 0, height / 2), (radius, radius, height / 2))


def _buildings() -> Mapping[str, Sequence[Part]]:
    """Build houses, fences and hedges of unit length (x), depth (y) and height (z)."""
    wall = partial(Part, _BOX, Thing.BUILDING, Material.FACADE, tint=Tint.PRIMARY)
    ledge = partial(Part, _BOX, Thing.BUILDING, Material.MATTE, tint=Tint.SECONDARY)
    roof = partial(Part, _TAPER, Thing.BUILDING, Material.ROOF, tint=Tint.SECONDARY)
    fence = partial(Part, _BOX, Thing.FENCE, Material.PLANKS, tint=Tint.PRIMARY)
    hedge = partial(Part, _BOX, Thing.HEDGE, Material.LEAVES, tint=Tint.PRIMARY)
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
        'fence': [fence((0, 0, 0.5), (0.5, 0.5, 0.5))],
        'hedge': [hedge((0, 0, 0.5), (0.5, 0.5, 0.5))],
    }


def _furniture() -> Mapping[str, Sequence[Part]]:
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
        'round_sign': [
            pole((0, 0, 1.25), (0.04, 0.04, 1.25)),
            disc((-0.06, 0, 2.25), (0.34, 0.34, 0.02)),
        ],
        'board_sign': [
            pole((0, 0, 1.3), (0.05, 0.05, 1.3)),
            board((-0.07, 0, 2.3), (0.02, 0.45, 0.32)),
        ],
        'traffic_light': [
            pole((0, 0, 1.75), (0.06, 0.06, 1.75)),
            light((-0.16, 0, 3.0), (0.14, 0.16, 0.45)),
        ],
        'bollard': [pole((0, 0, 0.45), (0.08, 0.08, 0.45))],
    }
