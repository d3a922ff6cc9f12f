# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth as a coloured picture over a fixed range."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.types import Depth, Rgb
import cv2
import numpy as np

ColorMap = Literal['turbo', 'viridis', 'magma', 'inferno', 'jet', 'gray']

_OPENCV_MAPS: Final = {
    'turbo': cv2.COLORMAP_TURBO,
    'viridis': cv2.COLORMAP_VIRIDIS,
    'magma': cv2.COLORMAP_MAGMA,
    'inferno': cv2.COLORMAP_INFERNO,
    'jet': cv2.COLORMAP_JET,
}


def colorize(depth_m: Depth, *, near_m: float, far_m: float, color_map: ColorMap) -> Rgb:
    """
    Give depth in colours, uint8 (H, W, 3) RGB.

    Parameters
    ----------
    depth_m : float32 (H, W)
        Metres along z.
    near_m, far_m : float
        The ends of the colour map; depth beyond them gets the end's colour. A fixed range, so
        that a colour means the same depth in every frame (one fitted to each frame flickers).
    color_map : str
        Name of the colour map.

    Raises
    ------
    ConfigError
        If ``near_m < far_m`` does not hold, or the colour map is not known.

    Notes
    -----
    Convention (our choice): the upper end of the map is near, so near is red in turbo and jet,
    bright in the others. -Inf (too near) has the nearest colour, +Inf (beyond range) the
    farthest, NaN (unknown) is black.

    """
    if not near_m < far_m:
        raise ConfigError(
            f'the colour range must satisfy near_m < far_m, got near_m={near_m}, far_m={far_m}'
        )
    table = _table(color_map)
    near, far = np.float32(near_m), np.float32(far_m)
    # fmax answers near for NaN, so that the cast below is defined for every input.
    clipped = np.fmax(depth_m, near)
    np.fmin(clipped, far, out=clipped)
    level = np.rint((far - clipped) * np.float32(255 / (far - near)))
    rgb = cv2.applyColorMap(level.astype(np.uint8), table)
    unknown = np.isnan(depth_m)
    if unknown.any():
        rgb[unknown] = 0
    return np.asarray(rgb, np.uint8)


@lru_cache
def _table(color_map: ColorMap) -> Rgb:
    """Give the 256 colours of a map, far first, uint8 (256, 1, 3) RGB."""
    levels = np.arange(256, dtype=np.uint8)
    if color_map == 'gray':
        return np.repeat(levels[:, np.newaxis, np.newaxis], 3, axis=2)
    if color_map not in _OPENCV_MAPS:
        raise ConfigError(
            f'color_map must be one of {[*_OPENCV_MAPS, "gray"]}, got {color_map!r}'
        )
    bgr = cv2.applyColorMap(levels, _OPENCV_MAPS[color_map])
    return np.ascontiguousarray(bgr.reshape(256, 1, 3)[..., ::-1])
