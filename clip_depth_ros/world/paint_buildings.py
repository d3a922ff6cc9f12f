# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Paint for fronts, roofs and fences: windows, shops, doors, tiles and planks."""

from __future__ import annotations

from clip_depth_ros.world.noise import band, chance, clouds, grain, mix, stripes
from clip_depth_ros.world.surface import Surface
from clip_depth_ros.world.things import Floats
import numpy as np

_TRIM = (0.62, 0.60, 0.55)
_SHOPS = np.array(
    [
        (0.35, 0.05, 0.05),
        (0.04, 0.15, 0.32),
        (0.05, 0.22, 0.10),
        (0.45, 0.33, 0.06),
        (0.06, 0.06, 0.07),
        (0.40, 0.38, 0.34),
    ],
    np.float32,
)


def facade(surface: Surface) -> tuple[Floats, Floats]:
    """
    Paint a front with storeys of windows, and with shops at the foot of town houses.

    ``style`` of the building holds window spacing and storey height in metres, its use (0 house,
    1 town house, 2 backdrop) plus the share of glass, and a salt for chance.
    """
    along, up = _on_wall(surface)
    style = surface.shapes.style[surface.row]
    spacing, storey, use = style[:, 0], style[:, 1], np.floor(style[:, 2])
    foot = surface.footprint_m
    i, j = along / spacing, up / storey
    room = np.floor(i) + style[:, 3] * 17, np.floor(j) + surface.face.astype(np.float32) * 31
    glass, frame = _windows(i, j, foot / spacing, foot / storey, style[:, 2] - use)
    top = 2 * surface.shapes.half_m[surface.row, 2]
    shop = (use == 1) & (np.floor(j) == 0) & (surface.face < 4)
    fits = (np.ceil(j) * storey < top + 0.1) & (surface.face < 4) & ~shop
    colour = _wall(surface, along, up)
    colour = mix(colour, _TRIM, frame * fits)
    colour = mix(colour, _panes(*room), glass * fits)
    colour, show = _shops(colour, i, j, foot / spacing, shop, room)
    colour = mix(colour, (0.16, 0.16, 0.17), (surface.face >= 4).astype(np.float32))
    return colour, 0.45 * np.where(shop, show, glass * fits).astype(np.float32)


def _on_wall(surface: Surface) -> tuple[Floats, Floats]:
    """Give metres along the wall and up from its foot."""
    x, y, z = surface.metres()
    along = np.where(surface.face < 2, y, x)
    return along, z + surface.shapes.half_m[surface.row, 2]


def _wall(surface: Surface, along: Floats, up: Floats) -> Floats:
    """Give plaster or brick with some weather."""
    foot = surface.footprint_m
    brick = np.mod(surface.shapes.style[surface.row, 3], 3) < 1
    course = np.floor(up / 0.12)
    bricks = grain(along / 0.3 + course * 0.5, course) * np.clip(1 - foot * 9, 0, 1)
    joint = stripes(up / 0.25, 0, 0.14, foot / 0.25)
    shade = 1 + np.where(brick, 0.16 * bricks - 0.22 * joint, 0.04 * bricks)
    shade = shade + 0.12 * clouds(along / 5 + surface.row, up / 5)
    shade = shade * (0.72 + 0.28 * np.clip(up / 1.5, 0, 1))
    wall: Floats = surface.shapes.primary[surface.row] * shade[:, None]
    return wall


def _windows(
    i: Floats, j: Floats, blur_i: Floats, blur_j: Floats, share: Floats
) -> tuple[Floats, Floats]:
    """Give coverage by glass and by the frames around it on a grid of windows."""
    half = 0.16 + 0.24 * share
    x, y = np.mod(i, 1) - 0.5, np.mod(j, 1)
    glass = band(x, -half, half, blur_i) * band(y, 0.30, 0.80, blur_j)
    glass = glass * (1 - 0.8 * band(x, -0.02, 0.02, blur_i))
    outer = band(x, -half - 0.05, half + 0.05, blur_i) * band(y, 0.25, 0.84, blur_j)
    return glass, np.clip(outer - glass, 0, 1)


def _panes(i: Floats, j: Floats) -> Floats:
    """Give each window its own colour: dark, curtained or lit."""
    luck, depth = chance(i, j, 1), chance(i, j, 2)
    dark = np.stack([0.02 + 0.04 * depth, 0.03 + 0.05 * depth, 0.04 + 0.07 * depth], axis=1)
    curtain = np.repeat(0.18 + 0.3 * depth[:, None], 3, axis=1)
    lit = np.array([(0.9, 0.62, 0.26)], np.float32)
    luck = luck[:, None]
    panes: Floats = np.where(luck < 0.7, dark, np.where(luck < 0.93, curtain, lit))
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
    inside = np.array([(0.16, 0.15, 0.13), (0.75, 0.62, 0.42), (0.07, 0.08, 0.09)], np.float32)
    lamp = (chance(unit + np.floor(room[0] - i), room[1], 5) * 3).astype(int)
    colour = mix(colour, inside[lamp] * (0.35 + 0.9 * goods)[:, None], shop * show)
    colour = mix(colour, board, shop * band(y, 0.76, 0.95, blur))
    return colour, show


def roof(surface: Surface) -> tuple[Floats, Floats]:
    """Paint tiles in rows along the eaves; gables take the colour of trim."""
    along, up = _on_wall(surface)
    x, _, _ = surface.metres()
    foot = surface.footprint_m
    row = np.floor(up / 0.22)
    tile = grain(along / 0.3 + row * 0.5, row) * np.clip(1 - foot * 5, 0, 1)
    eaves = stripes(up / 0.22, 0, 0.2, foot / 0.22)
    shade = 1 + 0.2 * tile - 0.3 * eaves + 0.1 * clouds(x / 3, up)
    colour = surface.shapes.primary[surface.row] * shade[:, None]
    is_gable = (surface.face < 2) & (surface.shapes.taper[surface.row, 0] == 0)
    return mix(colour, (0.5, 0.46, 0.4), is_gable.astype(np.float32)), np.zeros_like(foot)


def planks(surface: Surface) -> tuple[Floats, Floats]:
    """Paint upright boards with dark joints: fences and the sides of trucks."""
    along, up = _on_wall(surface)
    foot = surface.footprint_m
    board = chance(along / 0.35, surface.row.astype(np.float32), 4) - 0.5
    near = np.clip(1 - foot * 4, 0, 1)
    joint = stripes(along / 0.35, 0, 0.09, foot / 0.35) * (surface.face < 4)
    shade = 1 + 0.14 * board * near - 0.4 * joint + 0.08 * clouds(along, up / 2)
    return surface.shapes.primary[surface.row] * shade[:, None], np.zeros_like(foot)
