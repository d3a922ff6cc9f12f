# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Depth metrics of an image, of groups of its pixels, and over many images.

The formulas are those of Eigen, Puhrsch and Fergus (NIPS 2014), as all known evaluation codes have
them; the differences between codes (crop, cap, alignment) are not here. Computed in float64,
but for the ratios that delta counts: in float32, which decides ties.

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

DELTAS: Final = (1.25**0.5, 1.25, 1.25**2, 1.25**3)
"""Ratios below which every evaluation counts pixels."""

_PER_KM: Final = 1000
"""1 / m in 1 / km."""

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
    inverse : float64 (N,)
        1 / g - 1 / p, 1 / m.
    level : uint8 (N,)
        How many of the thresholds max(p / g, g / p), a float32, reaches.
    thresholds : tuple of float
        ``DELTAS`` and whatever else was asked for, ascending.

    """

    relative: Floats
    metres: Floats
    log: Floats
    inverse: Floats
    level: NDArray[np.uint8]
    thresholds: tuple[float, ...]

    @classmethod
    def of(cls, p: Floats, g: Floats, deltas: Sequence[float] = ()) -> PixelErrors:
        """
        Compare depths, float64 (N,), metres, above 0 and finite.

        ``deltas`` are ratios, above 1, below which pixels are counted beside ``DELTAS``.
        """
        metres = p - g
        # As all known codes: in float32, where 1.5 / 1.2 is 1.25 and not below it.
        near, far = (end(p, g).astype(np.float32) for end in (np.minimum, np.maximum))
        ratio = far / near
        first, *others = thresholds = _ascending(deltas)
        level = (ratio >= first).view(np.uint8)
        for threshold in others:
            level += ratio >= threshold
        relative = metres / g
        return cls(relative, metres, np.log(p / g), relative / p, level, thresholds)

    def is_below(self, threshold: float) -> NDArray[np.bool_]:
        """Return where max(p / g, g / p) is below one of the thresholds, bool (N,)."""
        return np.asarray(self.level <= self.thresholds.index(threshold))


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
    metres, relative_square, inverse, inverse_square : float64
        Sum of |p - g|, (p - g)^2 / g^2, |1 / p - 1 / g| and (1 / p - 1 / g)^2.
    log_mean, log_spread : float64
        Mean of ln p - ln g, and sum of the squares of what differs from that mean. Kept about the
        mean, since the difference of two sums would lose what a common factor leaves.
    delta : int64 (n_thresholds, n_groups)
        Pixels below each of the thresholds.

    """

    n: NDArray[np.int64]
    abs_rel: Floats
    sq_rel: Floats
    square: Floats
    log10: Floats
    metres: Floats
    relative_square: Floats
    inverse: Floats
    inverse_square: Floats
    log_mean: Floats
    log_spread: Floats
    delta: NDArray[np.int64]

    @classmethod
    def of(cls, errors: PixelErrors, groups: Groups | None = None, n: int = 1) -> MetricSums:
        """Add up the errors of each of ``n`` groups; without groups, all are of one."""
        counts = _counts(errors.level, len(errors.thresholds) + 1, groups, n)
        total = counts.sum(axis=0)
        magnitude, relative = np.abs(errors.metres), np.abs(errors.relative)
        log_mean = _sums(errors.log, groups, n) / np.maximum(total, 1)
        from_mean = errors.log - (log_mean[0] if groups is None else log_mean[groups])
        return cls(
            n=total,
            abs_rel=_sums(relative, groups, n),
            sq_rel=_sums(relative * magnitude, groups, n),
            square=_squares(magnitude, groups, n),
            log10=_sums(np.abs(errors.log), groups, n) / np.log(10),
            metres=_sums(magnitude, groups, n),
            relative_square=_squares(relative, groups, n),
            inverse=_sums(np.abs(errors.inverse), groups, n),
            inverse_square=_squares(errors.inverse, groups, n),
            log_mean=log_mean,
            log_spread=_squares(from_mean, groups, n),
            delta=np.cumsum(counts, axis=0)[:-1],
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
        plain = {name: _sums(getattr(self, name), into, n_groups) for name in _ADDED_UP}
        return MetricSums(
            n=n.astype(np.int64),
            log_mean=log_mean,
            log_spread=_sums(self.log_spread + between, into, n_groups),
            delta=np.stack([_sums(row, into, n_groups) for row in self.delta]).astype(np.int64),
            **plain,
        )


_ADDED_UP: Final = (
    'abs_rel', 'sq_rel', 'square', 'log10', 'metres', 'relative_square', 'inverse',
    'inverse_square',
)
"""Sums of groups that add up to that of their union as they are."""


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

    ``mae``, ``irmse``, ``imae`` and ``sq_rel_kitti`` are those of the development kit of KITTI's
    depth benchmark (Uhrig et al., 3DV 2017, ``evaluate_depth.cpp``).

    Attributes
    ----------
    mae : float
        Mean of |p - g|, metres.
    irmse, imae : float
        Root of the mean of (1 / p - 1 / g)^2, and mean of |1 / p - 1 / g|, 1 / km.
    sq_rel_kitti : float
        Mean of (p - g)^2 / g^2, without a unit: Eigen's code, and all after it, divide by g. The
        benchmark's table has 100 times it.
    delta05 : float
        Share of pixels with max(p / g, g / p) below 1.25^0.5.
    log_bias : float
        Mean of ln p - ln g: above 0 where the prediction is too far.
    more_deltas : tuple of float
        Share of pixels below each threshold that was asked for, in that order.

    """

    mae: float
    irmse: float
    imae: float
    sq_rel_kitti: float
    delta05: float
    log_bias: float
    more_deltas: tuple[float, ...] = ()


def valid_pixels(
    gt: Depth, *, min_depth_m: float, depth_cap_m: float, with_ends: bool = False
) -> NDArray[np.bool_]:
    """
    Return the pixels that count, bool (H, W).

    Parameters
    ----------
    gt : float (H, W)
        Metres; 0, negative and non-finite mean no measurement.
    min_depth_m, depth_cap_m : float
        What lies between counts; strictly, as most known codes have it.
    with_ends : bool
        What equals one of the two counts, too.

    """
    if with_ends:
        return np.isfinite(gt) & (gt >= min_depth_m) & (gt <= depth_cap_m)
    return np.isfinite(gt) & (gt > min_depth_m) & (gt < depth_cap_m)


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


def metrics_of(sums: MetricSums, deltas: Sequence[float] = ()) -> list[GroupMetrics | None]:
    """
    Return the metrics that follow from the sums of each group; None for empty ones.

    ``deltas`` are the thresholds that were asked for when errors became sums.
    """
    n = np.maximum(sums.n, 1)
    variance = sums.log_spread / n
    below = dict(zip(_ascending(deltas), sums.delta / n, strict=True))
    delta = [below[threshold] for threshold in DELTAS]
    columns = {
        'abs_rel': sums.abs_rel / n,
        'sq_rel': sums.sq_rel / n,
        'rmse': np.sqrt(sums.square / n),
        'rmse_log': np.sqrt(variance + sums.log_mean**2),
        'log10': sums.log10 / n,
        # The spread about the mean: the same as mean d^2 - (mean d)^2, and never below 0.
        'silog': 100 * np.sqrt(variance),
        **dict(zip(('delta1', 'delta2', 'delta3'), delta[1:], strict=True)),
        'n': sums.n,
        'mae': sums.metres / n,
        'irmse': _PER_KM * np.sqrt(sums.inverse_square / n),
        'imae': _PER_KM * sums.inverse / n,
        'sq_rel_kitti': sums.relative_square / n,
        'delta05': delta[0],
        'log_bias': sums.log_mean,
    }
    more = np.array([below[threshold] for threshold in deltas]).reshape(len(deltas), len(n))
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [
        GroupMetrics(**dict(zip(columns, row, strict=True)), more_deltas=tuple(shares))
        if count
        else None
        for row, shares, count in zip(rows, more.T.tolist(), sums.n.tolist(), strict=True)
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


def _squares(values: Floats, groups: Groups | None, n_groups: int) -> Floats:
    return np.array([values @ values]) if groups is None else _sums(values**2, groups, n_groups)


def _ascending(deltas: Sequence[float]) -> tuple[float, ...]:
    """Return the thresholds that pixels are counted by: those of all evaluations, and more."""
    return tuple(sorted({*DELTAS, *deltas}))


def _counts(
    level: NDArray[np.uint8], n_levels: int, groups: Groups | None, n: int
) -> NDArray[np.int64]:
    """Return how many pixels of each level each group has, (n_levels, n)."""
    cells = level if groups is None else groups * n_levels + level
    counts = np.bincount(cells, minlength=n_levels * n).astype(np.int64, copy=False)
    by_level: NDArray[np.int64] = counts.reshape(n, n_levels).T
    return by_level
