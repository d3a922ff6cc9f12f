# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Paint for solids: roofs and fences, cars, people, leaves and signs, in the colours of a drive.

A painter takes points on solids of one material and returns linear colour (M, 3) and gloss (M,),
the share of the sky that the surface mirrors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from clip_depth_ros.world.casting import Surface
from clip_depth_ros.world.look.fronts import front, on_wall, wall, WALLS
from clip_depth_ros.world.look.manner import Manner
from clip_depth_ros.world.look.patterns import (
    band,
    chance,
    clouds,
    grain,
    mix,
    stripes,
    texture,
    TEXTURES,
)
from clip_depth_ros.world.things import Floats, Material, Shapes, Thing
import numpy as np

_GLASS = (0.015, 0.02, 0.025)


class Paint(NamedTuple):
    """
    Paint of one drive.

    Attributes
    ----------
    variety : float
        Share of buildings that are not of plain plaster or brick.
    tones : float32 (classes, 3)
        What each class's colours are multiplied by.
    depth : float
        Power of all colours: above 1 they are darker and stronger.
    wild_salt : int
        0, or what draws any colour at all for each thing.
    pattern, size_m, rough : int, float, float
        Pattern of :func:`texture` that lies on all solids, the size of its features, its contrast.
    car_gloss, car_glass : float
        What the metal and the windows of cars mirror.
    leaf_m, gaps, leaf_contrast, leaf_pattern : float, float, float, int
        Size of leaves; how much dark shows between them, 0 to 1; how they differ.
    ragged : float
        How far crowns are seen through and lit from all sides, 0 to 1.
    season_rgb, season : float32 (3,), float
        Colour of the season, and the share of it in all leaves.

    """

    variety: float = 0.0
    tones: Floats = np.ones((len(Thing), 3), np.float32)
    depth: float = 1.0
    wild_salt: int = 0
    pattern: int = 1
    size_m: float = 1.0
    rough: float = 0.0
    car_gloss: float = 0.14
    car_glass: float = 0.5
    leaf_m: float = 0.07
    gaps: float = 0.0
    leaf_contrast: float = 0.3
    leaf_pattern: int = 11
    ragged: float = 0.0
    season_rgb: Floats = np.ones(3, np.float32)
    season: float = 0.0


_SEASONS = np.array([
    (0.05, 0.10, 0.02), (0.14, 0.20, 0.03), (0.30, 0.20, 0.03), (0.28, 0.08, 0.02),
    (0.16, 0.12, 0.09), (0.55, 0.40, 0.42),
])
"""Deep green, spring, yellow, red, bare twigs, blossom; linear."""


def paint_of(seed: int, manner: Manner) -> Paint:
    """Draw the paint of a seed."""
    if manner == 'plain':
        return Paint()
    rng = np.random.default_rng((seed, 33))
    tones = rng.uniform(-0.8, 0.5, (len(Thing), 1)) + rng.uniform(-0.2, 0.2, (len(Thing), 3))
    season = _SEASONS[int(rng.choice(6, p=(0.4, 0.2, 0.1, 0.08, 0.17, 0.05)))]
    return Paint(
        variety=float(rng.uniform(0.4, 1.0)),
        tones=np.exp(tones).astype(np.float32),
        depth=float(np.exp(rng.uniform(-0.4, 0.5))),
        wild_salt=int(rng.integers(1, 10_000)) if manner == 'wild' else 0,
        pattern=int(rng.integers(TEXTURES)),
        size_m=float(np.exp(rng.uniform(-2, 1.5))),
        rough=float(rng.uniform(0, 0.7 if manner == 'wild' else 0.25)),
        car_gloss=float(rng.uniform(0.03, 0.4)),
        car_glass=float(rng.uniform(0.1, 0.9)),
        leaf_m=float(np.exp(rng.uniform(np.log(0.03), np.log(0.4)))),
        gaps=float(rng.uniform(0.2, 1.0)),
        leaf_contrast=float(rng.uniform(0.2, 1.2)),
        leaf_pattern=int(rng.choice([2, 3, 7, 11])),
        ragged=float(rng.uniform(0.0, 0.9)),
        season_rgb=season.astype(np.float32),
        season=float(rng.uniform(0, 0.4 if manner == 'wild' else 1)),
    )


def painted(surface: Surface, paint: Paint) -> tuple[Floats, Floats]:
    """Return linear colour, float32 (M, 3), and gloss, float32 (M,), of points on solids."""
    surface = replace(surface, shapes=_tinted(surface.shapes, paint))
    colour = np.zeros((len(surface.row), 3), np.float32)
    gloss = np.zeros(len(surface.row), np.float32)
    material = surface.shapes.material[surface.row]
    for kind, painter in _PAINTERS.items():
        which = np.flatnonzero(material == kind)
        if len(which):
            colour[which], gloss[which] = painter(surface.at(which), paint)
    if paint.rough:
        x, y, z = surface.metres() / np.float32(paint.size_m)
        near = np.clip(1.3 - surface.footprint_m / np.float32(paint.size_m), 0, 1)
        grit = texture(paint.pattern, x + y, z + np.float32(0.3) * y) * near
        colour *= (1 + np.float32(paint.rough) * grit)[:, None]
    return colour, gloss


def _tinted(shapes: Shapes, paint: Paint) -> Shapes:
    """Return the solids in the colours of the drive."""
    if paint.variety == 0:
        return shapes
    colour = shapes.colour ** np.float32(paint.depth) * paint.tones[shapes.thing]
    if paint.wild_salt:
        # Solids of one colour and class, such as the parts of a car, get one colour again.
        red, green, blue = shapes.colour.T * 1000
        key = np.floor(red + 7 * green + 3 * blue)
        kinds = shapes.thing.astype(np.float32)
        luck = [chance(key, kinds, paint.wild_salt + i) for i in range(3)]
        colour = (0.1 + 0.85 * np.stack(luck, axis=1)) ** 2
    return replace(shapes, colour=np.clip(colour, 0.004, 1).astype(np.float32))


def _matte(surface: Surface, paint: Paint) -> tuple[Floats, Floats]:
    x, y, z = surface.metres()
    shade = 1 + 0.06 * clouds(x + y, z)
    return surface.colour * shade[:, None], np.zeros_like(x)


def _car_body(surface: Surface, paint: Paint) -> tuple[Floats, Floats]:
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
    return colour, np.full_like(x, paint.car_gloss)


def _car_cabin(surface: Surface, paint: Paint) -> tuple[Floats, Floats]:
    """Paint windows between pillars, under a roof of the body's colour."""
    x, y = surface.straightened()
    z, half = surface.unit[2], surface.half_m.T
    blur, blur_z = surface.footprint_m / half[1], surface.footprint_m / half[2]
    height = band(z, -0.88, 0.72, blur_z)
    panes = (band(x, -0.86, -0.12, blur) + band(x, -0.04, 0.88, blur)) * height
    shield = band(y, -0.86, 0.86, blur) * height
    glass = np.where(surface.face >= 4, 0, np.where(surface.face >= 2, panes, shield))
    glass = np.clip(glass, 0, 1).astype(np.float32)
    gloss = paint.car_gloss + (paint.car_glass - paint.car_gloss) * glass
    return mix(surface.colour, _GLASS, glass), gloss


def _wheel(surface: Surface, paint: Paint) -> tuple[Floats, Floats]:
    x, y, _ = surface.unit
    blur = surface.footprint_m / surface.half_m[:, 0]
    radius = np.sqrt(x * x + y * y)
    rim = band(radius, -1, 0.62, blur) * (surface.face >= 4)
    spokes = 0.65 + 0.35 * np.cos(5 * np.arctan2(y, x))
    metal = np.repeat(spokes[:, None] * np.float32(0.38), 3, axis=1)
    return mix(surface.colour, metal, rim), np.zeros_like(x)


def _leaves(surface: Surface, paint: Paint) -> tuple[Floats, Floats]:
    """Paint clumps of leaves: light tips, dark gaps, darker below."""
    x, y, z = surface.metres()
    axis = surface.face // 2
    u, v = np.where(axis == 0, y, x), np.where(axis == 2, y, z)
    salt = surface.shapes.placed[surface.row].astype(np.float32) * np.float32(1.37)
    clumps = clouds(u * 1.3 + salt, v * 1.3)
    # Leaves as fine as pixels are still speckled: they get larger instead of fading.
    size = np.maximum(np.float32(paint.leaf_m), surface.footprint_m * np.float32(0.7))
    leaf = texture(paint.leaf_pattern, u / size + salt, v / size)
    shade = 0.80 + 0.30 * surface.unit[2] + 0.40 * clumps + paint.leaf_contrast * leaf
    if paint.gaps:
        branch = texture(3, u / (4 * size) + salt, v / (4 * size))
        gap = np.clip((leaf + branch + 1.2 * clumps + 1.3 - 2 * paint.gaps) * 4, 0, 1)
        shade = shade * (0.12 + 0.88 * gap)
    tint = np.stack([1 + 0.18 * clumps, np.ones_like(x), 1 - 0.2 * clumps], axis=1)
    share = np.full(len(x), paint.season, np.float32)
    colour = mix(surface.colour, paint.season_rgb * paint.tones[Thing.TREE], share)
    return colour * tint * np.clip(shade, 0.05, 2.5)[:, None], np.zeros_like(x)


def _bark(surface: Surface, paint: Paint) -> tuple[Floats, Floats]:
    x, y, z = surface.metres()
    streaks = grain(np.arctan2(y, x) * 9, z * 2) * np.clip(1 - surface.footprint_m * 25, 0, 1)
    return surface.colour * (1 + 0.3 * streaks)[:, None], np.zeros_like(x)


def _head(surface: Surface, paint: Paint) -> tuple[Floats, Floats]:
    """Paint a face in front and hair above and behind."""
    x, _, z = surface.unit
    style = surface.style[:, 0]
    skin = surface.colour * (0.25 + 0.8 * np.mod(style * 7, 1))[:, None]
    hair = np.stack([0.03 + 0.25 * style**3, 0.02 + 0.16 * style**3, 0.02 + 0.06 * style**3], 1)
    share = np.clip((z * 0.9 - x * 0.7 + 0.05) * 6, 0, 1)
    return mix(skin, hair, share), np.zeros_like(x)


def _sign_plate(surface: Surface, paint: Paint) -> tuple[Floats, Floats]:
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


def _signal(surface: Surface, paint: Paint) -> tuple[Floats, Floats]:
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


def _facade(surface: Surface, paint: Paint) -> tuple[Floats, Floats]:
    return front(surface, paint.variety)


def _roof(surface: Surface, paint: Paint) -> tuple[Floats, Floats]:
    """Paint tiles in rows along the eaves; gables take the colour of trim."""
    along, up = on_wall(surface)
    x, _, _ = surface.metres()
    foot = surface.footprint_m
    row = np.floor(up / 0.22)
    tile = grain(along / 0.3 + row * 0.5, row) * np.clip(1 - foot * 5, 0, 1)
    eaves = stripes(up / 0.22, 0, 0.2, foot / 0.22)
    shade = 1 + 0.2 * tile - 0.3 * eaves + 0.1 * clouds(x / 3, up)
    colour = surface.colour * shade[:, None]
    is_gable = (surface.face < 2) & (surface.shapes.taper[surface.row, 0] == 0)
    return mix(colour, (0.5, 0.46, 0.4), is_gable.astype(np.float32)), np.zeros_like(foot)


def _planks(surface: Surface, paint: Paint) -> tuple[Floats, Floats]:
    """Paint upright boards with dark joints, or any kind of wall: fences, sides of trucks."""
    along, up = on_wall(surface)
    foot = surface.footprint_m
    board = chance(along / 0.35, surface.row.astype(np.float32), 4) - 0.5
    near = np.clip(1 - foot * 4, 0, 1)
    joint = stripes(along / 0.35, 0, 0.09, foot / 0.35) * (surface.face < 4)
    shade = 1 + 0.14 * board * near - 0.4 * joint + 0.08 * clouds(along, up / 2)
    colour = surface.colour * shade[:, None]
    salt = np.floor(surface.shapes.colour[:, 0] * 997)  # the same for all boards of one colour
    odd = (chance(salt, salt, 5) < paint.variety)[surface.row]
    if odd.any():
        kind = np.floor(chance(salt, salt, 6) * WALLS)[surface.row]
        other = wall(surface, kind, salt[surface.row], along, up)
        colour = np.where(odd[:, None], other, colour)
    return colour, np.zeros_like(foot)


_PAINTERS: Mapping[Material, Callable[[Surface, Paint], tuple[Floats, Floats]]] = {
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
