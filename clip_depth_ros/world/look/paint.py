# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Paint for solids: fronts, roofs and fences, cars, people, leaves and signs.

A painter takes points on solids of one material and returns linear colour (M, 3) and gloss (M,),
the share of the sky that the surface mirrors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clip_depth_ros.world.casting import Surface
from clip_depth_ros.world.look.patterns import band, chance, clouds, grain, mix, stripes
from clip_depth_ros.world.things import Floats, Material
import numpy as np

Painter = Callable[[Surface], tuple[Floats, Floats]]
_GLASS = (0.015, 0.02, 0.025)
_TRIM = (0.62, 0.60, 0.55)
_SHOPS = np.array([
    (0.35, 0.05, 0.05), (0.04, 0.15, 0.32), (0.05, 0.22, 0.10),
    (0.45, 0.33, 0.06), (0.06, 0.06, 0.07), (0.40, 0.38, 0.34),
], np.float32)


def painted(surface: Surface) -> tuple[Floats, Floats]:
    """Return linear colour, float32 (M, 3), and gloss, float32 (M,), of points on solids."""
    colour = np.zeros((len(surface.row), 3), np.float32)
    gloss = np.zeros(len(surface.row), np.float32)
    material = surface.shapes.material[surface.row]
    for kind, painter in _PAINTERS.items():
        which = np.flatnonzero(material == kind)
        if len(which):
            colour[which], gloss[which] = painter(surface.at(which))
    return colour, gloss


def _matte(surface: Surface) -> tuple[Floats, Floats]:
    x, y, z = surface.metres()
    shade = 1 + 0.06 * clouds(x + y, z)
    return surface.colour * shade[:, None], np.zeros_like(x)


def _car_body(surface: Surface) -> tuple[Floats, Floats]:
    """Paint metal, lights, plates, a dark sill and wheel arches."""
    x, y = surface.straightened()
    z, half = surface.unit[2], surface.half_m.T
    blur, blur_z = surface.footprint_m / half[1], surface.footprint_m / half[2]
    front, rear = surface.face == 0, surface.face == 1
    side = (surface.face == 2) | (surface.face == 3)
    colour = surface.colour
    colour = mix(colour, (0.01, 0.01, 0.012), band(z, -2, -0.62, blur_z) * (surface.face < 4))
    seam = band(x, 0.06, 0.075, blur * 0.4) + band(x, -0.36, -0.345, blur * 0.4)
    colour = mix(colour, (0.02, 0.02, 0.02), 0.7 * seam * side)
    along, up = surface.unit[0] * half[0], (z + 1) * half[2]
    for wheel in (-0.58, 0.60):  # as fractions of half the length, where the prefab has them
        radius = np.sqrt((along - wheel * half[0]) ** 2 + (up - 0.06) ** 2)
        arch = band(radius, -1, 0.40, surface.footprint_m) * side
        colour = mix(colour, (0.006, 0.006, 0.006), arch)
    grille = band(y, -0.5, 0.5, blur) * band(z, -0.5, 0.2, blur_z) * front
    colour = mix(colour, (0.015, 0.015, 0.018), grille)
    lamp = (1 - band(y, -0.6, 0.6, blur)) * band(np.abs(y), 0, 0.95, blur)
    colour = mix(colour, (1.0, 1.0, 0.95), lamp * band(z, 0.05, 0.6, blur_z) * front)
    colour = mix(colour, (0.75, 0.02, 0.02), lamp * band(z, 0.1, 0.75, blur_z) * rear)
    plate = band(y, -0.3, 0.3, blur) * band(z, -0.42, -0.1, blur_z) * (front | rear)
    colour = mix(colour, (0.8, 0.8, 0.75), plate)
    return colour, np.full_like(x, 0.14)


def _car_cabin(surface: Surface) -> tuple[Floats, Floats]:
    """Paint windows between pillars, under a roof of the body's colour."""
    x, y = surface.straightened()
    z, half = surface.unit[2], surface.half_m.T
    blur, blur_z = surface.footprint_m / half[1], surface.footprint_m / half[2]
    height = band(z, -0.88, 0.72, blur_z)
    panes = (band(x, -0.86, -0.12, blur) + band(x, -0.04, 0.88, blur)) * height
    shield = band(y, -0.86, 0.86, blur) * height
    glass = np.where(surface.face >= 4, 0, np.where(surface.face >= 2, panes, shield))
    glass = np.clip(glass, 0, 1).astype(np.float32)
    return mix(surface.colour, _GLASS, glass), 0.14 + 0.36 * glass


def _wheel(surface: Surface) -> tuple[Floats, Floats]:
    x, y, _ = surface.unit
    blur = surface.footprint_m / surface.half_m[:, 0]
    radius = np.sqrt(x * x + y * y)
    rim = band(radius, -1, 0.62, blur) * (surface.face >= 4)
    spokes = 0.65 + 0.35 * np.cos(5 * np.arctan2(y, x))
    metal = np.repeat(spokes[:, None] * np.float32(0.38), 3, axis=1)
    return mix(surface.colour, metal, rim), np.zeros_like(x)


def _leaves(surface: Surface) -> tuple[Floats, Floats]:
    """Paint clumps of leaves: light tips, dark gaps, darker below."""
    x, y, z = surface.metres()
    axis = surface.face // 2
    u, v = np.where(axis == 0, y, x), np.where(axis == 2, y, z)
    salt = surface.shapes.placed[surface.row].astype(np.float32) * np.float32(1.37)
    clumps = clouds(u * 1.3 + salt, v * 1.3)
    near = np.clip(1.3 - surface.footprint_m * 14, 0, 1)
    leaf = grain(u * 14 + salt, v * 14) * near
    shade = 0.80 + 0.30 * surface.unit[2] + 0.40 * clumps + 0.28 * leaf
    tint = np.stack([1 + 0.18 * clumps, np.ones_like(x), 1 - 0.2 * clumps], axis=1)
    return surface.colour * tint * np.clip(shade, 0.15, 2)[:, None], np.zeros_like(x)


def _bark(surface: Surface) -> tuple[Floats, Floats]:
    x, y, z = surface.metres()
    streaks = grain(np.arctan2(y, x) * 9, z * 2) * np.clip(1 - surface.footprint_m * 25, 0, 1)
    return surface.colour * (1 + 0.3 * streaks)[:, None], np.zeros_like(x)


def _head(surface: Surface) -> tuple[Floats, Floats]:
    """Paint a face in front and hair above and behind."""
    x, _, z = surface.unit
    style = surface.style[:, 0]
    skin = surface.colour * (0.25 + 0.8 * np.mod(style * 7, 1))[:, None]
    hair = np.stack([0.03 + 0.25 * style**3, 0.02 + 0.16 * style**3, 0.02 + 0.06 * style**3], 1)
    share = np.clip((z * 0.9 - x * 0.7 + 0.05) * 6, 0, 1)
    return mix(skin, hair, share), np.zeros_like(x)


def _sign_plate(surface: Surface) -> tuple[Floats, Floats]:
    """Paint a white field with a rim on round signs, bars on boards, grey on the back."""
    x, y, z = surface.unit
    is_disc = surface.face >= 4
    blur = surface.footprint_m / surface.half_m.max(1)
    field = np.where(
        is_disc,
        band(x * x + y * y, -1, 0.5, 2 * blur),
        band(np.mod(z * 1.5 + 0.2, 1), 0.3, 0.62, blur) * band(y, -0.8, 0.8, blur),
    )
    style = surface.style[:, 0]
    colour = mix(surface.colour, (0.85, 0.85, 0.85), field * (style < 0.75))
    # Signs face against x; the disc's axis is its z, the board's is its x.
    back = np.where(is_disc, surface.face == 4, surface.face == 0)
    return mix(colour, (0.2, 0.21, 0.22), back.astype(np.float32)), np.full_like(x, 0.03)


def _signal(surface: Surface) -> tuple[Floats, Floats]:
    """Paint a traffic light with one of its three lamps lit."""
    _, y, z = surface.unit
    lit = surface.style[:, 0]
    blur = surface.footprint_m / surface.half_m[:, 1]
    colour = surface.colour
    lamps = ((0.64, (2.0, 0.06, 0.04)), (0.0, (2.0, 1.1, 0.05)), (-0.64, (0.05, 1.6, 0.5)))
    for number, (level, light) in enumerate(lamps):
        radius = np.sqrt(y * y + ((z - level) * 2.8) ** 2)
        disc = band(radius, -1, 0.75, blur) * (surface.face == 1)
        power = np.where(lit == number, 1.0, 0.06).astype(np.float32)
        colour = mix(colour, power[:, None] * np.array(light, np.float32), disc)
    return colour, np.zeros_like(y)


def _facade(surface: Surface) -> tuple[Floats, Floats]:
    """
    Paint a front with storeys of windows, and with shops at the foot of town houses.

    ``style`` of the building holds window spacing and storey height in metres, its use (0 house,
    1 town house, 2 backdrop) plus the share of glass, and a salt for chance.
    """
    along, up = _on_wall(surface)
    style = surface.style
    spacing, storey, use = style[:, 0], style[:, 1], np.floor(style[:, 2])
    foot = surface.footprint_m
    i, j = along / spacing, up / storey
    room = np.floor(i) + style[:, 3] * 17, np.floor(j) + surface.face.astype(np.float32) * 31
    glass, frame = _windows(i, j, foot / spacing, foot / storey, style[:, 2] - use)
    top = 2 * surface.half_m[:, 2]
    shop = (use == 1) & (np.floor(j) == 0) & (surface.face < 4)
    fits = (np.ceil(j) * storey < top + 0.1) & (surface.face < 4) & ~shop
    colour = _wall(surface, along, up)
    colour = mix(colour, _TRIM, frame * fits)
    colour = mix(colour, _panes(*room), glass * fits)
    colour, show = _shops(colour, i, j, foot / spacing, shop, room)
    colour = mix(colour, (0.16, 0.16, 0.17), (surface.face >= 4).astype(np.float32))
    return colour, 0.45 * np.where(shop, show, glass * fits).astype(np.float32)


def _on_wall(surface: Surface) -> tuple[Floats, Floats]:
    """Return metres along the wall and up from its foot."""
    x, y, z = surface.metres()
    along = np.where(surface.face < 2, y, x)
    return along, z + surface.half_m[:, 2]


def _wall(surface: Surface, along: Floats, up: Floats) -> Floats:
    """Return plaster or brick with some weather."""
    foot = surface.footprint_m
    brick = np.mod(surface.style[:, 3], 3) < 1
    course = np.floor(up / 0.12)
    bricks = grain(along / 0.3 + course * 0.5, course) * np.clip(1 - foot * 9, 0, 1)
    joint = stripes(up / 0.25, 0, 0.14, foot / 0.25)
    shade = 1 + np.where(brick, 0.16 * bricks - 0.22 * joint, 0.04 * bricks)
    shade = shade + 0.12 * clouds(along / 5 + surface.row, up / 5)
    shade = shade * (0.72 + 0.28 * np.clip(up / 1.5, 0, 1))
    wall: Floats = surface.colour * shade[:, None]
    return wall


def _windows(
    i: Floats, j: Floats, blur_i: Floats, blur_j: Floats, share: Floats
) -> tuple[Floats, Floats]:
    """Return coverage by glass and by the frames around it on a grid of windows."""
    half = 0.16 + 0.24 * share
    x, y = np.mod(i, 1) - 0.5, np.mod(j, 1)
    glass = band(x, -half, half, blur_i) * band(y, 0.30, 0.80, blur_j)
    glass = glass * (1 - 0.8 * band(x, -0.02, 0.02, blur_i))
    outer = band(x, -half - 0.05, half + 0.05, blur_i) * band(y, 0.25, 0.84, blur_j)
    return glass, np.clip(outer - glass, 0, 1)


def _panes(i: Floats, j: Floats) -> Floats:
    """Return each window its own colour: dark, curtained or lit."""
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


def _roof(surface: Surface) -> tuple[Floats, Floats]:
    """Paint tiles in rows along the eaves; gables take the colour of trim."""
    along, up = _on_wall(surface)
    x, _, _ = surface.metres()
    foot = surface.footprint_m
    row = np.floor(up / 0.22)
    tile = grain(along / 0.3 + row * 0.5, row) * np.clip(1 - foot * 5, 0, 1)
    eaves = stripes(up / 0.22, 0, 0.2, foot / 0.22)
    shade = 1 + 0.2 * tile - 0.3 * eaves + 0.1 * clouds(x / 3, up)
    colour = surface.colour * shade[:, None]
    is_gable = (surface.face < 2) & (surface.shapes.taper[surface.row, 0] == 0)
    return mix(colour, (0.5, 0.46, 0.4), is_gable.astype(np.float32)), np.zeros_like(foot)


def _planks(surface: Surface) -> tuple[Floats, Floats]:
    """Paint upright boards with dark joints: fences and the sides of trucks."""
    along, up = _on_wall(surface)
    foot = surface.footprint_m
    board = chance(along / 0.35, surface.row.astype(np.float32), 4) - 0.5
    near = np.clip(1 - foot * 4, 0, 1)
    joint = stripes(along / 0.35, 0, 0.09, foot / 0.35) * (surface.face < 4)
    shade = 1 + 0.14 * board * near - 0.4 * joint + 0.08 * clouds(along, up / 2)
    return surface.colour * shade[:, None], np.zeros_like(foot)


_PAINTERS: Mapping[Material, Painter] = {
    Material.MATTE: _matte,
    Material.FACADE: _facade,
    Material.ROOF: _roof,
    Material.CAR_BODY: _car_body,
    Material.CAR_CABIN: _car_cabin,
    Material.WHEEL: _wheel,
    Material.LEAVES: _leaves,
    Material.BARK: _bark,
    Material.HEAD: _head,
    Material.SIGN_PLATE: _sign_plate,
    Material.SIGNAL: _signal,
    Material.PLANKS: _planks,
}
