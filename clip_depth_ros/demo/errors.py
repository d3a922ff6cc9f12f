# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Published depth against the truth of one image: what counts, how far off it is."""

from __future__ import annotations

from collections.abc import Iterable

from clip_depth_ros.core.metrics import (
    clamp_depth,
    depth_metrics,
    DepthMetrics,
    relative_error,
    valid_pixels,
)
from clip_depth_ros.evaluation.score.baselines import BestConstant
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


def error_within(pred: Depth, gt: Depth, min_depth_m: float, depth_cap_m: float) -> Depth:
    """Give (pred - gt) / gt at the size of the truth, NaN where the truth does not count."""
    known = np.where(is_within(gt, min_depth_m, depth_cap_m), gt, np.float32(np.nan))
    return relative_error(fit_to(pred, gt, min_depth_m, depth_cap_m), known)


def best_constant_m(truths: Iterable[Depth], min_depth_m: float, depth_cap_m: float) -> float:
    """Give the constant with the least mean abs_rel over these very images, metres."""
    best = BestConstant(min_depth_m, depth_cap_m)
    for gt in truths:
        best.add(gt[is_within(gt, min_depth_m, depth_cap_m)])
    return best.depth_m()
