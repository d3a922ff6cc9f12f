# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the ground looks: road with its markings, sidewalks, and what grows or lies beside them."""

from __future__ import annotations

from typing import NamedTuple

from clip_depth_ros.world.look.manner import Manner
from clip_depth_ros.world.look.patterns import (
    band,
    chance,
    clouds,
    grain,
    mix,
    soft_clouds,
    stripes,
    texture,
    TEXTURES,
)
from clip_depth_ros.world.street import DASH_M, ground_things, Street
from clip_depth_ros.world.things import Floats, Ints, Thing
import numpy as np

_KERB_STONE_M = 0.18
_ZEBRA_M = (1.5, 4.5)  # before a crossing street begins
_CELLS, _VEINS = 6, 4  # patterns of :func:`texture`


class Cover(NamedTuple):
    """
    What a part of the ground is covered with.

    A linear colour, float32 (3,); ``pattern`` of :func:`texture` with features of ``size_m`` and
    some ``contrast``; slabs with sides of ``slab_m`` (0 for none), ``bond`` how far each row is
    shifted; ``patches`` of another tone, as a share.
    """

    colour: Floats
    pattern: int = 1
    size_m: float = 3.0
    contrast: float = 0.16
    slab_m: tuple[float, float] = (0.0, 0.0)
    bond: float = 0.0
    patches: float = 0.0
    other: Floats = np.zeros(3, np.float32)


class Marks(NamedTuple):
    """
    Paint on the road: a linear colour, and what there is of it.

    ``wear`` is the share that traffic has taken off; ``middle`` none, dashed, solid or double (0
    to 3).
    """

    colour: Floats
    wear: float = 0.3
    middle: int = 1
    zebra: bool = True
    edges: bool = True
    stop: bool = True
    arrows: bool = False
    bays: bool = False
    hatched: bool = False


class GroundLook(NamedTuple):
    """
    The ground of one drive.

    Attributes
    ----------
    road, walk, verge : Cover
    kerb : float32 (3,)
        Linear colour of the kerb stones.
    marks : Marks
    cracks, seams, manholes, litter, snow : float
        How much there is of them, 0 to 1.
    rails : bool
        Tram rails in the road.
    wet : float
        Share of what lies opposite that the road mirrors.

    """

    road: Cover
    walk: Cover
    verge: Cover
    kerb: Floats
    marks: Marks
    cracks: float = 0.0
    seams: float = 0.0
    manholes: float = 0.0
    litter: float = 0.0
    snow: float = 0.0
    rails: bool = False
    wet: float = 0.0


def ground_look_of(seed: int, manner: Manner) -> GroundLook:
    """Draw the ground's look of a seed: any colours at all if wild, even asphalt if plain."""
    rng = np.random.default_rng((seed, 11))
    look = _plain(rng)
    if manner == 'plain':
        return look
    look = look._replace(
        road=_road_cover(rng, look.road),
        walk=_walk_cover(rng, look.walk),
        verge=_verge_cover(rng, look.verge),
        kerb=look.walk.colour * np.float32(rng.uniform(0.5, 1.6)),
        marks=_marks(rng, look.marks),
        cracks=_sometimes(rng, 0.5),
        seams=_sometimes(rng, 0.4),
        manholes=_sometimes(rng, 0.5),
        litter=_sometimes(rng, 0.25),
        snow=_sometimes(rng, 0.07),
        rails=bool(rng.random() < 0.12),
        wet=float(rng.uniform(0.15, 0.8)) if rng.random() < 0.2 else 0.0,
    )
    if manner != 'wild':
        return look
    return look._replace(
        kerb=_any_colour(rng),
        marks=look.marks._replace(colour=_any_colour(rng)),
        **{
            name: getattr(look, name)._replace(
                colour=_any_colour(rng),
                other=_any_colour(rng),
                pattern=int(rng.integers(TEXTURES)),
                contrast=float(rng.uniform(0.1, 0.9)),
            )
            for name in ('road', 'walk', 'verge')
        },
    )


def _plain(rng: np.random.Generator) -> GroundLook:
    """Draw even asphalt with white lines, slabs and grass."""
    grey, warm = rng.uniform(0.07, 0.18), rng.uniform(-0.05, 0.05)
    stone, red = rng.uniform(0.18, 0.38), rng.uniform(0.0, 0.35)
    grass = Cover(_colour(rng.uniform(0.07, 0.2), rng.uniform(0.14, 0.22), 0.04), 2, 2.0, 0.5)
    side = float(rng.choice([0.5, 0.75, 1.0]))
    marks = Marks(
        _colour(0.62, 0.62, 0.58),
        wear=float(rng.uniform(0.0, 0.6)),
        zebra=bool(rng.random() < 0.7),
        edges=bool(rng.random() < 0.6),
    )
    return GroundLook(
        road=Cover(_colour(grey * (1 + warm), grey, grey * (1 - warm))),
        walk=Cover(_colour(stone, stone * (1 - red / 2), stone * (1 - red)), slab_m=(side, side)),
        verge=grass._replace(patches=0.3, other=_colour(0.24, 0.20, 0.10)),
        kerb=_colour(0.30, 0.30, 0.29),
        marks=marks,
    )


def _road_cover(rng: np.random.Generator, plain: Cover) -> Cover:
    """Draw asphalt of any age, concrete plates, cobbles, gravel or dirt."""
    grey = plain.colour * np.float32(np.exp(rng.uniform(-0.9, 1.0)))
    asphalt = Cover(
        grey,
        pattern=int(rng.choice([0, 1, 2, 3, 7, 10])),
        size_m=float(np.exp(rng.uniform(-1.5, 2))),
        contrast=float(rng.uniform(0.02, 0.4)),
        patches=float(rng.uniform(0, 0.35)),
        other=grey * np.float32(rng.uniform(0.5, 1.6)),
    )
    kind = rng.random()
    if kind < 0.72:
        return asphalt
    if kind < 0.80:
        plates = (float(rng.uniform(3, 8)), float(rng.uniform(1.5, 4)))
        return asphalt._replace(colour=grey * np.float32(2), slab_m=plates)
    if kind < 0.90:
        stone = float(rng.uniform(0.1, 0.35))
        return asphalt._replace(pattern=_CELLS, size_m=stone, contrast=float(rng.uniform(0.3, 1)))
    dirt = _colour(0.20, 0.14, 0.08) * rng.uniform(0.5, 1.8, 3).astype(np.float32)
    return asphalt._replace(colour=dirt, contrast=float(rng.uniform(0.2, 0.7)))


def _walk_cover(rng: np.random.Generator, plain: Cover) -> Cover:
    """Draw slabs, bricks, asphalt, cobbles or sand."""
    colour = plain.colour * np.float32(np.exp(rng.uniform(-0.9, 0.7)))
    cover = plain._replace(
        colour=colour,
        pattern=int(rng.integers(4)),
        contrast=float(rng.uniform(0.05, 0.35)),
        patches=float(rng.uniform(0, 0.25)),
        other=colour * np.float32(rng.uniform(0.5, 1.6)),
    )
    kind = rng.random()
    if kind < 0.45:
        return cover._replace(slab_m=(float(rng.uniform(0.3, 1.5)), float(rng.uniform(0.3, 1.5))))
    if kind < 0.65:
        return cover._replace(slab_m=(0.2, 0.1), bond=0.5, size_m=0.4)
    if kind < 0.8:
        return cover._replace(pattern=_CELLS, size_m=float(rng.uniform(0.06, 0.3)), slab_m=(0, 0))
    return cover._replace(slab_m=(0, 0), contrast=float(rng.uniform(0.1, 0.5)))


def _verge_cover(rng: np.random.Generator, plain: Cover) -> Cover:
    """Draw grass of any season, mud, gravel, or more pavement."""
    kinds = ((0.09, 0.15, 0.03), (0.2, 0.18, 0.06), (0.10, 0.07, 0.045), (0.26, 0.24, 0.21))
    which = rng.choice(5, size=2, p=(0.3, 0.3, 0.15, 0.1, 0.15))
    colours = [plain.colour if i == 4 else _colour(*kinds[i]) for i in which]
    first, other = (
        colour * np.exp(rng.uniform(-0.6, 0.5) + rng.uniform(-0.15, 0.15, 3)).astype(np.float32)
        for colour in colours
    )
    return plain._replace(
        colour=first,
        other=other,
        pattern=int(rng.choice([1, 2, 3, 7, 11])),
        size_m=float(np.exp(rng.uniform(-1.5, 1.5))),
        contrast=float(rng.uniform(0.2, 0.9)),
        patches=float(rng.uniform(0, 0.6)),
    )


def _marks(rng: np.random.Generator, plain: Marks) -> Marks:
    """Draw which lines there are: none on one road in six."""
    bright = rng.uniform(0.35, 0.85)
    tint = [(1, 1, 0.95), (1, 0.72, 0.15), (1, 0.4, 0.1)][int(rng.choice(3, p=(0.8, 0.15, 0.05)))]
    there = rng.random(7) < (0.5, 0.55, 0.6, 0.25, 0.3, 0.1, 0.85)
    zebra, edges, stop, arrows, bays, hatched, any_at_all = (there & there[6]).tolist()
    return Marks(
        _colour(*(bright * np.array(tint))),
        wear=float(plain.wear * 1.5),
        middle=int(rng.choice(4, p=(0.2, 0.5, 0.2, 0.1))) if any_at_all else 0,
        zebra=zebra,
        edges=edges,
        stop=stop,
        arrows=arrows,
        bays=bays,
        hatched=hatched,
    )


def _sometimes(rng: np.random.Generator, share: float) -> float:
    strength = float(rng.uniform(0.2, 1))
    return strength if rng.random() < share else 0.0


def _any_colour(rng: np.random.Generator) -> Floats:
    return (rng.uniform(0.05, 0.95, 3) ** 2).astype(np.float32)


def _colour(red: float, green: float, blue: float) -> Floats:
    return np.array([red, green, blue], np.float32)


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


def ground_colour(
    street: Street, look: GroundLook, points: GroundPoints
) -> tuple[Floats, Floats]:
    """Paint the ground: linear colour, float32 (M, 3), and the share that it mirrors, (M,)."""
    s, d, along, across = points
    thing = ground_things(street, s, d)
    colour = np.empty((len(s), 3), np.float32)
    covers = ((Thing.ROAD, look.road), (Thing.SIDEWALK, look.walk), (Thing.GRASS, look.verge))
    for kind, cover in covers:
        which = np.flatnonzero(thing == kind)
        part = GroundPoints(*(values[which] for values in points))
        painted = _covered(cover, part)
        colour[which] = _road(street, look, part, painted) if kind == Thing.ROAD else painted
    left, right = street.kerb_offsets()
    stone = band(np.maximum(d - left, right - d), -0.02, _KERB_STONE_M, across)
    joint = stripes(s, 0, 0.03, along)
    colour = mix(colour, look.kerb, stone * (1 - 0.5 * joint) * (thing != Thing.GRASS))
    if look.litter:
        lying = np.clip(texture(10, s / 1.5, d / 1.5) * 3, 0, 1) * np.clip(1 - along * 2, 0.1, 1)
        tone = chance(s * 7, d * 7, 51)[:, None] * np.array([(0.5, 0.3, 0.05)], np.float32)
        colour = mix(colour, tone, look.litter * lying)
    if look.snow:
        lies = soft_clouds(s / 6, d / 3) + 0.1 * grain(s * 15, d * 15) + 2 * look.snow - 1
        lies = lies - 0.9 * (thing == Thing.ROAD)
        colour = mix(colour, (0.82, 0.85, 0.90), np.clip(lies * 4, 0, 1))
    return colour, _wetness(look, thing, s, d)


def _wetness(look: GroundLook, thing: Ints, s: Floats, d: Floats) -> Floats:
    """Return how much the ground mirrors: puddles more, verges hardly."""
    if not look.wet:
        return np.zeros(len(s), np.float32)
    puddles = np.clip(soft_clouds(s / 4, d / 2 + 5) * 3, 0.15, 1)
    return np.asarray(look.wet * puddles * np.where(thing == Thing.GRASS, 0.1, 1), np.float32)


def _covered(cover: Cover, points: GroundPoints) -> Floats:
    """Paint a cover: its pattern, slabs and patches, each gone where a pixel is wider."""
    s, d, along, across = points
    near = np.clip(1.3 - along / np.float32(cover.size_m), 0, 1)
    shade = 1 + cover.contrast * near * texture(cover.pattern, s / cover.size_m, d / cover.size_m)
    shade = shade + 0.08 * clouds(s / 25, d) + 0.15 * clouds(s / 3, d / 3)
    shade = shade + 0.2 * np.clip(1 - along * 4, 0, 1) * grain(s * 25, d * 25)
    length, width = cover.slab_m
    if length:
        row = np.floor(d / width)
        at = s / length + cover.bond * row
        slab = grain(np.floor(at), row) * np.clip(1 - along / length, 0, 1)
        thin = 0.012 / np.array([length, width]) + 0.02
        joints = np.maximum(
            stripes(at, 0, thin[0], along / length), stripes(d / width, 0, thin[1], across / width)
        )
        shade = shade + 0.12 * slab - 0.35 * joints
    colour = cover.colour * np.clip(shade, 0.05, 3)[:, None]
    if cover.patches:
        # Smooth ones that grew, and oblong ones that were mended.
        grown = np.clip(clouds(s / 14 + 3, d / 4) * 8 - 8 * (0.6 - cover.patches), 0, 1)
        mended = chance(s / 5, d / 1.7, 52) < cover.patches * 0.3
        colour = mix(colour, cover.other * shade[:, None], np.maximum(grown * 0.8, mended))
    return np.asarray(colour, np.float32)


def _road(street: Street, look: GroundLook, points: GroundPoints, colour: Floats) -> Floats:
    """Put onto the road: wheel tracks, cracks, seams, manholes, rails, and lines."""
    s, d, along, across = points
    near = np.clip(1 - along * 3, 0, 1)
    shade = 1 + 0.05 * np.cos(2 * np.pi * np.abs(d) / np.float32(street.lane_m) * 2)
    if look.cracks:
        shade = shade - look.cracks * near * np.clip(texture(_VEINS, s / 2, d / 2), 0, 0.8)
    if look.seams:
        wavy = d + 0.25 * clouds(s / 9, d * 0) - np.float32(0.9)
        seam = band(wavy, -0.05, 0.05, across) + stripes(s / 17, 0, 0.006, along / 17)
        shade = shade - 0.7 * look.seams * np.clip(seam, 0, 1)
    if look.manholes:
        cell, lane = np.floor(s / 13), np.sign(d)
        x = np.mod(s, 13) - 3 - 7 * chance(cell, lane, 53)
        y = np.abs(d) - street.lane_m * (0.2 + 0.6 * chance(cell, lane, 54))
        radius = np.sqrt(x * x + y * y)
        lid = band(radius, -1, 0.36, along) * (chance(cell, lane, 55) < look.manholes)
        shade = shade * (1 - lid * (0.5 + 0.3 * np.cos(radius * 40)))
    colour = colour * np.clip(shade, 0.03, 2)[:, None]
    worn = 1 - look.marks.wear * np.clip(0.5 + clouds(s / 2, d * 2), 0, 1)
    lines = np.clip(_markings(street, look.marks, points), 0, 1)
    colour = mix(colour, look.marks.colour, lines * np.clip(worn, 0, 1))
    if look.rails:
        off = np.abs(np.abs(np.abs(d) - street.lane_m / 2) - 0.72)
        colour = mix(colour, look.road.other * 0.5, 0.7 * band(off, -1, 0.14, across))
        colour = mix(colour, (0.45, 0.45, 0.47), band(off, -1, 0.035, across))
    return np.asarray(colour, np.float32)


def _markings(street: Street, marks: Marks, points: GroundPoints) -> Floats:
    """Return coverage by paint."""
    s, d, along, across = points
    lane = np.float32(street.lane_m)
    middle = np.zeros_like(s)
    if marks.middle == 3:
        middle = band(np.abs(d), 0.06, 0.18, across)
    elif marks.middle:
        middle = band(d, -0.07, 0.07, across)
    if marks.middle == 1:
        middle = middle * stripes(s / DASH_M, 0.0, 0.4, along / DASH_M)
    lines: Floats = middle
    if marks.edges:
        lines = lines + band(np.abs(d), lane - 0.22, lane - 0.08, across)
    if marks.bays:
        bay = stripes(s / 5.9, 0, 0.02, along / 5.9) * (np.abs(d) > lane)
        lines = lines + bay + band(np.abs(d), lane - 0.06, lane + 0.06, across)
    if marks.arrows:
        x, y = np.mod(s, 27) * np.sign(-d), np.abs(np.abs(d) - lane / 2)
        x = np.where(d > 0, x + 27, x) - 10
        head = band(y - (2.1 - x) * 0.35, -2, 0, along) * band(x, 1.2, 2.1, along)
        lines = lines + band(y, -1, 0.1, across) * band(x, -1.5, 1.2, along) + head
    if marks.hatched:
        lines = lines + stripes((s + d) / 1.6, 0, 0.25, along) * (np.abs(d - 0.3) < 0.5)
    lines = lines * band(s, street.crossing_m + 1, street.block_m - _ZEBRA_M[1] - 1, along)
    if marks.zebra:
        where = band(s, street.block_m - _ZEBRA_M[1], street.block_m - _ZEBRA_M[0], along)
        lines = lines + where * stripes(d, 0.0, 0.5, across) * (np.abs(d) < lane)
    if marks.stop:
        stop = street.block_m - _ZEBRA_M[1] - 1.0
        lines = lines + band(s, stop - 0.4, stop, along) * (d < 0) * (d > -lane)
    return np.asarray(lines)
