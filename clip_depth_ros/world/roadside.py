# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What stands still along a street, block by block, and that none of it stands in the way.

Each side of each block between two crossing streets is drawn on its own from (seed, side,
block), so any stretch of the street can be built without the stretches before it.
"""

from __future__ import annotations

import itertools

from clip_depth_ros.world.layout.across import across
from clip_depth_ros.world.layout.clutter import clutter, garden_things, habits_of
from clip_depth_ros.world.layout.kerbside import Kerbside, SIDES
from clip_depth_ros.world.layout.places import front, side_street
from clip_depth_ros.world.layout.plain import backdrop, corner, plain_things
from clip_depth_ros.world.prefabs import library
from clip_depth_ros.world.street import Street
from clip_depth_ros.world.things import assemble, Bools, Placed
import numpy as np

CLEAR_M = 0.95
"""Half the width of the corridor about the middle of the right-hand lane that is kept free."""

_ON_FOOT_M = 0.75  # the same for a path that is not in the lane
_OVERHEAD_M = 3.0  # what hangs higher is not in the way


def block_things(
    street: Street, seed: int, block: int, path_d: float | None = None
) -> list[Placed]:
    """
    Return all that stands still in a block, including its crossing street.

    Nothing stands in the right-hand lane, nor where the camera keeps to: the line at ``path_d``.
    """
    plain = street.kind == 'plain'
    things: list[Placed] = []
    for side in SIDES:
        k = _kerbside(street, block, side, (seed, 4 if plain else 44, side + 1))
        things += plain_things(k, seed) if plain else _side_things(k, seed)
    if not plain:
        k = _kerbside(street, block, 1, (seed, 45))
        things += across(k, habits_of(seed))
    free = clear_of(things, street, -street.lane_m / 2, CLEAR_M)
    if path_d is not None and path_d != -street.lane_m / 2:
        free &= clear_of(things, street, path_d, _ON_FOOT_M)
    return list(itertools.compress(things, free.tolist()))


def clear_of(things: list[Placed], street: Street, d: float, reach_m: float) -> Bools:
    """
    Return which things keep out of a corridor that follows the street, bool (N,).

    The corridor is ``reach_m`` wide on both sides of the line at ``d``, and ``_OVERHEAD_M`` high.
    """
    shapes = assemble(library(), things)
    corners = shapes.corners()
    # Points along the foot of each hull: the street may bend between two corners.
    foot, share = corners[:, [0, 1, 3, 2, 0]], np.linspace(0, 1, 6)[:, None]
    rim = foot[:, :-1, None] + (foot[:, 1:, None] - foot[:, :-1, None]) * share
    points = np.concatenate([corners, rim.reshape(len(rim), -1, 3)], axis=1)
    course, slope = street.course(points[:, :, 0])
    aside = (points[:, :, 1] - course) / np.sqrt(1 + slope * slope) - d
    blocks = (aside.min(1) < reach_m) & (aside.max(1) > -reach_m)
    blocks &= corners[:, :, 2].min(1) < _OVERHEAD_M
    free = np.ones(len(things), bool)
    free[shapes.placed[blocks & (corners[:, :, 2].max(1) > 0.3)]] = False
    return free


def _kerbside(street: Street, block: int, side: int, key: tuple[int, ...]) -> Kerbside:
    start = street.block_start(block)
    rng = np.random.default_rng((*key, block + 100_000))
    side_ = SIDES[0] if side < 0 else SIDES[1]
    return Kerbside(street, side_, start + street.crossing_m, start + street.block_m, rng)


def _side_things(k: Kerbside, seed: int) -> list[Placed]:
    parts = [front(k), clutter(k, habits_of(seed)), garden_things(k)]
    if k.street.crossing_m:
        parts += [corner(k), side_street(k)]
    if k.is_so(0.6):
        parts.append(backdrop(k))
    return list(itertools.chain(*parts))
