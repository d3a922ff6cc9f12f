# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a comparison comes to, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
import math
from typing import Final

from clip_depth_ros.evaluation.compare.paired import Comparison, Difference, Pair, Verdict
from clip_depth_ros.evaluation.results.tables import HEADLINE, METRIC_TITLES
from clip_depth_ros.evaluation.results.verdict import percent

_OF_MANY: Final[dict[Verdict, str]] = {
    'A better': 'is better than {}',
    'B better': 'is worse than {}',
    'no difference shown': 'shows no difference from {}',
    'too few frames to tell': 'cannot be told apart from {} on so few frames',
}

_TOO_MANY: Final = 100
"""Times as many frames: nobody records so many more."""


def conclusion(comparison: Comparison) -> str:
    """Return who is better, as far as the frames tell; of several pairs all of them at once."""
    if len(comparison.pairs) == 1:
        return pair_conclusion(comparison.pairs[0])
    by_verdict: dict[Verdict, list[str]] = {}
    for pair in comparison.pairs:
        of = deciding(pair)
        verdict: Verdict = of.verdict if of else 'too few frames to tell'
        by_verdict.setdefault(verdict, []).append(pair.short_b)
    clauses = [
        _OF_MANY[verdict].format(_listed(by_verdict[verdict]))
        for verdict in _OF_MANY if verdict in by_verdict
    ]
    return f'{comparison.pairs[0].short_a} {"; it ".join(clauses)}.'


def pair_conclusion(pair: Pair) -> str:
    """Return who of two is better, by how much and on how many frames."""
    of = deciding(pair)
    if of is None:
        return f'{pair.short_a} and {pair.short_b} have no value in common to judge them by.'
    a, b = pair.short_a, pair.short_b
    errors = (of.mean_a, of.mean_b)
    n_frames = of.difference.n_frames
    frames = f'{n_frames} frames' if n_frames > 1 else 'one frame'
    if of.verdict in ('A better', 'B better'):
        winner, loser = (a, b) if of.verdict == 'A better' else (b, a)
        less, more = _errors(of, *(errors if winner is a else errors[::-1]))
        share = of.a_better if of.verdict == 'A better' else of.b_better
        said = (
            f'{winner} is better than {loser}: {less} instead of {more}, and better on '
            f'{share:.0%} of {frames}'
        )
    else:
        mean_a, mean_b = _errors(of, *errors)
        both = f'{mean_a} and {mean_b}, on {frames}'
        if of.verdict == 'no difference shown':
            said = f'No difference is shown between {a} and {b}: {both}'
        else:
            said = f'Too few frames to tell {a} and {b} apart: {both}{_worth(of)}'
    return '; '.join([said, *_objections(pair, of), *_wanted(pair, of)]) + '.'


def deciding(pair: Pair) -> Difference | None:
    """Return the difference that decides: of abs_rel under the protocol, else of the first."""
    by_name = {each.name: each for each in pair.differences}
    return by_name.get(pair.judged_by, next(iter(pair.differences), None))


def _errors(of: Difference, first: float, second: float) -> tuple[str, str]:
    """Return two means in words, the unit with the first."""
    if of.name.rpartition('/')[2] == 'abs_rel':
        return f'off by {percent(first)} of the true distance', percent(second)
    return f'{of.name} {first:.3g}', f'{second:.3g}'


def _worth(of: Difference) -> str:
    if of.difference.is_of_film:
        return f', worth about {of.difference.n_effective:.0f} independent ones'
    return ''


def _wanted(pair: Pair, of: Difference) -> Iterator[str]:
    """Say what would show a difference of this size, where none is shown."""
    times = of.times_needed
    if of.verdict in ('A better', 'B better') or not times > 1:
        return
    if times > _TOO_MANY:
        yield f'not even {_TOO_MANY} times as many frames would show a difference so small'
        return
    more = times - 1
    if 1 < pair.n_recordings < pair.n_frames:
        n_more = math.ceil(more * pair.n_recordings)
        wanted = f'{n_more} more recording{"s" if n_more > 1 else ""} like these'
    elif pair.film_s > 0:
        more_s = more * pair.film_s
        wanted = f'{more_s / 60:.0f} more minutes' if more_s > 90 else f'{more_s:.0f} more seconds'
    else:
        wanted = f'{math.ceil(more * of.difference.n_frames)} more frames'
    yield f'about {wanted} would show a difference of this size'


def _objections(pair: Pair, of: Difference) -> Iterator[str]:
    """Name the headline metrics that say the opposite."""
    opposite = {'A better': 'B better', 'B better': 'A better'}.get(of.verdict)
    group = of.name.rpartition('/')[0]
    headline = [f'{group}/{metric}' for metric in HEADLINE]
    names = [
        METRIC_TITLES[each.name.rpartition('/')[2]].partition(' ')[0]
        for each in pair.differences
        if each.name in headline and each.verdict == opposite
    ]
    if names:
        other = pair.short_b if opposite == 'B better' else pair.short_a
        yield f'by {_listed(names)}, though, {other} is better'


def _listed(names: list[str]) -> str:
    return ' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))
