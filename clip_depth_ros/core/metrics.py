# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Depth metrics of an image, of groups of its pixels, and over many images.

The formulas are those of Eigen, Puhrsch and Fergus (NIPS 2014), as all known evaluation codes have
them; the differences between codes (crop, cap, alignment) are not here. Computed in float64.

All metrics follow from a few sums over pixels, and sums of groups add up to those of their union,
exactly: parts of an image to the image, images to a data set. So every pixel is looked at once,
however many tables it stands in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from clip_depth_ros.errors import DataError
from clip_depth_ros.types import Depth
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Groups = NDArray[np.integer[Any]]
"""int (N,): which group each pixel is of, 0 and up."""

_BLOCK: Final = 1 << 15


def blocks(n: int) -> Iterator[slice]:
    """Cut ``n`` pixels into pieces whose intermediate values stay in the processor's cache."""
    return (slice(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK))


@dataclass(frozen=True, slots=True, eq=False)
class PixelErrors:
    """
    How far off each pixel is.

    Attributes
    ----------
    relative : float64 (N,)
        (p - g) / g.
    metres : float64 (N,)
        p - g.
    log : float64 (N,)
        ln p - ln g.
    level : uint8 (N,)
        How many of 1.25, 1.25^2 and 1.25^3 max(p / g, g / p) reaches: 0 to 3.

    """

    relative: Floats
    metres: Floats
    log: Floats
    level: NDArray[np.uint8]

    @classmethod
    def of(cls, p: Floats, g: Floats) -> PixelErrors:
        """Compare depths, float64 (N,), metres, above 0 and finite."""
        metres = p - g
        ratio = np.maximum(p, g) / np.minimum(p, g)
        level = (ratio >= 1.25).view(np.uint8)
        for threshold in (1.25**2, 1.25**3):
            level += ratio >= threshold
        return cls(metres / g, metres, np.log(p / g), level)


@dataclass(frozen=True, slots=True, eq=False)
class MetricSums:
    """
    Sums over the pixels of each group, arrays (n_groups,).

    Attributes
    ----------
    n : int64
        Pixels.
    abs_rel, sq_rel, square, log10 : float64
        Sum of |p - g| / g, (p - g)^2 / g, (p - g)^2 and |log10 p - log10 g|.
    log_mean, log_spread : float64
        Mean of ln p - ln g, and sum of the squares of what differs from that mean. Kept about the
        mean, since the difference of two sums would lose what a common factor leaves.
    delta : int64 (3, n_groups)
        Pixels below 1.25, 1.25^2, 1.25^3.

    """

    n: NDArray[np.int64]
    abs_rel: Floats
    sq_rel: Floats
    square: Floats
    log10: Floats
    log_mean: Floats
    log_spread: Floats
    delta: NDArray[np.int64]

    @classmethod
    def of(cls, errors: PixelErrors, groups: Groups | None = None, n: int = 1) -> MetricSums:
        """Add up the errors of each of ``n`` groups; without groups, all are of one."""
        counts = _counts(errors.level, groups, n)
        total = counts.sum(axis=0)
        magnitude = np.abs(errors.metres)
        log_mean = _sums(errors.log, groups, n) / np.maximum(total, 1)
        from_mean = errors.log - (log_mean[0] if groups is None else log_mean[groups])
        return cls(
            n=total,
            abs_rel=_sums(np.abs(errors.relative), groups, n),
            sq_rel=_sums(np.abs(errors.relative) * magnitude, groups, n),
            square=_sums(magnitude * magnitude, groups, n),
            log10=_sums(np.abs(errors.log), groups, n) / np.log(10),
            log_mean=log_mean,
            log_spread=_sums(from_mean * from_mean, groups, n),
            delta=np.cumsum(counts, axis=0)[:3],
        )

    @classmethod
    def total(cls, each: Sequence[MetricSums]) -> MetricSums:
        """Add up the sums of the same groups over several sets of pixels."""
        n_groups = len(each[0].n)
        columns = {
            field.name: np.concatenate([getattr(sums, field.name) for sums in each], axis=-1)
            for field in fields(cls)
        }
        return cls(**columns).merged(np.tile(np.arange(n_groups), len(each)), n_groups)

    def merged(self, into: Groups, n_groups: int) -> MetricSums:
        """Return the sums of unions; ``into``, int (n,), is which new group each is a part of."""
        n = _sums(self.n, into, n_groups)
        log_mean = _sums(self.n * self.log_mean, into, n_groups) / np.maximum(n, 1)
        between = self.n * (self.log_mean - log_mean[into]) ** 2
        return MetricSums(
            n=n.astype(np.int64),
            abs_rel=_sums(self.abs_rel, into, n_groups),
            sq_rel=_sums(self.sq_rel, into, n_groups),
            square=_sums(self.square, into, n_groups),
            log10=_sums(self.log10, into, n_groups),
            log_mean=log_mean,
            log_spread=_sums(self.log_spread + between, into, n_groups),
            delta=np.stack([_sums(row, into, n_groups) for row in self.delta]).astype(np.int64),
        )


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
    Return the pixels that count, bool (H, W).

    Parameters
    ----------
    gt : float (H, W)
        Metres; 0, negative and non-finite mean no measurement.
    min_depth_m, depth_cap_m : float
        What lies between counts; strictly, as the known codes have it.

    """
    return np.isfinite(gt) & (gt > min_depth_m) & (gt < depth_cap_m)


def clamp_depth(pred: Depth, min_depth_m: float, depth_cap_m: float) -> Depth:
    """
    Bring a prediction into the range that is evaluated.

    -Inf (too near) becomes the nearest, +Inf (beyond range) the farthest (REP 117); NaN stays.
    """
    return np.clip(pred, min_depth_m, depth_cap_m)


def relative_error(pred: Depth, gt: Depth) -> Depth:
    """Return (pred - gt) / gt, float32 (H, W), for pictures; NaN where either is not finite."""
    known = np.isfinite(pred) & np.isfinite(gt)
    error = np.full(gt.shape, np.nan, np.float32)
    error[known] = (pred[known] - gt[known]) / gt[known]
    return error


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
                f'{n_wrong} of {values.size} counted pixels of the {name} are not above 0 and '
                'finite: clamp them, or leave them out of the mask and report the coverage'
            )
    (metrics,) = metrics_of(MetricSums.of(PixelErrors.of(p, g)))
    return DepthMetrics(**{name: getattr(metrics, name) for name in _NAMES})


def metrics_of(sums: MetricSums) -> list[GroupMetrics | None]:
    """Return the metrics that follow from the sums of each group; None for empty ones."""
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
    Return the mean over images of per-image values; ``n`` is the sum.

    Raises
    ------
    DataError
        If there is none.

    """
    if not each:
        raise DataError('no image could be evaluated: there is no mean of nothing')
    means = {name: float(np.mean([getattr(metrics, name) for metrics in each])) for name in _NAMES}
    n = sum(metrics.n for metrics in each)
    return DepthMetrics(**{**means, 'n': n})  # type: ignore[arg-type]


def _sums(values: NDArray[Any], groups: Groups | None, n_groups: int) -> Floats:
    if groups is None:
        return np.array([values.sum()], np.float64)
    return np.asarray(np.bincount(groups, values, n_groups), np.float64)


def _counts(level: NDArray[np.uint8], groups: Groups | None, n: int) -> NDArray[np.int64]:
    """Return how many pixels of each level each group has, (4, n)."""
    cells = level if groups is None else groups * 4 + level
    counts: NDArray[np.int64] = np.bincount(cells, minlength=4 * n).reshape(n, 4).T
    return counts
