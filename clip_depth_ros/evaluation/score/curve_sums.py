# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sums for curves: how errors are spread, how they grow with depth, whether confidence tells."""

from __future__ import annotations

from typing import Any

from clip_depth_ros.core.metric_sums import PixelErrors
from clip_depth_ros.evaluation.score.score import CONFIDENCE_EDGES, DEPTH_EDGES_M, ERROR_EDGES
import numpy as np
from numpy.typing import NDArray

Sums = dict[str, NDArray[np.float64]]


def error_sums(errors: PixelErrors, log_gt: NDArray[np.float64]) -> Sums:
    """
    Give the histogram of relative errors, and errors over depth.

    Parameters
    ----------
    errors : PixelErrors
        Of N pixels.
    log_gt : float64 (N,)
        Natural log of their true depth in metres.

    Returns
    -------
    dict of str to float64 array
        ``error_histogram``: pixels by (pred - gt) / gt between ``ERROR_EDGES``; ``depth/n``,
        ``depth/abs_rel``, ``depth/bias``: by true depth between ``DEPTH_EDGES_M``, the number of
        pixels and the sums of |pred - gt| / gt and of (pred - gt) / gt.

    """
    in_error = _even_bins(errors.relative, ERROR_EDGES)
    in_depth = _even_bins(log_gt, np.log(DEPTH_EDGES_M))
    n_depths = len(DEPTH_EDGES_M) - 1
    return {
        'error_histogram': _sums(in_error, None, len(ERROR_EDGES) - 1),
        'depth/n': _sums(in_depth, None, n_depths),
        'depth/abs_rel': _sums(in_depth, np.abs(errors.relative), n_depths),
        'depth/bias': _sums(in_depth, errors.relative, n_depths),
    }


def confidence_sums(errors: PixelErrors, confidence: NDArray[np.float32]) -> Sums:
    """
    Give how good depth is by how confident the predictor is.

    Parameters
    ----------
    errors : PixelErrors
        Of N pixels.
    confidence : float32 (N,)
        Of the same; NaN is left out.

    Returns
    -------
    dict of str to float64 array
        ``confidence/n``, ``confidence/abs_rel``, ``confidence/delta1``: between
        ``CONFIDENCE_EDGES``, the number of pixels, the sum of |pred - gt| / gt, and the number of
        pixels within 1.25.

    """
    known = np.isfinite(confidence)
    bins = _even_bins(confidence[known].astype(np.float64), CONFIDENCE_EDGES)
    n = len(CONFIDENCE_EDGES) - 1
    return {
        'confidence/n': _sums(bins, None, n),
        'confidence/abs_rel': _sums(bins, np.abs(errors.relative[known]), n),
        'confidence/delta1': _sums(bins, (errors.level[known] == 0).astype(np.float64), n),
    }


def _even_bins(values: NDArray[np.float64], edges: Any) -> NDArray[np.intp]:
    """Give the bin of each value, edges evenly spaced; what lies beyond is in the outermost."""
    n = len(edges) - 1
    places = (values - edges[0]) * (n / (edges[-1] - edges[0]))
    return np.asarray(np.clip(places, 0, n - 1), np.intp)


def _sums(
    bins: NDArray[np.intp], weights: NDArray[np.float64] | None, n: int
) -> NDArray[np.float64]:
    return np.bincount(bins, weights, n).astype(np.float64, copy=False)
