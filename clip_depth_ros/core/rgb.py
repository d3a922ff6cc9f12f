# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What counts as an image at the predictor's door."""

from __future__ import annotations

from clip_depth_ros.errors import ImageError
from clip_depth_ros.types import Rgb
import numpy as np


def check_rgb(rgb: Rgb) -> None:
    """
    Refuse what is not an image, uint8 (H, W, 3) of at least one pixel.

    Raises
    ------
    ImageError
        Naming the type or the shape that came.

    """
    if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8:
        kind = rgb.dtype if isinstance(rgb, np.ndarray) else type(rgb).__name__
        raise ImageError(f'an image must be a uint8 array (H, W, 3) RGB, got {kind}')
    if rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise ImageError(
            f'an image must be a uint8 array (H, W, 3) RGB of at least one pixel, got shape '
            f'{rgb.shape}'
        )
