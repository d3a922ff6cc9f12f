# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the ground looks: road with its markings, sidewalks, grass."""

from __future__ import annotations

from typing import NamedTuple

from clip_depth_ros.world.look.patterns import band, clouds, grain, mix, stripes
from clip_depth_ros.world.street import CROSSING_M, DASH_M, ground_things, Street
from clip_depth_ros.world.things import Floats, Thing
import numpy as np

_KERB_STONE_M = 0.18
_ZEBRA_M = (1.5, 4.5)  # before a crossing street begins
_WHITE = (0.62, 0.62, 0.58)


class GroundLook(NamedTuple):
    """
    Wear and colours of the ground of one drive; colours linear, float32 (3,).

    ``wear`` is the share of the paint that traffic has taken off, ``slab_m`` the side of a slab.
    """

    asphalt: Floats
    slabs: Floats
    grass: Floats
    wear: float
    slab_m: float
    has_zebra: bool
    has_edge_lines: bool


def ground_look_of(seed: int) -> GroundLook:
    """Draw the ground's look of a seed."""
    rng = np.random.default_rng((seed, 11))
    grey, warm = rng.uniform(0.07, 0.18), rng.uniform(-0.05, 0.05)
    stone = rng.uniform(0.18, 0.38)
    red = rng.uniform(0.0, 0.35)
    return GroundLook(
        asphalt=np.array([grey * (1 + warm), grey, grey * (1 - warm)], np.float32),
        slabs=np.array([stone, stone * (1 - red / 2), stone * (1 - red)], np.float32),
        grass=np.array([rng.uniform(0.07, 0.2), rng.uniform(0.14, 0.22), 0.04], np.float32),
        wear=float(rng.uniform(0.0, 0.6)),
        slab_m=float(rng.choice([0.5, 0.75, 1.0])),
        has_zebra=bool(rng.random() < 0.7),
        has_edge_lines=bool(rng.random() < 0.6),
    )


class GroundPoints(NamedTuple):
    """
    M points of the ground as a camera sees them, float32 (M,) each, metres.

    ``s`` and ``d`` since the last crossing street began and to the left of the middle, and the
    size of a pixel on the ground, ``along`` and ``across``.
    """

    s: Floats
    d: Floats
    along: Floats
    across: Floats


def ground_colour(street: Street, look: GroundLook, points: GroundPoints) -> Floats:
    """Paint the ground: linear colour, float32 (M, 3)."""
    s, d, along, across = points
    thing = ground_things(street, s, d)
    colour = np.empty((len(s), 3), np.float32)
    for kind, paint in ((Thing.ROAD, _road), (Thing.SIDEWALK, _slabs), (Thing.GRASS, _grass)):
        which = np.flatnonzero(thing == kind)
        colour[which] = paint(street, look, GroundPoints(*(values[which] for values in points)))
    left, right = street.kerb_offsets()
    stone = band(np.maximum(d - left, right - d), -0.02, _KERB_STONE_M, across)
    joint = stripes(s, 0, 0.03, along)
    return mix(colour, (0.30, 0.30, 0.29), stone * (1 - 0.5 * joint) * (thing != Thing.GRASS))


def _road(street: Street, look: GroundLook, points: GroundPoints) -> Floats:
    """Paint asphalt with patches and wheel tracks, and the white lines on it."""
    s, d, along, _ = points
    near = np.clip(1 - along * 4, 0, 1)
    tracks = np.cos(2 * np.pi * np.abs(d) / np.float32(street.lane_m) * 2)
    shade = 1 + 0.16 * clouds(s / 3, d / 3) + 0.08 * clouds(s / 25, d) + 0.05 * tracks
    shade = shade + 0.22 * near * grain(s * 25, d * 25)
    patch = np.clip(clouds(s / 14 + 3, d / 4) * 8 - 3.2, 0, 1)
    colour = look.asphalt * (shade * (1 - 0.3 * patch))[:, None]
    worn = 1 - look.wear * np.clip(0.5 + clouds(s / 2, d * 2), 0, 1)
    return mix(colour, _WHITE, np.clip(_markings(street, look, points), 0, 1) * worn)


def _markings(street: Street, look: GroundLook, points: GroundPoints) -> Floats:
    """Return coverage by white paint."""
    s, d, along, across = points
    lane = np.float32(street.lane_m)
    open_road = band(s, CROSSING_M + 1, street.block_m - _ZEBRA_M[1] - 1, along)
    lines: Floats = band(d, -0.07, 0.07, across) * stripes(s / DASH_M, 0.0, 0.4, along / DASH_M)
    if look.has_edge_lines:
        lines = lines + band(np.abs(d), lane - 0.22, lane - 0.08, across)
    lines = lines * open_road
    if look.has_zebra:
        where = band(s, street.block_m - _ZEBRA_M[1], street.block_m - _ZEBRA_M[0], along)
        lines = lines + where * stripes(d, 0.0, 0.5, across) * (np.abs(d) < lane)
    stop = street.block_m - _ZEBRA_M[1] - 1.0
    lines = lines + band(s, stop - 0.4, stop, along) * (d < 0) * (d > -lane)
    return np.asarray(lines)


def _slabs(street: Street, look: GroundLook, points: GroundPoints) -> Floats:
    side = np.float32(look.slab_m)
    s, d, along, across = points
    slab = grain(np.floor(s / side), d / side) * np.clip(1 - along / side, 0, 1)
    joints = np.maximum(
        stripes(s / side, 0, 0.05, along / side), stripes(d / side, 0, 0.05, across / side)
    )
    shade = 1 + 0.10 * slab + 0.12 * clouds(s / 4, d / 4) - 0.3 * joints
    colour: Floats = look.slabs * shade[:, None]
    return colour


def _grass(street: Street, look: GroundLook, points: GroundPoints) -> Floats:
    s, d, along, _ = points
    near = np.clip(1 - along * 3, 0, 1)
    tufts = clouds(s / 2, d / 2)
    shade = 1 + 0.35 * tufts + 0.2 * clouds(s / 9, d / 9) + 0.35 * near * grain(s * 12, d * 12)
    dry = np.clip(clouds(s / 7, d / 7 + 9) * 3 - 1.2, 0, 1)
    return mix(look.grass * shade[:, None], (0.24, 0.20, 0.10), 0.6 * dry)
