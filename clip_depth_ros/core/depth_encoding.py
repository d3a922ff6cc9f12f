# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Depth to and from the two ROS encodings, and the marks for depth that is not a number.

Convention: metres along z (REP 118); NaN unknown, +Inf beyond range, -Inf too near (REP 117).
16-bit images hold millimetres and know only one mark, 0.
"""

from __future__ import annotations

from typing import Any

from clip_depth_ros.core.images import ImageBuffer
from clip_depth_ros.errors import ImageError
from clip_depth_ros.types import Depth
import numpy as np
from numpy.typing import NDArray

MAX_16UC1_MM = np.iinfo(np.uint16).max


def mark_range(depth_m: Depth, *, min_depth_m: float, max_depth_m: float) -> Depth:
    """
    Give depth with everything outside the range marked as REP 117 asks.

    Parameters
    ----------
    depth_m : float32 (H, W)
        Metres; not changed. NaN stays NaN.
    min_depth_m, max_depth_m : float
        Nearest and farthest depth that stay numbers, both included.

    Returns
    -------
    float32 (H, W)
        -Inf where nearer, +Inf where farther.

    """
    marked = np.where(depth_m > np.float32(max_depth_m), np.float32(np.inf), depth_m)
    return np.where(depth_m < np.float32(min_depth_m), np.float32(-np.inf), marked)


def encode_depth(depth_m: Depth, encoding: str) -> NDArray[Any]:
    """
    Give the samples of a depth image, contiguous and little-endian.

    Parameters
    ----------
    depth_m : float32 (H, W)
        Metres, with REP 117 marks.
    encoding : str
        ``32FC1``: metres as they are. ``16UC1``: millimetres, rounded; 0 for every mark, for what
        is not positive and for what 16 bits cannot hold (above 65.535 m).

    Raises
    ------
    ImageError
        If the encoding is neither.

    """
    if encoding == '32FC1':
        return np.ascontiguousarray(depth_m, '<f4')
    if encoding != '16UC1':
        raise ImageError(f"depth encoding must be '32FC1' or '16UC1', got {encoding!r}")
    millimetres = np.rint(depth_m * np.float32(1000))
    # Comparisons with NaN are false, so NaN falls out with the infinities.
    fits = (millimetres > 0) & (millimetres <= MAX_16UC1_MM)
    samples: NDArray[Any] = np.where(fits, millimetres, np.float32(0)).astype('<u2')
    return samples


def decode_depth(image: ImageBuffer) -> Depth:
    """
    Give metres, float32 (H, W), from a ``32FC1`` or ``16UC1`` image; 16-bit zeros become NaN.

    Raises
    ------
    ImageError
        If the encoding is neither, or the buffer does not fit its description.

    """
    metres: Depth
    if image.encoding == '32FC1':
        metres = image.view(np.float32, 1).astype(np.float32)
        return metres
    if image.encoding == '16UC1':
        millimetres = image.view(np.uint16, 1).astype(np.float32)
        metres = np.where(millimetres == 0, np.float32(np.nan), millimetres / np.float32(1000))
        return metres
    raise ImageError(f"depth encoding must be '32FC1' or '16UC1', got {image.encoding!r}")
