# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The sums over pixels that all depth metrics follow from, for many groups of pixels in one pass.

Sums of groups add up to those of their union, exactly: parts of an image to the image, images to
a data set. So every pixel is looked at once, however many tables it stands in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

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
        """
        Give the sums of unions of groups.

        Parameters
        ----------
        into : int (old n_groups,)
            Which new group each is a part of.
        n_groups : int
            How many new groups there are.

        """
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


def _sums(values: NDArray[Any], groups: Groups | None, n_groups: int) -> Floats:
    if groups is None:
        return np.array([values.sum()], np.float64)
    return np.asarray(np.bincount(groups, values, n_groups), np.float64)


def _counts(level: NDArray[np.uint8], groups: Groups | None, n: int) -> NDArray[np.int64]:
    """Give how many pixels of each level each group has, (4, n)."""
    cells = level if groups is None else groups * 4 + level
    counts: NDArray[np.int64] = np.bincount(cells, minlength=4 * n).reshape(n, 4).T
    return counts
