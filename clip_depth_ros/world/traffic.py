# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What moves in the street at a moment: cars in both lanes and people on the sidewalks.

Each stream is a row of slots that move at one speed; who fills slot j follows from the seed and
j alone. So any moment of any drive can be built without the moments before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clip_depth_ros.world.kerbside import car, CAR_COLOURS
from clip_depth_ros.world.motion import Motion
from clip_depth_ros.world.movers import N_STEPS
from clip_depth_ros.world.shapes import Placed
from clip_depth_ros.world.street import KERB_M, Street
from clip_depth_ros.world.things import Rgb01
import numpy as np

_STRIDE_M = 1.45  # two steps
_CLOTHES: tuple[Rgb01, ...] = (
    *CAR_COLOURS,
    (0.85, 0.80, 0.70),
    (0.55, 0.22, 0.45),
    (0.20, 0.50, 0.52),
    (0.90, 0.85, 0.20),
)
_TROUSERS: tuple[Rgb01, ...] = (
    (0.16, 0.18, 0.28),
    (0.12, 0.12, 0.13),
    (0.48, 0.42, 0.34),
    (0.34, 0.36, 0.40),
)


@dataclass(frozen=True, slots=True)
class _Stream:
    """A row of slots ``gap_m`` apart that moves at ``speed`` along s; a share is filled."""

    key: tuple[int, ...]
    speed: float
    gap_m: float
    share: float

    def within(
        self, begin_s: float, end_s: float, time_s: float
    ) -> Iterator[tuple[float, np.random.Generator]]:
        """Give s and the own dice of each filled slot in a stretch."""
        shift = self.speed * time_s
        first = int(np.floor((begin_s - shift) / self.gap_m)) - 1
        for j in range(first, int(np.ceil((end_s - shift) / self.gap_m)) + 1):
            rng = np.random.default_rng((*self.key, j + 1_000_000))
            s = (j + rng.uniform(-0.3, 0.3)) * self.gap_m + shift
            if rng.random() < self.share and begin_s < s < end_s:
                yield s, rng


def moving_things(
    street: Street, motion: Motion, seed: int, time_s: float, stretch: tuple[float, float]
) -> list[Placed]:
    """Give all that moves between two values of s at a time."""
    return [
        *_oncoming(street, seed, time_s, stretch),
        *_ahead(street, motion, seed, time_s, stretch),
        *(
            person
            for side in (-1, 1)
            for way in (-1, 1)
            for person in _walkers(street, seed, side, way, time_s, stretch)
        ),
    ]


def _oncoming(
    street: Street, seed: int, time_s: float, stretch: tuple[float, float]
) -> Iterator[Placed]:
    rng = np.random.default_rng((seed, 6))
    stream = _Stream((seed, 7), -rng.uniform(7, 13), rng.uniform(19, 45), rng.uniform(0.3, 0.9))
    for s, dice in stream.within(*stretch, time_s):
        yield _vehicle(dice, street, s, street.lane_m / 2 + dice.uniform(-0.2, 0.2), np.pi)


def _ahead(
    street: Street, motion: Motion, seed: int, time_s: float, stretch: tuple[float, float]
) -> Iterator[Placed]:
    """Drive cars ahead of the camera that keep their distance, give or take a few metres."""
    rng = np.random.default_rng((seed, 8))
    if rng.random() < 0.25:
        return
    gap = 8.5 + 40 * rng.uniform(0, 1) ** 1.5
    travelled = motion.travelled_m(time_s)
    for _ in range(4):
        swing = min(4.0, gap / 8) * np.sin(rng.uniform(0.2, 0.5) * time_s + rng.uniform(0, 6.28))
        s = travelled + gap + float(swing)
        d = -street.lane_m / 2 + float(rng.uniform(-0.25, 0.25))
        vehicle = _vehicle(rng, street, s, d, 0.0)  # drawn even out of reach: dice stay in step
        if s < stretch[1]:
            yield vehicle
        gap += rng.uniform(16, 40)


def _vehicle(rng: np.random.Generator, street: Street, s: float, d: float, turn: float) -> Placed:
    vehicle = car(rng, street, s, d, turn=turn)
    return vehicle._replace(prefab='truck') if rng.random() < 0.12 else vehicle


def _walkers(
    street: Street, seed: int, side: int, way: int, time_s: float, stretch: tuple[float, float]
) -> Iterator[Placed]:
    """Walk people along one sidewalk in one direction; each direction keeps its own half."""
    rng = np.random.default_rng((seed, 9, side + 1, way + 1))
    speed = way * float(rng.uniform(0.9, 1.5))
    stream = _Stream(
        (seed, 10, side + 1, way + 1), speed, rng.uniform(5, 16), rng.uniform(0.15, 0.75)
    )
    kerb = abs(street.kerb_offsets()[0 if side > 0 else 1])
    walk = street.walk_m[0 if side > 0 else 1]
    for s, dice in stream.within(*stretch, time_s):
        share = dice.uniform(0.5, 0.64) if way > 0 else dice.uniform(0.7, 0.86)
        x, y, yaw = street.pose(s, side * (kerb + walk * share))
        phase = int(np.floor(N_STEPS * (speed * way * time_s / _STRIDE_M + dice.random())))
        size = float(dice.uniform(0.86, 1.1)) if dice.random() > 0.12 else 0.68
        yield Placed(
            f'pedestrian_{phase % N_STEPS}',
            x,
            y,
            KERB_M,
            yaw + (0.0 if way > 0 else np.pi),
            (size, size, size),
            _pick(dice, _CLOTHES),
            _pick(dice, _TROUSERS),
            (float(dice.random()), 0.0, 0.0, 0.0),
        )


def _pick(rng: np.random.Generator, choices: tuple[Rgb01, ...]) -> Rgb01:
    return choices[int(rng.integers(len(choices)))]
