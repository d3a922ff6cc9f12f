# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What stands still along a street: buildings, gardens, trees, lamps, signs and parked cars.

Each side of each block between two crossing streets is drawn on its own from (seed, side,
block), so any stretch of the street can be built without the stretches before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from clip_depth_ros.world.frontages import backdrop, park, suburb, town
from clip_depth_ros.world.kerbside import car, Kerbside, Side, SIGNS, STREET_TREES, tree
from clip_depth_ros.world.shapes import Placed
from clip_depth_ros.world.street import CROSSING_M, KERB_M, Street
import numpy as np

_SIDES: tuple[Side, Side] = (-1, 1)


class _Character(NamedTuple):
    """Shares of the kinds of frontage along one side of a drive, and of taken parking places."""

    town: float
    suburb: float
    park: float
    parked: float


def block_things(street: Street, seed: int, block: int) -> list[Placed]:
    """Give all that stands still in a block, its crossing street included."""
    start = street.block_start(block)
    things: list[Placed] = []
    for side in _SIDES:
        rng = np.random.default_rng((seed, 4, side + 1, block + 100_000))
        kerbside = Kerbside(street, side, start + CROSSING_M, start + street.block_m, rng)
        things += _side_things(kerbside, _character(seed, side))
    return things


def _character(seed: int, side: Side) -> _Character:
    rng = np.random.default_rng((seed, 5, side + 1))
    town_share, park_share = float(rng.uniform(0, 1)), float(rng.uniform(0, 0.35))
    built = 1 - park_share
    return _Character(
        town=town_share * built,
        suburb=(1 - town_share) * built,
        park=park_share,
        parked=float(rng.uniform(0.15, 0.85)),
    )


def _side_things(k: Kerbside, character: _Character) -> list[Placed]:
    frontage = (town, suburb, park)[int(k.rng.choice(3, p=character[:3]))]
    return [
        *frontage(k),
        *_kerb_strip(k),
        *_parked_cars(k, character.parked),
        *_corner(k),
        *backdrop(k),
    ]


def _kerb_strip(k: Kerbside) -> Iterator[Placed]:
    """Set lamps, street trees, signs and bollards along the kerb."""
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


def _parked_cars(k: Kerbside, density: float) -> Iterator[Placed]:
    strip = k.street.parking_m[0 if k.side > 0 else 1]
    if not strip:
        return
    out = k.kerb_d - strip / 2
    for s in np.arange(k.begin_s + 7, k.end_s - 6, 5.9):
        if k.rng.random() < density:
            yield car(
                k.rng,
                k.street,
                float(s) + k.draw(-0.4, 0.4),
                k.side * out,
                turn=k.draw(-0.03, 0.03) + (np.pi if k.side > 0 else 0.0),
            )


def _corner(k: Kerbside) -> Iterator[Placed]:
    """Put signs, lights and a waiting car at the crossing street."""
    out = k.kerb_d + 0.6
    facing = 0.0 if k.side < 0 else np.pi  # plates look at whom they are for
    if k.rng.random() < 0.5:
        yield k.put(
            'traffic_light',
            k.begin_s - CROSSING_M - 1.0 if k.side < 0 else k.begin_s + 1,
            out,
            turn=facing,
            style=(float(k.rng.integers(3)), 0, 0, 0),
        )
    for share in (0.3, 0.75):
        if k.rng.random() < 0.6:
            prefab = 'round_sign' if k.rng.random() < 0.7 else 'board_sign'
            s = k.begin_s + (k.end_s - k.begin_s) * share + k.draw(-4, 4)
            yield k.put(
                prefab, s, out, turn=facing, primary=k.one_of(SIGNS), style=(k.draw(0, 1), 0, 0, 0)
            )
    if k.rng.random() < 0.5:
        s = k.begin_s - CROSSING_M / 2 + k.side * 2.0
        waiting = car(
            k.rng,
            k.street,
            s,
            k.side * (out + k.walk_m + k.draw(1.5, 12)),
            turn=-k.side * np.pi / 2,
        )
        yield waiting._replace(z=KERB_M)
