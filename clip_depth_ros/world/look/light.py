# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The light of a day or a night: sun, sky, clouds, air, and lamps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from clip_depth_ros.world.look.manner import manner_of
from clip_depth_ros.world.look.patterns import soft_clouds
from clip_depth_ros.world.things import Floats, Rgb01
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
    zenith_rgb, horizon_rgb, haze_rgb : float32 (3,)
        Colours of the sky, and of the air between.
    cloud_cover, cloud_edge, cloud_m : float
        Share of clouds in the sky; how sharp their rims are; their size, metres.
    haze_per_m : float
        Extinction of the air.
    fade_from : float
        Share of the way to the end of the world from which on all fades into the haze.
    lamps_rgb : float32 (3,)
        Light of street lamps and headlights, all 0 by day.
    shadow_blur : float
        Sigma of the rims of shadows on the ground, pixels at a focal length of 186 px.

    """

    to_sun: Floats
    sun_rgb: Floats
    ambient_rgb: Floats
    zenith_rgb: Floats
    horizon_rgb: Floats
    haze_rgb: Floats
    cloud_cover: float
    cloud_edge: float
    cloud_m: float
    haze_per_m: float
    fade_from: float
    lamps_rgb: Floats
    shadow_blur: float


_Range = tuple[float, float]


class _Weather(NamedTuple):
    """A kind of day; pairs are (least, greatest), colours linear, ``tint`` how far they stray."""

    share: float
    sun: _Range
    elevation_deg: _Range
    ambient: _Range
    sky: _Range
    cloud_cover: _Range
    haze_per_m: _Range
    sun_rgb: Rgb01
    ambient_rgb: Rgb01
    zenith_rgb: Rgb01
    horizon_rgb: Rgb01
    tint: float = 0.2
    lamps: float = 0.0


_MILD: _Range = (0.85, 1.15)
_WEATHERS = (
    # Five mild ones: clear noon, hazy sun, overcast, low warm sun, blue dusk.
    _Weather(
        0.06, (1.2, 1.5), (35, 62), _MILD, _MILD, (0.0, 0.45), (0.002, 0.005),
        (1.0, 0.95, 0.86), (0.36, 0.41, 0.50), (0.10, 0.24, 0.62), (0.55, 0.70, 0.88), 0.08,
    ),
    _Weather(
        0.04, (0.7, 1.0), (25, 50), _MILD, _MILD, (0.2, 0.6), (0.007, 0.013),
        (1.0, 0.93, 0.82), (0.46, 0.48, 0.52), (0.30, 0.43, 0.66), (0.74, 0.78, 0.82), 0.08,
    ),
    _Weather(
        0.04, (0.0, 0.0), (40, 60), _MILD, _MILD, (0.6, 1.0), (0.003, 0.009),
        (1.0, 1.0, 1.0), (0.85, 0.88, 0.93), (0.50, 0.54, 0.60), (0.68, 0.71, 0.75), 0.08,
    ),
    _Weather(
        0.04, (1.1, 1.5), (14, 24), _MILD, _MILD, (0.1, 0.6), (0.003, 0.008),
        (1.0, 0.66, 0.36), (0.30, 0.32, 0.42), (0.16, 0.25, 0.50), (0.93, 0.70, 0.48), 0.08,
    ),
    _Weather(
        0.02, (0.0, 0.0), (50, 60), _MILD, _MILD, (0.5, 1.0), (0.003, 0.008),
        (1.0, 1.0, 1.0), (0.52, 0.58, 0.70), (0.20, 0.26, 0.40), (0.42, 0.47, 0.56), 0.08,
    ),
    # Hard sun with black shadows, under a sky up to far too bright for any film.
    _Weather(
        0.36, (1.0, 3.0), (15, 70), (0.15, 1.0), (0.8, 5.0), (0.0, 0.7), (0.0003, 0.003),
        (1.0, 0.93, 0.82), (0.36, 0.41, 0.50), (0.16, 0.32, 0.66), (0.60, 0.72, 0.86),
    ),
    # Low sun with long shadows.
    _Weather(
        0.10, (0.8, 2.5), (7, 18), (0.3, 1.2), (0.7, 4.0), (0.0, 0.7), (0.0005, 0.005),
        (1.0, 0.70, 0.42), (0.30, 0.32, 0.42), (0.20, 0.28, 0.48), (0.90, 0.70, 0.50),
    ),
    # A closed sky, from white to lead.
    _Weather(
        0.18, (0.0, 0.0), (40, 60), (0.4, 1.3), (0.5, 4.0), (0.5, 1.0), (0.0005, 0.006),
        (1.0, 1.0, 1.0), (0.85, 0.88, 0.93), (0.55, 0.58, 0.62), (0.70, 0.71, 0.73),
    ),
    # Rain: dull, grey, near.
    _Weather(
        0.06, (0.0, 0.0), (50, 60), (0.3, 0.8), (0.5, 1.6), (0.7, 1.0), (0.008, 0.025),
        (1.0, 1.0, 1.0), (0.66, 0.70, 0.76), (0.42, 0.45, 0.50), (0.55, 0.58, 0.62),
    ),
    # Fog: 5 % of the contrast is left at 3 / 0.075 = 40 m in the thickest.
    _Weather(
        0.05, (0.0, 0.4), (30, 60), (0.6, 1.2), (0.9, 1.6), (0.8, 1.0), (0.015, 0.075),
        (1.0, 0.95, 0.9), (0.80, 0.82, 0.86), (0.66, 0.68, 0.72), (0.70, 0.71, 0.74),
    ),
    # Dusk and dawn, first lamps.
    _Weather(
        0.06, (0.0, 0.3), (6, 12), (0.2, 0.6), (0.4, 2.0), (0.0, 0.9), (0.001, 0.010),
        (1.0, 0.55, 0.35), (0.40, 0.46, 0.62), (0.12, 0.18, 0.36), (0.70, 0.50, 0.42), 0.35, 0.5,
    ),
    # Night: hardly anything but lamps.
    _Weather(
        0.05, (0.0, 0.0), (40, 60), (0.03, 0.20), (0.02, 0.2), (0.0, 1.0), (0.001, 0.012),
        (1.0, 1.0, 1.0), (0.42, 0.45, 0.60), (0.20, 0.22, 0.34), (0.60, 0.46, 0.34), 0.35, 1.0,
    ),
)


def light_of(seed: int) -> Light:
    """Draw the weather and the hour of a seed."""
    rng = np.random.default_rng((seed, 2))
    is_plain = manner_of(seed) == 'plain'
    shares = np.array([kind.share * (kind.ambient == _MILD or not is_plain) for kind in _WEATHERS])
    kind = _WEATHERS[int(rng.choice(len(_WEATHERS), p=shares / shares.sum()))]
    elevation = np.radians(rng.uniform(*kind.elevation_deg))
    azimuth = rng.uniform(0, 2 * np.pi)
    to_sun = np.array([np.cos(azimuth), np.sin(azimuth), np.tan(elevation)])
    if kind.sun[1] == 0:
        to_sun = np.array([0.1 * np.cos(azimuth), 0.1 * np.sin(azimuth), 1.0])
    is_mild = kind.ambient == _MILD
    sky = _between(rng, kind.sky)
    zenith, horizon, haze, ambient, lamps = (
        np.array(colour) * rng.uniform(1 - kind.tint, 1 + kind.tint, 3)
        for colour in (
            kind.zenith_rgb, kind.horizon_rgb, kind.horizon_rgb, kind.ambient_rgb, (1.0, 0.72, 0.4)
        )
    )
    if is_mild:
        haze = horizon
    elif rng.random() < 0.3:  # no gradient at all
        zenith = horizon * rng.uniform(0.8, 1.2)
    return Light(
        to_sun=to_sun / np.sqrt((to_sun * to_sun).sum()),
        sun_rgb=f32(rng.uniform(*kind.sun) * np.array(kind.sun_rgb)),
        ambient_rgb=f32(_between(rng, kind.ambient) * ambient),
        zenith_rgb=f32(sky * zenith),
        horizon_rgb=f32(sky * horizon),
        haze_rgb=f32((sky if is_mild else sky ** rng.uniform(0.3, 1.0)) * haze),
        cloud_cover=float(rng.uniform(*kind.cloud_cover)),
        cloud_edge=1.6 if is_mild else float(np.exp(rng.uniform(0.0, 2.2))),
        cloud_m=700.0 if is_mild else float(rng.uniform(250, 1500)),
        haze_per_m=_between(rng, kind.haze_per_m),
        fade_from=0.6 if is_mild else float(rng.uniform(0.6, 0.95)),
        lamps_rgb=f32(kind.lamps * rng.uniform(0.5, 1.5) * lamps),
        shadow_blur=0.0 if is_mild or rng.random() < 0.5 else float(rng.uniform(0.5, 4.0)),
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
    size = np.float32(light.cloud_m)
    drifted = x * ceiling / size + np.float32(drift / light.cloud_m)
    puffs = soft_clouds(drifted, y * ceiling / size)
    cover = (puffs + np.float32(2 * light.cloud_cover - 1)) * np.float32(light.cloud_edge)
    cover = np.clip(cover, 0, 1) * np.clip(high * 6, 0, 1) * np.float32(0.85)
    bright = light.horizon_rgb.max() * np.float32(1.05) + light.sun_rgb * np.float32(0.12)
    puff = bright * (1 - 0.25 * np.clip(puffs, 0, 1))[:, None]
    colour = colour + (puff - colour) * cover[:, None]
    if light.sun_rgb.any():
        sx, sy, sz = light.to_sun.astype(np.float32)
        facing = np.clip(x * sx + y * sy + z * sz, 0, 1)
        colour = colour + light.sun_rgb * (0.35 * facing**24 + 2.5 * facing**700)[:, None]
    return f32(colour)


def through_air(light: Light, colour: Floats, depth: Floats, far_m: float) -> Floats:
    """
    Fade colours (M, 3) into the haze with depth (M,), metres.

    Beyond a share of ``far_m`` the haze thickens until nothing is left at ``far_m``, where the
    world ends: our choice, so that its edge is not seen.
    """
    clear = np.exp(np.float32(-light.haze_per_m) * depth)
    rest = np.clip((far_m - depth) / ((1 - light.fade_from) * far_m), 0, 1)
    keep = (clear * np.minimum(rest * (2 - rest), 1))[:, None]
    return f32(light.haze_rgb + (colour - light.haze_rgb) * keep)


def f32(values: Floats) -> Floats:
    """Return values as float32."""
    return np.asarray(values, np.float32)


def _between(rng: np.random.Generator, span: _Range) -> float:
    """Draw from a range of positive numbers, every factor as likely."""
    return float(np.exp(rng.uniform(np.log(span[0]), np.log(span[1]))))
