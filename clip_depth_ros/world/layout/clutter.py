# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What stands between the fronts: parked vehicles, lamps, trees, furniture, works, plain solids.

How much of it there is follows from the seed, where it is from the block.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from clip_depth_ros.world.layout.kerbside import bush, house, Kerbside, SIGNS, WALLS
from clip_depth_ros.world.layout.places import thicket, wild_tree
from clip_depth_ros.world.things import Placed
from clip_depth_ros.world.traffic import any_vehicle
import numpy as np


class Habits(NamedTuple):
    """How much of what there is along a street; things per 10 m, or shares."""

    clutter: float
    lumps: float
    parked: float
    trees: float
    lamps: float
    signs: float
    works: float
    roofed: float
    wires: float


def habits_of(seed: int) -> Habits:
    """Draw the habits of a seed."""
    rng = np.random.default_rng((seed, 42))
    few = rng.exponential(1.0, 3)
    return Habits(
        clutter=float(min(few[0] * 0.9, 3.5)),
        lumps=float(min(few[1] * 0.5, 2.5)),
        parked=float(rng.uniform(0.0, 1.0)),
        trees=float(rng.random() < 0.5) * float(rng.uniform(0.1, 1.0)),
        lamps=float(rng.uniform(0.0, 1.0)),
        signs=float(min(few[2] * 0.4, 2.0)),
        works=float(rng.choice([0.02, 0.08, 0.7], p=[0.6, 0.28, 0.12])),
        roofed=float(rng.choice([0.03, 0.25, 0.9], p=[0.6, 0.3, 0.1])),
        wires=float(rng.choice([0.0, 0.3, 0.9], p=[0.6, 0.2, 0.2])),
    )


_FURNITURE = (
    'bin', 'wheelie_bin', 'wheelie_bin', 'bench', 'planter', 'letter_box', 'meter', 'cabinet',
    'ad_column', 'bus_stop', 'stand', 'parasol', 'a_board', 'hydrant', 'bollard', 'bike_stand',
    'bicycle', 'bicycle', 'motorbike', 'scooter', 'traffic_cone', 'low_sign', 'lantern',
)
_LUMPS = ('a_box', 'a_crate', 'a_ball', 'a_tube', 'a_roll', 'a_cone', 'a_wedge', 'a_stone')
_SIGNPOSTS = ('round_sign', 'round_sign', 'board_sign', 'big_sign', 'low_sign', 'traffic_light',
              'arm_light')
_LAMPS = ('lamp_post', 'lantern', 'double_lamp', 'mast', 'wood_mast')


def clutter(k: Kerbside, habits: Habits) -> Iterator[Placed]:
    """Set out all that stands between lane and front on one side of a block."""
    yield from _parked(k, habits.parked)
    yield from _strip(k, habits)
    length = k.end_s - k.begin_s
    for _ in range(int(k.rng.poisson(habits.clutter * length / 10))):
        yield _piece(k, k.pick(_FURNITURE), k.draw(k.begin_s, k.end_s), _spot(k))
    for _ in range(int(k.rng.poisson(habits.lumps * length / 10))):
        yield _lump(k)
    for _ in range(int(k.rng.poisson(habits.signs * length / 10))):
        facing = (0.0 if k.side < 0 else np.pi) + k.draw(-0.3, 0.3)
        size = k.draw(0.6, 1.5)
        yield k.put(k.pick(_SIGNPOSTS), k.draw(k.begin_s, k.end_s), _spot(k), turn=facing,
                    scale=(size, size, k.draw(0.6, 1.2)), primary=k.one_of(SIGNS),
                    style=(k.draw(0, 2.99), 0.0, 0.0, 0.0))
    if k.is_so(habits.works):
        yield from _works(k)


def _spot(k: Kerbside) -> float:
    """Draw how far out a small thing stands: at the kerb, at the front, or behind it."""
    luck = k.rng.random()
    if luck < 0.4:
        return k.kerb_d + k.draw(0.1, 0.6)
    if luck < 0.85:
        return k.kerb_d + k.walk_m * k.draw(0.6, 1.0)
    return k.edge_d + 6 * k.rng.random() ** 2


def _piece(k: Kerbside, prefab: str, s: float, out_m: float) -> Placed:
    """Put a piece of furniture, mostly lined up with the street."""
    turn = float(k.rng.integers(4)) * np.pi / 2
    turn += k.draw(-3, 3) if k.is_so(0.25) else k.draw(-0.1, 0.1)
    size = k.draw(0.8, 1.25)
    return k.put(prefab, s, out_m, turn=turn, scale=(size, size, size * k.draw(0.85, 1.15)),
                 primary=k.any_colour(), secondary=k.any_colour(),
                 style=(k.draw(0, 1), 0.0, 0.0, 0.0))


def _lump(k: Kerbside) -> Placed:
    """Put a plain solid of any size, colour and heading beside the lane, now and then in air."""
    base = 0.12 * 20 ** k.rng.random()
    scale = tuple((base * np.exp(k.rng.normal(0, 0.45, 3))).tolist())
    out = _spot(k) if k.is_so(0.6) else k.kerb_d - k.draw(0, 1.5)
    z = k.draw(0.5, 4.0) if k.is_so(0.08) else 0.0 if out < k.kerb_d else 0.1
    return k.put(k.pick(_LUMPS), k.draw(k.begin_s, k.end_s), out, turn=k.draw(0, 6.28), z=z,
                 scale=scale, primary=k.any_colour())


def _parked(k: Kerbside, density: float) -> Iterator[Placed]:
    """Park a row along the kerb, at an angle where the strip is wide, or on the sidewalk."""
    strip = k.parking_m
    if strip:
        out, z = k.kerb_d - strip / 2, 0.0
    elif k.walk_m > 2.2 and k.is_so(0.25):
        out, z = k.kerb_d + 1.0, 0.12
    else:
        return
    slant = k.draw(0.7, 1.57) if strip > 4.4 and k.is_so(0.8) else 0.0
    gap = k.draw(2.6, 3.4) if slant else k.draw(5.4, 7.0)
    facing = np.pi if k.side > 0 else 0.0
    for s in np.arange(k.begin_s + k.draw(1, 8), k.end_s - 3, gap):
        if k.is_so(density):
            turn = facing - k.side * slant + k.draw(-0.04, 0.04) + np.pi * k.is_so(0.2)
            d = k.side * (out + k.draw(-0.15, 0.15))
            heavy = 0.0 if slant else 0.12
            yield any_vehicle(k.rng, k.street, float(s), d, turn=turn, heavy=heavy)._replace(z=z)


def _strip(k: Kerbside, habits: Habits) -> Iterator[Placed]:
    """Set lamps and trees in rows along the kerb, or behind where there is no room."""
    out = k.kerb_d + (k.draw(0.3, 0.7) if k.walk_m > 1.5 else k.walk_m + k.draw(0.3, 1.5))
    facing = 0.0 if k.side > 0 else np.pi
    if k.is_so(habits.lamps):
        prefab, size = k.pick(_LAMPS), k.draw(0.75, 1.2)
        for s in np.arange(k.begin_s + k.draw(2, 12), k.end_s - 1, k.draw(14, 40)):
            yield k.put(prefab, float(s), out, turn=facing, scale=(1.0, size, size),
                        secondary=k.one_of(WALLS))
    if k.is_so(habits.trees):
        size = k.draw(0.75, 1.5)
        for s in np.arange(k.begin_s + k.draw(3, 9), k.end_s - 2, k.draw(4, 16)):
            if k.is_so(0.85):
                yield wild_tree(k, float(s), out, size * k.draw(0.85, 1.15))
    if k.is_so(0.2):
        prefab = k.pick(('bollard', 'planter', 'bicycle', 'low_sign', 'wire_fence'))
        first = k.draw(k.begin_s, k.end_s - 10)
        for s in np.arange(first, min(first + k.draw(6, 30), k.end_s), k.draw(1.2, 3.2)):
            yield _piece(k, prefab, float(s), out - 0.15)


def _works(k: Kerbside) -> Iterator[Placed]:
    """Close a stretch beside the lane: cones or barriers, heaps, a machine, a scaffold."""
    first, lane = k.draw(k.begin_s, k.end_s - 12), k.street.lane_m
    last = min(first + k.draw(8, 45), k.end_s)
    line = min(lane / 2 + 1.45 + k.draw(0, 1.2), k.kerb_d + 0.3)
    prefab = k.pick(('traffic_cone', 'barrier', 'concrete_rail', 'barrier', 'wire_fence'))
    gap = {'traffic_cone': k.draw(1.5, 5), 'barrier': 2.2, 'concrete_rail': 4.1}.get(prefab, 3.0)
    turn = np.pi / 2 if prefab == 'barrier' else 0.0
    for s in np.arange(first, last, gap):
        yield k.put(prefab, float(s), line, turn=turn, z=0.0, primary=(0.85, 0.25, 0.15))
    for _ in range(int(k.rng.integers(2, 8))):
        s, out = k.draw(first, last), line + k.draw(1.0, 5.0)
        size = k.draw(0.6, 2.2)
        if k.is_so(0.5):
            scale = (size * 1.6, size * 1.4, size)
            yield k.put('a_stone', s, out, turn=k.draw(0, 6.28), z=-0.3 * size, scale=scale,
                        primary=(0.5, 0.42, 0.32))
        else:
            yield _piece(k, k.pick(('a_crate', 'plank', 'a_roll', 'wheelie_bin')), s, out)
    if k.is_so(0.6):
        machine = k.pick(('tipper', 'lorry', 'container', 'delivery_van', 'trailer'))
        yield k.put(machine, (first + last) / 2, line + k.draw(1.6, 4.5), z=0.0,
                    primary=(0.9, 0.65, 0.1), secondary=k.any_colour())
    if k.is_so(0.5):
        for s in np.arange(first, last, 2.5):
            yield k.put('scaffold', float(s), k.edge_d + k.draw(-0.1, 0.1) - 0.3)


def garden_things(k: Kerbside) -> Iterator[Placed]:
    """Strew bushes, sheds and small things behind the sidewalk, in front of what is there."""
    for _ in range(int(k.rng.integers(0, 7))):
        s, out, luck = k.draw(k.begin_s, k.end_s), k.edge_d + k.draw(0.2, 4), k.rng.random()
        if luck < 0.4:
            yield bush(k, s, out, k.draw(0.5, 1.4))
        elif luck < 0.8:
            yield thicket(k, s, out, k.draw(0.4, 1.3))
        else:
            size = (k.draw(1.5, 4), k.draw(1.5, 3.5), k.draw(1.8, 3.2))
            yield house(k, 'shed', s, out + 2, size, WALLS, use=0.0)
