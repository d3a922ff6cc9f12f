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
from clip_depth_ros.world.layout.clutter import clutter, garden_things, Habits, habits_of
from clip_depth_ros.world.layout.kerbside import Kerbside, Side, SIDES
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
    things: list[Placed] = []
    if street.kind == 'plain':
        for side in SIDES:
            things += plain_things(_kerbside(street, block, side, (seed, 4, side + 1)), seed)
    else:
        habits = habits_of(seed)
        for side in SIDES:
            things += _side_things(_kerbside(street, block, side, (seed, 44, side + 1)), habits)
        things += across(_kerbside(street, block, 1, (seed, 45)), habits)
    corridors = [(-street.lane_m / 2, CLEAR_M)]
    if path_d is not None and path_d != -street.lane_m / 2:
        corridors.append((path_d, _ON_FOOT_M))
    return list(itertools.compress(things, clear_of(things, street, *corridors).tolist()))


def clear_of(things: list[Placed], street: Street, *corridors: tuple[float, float]) -> Bools:
    """
    Return which things keep out of corridors that follow the street, bool (N,).

    A corridor (d, reach_m) is ``reach_m`` wide on both sides of the line at d, and
    ``_OVERHEAD_M`` high.
    """
    shapes = assemble(library(), things)
    corners = shapes.corners()
    # Points along the foot of each hull: the street may bend between two corners.
    foot, share = corners[:, [0, 1, 3, 2, 0]], np.linspace(0, 1, 6)[:, None]
    rim = foot[:, :-1, None] + (foot[:, 1:, None] - foot[:, :-1, None]) * share
    points = np.concatenate([corners, rim.reshape(len(rim), -1, 3)], axis=1)
    course, slope = street.course(points[:, :, 0])
    aside = (points[:, :, 1] - course) / np.sqrt(1 + slope * slope)
    right, left = aside.min(1), aside.max(1)
    low = (corners[:, :, 2].min(1) < _OVERHEAD_M) & (corners[:, :, 2].max(1) > 0.3)
    free = np.ones(len(things), bool)
    for d, reach_m in corridors:
        blocks = (right - d < reach_m) & (left - d > -reach_m)
        free[shapes.placed[blocks & low]] = False
    return free


def _kerbside(street: Street, block: int, side: Side, key: tuple[int, ...]) -> Kerbside:
    start = street.block_start(block)
    rng = np.random.default_rng((*key, block + 100_000))
    return Kerbside(street, side, start + street.crossing_m, start + street.block_m, rng)


def _side_things(k: Kerbside, habits: Habits) -> list[Placed]:
    parts = [front(k), clutter(k, habits), garden_things(k)]
    if k.street.crossing_m:
        parts += [corner(k), side_street(k)]
    if k.is_so(0.6):
        parts.append(backdrop(k))
    return list(itertools.chain(*parts))
