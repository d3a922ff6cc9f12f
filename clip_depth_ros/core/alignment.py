# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What may be fitted to the truth of an image before a prediction is compared with it.

A fitted prediction is not metric depth any more: it says how good the shape is when the scale is
known from elsewhere. Fits come before clamping, as in monodepth2's code.

Relative models (MiDaS, Depth Anything) answer inverse depth up to scale and shift. A shift of
inverse depth is no scale and shift of depth, so they are fitted where they are affine: in 1 / m.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
import math
from typing import Any, Final, Literal, NamedTuple

from clip_depth_ros.core.metrics import blocks
from clip_depth_ros.errors import DataError
import numpy as np
from numpy.typing import NDArray

_SAME: Final = 1e-6
"""A prediction that varies by less, relative to its mean, is a constant in float32."""

_MOST_FOR_A_LINE: Final = 8192
"""Pixels that a line with the least absolute errors is fitted to; MoGe takes 64 x 64."""

_MOST_FOR_RANKS: Final = 4096

Floats = NDArray[np.float64]

Space = Literal['depth', 'inverse', 'answered-inverse']
"""What is scaled and shifted: depth, its inverse, or answers that are inverse depth already."""


class Alignment(NamedTuple):
    """
    A prediction p becomes ``scale * p + shift``, in metres.

    Or its inverse does, in 1 / m; what becomes 0 or less there is beyond range.
    """

    scale: float = 1.0
    shift: float = 0.0
    space: Space = 'depth'

    def apply(self, pred: NDArray[Any]) -> Floats:
        """Return the aligned prediction, metres; +Inf and -Inf stay what they are."""
        values = pred.astype(np.float64)
        aligned = (_inverse(values) if self.space == 'inverse' else values) * self.scale
        aligned += self.shift
        if self.space != 'depth':
            aligned = _inverse(aligned)
        is_beyond = np.isinf(pred)
        return np.where(is_beyond, pred, aligned) if is_beyond.any() else aligned


def fit_alignment(
    name: str, pred: NDArray[Any], gt: NDArray[Any], *, is_inverse: bool = False
) -> Alignment:
    """
    Fit a prediction to the truth.

    Parameters
    ----------
    name : str
        One of ``ALIGNMENT_WORDS``, g the truth, p what is fitted:

        none
            As it is.
        median
            The scale that makes the medians equal (monodepth2 and all who compare with it).
        scale-shift
            Scale and shift with the least squares of ``scale * p + shift - g`` (Marigold).
        disparity-scale-shift
            The same of 1 / p and 1 / g (MiDaS, Ranftl et al., TPAMI 2022, when it is evaluated;
            Marigold's ``least_square_disparity``).
        log-scale
            The scale with the least squares of ``ln (scale * p) - ln g``: the ratio of geometric
            means (Eigen et al., NIPS 2014, equation 1).
        scale-l1, scale-shift-l1
            Scale, scale and shift with the least sum of ``|scale * p + shift - g| / g`` (MoGe,
            Wang et al., CVPR 2025): what few pixels do wrong has little say.
        disparity-scale-shift-l1
            Scale and shift with the least sum of ``|scale / p + shift - 1 / g|``.
    pred, gt : float (N,)
        Metres, above 0: the pixels that count. Where the prediction is +Inf or -Inf (beyond
        range, too near) there is nothing to fit: these pixels have no say.
    is_inverse : bool
        The prediction is inverse depth up to scale and shift, any numbers, and takes the place of
        1 / p.

    Returns
    -------
    Alignment
        Where what is fitted is constant: a line is its shift alone.

    Raises
    ------
    DataError
        If there is no pixel, no alignment of that name, or it is none for inverse depth.

    """
    if name not in _FITS:
        raise DataError(f'an alignment is one of {[*_FITS]}, got {name!r}')
    if is_inverse and name not in INVERSE_ALIGNMENTS:
        raise DataError(
            'relative inverse depth has no metres until its scale and shift are fitted: align it '
            f'by one of {[*INVERSE_ALIGNMENTS]}, not {name!r}'
        )
    if not pred.size:
        raise DataError('no pixel to align by: nothing was answered where the truth is known')
    space: Space = 'depth'
    if name in INVERSE_ALIGNMENTS:
        space = 'answered-inverse' if is_inverse else 'inverse'
    is_number = np.isfinite(pred)
    if not is_number.any():
        return Alignment(space=space)
    if not is_number.all():
        pred, gt = pred[is_number], gt[is_number]
    if space == 'inverse':
        pred = _inverse(pred.astype(np.float64))
    if space != 'depth':
        gt = _inverse(gt.astype(np.float64))
    return Alignment(*_FITS[name](pred, gt), space)


def rank_correlation(pred: NDArray[Any], gt: NDArray[Any], *, is_inverse: bool = False) -> float:
    """
    Return Spearman's rank correlation of answers and true depth, -1 to 1; NaN if one is constant.

    Ties have their mean rank; +Inf and -Inf are the last and the first. Of more than 4096 pixels,
    as many evenly spread ones. Inverse depth counts as depth, from its end.
    """
    step = max(1, -(-pred.size // _MOST_FOR_RANKS))
    first, second = _ranks(pred[::step]), _ranks(gt[::step])
    spread = math.sqrt(float(first @ first) * float(second @ second))
    sign = -1 if is_inverse else 1
    return sign * float(first @ second) / spread if spread else math.nan


def median(values: NDArray[Any]) -> float:
    """Return the median of numbers without NaN, as NumPy does but ten times faster."""
    middle = values.size // 2
    halves = np.partition(values, middle)
    upper = float(halves[middle])
    return upper if values.size % 2 else (float(halves[:middle].max()) + upper) / 2


def weighted_median(values: Floats, weights: Floats) -> float:
    """Return the value with half of the weights, all above 0, on either side; the lower of two."""
    order = np.argsort(values)
    running = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(running, running[-1] / 2)]])


def _inverse(values: Floats) -> Floats:
    """Return 1 / value where that is above 0, +Inf for 0 and below; NaN stays."""
    found = np.full(values.shape, np.inf)
    np.divide(1.0, values, out=found, where=~(values <= 0))
    return found


def _ranks(values: NDArray[Any]) -> Floats:
    """Return the ranks about their mean; those of ties are equal."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray(middles[places] - (values.size + 1) / 2, np.float64)


def _log_scale(pred: NDArray[Any], gt: NDArray[Any]) -> tuple[float, float]:
    gt = gt.astype(np.float64)
    logs = [np.log(gt[block] / pred[block]).sum() for block in blocks(pred.size)]
    return math.exp(math.fsum(logs) / pred.size), 0.0


def _least_squares(pred: NDArray[Any], gt: NDArray[Any]) -> tuple[float, float]:
    mean_p, mean_g = pred.mean(dtype=np.float64), gt.mean(dtype=np.float64)
    variance = covariance = 0.0
    for block in blocks(pred.size):
        from_mean = pred[block].astype(np.float64) - mean_p
        variance += from_mean @ from_mean / pred.size
        covariance += from_mean @ (gt[block] - mean_g) / pred.size
    if variance <= (_SAME * mean_p) ** 2:
        return 1.0, float(mean_g - mean_p)
    scale = covariance / variance
    return float(scale), float(mean_g - scale * mean_p)


def _least_relative(pred: NDArray[Any], gt: NDArray[Any]) -> tuple[float, float]:
    """Return the scale: the sum of (p / g) |scale - g / p| is least at a weighted median."""
    ratio = gt.astype(np.float64) / pred
    return weighted_median(ratio, 1 / ratio), 0.0


def _least_absolute(
    pred: NDArray[Any], gt: NDArray[Any], *, is_relative: bool
) -> tuple[float, float]:
    """
    Return the line with the least sum of |scale * p + shift - g|, divided by g if ``is_relative``.

    For each slope the best shift is a weighted median, and the sum at it a convex function of the
    slope alone: it is searched from the least squares on.
    """
    from scipy.optimize import minimize_scalar  # only those who ask for this fit need it

    step = max(1, -(-pred.size // _MOST_FOR_A_LINE))
    p, g = pred[::step].astype(np.float64), gt[::step].astype(np.float64)
    weights = 1 / g if is_relative else np.ones_like(g)
    middle, spread = p.mean(), p.std()
    if spread <= _SAME * abs(middle):
        return 1.0, weighted_median(g - p, weights)
    across = (p - middle) / spread

    def loss(slope: float) -> float:
        left = g - slope * across
        return float(weights @ np.abs(left - weighted_median(left, weights)))

    slope, _ = _least_squares(across, g)
    found = minimize_scalar(loss, bracket=(slope, slope + max(abs(slope), g.std()) / 2))
    best = float(found.x)
    shift = weighted_median(g - best * across, weights)
    return best / float(spread), float(shift - best * middle / spread)


_FITS: Final[Mapping[str, Callable[[NDArray[Any], NDArray[Any]], tuple[float, float]]]] = {
    'none': lambda pred, gt: (1.0, 0.0),
    'median': lambda pred, gt: (median(gt) / median(pred), 0.0),
    'scale-shift': _least_squares,
    'disparity-scale-shift': _least_squares,
    'log-scale': _log_scale,
    'scale-l1': _least_relative,
    'scale-shift-l1': partial(_least_absolute, is_relative=True),
    'disparity-scale-shift-l1': partial(_least_absolute, is_relative=False),
}

INVERSE_ALIGNMENTS: Final = ('disparity-scale-shift', 'disparity-scale-shift-l1')
"""Those that fit inverse depth: all that relative answers can be compared by."""

ALIGNMENT_WORDS: Final[Mapping[str, str]] = {
    'none': 'no alignment',
    'median': 'median scaling',
    'scale-shift': 'scale and shift fitted',
    'disparity-scale-shift': 'scale and shift of inverse depth fitted',
    'log-scale': 'scale of log depth fitted',
    'scale-l1': 'scale fitted by least absolute relative errors',
    'scale-shift-l1': 'scale and shift fitted by least absolute relative errors',
    'disparity-scale-shift-l1': 'scale and shift of inverse depth fitted by least absolute errors',
}
"""All alignments by name, as titles say them."""
