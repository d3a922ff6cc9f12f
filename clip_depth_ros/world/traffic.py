# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What moves in the street: the camera's own car, cars in both lanes, people on the sidewalks.

All of it is in closed form of time. Each stream is a row of slots that move at one speed; who
fills slot j follows from the seed and j alone. So any moment of any drive can be built without
the moments before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import itertools
from typing import TypeVar

from clip_depth_ros.world.prefabs import N_STEPS
from clip_depth_ros.world.rig import Rig
from clip_depth_ros.world.street import KERB_M, Street
from clip_depth_ros.world.things import Floats, Placed, Rgb01
import numpy as np

T = TypeVar('T')

_CAR_KINDS = ('sedan', 'hatchback', 'estate', 'suv', 'van')
_CAR_COLOURS: tuple[Rgb01, ...] = (
    (0.92, 0.92, 0.92), (0.75, 0.76, 0.78), (0.52, 0.54, 0.56), (0.16, 0.17, 0.19),
    (0.30, 0.33, 0.38), (0.72, 0.12, 0.12), (0.14, 0.28, 0.58), (0.55, 0.70, 0.80),
    (0.16, 0.36, 0.24), (0.86, 0.70, 0.22), (0.62, 0.52, 0.42), (0.80, 0.40, 0.14),
)
_BESIDE_KERB = 0.27  # share of the sidewalk's width; people keep to the other half
_HEAVY = ('truck', 'lorry', 'delivery_van', 'delivery_van', 'tipper', 'bus', 'minibus', 'trailer')
_PASSABLE_M = 2.5  # in narrower lanes nobody comes towards the camera by car
BESIDE_M = 0.75
"""What passes leaves this much between its side and the camera's path: room to sway."""
_STRIDE_M = 1.45  # two steps
_CLOTHES: tuple[Rgb01, ...] = (
    *_CAR_COLOURS,
    (0.85, 0.80, 0.70), (0.55, 0.22, 0.45), (0.20, 0.50, 0.52), (0.90, 0.85, 0.20),
)
_TROUSERS: tuple[Rgb01, ...] = (
    (0.16, 0.18, 0.28), (0.12, 0.12, 0.13), (0.48, 0.42, 0.34), (0.34, 0.36, 0.40),
)


@dataclass(frozen=True, slots=True)
class Motion:
    """
    The drive of one seed.

    Attributes
    ----------
    speed_m_per_s : float
        Mean speed; the speed swings about it by ``surge`` (share) every ``surge_s`` seconds.
    phases : tuple of 4 floats
        Of surge, sway, pitch and roll, radians.
    sway_m : float
        Amplitude of the drift about the middle of the lane, every ``sway_s`` seconds.
    pitch_rad, roll_rad : float
        Amplitudes of the shakes.
    mount_pitch_rad : float
        Constant tilt of the camera; positive looks down.

    """

    speed_m_per_s: float
    surge: float
    surge_s: float
    phases: tuple[float, float, float, float]
    sway_m: float
    sway_s: float
    pitch_rad: float
    roll_rad: float
    mount_pitch_rad: float

    def travelled_m(self, time_s: float) -> float:
        """Return the metres along the street since time 0: the integral of the speed."""
        w = 2 * np.pi / self.surge_s
        swing = (np.cos(self.phases[0]) - np.cos(w * time_s + self.phases[0])) / w
        return float(self.speed_m_per_s * (time_s + self.surge * swing))

    def camera(self, street: Street, time_s: float, rig: Rig) -> Floats:
        """Return T_world_cam at a time, float64 (4, 4), on the path of the rig."""
        s = self.travelled_m(time_s)
        w = 2 * np.pi / self.sway_s
        sway = self.sway_m * np.sin(w * time_s + self.phases[1])
        drift = self.sway_m * w * np.cos(w * time_s + self.phases[1]) / self.speed_m_per_s
        x, y, yaw = street.pose(s, path_of(rig, street) + float(sway))
        pitch = rig.pitch_rad + self.mount_pitch_rad
        pitch += self.pitch_rad * np.sin(9.1 * time_s + self.phases[2])
        roll = rig.roll_rad + self.roll_rad * np.sin(5.3 * time_s + self.phases[3])
        yaw += rig.yaw_rad
        height_m, slope = street.rise(x)
        pitch -= np.arctan(slope * np.cos(yaw))
        z = height_m + rig.height_m + (KERB_M if rig.on_sidewalk else 0.0)
        return camera_pose((x, y, z), yaw + float(drift), float(pitch), float(roll))


def path_of(rig: Rig, street: Street) -> float:
    """Return d of the path that a rig keeps to: the middle of its lane, or beside the kerb."""
    if rig.on_sidewalk:
        return street.kerb_offsets()[1] - _BESIDE_KERB * street.walk_m[1]
    return -street.lane_m / 2


def motion_of(seed: int) -> Motion:
    """Draw the drive of a seed: 5 to 14 m/s."""
    rng = np.random.default_rng((seed, 3))
    surge = float(rng.uniform(0.0, 0.15))
    a, b, c, d = rng.uniform(0, 2 * np.pi, 4).tolist()
    return Motion(
        speed_m_per_s=float(rng.uniform(5 / (1 - surge), 14 / (1 + surge))),
        surge=surge,
        surge_s=float(rng.uniform(8, 20)),
        phases=(a, b, c, d),
        sway_m=float(rng.uniform(0.05, 0.3)),
        sway_s=float(rng.uniform(6, 14)),
        pitch_rad=float(np.radians(rng.uniform(0.05, 0.3))),
        roll_rad=float(np.radians(rng.uniform(0.05, 0.4))),
        mount_pitch_rad=float(np.radians(rng.uniform(-1.0, 1.0))),
    )


def camera_pose(
    position: tuple[float, float, float], yaw: float, pitch: float = 0.0, roll: float = 0.0
) -> Floats:
    """
    Return T_world_cam of a camera that looks along x when all angles are 0.

    Angles in radians: ``yaw`` to the left, ``pitch`` down, ``roll`` clockwise as the camera sees
    forward; applied in this order about the moving axes.
    """
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    forward = np.array([cy * cp, sy * cp, -sp])
    left = np.array([-sy, cy, 0.0])
    up = np.array([cy * sp, sy * sp, cp])
    pose = np.eye(4)
    pose[:3, 0] = -(cr * left + sr * up)
    pose[:3, 1] = -(cr * up - sr * left)
    pose[:3, 2] = forward
    pose[:3, 3] = position
    return pose


def stream(
    key: tuple[int, ...], shift: float, gap_m: float, share: float, stretch: tuple[float, float]
) -> Iterator[tuple[float, np.random.Generator]]:
    """
    Yield s of each filled slot in a stretch, and a generator of its own.

    Slots are ``gap_m`` apart and have moved by ``shift`` metres along s; a share is filled.
    """
    begin_s, end_s = stretch
    first = int(np.floor((begin_s - shift) / gap_m)) - 1
    for j in range(first, int(np.ceil((end_s - shift) / gap_m)) + 1):
        rng = np.random.default_rng((*key, j + 1_000_000))
        s = (j + rng.uniform(-0.3, 0.3)) * gap_m + shift
        if rng.random() < share and begin_s < s < end_s:
            yield s, rng


def moving_things(
    street: Street,
    motion: Motion,
    seed: int,
    time_s: float,
    stretch: tuple[float, float],
    path_d: float,
) -> list[Placed]:
    """Return all that moves between two values of s at a time; the camera keeps to ``path_d``."""
    cars = _oncoming(street, seed, time_s, stretch), _ahead(street, motion, seed, time_s, stretch)
    ways = itertools.product((-1, 1), repeat=2)
    people = (_walkers(street, seed, side, way, time_s, stretch, path_d) for side, way in ways)
    return list(itertools.chain(*cars, *people))


def _oncoming(
    street: Street, seed: int, time_s: float, stretch: tuple[float, float]
) -> Iterator[Placed]:
    if street.lane_m < _PASSABLE_M:
        return
    rng = np.random.default_rng((seed, 6))
    shift = -rng.uniform(7, 13) * time_s
    gap_m, share = rng.uniform(19, 45), rng.uniform(0.3, 0.9)
    for s, own in stream((seed, 7), shift, gap_m, share, stretch):
        yield _vehicle(own, street, s, street.lane_m / 2 + own.uniform(-0.2, 0.2), np.pi)


def _ahead(
    street: Street, motion: Motion, seed: int, time_s: float, stretch: tuple[float, float]
) -> Iterator[Placed]:
    """Drive cars ahead of the camera that keep their distance, give or take a few metres."""
    if street.kind != 'plain':
        return  # those drive in `layout.crowd`
    rng = np.random.default_rng((seed, 8))
    if rng.random() < 0.25:
        return
    gap = 8.5 + 40 * rng.uniform(0, 1) ** 1.5
    travelled = motion.travelled_m(time_s)
    for _ in range(4):
        swing = min(4.0, gap / 8) * np.sin(rng.uniform(0.2, 0.5) * time_s + rng.uniform(0, 6.28))
        s = travelled + gap + float(swing)
        d = -street.lane_m / 2 + float(rng.uniform(-0.25, 0.25))
        vehicle = _vehicle(rng, street, s, d, 0.0)  # drawn even out of reach: numbers stay in step
        if s < stretch[1]:
            yield vehicle
        gap += rng.uniform(16, 40)


def _vehicle(rng: np.random.Generator, street: Street, s: float, d: float, turn: float) -> Placed:
    vehicle = car(rng, street, s, d, turn=turn)
    return vehicle._replace(prefab='truck') if rng.random() < 0.12 else vehicle


def _walkers(
    street: Street,
    seed: int,
    side: int,
    way: int,
    time_s: float,
    stretch: tuple[float, float],
    path_d: float,
) -> Iterator[Placed]:
    """Walk people along one sidewalk in one direction; each direction keeps its own half."""
    rng = np.random.default_rng((seed, 9, side + 1, way + 1))
    speed = way * float(rng.uniform(0.9, 1.5))
    key, gap_m, filled = (seed, 10, side + 1, way + 1), rng.uniform(5, 16), rng.uniform(0.15, 0.75)
    kerb = abs(street.kerb_offsets()[0 if side > 0 else 1])
    walk = street.walk_m[0 if side > 0 else 1]
    for s, own in stream(key, speed * time_s, gap_m, filled, stretch):
        share = own.uniform(0.5, 0.64) if way > 0 else own.uniform(0.7, 0.86)
        d = side * (kerb + walk * share)
        if abs(d - path_d) < BESIDE_M + 0.3:
            continue
        steps = speed * way * time_s / _STRIDE_M + own.random()
        yield walker(own, street, s, d, turn=0.0 if way > 0 else np.pi, steps=steps)


def walker(
    rng: np.random.Generator, street: Street, s: float, d: float, *, turn: float, steps: float
) -> Placed:
    """Return a person of some size and dress at (s, d), after some strides."""
    x, y, yaw = street.pose(s, d)
    size = float(rng.uniform(0.86, 1.1)) if rng.random() > 0.12 else 0.68
    return Placed(
        f'pedestrian_{int(np.floor(N_STEPS * steps)) % N_STEPS}',
        *(x, y, street.level(d), yaw + turn),
        scale=(size, size, size),
        primary=pick(rng, _CLOTHES),
        secondary=pick(rng, _TROUSERS),
        style=(float(rng.random()), 0.0, 0.0, 0.0),
    )


def pick(rng: np.random.Generator, choices: Sequence[T]) -> T:
    """Draw one of some."""
    return choices[int(rng.integers(len(choices)))]


def any_vehicle(
    rng: np.random.Generator,
    street: Street,
    s: float,
    d: float,
    *,
    turn: float,
    heavy: float = 0.15,
) -> Placed:
    """Return a car, or with a share of ``heavy`` a larger vehicle or a trailer, at (s, d)."""
    vehicle = car(rng, street, s, d, turn=turn)
    if rng.random() >= heavy:
        return vehicle
    r, g, b = rng.uniform(0.1, 0.95, 3).tolist()
    return vehicle._replace(prefab=pick(rng, _HEAVY), secondary=(r, g, b))


def car(rng: np.random.Generator, street: Street, s: float, d: float, *, turn: float) -> Placed:
    """Return a car of some kind and colour at (s, d)."""
    x, y, yaw = street.pose(s, d)
    colour = pick(rng, _CAR_COLOURS)
    size = float(rng.uniform(0.96, 1.05))
    kind = _CAR_KINDS[int(rng.choice(len(_CAR_KINDS), p=(0.27, 0.27, 0.17, 0.19, 0.10)))]
    return Placed(kind, x, y, 0.0, yaw + turn, (size, size, size), colour, (0.8, 0.8, 0.8))
