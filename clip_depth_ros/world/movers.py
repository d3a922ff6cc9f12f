# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What moves in the street, as lists of solids: cars, trucks and people in mid-stride."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product

from clip_depth_ros.world.shapes import Part
from clip_depth_ros.world.things import Material, Rgb01, Solid, Thing, Tint
import numpy as np

N_STEPS = 8
"""A walking person is drawn in this many phases of the stride."""

_BLACK: Rgb01 = (0.08, 0.08, 0.09)

_BOX, _TAPER, _BALL, _ROUND = Solid.BOX, Solid.TAPER, Solid.ELLIPSOID, Solid.CYLINDER


def movers() -> Mapping[str, Sequence[Part]]:
    """Give the prefabs of vehicles by kind, and of people as ``pedestrian_0`` and on."""
    walkers = {f'pedestrian_{i}': _pedestrian(2 * np.pi * i / N_STEPS) for i in range(N_STEPS)}
    return {**_vehicles(), **walkers}


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
    Build a car of a body, a cabin and four wheels.

    Parameters
    ----------
    length, width : float
        Metres.
    levels : tuple of 3 floats
        Heights of the floor, of the window line and of the roof.
    belt, roof : (rear, front)
        Ends of the cabin along x at the window line and at the roof.
    wheel_m : float
        Radius of a wheel.

    """
    floor, line, top = levels
    middle, reach = (belt[0] + belt[1]) / 2, (belt[1] - belt[0]) / 2
    shear = ((roof[0] + roof[1]) / 2 - middle) / 2
    part = partial(Part, thing=Thing.CAR, tint=Tint.PRIMARY)
    body = part(
        _TAPER,
        material=Material.CAR_BODY,
        centre=(0, 0, (floor + line) / 2),
        half=(length / 2, width / 2, (line - floor) / 2),
        taper=(0.04, 0.07),
    )
    cabin = part(
        _TAPER,
        material=Material.CAR_CABIN,
        centre=(middle + shear, 0, (line + top) / 2),
        half=(reach, width / 2 * 0.93, (top - line) / 2),
        taper=(1 - (roof[1] - roof[0]) / 2 / reach, 0.2),
        shear_m=shear,
    )
    wheels = _wheels(Thing.CAR, (-0.29 * length, 0.30 * length), width / 2 - 0.1, wheel_m)
    return [body, cabin, *wheels]


def _wheels(thing: Thing, at_x: Sequence[float], y: float, radius: float) -> list[Part]:
    return [
        Part(
            _ROUND,
            thing,
            Material.WHEEL,
            (x, side * y, radius),
            (radius, radius, 0.11),
            colour=_BLACK,
            axis='y',
            visible_m=55,
        )
        for x, side in product(at_x, (-1, 1))
    ]


def _truck() -> list[Part]:
    part = partial(Part, _BOX, Thing.TRUCK)
    cargo = part(Material.PLANKS, (-1.1, 0, 2.05), (2.9, 1.22, 1.2), tint=Tint.SECONDARY)
    cab = Part(
        _TAPER,
        Thing.TRUCK,
        Material.CAR_BODY,
        (2.85, 0, 1.15),
        (0.95, 1.15, 0.7),
        tint=Tint.PRIMARY,
        taper=(0.02, 0.02),
    )
    windows = Part(
        _TAPER,
        Thing.TRUCK,
        Material.CAR_CABIN,
        (2.8, 0, 2.3),
        (0.9, 1.12, 0.45),
        tint=Tint.PRIMARY,
        taper=(0.15, 0.06),
    )
    frame = part(Material.MATTE, (-1.0, 0, 0.7), (2.9, 0.9, 0.15), colour=_BLACK)
    return [cargo, cab, windows, frame, *_wheels(Thing.TRUCK, (-2.9, -1.9, 2.7), 1.0, 0.46)]


def _pedestrian(phase: float) -> list[Part]:
    """Build a person in mid-stride; arms swing against the legs."""
    part = partial(Part, thing=Thing.PEDESTRIAN, material=Material.MATTE)
    swing = 0.42 * float(np.sin(phase))
    limbs = [
        *(
            _limb((0, 0.10 * side, 0.88), 0.88, 0.082, side * swing, Tint.SECONDARY)
            for side in (-1, 1)
        ),
        *(
            _limb((0, 0.25 * side, 1.42), 0.62, 0.052, -side * swing, Tint.PRIMARY)._replace(
                visible_m=45
            )
            for side in (-1, 1)
        ),
    ]
    trunk = part(_BALL, centre=(0, 0, 1.16), half=(0.15, 0.225, 0.36), tint=Tint.PRIMARY)
    shoulders = part(_BALL, centre=(0, 0, 1.37), half=(0.12, 0.245, 0.12), tint=Tint.PRIMARY)
    head = part(
        _BALL,
        material=Material.HEAD,
        centre=(0.02, 0, 1.62),
        half=(0.115, 0.1, 0.135),
        colour=(0.80, 0.62, 0.50),
    )
    return [trunk, shoulders, head, *limbs]


def _limb(
    joint: tuple[float, float, float], length: float, radius: float, swing: float, tint: Tint
) -> Part:
    x, y, z = joint
    centre = (x - float(np.sin(swing)) * length / 2, y, z - float(np.cos(swing)) * length / 2)
    return Part(
        _ROUND,
        Thing.PEDESTRIAN,
        Material.MATTE,
        centre,
        (radius, radius, length / 2),
        tint=tint,
        pitch_rad=swing,
    )
