# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Depth metrics of one image, and their mean over images.

The formulas are those of Eigen, Puhrsch and Fergus (NIPS 2014), as all known evaluation codes have
them; what differs between codes (crop, cap, alignment) is not here. Computed in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from clip_depth_ros.errors import DataError
from clip_depth_ros.types import Depth
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class DepthMetrics:
    """
    How a prediction p differs from the ground truth g over the valid pixels of an image.

    Attributes
    ----------
    abs_rel, sq_rel : float
        Mean of |p - g| / g; mean of (p - g)^2 / g, metres.
    rmse : float
        Root of the mean of (p - g)^2, metres.
    rmse_log : float
        Root of the mean of d^2, d = ln p - ln g.
    log10 : float
        Mean of |log10 p - log10 g|.
    silog : float
        100 sqrt(mean d^2 - (mean d)^2): blind to a common factor (KITTI's benchmark).
    delta1, delta2, delta3 : float
        Share of pixels with max(p / g, g / p) below 1.25, 1.25^2, 1.25^3.
    n : int
        Number of valid pixels; of a mean over images, their sum.

    """

    abs_rel: float
    sq_rel: float
    rmse: float
    rmse_log: float
    log10: float
    silog: float
    delta1: float
    delta2: float
    delta3: float
    n: int


def valid_pixels(gt: Depth, *, min_depth_m: float, depth_cap_m: float) -> NDArray[np.bool_]:
    """
    Give the pixels that count.

    Parameters
    ----------
    gt : float (H, W)
        Metres; 0, negative and non-finite mean no measurement.
    min_depth_m, depth_cap_m : float
        What lies between counts; strictly, as the known codes have it.

    Returns
    -------
    bool (H, W)

    """
    return np.isfinite(gt) & (gt > min_depth_m) & (gt < depth_cap_m)


def clamp_depth(pred: Depth, min_depth_m: float, depth_cap_m: float) -> Depth:
    """
    Bring a prediction into the range that is evaluated.

    -Inf (too near) becomes the nearest, +Inf (beyond range) the farthest (REP 117); NaN stays.
    """
    return np.clip(pred, min_depth_m, depth_cap_m)


def depth_metrics(pred: Depth, gt: Depth, valid: NDArray[np.bool_]) -> DepthMetrics:
    """
    Compare a prediction with the ground truth.

    Parameters
    ----------
    pred, gt : float (H, W)
        Metres, above 0 and finite where valid.
    valid : bool (H, W)
        The pixels that count.

    Raises
    ------
    DataError
        If the sizes differ, no pixel counts, or a counted value is not above 0 and finite.

    """
    if not pred.shape == gt.shape == valid.shape:
        raise DataError(
            f'prediction, ground truth and mask must have one shape, got {pred.shape}, {gt.shape} '
            f'and {valid.shape}'
        )
    p, g = pred[valid].astype(np.float64), gt[valid].astype(np.float64)
    if not p.size:
        raise DataError('no pixel counts: the ground truth is empty within the range')
    for name, values in (('prediction', p), ('ground truth', g)):
        if n_wrong := int(np.count_nonzero(~(np.isfinite(values) & (values > 0)))):
            raise DataError(
                f'{n_wrong} of {p.size} counted pixels of the {name} are not above 0 and finite: '
                'clamp them, or leave them out of the mask and report the coverage'
            )
    error, d = p - g, np.log(p) - np.log(g)
    ratio = np.maximum(p / g, g / p)
    return DepthMetrics(
        abs_rel=float(np.mean(np.abs(error) / g)),
        sq_rel=float(np.mean(error**2 / g)),
        rmse=float(np.sqrt(np.mean(error**2))),
        rmse_log=float(np.sqrt(np.mean(d**2))),
        log10=float(np.mean(np.abs(d)) / np.log(10)),
        # The spread about the mean: the same as mean d^2 - (mean d)^2, and never below 0.
        silog=float(100 * np.std(d)),
        delta1=float(np.mean(ratio < 1.25)),
        delta2=float(np.mean(ratio < 1.25**2)),
        delta3=float(np.mean(ratio < 1.25**3)),
        n=int(p.size),
    )


def mean_metrics(each: Sequence[DepthMetrics]) -> DepthMetrics:
    """
    Give the mean over images of per-image values; ``n`` is the sum.

    Raises
    ------
    DataError
        If there is none.

    """
    if not each:
        raise DataError('no image could be evaluated: there is no mean of nothing')
    means = {
        field.name: float(np.mean([getattr(metrics, field.name) for metrics in each]))
        for field in fields(DepthMetrics)
    }
    n = sum(metrics.n for metrics in each)
    return DepthMetrics(**{**means, 'n': n})  # type: ignore[arg-type]
