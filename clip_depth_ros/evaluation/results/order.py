# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether answers grow with depth at all, and what they are taken for if they do not."""

from __future__ import annotations

from collections.abc import Iterator
import math
from typing import Final

from clip_depth_ros.evaluation.results.result import PredictorResult, Result
from clip_depth_ros.types import PRED_KIND, RELATIVE_KINDS

CLEARLY: Final = -0.3
"""Rank correlation of a reversed order; between that and 0, there is no order to speak of."""

_SLOPES: Final = {'slope': 'scale-shift', 'disparity_slope': 'disparity-scale-shift'}


def is_reversed(found: PredictorResult) -> bool:
    """Return whether answers fall where depth grows."""
    return _rank_correlation(found) < CLEARLY


def order_notes(result: Result, name: str) -> Iterator[str]:
    """Yield what the order of a predictor's answers, and the slopes fitted to them, tell."""
    found = result.predictors[name]
    kind = found.describe.get(PRED_KIND, '')
    if kind in RELATIVE_KINDS:
        yield (
            f'{name}: taken as inverse depth up to scale and shift, which are fitted to the truth '
            'of each image'
        )
    elif kind:
        yield f'{name}: taken as {kind.replace("-", " ")}'
    correlation = _rank_correlation(found)
    if correlation < 0:
        what = _reversed_words(found) if is_reversed(found) else 'they do not follow depth at all'
        yield f'{name}: rank correlation of answers and depth {correlation:.2f}: {what}'
    if slopes := [*_negative_slopes(result, name)]:
        yield (
            f'{name}: the fitted slope is negative ({", ".join(slopes)}): such numbers are of '
            'answers turned around, near for far'
        )


def _rank_correlation(found: PredictorResult) -> float:
    estimate = found.estimates.get('rank_correlation')
    return estimate.mean if estimate else math.nan


def _reversed_words(found: PredictorResult) -> str:
    if PRED_KIND in found.describe:
        return 'they grow with depth and look like depth: leave --pred-kind out'
    looks = 'they fall where depth grows and look like inverse depth or disparity'
    is_of_others = not found.describe.keys().isdisjoint(('pred_topic', 'predictions'))
    advice = ': add --pred-kind relative, disparity or inverse-depth' if is_of_others else ''
    return looks + advice


def _negative_slopes(result: Result, name: str) -> Iterator[str]:
    """Yield the alignments whose slope is negative, with the number of frames."""
    for value, alignment in _SLOPES.items():
        column = result.frames.values.get(name, {}).get(value, ())
        slopes = [slope for slope in column if not math.isnan(slope)]
        if n_negative := sum(slope < 0 for slope in slopes):
            yield f'{alignment} in {n_negative} of {len(slopes)} frames'
