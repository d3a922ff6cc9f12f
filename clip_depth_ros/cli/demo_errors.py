# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Published depth against the truth of one image: what counts, how far off it is."""

from __future__ import annotations

from collections.abc import Iterable

from clip_depth_ros.core.metrics import (
    clamp_depth,
    depth_metrics,
    DepthMetrics,
    valid_pixels,
)
from clip_depth_ros.types import Depth
import cv2
import numpy as np
from numpy.typing import NDArray


def is_within(gt: Depth, min_depth_m: float, depth_cap_m: float) -> NDArray[np.bool_]:
    """Give the pixels whose true depth counts, bool (H, W): no sky, nothing unknown."""
    return valid_pixels(gt, min_depth_m=min_depth_m, depth_cap_m=depth_cap_m)


def metrics_within(
    pred: Depth, gt: Depth, min_depth_m: float, depth_cap_m: float
) -> DepthMetrics:
    """
    Give the metrics of one image whose prediction was brought into the range before.

    Raises
    ------
    DataError
        If no pixel of the truth counts, or a prediction is not a number where one does.

    """
    return depth_metrics(pred, gt, is_within(gt, min_depth_m, depth_cap_m))


def fit_to(pred: Depth, gt: Depth, min_depth_m: float, depth_cap_m: float) -> Depth:
    """Give published depth clamped to a range, at the size of the truth (bilinear)."""
    clamped: Depth = clamp_depth(pred, min_depth_m, depth_cap_m)
    if clamped.shape == gt.shape:
        return clamped
    return np.asarray(cv2.resize(clamped, gt.shape[::-1]), np.float32)


def relative_error(
    pred: Depth, gt: Depth, *, min_depth_m: float, depth_cap_m: float
) -> Depth:
    """Give (pred - gt) / gt at the size of the truth, NaN where the truth does not count."""
    valid = is_within(gt, min_depth_m, depth_cap_m)
    error = np.full(gt.shape, np.nan, np.float32)
    fitted = fit_to(pred, gt, min_depth_m, depth_cap_m)
    error[valid] = (fitted[valid] - gt[valid]) / gt[valid]
    return error


def best_constant_m(truths: Iterable[Depth], min_depth_m: float, depth_cap_m: float) -> float:
    """
    Give the constant with the least mean abs_rel, metres.

    Notes
    -----
    The sum of w |c - g| is least at the weighted median of g; here w is 1/g, and each image
    weighs the same. It is tuned on the images that it is judged on: no constant does better.

    """
    depths, weights = [], []
    for gt in truths:
        known = gt[is_within(gt, min_depth_m, depth_cap_m)]
        depths.append(known.astype(np.float64))
        weights.append(1.0 / depths[-1] / max(known.size, 1))
    pooled, weight = np.concatenate(depths), np.concatenate(weights)
    order = np.argsort(pooled)
    running = np.cumsum(weight[order])
    return float(pooled[order][np.searchsorted(running, running[-1] / 2)])
