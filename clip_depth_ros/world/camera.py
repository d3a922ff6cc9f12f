# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a camera turns a scene into a picture with exact depth and classes."""

from __future__ import annotations

from typing import NamedTuple

from clip_depth_ros.types import Depth, Rgb
from clip_depth_ros.world.casting import (
    ground_shadow,
    NOTHING,
    points_in_shadow,
    Surface,
    surface_at,
)
from clip_depth_ros.world.look.ground import ground_colour, GroundPoints
from clip_depth_ros.world.look.paint import painted
from clip_depth_ros.world.rays import CameraRays
from clip_depth_ros.world.scene import cast, Light, Scene, sky, through_air
from clip_depth_ros.world.street import ground_things, GroundHits, KERB_M
from clip_depth_ros.world.things import Bools, Floats, Ints, Shapes, Thing
import numpy as np
from numpy.typing import NDArray

FAR_M = 140.0
"""The world ends here: what lies deeper along the optical axis counts as sky."""

_SHADOWS_M = 75.0  # things further away cast none that could be told from the haze
_TALL_M = 2.4  # half height from which a building can shade whole things


class View(NamedTuple):
    """A picture and what it shows; shapes as in :class:`SyntheticFrame`."""

    rgb: Rgb
    depth_m: Depth
    class_ids: NDArray[np.uint8]


def render(scene: Scene, rays: CameraRays, rng: np.random.Generator) -> View:
    """Take a picture of a moment; the numbers are drawn for the sensor's noise."""
    (depth, shape), ground = cast(scene, rays)
    depth = np.where(depth < FAR_M, depth, np.float32(np.inf))
    seen = np.isfinite(depth)
    pixels = _Pixels(
        sky=np.flatnonzero(~seen),
        ground=np.flatnonzero(seen & (shape == NOTHING)),
        solid=np.flatnonzero(seen & (shape != NOTHING)),
    )
    colour = _linear_colour(scene, rays, pixels, depth, shape, ground)
    rgb = _developed(scene.light, _smoothed(colour.reshape(*depth.shape, 3), shape), rng)
    classes = np.full(depth.size, Thing.SKY, np.uint8)
    classes[pixels.ground] = ground_things(
        scene.street, ground.s.ravel()[pixels.ground], ground.d.ravel()[pixels.ground]
    )
    classes[pixels.solid] = scene.shapes.thing[shape.ravel()[pixels.solid]]
    return View(rgb, depth, classes.reshape(depth.shape))


class _Pixels(NamedTuple):
    """Numbers of the pixels, row by row, that show the sky, the ground and solids."""

    sky: Ints
    ground: Ints
    solid: Ints


def _linear_colour(
    scene: Scene, rays: CameraRays, pixels: _Pixels, depth: Floats, shape: Ints, ground: GroundHits
) -> Floats:
    """Return the light that reaches each pixel, float32 (H * W, 3)."""
    colour = np.empty((depth.size, 3), np.float32)
    colour[pixels.sky] = sky(scene.light, _directions(rays, pixels.sky), scene.cloud_drift_m)
    on_ground = _lit_ground(scene, rays, pixels.ground, depth, ground)
    z = depth.ravel()[pixels.ground]
    colour[pixels.ground] = through_air(scene.light, on_ground, z, FAR_M)
    directions, z = _directions(rays, pixels.solid), depth.ravel()[pixels.solid]
    surface = surface_at(
        scene.shapes,
        shape.ravel()[pixels.solid],
        rays.origin_m,
        directions * z,
        z / np.float32(rays.intrinsics.fx),
    )
    on_solids = _lit_solids(scene, surface, directions)
    colour[pixels.solid] = through_air(scene.light, on_solids, z, FAR_M)
    return colour


def _directions(rays: CameraRays, pixels: Ints) -> Floats:
    """Return the world directions of pixels' rays, float32 (3, M)."""
    row, column = np.divmod(pixels, rays.intrinsics.width)
    return rays.columns.astype(np.float32)[:, column] + rays.rows.astype(np.float32)[:, row]


def _lit_ground(
    scene: Scene, rays: CameraRays, pixels: Ints, depth: Floats, ground: GroundHits
) -> Floats:
    """Paint the ground and light it: sun and sky, less where something stands in between."""
    light, z = scene.light, depth.ravel()[pixels]
    across = z / np.float32(rays.intrinsics.fx)
    along = across * z / np.float32(rays.origin_m[2])
    s, d = ground.s.ravel()[pixels], ground.d.ravel()[pixels]
    colour = ground_colour(scene.street, scene.look.ground, GroundPoints(s, d, along, across))
    bare = np.full(depth.shape, np.inf, np.float32)
    bare.flat[pixels] = z
    dark = ground_shadow(rays, bare, _casters(scene, rays), light.to_sun, KERB_M).ravel()[pixels]
    sun = light.sun_rgb * np.float32(light.to_sun[2])
    under_sky = 1 - np.float32(0.35 if light.sun_rgb.any() else 0.45) * dark
    lit: Floats = colour * (light.ambient_rgb * under_sky[:, None] + sun * ~dark[:, None])
    return lit


def _casters(scene: Scene, rays: CameraRays) -> Shapes:
    """Return the solids whose shadows are worth casting: near, and not a detail."""
    middle = scene.shapes.from_unit[:, :, 3]
    distance = np.hypot(*(middle[:, :2] - rays.origin_m[:2]).T)
    size = scene.shapes.half_m.max(1)
    return scene.shapes.chosen((distance < _SHADOWS_M) & (size * 250 > distance))


def _lit_solids(scene: Scene, surface: Surface, directions: Floats) -> Floats:
    """Light points on solids: sky from above, sun, and a mirrored sky on gloss."""
    light, normal = scene.light, surface.normal
    colour, gloss = painted(surface)
    sx, sy, sz = light.to_sun.astype(np.float32)
    facing = np.clip(normal[0] * sx + normal[1] * sy + normal[2] * sz, 0, 1)
    in_sun = ~_things_in_shade(scene)[surface.shapes.placed[surface.row]]
    ambient = 0.72 + 0.28 * normal[2]
    lit: Floats = colour * (
        light.ambient_rgb * ambient[:, None] + light.sun_rgb * (facing * in_sun)[:, None]
    )
    shiny = np.flatnonzero(gloss > 0)
    if len(shiny):
        mirrored = _mirrored_sky(light, normal[:, shiny], directions[:, shiny])
        lit[shiny] += mirrored * gloss[shiny][:, None]
    return lit


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


def _smoothed(colour: Floats, shape: Ints) -> Floats:
    """Soften the steps at the rims of solids; only colour, never depth or classes."""
    rim = np.zeros(shape.shape, bool)
    across = shape[:, 1:] != shape[:, :-1]
    down = shape[1:] != shape[:-1]
    rim[:, 1:] |= across
    rim[:, :-1] |= across
    rim[1:] |= down
    rim[:-1] |= down
    i, j = np.nonzero(rim)
    up, below = np.maximum(i - 1, 0), np.minimum(i + 1, shape.shape[0] - 1)
    left, right = np.maximum(j - 1, 0), np.minimum(j + 1, shape.shape[1] - 1)
    around = colour[up, j] + colour[below, j] + colour[i, left] + colour[i, right]
    soft: Floats = colour.copy()
    soft[i, j] = colour[i, j] * np.float32(0.56) + around * np.float32(0.11)
    return soft


def _developed(light: Light, colour: Floats, rng: np.random.Generator) -> Rgb:
    """Turn linear colour (H, W, 3) into uint8 as a camera would: gain, shoulder, gamma, noise."""
    exposed = 1 - np.exp(colour * (light.cast_rgb * np.float32(-1.5 * light.exposure)))
    steps = np.sqrt(np.maximum(exposed, 0)) * np.float32(255)
    steps += rng.standard_normal(colour.shape, np.float32) * np.float32(light.noise)
    rgb: Rgb = np.clip(np.rint(steps), 0, 255).astype(np.uint8)
    return rgb
