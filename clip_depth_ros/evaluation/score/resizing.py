# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An answer at another size: bilinear, and what is unknown stays so without spreading numbers."""

from __future__ import annotations

from typing import Literal

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.types import Depth
import cv2
import numpy as np
from numpy.typing import NDArray

Rule = Literal['depth', 'inverse-depth', 'nearest']


def resized(values: Depth, size: Size, rule: Rule = 'depth') -> Depth:
    """
    Give an array at a size.

    Parameters
    ----------
    values : float32 (h, w)
        NaN is unknown; +Inf and -Inf are answers.
    size : Size
        Wanted; of an array that has it, nothing changes.
    rule : {'depth', 'inverse-depth', 'nearest'}
        Bilinear in the values; bilinear in 1 / value (monodepth2), where values of 0 and below
        are unknown; or the nearest value.

    Returns
    -------
    float32 (H, W)
        Our choice: what touches an unknown value is unknown; what touches an infinite one is the
        nearest value, since there is nothing between.

    Notes
    -----
    Convention: pixel centres as OpenCV has them, (x + 0.5) * w / W - 0.5; no smoothing before a
    picture is made smaller, as in the known evaluation codes.

    """
    if values.shape == size:
        return values
    if rule == 'nearest':
        return _resample(values, size, cv2.INTER_NEAREST_EXACT)
    if rule == 'inverse-depth':
        values = np.where(values > 0, values, np.where(np.isneginf(values), values, np.nan))
    finite = np.isfinite(values)
    known = values if finite.all() else np.where(finite, values, np.float32(1))
    between = _bilinear(known, size, rule)
    if known is values:
        return between
    nearest = _resample(values, size, cv2.INTER_NEAREST_EXACT)
    between = np.where(_touches(np.isinf(values), size), nearest, between)
    return np.where(_touches(np.isnan(values), size), np.float32(np.nan), between)


def _bilinear(values: Depth, size: Size, rule: Rule) -> Depth:
    if rule == 'inverse-depth':
        return np.reciprocal(_resample(np.reciprocal(values), size, cv2.INTER_LINEAR))
    return _resample(values, size, cv2.INTER_LINEAR)


def _touches(marked: NDArray[np.bool_], size: Size) -> NDArray[np.bool_]:
    """Give where a bilinear value has a part of a marked pixel in it."""
    return _resample(marked.astype(np.float32), size, cv2.INTER_LINEAR) > 0


def _resample(values: Depth, size: Size, how: int) -> Depth:
    return np.asarray(cv2.resize(values, (size.width, size.height), interpolation=how), np.float32)
