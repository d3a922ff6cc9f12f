# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Shade of what is not there: trees and buildings out of view, as a pattern that the sun throws.

The pattern lies in the plane z = 0 and is followed along the sun's rays, so it falls on the
ground and on walls alike. It costs no ray.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from clip_depth_ros.world.look.manner import Manner
from clip_depth_ros.world.look.patterns import chance, soft_clouds
from clip_depth_ros.world.things import Floats
import numpy as np


class Shade(NamedTuple):
    """
    The pattern of one drive.

    ``none``; ``leaves`` (flecks of sun under crowns that cover a share of the ground); ``blocks``
    (of shade, as of houses); sizes in metres, ``flecks`` -1 for dense crowns to 1 for bare ones.
    """

    kind: Literal['none', 'leaves', 'blocks'] = 'none'
    cover: float = 0.0
    size_m: float = 10.0
    leaf_m: float = 1.0
    flecks: float = 0.0
    edge: float = 4.0
    turn_rad: float = 0.0


def shade_of(seed: int, manner: Manner) -> Shade:
    """Draw the shade of a seed: none for plain ones, and for two in five of the others."""
    if manner == 'plain':
        return Shade()
    rng = np.random.default_rng((seed, 31))
    kinds: tuple[Literal['none', 'leaves', 'blocks'], ...] = ('none', 'leaves', 'blocks')
    return Shade(
        kind=kinds[int(rng.choice(3, p=(0.4, 0.35, 0.25)))],
        cover=float(rng.uniform(0.2, 0.85)),
        size_m=float(np.exp(rng.uniform(np.log(3), np.log(40)))),
        leaf_m=float(np.exp(rng.uniform(np.log(0.5), np.log(5)))),
        flecks=float(rng.uniform(-0.8, 0.8)),
        edge=float(np.exp(rng.uniform(0, 2.3))),
        turn_rad=float(rng.uniform(0, 1.57)),
    )


def open_to_sun(shade: Shade, to_sun: Floats, origin_m: Floats, reach: Floats) -> Floats:
    """
    Return the share of the sun that the pattern lets through, float32 (M,) in [0, 1].

    The points are ``reach``, float32 (3, M), from ``origin_m``, float64 (3,), world, metres.
    """
    if shade.kind == 'none':
        return np.ones(reach.shape[1], np.float32)
    slope = to_sun[:2] / to_sun[2]
    start = origin_m[:2] - origin_m[2] * slope
    c, s = np.float32(np.cos(shade.turn_rad)), np.float32(np.sin(shade.turn_rad))
    flat = reach[:2] - reach[2] * slope.astype(np.float32)[:, None]

    def across(size_m: float) -> tuple[Floats, Floats]:
        # Patterns repeat after 256 sizes at most: folded in float64, float32 is enough here.
        x, y = flat + np.mod(start, 256 * size_m).astype(np.float32)[:, None]
        return (c * x + s * y) / np.float32(size_m), (c * y - s * x) / np.float32(size_m)

    if shade.kind == 'blocks':
        u, v = across(shade.size_m)
        wide = chance(u, np.floor(v / 2), 31) < shade.cover * 0.6
        blocks: Floats = np.where(wide | (chance(u * 3, v, 32) < 0.1), 0.0, 1.0)
        return blocks.astype(np.float32)
    edge = np.float32(shade.edge)
    cover = np.float32(2 * shade.cover - 1)
    crowns = np.clip((soft_clouds(*across(shade.size_m)) + cover) * edge, 0, 1)
    gaps = np.clip((soft_clouds(*across(shade.leaf_m)) + np.float32(shade.flecks)) * edge, 0, 1)
    return np.asarray(1 - crowns * (1 - gaps), np.float32)
