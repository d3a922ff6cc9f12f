# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Paint for the fronts of buildings: walls of ten kinds, windows, shops, balconies, ivy.

The look of a building follows from the salt in its style, so it is the same in every frame.
"""

from __future__ import annotations

from typing import NamedTuple

from clip_depth_ros.world.casting import Surface
from clip_depth_ros.world.look.patterns import (
    band,
    chance,
    clouds,
    grain,
    mix,
    stripes,
    texture,
)
from clip_depth_ros.world.things import Bools, Floats, Thing
import numpy as np

_SHOPS = np.array([
    (0.35, 0.05, 0.05), (0.04, 0.15, 0.32), (0.05, 0.22, 0.10),
    (0.45, 0.33, 0.06), (0.06, 0.06, 0.07), (0.40, 0.38, 0.34),
], np.float32)
_FRAMES = np.array([
    (0.62, 0.60, 0.55), (0.85, 0.85, 0.85), (0.06, 0.06, 0.06), (0.16, 0.09, 0.04),
], np.float32)

# Kinds of walls: width and height of what repeats, shift of every other course, how dark the
# joints are, how much the pieces differ, pattern and strength of what is on them.
_WALLS = np.array([
    (9.0, 9.0, 0.0, 0.00, 0.00, 1, 0.06),  # plaster
    (0.30, 0.12, 0.5, 0.22, 0.18, 2, 0.08),  # brick
    (9.0, 9.0, 0.0, 0.00, 0.00, 5, 0.20),  # plaster with stains
    (3.0, 2.8, 0.0, 0.30, 0.08, 0, 0.10),  # concrete panels
    (0.7, 0.35, 0.5, 0.35, 0.20, 2, 0.15),  # ashlar
    (4.0, 0.18, 0.4, 0.45, 0.15, 9, 0.20),  # boards
    (0.22, 9.0, 0.0, 0.40, 0.04, 8, 0.12),  # corrugated iron
    (0.45, 0.6, 0.0, 0.20, 0.45, 0, 0.05),  # tiles of many tones
    (1.4, 1.2, 0.0, 0.60, 0.20, 0, 0.05),  # metal and glass
    (1.1, 1.1, 0.0, 0.10, 0.05, 6, 0.35),  # rubble
], np.float32)

WALLS = len(_WALLS)
"""How many kinds of walls there are."""


class _Front(NamedTuple):
    """How the front of each point's building is made, (M,) each."""

    wall: Floats
    half: Floats
    sill: Floats
    lintel: Floats
    frame: Floats
    bars: Floats
    blind: Floats
    balcony: Bools
    ivy: Floats
    stain: Floats
    blank: Bools
    colour: Floats


def front(surface: Surface, variety: float) -> tuple[Floats, Floats]:
    """
    Paint a front with storeys of windows, and with shops at the foot of town houses.

    ``style`` of the building holds window spacing and storey height in metres, its use (0 house,
    1 town house, 2 backdrop) plus the share of glass, and a salt for chance. ``variety`` is the
    share of buildings that are not of plain plaster or brick.
    """
    along, up = on_wall(surface)
    style = surface.style
    spacing, storey = np.maximum(style[:, :2].T, 0.5)
    use = np.floor(style[:, 2])
    foot = surface.footprint_m
    i, j = along / spacing, up / storey
    room = np.floor(i) + style[:, 3] * 17, np.floor(j) + surface.face.astype(np.float32) * 31
    made = _made(surface, variety)
    shop = (use == 1) & (np.floor(j) == 0) & (surface.face < 4)
    fits = (np.ceil(j) * storey < 2 * surface.half_m[:, 2] + 0.1) & (surface.face < 4)
    fits = fits & ~shop & ~made.blank
    colour = wall(surface, made.wall, made.half * 99, along, up)
    colour = _grown(colour, made, along, up)
    colour = _doors(colour, made, use, (i, j), foot / spacing, surface)
    glass, frame = _windows(i, j, foot / spacing, foot / storey, made)
    colour = mix(colour, made.colour, frame * fits)
    colour = mix(colour, _panes(*room), glass * fits)
    shut = band(np.mod(j, 1), made.lintel - (made.lintel - made.sill) * _drawn(made, room), 2, 0)
    colour = mix(colour, made.colour * np.float32(0.7), glass * shut * fits)
    glass = glass * (1 - shut)
    y = np.mod(j, 1) * storey
    rail = band(y, 0.0, 0.16, foot) + 0.6 * band(y, 0.16, 1.0, foot) * stripes(i * 6, 0, 0.4, foot)
    rail = rail * (made.balcony & fits & (j > 1) & (np.mod(i, 2) < 1))
    colour = mix(colour, made.colour * np.float32(0.4), np.clip(rail, 0, 1))
    colour, show = _shops(colour, i, j, foot / spacing, shop.astype(np.float32), room)
    colour = mix(colour, (0.16, 0.16, 0.17), (surface.face >= 4).astype(np.float32))
    mirrors = np.where(shop, show, glass * fits) * (0.25 + 0.5 * chance(*room, 7))
    return colour, mirrors.astype(np.float32)


def on_wall(surface: Surface) -> tuple[Floats, Floats]:
    """Return metres along the wall and up from its foot."""
    x, y, z = surface.metres()
    along = np.where(surface.face < 2, y, x)
    return along, z + surface.half_m[:, 2]


def _made(surface: Surface, variety: float) -> _Front:
    """Draw each solid's front from its salt, and give it to its points."""
    salt = np.floor(surface.shapes.style[:, 3] * 97)
    zero = np.zeros_like(salt)

    def luck(number: int) -> Floats:
        return chance(salt, zero, 100 + number)

    odd = luck(0) < variety
    share = np.mod(surface.shapes.style[:, 2], 1)
    tall = odd & (luck(1) < 0.35)
    per_solid = _Front(
        wall=np.where(odd, np.floor(luck(2) * WALLS), np.floor(luck(2) * 3) == 0),
        half=np.where(odd, 0.08 + 0.40 * luck(3), 0.16 + 0.24 * share),
        sill=np.where(tall, 0.06, np.where(odd, 0.2 + 0.2 * luck(4), 0.30)),
        lintel=np.where(odd, 0.7 + 0.25 * luck(5), 0.80),
        frame=np.where(odd, 0.09 * luck(6), 0.05),
        bars=np.where(odd, np.floor(3 * luck(7)), 1),
        blind=np.where(odd, luck(8) * (luck(9) < 0.5), 0),
        balcony=odd & (luck(10) < 0.2),
        ivy=np.where(odd & (luck(11) < 0.12), 0.3 + luck(12), 0),
        stain=np.where(odd, 0.5 * luck(13) ** 2, 0.05),
        blank=(odd & (luck(14) < 0.15)) | (surface.shapes.thing == Thing.WALL),
        colour=_FRAMES[np.where(odd, np.floor(luck(15) * len(_FRAMES)), 0).astype(int)],
    )
    made = _Front(*(np.asarray(values)[surface.row] for values in per_solid))  # type: ignore
    # The sides of odd houses are often without windows.
    bare_sides = chance(salt, zero, 117) < 0.4 * variety
    return made._replace(blank=made.blank | (bare_sides[surface.row] & (surface.face < 2)))


def wall(surface: Surface, kind: Floats, salt: Floats, along: Floats, up: Floats) -> Floats:
    """
    Return the colour of walls: pieces in courses with joints, and some weather.

    ``kind``, whole numbers (M,) below ``WALLS``; ``salt`` moves the patterns.
    """
    foot = surface.footprint_m
    width, height, bond, dark, differ, pattern, strength = _WALLS[kind.astype(int)].T
    course = np.floor(up / height)
    at = along / width + bond * course
    near = np.clip(1.3 - foot / np.minimum(width, height), 0, 1)
    piece = (chance(at, course, 8) * 2 - 1) * near
    joint = np.maximum(
        stripes(up / height, 0, 0.12, foot / height), stripes(at, 0, 0.06, foot / width) * near
    )
    shade = 1 + differ * piece - dark * joint + 0.04 * grain(along * 9, up * 9) * near
    shade = shade + strength * texture(pattern.astype(int), along / 2 + salt, up / 2)
    shade = shade + 0.12 * clouds(along / 5 + salt, up / 5)
    shade = shade * (0.72 + 0.28 * np.clip(up / 1.5, 0, 1))
    colour: Floats = surface.colour * np.clip(shade, 0.05, 2)[:, None]
    return colour


def _grown(colour: Floats, made: _Front, along: Floats, up: Floats) -> Floats:
    """Put stains that ran down, and ivy that grew up."""
    salt = made.half * 99
    runs = np.clip(texture(8, along / 3 + salt, up / 30), 0, 1)
    stain = made.stain * (runs + np.clip(1 - up / 0.8, 0, 1))
    colour = colour * np.clip(1 - stain, 0.2, 1)[:, None]
    if not made.ivy.any():
        return colour
    leaf = np.clip(0.7 + 0.6 * texture(11, along * 2, up * 2), 0.1, 2)
    grown = np.clip((clouds(along / 4 + salt, up / 4) + made.ivy - up / 6) * 5, 0, 1)
    leaves = leaf[:, None] * np.array([(0.06, 0.11, 0.025)], np.float32)
    return mix(colour, leaves, grown * (made.ivy > 0))


def _doors(
    colour: Floats,
    made: _Front,
    use: Floats,
    at: tuple[Floats, Floats],
    blur: Floats,
    surface: Surface,
) -> Floats:
    """Put doors and wide ones of garages at the foot of odd houses."""
    i, j = at
    kind = np.mod(np.floor(i) + np.floor(made.half * 99), 5)
    low = (np.floor(j) == 0) & (use == 0) & (surface.face < 4) & (made.bars != 1)
    half = np.where(kind == 0, 0.2, np.where(kind == 2, 0.48, 0))
    leaf = band(np.mod(i, 1) - 0.5, -half, half, blur) * band(j, 0, 0.72, blur) * (half > 0)
    board = 1 - 0.4 * stripes(j * 8, 0, 0.12, blur * 8)
    tone = np.where((kind == 0)[:, None], made.colour * np.float32(0.3), made.colour)
    return mix(colour, tone * board[:, None], leaf * low)


def _windows(
    i: Floats, j: Floats, blur_i: Floats, blur_j: Floats, made: _Front
) -> tuple[Floats, Floats]:
    """Return coverage by glass and by the frames around it on a grid of windows."""
    x, y = np.mod(i, 1) - 0.5, np.mod(j, 1)
    half, rim = made.half, made.frame
    glass = band(x, -half, half, blur_i) * band(y, made.sill, made.lintel, blur_j)
    bar = np.where(made.bars == 2, half / 3, 0)
    glass = glass * (1 - 0.8 * band(np.abs(x), bar - 0.02, bar + 0.02, blur_i) * (made.bars > 0))
    outer = band(x, -half - rim, half + rim, blur_i)
    outer = outer * band(y, made.sill - rim, made.lintel + rim * 0.8, blur_j)
    return glass, np.clip(outer - glass, 0, 1)


def _drawn(made: _Front, room: tuple[Floats, Floats]) -> Floats:
    """Return how far down the blind of each window is, 0 to 1."""
    return np.clip(made.blind * 1.5 * chance(*room, 9) - 0.1, 0, 1)


def _panes(i: Floats, j: Floats) -> Floats:
    """Return each window its own colour: dark, curtained or lit."""
    luck, depth = chance(i, j, 1), chance(i, j, 2)
    dark = np.stack([0.02 + 0.04 * depth, 0.03 + 0.05 * depth, 0.04 + 0.07 * depth], axis=1)
    curtain = np.repeat(0.18 + 0.3 * depth[:, None], 3, axis=1)
    lit = np.array([(1.15, 0.75, 0.26)], np.float32)
    luck = luck[:, None]
    panes: Floats = np.where(luck < 0.75, dark, np.where(luck < 0.95, curtain, lit))
    return panes


def _shops(
    colour: Floats, i: Floats, j: Floats, blur: Floats, shop: Floats, room: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """Put show windows, doors and signboards at the foot of a front."""
    unit = np.floor(i / 3)
    board = _SHOPS[(chance(unit + np.floor(room[0] - i), room[1], 3) * len(_SHOPS)).astype(int)]
    x, y = np.mod(i / 3, 1), np.mod(j, 1)
    pane = band(x, 0.06, 0.66, blur / 3) + band(x, 0.74, 0.92, blur / 3)
    show = pane * band(y, 0.14, 0.70, blur)
    colour = mix(colour, board * 0.55, shop * band(y, 0, 0.74, blur))
    goods = 0.5 + 0.5 * clouds(i * 0.9 + room[1], j * 1.5)
    inside = np.array([
        (0.03, 0.03, 0.035), (0.16, 0.15, 0.13), (0.75, 0.62, 0.42), (0.07, 0.08, 0.09),
    ], np.float32)
    lamp = (chance(unit + np.floor(room[0] - i), room[1], 5) * len(inside)).astype(int)
    colour = mix(colour, inside[lamp] * (0.35 + 0.9 * goods)[:, None], shop * show)
    colour = mix(colour, board, shop * band(y, 0.76, 0.95, blur))
    return colour, show
