# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Patterns to paint with: grain, clouds, stripes, and a random number for each cell.

Stripes are box-filtered over the footprint of a pixel, so lines and windows fade into their
mean with distance instead of flickering.
"""

from __future__ import annotations

from functools import lru_cache
import itertools

from clip_depth_ros.world.things import Floats, Ints
import numpy as np

TEXTURES = 12
"""How many patterns :func:`texture` knows."""

_SIDE = 256  # texels of a noise tile, a power of two


def grain(u: Floats, v: Floats) -> Floats:
    """Return white noise per unit cell of (u, v), float32 in [-1, 1]."""
    return _tiles()[0][_texel(v), _texel(u)]


def clouds(u: Floats, v: Floats) -> Floats:
    """Return smooth fractal noise with features of about 1 unit of (u, v), float32 in [-1, 1]."""
    return _tiles()[1][_texel(v * 16), _texel(u * 16)]


def soft_clouds(u: Floats, v: Floats) -> Floats:
    """Return :func:`clouds` interpolated between texels, for what is seen from close by."""
    u, v = u * 16, v * 16
    row, column, tile = _texel(v), _texel(u), _tiles()[1]
    below, right = (row + 1) & (_SIDE - 1), (column + 1) & (_SIDE - 1)
    du, dv = u - np.floor(u), v - np.floor(v)
    upper = tile[row, column] * (1 - du) + tile[row, right] * du
    lower = tile[below, column] * (1 - du) + tile[below, right] * du
    between: Floats = upper * (1 - dv) + lower * dv
    return between


def texture(kind: Ints | int, u: Floats, v: Floats) -> Floats:
    """
    Return one of ``TEXTURES`` patterns at (u, v), float32 in [-1, 1], of mean near 0.

    Features are of about 1 unit or finer; ``kind`` may be another one for each point. From 0 on:
    clouds from soft to harsh (0 to 3), veins (4), stains (5), cells like stones (6), specks (7),
    upright (8) and level streaks (9), dots (10), and leaves (11).
    """
    values: Floats = _bank()[kind, _texel(v * 16), _texel(u * 16)]
    return values


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
    return white, np.clip(_fractal(rng, 16, 4, 0.55) / np.float32(1.2), -1, 1)


@lru_cache(maxsize=1)
def _bank() -> Floats:
    """Return the patterns of :func:`texture`, float32 (TEXTURES, 256, 256)."""
    rng = np.random.default_rng(2027)
    harsh = _fractal(rng, 16, 5, 1.0)
    cells = _cells(rng)
    tiles = [
        _fractal(rng, 8, 6, 0.4), _fractal(rng, 16, 5, 0.6), _fractal(rng, 16, 5, 0.85), harsh,
        0.4 - 5 * np.abs(_fractal(rng, 8, 5, 0.5)).clip(0, 0.3),
        np.tanh(5 * _fractal(rng, 8, 4, 0.5)),
        cells,
        np.tanh(3 * _fractal(rng, 64, 3, 0.9)),
        _fractal(rng, 16, 4, 0.8).repeat(8, axis=0)[:_SIDE],
        _fractal(rng, 16, 4, 0.8).repeat(8, axis=1)[:, :_SIDE],
        (_fractal(rng, 64, 2, 0.6) > 0.75) * 2.0 - 0.2,
        np.tanh(2 * _fractal(rng, 32, 4, 0.9) - 0.8 * np.abs(_fractal(rng, 16, 2, 0.7))),
    ]
    bank = np.stack([np.asarray(tile, np.float32) for tile in tiles])
    bank -= bank.mean((1, 2), keepdims=True)
    bank /= 2 * bank.std((1, 2), keepdims=True)
    return np.clip(bank, -1, 1)


def _fractal(rng: np.random.Generator, cells: int, octaves: int, persistence: float) -> Floats:
    """Return a sum of smooth noises, each twice as fine and ``persistence`` as strong."""
    tile = np.zeros((_SIDE, _SIDE), np.float32)
    for octave in range(octaves):
        n = min(cells * 2**octave, _SIDE)
        coarse = rng.uniform(-1, 1, (n, n)).astype(np.float32)
        tile += _stretched(coarse, _SIDE // n) * np.float32(persistence**octave)
    return tile


def _cells(rng: np.random.Generator) -> Floats:
    """Return stones with dark joints: distances to the nearest two of scattered points."""
    n, step = 16, _SIDE // 16
    jitter = rng.uniform(0.15, 0.85, (n, n, 2)).astype(np.float32)
    tone = rng.uniform(-0.4, 0.4, (n, n)).astype(np.float32)
    y, x = np.indices((_SIDE, _SIDE)).astype(np.float32) / step
    near = np.full((2, _SIDE, _SIDE), 9, np.float32)
    shade = np.zeros((_SIDE, _SIDE), np.float32)
    for i, j in itertools.product((-1, 0, 1), repeat=2):
        row, column = np.floor(y).astype(int) + i, np.floor(x).astype(int) + j
        point = jitter[row % n, column % n]
        away = (row + point[..., 0] - y) ** 2 + (column + point[..., 1] - x) ** 2
        shade = np.where(away < near[0], tone[row % n, column % n], shade)
        near = np.sort(np.stack([*near, away]), axis=0)[:2]
    gap = np.sqrt(near[1]) - np.sqrt(near[0])
    return np.asarray(np.clip(gap * 6, 0, 1) - 0.7 + shade, np.float32)


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
