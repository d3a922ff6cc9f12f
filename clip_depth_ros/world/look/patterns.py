# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Patterns to paint with: grain, clouds, stripes, and a random number for each cell.

Stripes are box-filtered over the footprint of a pixel, so lines and windows fade into their
mean with distance instead of flickering.
"""

from __future__ import annotations

from functools import lru_cache

from clip_depth_ros.world.things import Floats, Ints
import numpy as np

_SIDE = 256  # texels of a noise tile, a power of two


def grain(u: Floats, v: Floats) -> Floats:
    """Return white noise per unit cell of (u, v), float32 in [-1, 1]."""
    return _tiles()[0][_texel(v), _texel(u)]


def clouds(u: Floats, v: Floats) -> Floats:
    """Return smooth fractal noise with features of about 1 unit of (u, v), float32 in [-1, 1]."""
    return _tiles()[1][_texel(v * 16), _texel(u * 16)]


def band(x: Floats, low: Floats | float, high: Floats | float, width: Floats | float) -> Floats:
    """Return the share of a footprint of ``width`` around x that lies in [low, high]."""
    sharp = 1 / np.maximum(width, 1e-4)
    filled: Floats = np.clip((x - low) * sharp + 0.5, 0, 1) - np.clip(
        (x - high) * sharp + 0.5, 0, 1
    )
    return filled


def stripes(x: Floats, low: float, high: float, width: Floats | float) -> Floats:
    """Return ``band`` of x repeated with period 1, fading into its mean where it gets fine."""
    near = band(np.mod(x, 1), low, high, width)
    fine = np.clip(width, 0, 1)
    striped: Floats = near + (high - low - near) * fine
    return striped


def chance(i: Floats, j: Floats, salt: int) -> Floats:
    """Return a fixed random number in [0, 1) for each pair of whole numbers, float32."""
    mixed = _bits(i) * np.uint32(374761393) + _bits(j) * np.uint32(668265263)
    mixed = mixed + np.uint32(salt * 2246822519 % 2**32)
    mixed = (mixed ^ (mixed >> np.uint32(13))) * np.uint32(1274126177)
    mixed = mixed ^ (mixed >> np.uint32(16))
    luck: Floats = (mixed & np.uint32(0xFFFF)).astype(np.float32) / np.float32(65536)
    return luck


def mix(a: Floats, b: Floats | tuple[float, float, float], share: Floats) -> Floats:
    """Blend colours (M, 3) towards ``b`` by a share per row, (M,)."""
    mixed: Floats = a + (np.asarray(b, np.float32) - a) * share[:, None]
    return mixed


@lru_cache(maxsize=1)
def _tiles() -> tuple[Floats, Floats]:
    """Return the white and the fractal tile; the same for every seed of the world."""
    rng = np.random.default_rng(2026)
    white = rng.uniform(-1, 1, (_SIDE, _SIDE)).astype(np.float32)
    smooth = np.zeros((_SIDE, _SIDE), np.float32)
    for octave in range(4):
        cells = 16 * 2**octave
        coarse = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
        smooth += _stretched(coarse, _SIDE // cells) * np.float32(0.55**octave)
    return white, np.clip(smooth / np.float32(1.2), -1, 1)


def _stretched(coarse: Floats, times: int) -> Floats:
    """Enlarge a tile smoothly, as if it repeated on all sides."""
    share = np.arange(times, dtype=np.float32) / np.float32(times)
    share = share * share * (3 - 2 * share)
    for axis in (0, 1):
        following = np.roll(coarse, -1, axis)
        steps = [coarse + (following - coarse) * s for s in share]
        shape = list(coarse.shape)
        shape[axis] *= times
        coarse = np.stack(steps, axis=axis + 1).reshape(shape)
    return coarse


def _texel(x: Floats) -> Ints:
    return np.floor(x).astype(np.int32) & (_SIDE - 1)


def _bits(x: Floats) -> Ints:
    return np.floor(x).astype(np.int32).astype(np.uint32)
