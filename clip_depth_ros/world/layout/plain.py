# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The plain street: town houses, gardens or a park on either side, a parking strip, lamps and trees.

The order in which random numbers are drawn is part of what a seed means.
"""

from __future__ import annotations

from collections.abc import Iterator
import itertools
from typing import NamedTuple

from clip_depth_ros.world.layout.kerbside import (
    BARK,
    bush,
    EVERGREEN,
    facade,
    house,
    Kerbside,
    ROOFS,
    Side,
    SIGNS,
    STREET_TREES,
    tree,
    WALLS,
)
from clip_depth_ros.world.street import KERB_M
from clip_depth_ros.world.things import Placed
from clip_depth_ros.world.traffic import car
import numpy as np


class _Character(NamedTuple):
    """Shares of the kinds of frontage along one side of a drive, and of taken parking places."""

    town: float
    suburb: float
    park: float
    parked: float


def _character(seed: int, side: Side) -> _Character:
    rng = np.random.default_rng((seed, 5, side + 1))
    town_share, park_share = float(rng.uniform(0, 1)), float(rng.uniform(0, 0.35))
    built = 1 - park_share
    suburb_share = (1 - town_share) * built
    parked_share = float(rng.uniform(0.15, 0.85))
    return _Character(town_share * built, suburb_share, park_share, parked_share)


def plain_things(k: Kerbside, seed: int) -> list[Placed]:
    """Return what stands on one side of a block of a plain street."""
    character = _character(seed, k.side)
    frontage = (town, suburb, park)[int(k.rng.choice(3, p=character[:3]))]
    fixed = (kerb_strip(k), parked_cars(k, character.parked), corner(k), backdrop(k))
    return [*frontage(k), *itertools.chain(*fixed)]


def town(k: Kerbside) -> Iterator[Placed]:
    """Stand tall houses wall to wall at the sidewalk."""
    base = k.draw(7, 18)
    square = k.draw(4, 14) if k.rng.random() < 0.25 else 0.0  # an open place in front
    s = k.begin_s
    while k.end_s - s > 7:
        length = min(k.draw(9, 22), k.end_s - s)
        depth, height = k.draw(9, 14), max(5.5, base * k.draw(0.7, 1.35))
        prefab = 'stepped_block' if k.rng.random() < 0.2 else 'block'
        out = k.edge_d + square + depth / 2 + k.draw(0, 0.4)
        yield house(k, prefab, s, out, (length, depth, height), WALLS, use=1.0)
        s += length + (k.draw(3, 8) if k.rng.random() < 0.12 else 0.0)


def suburb(k: Kerbside) -> Iterator[Placed]:
    """Stand houses in gardens, with fences or hedges in front."""
    setback = k.draw(3, 7)
    s = k.begin_s + k.draw(0, 3)
    while k.end_s - s > 9:
        length, depth = min(k.draw(8, 13), k.end_s - s), k.draw(7, 10)
        prefab = 'gabled_house' if k.rng.random() < 0.6 else 'hipped_house'
        out = k.edge_d + setback + depth / 2
        roof, wall = k.one_of(ROOFS), k.one_of(WALLS)
        height = k.draw(6.5, 9.5)
        size, style = (length, depth, height), facade(k, use=0.0)
        at = s + length / 2
        yield k.put(prefab, at, out, scale=size, primary=wall, secondary=roof, style=style)
        at, size = s + length * k.draw(0.25, 0.75), (0.7, 0.7, height * 0.36)
        yield k.put('chimney', at, out, scale=size, primary=roof)._replace(z=height * 0.7)
        yield from garden(k, s, length, setback)
        s += length + k.draw(3, 9)


def garden(k: Kerbside, s: float, length: float, setback: float) -> Iterator[Placed]:
    front = k.edge_d
    if k.rng.random() < 0.75:
        prefab, colour, thick = 'hedge', k.one_of(EVERGREEN), k.draw(0.5, 0.9)
        if k.rng.random() < 0.45:
            prefab, colour, thick = 'fence', k.one_of(WALLS), 0.08
        size = (length * k.draw(0.7, 1.0), thick, k.draw(0.8, 1.6))
        yield k.put(prefab, s + length / 2, front + 0.5, scale=size, primary=colour)
    for _ in range(int(k.rng.integers(0, 3))):
        at, out = s + k.draw(0, length), front + k.draw(1.2, max(1.3, setback - 1.2))
        if k.rng.random() < 0.4:
            yield tree(k, at, out + 1.0, k.draw(0.7, 1.0))
        else:
            yield bush(k, at, out, k.draw(0.7, 1.3))


def park(k: Kerbside) -> Iterator[Placed]:
    """Grow trees and bushes behind a low fence or hedge."""
    front = k.edge_d
    middle, length = (k.begin_s + k.end_s) / 2, k.end_s - k.begin_s
    if k.rng.random() < 0.6:
        size = (6.0, 0.7, k.draw(0.7, 1.3))
        is_hedge = k.rng.random() < 0.6
        prefab = 'hedge' if is_hedge else 'fence'
        colour = k.one_of(EVERGREEN if is_hedge else BARK)
        for s in np.arange(k.begin_s + 3, k.end_s - 3, 6.0 + k.rng.choice([0.0, 2.5])):
            yield k.put(prefab, float(s), front + 0.6, scale=size, primary=colour)
    for _ in range(int(length / 5)):
        at, out = middle + length * k.draw(-0.48, 0.48), front + k.draw(3.0, 24.0)
        yield tree(k, at, out, k.draw(0.8, 1.5))
    for _ in range(int(length / 14)):
        at, out = middle + length * k.draw(-0.48, 0.48), front + k.draw(1.8, 10)
        yield bush(k, at, out, k.draw(0.8, 1.8))


def backdrop(k: Kerbside) -> Iterator[Placed]:
    """Close the view behind gardens and side streets with distant blocks and trees."""
    s = k.begin_s - k.street.crossing_m
    while s < k.end_s:
        length = k.draw(14, 28)
        out = k.kerb_d + k.draw(42, 62)
        if k.rng.random() < 0.7:
            size = (length, 14, k.draw(7, 20))
            yield house(k, 'block', s, out, size, ROOFS, use=2.0)
        else:
            yield tree(k, s + length / 2, out - 8, k.draw(1.4, 2.0))
        s += length + k.draw(0, 8)


def kerb_strip(k: Kerbside) -> Iterator[Placed]:
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
                yield tree(k, float(s), out + 0.2, size * k.draw(0.9, 1.15), STREET_TREES)
    if k.rng.random() < 0.3:
        for s in np.arange(k.begin_s + 1.5, k.begin_s + 12, 1.8):
            yield k.put('bollard', float(s), out - 0.1)


def parked_cars(k: Kerbside, density: float) -> Iterator[Placed]:
    strip = k.parking_m
    if not strip:
        return
    d = k.side * (k.kerb_d - strip / 2)
    for s in np.arange(k.begin_s + 7, k.end_s - 6, 5.9):
        if k.rng.random() < density:
            at = float(s) + k.draw(-0.4, 0.4)
            turn = k.draw(-0.03, 0.03) + (np.pi if k.side > 0 else 0.0)
            yield car(k.rng, k.street, at, d, turn=turn)


def corner(k: Kerbside) -> Iterator[Placed]:
    """Put signs, lights and a waiting car at the crossing street."""
    out = k.kerb_d + 0.6
    facing = 0.0 if k.side < 0 else np.pi  # plates face the traffic they are for
    if k.rng.random() < 0.5:
        s = k.begin_s - k.street.crossing_m - 1.0 if k.side < 0 else k.begin_s + 1
        lit = float(k.rng.integers(3))
        yield k.put('traffic_light', s, out, turn=facing, style=(lit, 0, 0, 0))
    for share in (0.3, 0.75):
        if k.rng.random() < 0.6:
            prefab = 'round_sign' if k.rng.random() < 0.7 else 'board_sign'
            s = k.begin_s + (k.end_s - k.begin_s) * share + k.draw(-4, 4)
            colour = k.one_of(SIGNS)
            style = (k.draw(0, 1), 0.0, 0.0, 0.0)
            yield k.put(prefab, s, out, turn=facing, primary=colour, style=style)
    if k.rng.random() < 0.5:
        s = k.begin_s - k.street.crossing_m / 2 + k.side * 2.0
        d = k.side * (out + k.walk_m + k.draw(1.5, 12))
        yield car(k.rng, k.street, s, d, turn=-k.side * np.pi / 2)._replace(z=KERB_M)
