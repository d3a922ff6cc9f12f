# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Paint for small things: cars, wheels, people, leaves, signs; and the choice of paint per material.

A painter takes points on solids of one material and gives linear colour (M, 3) and gloss (M,),
the share of the sky that the surface mirrors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clip_depth_ros.world.noise import band, clouds, grain, mix
from clip_depth_ros.world.paint_buildings import facade, planks, roof
from clip_depth_ros.world.surface import Surface
from clip_depth_ros.world.things import Floats, Material
import numpy as np

Painter = Callable[[Surface], tuple[Floats, Floats]]

_GLASS = (0.015, 0.02, 0.025)


def painted(surface: Surface) -> tuple[Floats, Floats]:
    """Give linear colour, float32 (M, 3), and gloss, float32 (M,), of points on solids."""
    colour = np.zeros((len(surface.row), 3), np.float32)
    gloss = np.zeros(len(surface.row), np.float32)
    material = surface.shapes.material[surface.row]
    for kind, painter in _PAINTERS.items():
        which = np.flatnonzero(material == kind)
        if len(which):
            colour[which], gloss[which] = painter(surface.at(which))
    return colour, gloss


def _primary(surface: Surface) -> Floats:
    return surface.shapes.primary[surface.row]


def _matte(surface: Surface) -> tuple[Floats, Floats]:
    x, y, z = surface.metres()
    shade = 1 + 0.06 * clouds(x + y, z)
    return _primary(surface) * shade[:, None], np.zeros_like(x)


def _car_body(surface: Surface) -> tuple[Floats, Floats]:
    """Paint metal, lights, plates, a dark sill and wheel arches."""
    x, y = surface.straightened()
    z, half = surface.unit[2], surface.shapes.half_m[surface.row].T
    blur = surface.footprint_m / half[1]
    blur_z = surface.footprint_m / half[2]
    front, rear = surface.face == 0, surface.face == 1
    side = (surface.face == 2) | (surface.face == 3)
    colour = _primary(surface)
    colour = mix(colour, (0.01, 0.01, 0.012), band(z, -2, -0.62, blur_z) * (surface.face < 4))
    seam = band(x, 0.06, 0.075, blur * 0.4) + band(x, -0.36, -0.345, blur * 0.4)
    colour = mix(colour, (0.02, 0.02, 0.02), 0.7 * seam * side)
    along, up = surface.unit[0] * half[0], (z + 1) * half[2]
    for wheel in (-0.58, 0.60):  # as fractions of half the length, where the prefab has them
        radius = np.sqrt((along - wheel * half[0]) ** 2 + (up - 0.06) ** 2)
        colour = mix(
            colour, (0.006, 0.006, 0.006), band(radius, -1, 0.40, surface.footprint_m) * side
        )
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
    z, half = surface.unit[2], surface.shapes.half_m[surface.row].T
    blur, blur_z = surface.footprint_m / half[1], surface.footprint_m / half[2]
    height = band(z, -0.88, 0.72, blur_z)
    panes = (band(x, -0.86, -0.12, blur) + band(x, -0.04, 0.88, blur)) * height
    shield = band(y, -0.86, 0.86, blur) * height
    glass = np.where(surface.face >= 4, 0, np.where(surface.face >= 2, panes, shield))
    glass = np.clip(glass, 0, 1).astype(np.float32)
    return mix(_primary(surface), _GLASS, glass), 0.14 + 0.36 * glass


def _wheel(surface: Surface) -> tuple[Floats, Floats]:
    x, y, _ = surface.unit
    blur = surface.footprint_m / surface.shapes.half_m[surface.row, 0]
    radius = np.sqrt(x * x + y * y)
    rim = band(radius, -1, 0.62, blur) * (surface.face >= 4)
    spokes = 0.65 + 0.35 * np.cos(5 * np.arctan2(y, x))
    metal = np.repeat(spokes[:, None] * np.float32(0.38), 3, axis=1)
    return mix(_primary(surface), metal, rim), np.zeros_like(x)


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
    return _primary(surface) * tint * np.clip(shade, 0.15, 2)[:, None], np.zeros_like(x)


def _bark(surface: Surface) -> tuple[Floats, Floats]:
    x, y, z = surface.metres()
    streaks = grain(np.arctan2(y, x) * 9, z * 2) * np.clip(1 - surface.footprint_m * 25, 0, 1)
    return _primary(surface) * (1 + 0.3 * streaks)[:, None], np.zeros_like(x)


def _head(surface: Surface) -> tuple[Floats, Floats]:
    """Paint a face in front and hair above and behind."""
    x, _, z = surface.unit
    style = surface.shapes.style[surface.row, 0]
    skin = _primary(surface) * (0.25 + 0.8 * np.mod(style * 7, 1))[:, None]
    hair = np.stack([0.03 + 0.25 * style**3, 0.02 + 0.16 * style**3, 0.02 + 0.06 * style**3], 1)
    share = np.clip((z * 0.9 - x * 0.7 + 0.05) * 6, 0, 1)
    return mix(skin, hair, share), np.zeros_like(x)


def _sign_plate(surface: Surface) -> tuple[Floats, Floats]:
    """Paint a white field with a rim on round signs, bars on boards, grey on the back."""
    x, y, z = surface.unit
    is_disc = surface.face >= 4
    blur = surface.footprint_m / surface.shapes.half_m[surface.row].max(1)
    field = np.where(
        is_disc,
        band(x * x + y * y, -1, 0.5, 2 * blur),
        band(np.mod(z * 1.5 + 0.2, 1), 0.3, 0.62, blur) * band(y, -0.8, 0.8, blur),
    )
    style = surface.shapes.style[surface.row, 0]
    colour = mix(_primary(surface), (0.85, 0.85, 0.85), field * (style < 0.75))
    # Signs face against x; the disc's axis is its z, the board's is its x.
    back = np.where(is_disc, surface.face == 4, surface.face == 0)
    return mix(colour, (0.2, 0.21, 0.22), back.astype(np.float32)), np.full_like(x, 0.03)


def _signal(surface: Surface) -> tuple[Floats, Floats]:
    """Paint a traffic light with one of its three lamps lit."""
    _, y, z = surface.unit
    lit = surface.shapes.style[surface.row, 0]
    blur = surface.footprint_m / surface.shapes.half_m[surface.row, 1]
    colour = _primary(surface)
    lamps = ((0.64, (2.0, 0.06, 0.04)), (0.0, (2.0, 1.1, 0.05)), (-0.64, (0.05, 1.6, 0.5)))
    for number, (level, light) in enumerate(lamps):
        radius = np.sqrt(y * y + ((z - level) * 2.8) ** 2)
        disc = band(radius, -1, 0.75, blur) * (surface.face == 1)
        power = np.where(lit == number, 1.0, 0.06).astype(np.float32)
        colour = mix(colour, power[:, None] * np.array(light, np.float32), disc)
    return colour, np.zeros_like(y)


_PAINTERS: Mapping[Material, Painter] = {
    Material.MATTE: _matte,
    Material.FACADE: facade,
    Material.ROOF: roof,
    Material.CAR_BODY: _car_body,
    Material.CAR_CABIN: _car_cabin,
    Material.WHEEL: _wheel,
    Material.LEAVES: _leaves,
    Material.BARK: _bark,
    Material.HEAD: _head,
    Material.SIGN_PLATE: _sign_plate,
    Material.SIGNAL: _signal,
    Material.PLANKS: planks,
}
