# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One side of one block: where it lies, how things are put there, and what is used all over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from clip_depth_ros.world.street import KERB_M, Street
from clip_depth_ros.world.things import Placed, Rgb01
from clip_depth_ros.world.traffic import pick
import numpy as np

T = TypeVar('T')

WALLS: tuple[Rgb01, ...] = (
    (0.84, 0.80, 0.72), (0.78, 0.66, 0.50), (0.68, 0.42, 0.34), (0.60, 0.34, 0.28),
    (0.74, 0.76, 0.78), (0.90, 0.87, 0.80), (0.66, 0.70, 0.62), (0.85, 0.74, 0.62),
    (0.58, 0.60, 0.64), (0.88, 0.72, 0.56), (0.70, 0.76, 0.84),
)
ROOFS: tuple[Rgb01, ...] = (
    (0.58, 0.30, 0.22), (0.46, 0.26, 0.22), (0.34, 0.34, 0.37), (0.42, 0.36, 0.32),
)
LEAVES: tuple[Rgb01, ...] = (
    (0.34, 0.48, 0.20), (0.26, 0.42, 0.20), (0.42, 0.50, 0.22), (0.22, 0.36, 0.24),
    (0.55, 0.48, 0.18), (0.60, 0.40, 0.18),
)
EVERGREEN = LEAVES[:4]
TREES = ('round_tree', 'round_tree', 'wide_tree', 'wide_tree', 'tall_tree', 'conifer')
STREET_TREES = ('round_tree', 'wide_tree', 'tall_tree')  # crowns above the cars
BARK: tuple[Rgb01, ...] = ((0.36, 0.28, 0.22), (0.44, 0.40, 0.35))
SIGNS: tuple[Rgb01, ...] = ((0.82, 0.10, 0.12), (0.10, 0.30, 0.70), (0.90, 0.75, 0.10))

Side = Literal[-1, 1]
SIDES: tuple[Side, Side] = (-1, 1)
"""1 is left of the driving camera, -1 right."""


@dataclass(frozen=True, slots=True)
class Kerbside:
    """
    One side of one block: the stretch of s that it covers, and the generator to draw from.

    Fronts begin ``beyond_m`` behind the sidewalk.
    """

    street: Street
    side: Side
    begin_s: float
    end_s: float
    rng: np.random.Generator
    beyond_m: float = 0.0

    @property
    def kerb_d(self) -> float:
        """Distance of the kerb from the middle of the street, metres."""
        return abs(self.street.kerb_offsets()[0 if self.side > 0 else 1])

    @property
    def parking_m(self) -> float:
        """Width of the parking strip, 0 for none."""
        return self.street.parking_m[0 if self.side > 0 else 1]

    @property
    def walk_m(self) -> float:
        """Width of the sidewalk."""
        return self.street.walk_m[0 if self.side > 0 else 1]

    @property
    def edge_d(self) -> float:
        """Distance from the middle of the street of where fronts may begin."""
        return self.kerb_d + self.walk_m + self.beyond_m

    def put(
        self,
        prefab: str,
        s: float,
        out_m: float,
        *,
        turn: float = 0.0,
        z: float = KERB_M,
        **look: Any,
    ) -> Placed:
        """Place a thing ``out_m`` metres from the middle, facing along +s plus ``turn``."""
        x, y, yaw = self.street.pose(s, self.side * out_m)
        return Placed(prefab, x, y, z, yaw + turn, **look)

    def any_colour(self) -> Rgb01:
        """Draw a colour of any kind."""
        r, g, b = self.rng.uniform(0.03, 0.97, 3).tolist()
        return r, g, b

    def is_so(self, share: float) -> bool:
        """Draw yes or no."""
        return bool(self.rng.random() < share)

    def pick(self, choices: Sequence[T]) -> T:
        """Draw one of some."""
        return pick(self.rng, choices)

    def one_of(self, choices: tuple[Rgb01, ...]) -> Rgb01:
        """Draw a colour and vary it a little."""
        colour = np.array(self.pick(choices))
        r, g, b = np.clip(colour * self.rng.uniform(0.9, 1.1, 3), 0, 1).tolist()
        return r, g, b

    def draw(self, low: float, high: float) -> float:
        """Draw uniformly from an interval."""
        return float(self.rng.uniform(low, high))


def house(
    k: Kerbside,
    prefab: str,
    s: float,
    out_m: float,
    size: tuple[float, float, float],
    trims: tuple[Rgb01, ...],
    *,
    use: float,
) -> Placed:
    """Stand a building of ``size`` (length, depth, height) with its near corner at ``s``."""
    wall, trim = k.one_of(WALLS), k.one_of(trims)
    style = facade(k, use)
    return k.put(
        prefab, s + size[0] / 2, out_m, scale=size, primary=wall, secondary=trim, style=style
    )


def facade(k: Kerbside, use: float) -> tuple[float, float, float, float]:
    """Draw the look of a front: window spacing and storey height (m), use + share of glass."""
    return k.draw(1.7, 3.2), k.draw(2.7, 3.4), use + k.draw(0.2, 0.75), k.draw(0, 255)


def tree(
    k: Kerbside, s: float, out_m: float, size: float, kinds: tuple[str, ...] = TREES
) -> Placed:
    """Grow a tree of one of some kinds, turned and coloured by chance."""
    prefab = k.pick(kinds)
    leaves = k.one_of(EVERGREEN if prefab == 'conifer' else LEAVES)
    turn = k.draw(0, 6.28)
    scale = (size, size, size * k.draw(0.9, 1.2))
    bark = k.one_of(BARK)
    return k.put(prefab, s, out_m, turn=turn, primary=leaves, scale=scale, secondary=bark)


def bush(k: Kerbside, s: float, out_m: float, size: float) -> Placed:
    return k.put('bush', s, out_m, scale=(size, size, size), primary=k.one_of(LEAVES))
