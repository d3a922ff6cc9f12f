# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frame in which one side of a block is furnished, its palettes, and its cars and trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clip_depth_ros.world.shapes import Placed
from clip_depth_ros.world.street import KERB_M, Street
from clip_depth_ros.world.things import Rgb01
import numpy as np

Side = Literal[-1, 1]
"""1 is left of the driving camera, -1 right."""

CAR_COLOURS: tuple[Rgb01, ...] = (
    (0.92, 0.92, 0.92),
    (0.75, 0.76, 0.78),
    (0.52, 0.54, 0.56),
    (0.16, 0.17, 0.19),
    (0.30, 0.33, 0.38),
    (0.72, 0.12, 0.12),
    (0.14, 0.28, 0.58),
    (0.55, 0.70, 0.80),
    (0.16, 0.36, 0.24),
    (0.86, 0.70, 0.22),
    (0.62, 0.52, 0.42),
    (0.80, 0.40, 0.14),
)
CAR_KINDS = ('sedan', 'hatchback', 'estate', 'suv', 'van')

WALLS: tuple[Rgb01, ...] = (
    (0.84, 0.80, 0.72),
    (0.78, 0.66, 0.50),
    (0.68, 0.42, 0.34),
    (0.60, 0.34, 0.28),
    (0.74, 0.76, 0.78),
    (0.90, 0.87, 0.80),
    (0.66, 0.70, 0.62),
    (0.85, 0.74, 0.62),
    (0.58, 0.60, 0.64),
    (0.88, 0.72, 0.56),
    (0.70, 0.76, 0.84),
)
ROOFS: tuple[Rgb01, ...] = (
    (0.58, 0.30, 0.22),
    (0.46, 0.26, 0.22),
    (0.34, 0.34, 0.37),
    (0.42, 0.36, 0.32),
)
LEAVES: tuple[Rgb01, ...] = (
    (0.34, 0.48, 0.20),
    (0.26, 0.42, 0.20),
    (0.42, 0.50, 0.22),
    (0.22, 0.36, 0.24),
    (0.55, 0.48, 0.18),
    (0.60, 0.40, 0.18),
)
EVERGREEN = LEAVES[:4]
TREES = ('round_tree', 'round_tree', 'wide_tree', 'wide_tree', 'tall_tree', 'conifer')
STREET_TREES = ('round_tree', 'wide_tree', 'tall_tree')  # crowns above the cars
BARK: tuple[Rgb01, ...] = ((0.36, 0.28, 0.22), (0.44, 0.40, 0.35))
SIGNS: tuple[Rgb01, ...] = ((0.82, 0.10, 0.12), (0.10, 0.30, 0.70), (0.90, 0.75, 0.10))


@dataclass(frozen=True, slots=True)
class Kerbside:
    """One side of one block: where its parts begin, and the dice they are thrown with."""

    street: Street
    side: Side
    begin_s: float
    end_s: float
    rng: np.random.Generator

    @property
    def kerb_d(self) -> float:
        """Give the distance of the kerb from the middle of the street."""
        return abs(self.street.kerb_offsets()[0 if self.side > 0 else 1])

    @property
    def walk_m(self) -> float:
        """Give the width of the sidewalk."""
        return self.street.walk_m[0 if self.side > 0 else 1]

    def put(
        self,
        prefab: str,
        s: float,
        out_m: float,
        *,
        z: float = KERB_M,
        turn: float = 0.0,
        scale: tuple[float, float, float] = (1.0, 1.0, 1.0),
        primary: Rgb01 = (0.5, 0.5, 0.5),
        secondary: Rgb01 = (0.3, 0.3, 0.3),
        style: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
    ) -> Placed:
        """Place a thing ``out_m`` metres beyond the middle, facing along +s plus ``turn``."""
        x, y, yaw = self.street.pose(s, self.side * out_m)
        return Placed(prefab, x, y, z, yaw + turn, scale, primary, secondary, style)

    def one_of(self, choices: tuple[Rgb01, ...]) -> Rgb01:
        """Draw a colour and vary it a little."""
        colour = np.array(choices[int(self.rng.integers(len(choices)))])
        r, g, b = np.clip(colour * self.rng.uniform(0.9, 1.1, 3), 0, 1).tolist()
        return r, g, b

    def draw(self, low: float, high: float) -> float:
        """Draw evenly from an interval."""
        return float(self.rng.uniform(low, high))


def tree(
    k: Kerbside, s: float, out_m: float, size: float, kinds: tuple[str, ...] = TREES
) -> Placed:
    """Grow a tree of one of some kinds, turned and coloured by chance."""
    prefab = kinds[int(k.rng.integers(len(kinds)))]
    leaves = k.one_of(EVERGREEN if prefab == 'conifer' else LEAVES)
    return k.put(
        prefab,
        s,
        out_m,
        turn=k.draw(0, 6.28),
        primary=leaves,
        scale=(size, size, size * k.draw(0.9, 1.2)),
        secondary=k.one_of(BARK),
    )


def car(rng: np.random.Generator, street: Street, s: float, d: float, *, turn: float) -> Placed:
    """Give a car of some kind and colour at (s, d)."""
    x, y, yaw = street.pose(s, d)
    colour = CAR_COLOURS[int(rng.integers(len(CAR_COLOURS)))]
    size = float(rng.uniform(0.96, 1.05))
    kind = CAR_KINDS[int(rng.choice(len(CAR_KINDS), p=(0.27, 0.27, 0.17, 0.19, 0.10)))]
    return Placed(kind, x, y, 0.0, yaw + turn, (size, size, size), colour, (0.8, 0.8, 0.8))
