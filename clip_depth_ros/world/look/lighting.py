# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Light on surfaces: the linear colour that reaches each pixel of a camera."""

from __future__ import annotations

from typing import NamedTuple

from clip_depth_ros.world.casting import ground_shadow, points_in_shadow, surface_at
from clip_depth_ros.world.hills import shadow_levels
from clip_depth_ros.world.look.film import soft
from clip_depth_ros.world.look.ground import ground_colour, GroundPoints
from clip_depth_ros.world.look.light import Light, sky, through_air
from clip_depth_ros.world.look.paint import painted
from clip_depth_ros.world.look.patterns import chance, texture
from clip_depth_ros.world.look.shade import open_to_sun
from clip_depth_ros.world.rays import CameraRays
from clip_depth_ros.world.rig import CANONICAL_FOCAL_PX
from clip_depth_ros.world.scene import Scene
from clip_depth_ros.world.street import GroundHits, KERB_M
from clip_depth_ros.world.things import Bools, Floats, Ints, Material, Shapes, Thing
import cv2
import numpy as np

_SHADOWS_M = 75.0  # things further away cast none that could be told from the haze
_TALL_M = 2.4  # half height from which a building can shade whole things
_LAMPS = 6  # nearest lamps that light the street
_LAMP_HALF_M = 2.5  # half height of a lamp post, at least


class Pixels(NamedTuple):
    """Numbers of the pixels, row by row, that show the sky, the ground and solids."""

    sky: Ints
    ground: Ints
    solid: Ints


class Seen(NamedTuple):
    """What a camera sees: pixels by kind, depth and solid of each, (H, W), and the ground."""

    pixels: Pixels
    depth: Floats
    shape: Ints
    ground: GroundHits


def linear_colour(scene: Scene, rays: CameraRays, seen: Seen, far_m: float) -> Floats:
    """
    Return the light that reaches each pixel, float32 (H * W, 3).

    The world ends at ``far_m``.
    """
    colour = np.empty((seen.depth.size, 3), np.float32)
    above, ground, solid = seen.pixels
    colour[above] = sky(scene.light, _directions(rays, above), scene.cloud_drift_m)
    colour[ground] = scene.light.horizon_rgb
    at = _spots(rays, seen, solid)
    colour[solid] = through_air(scene.light, _lit_solids(scene, rays, seen, at), at.z, far_m)
    at = _spots(rays, seen, ground)  # it comes last: it may mirror the rest
    lit = _lit_ground(scene, rays, seen, at, colour)
    colour[ground] = through_air(scene.light, lit, at.z, far_m)
    return colour


class _Spots(NamedTuple):
    """Numbers of M pixels, their depth, and their rays, float32 (3, M), world."""

    pixels: Ints
    z: Floats
    directions: Floats


def _spots(rays: CameraRays, seen: Seen, pixels: Ints) -> _Spots:
    return _Spots(pixels, seen.depth.ravel()[pixels], _directions(rays, pixels))


def _directions(rays: CameraRays, pixels: Ints) -> Floats:
    """Return the world directions of pixels' rays, float32 (3, M)."""
    row, column = np.divmod(pixels, rays.intrinsics.width)
    return rays.columns.astype(np.float32)[:, column] + rays.rows.astype(np.float32)[:, row]


def _lit_ground(
    scene: Scene, rays: CameraRays, seen: Seen, at: _Spots, picture: Floats
) -> Floats:
    """
    Paint the ground and light it: sun and sky, less where something stands in between.

    ``picture``, float32 (H * W, 3), is what wet ground mirrors.
    """
    light, pixels, z = scene.light, at.pixels, at.z
    across = z / np.float32(rays.intrinsics.fx)
    height_m = rays.origin_m[2] - scene.street.rise(float(rays.origin_m[0]))[0]
    along = across * z / np.float32(height_m)
    s, d = seen.ground.s.ravel()[pixels], seen.ground.d.ravel()[pixels]
    points = GroundPoints(s, d, along, across)
    colour, mirrors = ground_colour(scene.street, scene.look.ground, points)
    dark = _in_shadow(scene, rays, seen, at)
    sun = light.sun_rgb * np.float32(light.to_sun[2])
    under_sky = 1 - np.float32(0.35 if light.sun_rgb.any() else 0.45) * dark
    in_sun: Floats = 1 - dark
    if light.sun_rgb.any():
        reach = at.directions * z
        in_sun = in_sun * open_to_sun(scene.look.shade, light.to_sun, rays.origin_m, reach)
    lit = light.ambient_rgb * under_sky[:, None] + sun * in_sun[:, None]
    lit = colour * (lit + _lamps(scene, rays, at))
    if scene.look.ground.wet:
        opposite = _opposite(rays, at, picture, light.horizon_rgb)
        steep = np.abs(at.directions[2]) / np.sqrt((at.directions * at.directions).sum(0))
        mirrors = mirrors * (0.1 + 0.9 * (1 - steep) ** 3)  # water mirrors at grazing angles
        lit = lit * (1 - 0.6 * mirrors)[:, None] + opposite * mirrors[:, None]
    return np.asarray(lit, np.float32)


def _in_shadow(scene: Scene, rays: CameraRays, seen: Seen, at: _Spots) -> Floats:
    """Return how far points of the ground lie in the shadow of solids, float32 (M,) in [0, 1]."""
    bare = np.full(seen.depth.shape, np.inf, np.float32)
    bare.flat[at.pixels] = at.z
    casters = _casters(scene, rays)
    levels_m = shadow_levels(scene.street.climbs, casters, scene.light.to_sun, KERB_M)
    shadow = ground_shadow(rays, bare, casters, scene.light.to_sun, levels_m)
    dark = shadow.astype(np.float32)
    if scene.light.shadow_blur:
        dark = soft(dark, scene.light.shadow_blur * rays.intrinsics.fx / CANONICAL_FOCAL_PX)
    return dark.ravel()[at.pixels]


def _opposite(rays: CameraRays, at: _Spots, picture: Floats, horizon_rgb: Floats) -> Floats:
    """
    Return what a level mirror on the ground shows: the picture at the ray turned upwards, (M, 3).

    Right for what is far away, good enough for the rest; the horizon where that is out of view.
    """
    k, (x, y, z) = rays.intrinsics, at.directions
    right, down, ahead = (
        axis[0] * x + axis[1] * y - axis[2] * z
        for axis in rays.T_world_cam[:3, :3].astype(np.float32).T
    )
    ahead = np.maximum(ahead, 1e-3)
    column, row = right / ahead * k.fx + k.cx, down / ahead * k.fy + k.cy
    row = row + 0.05 * k.height * (chance(column, row, 3) - 0.5)  # ripples draw it out upright
    column, row = np.rint(column).astype(np.int64), np.rint(row).astype(np.int64)
    shown = (column >= 0) & (column < k.width) & (row >= 0) & (row < k.height)
    pixels = np.where(shown, row * k.width + column, 0)
    return np.where(shown[:, None], picture[pixels], horizon_rgb)


def _casters(scene: Scene, rays: CameraRays) -> Shapes:
    """Return the solids whose shadows are worth casting: near, and not a detail."""
    middle = scene.shapes.from_unit[:, :, 3]
    distance = np.hypot(*(middle[:, :2] - rays.origin_m[:2]).T)
    size = scene.shapes.half_m.max(1)
    return scene.shapes.chosen((distance < _SHADOWS_M) & (size * 250 > distance))


def _lit_solids(scene: Scene, rays: CameraRays, seen: Seen, at: _Spots) -> Floats:
    """Light points on solids: sky from above, sun, and a mirrored sky on gloss."""
    reach, footprint = at.directions * at.z, at.z / np.float32(rays.intrinsics.fx)
    row = seen.shape.ravel()[at.pixels]
    surface = surface_at(scene.shapes, row, rays.origin_m, reach, footprint)
    light, normal = scene.light, surface.normal
    colour, gloss = painted(surface, scene.look.paint)
    sx, sy, sz = light.to_sun.astype(np.float32)
    facing = np.clip(normal[0] * sx + normal[1] * sy + normal[2] * sz, 0, 1)
    ragged = scene.look.paint.ragged
    leaves = np.flatnonzero((surface.shapes.material[row] == Material.LEAVES) & (ragged > 0))
    tangle = _tangle(scene, rays, leaves, reach, footprint)
    facing[leaves] += (np.clip(0.5 + tangle, 0, 1) - facing[leaves]) * ragged
    in_sun: Floats = facing * ~_things_in_shade(scene)[surface.shapes.placed[surface.row]]
    if light.sun_rgb.any():
        in_sun = in_sun * open_to_sun(scene.look.shade, light.to_sun, rays.origin_m, reach)
    ambient = 0.72 + 0.28 * normal[2]
    lit = light.ambient_rgb * ambient[:, None] + light.sun_rgb * in_sun[:, None]
    lit = np.asarray(colour * (lit + _lamps(scene, rays, at)), np.float32)
    lit += np.maximum(colour - 1, 0)  # what is brighter than white shines by itself
    shiny = np.flatnonzero(gloss > 0)
    if len(shiny):
        mirrored = _mirrored_sky(light, normal[:, shiny], at.directions[:, shiny])
        lit[shiny] += mirrored * gloss[shiny][:, None]
    if len(leaves):
        shown = _near_sky(seen, rays)[at.pixels[leaves]] & (tangle > 1 - ragged)
        leaves = leaves[shown]
        lit[leaves] = sky(light, at.directions[:, leaves], scene.cloud_drift_m)
    return lit


def _near_sky(seen: Seen, rays: CameraRays) -> Bools:
    """Return which pixels are so near to the sky that it shows through thin leaves, (H * W,)."""
    reach = 2 * round(3 * rays.intrinsics.fx / CANONICAL_FOCAL_PX) + 1
    open_sky = np.isinf(seen.depth).astype(np.uint8)
    return np.asarray(cv2.dilate(open_sky, np.ones((reach, reach), np.uint8)) > 0).ravel()


def _tangle(
    scene: Scene, rays: CameraRays, leaves: Ints, reach: Floats, footprint: Floats
) -> Floats:
    """Return how twigs lie at some of the points: in [-1, 1], 1 where they are thin."""
    size = np.maximum(np.float32(4 * scene.look.paint.leaf_m), 2 * footprint[leaves])
    start = np.mod(rays.origin_m, 512).astype(np.float32)
    x, y, z = (reach[:, leaves] + start[:, None]) / size
    return texture(scene.look.paint.leaf_pattern, x + y, z + np.float32(0.4) * (x - y))


def _lamps(scene: Scene, rays: CameraRays, at: _Spots) -> Floats:
    """Return the light of the street lamps around and of the own headlights, (M, 3) or (3,)."""
    if not scene.light.lamps_rgb.any():
        return np.zeros(3, np.float32)
    shapes, reach = scene.shapes, at.directions * at.z
    posts = (shapes.thing == Thing.POLE) & (shapes.half_m[:, 2] > _LAMP_HALF_M)
    heads = shapes.from_unit[posts, :, 3] - rays.origin_m
    near = heads[np.argsort((heads**2).sum(1), kind='stable')[:_LAMPS]].astype(np.float32)
    ahead, side = rays.T_world_cam[:3, 2].astype(np.float32), rays.T_world_cam[:3, 0]
    off = (at.directions * side.astype(np.float32)[:, None]).sum(0)
    up = at.directions[2] / (at.directions * ahead[:, None]).sum(0)
    beam = np.exp(-((off / 0.35) ** 2) - ((up + 0.06) / 0.09) ** 2)
    power = 60 * beam / (at.z * at.z + 30)
    for x, y, z in near:
        away = (reach[0] - x) ** 2 + (reach[1] - y) ** 2 + (reach[2] - z - 3) ** 2
        power = power + 14 / (away + 2)
    return np.asarray(scene.light.lamps_rgb * power[:, None], np.float32)


def _mirrored_sky(light: Light, normal: Floats, directions: Floats) -> Floats:
    """Return what a mirror would show: sky above the horizon, a dim street below, (M, 3)."""
    incoming = directions / np.sqrt((directions * directions).sum(0))
    slope = (incoming * normal).sum(0)
    up = incoming[2] - 2 * slope * normal[2]
    grazing = 0.35 + 0.65 * (1 - np.clip(-slope, 0, 1)) ** 2
    share = np.clip(up * 2.5 + 0.3, 0.12, 1)[:, None]
    blue = np.clip(up, 0, 1)[:, None]
    above = light.horizon_rgb + (light.zenith_rgb - light.horizon_rgb) * blue
    return np.asarray(above * share * grazing[:, None], np.float32)


def _things_in_shade(scene: Scene) -> Bools:
    """Return which things stand wholly in the shadow of a building; one point decides for each."""
    shapes = scene.shapes
    n_things = int(shapes.placed.max(initial=-1)) + 1
    tall = (shapes.thing == Thing.BUILDING) & (shapes.half_m[:, 2] > _TALL_M) & (shapes.solid == 0)
    shade = np.zeros(n_things, bool)
    if not scene.light.sun_rgb.any() or not tall.any():
        return shade
    points = np.zeros((n_things, 3))
    points[shapes.placed] = shapes.from_unit[:, :, 3]
    shade = points_in_shadow(points, shapes.chosen(tall), scene.light.to_sun)
    shade[shapes.placed[shapes.thing == Thing.BUILDING]] = False
    return shade
