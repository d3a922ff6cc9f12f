# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How far a mean over frames may be off: bootstrap 95 % intervals.

Frames are drawn again and again, as many as there are, with replacement; the interval holds the
middle 95 % of the means of these draws (Efron 1979). Blocks of frames may be drawn together
(Kunsch 1989; blocks here do not overlap, our choice).

Neighbouring frames of a film score alike, and such draws take them for independent. So the
interval is then widened to that of as many frames as are independent, n_e instead of n
(:mod:`clip_depth_ros.evaluation.score.independence`): by the ratio of t / sqrt(n - 1), where t is
the 97.5 % quantile of Student's distribution with n - 1 degrees of freedom (Zwiers and von Storch
1995). It is as it was where no neighbours are, or none score alike.

:func:`over_pixels` turns metrics of images into those over all pixels together: an image weighs as
many pixels as it has that count, and roots are taken last. All that this needs is in the values of
the images, so they can be resampled like any other mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.evaluation.score.independence import (
    ENOUGH_INDEPENDENT,
    films,
    independent_frames,
)
from clip_depth_ros.evaluation.score.score import is_of_pixels
import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Columns = NDArray[np.float64]
"""One row for each frame, one column for each value; NaN where a frame does not have it."""

ENOUGH_FRAMES: Final = 30
"""
From so many independent frames on, an interval holds about as often as it says.

Of fewer, it is too narrow.
"""

_PERCENTILES: Final = (2.5, 97.5)

_NEVER: Final = 1e6
"""Frames: what so many do not show is as good as nothing."""

_MOST: Final = 100_000
"""Draws."""

_AT_ONCE: Final = 500_000
"""Numbers in memory at a time, 4 MB."""


@dataclass(frozen=True, slots=True)
class Resampling:
    """
    How frames are drawn.

    Attributes
    ----------
    n_samples : int
        How often, up to 100000.
    block : int
        Frames next to each other that are drawn together.
    seed : int
        Of the random generator.

    Raises
    ------
    ConfigError
        If there are no or too many draws, blocks are empty, or the seed is negative.

    """

    n_samples: int = 1000
    block: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.n_samples <= _MOST or self.block < 1 or self.seed < 0:
            raise ConfigError(
                f'the bootstrap needs 1 to {_MOST} samples, blocks of 1 or more frames and a seed '
                f'of 0 or more, got {self.n_samples}, {self.block} and {self.seed}'
            )


@dataclass(frozen=True, slots=True)
class Intervals:
    """
    Means of columns with their 95 % intervals, (V,), and the numbers of frames with a value.

    NaN where no frame has the value; the interval also where fewer than two independent frames, or
    blocks, do. How many are independent, ``n_effective``, is at most the number of frames or, if
    they are drawn in blocks, of blocks.
    """

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_frames: NDArray[np.intp]
    n_effective: NDArray[np.float64]


def mean_intervals(
    values: Columns,
    resampling: Resampling,
    *,
    weights: Columns | None = None,
    finish: Callable[[Columns], Columns] = lambda means: means,
    recordings: Sequence[str] | None = None,
    stamps_ns: Sequence[int | None] | None = None,
) -> Intervals:
    """
    Return the mean of each column with its interval; all columns see the same draws.

    Parameters
    ----------
    values : float64 (N, V)
        By frame; what is NaN is left out.
    resampling : Resampling
        How frames are drawn.
    weights : float64 (N, V), optional
        What a frame counts; by default, all the same.
    finish : callable
        Makes of means (..., V) what is asked for, (..., V): roots of mean squares, say.
    recordings : sequence of str, optional
        Of each frame: a block is of one recording, and only frames of one recording score alike.
        By default, all are of one.
    stamps_ns : sequence of int or None, optional
        Of each frame. Frames of a recording follow each other by their stamps if all are known,
        else as their rows do.

    """
    recordings = [''] * len(values) if recordings is None else recordings
    stamps_ns = [None] * len(values) if stamps_ns is None else stamps_ns
    known = np.isfinite(values)
    n_frames = known.sum(axis=0)
    counts = known.astype(np.float64) if weights is None else np.where(known, weights, 0.0)
    shift = _first_known(values, known)  # equal values have an equal mean, to the last bit
    numerators = np.where(known, counts * (values - shift), 0.0)
    starts = _block_starts(recordings, resampling.block)
    sums, totals, members = (_by_block(each, starts) for each in (numerators, counts, known))

    def means_of(sums: Columns, totals: Columns) -> Columns:
        return finish(_ratio(sums, totals) + shift)

    mean = means_of(sums.sum(axis=0), totals.sum(axis=0))
    if not len(starts):
        return Intervals(mean, mean, mean, n_frames, n_frames.astype(np.float64))
    drawn = np.concatenate([
        means_of(draws @ sums, draws @ totals) for draws in _draws(len(starts), resampling)
    ])
    drawn = np.where(np.isnan(drawn).all(axis=0), 0.0, drawn)  # numpy warns of empty columns
    low, high = np.nanpercentile(drawn, _PERCENTILES, axis=0)
    has_value = members > 0
    n_effective = independent_frames(
        _changes(means_of, sums, totals, has_value),
        has_value,
        [*films([recordings[row] for row in starts], [stamps_ns[row] for row in starts])],
    )
    n_blocks = has_value.sum(axis=0).astype(np.float64)
    is_told = (n_effective >= 2) & np.isfinite(mean)
    wider = np.where(is_told, _spread(n_effective) / _spread(n_blocks), np.nan)
    low, high = mean + wider * (low - mean), mean + wider * (high - mean)
    return Intervals(mean, low, high, n_frames, n_effective)


def frames_needed(mean: float, low: float, high: float, n_effective: float) -> float:
    """
    Return how many independent frames would tell a mean of this size from 0.

    At least :data:`ENOUGH_INDEPENDENT`, at most a million; NaN where there is no interval. To 2 %,
    if further frames are like those that there are, ``n_effective`` of which are independent.
    """
    n_frames = np.geomspace(ENOUGH_INDEPENDENT, _NEVER, 600)
    half = (high - low) / 2 * _spread(n_frames) / _spread(np.array([n_effective]))
    if not np.isfinite(half).all():
        return float('nan')
    return float(n_frames[np.argmax(half < abs(mean))] if half[-1] < abs(mean) else _NEVER)


def _changes(
    means_of: Callable[[Columns, Columns], Columns],
    sums: Columns,
    totals: Columns,
    has_value: NDArray[np.bool_],
) -> Columns:
    """Return how far each block moves the means, (B, V): by leaving it out (the jackknife)."""
    with np.errstate(invalid='ignore'):  # a root of what is 0 but for rounding
        without = means_of(sums.sum(axis=0) - sums, totals.sum(axis=0) - totals)
        moved = without - means_of(sums.sum(axis=0), totals.sum(axis=0))
    moved = np.where(has_value & np.isfinite(moved), moved, 0.0)
    centre = moved.sum(axis=0) / np.maximum(has_value.sum(axis=0), 1)
    return np.where(has_value, moved - centre, 0.0)


def _spread(n_frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how wide an interval of so many independent frames is, in standard deviations."""
    freedom = np.maximum(n_frames - 1, 1.0)
    return np.asarray(stdtrit(freedom, _PERCENTILES[1] / 100) / np.sqrt(freedom), np.float64)


def _first_known(values: Columns, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the first value of each column that is known; 0 if none is."""
    if not len(values):
        return np.zeros(values.shape[1])
    first = np.take_along_axis(values, known.argmax(axis=0)[np.newaxis], axis=0)[0]
    return np.where(known.any(axis=0), first, 0.0)


def _block_starts(recordings: Sequence[str], block: int) -> NDArray[np.intp]:
    """Return the row that each block begins with."""
    starts: list[int] = []
    for row, recording in enumerate(recordings):
        if row == 0 or recording != recordings[row - 1] or row - starts[-1] == block:
            starts.append(row)
    return np.array(starts, np.intp)


def _by_block(values: NDArray[np.generic], starts: NDArray[np.intp]) -> Columns:
    """Add up the rows of each block, (B, V)."""
    if not len(starts):
        return np.zeros((0, values.shape[1]))
    return np.asarray(np.add.reduceat(values, starts, axis=0, dtype=np.float64))


def _draws(n_blocks: int, resampling: Resampling) -> Iterator[NDArray[np.float64]]:
    """Yield how often each block is drawn, (draws, n_blocks), some draws at a time."""
    rng = np.random.default_rng(resampling.seed)
    at_once, left = max(1, _AT_ONCE // n_blocks), resampling.n_samples
    while left:
        n = min(at_once, left)
        drawn = rng.integers(0, n_blocks, (n, n_blocks)) + n_blocks * np.arange(n)[:, np.newaxis]
        counts = np.bincount(drawn.ravel(), minlength=n * n_blocks)
        yield counts.reshape(n, n_blocks).astype(np.float64)
        left -= n


def _ratio(sums: Columns, totals: Columns) -> Columns:
    """Return sums / totals, NaN where nothing was counted."""
    ratio = np.full(sums.shape, np.nan)
    np.divide(sums, totals, out=ratio, where=totals > 0)
    return ratio


_SQUARED: Final = ('rmse', 'rmse_log', 'irmse')
"""Roots of mean squares."""


def over_pixels(
    values: Columns,
    names: Sequence[str],
    resampling: Resampling,
    recordings: Sequence[str] | None = None,
    stamps_ns: Sequence[int | None] | None = None,
) -> Intervals:
    """
    Return the metrics over all pixels together, with intervals over images.

    Parameters
    ----------
    values : float64 (N, V)
        By image.
    names : sequence of str
        Of the columns. Those that are no metrics of a group of pixels are means over images.
    resampling : Resampling
        How images are drawn.
    recordings : sequence of str, optional
        Of each image.
    stamps_ns : sequence of int or None, optional
        Of each image.

    """
    pooled = _pooled(names)
    summed, weights = values.copy(), np.ones_like(values)
    for each in pooled:
        weights[:, each.column] = values[:, each.n]
        summed[:, each.column] = _to_sum(values, each)

    def finish(means: Columns) -> Columns:
        finished: Columns = means.copy()
        for each in pooled:
            finished[..., each.column] = _from_sum(means, each)
        return finished

    return mean_intervals(
        summed, resampling, weights=weights, finish=finish, recordings=recordings,
        stamps_ns=stamps_ns,
    )


class _Pooled(NamedTuple):
    """A column with a metric of a group of pixels, and what else of the group it needs."""

    metric: str
    column: int
    n: int
    log_bias: int


def _pooled(names: Sequence[str]) -> list[_Pooled]:
    place = {name: column for column, name in enumerate(names)}
    parted = [(name, *name.rpartition('/')) for name in names]
    return [
        _Pooled(metric, place[name], place[f'{group}/n'], place[f'{group}/log_bias'])
        for name, group, _, metric in parted
        if is_of_pixels(name)
    ]


def _to_sum(values: Columns, each: _Pooled) -> Columns:
    """Return what can be added up over pixels: means, and means of squares."""
    column = values[:, each.column]
    if each.metric in _SQUARED:
        return np.square(column)
    if each.metric == 'silog':
        # mean d^2 = variance + (mean d)^2
        return np.square(column / 100) + np.square(values[:, each.log_bias])
    return column


def _from_sum(means: Columns, each: _Pooled) -> Columns:
    """Undo :func:`_to_sum` for means (..., V)."""
    mean = means[..., each.column]
    if each.metric in _SQUARED:
        return np.sqrt(mean)
    if each.metric == 'silog':
        return 100 * np.sqrt(np.maximum(mean - np.square(means[..., each.log_bias]), 0))
    return mean
