# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What may be fitted to the truth of an image before a prediction is compared with it.

A fitted prediction is not metric depth any more: it says how good the shape is when the scale is
known from elsewhere. Fits come before clamping, as in monodepth2's code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from clip_depth_ros.core.metrics import blocks
from clip_depth_ros.errors import DataError
import numpy as np
from numpy.typing import NDArray

_SAME: Final = 1e-6
"""A prediction that varies by less, relative to its mean, is a constant in float32."""


class Alignment(NamedTuple):
    """A prediction becomes ``scale * pred + shift_m``."""

    scale: float = 1.0
    shift_m: float = 0.0

    def apply(self, pred: NDArray[Any]) -> NDArray[np.float64]:
        """Return the aligned prediction, metres; +Inf and -Inf stay what they are."""
        aligned = pred.astype(np.float64) * self.scale + self.shift_m
        is_beyond = np.isinf(pred)
        return np.where(is_beyond, pred, aligned) if is_beyond.any() else aligned


def fit_alignment(name: str, pred: NDArray[Any], gt: NDArray[Any]) -> Alignment:
    """
    Fit a prediction to the truth.

    Parameters
    ----------
    name : {'none', 'median', 'scale-shift'}
        none: as it is. median: the scale that makes the medians equal (monodepth2 and all who
        compare with it). scale-shift: scale and shift with the least squares of ``scale * pred +
        shift - gt``, in depth (not, as for relative depth, in inverse depth).
    pred, gt : float (N,)
        Metres, above 0: the pixels that count. Where the prediction is +Inf or -Inf (beyond
        range, too near) there is nothing to fit: these pixels have no say.

    Returns
    -------
    Alignment
        For scale-shift of a constant prediction: the shift alone.

    Raises
    ------
    DataError
        If there is no pixel, or no alignment of that name.

    """
    if name not in _FITS:
        raise DataError(f'an alignment is one of {[*_FITS]}, got {name!r}')
    if not pred.size:
        raise DataError('no pixel to align by: nothing was answered where the truth is known')
    is_number = np.isfinite(pred)
    if not is_number.any():
        return Alignment()
    if not is_number.all():
        pred, gt = pred[is_number], gt[is_number]
    return _FITS[name](pred, gt)


def median(values: NDArray[Any]) -> float:
    """Return the median of numbers without NaN, as NumPy does but ten times faster."""
    middle = values.size // 2
    halves = np.partition(values, middle)
    upper = float(halves[middle])
    return upper if values.size % 2 else (float(halves[:middle].max()) + upper) / 2


def _scale_shift(pred: NDArray[Any], gt: NDArray[Any]) -> Alignment:
    mean_p, mean_g = pred.mean(dtype=np.float64), gt.mean(dtype=np.float64)
    variance = covariance = 0.0
    for block in blocks(pred.size):
        from_mean = pred[block].astype(np.float64) - mean_p
        variance += from_mean @ from_mean / pred.size
        covariance += from_mean @ (gt[block] - mean_g) / pred.size
    if variance <= (_SAME * mean_p) ** 2:
        return Alignment(shift_m=float(mean_g - mean_p))
    scale = covariance / variance
    return Alignment(float(scale), float(mean_g - scale * mean_p))


_FITS: Final[Mapping[str, Callable[[NDArray[Any], NDArray[Any]], Alignment]]] = {
    'none': lambda pred, gt: Alignment(),
    'median': lambda pred, gt: Alignment(scale=median(gt) / median(pred)),
    'scale-shift': _scale_shift,
}
