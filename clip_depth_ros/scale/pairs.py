# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The scale of depth from pixels where it was measured: by a LiDAR, a depth camera."""

from __future__ import annotations

import math
from typing import Any, Final, Literal

from clip_depth_ros.core.alignment import weighted_median
from clip_depth_ros.errors import DataError
from clip_depth_ros.scale.correction import Correction, Measure, PIVOT_M
from clip_depth_ros.types import Depth
import numpy as np
from numpy.typing import NDArray

AlignFit = Literal['scale', 'log']

MAX_SLOPE: Final = 0.5
"""Steeper lines in log depth would turn near and far about for noise (our choice)."""

_CELLS: Final = 8
_LEAST_RANGE: Final = math.log(2.0)
"""Depths must span more than a doubling for a slope to mean anything (our choice)."""

_ROUNDS: Final = 12
_SOFT: Final = 0.02  # residuals below count alike: the weights of least absolute errors end there


def sampled(depth_m: Depth, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return the depth of a depth image, which may be a small copy, at places in it, float64 (N,).

    Parameters
    ----------
    depth_m : float32 (h, w)
        Of the whole image.
    places : float64 (N, 2)
        Shares of its width and height: (0, 0) is the corner of the first pixel, not its centre.
        Each is at least 0 and below 1.

    """
    height, width = depth_m.shape
    columns, rows = (places * (width, height)).astype(np.intp).T
    return np.asarray(depth_m[rows, columns], np.float64)


def measure_pairs(
    pred_m: NDArray[Any],
    true_m: NDArray[Any],
    places: NDArray[np.float64],
    *,
    fit: AlignFit = 'scale',
    min_points: int = 50,
    max_spread: float = 0.35,
) -> Measure:
    """
    Return the correction that brings predicted depth to measured depth.

    The scale is a median of ratios, so that what is seen by one of the two alone (occlusion,
    parallax, reflections) does not matter while it is less than half. Each cell of an 8 x 8 grid
    over the image has as much to say as any other: a LiDAR has most of its points on the road
    nearby.

    Parameters
    ----------
    pred_m, true_m : float (N,)
        Metres along the optical axis; pairs that are not both finite and above 0 are left out.
    places : float64 (N, 2)
        Where in the image, as in :func:`sampled`.
    fit : {'scale', 'log'}
        The scale alone, or a line in log depth with the least absolute errors.
    min_points : int
        Pairs that it takes.
    max_spread : float
        Largest spread that counts as agreement.

    Raises
    ------
    DataError
        If the pairs are too few or disagree too much; the message says so in a user's words.

    """
    with np.errstate(invalid='ignore'):
        counts = (pred_m > 0) & (true_m > 0) & np.isfinite(pred_m) & np.isfinite(true_m)
    n_points = int(np.count_nonzero(counts))
    if n_points < min_points:
        raise DataError(
            f'{n_points} measured points are on known depth, align_min_points is {min_points}'
        )
    logs = np.log(pred_m[counts].astype(np.float64))
    ratios = np.log(true_m[counts].astype(np.float64)) - logs
    weights = _even_weights(places[counts])
    correction = Correction(weighted_median(ratios, weights))
    if fit == 'log':
        correction = _line(logs, ratios, weights, correction)
    left = np.abs(ratios - np.log(correction.factor(np.exp(logs).astype(np.float32))))
    spread = weighted_median(left, weights)
    if spread > max_spread:
        raise DataError(
            'measured and predicted depth do not agree up to scale: half of the ratios are off '
            f'by a factor of {math.exp(spread):.2f} and more (align_max_spread is '
            f'{max_spread:g}); is the pose of the sensor right, and does it see what the camera '
            'sees?'
        )
    return Measure(correction, spread, n_points)


def _even_weights(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights of points by which each cell of the image has the same sum."""
    cells = (places * _CELLS).astype(np.intp)
    _, which, counts = np.unique(
        cells[:, 1] * _CELLS + cells[:, 0], return_inverse=True, return_counts=True
    )
    return np.asarray(1 / counts[which.reshape(-1)], np.float64)


def _line(
    logs: NDArray[np.float64],
    ratios: NDArray[np.float64],
    weights: NDArray[np.float64],
    start: Correction,
) -> Correction:
    """Return the line in log depth with the least absolute errors, by reweighted squares."""
    near, far = (float(end) for end in np.quantile(logs, [0.02, 0.98]))
    if far - near < _LEAST_RANGE:
        return start
    x = np.clip(logs, near, far) - math.log(PIVOT_M)
    offset, slope = start.log_scale, 0.0
    for _ in range(_ROUNDS):
        w = weights / np.maximum(np.abs(ratios - offset - slope * x), _SOFT)
        mean_x, mean_r = np.average(x, weights=w), np.average(ratios, weights=w)
        variance = np.average((x - mean_x) ** 2, weights=w)
        covariance = np.average((x - mean_x) * (ratios - mean_r), weights=w)
        slope = float(np.clip(covariance / max(variance, 1e-9), -MAX_SLOPE, MAX_SLOPE))
        offset = float(mean_r - slope * mean_x)
    return Correction(offset, slope, near, far)
