# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The world at one moment, in the light of its day, and the one cast that all sensors share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from clip_depth_ros.world.casting import Hits, nearest_hits
from clip_depth_ros.world.look.looks import Look
from clip_depth_ros.world.look.patterns import clouds
from clip_depth_ros.world.rays import RayGrid
from clip_depth_ros.world.street import ground_hits, GroundHits, Street
from clip_depth_ros.world.things import Floats, Rgb01, Shapes
import numpy as np


@dataclass(frozen=True, slots=True)
class Light:
    """
    Light and air of one drive; colours are linear.

    Attributes
    ----------
    to_sun : float64 (3,)
        Unit vector towards the sun, world; nearly upright where the sky is closed.
    sun_rgb, ambient_rgb : float32 (3,)
        Light from the sun (all 0 under a closed sky) and from everywhere.
    zenith_rgb, horizon_rgb : float32 (3,)
        Colours of the sky; ``horizon_rgb`` is also the haze.
    cloud_cover, haze_per_m : float
        Share of clouds in the sky; extinction of the air.
    exposure, noise : float
        Gain of the camera, and sigma of its noise in 8-bit steps.
    cast_rgb : float32 (3,)
        White balance of the camera.

    """

    to_sun: Floats
    sun_rgb: Floats
    ambient_rgb: Floats
    zenith_rgb: Floats
    horizon_rgb: Floats
    cloud_cover: float
    haze_per_m: float
    exposure: float
    noise: float
    cast_rgb: Floats


@dataclass(frozen=True, slots=True)
class Scene:
    """The world at one moment: all solids, the ground, its look, and how far clouds moved."""

    shapes: Shapes
    street: Street
    look: Look
    light: Light
    cloud_drift_m: float = 0.0


class Cast(NamedTuple):
    """Nearest surfaces of a grid of rays: solids or ground, and the ground behind solids too."""

    hits: Hits
    ground: GroundHits


def cast(scene: Scene, rays: RayGrid) -> Cast:
    """Send rays into a scene."""
    ground = ground_hits(scene.street, rays)
    return Cast(nearest_hits(rays, scene.shapes, ground.t), ground)


class _Weather(NamedTuple):
    """A kind of day; pairs are (least, greatest), and these colours are linear."""

    sun: tuple[float, float]
    elevation_deg: tuple[float, float]
    cloud_cover: tuple[float, float]
    haze_per_m: tuple[float, float]
    sun_rgb: Rgb01
    ambient_rgb: Rgb01
    zenith_rgb: Rgb01
    horizon_rgb: Rgb01


_WEATHERS = (
    _Weather(
        (1.2, 1.5), (35, 62), (0.0, 0.45), (0.002, 0.005),
        (1.0, 0.95, 0.86), (0.36, 0.41, 0.50), (0.10, 0.24, 0.62), (0.55, 0.70, 0.88),
    ),
    _Weather(
        (0.7, 1.0), (25, 50), (0.2, 0.6), (0.007, 0.013),
        (1.0, 0.93, 0.82), (0.46, 0.48, 0.52), (0.30, 0.43, 0.66), (0.74, 0.78, 0.82),
    ),
    _Weather(
        (0.0, 0.0), (40, 60), (0.6, 1.0), (0.003, 0.009),
        (1.0, 1.0, 1.0), (0.85, 0.88, 0.93), (0.50, 0.54, 0.60), (0.68, 0.71, 0.75),
    ),
    _Weather(
        (1.1, 1.5), (14, 24), (0.1, 0.6), (0.003, 0.008),
        (1.0, 0.66, 0.36), (0.30, 0.32, 0.42), (0.16, 0.25, 0.50), (0.93, 0.70, 0.48),
    ),
    _Weather(
        (0.0, 0.0), (50, 60), (0.5, 1.0), (0.003, 0.008),
        (1.0, 1.0, 1.0), (0.52, 0.58, 0.70), (0.20, 0.26, 0.40), (0.42, 0.47, 0.56),
    ),
)
"""Clear noon, hazy sun, overcast, low warm sun, blue dusk."""


def light_of(seed: int) -> Light:
    """Draw the weather and the hour of a seed."""
    rng = np.random.default_rng((seed, 2))
    kind = _WEATHERS[int(rng.choice(len(_WEATHERS), p=(0.32, 0.18, 0.2, 0.18, 0.12)))]
    elevation = np.radians(rng.uniform(*kind.elevation_deg))
    azimuth = rng.uniform(0, 2 * np.pi)
    to_sun = np.array([np.cos(azimuth), np.sin(azimuth), np.tan(elevation)])
    if kind.sun[1] == 0:
        to_sun = np.array([0.1 * np.cos(azimuth), 0.1 * np.sin(azimuth), 1.0])
    return Light(
        to_sun=to_sun / np.sqrt((to_sun * to_sun).sum()),
        sun_rgb=_f32(rng.uniform(*kind.sun) * np.array(kind.sun_rgb)),
        ambient_rgb=_f32(rng.uniform(0.85, 1.15) * np.array(kind.ambient_rgb)),
        zenith_rgb=_f32(np.array(kind.zenith_rgb) * rng.uniform(0.85, 1.15, 3)),
        horizon_rgb=_f32(np.array(kind.horizon_rgb) * rng.uniform(0.92, 1.08, 3)),
        cloud_cover=float(rng.uniform(*kind.cloud_cover)),
        haze_per_m=float(rng.uniform(*kind.haze_per_m)),
        exposure=float(rng.uniform(0.8, 1.25)),
        noise=float(rng.uniform(0.5, 2.5)),
        cast_rgb=_f32(rng.uniform(0.94, 1.06, 3)),
    )


def sky(light: Light, directions: Floats, drift: float) -> Floats:
    """
    Return the linear colour of the sky, float32 (M, 3), its clouds moved by ``drift`` metres.

    World directions, float32 (3, M), may have any length; below the horizon they give its colour.
    """
    x, y, z = directions / np.sqrt((directions * directions).sum(0))
    high = np.clip(z, 0, 1)
    colour = light.horizon_rgb + (light.zenith_rgb - light.horizon_rgb) * (high**0.6)[:, None]
    ceiling = np.float32(900) / (high + np.float32(0.12))
    puffs = clouds(x * ceiling / 700 + np.float32(drift / 700), y * ceiling / 700)
    cover = np.clip((puffs + np.float32(2 * light.cloud_cover - 1)) * 1.6, 0, 1)
    cover = cover * np.clip(high * 6, 0, 1) * np.float32(0.85)
    bright = light.horizon_rgb.max() * np.float32(1.05) + light.sun_rgb * np.float32(0.12)
    puff = bright * (1 - 0.25 * np.clip(puffs, 0, 1))[:, None]
    colour = colour + (puff - colour) * cover[:, None]
    if light.sun_rgb.any():
        sx, sy, sz = light.to_sun.astype(np.float32)
        facing = np.clip(x * sx + y * sy + z * sz, 0, 1)
        colour = colour + light.sun_rgb * (0.35 * facing**24 + 2.5 * facing**700)[:, None]
    return _f32(colour)


def through_air(light: Light, colour: Floats, depth: Floats, far_m: float) -> Floats:
    """
    Fade colours (M, 3) into the haze with depth (M,), metres.

    Beyond 60 % of ``far_m`` the haze thickens until nothing is left at ``far_m``, where the
    world ends: our choice, so that its edge is not seen.
    """
    clear = np.exp(np.float32(-light.haze_per_m) * depth)
    rest = np.clip((far_m - depth) / (0.4 * far_m), 0, 1)
    keep = (clear * np.minimum(rest * (2 - rest), 1))[:, None]
    return _f32(light.horizon_rgb + (colour - light.horizon_rgb) * keep)


def _f32(values: Floats) -> Floats:
    return np.asarray(values, np.float32)
