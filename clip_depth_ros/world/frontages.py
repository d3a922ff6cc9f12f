# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What faces a street behind its sidewalk: town houses, gardens, a park, and a backdrop."""

from __future__ import annotations

from collections.abc import Iterator

from clip_depth_ros.world.kerbside import (
    BARK,
    EVERGREEN,
    Kerbside,
    LEAVES,
    ROOFS,
    tree,
    WALLS,
)
from clip_depth_ros.world.shapes import Placed
from clip_depth_ros.world.street import CROSSING_M
import numpy as np


def town(k: Kerbside) -> Iterator[Placed]:
    """Stand tall houses wall to wall at the sidewalk."""
    base = k.draw(7, 18)
    square = k.draw(4, 14) if k.rng.random() < 0.25 else 0.0  # an open place in front
    s = k.begin_s
    while k.end_s - s > 7:
        length = min(k.draw(9, 22), k.end_s - s)
        depth, height = k.draw(9, 14), max(5.5, base * k.draw(0.7, 1.35))
        prefab = 'stepped_block' if k.rng.random() < 0.2 else 'block'
        out = k.kerb_d + k.walk_m + square + depth / 2 + k.draw(0, 0.4)
        yield k.put(
            prefab,
            s + length / 2,
            out,
            scale=(length, depth, height),
            primary=k.one_of(WALLS),
            secondary=k.one_of(WALLS),
            style=_facade(k, 1.0),
        )
        s += length + (k.draw(3, 8) if k.rng.random() < 0.12 else 0.0)


def suburb(k: Kerbside) -> Iterator[Placed]:
    """Stand houses in gardens, with fences or hedges in front."""
    setback = k.draw(3, 7)
    s = k.begin_s + k.draw(0, 3)
    while k.end_s - s > 9:
        length, depth = min(k.draw(8, 13), k.end_s - s), k.draw(7, 10)
        prefab = 'gabled_house' if k.rng.random() < 0.6 else 'hipped_house'
        out = k.kerb_d + k.walk_m + setback + depth / 2
        roof, wall = k.one_of(ROOFS), k.one_of(WALLS)
        height = k.draw(6.5, 9.5)
        yield k.put(
            prefab,
            s + length / 2,
            out,
            scale=(length, depth, height),
            primary=wall,
            secondary=roof,
            style=_facade(k, 0.0),
        )
        yield k.put(
            'chimney',
            s + length * k.draw(0.25, 0.75),
            out,
            z=height * 0.7,
            scale=(0.7, 0.7, height * 0.36),
            primary=roof,
        )
        yield from _garden(k, s, length, setback)
        s += length + k.draw(3, 9)


def _garden(k: Kerbside, s: float, length: float, setback: float) -> Iterator[Placed]:
    front = k.kerb_d + k.walk_m
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
            yield _bush(k, at, out, k.draw(0.7, 1.3))


def park(k: Kerbside) -> Iterator[Placed]:
    """Grow trees and bushes behind a low fence or hedge."""
    front = k.kerb_d + k.walk_m
    middle, length = (k.begin_s + k.end_s) / 2, k.end_s - k.begin_s
    if k.rng.random() < 0.6:
        size = (6.0, 0.7, k.draw(0.7, 1.3))
        prefab, colour = (
            ('hedge', k.one_of(EVERGREEN)) if k.rng.random() < 0.6 else ('fence', k.one_of(BARK))
        )
        for s in np.arange(k.begin_s + 3, k.end_s - 3, 6.0 + k.rng.choice([0.0, 2.5])):
            yield k.put(prefab, float(s), front + 0.6, scale=size, primary=colour)
    for _ in range(int(length / 5)):
        yield tree(
            k, middle + length * k.draw(-0.48, 0.48), front + k.draw(3.0, 24.0), k.draw(0.8, 1.5)
        )
    for _ in range(int(length / 14)):
        at = middle + length * k.draw(-0.48, 0.48)
        yield _bush(k, at, front + k.draw(1.8, 10), k.draw(0.8, 1.8))


def _bush(k: Kerbside, s: float, out_m: float, size: float) -> Placed:
    return k.put('bush', s, out_m, scale=(size, size, size), primary=k.one_of(LEAVES))


def backdrop(k: Kerbside) -> Iterator[Placed]:
    """Close the view behind gardens and side streets with distant blocks and trees."""
    s = k.begin_s - CROSSING_M
    while s < k.end_s:
        length = k.draw(14, 28)
        out = k.kerb_d + k.draw(42, 62)
        if k.rng.random() < 0.7:
            yield k.put(
                'block',
                s + length / 2,
                out,
                scale=(length, 14, k.draw(7, 20)),
                primary=k.one_of(WALLS),
                secondary=k.one_of(ROOFS),
                style=_facade(k, 2.0),
            )
        else:
            yield tree(k, s + length / 2, out - 8, k.draw(1.4, 2.0))
        s += length + k.draw(0, 8)


def _facade(k: Kerbside, use: float) -> tuple[float, float, float, float]:
    """Draw the look of a front: window spacing and storey height (m), use + share of glass."""
    return k.draw(1.7, 3.2), k.draw(2.7, 3.4), use + k.draw(0.2, 0.75), k.draw(0, 255)
