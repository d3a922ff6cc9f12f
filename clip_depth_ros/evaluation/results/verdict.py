# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A result in one sentence, for people who do not know its protocol.

How good it is, whether it beats what sees no image, where it fails, and whether to trust it.
"""

from __future__ import annotations

from collections.abc import Iterator
import math
from statistics import fmean
from typing import Final, Literal

from clip_depth_ros.core.alignment import INVERSE_ALIGNMENTS
from clip_depth_ros.evaluation.results.order import is_reversed
from clip_depth_ros.evaluation.results.result import Estimate, PredictorResult, Result
from clip_depth_ros.evaluation.results.tables import (
    is_baseline,
    own_alignment,
    part_names,
    SHUFFLED,
)
from clip_depth_ros.evaluation.score.intervals import ENOUGH_FRAMES

UNITS: Final = (0.02, 50.0)
"""A scale beyond is that of a unit rather than of a bad method."""

_ENOUGH_COVERAGE: Final = 0.98

_STANDS_OUT: Final = 1.15
"""How many times the mean of all parts the error of the worst must be to be worth a word."""

_FITTED: Final = {
    'none': '',
    **dict.fromkeys(
        ('median', 'log-scale', 'scale-l1'), ', once each image is scaled to its truth'
    ),
    **dict.fromkeys(
        ('scale-shift', 'scale-shift-l1'), ', once each image is fitted to its truth'
    ),
    **dict.fromkeys(
        INVERSE_ALIGNMENTS, ', once the inverse depth of each image is fitted to its truth'
    ),
}
_BLIND: Final = {
    'constant': 'the best constant depth', 'prior': 'the usual depth of each part of the image',
    'prior-mean': 'the mean depth of each pixel', 'random': 'random depth',
}


def verdict(result: Result) -> str:
    """Return what the first predictor's numbers say, in one sentence of plain English."""
    name, first = next(iter(result.predictors.items()))
    own = own_alignment(result)
    ours = first.estimates.get(f'{own}/abs_rel')
    if ours is None or not math.isfinite(ours.mean):
        return f'Nothing can be said about {name}: no frame could be scored.'
    clauses = [
        f'{name} is off by {percent(ours.mean)} of the true distance on average{_FITTED[own]}'
        f'{_against_blind(result, ours)}',
        *_where(result, first),
        _trust(first, ours),
    ]
    return '; '.join(clauses) + '.'


def percent(share: float) -> str:
    """Return a share as a percentage that is easy to remember."""
    return f'{100 * share:.1f} %' if abs(share) < 0.0995 else f'{100 * share:.0f} %'


def relation(
    ours: Estimate, theirs: Estimate
) -> Literal['less', 'more', 'no difference', 'too few']:
    """Return how a mean lies to another, as far as their intervals tell."""
    if not (ours.is_enough and theirs.is_enough):
        return 'too few'
    if ours.high < theirs.low:
        return 'less'
    return 'more' if ours.low > theirs.high else 'no difference'


def weakest_part(result: Result, found: PredictorResult, kind: str) -> tuple[str, float] | None:
    """
    Return the part of a kind that has the largest abs_rel.

    None where there are not two, and where it is no worse than the others on the whole: someone is
    always last.
    """
    errors = {
        part.removeprefix(f'{kind} '): estimate.mean
        for part in part_names(result, kind)
        if (estimate := found.estimates.get(f'{part}/abs_rel')) and math.isfinite(estimate.mean)
    }
    name = max(errors, key=lambda part: errors[part], default='')
    stands_out = len(errors) > 1 and errors[name] > _STANDS_OUT * fmean(errors.values())
    return (name, errors[name]) if stands_out else None


def _against_blind(result: Result, ours: Estimate) -> str:
    """Compare with the best of the baselines, which see no image."""
    own = own_alignment(result)
    blind = {
        name: theirs
        for name, found in result.predictors.items()
        if is_baseline(result, name)
        and (theirs := found.estimates.get(f'{own}/abs_rel')) and math.isfinite(theirs.mean)
    }
    if not blind:
        return ' (no baseline was evaluated beside it)'
    name = min(blind, key=lambda name: blind[name].mean)
    is_shuffled = name.startswith(SHUFFLED)
    what = 'its own answers for other images' if is_shuffled else (
        f'{_BLIND[name]}, which sees no image'
    )
    off = percent(blind[name].mean)
    return {
        'less': f', clearly better than {what} ({off})',
        'more': f', worse than {what} ({off})',
        'no difference': f', not shown to be better than {what} ({off})',
        'too few': f', against {off} for {what}',
    }[relation(ours, blind[name])]


def _where(result: Result, first: PredictorResult) -> Iterator[str]:
    """Name where it is worst: how far away, and where in the image."""
    words = {'depth': 'at {}', 'region': 'in the {} part of the image'}
    worst = [
        f'{phrase.format(found[0].replace(" ", "-") if kind == "region" else found[0])} '
        f'({percent(found[1])})'
        for kind, phrase in words.items()
        if (found := weakest_part(result, first, kind))
    ]
    if worst:
        yield f'it is worst {" and ".join(worst)}'


def _trust(first: PredictorResult, ours: Estimate) -> str:
    """Say whether the number can be trusted, and what speaks against it."""
    but = ''.join(f', but {doubt}' for doubt in [' and '.join(_doubts(first))] if doubt)
    n_frames = ours.n_frames
    worth = f', worth about {ours.n_effective:.0f} independent ones,' if ours.is_of_film else ''
    frames = f'{n_frames} frames{worth}' if n_frames > 1 else 'one frame'
    if not ours.is_enough:
        verb = 'is' if n_frames == 1 else 'are'
        return f'{frames} {verb} too few to trust this number{but}'
    between = f'{percent(ours.low)} to {percent(ours.high)} with 95 % confidence'
    worth_of = ours.n_effective if math.isfinite(ours.n_effective) else n_frames
    if worth_of < ENOUGH_FRAMES:
        return f'the number is rough ({between}), as {frames} are few{but}'
    return f'the number can be trusted for frames like these ({between}){but}'


def _doubts(first: PredictorResult) -> Iterator[str]:
    scale, coverage = first.estimates.get('scale'), first.estimates.get('coverage')
    if scale and not UNITS[0] < scale.mean < UNITS[1]:
        yield 'it, or the truth, does not seem to be in metres'
    if is_reversed(first):
        yield 'its answers fall where depth grows, as inverse depth does'
    if first.cameras.get('assumed'):
        yield 'the camera was guessed, and metres go with it'
    if coverage and coverage.mean < _ENOUGH_COVERAGE:
        yield f'{percent(1 - coverage.mean)} of the pixels have no answer'
