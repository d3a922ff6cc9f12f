# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a result says of its first predictor in sentences: against others, and where it fails."""

from __future__ import annotations

from collections.abc import Iterator
import math

from clip_depth_ros.evaluation.results.result import Estimate, PredictorResult, Result
from clip_depth_ros.evaluation.results.tables import (
    number,
    own_alignment,
    part_names,
    PARTS,
)


def findings(result: Result) -> list[str]:
    """Give the sentences; only what the intervals allow."""
    if not result.predictors:
        return []
    name, first = next(iter(result.predictors.items()))
    return [
        *_against_others(result, name, f'{own_alignment(result)}/abs_rel'),
        *_weakest_parts(result, first),
        *_scale(first),
        *_coverage(first),
    ]


def _against_others(result: Result, name: str, metric: str) -> Iterator[str]:
    ours = result.predictors[name].estimates.get(metric)
    others = [
        f'{_relation(ours, theirs)} {other} ({number(theirs.mean)})'
        for other, found in result.predictors.items()
        if other != name and ours and (theirs := found.estimates.get(metric))
    ]
    if ours and others:
        yield f'abs_rel {number(ours.mean)}: {", ".join(others)}.'


def _relation(ours: Estimate, theirs: Estimate) -> str:
    """Say less, more, or no difference shown, by the intervals."""
    if not (ours.low <= ours.high and theirs.low <= theirs.high):
        return 'too few frames to tell it from'
    if ours.high < theirs.low or ours.low > theirs.high:
        change = ours.mean / theirs.mean - 1 if theirs.mean else math.inf
        return f'{abs(100 * change):.0f} % {"less" if change < 0 else "more"} than'
    return 'no difference shown (the intervals meet) from'


def _weakest_parts(result: Result, first: PredictorResult) -> Iterator[str]:
    """Name the part of each kind with the largest error."""
    worst = []
    for kind in PARTS:
        errors = {
            part.removeprefix(f'{kind} '): estimate.mean
            for part in part_names(result, kind)
            if (estimate := first.estimates.get(f'{part}/abs_rel'))
            and math.isfinite(estimate.mean)
        }
        if len(errors) > 1:
            part = max(errors, key=lambda part: errors[part])
            worst.append(f'{part} ({number(errors[part])})')
    if worst:
        yield f'Largest abs_rel: {", ".join(worst)}.'


def _scale(first: PredictorResult) -> Iterator[str]:
    scale = first.estimates.get('scale')
    if scale is None or not math.isfinite(first.scale_spread):
        return
    yield (
        f'Scale (median gt / median pred): {number(scale.mean)} on average, wandering by about '
        f'{100 * math.expm1(first.scale_spread):.0f} % from frame to frame.'
    )


def _coverage(first: PredictorResult) -> Iterator[str]:
    coverage = first.estimates.get('coverage')
    if coverage is not None and coverage.mean < 0.9995:
        yield f'{100 * (1 - coverage.mean):.1f} % of the pixels with ground truth have no answer.'
