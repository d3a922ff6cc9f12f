# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Depth metrics of an image, of groups of its pixels, and over many images.

The formulas are those of Eigen, Puhrsch and Fergus (NIPS 2014), as all known evaluation codes have
them; what differs between codes (crop, cap, alignment) is not here. Computed in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from clip_depth_ros.core.metric_sums import MetricSums, PixelErrors
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


_NAMES: Final = tuple(field.name for field in fields(DepthMetrics))


@dataclass(frozen=True, slots=True)
class GroupMetrics(DepthMetrics):
    """
    How a prediction differs from the ground truth over a group of pixels.

    Attributes
    ----------
    log_bias : float
        Mean of ln p - ln g: above 0 where the prediction is too far.

    """

    log_bias: float


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
    _check_depths(p, g)
    return _of_all(MetricSums.of(PixelErrors.of(p, g)))


def metrics_of(sums: MetricSums) -> list[GroupMetrics | None]:
    """Give the metrics that follow from the sums of each group; None for empty ones."""
    n = np.maximum(sums.n, 1)
    variance = sums.log_spread / n
    columns = np.stack([
        sums.abs_rel / n,
        sums.sq_rel / n,
        np.sqrt(sums.square / n),
        np.sqrt(variance + sums.log_mean**2),
        sums.log10 / n,
        # The spread about the mean: the same as mean d^2 - (mean d)^2, and never below 0.
        100 * np.sqrt(variance),
        *(sums.delta / n),
    ])
    return [
        GroupMetrics(**dict(zip(_NAMES, (*values, count), strict=True)), log_bias=bias)
        if count
        else None
        for values, count, bias in zip(
            columns.T.tolist(), sums.n.tolist(), sums.log_mean.tolist(), strict=True
        )
    ]


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
        name: float(np.mean([getattr(metrics, name) for metrics in each])) for name in _NAMES
    }
    n = sum(metrics.n for metrics in each)
    return DepthMetrics(**{**means, 'n': n})  # type: ignore[arg-type]


def _of_all(sums: MetricSums) -> DepthMetrics:
    """Give the metrics of the one group there is."""
    (metrics,) = metrics_of(sums)
    return DepthMetrics(**{name: getattr(metrics, name) for name in _NAMES})


def _check_depths(p: NDArray[np.float64], g: NDArray[np.float64]) -> None:
    for name, values in (('prediction', p), ('ground truth', g)):
        if n_wrong := int(np.count_nonzero(~(np.isfinite(values) & (values > 0)))):
            raise DataError(
                f'{n_wrong} of {values.size} counted pixels of the {name} are not above 0 and '
                'finite: clamp them, or leave them out of the mask and report the coverage'
            )
