# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What reaches across a street: bridges, tunnels, gates, gantries, wires; and what divides it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clip_depth_ros.world.layout.clutter import Habits
from clip_depth_ros.world.layout.kerbside import EVERGREEN, facade, Kerbside, WALLS
from clip_depth_ros.world.layout.places import wild_tree
from clip_depth_ros.world.things import Placed
import numpy as np


def across(k: Kerbside, habits: Habits) -> Iterator[Placed]:
    """Return what reaches across one block, ``k`` being its left side."""
    left, right = k.street.kerb_offsets()
    walks = k.street.walk_m
    reach = (left + walks[0], right - walks[1])
    if k.is_so(habits.roofed):
        roof = k.pick((_bridge, _bridge, _tunnel, _gate, _gate))
        yield from roof(k, reach)
    if k.street.kind in ('motorway', 'avenue') and k.is_so(0.5):
        yield from _gantry(k, reach)
    if k.is_so(habits.wires):
        yield from _wires(k, reach)
    if k.street.further_m[0] > 2.0:
        yield from _median(k)


def _slab(
    k: Kerbside, prefab: str, s: float, sides: tuple[float, float], size: tuple[float, float],
    z: float, **look: Any,
) -> Placed:
    """Put a solid from one d to another; ``size`` is its length along the street and height."""
    scale = (size[0], abs(sides[0] - sides[1]), size[1])
    return k.put(prefab, s, sum(sides) / 2, z=z, scale=scale, **look)


def _bridge(k: Kerbside, reach: tuple[float, float]) -> Iterator[Placed]:
    """Lead a road or a railway over the street, on walls or pillars, at an angle at times."""
    s, long, height = k.draw(k.begin_s, k.end_s), k.draw(3, 16), k.draw(3.6, 7)
    look: dict[str, Any] = {'primary': k.one_of(WALLS)}
    look |= {'turn': k.draw(-0.4, 0.4) if k.is_so(0.4) else 0.0}
    sides = (reach[0] + k.draw(0, 30), reach[1] - k.draw(0, 30))
    kind = k.pick(('wall', 'panel_wall', 'brick_wall'))
    style = facade(k, 0.0)
    yield _slab(k, kind, s, sides, (long, k.draw(0.6, 1.8)), height, style=style, **look)
    yield _slab(k, kind, s, sides, (long * 1.04, k.draw(0.5, 1.3)), height + 0.7, style=style,
                **look)
    for d, sign in zip(reach, (1, -1), strict=True):
        if k.is_so(0.6):
            wall = (d + sign * 0.2, d + sign * k.draw(1, 12))
            yield _slab(k, kind, s, wall, (long, height), 0.0, style=style, **look)
        else:
            for ds in (-long / 3, long / 3):
                size = k.draw(0.5, 1.2)
                yield k.put('pillar', s + ds, d + sign * 0.3, scale=(size, size, height), **look)


def _tunnel(k: Kerbside, reach: tuple[float, float]) -> Iterator[Placed]:
    """Roof a stretch over between two walls, with openings at times."""
    first = k.draw(k.begin_s, max(k.begin_s + 1, k.end_s - 30))
    last, height = min(first + k.draw(12, 90), k.end_s), k.draw(3.5, 6.5)
    has_holes, colour = k.is_so(0.35), k.one_of(WALLS)
    prefab = k.pick(('wall', 'brick_wall', 'panel_wall'))
    for i, s in enumerate(np.arange(first, last, 5.0)):
        yield _slab(k, 'wall', float(s), (reach[0] + 1, reach[1] - 1), (5.3, k.draw(0.4, 0.9)),
                    height, primary=colour)
        for d, sign in zip(reach, (1, -1), strict=True):
            long = 0.7 if has_holes and i % 2 else 5.2
            yield _slab(k, prefab, float(s), (d, d + sign * 0.6), (long, height), 0.0,
                        primary=colour, style=facade(k, 0.0))


def _gate(k: Kerbside, reach: tuple[float, float]) -> Iterator[Placed]:
    """Build a house over the street with an opening for the lane, or for both, in it."""
    s, long, open_m = k.draw(k.begin_s, k.end_s), k.draw(2, 14), k.draw(3.4, 5)
    lane = k.street.lane_m
    hole = (k.draw(0.9, 1.6) * lane if k.is_so(0.6) else 0.6, -(lane + k.draw(0.1, 1.5)))
    top, wall = open_m + k.draw(1, 9), k.one_of(WALLS)
    look: dict[str, Any] = {'primary': wall, 'secondary': k.one_of(WALLS), 'style': facade(k, 1.0)}
    wide = (reach[0] + k.draw(0.5, 20), reach[1] - k.draw(0.5, 20))
    yield _slab(k, 'tower', s, (wide[0], hole[0]), (long, top), 0.0, **look)
    yield _slab(k, 'tower', s, (hole[1], wide[1]), (long, top), 0.0, **look)
    yield _slab(k, 'brick_wall', s, hole, (long, top - open_m), open_m, **look)


def _gantry(k: Kerbside, reach: tuple[float, float]) -> Iterator[Placed]:
    """Hang large signs over the lanes."""
    s, height = k.draw(k.begin_s, k.end_s), k.draw(4.8, 6.5)
    for d in reach:
        yield k.put('beam', s, d, scale=(0.3, 0.3, height + 0.3))
    yield _slab(k, 'wall', s, reach, (0.3, 0.35), height, primary=(0.45, 0.46, 0.48))
    for d in np.arange(reach[1] + 1.5, reach[0] - 1, k.draw(3.2, 5)):
        if k.is_so(0.6):
            yield k.put('plate', s - 0.25, float(d), scale=(0.06, k.draw(1.5, 3), k.draw(1, 2.2)),
                        z=height - 0.6, primary=k.any_colour(), style=(0.5, 0.0, 0.0, 0.0))


def _wires(k: Kerbside, reach: tuple[float, float]) -> Iterator[Placed]:
    """Hang wires along the street and across it, as for trams, lamps and telephones."""
    height = k.draw(4.8, 8)
    for _ in range(int(k.rng.integers(1, 4))):
        d, step = k.draw(reach[1] - 1, reach[0] + 1), 14.0
        for s in np.arange(k.begin_s, k.end_s, step):
            yield k.put('wire', float(s) + step / 2, d, z=height, scale=(step, 0.04, 0.04),
                        primary=(0.1, 0.1, 0.1))
    for s in np.arange(k.begin_s + k.draw(0, 9), k.end_s, k.draw(14, 32)):
        wide = reach[0] - reach[1] + 2
        yield k.put('wire', float(s), sum(reach) / 2, turn=np.pi / 2, z=height + 0.1,
                    scale=(wide, 0.04, 0.04))
        if k.is_so(0.5):
            yield k.put('a_box', float(s), sum(reach) / 2, z=height - 0.15, scale=(0.5, 0.3, 0.2))


def _median(k: Kerbside) -> Iterator[Placed]:
    """Divide the carriageways left of the two lanes: a strip, rails, hedges, trees or lamps."""
    wide = k.draw(0.4, min(3.0, k.street.further_m[0] - 1.0))
    out, kind = k.street.lane_m + 0.5 + wide / 2, k.pick(('strip', 'rail', 'hedge', 'strip'))
    if kind == 'rail':
        prefab = k.pick(('guard_rail', 'concrete_rail', 'guard_rail'))
        for s in np.arange(k.begin_s, k.end_s, 4.1):
            yield k.put(prefab, float(s) + 2, out, z=0.0, primary=k.one_of(WALLS))
        return
    prefab, colour = ('lawn', 'kerb')[int(k.is_so(0.5))], k.one_of(EVERGREEN)
    grey = k.draw(0.3, 0.6)
    for s in np.arange(k.begin_s, k.end_s, 7.0):
        yield k.put(prefab, float(s) + 3.5, out, z=0.0, scale=(7.1, wide, 0.15),
                    primary=colour if prefab == 'lawn' else (grey, grey, grey))
        if kind == 'hedge' and k.is_so(0.9):
            yield k.put('ragged_hedge', float(s) + 3.5, out,
                        scale=(6.9, min(wide, 1.0), k.draw(0.6, 1.6)), primary=colour)
        elif k.is_so(0.35):
            yield wild_tree(k, float(s), out, k.draw(0.8, 1.3))
        elif k.is_so(0.2):
            yield k.put(k.pick(('double_lamp', 'low_sign', 'bollard', 'mast')), float(s), out)
