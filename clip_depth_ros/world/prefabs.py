# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The library of prefabs, and those of what moves: vehicles, people and animals.

Everything stands on the ground at its own origin and faces x, and is life-size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from itertools import product

from clip_depth_ros.world.standing import standing
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
_SKIN: Rgb01 = (0.80, 0.62, 0.50)

_BOX, _TAPER, _BALL, _ROUND = Solid.BOX, Solid.TAPER, Solid.ELLIPSOID, Solid.CYLINDER


@lru_cache(maxsize=1)
def library() -> PartTable:
    """
    Return all prefabs by name, taken apart; the same for every seed.

    People are named ``pedestrian_0`` to ``pedestrian_7``, by the phase of their stride.
    """
    walkers = {f'pedestrian_{i}': _pedestrian(2 * np.pi * i / N_STEPS) for i in range(N_STEPS)}
    return part_table({**_vehicles(), **_heavy(), **walkers, **_on_two_wheels(), **standing()})


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


def _heavy() -> Mapping[str, Sequence[Part]]:
    """Build buses, trams, lorries, delivery vans and trailers."""
    box = partial(Part, _BOX, Thing.TRUCK)
    cab = partial(Part, _TAPER, Thing.TRUCK, tint=Tint.PRIMARY)
    lorry = [
        box(Material.PLANKS, (-2.6, 0, 2.35), (4.6, 1.25, 1.35), tint=Tint.SECONDARY),
        cab(Material.CAR_BODY, (3.4, 0, 1.2), (1.0, 1.22, 0.8), taper=(0.02, 0.02)),
        cab(Material.CAR_CABIN, (3.35, 0, 2.6), (0.95, 1.2, 0.6), taper=(0.1, 0.05)),
        box(Material.MATTE, (-1.6, 0, 0.8), (5.4, 0.9, 0.2), colour=_BLACK),
        *_wheels(Thing.TRUCK, (-5.8, -4.6, 0.4, 3.2), 1.05, 0.5),
    ]
    delivery = [
        box(Material.MATTE, (-0.8, 0, 1.65), (1.9, 1.05, 1.2), tint=Tint.PRIMARY),
        cab(Material.CAR_BODY, (1.9, 0, 0.75), (0.9, 0.98, 0.4), taper=(0.1, 0.05)),
        cab(Material.CAR_CABIN, (1.6, 0, 1.55), (0.75, 0.95, 0.45), taper=(0.35, 0.12)),
        *_wheels(Thing.TRUCK, (-1.7, 1.8), 0.95, 0.36),
    ]
    tipper = [
        Part(_TAPER, Thing.TRUCK, Material.MATTE, (-1.1, 0, 1.9), (2.6, 1.2, 0.8),
             tint=Tint.SECONDARY, taper=(0.0, 0.1)),
        cab(Material.CAR_BODY, (2.6, 0, 1.3), (0.9, 1.15, 0.8), taper=(0.02, 0.02)),
        cab(Material.CAR_CABIN, (2.55, 0, 2.5), (0.85, 1.1, 0.45), taper=(0.12, 0.06)),
        *_wheels(Thing.TRUCK, (-2.6, -1.4, 2.4), 1.0, 0.5),
    ]
    trailer = [
        box(Material.PLANKS, (0, 0, 0.95), (1.2, 0.75, 0.55), tint=Tint.SECONDARY),
        *_wheels(Thing.TRUCK, (-0.2,), 0.85, 0.3),
    ]
    return {
        'lorry': lorry, 'delivery_van': delivery, 'tipper': tipper, 'trailer': trailer,
        'bus': _coach(6.0, 1.26, 3.0, 1.25), 'tram': _coach(11.0, 1.2, 3.4, 1.5),
        'minibus': _coach(3.1, 1.02, 2.5, 1.3),
    }


def _coach(reach: float, side: float, top: float, line: float) -> list[Part]:
    """Build a long vehicle with one row of windows; lengths are halved, heights are not."""
    part = partial(Part, _TAPER, Thing.BUS, tint=Tint.PRIMARY)
    lift = 0.3
    return [
        part(Material.CAR_BODY, (0, 0, (lift + line) / 2), (reach, side, (line - lift) / 2)),
        part(Material.CAR_CABIN, (0, 0, (line + top) / 2), (reach, side, (top - line) / 2),
             taper=(0.01, 0.06)),
        Part(_BOX, Thing.BUS, Material.MATTE, (-reach * 0.3, 0, top + 0.1),
             (reach * 0.4, side * 0.6, 0.12), tint=Tint.SECONDARY, visible_m=70),
        *_wheels(Thing.BUS, (-0.55 * reach, 0.6 * reach), side - 0.1, 0.46),
    ]


def _on_two_wheels() -> Mapping[str, Sequence[Part]]:
    """Build bicycles, motorbikes and their riders, and what else is low and moves."""
    tyre = partial(Part, _ROUND, Thing.BICYCLE, Material.MATTE, colour=_BLACK, axis='y')
    bar = partial(Part, _ROUND, Thing.BICYCLE, Material.MATTE, tint=Tint.PRIMARY)
    bicycle = [
        tyre((-0.52, 0, 0.34), (0.34, 0.34, 0.025)),
        tyre((0.52, 0, 0.34), (0.34, 0.34, 0.025)),
        bar((0.05, 0, 0.62), (0.03, 0.03, 0.5), pitch_rad=1.25),
        bar((-0.15, 0, 0.62), (0.03, 0.03, 0.33), pitch_rad=-0.3, visible_m=40),
        bar((0.42, 0, 0.72), (0.025, 0.025, 0.36), pitch_rad=-0.3, visible_m=40),
        bar((0.36, 0, 1.02), (0.02, 0.02, 0.28), axis='y', visible_m=40),
    ]
    bulk = partial(Part, _BALL, Thing.BICYCLE, Material.MATTE, tint=Tint.PRIMARY)
    motorbike = [
        tyre((-0.65, 0, 0.31), (0.31, 0.31, 0.08)),
        tyre((0.68, 0, 0.31), (0.31, 0.31, 0.07)),
        bulk((0.05, 0, 0.6), (0.5, 0.2, 0.28)),
        bulk((0.3, 0, 0.85), (0.25, 0.16, 0.16)),
        bar((0.45, 0, 1.0), (0.02, 0.02, 0.35), axis='y', visible_m=40),
    ]
    ball = partial(Part, _BALL, Thing.ANIMAL, Material.MATTE, tint=Tint.PRIMARY)
    leg = partial(Part, _ROUND, Thing.ANIMAL, Material.MATTE, tint=Tint.PRIMARY)
    dog = [
        ball((0, 0, 0.48), (0.38, 0.14, 0.16)),
        ball((0.42, 0, 0.66), (0.17, 0.1, 0.12)),
        *(leg((x, y, 0.2), (0.035, 0.035, 0.2), visible_m=30)
          for x, y in product((-0.26, 0.24), (-0.08, 0.08))),
        leg((-0.42, 0, 0.6), (0.025, 0.025, 0.15), pitch_rad=-0.7, visible_m=30),
    ]
    box = partial(Part, _BOX, Thing.BOX, Material.MATTE)
    stroller = [
        box((0, 0, 0.6), (0.35, 0.23, 0.2), tint=Tint.PRIMARY),
        Part(_BALL, Thing.BOX, Material.MATTE, (-0.1, 0, 0.85), (0.3, 0.24, 0.25),
             tint=Tint.PRIMARY),
        box((-0.55, 0, 0.98), (0.03, 0.22, 0.03), colour=_BLACK),
        *(tyre((x, y, 0.13), (0.13, 0.13, 0.03))._replace(thing=Thing.BOX)
          for x, y in product((-0.3, 0.3), (-0.22, 0.22))),
    ]
    return {
        'bicycle': bicycle, 'motorbike': motorbike, 'dog': dog, 'stroller': stroller,
        'cyclist': [*bicycle, *_rider(0.88, 0.25)],
        'motorcyclist': [*motorbike, *_rider(0.78, 0.15)],
        'scooter': [
            tyre((-0.4, 0, 0.1), (0.1, 0.1, 0.03)), tyre((0.4, 0, 0.1), (0.1, 0.1, 0.03)),
            Part(_BOX, Thing.BICYCLE, Material.MATTE, (0, 0, 0.15), (0.4, 0.08, 0.03),
                 colour=_BLACK),
            bar((0.38, 0, 0.65), (0.025, 0.025, 0.5)),
        ],
    }


def _rider(seat_m: float, lean: float) -> list[Part]:
    """Seat a person who leans forward, hips at a height."""
    body = partial(Part, _BALL, Thing.PEDESTRIAN, Material.MATTE, tint=Tint.SECONDARY)
    x = float(np.sin(lean)) * 0.4
    return [
        body((-0.2 + x, 0, seat_m + 0.35), (0.15, 0.22, 0.42), pitch_rad=lean),
        Part(_BALL, Thing.PEDESTRIAN, Material.HEAD, (0.02 + x, 0, seat_m + 0.88),
             (0.12, 0.1, 0.14), colour=_SKIN),
        *(_limb((-0.15, 0.12 * side, seat_m + 0.05), 0.75, 0.08, -0.5 + 0.3 * side,
                Tint.SECONDARY) for side in (-1, 1)),
        *(_limb((0.0 + x, 0.22 * side, seat_m + 0.6), 0.6, 0.05, -0.9, Tint.SECONDARY)
          ._replace(visible_m=40) for side in (-1, 1)),
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
        colour=_SKIN,
    )
    return [trunk, shoulders, head, *legs, *arms]


def _limb(
    joint: tuple[float, float, float], length: float, radius: float, swing: float, tint: Tint
) -> Part:
    x, y, z = joint
    centre = (x - float(np.sin(swing)) * length / 2, y, z - float(np.cos(swing)) * length / 2)
    limb = partial(Part, _ROUND, Thing.PEDESTRIAN, Material.MATTE)
    return limb(centre, (radius, radius, length / 2), tint=tint, pitch_rad=swing)
