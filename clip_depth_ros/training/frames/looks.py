# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What changes the look of an image and not where things are: colours, noise, blur, cut-outs."""

from __future__ import annotations

from typing import Final

from clip_depth_ros.types import Rgb
import cv2
import numpy as np
from numpy.typing import NDArray

LUMA: Final = np.array([0.299, 0.587, 0.114])
"""Shares of red, green and blue in brightness (ITU-R BT.601)."""

_CUT_SIDE: Final = (0.05, 0.35)
"""Sides of a cut-out, shares of the image's (our choice)."""


def recolored(rgb: Rgb, gamma: float, gains: NDArray[np.float64]) -> Rgb:
    """
    Return an image with each colour c in [0, 1] as ``gain * c ** gamma``, cut at 1.

    Gamma is above 0; the gains, (3,), are those of red, green and blue.
    """
    levels = (np.arange(256) / 255) ** gamma
    tables = np.rint(255 * np.clip(np.outer(levels, gains), 0, 1)).astype(np.uint8)
    return np.stack([tables[rgb[..., i], i] for i in range(3)], axis=-1)


def tinted(rgb: Rgb, *, contrast: float, saturation: float, hue_deg: float) -> Rgb:
    """
    Return an image with other contrast, saturation and hue.

    Contrast is a factor of the distance to the mean brightness of the image, saturation one of
    the distance to grey; hue turns colours about the axis of greys, red towards green.
    """
    grey = np.tile(LUMA, (3, 1))
    matrix = contrast * (grey + saturation * (hue_turn(hue_deg) - grey))
    mean = float(LUMA @ rgb.reshape(-1, 3).mean(axis=0))
    offset = np.full((3, 1), (1 - contrast) * mean)
    return np.asarray(cv2.transform(rgb, np.hstack([matrix, offset])), np.uint8)


def hue_turn(angle_deg: float) -> NDArray[np.float64]:
    """
    Return the turn of colours about the axis of greys, float64 (3, 3).

    It keeps greys; brightness of others changes a little, as LUMA does not weigh colours alike.
    """
    turn, _ = cv2.Rodrigues(np.full(3, np.deg2rad(angle_deg) / np.sqrt(3)))
    return np.asarray(turn, np.float64)


def noisy(rgb: Rgb, std: float, rng: np.random.Generator) -> Rgb:
    """Return an image with normal noise of a standard deviation, in levels of 0 to 255."""
    noise = rng.standard_normal(rgb.shape, np.float32) * np.float32(std)
    return np.asarray(np.clip(np.rint(rgb + noise), 0, 255), np.uint8)


def blurred(rgb: Rgb, sigma_px: float) -> Rgb:
    """Return an image that is out of focus."""
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), sigma_px), np.uint8)


def cut_out(rgb: Rgb, count: int, rng: np.random.Generator) -> Rgb:
    """Return an image with some rectangles of random colour in it (DeVries, Taylor 2017)."""
    result: Rgb = rgb.copy()
    height, width = rgb.shape[:2]
    for _ in range(count):
        rows, columns = (
            max(1, round(side * share))
            for side, share in zip((height, width), rng.uniform(*_CUT_SIDE, 2), strict=True)
        )
        y, x = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
        result[y:y + rows, x:x + columns] = rng.integers(0, 256, 3)
    return result
