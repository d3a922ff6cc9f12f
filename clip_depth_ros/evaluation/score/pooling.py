# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
From metrics of images to those over all pixels together.

An image weighs as many pixels as it has that count; roots are taken last. All that is needed for
that is in the values of the images, so it can be resampled like any other mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from clip_depth_ros.evaluation.score.bootstrap import (
    Columns,
    Intervals,
    mean_intervals,
    Resampling,
)
from clip_depth_ros.evaluation.score.score import METRICS
import numpy as np

_SQUARED: Final = ('rmse', 'rmse_log')
"""Roots of mean squares."""


def over_pixels(
    values: Columns,
    names: Sequence[str],
    resampling: Resampling,
    recordings: Sequence[str] | None = None,
) -> Intervals:
    """
    Give the metrics over all pixels together, with intervals over images.

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
        summed, resampling, weights=weights, finish=finish, recordings=recordings
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
        if metric in (*METRICS, 'log_bias')
    ]


def _to_sum(values: Columns, each: _Pooled) -> Columns:
    """Give what can be added up over pixels: means, and means of squares."""
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
