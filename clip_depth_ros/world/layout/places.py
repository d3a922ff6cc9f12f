# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What lies behind the sidewalks of streets that are not plain: rows, towers, fields, walls, yards.

It need not be pretty, it must vary: a network that has seen one kind of street takes the row of
a pixel for its depth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from clip_depth_ros.world.layout.kerbside import (
    BARK,
    bush,
    EVERGREEN,
    facade,
    house,
    Kerbside,
    LEAVES,
    ROOFS,
    tree,
    WALLS,
)
from clip_depth_ros.world.layout.plain import park, suburb, town
from clip_depth_ros.world.standing import N_GROWN
from clip_depth_ros.world.things import Placed
from clip_depth_ros.world.traffic import car
import numpy as np

Front = Callable[[Kerbside], Iterator[Placed]]
_HOUSES = (
    'block', 'stepped_block', 'gabled_house', 'hipped_house', 'corner_block', 'bay_house',
    'mansard', 'tower',
)
_WALL_KINDS = ('wall', 'brick_wall', 'panel_wall', 'fence', 'hedge', 'ragged_hedge')


def front(k: Kerbside) -> Iterator[Placed]:
    """Draw what stands behind the sidewalk, by the kind of the street."""
    choices = _FRONTS[k.street.kind]
    shares = np.array(list(choices.values()))
    chosen = list(choices)[int(k.rng.choice(len(shares), p=shares / shares.sum()))]
    return chosen(k)


def wild_tree(k: Kerbside, s: float, out_m: float, size: float) -> Placed:
    """Grow a tree with branches, a bare one, or one of the plain ones."""
    luck = k.rng.random()
    if luck < 0.25:
        return tree(k, s, out_m, size)
    kind = 'tree' if luck < 0.9 else 'bare'
    scale = (size * k.draw(0.8, 1.3), size * k.draw(0.8, 1.3), size * k.draw(0.75, 1.3))
    leaves, bark = k.one_of(LEAVES), k.one_of(BARK)
    prefab = f'{kind}_{int(k.rng.integers(N_GROWN))}'
    return k.put(prefab, s, out_m, turn=k.draw(0, 6.28), scale=scale,
                 primary=leaves, secondary=bark)


def thicket(k: Kerbside, s: float, out_m: float, size: float) -> Placed:
    """Grow a ragged bush, ``size`` times 1.2 m high."""
    scale = (size * k.draw(0.8, 1.4), size, size * k.draw(0.7, 1.3))
    prefab, colour = f'thicket_{int(k.rng.integers(N_GROWN))}', k.one_of(LEAVES)
    return k.put(prefab, s, out_m, turn=k.draw(0, 6.28), scale=scale, primary=colour)


def _old_row(k: Kerbside) -> Iterator[Placed]:
    """Stand small houses wall to wall, none like the next."""
    base, s = k.draw(3.5, 13), k.begin_s
    while k.end_s - s > 3:
        length = min(k.draw(3.5, 12), k.end_s - s)
        depth, height = k.draw(5, 11), max(2.8, base * k.draw(0.6, 1.6))
        back = k.draw(0.0, 0.35) if k.is_so(0.8) else k.draw(0.5, 4)
        size = (length, depth, height)
        out = k.edge_d + back + depth / 2
        yield house(k, k.pick(_HOUSES), s, out, size, (*WALLS, *ROOFS), use=float(k.is_so(0.5)))
        yield from _trimmings(k, s + length / 2, k.edge_d + back, size)
        s += length + (k.draw(1, 7) if k.is_so(0.12) else 0.0)


def _trimmings(
    k: Kerbside, s: float, face_d: float, size: tuple[float, float, float]
) -> Iterator[Placed]:
    """Hang balconies and awnings on a front, lay stairs before it, build an annexe."""
    length, _, height = size
    facing = 0.0 if k.side < 0 else np.pi
    if k.is_so(0.35):
        width, deep, at = k.draw(1.5, length), k.draw(0.6, 1.4), k.draw(-0.2, 0.2) * length
        for z in np.arange(k.draw(2.7, 3.4), height - 1.5, k.draw(2.6, 3.3)):
            scale = (min(width, length), deep, 1.0)
            yield k.put('balcony', s + at, face_d - deep / 2, z=float(z), scale=scale,
                        primary=k.any_colour(), secondary=k.one_of(WALLS))
    if k.is_so(0.25):
        yield k.put('awning', s, face_d - 0.5, turn=facing + np.pi / 2, z=k.draw(2.5, 3.0),
                    primary=k.any_colour(), scale=(1.0, min(1.0, length / 4), 1.0))
    if k.is_so(0.2):
        at = s + k.draw(-0.3, 0.3) * length
        yield k.put('stairs', at, face_d - 0.4, turn=facing + np.pi / 2,
                    secondary=k.one_of(WALLS))
    if k.is_so(0.15):
        width, deep, high = k.draw(1.5, 4), k.draw(0.4, 1.2), k.draw(2.2, 3.5)
        at = s + k.draw(-0.3, 0.3) * length
        yield k.put('shed', at, face_d - deep / 2, scale=(width, deep, high),
                    primary=k.one_of(WALLS), secondary=k.one_of(ROOFS))


def _towers(k: Kerbside) -> Iterator[Placed]:
    """Stand high and low blocks apart, each set back as it likes."""
    s = k.begin_s + k.draw(0, 10)
    high = k.draw(9, 70)
    while k.end_s - s > 8:
        length = min(k.draw(9, 36), k.end_s - s)
        depth, height = k.draw(9, 18), max(3.0, high * k.draw(0.1, 1.3))
        out = k.edge_d + k.draw(0.3, 14) + depth / 2
        yield house(k, k.pick(_HOUSES), s, out, (length, depth, height), WALLS, use=2.0)
        if k.is_so(0.5):
            yield wild_tree(k, s + length / 2, k.edge_d + 1.5, k.draw(0.7, 1.3))
        s += length + k.draw(1, 18)


def _halls(k: Kerbside) -> Iterator[Placed]:
    """Build halls, sheds and silos behind a yard."""
    s, yard = k.begin_s, k.draw(0.5, 16)
    while k.end_s - s > 12:
        length, depth = min(k.draw(12, 36), k.end_s - s), k.draw(10, 25)
        out = k.edge_d + yard * k.draw(0.6, 1.3) + depth / 2
        size, colours = (length, depth, k.draw(3.5, 12)), (k.one_of(WALLS), k.one_of(ROOFS))
        yield k.put(k.pick(('hall', 'hall', 'shed', 'block')), s + length / 2, out, scale=size,
                    primary=colours[0], secondary=colours[1], style=facade(k, 2.0))
        if k.is_so(0.3):
            wide = k.draw(2, 7)
            yield k.put('silo', s + length / 2, out - depth / 2 - wide,
                        scale=(wide, wide, k.draw(4, 18)), primary=k.one_of(WALLS))
        s += length + k.draw(2, 14)
    if yard > 4:
        yield from _containers(k)


def _containers(k: Kerbside) -> Iterator[Placed]:
    """Stack containers, lengthwise or across, near the sidewalk and behind."""
    s = k.begin_s + k.draw(0, 12)
    while k.end_s - s > 7:
        across = k.is_so(0.35)
        out = k.edge_d + k.draw(0.2, 9) + (3.1 if across else 1.3)
        for level in range(int(k.rng.integers(1, 4))):
            turn = (np.pi / 2 if across else 0.0) + k.draw(-0.05, 0.05)
            yield k.put('container', s + 3, out, turn=turn, z=0.1 + 2.6 * level,
                        primary=k.any_colour())
        s += (2.6 if across else 6.2) + (k.draw(0, 1) if k.is_so(0.5) else k.draw(2, 18))


def _fields(k: Kerbside) -> Iterator[Placed]:
    """Leave the land open: a row of trees perhaps, hedges and woods far off, a barn, bales."""
    length = k.end_s - k.begin_s
    if k.is_so(0.55):
        out, gap, size = k.edge_d + k.draw(0.9, 5), k.draw(4, 18), k.draw(0.8, 1.7)
        for s in np.arange(k.begin_s + 2, k.end_s, gap):
            if k.is_so(0.85):
                yield wild_tree(k, float(s) + k.draw(-1, 1), out, size * k.draw(0.8, 1.2))
    if k.is_so(0.35):
        prefab, out = k.pick(('wire_fence', 'wire_fence', 'fence')), k.edge_d + k.draw(0.4, 4)
        scale = (1.0, 1.0, k.draw(0.7, 1.2)) if prefab == 'wire_fence' else (3.0, 0.06, 1.1)
        colour = k.one_of(BARK)
        for s in np.arange(k.begin_s + 1.5, k.end_s - 1, 3.0):
            yield k.put(prefab, float(s), out, scale=scale, primary=colour)
    for _ in range(int(k.rng.integers(1, 4))):
        out, size = k.edge_d + 8 + 70 * k.rng.random() ** 1.5, k.draw(2, 6)
        for s in np.arange(k.begin_s + k.draw(0, length / 2), k.end_s, size * 1.6):
            yield thicket(k, float(s), out + k.draw(-1, 1), size)
    for _ in range(int(k.rng.integers(0, 5))):
        s, out = k.draw(k.begin_s, k.end_s), k.edge_d + k.draw(2, 25)
        prefab, side = k.pick(('a_roll', 'a_box', 'a_stone', 'a_tube')), k.draw(0.5, 1.6)
        yield k.put(prefab, s, out, turn=k.draw(0, 6.28), scale=(side, side, side),
                    primary=k.one_of(ROOFS))
    if k.is_so(0.4):
        barn = (k.draw(8, 22), k.draw(7, 12), k.draw(4, 9))
        out = k.edge_d + k.draw(6, 50)
        yield house(k, k.pick(('gabled_house', 'hall', 'hipped_house')),
                    k.draw(k.begin_s, k.end_s), out, barn, ROOFS, use=0.0)


def _woods(k: Kerbside) -> Iterator[Placed]:
    """Grow a mass of trees and bushes close by."""
    close, gap = k.edge_d + k.draw(0.6, 3), k.draw(2.2, 5)
    for s in np.arange(k.begin_s, k.end_s, gap):
        yield wild_tree(k, float(s) + k.draw(-1, 1), close + 1 + k.draw(0, 7), k.draw(0.8, 1.7))
        if k.is_so(0.7):
            yield thicket(k, float(s), close + k.draw(0.4, 3), k.draw(0.6, 2.2))
    for s in np.arange(k.begin_s, k.end_s, 7.0):
        yield thicket(k, float(s), close + k.draw(10, 14), k.draw(4, 7))


def _walled(k: Kerbside) -> Iterator[Placed]:
    """Put up a wall, a barrier against noise, a fence or a hedge close by, something behind."""
    prefab, out, long = k.pick(_WALL_KINDS), k.edge_d + k.draw(0.1, 2.0), k.draw(3, 9)
    height, thick = 0.7 + 5 * k.rng.random() ** 1.6, k.draw(0.1, 0.6)
    is_green = prefab in ('hedge', 'ragged_hedge')
    colour, style = k.one_of(EVERGREEN if is_green else (*WALLS, *ROOFS)), facade(k, 0.0)
    if is_green:
        height, thick = min(height, 3.0), thick + 0.6
    for s in np.arange(k.begin_s + long / 2, k.end_s, long):
        step = k.draw(0.85, 1.15) if k.is_so(0.2) else 1.0
        yield k.put(prefab, float(s), out + thick / 2, scale=(long * 1.01, thick, height * step),
                    primary=colour, style=style)
        if not is_green and k.is_so(0.3):
            yield k.put('wall', float(s), out + thick / 2, scale=(0.4, thick + 0.2, height + 0.2),
                        primary=colour)
    for s in np.arange(k.begin_s, k.end_s, k.draw(5, 14)):
        yield wild_tree(k, float(s), out + k.draw(2, 9), k.draw(0.9, 1.8))


def _car_park(k: Kerbside) -> Iterator[Placed]:
    """Park one to three rows of cars, square to the street or at an angle; few things else."""
    turn = k.pick((1.57, 1.57, 1.05, 0.0))
    pitch = 5.6 if turn == 0 else k.draw(2.5, 3.3)
    density, out = k.draw(0.3, 0.95), k.edge_d + k.draw(2.4, 5)
    for row in range(int(k.rng.integers(1, 4))):
        step = pitch * (1 if row == 0 else 1.6)
        for s in np.arange(k.begin_s + 1, k.end_s - 1, step):
            if k.is_so(density):
                heading = -k.side * turn + k.draw(-0.06, 0.06) + np.pi * k.is_so(0.5)
                yield car(k.rng, k.street, float(s), k.side * out, turn=heading)._replace(z=0.1)
        out += k.draw(6, 12)
    for _ in range(int(k.rng.integers(0, 6))):
        s = k.draw(k.begin_s, k.end_s)
        if k.is_so(0.5):
            yield wild_tree(k, s, out - k.draw(0, 12), k.draw(0.6, 1.2))
        else:
            yield k.put(k.pick(('lamp_post', 'double_lamp', 'mast')), s, out - k.draw(0, 12))


def _tracks(k: Kerbside) -> Iterator[Placed]:
    """Lay a tramway beside the road on ballast or lawn, with masts, and something behind."""
    first, is_green, stone = k.edge_d + k.draw(0.8, 2.5), k.is_so(0.3), k.draw(0.2, 0.55)
    bed, colour = ('lawn', k.one_of(EVERGREEN)) if is_green else ('track', (stone, stone, stone))
    for s in np.arange(k.begin_s, k.end_s, 8.0):
        yield k.put(bed, float(s), first + 2.6, scale=(8.2, 6.4, 0.1), primary=colour)
        for rail in (0.5, 1.94, 3.5, 4.94):
            yield k.put('track', float(s), first + rail, scale=(8.1, 0.08, 0.2),
                        primary=(0.25, 0.2, 0.18))
    for s in np.arange(k.begin_s + k.draw(0, 9), k.end_s, k.draw(18, 30)):
        yield k.put('mast', float(s), first + k.draw(-0.5, 6.0))
    beyond = replace(k, beyond_m=k.beyond_m + 8.0)
    yield from k.pick((_walled, _woods, _old_row))(beyond)


def side_street(k: Kerbside) -> Iterator[Placed]:
    """Line the street that crosses before the block with houses or trees, and close it."""
    corner, kind, far = k.edge_d + k.draw(12, 17), k.rng.random(), k.draw(25, 80)
    out = corner
    while out < k.edge_d + far:
        wide, deep = k.draw(5, 16), k.draw(6, 11)
        for s, sign in ((k.begin_s, 1), (k.begin_s - k.street.crossing_m, -1)):
            at = s + sign * (deep / 2 + k.draw(0.5, 4))
            if kind < 0.6:
                size, turn = (wide, deep, k.draw(3, 16)), k.side * np.pi / 2
                yield k.put(k.pick(_HOUSES), at, out + wide / 2, turn=turn, scale=size,
                            primary=k.one_of(WALLS), secondary=k.one_of(ROOFS),
                            style=facade(k, 1.0))
            elif k.is_so(0.7):
                yield wild_tree(k, at, out, k.draw(0.8, 1.5))
            if k.is_so(0.3):
                place = s - sign * 1.2
                turn = k.side * np.pi / 2
                yield car(k.rng, k.street, place, k.side * out, turn=turn)._replace(z=0.1)
        out += wide + k.draw(0, 4)
    if k.is_so(0.4):
        size = (k.street.crossing_m + k.draw(4, 20), 10.0, k.draw(4, 18))
        begin = k.begin_s - k.street.crossing_m / 2 - size[0] / 2
        yield house(k, k.pick(_HOUSES), begin, k.edge_d + far + 8, size, ROOFS, use=1.0)


def _open(k: Kerbside) -> Iterator[Placed]:
    """Leave the ground bare but for a few things, some large."""
    for _ in range(int(k.rng.integers(2, 9))):
        s, out = k.draw(k.begin_s, k.end_s), k.edge_d + 40 * k.rng.random() ** 2 + 1.5
        if k.is_so(0.4):
            yield bush(k, s, out, k.draw(0.5, 1.5))
        elif k.is_so(0.6):
            yield wild_tree(k, s, out, k.draw(0.5, 1.5))
        else:
            size = (k.draw(2, 9), k.draw(2, 7), k.draw(2, 5))
            yield house(k, k.pick(('shed', 'block', 'gabled_house')), s, out + 4, size, ROOFS,
                        use=0.0)


_FRONTS: Mapping[str, Mapping[Front, float]] = {
    'old_town': {_old_row: 0.8, town: 0.1, _walled: 0.1},
    'avenue': {town: 0.25, _towers: 0.3, _tracks: 0.15, park: 0.1, _old_row: 0.1, _woods: 0.1},
    'gardens': {suburb: 0.5, _walled: 0.2, _old_row: 0.15, _woods: 0.1, park: 0.05},
    'country': {_fields: 0.6, _woods: 0.25, _open: 0.1, _walled: 0.05},
    'motorway': {_walled: 0.35, _woods: 0.25, _fields: 0.25, _halls: 0.15},
    'plaza': {_car_park: 0.65, _open: 0.2, _towers: 0.15},
    'yard': {_halls: 0.45, _containers: 0.25, _walled: 0.15, _car_park: 0.15},
    'mixed': {
        _old_row: 1, town: 1, suburb: 1, park: 1, _towers: 1, _halls: 1, _containers: 1,
        _fields: 1, _woods: 1.5, _walled: 1.5, _car_park: 1, _tracks: 1, _open: 1,
    },
}
