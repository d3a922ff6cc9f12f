# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What stands still along a street: buildings, gardens, trees, lamps, signs and parked cars.

Each side of each block between two crossing streets is drawn on its own from (seed, side,
block), so any stretch of the street can be built without the stretches before it. The order in
which random numbers are drawn is part of what a seed means.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import itertools
from typing import Any, Literal, NamedTuple

from clip_depth_ros.world.street import CROSSING_M, KERB_M, Street
from clip_depth_ros.world.things import Placed, Rgb01
from clip_depth_ros.world.traffic import car
import numpy as np

_WALLS: tuple[Rgb01, ...] = (
    (0.84, 0.80, 0.72), (0.78, 0.66, 0.50), (0.68, 0.42, 0.34), (0.60, 0.34, 0.28),
    (0.74, 0.76, 0.78), (0.90, 0.87, 0.80), (0.66, 0.70, 0.62), (0.85, 0.74, 0.62),
    (0.58, 0.60, 0.64), (0.88, 0.72, 0.56), (0.70, 0.76, 0.84),
)
_ROOFS: tuple[Rgb01, ...] = (
    (0.58, 0.30, 0.22), (0.46, 0.26, 0.22), (0.34, 0.34, 0.37), (0.42, 0.36, 0.32),
)
_LEAVES: tuple[Rgb01, ...] = (
    (0.34, 0.48, 0.20), (0.26, 0.42, 0.20), (0.42, 0.50, 0.22), (0.22, 0.36, 0.24),
    (0.55, 0.48, 0.18), (0.60, 0.40, 0.18),
)
_EVERGREEN = _LEAVES[:4]
_TREES = ('round_tree', 'round_tree', 'wide_tree', 'wide_tree', 'tall_tree', 'conifer')
_STREET_TREES = ('round_tree', 'wide_tree', 'tall_tree')  # crowns above the cars
_BARK: tuple[Rgb01, ...] = ((0.36, 0.28, 0.22), (0.44, 0.40, 0.35))
_SIGNS: tuple[Rgb01, ...] = ((0.82, 0.10, 0.12), (0.10, 0.30, 0.70), (0.90, 0.75, 0.10))

_Side = Literal[-1, 1]
_SIDES: tuple[_Side, _Side] = (-1, 1)
"""1 is left of the driving camera, -1 right."""


def block_things(street: Street, seed: int, block: int) -> list[Placed]:
    """Return all that stands still in a block, including its crossing street."""
    start = street.block_start(block)
    things: list[Placed] = []
    for side in _SIDES:
        rng = np.random.default_rng((seed, 4, side + 1, block + 100_000))
        kerbside = _Kerbside(street, side, start + CROSSING_M, start + street.block_m, rng)
        things += _side_things(kerbside, _character(seed, side))
    return things


class _Character(NamedTuple):
    """Shares of the kinds of frontage along one side of a drive, and of taken parking places."""

    town: float
    suburb: float
    park: float
    parked: float


def _character(seed: int, side: _Side) -> _Character:
    rng = np.random.default_rng((seed, 5, side + 1))
    town_share, park_share = float(rng.uniform(0, 1)), float(rng.uniform(0, 0.35))
    built = 1 - park_share
    suburb_share = (1 - town_share) * built
    parked_share = float(rng.uniform(0.15, 0.85))
    return _Character(town_share * built, suburb_share, park_share, parked_share)


@dataclass(frozen=True, slots=True)
class _Kerbside:
    """One side of one block: the stretch of s that it covers, and the generator to draw from."""

    street: Street
    side: _Side
    begin_s: float
    end_s: float
    rng: np.random.Generator

    @property
    def kerb_d(self) -> float:
        """Distance of the kerb from the middle of the street, metres."""
        return abs(self.street.kerb_offsets()[0 if self.side > 0 else 1])

    @property
    def walk_m(self) -> float:
        """Width of the sidewalk."""
        return self.street.walk_m[0 if self.side > 0 else 1]

    def put(
        self, prefab: str, s: float, out_m: float, *, turn: float = 0.0, **look: Any
    ) -> Placed:
        """Place a thing ``out_m`` metres from the middle, facing along +s plus ``turn``."""
        x, y, yaw = self.street.pose(s, self.side * out_m)
        return Placed(prefab, x, y, KERB_M, yaw + turn, **look)

    def one_of(self, choices: tuple[Rgb01, ...]) -> Rgb01:
        """Draw a colour and vary it a little."""
        colour = np.array(choices[int(self.rng.integers(len(choices)))])
        r, g, b = np.clip(colour * self.rng.uniform(0.9, 1.1, 3), 0, 1).tolist()
        return r, g, b

    def draw(self, low: float, high: float) -> float:
        """Draw uniformly from an interval."""
        return float(self.rng.uniform(low, high))


def _side_things(k: _Kerbside, character: _Character) -> list[Placed]:
    frontage = (_town, _suburb, _park)[int(k.rng.choice(3, p=character[:3]))]
    fixed = (_kerb_strip(k), _parked_cars(k, character.parked), _corner(k), _backdrop(k))
    return [*frontage(k), *itertools.chain(*fixed)]


def _town(k: _Kerbside) -> Iterator[Placed]:
    """Stand tall houses wall to wall at the sidewalk."""
    base = k.draw(7, 18)
    square = k.draw(4, 14) if k.rng.random() < 0.25 else 0.0  # an open place in front
    s = k.begin_s
    while k.end_s - s > 7:
        length = min(k.draw(9, 22), k.end_s - s)
        depth, height = k.draw(9, 14), max(5.5, base * k.draw(0.7, 1.35))
        prefab = 'stepped_block' if k.rng.random() < 0.2 else 'block'
        out = k.kerb_d + k.walk_m + square + depth / 2 + k.draw(0, 0.4)
        yield _house(k, prefab, s, out, (length, depth, height), _WALLS, use=1.0)
        s += length + (k.draw(3, 8) if k.rng.random() < 0.12 else 0.0)


def _suburb(k: _Kerbside) -> Iterator[Placed]:
    """Stand houses in gardens, with fences or hedges in front."""
    setback = k.draw(3, 7)
    s = k.begin_s + k.draw(0, 3)
    while k.end_s - s > 9:
        length, depth = min(k.draw(8, 13), k.end_s - s), k.draw(7, 10)
        prefab = 'gabled_house' if k.rng.random() < 0.6 else 'hipped_house'
        out = k.kerb_d + k.walk_m + setback + depth / 2
        roof, wall = k.one_of(_ROOFS), k.one_of(_WALLS)
        height = k.draw(6.5, 9.5)
        size, style = (length, depth, height), _facade(k, use=0.0)
        at = s + length / 2
        yield k.put(prefab, at, out, scale=size, primary=wall, secondary=roof, style=style)
        at, size = s + length * k.draw(0.25, 0.75), (0.7, 0.7, height * 0.36)
        yield k.put('chimney', at, out, scale=size, primary=roof)._replace(z=height * 0.7)
        yield from _garden(k, s, length, setback)
        s += length + k.draw(3, 9)


def _garden(k: _Kerbside, s: float, length: float, setback: float) -> Iterator[Placed]:
    front = k.kerb_d + k.walk_m
    if k.rng.random() < 0.75:
        prefab, colour, thick = 'hedge', k.one_of(_EVERGREEN), k.draw(0.5, 0.9)
        if k.rng.random() < 0.45:
            prefab, colour, thick = 'fence', k.one_of(_WALLS), 0.08
        size = (length * k.draw(0.7, 1.0), thick, k.draw(0.8, 1.6))
        yield k.put(prefab, s + length / 2, front + 0.5, scale=size, primary=colour)
    for _ in range(int(k.rng.integers(0, 3))):
        at, out = s + k.draw(0, length), front + k.draw(1.2, max(1.3, setback - 1.2))
        if k.rng.random() < 0.4:
            yield _tree(k, at, out + 1.0, k.draw(0.7, 1.0))
        else:
            yield _bush(k, at, out, k.draw(0.7, 1.3))


def _park(k: _Kerbside) -> Iterator[Placed]:
    """Grow trees and bushes behind a low fence or hedge."""
    front = k.kerb_d + k.walk_m
    middle, length = (k.begin_s + k.end_s) / 2, k.end_s - k.begin_s
    if k.rng.random() < 0.6:
        size = (6.0, 0.7, k.draw(0.7, 1.3))
        is_hedge = k.rng.random() < 0.6
        prefab = 'hedge' if is_hedge else 'fence'
        colour = k.one_of(_EVERGREEN if is_hedge else _BARK)
        for s in np.arange(k.begin_s + 3, k.end_s - 3, 6.0 + k.rng.choice([0.0, 2.5])):
            yield k.put(prefab, float(s), front + 0.6, scale=size, primary=colour)
    for _ in range(int(length / 5)):
        at, out = middle + length * k.draw(-0.48, 0.48), front + k.draw(3.0, 24.0)
        yield _tree(k, at, out, k.draw(0.8, 1.5))
    for _ in range(int(length / 14)):
        at, out = middle + length * k.draw(-0.48, 0.48), front + k.draw(1.8, 10)
        yield _bush(k, at, out, k.draw(0.8, 1.8))


def _backdrop(k: _Kerbside) -> Iterator[Placed]:
    """Close the view behind gardens and side streets with distant blocks and trees."""
    s = k.begin_s - CROSSING_M
    while s < k.end_s:
        length = k.draw(14, 28)
        out = k.kerb_d + k.draw(42, 62)
        if k.rng.random() < 0.7:
            size = (length, 14, k.draw(7, 20))
            yield _house(k, 'block', s, out, size, _ROOFS, use=2.0)
        else:
            yield _tree(k, s + length / 2, out - 8, k.draw(1.4, 2.0))
        s += length + k.draw(0, 8)


def _kerb_strip(k: _Kerbside) -> Iterator[Placed]:
    """Set lamps, street trees and bollards along the kerb."""
    out = k.kerb_d + 0.5
    lamps = k.draw(22, 34)
    turn = 0.0 if k.side > 0 else np.pi  # arms reach over the road
    for s in np.arange(k.begin_s + k.draw(2, 8), k.end_s - 2, lamps):
        yield k.put('lamp_post', float(s), out, turn=turn)
    if k.rng.random() < 0.55:
        gap, size = k.draw(7, 16), k.draw(1.0, 1.3)
        for s in np.arange(k.begin_s + k.draw(5, 10), k.end_s - 5, gap):
            if k.rng.random() < 0.85:
                yield _tree(k, float(s), out + 0.2, size * k.draw(0.9, 1.15), _STREET_TREES)
    if k.rng.random() < 0.3:
        for s in np.arange(k.begin_s + 1.5, k.begin_s + 12, 1.8):
            yield k.put('bollard', float(s), out - 0.1)


def _parked_cars(k: _Kerbside, density: float) -> Iterator[Placed]:
    strip = k.street.parking_m[0 if k.side > 0 else 1]
    if not strip:
        return
    d = k.side * (k.kerb_d - strip / 2)
    for s in np.arange(k.begin_s + 7, k.end_s - 6, 5.9):
        if k.rng.random() < density:
            at = float(s) + k.draw(-0.4, 0.4)
            turn = k.draw(-0.03, 0.03) + (np.pi if k.side > 0 else 0.0)
            yield car(k.rng, k.street, at, d, turn=turn)


def _corner(k: _Kerbside) -> Iterator[Placed]:
    """Put signs, lights and a waiting car at the crossing street."""
    out = k.kerb_d + 0.6
    facing = 0.0 if k.side < 0 else np.pi  # plates face the traffic they are for
    if k.rng.random() < 0.5:
        s = k.begin_s - CROSSING_M - 1.0 if k.side < 0 else k.begin_s + 1
        lit = float(k.rng.integers(3))
        yield k.put('traffic_light', s, out, turn=facing, style=(lit, 0, 0, 0))
    for share in (0.3, 0.75):
        if k.rng.random() < 0.6:
            prefab = 'round_sign' if k.rng.random() < 0.7 else 'board_sign'
            s = k.begin_s + (k.end_s - k.begin_s) * share + k.draw(-4, 4)
            colour = k.one_of(_SIGNS)
            style = (k.draw(0, 1), 0.0, 0.0, 0.0)
            yield k.put(prefab, s, out, turn=facing, primary=colour, style=style)
    if k.rng.random() < 0.5:
        s = k.begin_s - CROSSING_M / 2 + k.side * 2.0
        d = k.side * (out + k.walk_m + k.draw(1.5, 12))
        yield car(k.rng, k.street, s, d, turn=-k.side * np.pi / 2)._replace(z=KERB_M)


def _house(
    k: _Kerbside,
    prefab: str,
    s: float,
    out_m: float,
    size: tuple[float, float, float],
    trims: tuple[Rgb01, ...],
    *,
    use: float,
) -> Placed:
    """Stand a building of ``size`` (length, depth, height) with its near corner at ``s``."""
    wall, trim = k.one_of(_WALLS), k.one_of(trims)
    style = _facade(k, use)
    return k.put(
        prefab, s + size[0] / 2, out_m, scale=size, primary=wall, secondary=trim, style=style
    )


def _facade(k: _Kerbside, use: float) -> tuple[float, float, float, float]:
    """Draw the look of a front: window spacing and storey height (m), use + share of glass."""
    return k.draw(1.7, 3.2), k.draw(2.7, 3.4), use + k.draw(0.2, 0.75), k.draw(0, 255)


def _tree(
    k: _Kerbside, s: float, out_m: float, size: float, kinds: tuple[str, ...] = _TREES
) -> Placed:
    """Grow a tree of one of some kinds, turned and coloured by chance."""
    prefab = kinds[int(k.rng.integers(len(kinds)))]
    leaves = k.one_of(_EVERGREEN if prefab == 'conifer' else _LEAVES)
    turn = k.draw(0, 6.28)
    scale = (size, size, size * k.draw(0.9, 1.2))
    bark = k.one_of(_BARK)
    return k.put(prefab, s, out_m, turn=turn, primary=leaves, scale=scale, secondary=bark)


def _bush(k: _Kerbside, s: float, out_m: float, size: float) -> Placed:
    return k.put('bush', s, out_m, scale=(size, size, size), primary=k.one_of(_LEAVES))
