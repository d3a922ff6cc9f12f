# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The film: what a camera does to the light that reaches it, with all the faults that cameras have.

Lens (fringes, blur, dirt, veils of light), exposure, tone, colour, noise, sharpening, JPEG: most
drives have a few of these, some have none. Only ever the picture, never depth or classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from clip_depth_ros.types import Rgb
from clip_depth_ros.world.look.manner import Manner
from clip_depth_ros.world.rig import CANONICAL_FOCAL_PX
from clip_depth_ros.world.things import Floats
import cv2
import numpy as np

GREY_SHARE = 0.05
"""Share of seeds, the plain ones aside, whose camera sees no colour."""


@dataclass(frozen=True, slots=True)
class Film:
    """
    The camera of one drive; the defaults are a camera without faults.

    Attributes
    ----------
    stops : float
        Exposure, powers of two.
    metered : float
        0 exposes the same by day and night, 1 takes every picture to the same mean.
    drift_stops, drift_per_m, drift_phase : float
        Slow swing of the exposure as clouds move on.
    cast_rgb : float32 (3,)
        Gains of the channels: white balance.
    hard : float
        0 has a soft shoulder in the lights, 1 clips them.
    gamma, contrast, lift : float
        Tone: power of the light, slope of an S around the middle, added grey.
    saturation : float
        0 is grey, 1 as it is.
    noise, shot, colour_noise, clump : float
        Sigma in 8-bit steps in the dark, and what light adds at full white; share that differs
        between channels; sigma of the blur of the noise, pixels.
    blur, motion : float
        Sigma of a round blur, and length of a level one, pixels
        at ``CANONICAL_FOCAL_PX``.
    shrink : float
        The picture went through one so many times smaller.
    sharpen, sharpen_px : float
        Strength and radius of an unsharp mask.
    fringe : float
        Red is larger and blue smaller by this share.
    vignette, dirt, veil, bloom : float
        Loss of light in the corners; depth of smears on the lens; stray light all over, as
        a share of the mean; light around what is bright.
    local : float
        How far dark places are lifted and bright ones held back by what is around them.
    drops : float
        Number of drops on the lens.
    jpeg : int
        Quality, 0 for none.

    """

    stops: float = 0.0
    metered: float = 0.0
    drift_stops: float = 0.0
    drift_per_m: float = 0.0
    drift_phase: float = 0.0
    cast_rgb: tuple[float, float, float] = (1.0, 1.0, 1.0)
    hard: float = 0.0
    gamma: float = 0.5
    contrast: float = 1.0
    lift: float = 0.0
    saturation: float = 1.0
    noise: float = 1.0
    shot: float = 0.0
    colour_noise: float = 1.0
    clump: float = 0.0
    blur: float = 0.0
    motion: float = 0.0
    shrink: float = 1.0
    sharpen: float = 0.0
    sharpen_px: float = 1.0
    fringe: float = 0.0
    vignette: float = 0.0
    dirt: float = 0.0
    veil: float = 0.0
    bloom: float = 0.0
    local: float = 0.0
    drops: float = 0.0
    jpeg: int = 0


def film_of(seed: int, manner: Manner) -> Film:
    """Draw the camera of a seed: each fault for some seeds, none for plain ones."""
    rng = np.random.default_rng((seed, 30))
    red, green, blue = rng.uniform(0.94, 1.06, 3).tolist()
    plain = Film(
        stops=float(np.log2(rng.uniform(0.8, 1.25))),
        noise=float(rng.uniform(0.5, 2.5)),
        cast_rgb=(red, green, blue),
    )
    if manner == 'plain':
        return plain
    luck = rng.uniform(0.1, 0.9)  # some cameras have many faults, some few
    drawn: dict[str, Any] = {
        name: rng.uniform(low, high)
        for name, (often, low, high) in _RANGES.items()
        if rng.random() < (often * luck if often < 1 else 1)
    }
    if 'jpeg' in drawn:
        drawn['jpeg'] = int(drawn['jpeg'])
    if rng.random() < 0.5:
        drawn['cast_rgb'] = _balance(rng)
    if rng.random() < GREY_SHARE:
        drawn.update(saturation=0.0, colour_noise=0.0, fringe=0.0)
    return replace(plain, **drawn)


# How often a fault is there, and its least and greatest.
_RANGES: Mapping[str, tuple[float, float, float]] = {
    'stops': (0.9, -1.0, 0.7),
    'metered': (1.0, 0.5, 1.0),
    'drift_stops': (0.3, 0.1, 0.7),
    'drift_per_m': (1.0, 0.05, 0.4),
    'drift_phase': (1.0, 0.0, 6.28),
    'hard': (0.6, 0.0, 1.0),
    'gamma': (0.6, 0.36, 0.75),
    'contrast': (0.5, 0.75, 1.6),
    'lift': (0.3, -0.12, 0.1),
    'saturation': (0.6, 0.3, 1.7),
    'shot': (0.5, 0.0, 6.0),
    'noise': (0.4, 1.0, 6.0),
    'colour_noise': (0.5, 0.0, 1.0),
    'clump': (0.3, 0.4, 0.9),
    'blur': (0.35, 0.3, 0.9),
    'motion': (0.15, 1.0, 3.0),
    'shrink': (0.2, 1.2, 2.2),
    'sharpen': (0.35, 0.2, 1.6),
    'sharpen_px': (1.0, 0.6, 1.6),
    'fringe': (0.2, -0.005, 0.005),
    'vignette': (0.3, 0.1, 0.6),
    'dirt': (0.12, 0.1, 0.4),
    'veil': (0.12, 0.05, 0.5),
    'bloom': (0.2, 0.1, 0.6),
    'local': (0.15, 0.2, 0.7),
    'drops': (0.08, 2, 14),
    'jpeg': (0.4, 25, 96),
}


def developed(
    film: Film, colour: Floats, focal_px: float, drift_m: float, rng: np.random.Generator
) -> Rgb:
    """
    Turn light into a picture.

    Parameters
    ----------
    film : Film
        The camera.
    colour : float32 (H, W, 3)
        Linear light.
    focal_px : float
        Of this picture: blurs keep their angle.
    drift_m : float
        How far the clouds have moved: exposure drifts with it.
    rng : Generator
        For the noise and the smears of this picture.

    """
    scale = focal_px / CANONICAL_FOCAL_PX
    picture = _toned(film, _exposed(film, colour, drift_m, rng, scale), scale)
    steps = _through_drops(film, _blurred(film, picture, scale), rng)
    steps = _noisy(film, steps * np.float32(255), rng)
    if film.sharpen:
        steps = steps + (steps - soft(steps, film.sharpen_px)) * np.float32(film.sharpen)
    rgb: Rgb = np.clip(np.rint(steps), 0, 255).astype(np.uint8)
    if film.jpeg:
        _, code = cv2.imencode('.jpg', rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, film.jpeg])
        bgr = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
        rgb = np.ascontiguousarray(bgr[:, :, ::-1])
    return rgb


def _exposed(
    film: Film, colour: Floats, drift_m: float, rng: np.random.Generator, scale: float
) -> Floats:
    """Return the light on the sensor, 1 where it is nearly full: lens, then gain."""
    luma = _luma(colour)
    mean = float(np.minimum(luma, 4 * np.median(luma) + 1e-4).mean()) + 1e-4
    stops = film.stops + film.drift_stops * np.sin(film.drift_per_m * drift_m + film.drift_phase)
    gain = 2.0**stops * (0.32 / mean) ** film.metered
    light = colour * (np.array(film.cast_rgb, np.float32) * np.float32(gain))
    if film.bloom:
        over = soft(np.maximum(light - np.float32(0.8), 0), 9 * scale)
        light = light + over * np.float32(film.bloom)
    if film.veil:
        light = light + np.float32(film.veil * gain * mean)
    lit: Floats = light * _shading(film, light.shape[:2], rng)[:, :, None]
    return lit


def _shading(film: Film, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Return the share of light that the lens lets through, float32 (H, W) or (1, 1)."""
    height, width = shape
    shade = np.ones((1, 1), np.float32)
    if film.vignette:
        x = np.linspace(-1, 1, width, dtype=np.float32)
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(height / width)
        shade = 1 - np.float32(film.vignette) * (x * x + y * y)
    if film.dirt:
        smears = rng.uniform(-1, 1, (5, 9)).astype(np.float32)
        smears = _resized(smears, (width, height), cv2.INTER_CUBIC)
        shade = shade * np.maximum(1 - np.float32(film.dirt) * np.abs(smears), 0)
    return shade


def _toned(film: Film, light: Floats, scale: float) -> Floats:
    """Return the picture's values in about [0, 1]: shoulder, gamma, S-curve, saturation."""
    light = np.maximum(light, 0)
    tone = 1 - np.exp(light * np.float32(-1.5))
    if film.hard:
        tone = tone + (np.minimum(light, 1) - tone) * np.float32(film.hard)
    tone = np.sqrt(tone) if film.gamma == 0.5 else tone ** np.float32(film.gamma)
    if film.local:
        around = soft(_luma(tone), 12 * scale)[:, :, None]
        tone = tone * (np.float32(0.55) / (around + np.float32(0.1))) ** np.float32(film.local)
    if film.contrast != 1:
        tone = 0.5 + (tone - 0.5) * np.float32(film.contrast)
    if film.lift:
        tone = np.float32(film.lift) + tone * np.float32(1 - abs(film.lift))
    if film.saturation != 1:
        luma = _luma(tone)[:, :, None]
        tone = luma + (tone - luma) * np.float32(film.saturation)
    toned: Floats = np.clip(tone, 0, 1)
    return toned


def _blurred(film: Film, picture: Floats, scale: float) -> Floats:
    """Return the picture as the lens and a smaller copy leave it."""
    height, width = picture.shape[:2]
    if film.fringe:
        for channel, sign in ((0, 1), (2, -1)):
            zoom = 1 + sign * film.fringe
            shift = (1 - zoom) / 2
            turn = np.array([[zoom, 0, shift * width], [0, zoom, shift * height]])
            plane = np.ascontiguousarray(picture[:, :, channel])
            picture[:, :, channel] = cv2.warpAffine(
                plane, turn, (width, height), borderMode=cv2.BORDER_REPLICATE
            )
    if film.blur:
        picture = soft(picture, film.blur * scale)
    if film.motion:
        picture = np.asarray(
            cv2.blur(picture, (max(1, round(film.motion * scale)), 1)), np.float32
        )
    if film.shrink > 1:
        small = (max(8, round(width / film.shrink)), max(8, round(height / film.shrink)))
        picture = _resized(picture, small, cv2.INTER_AREA)
        picture = _resized(picture, (width, height), cv2.INTER_LINEAR)
    return picture


def _through_drops(film: Film, picture: Floats, rng: np.random.Generator) -> Floats:
    """Return the picture, blurred where drops are."""
    if not film.drops:
        return picture
    height, width = picture.shape[:2]
    wet = np.zeros((height, width), np.uint8)
    for _ in range(int(film.drops)):
        x, y, radius = rng.uniform(0, 1, 3) * (width, height, 0.06 * width)
        cv2.circle(wet, (int(x), int(y)), 2 + int(radius), 1, -1)
    share = soft(wet.astype(np.float32), 1 + width / 200)[:, :, None]
    blurred: Floats = picture + (soft(picture, width / 50) - picture) * share
    return blurred


def _noisy(film: Film, steps: Floats, rng: np.random.Generator) -> Floats:
    """Add noise to 8-bit steps: of the reading, and of the light itself."""
    noise = rng.standard_normal(steps.shape, np.float32)
    if film.colour_noise < 1:
        noise = noise[:, :, 1:2] + (noise - noise[:, :, 1:2]) * np.float32(film.colour_noise)
    if film.clump:
        noise = soft(noise, film.clump)
    part = np.maximum(steps, 0) * np.float32(film.shot**2 / 255)
    noisy: Floats = steps + noise * np.sqrt(part + np.float32(film.noise**2))
    return noisy


def soft(picture: Floats, sigma: float) -> Floats:
    """Return a picture, float32 (H, W) or (H, W, 3), behind a round blur of sigma pixels."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)


def _resized(picture: Floats, size: tuple[int, int], how: int) -> Floats:
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.float32)


def _luma(colour: Floats) -> Floats:
    """Return ITU-R BT.601 luma; no BLAS, whose sums hang on the number of threads."""
    r, g, b = np.moveaxis(colour, -1, 0)
    luma: Floats = np.float32(0.299) * r + np.float32(0.587) * g + np.float32(0.114) * b
    return luma


def _balance(rng: np.random.Generator) -> tuple[float, float, float]:
    """Draw a white balance between candle and shade, off the green line a little."""
    warmth, green = rng.uniform(-0.45, 0.45), rng.uniform(-0.12, 0.12)
    return float(np.exp(warmth)), float(np.exp(green)), float(np.exp(-warmth))
