# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A whole result in words: its verdict, by which protocol, how many frames, tables, problems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from clip_depth_ros.core.plain_text import wrapped
from clip_depth_ros.evaluation.results.all_else import more_table
from clip_depth_ros.evaluation.results.camera_use import heading
from clip_depth_ros.evaluation.results.order import order_notes
from clip_depth_ros.evaluation.results.reliability import reliability_table
from clip_depth_ros.evaluation.results.result import Estimate, PredictorResult, Problem, Result
from clip_depth_ros.evaluation.results.tables import (
    behaviour_table,
    escaped,
    is_baseline,
    metric_tables,
    one_line,
    own_alignment,
    part_tables,
    Table,
    table_lines,
    table_markdown,
)
from clip_depth_ros.evaluation.results.verdict import UNITS, verdict
from clip_depth_ros.evaluation.score.independence import ENOUGH_INDEPENDENT
from clip_depth_ros.evaluation.score.intervals import ENOUGH_FRAMES
from clip_depth_ros.types import NOTES

_N_PROBLEMS: Final = 10


def summary_text(result: Result) -> str:
    """Return a result for a terminal, at most 100 columns wide where its names allow that."""
    blocks = [
        '\n'.join(wrapped(verdict(result))),
        '\n'.join(part for line in heading_lines(result) for part in wrapped(line)),
        *('\n'.join(table_lines(table)) for table in _tables(result, is_asked=True)),
        *(['\n'.join(problem_lines(result.problems))] if result.problems else []),
    ]
    return '\n\n'.join(blocks) + '\n'


def summary_markdown(result: Result) -> str:
    """Return a result as Markdown, the same tables with the protocol as heading."""
    title, *lines = map(escaped, heading_lines(result))
    blocks = [
        escaped(verdict(result)),
        f'# {title}',
        *lines,
        *map(table_markdown, _tables(result)),
    ]
    if result.problems:
        first, *others = map(escaped, problem_lines(result.problems))
        blocks.append('\n'.join([f'## {first}', '', *(f'- {line.strip()}' for line in others)]))
    return '\n\n'.join(blocks) + '\n'


def _tables(result: Result, *, is_asked: bool = False) -> list[Table]:
    """Return all tables in their order; ``is_asked``: all else only as far as it was asked for."""
    more = more_table(result, is_asked=is_asked)
    reliable = reliability_table(result)
    return [
        *metric_tables(result),
        behaviour_table(result),
        *([more] if more else []),
        *([reliable] if reliable else []),
        *part_tables(result).values(),
    ]


def heading_lines(result: Result) -> list[str]:
    """Return the protocol, what must be said of the frames, and how many the numbers are of."""
    notes = result.source.get('notes', '').split('; ')
    n_used = max((found.n_frames for found in result.predictors.values()), default=0)
    return [
        heading(result),
        *(f'note: {part}' for part in (*notes, *_predictor_notes(result, n_used)) if part),
        f'{n_used} of {result.n_frames} frames used{_worth(result)}{_image_sizes(result)}',
    ]


def _image_sizes(result: Result) -> str:
    sizes = result.source.get('image_sizes', '')
    first, *others = sizes.split(', ')
    more = f' and {len(others)} other sizes' if len(others) > 1 else ''
    return f'; images of {first if more else sizes.replace(", ", " and ")}{more}' if sizes else ''


def _worth(result: Result) -> str:
    """Say how many independent frames those of a film are worth, by the first predictor."""
    first = _first_abs_rel(result)
    if first is None or not first.is_of_film:
        return ''
    return f', worth about {first.n_effective:.0f} independent ones (neighbours score alike)'


def _first_abs_rel(result: Result) -> Estimate | None:
    for found in result.predictors.values():
        return found.estimates.get(f'{own_alignment(result)}/abs_rel')
    return None


def _predictor_notes(result: Result, n_used: int) -> Iterator[str]:
    """Yield what predictors say of themselves, and what their numbers tell of them."""
    first = _first_abs_rel(result)
    if first and first.n_effective < ENOUGH_INDEPENDENT:
        yield (
            f'fewer than {ENOUGH_INDEPENDENT} independent frames: too few to tell what is better, '
            'and intervals are too narrow'
        )
    elif first and first.n_effective < ENOUGH_FRAMES:
        yield f'intervals over fewer than {ENOUGH_FRAMES} independent frames are too narrow'
    for name, found in result.predictors.items():
        if not is_baseline(result, name):
            yield from order_notes(result, name)
            yield from _flip_note(name, found)
        for note in filter(None, found.describe.get(NOTES, '').split('; ')):
            yield f'{name}: {note}'
        if n_assumed := found.cameras.get('assumed'):
            yield (
                f'{name}: the camera of {n_assumed} frames is not known, and a field of view is '
                'assumed: metres are as wrong as that is; name the camera'
            )
        if found.n_frames < n_used:
            yield f'{name} has answered {found.n_frames} of {n_used} frames'
        scale = found.estimates.get('scale')
        if scale and not UNITS[0] < scale.mean < UNITS[1]:
            off, way = max(scale.mean, 1 / scale.mean), 'near' if scale.mean > 1 else 'far'
            yield f'{name} is about {off:.0f} times too {way}: is it, or the truth, in metres?'


def _flip_note(name: str, found: PredictorResult) -> Iterator[str]:
    if found.describe.get('flip') == 'on':
        yield (
            f'{name}: averages each answer with that of the mirrored image by itself (flip), '
            'which the node does not unless told'
        )


def problem_lines(problems: Sequence[Problem]) -> list[str]:
    """Return a heading and the first problems."""
    more = len(problems) - _N_PROBLEMS
    return [
        f'Not used ({len(problems)}):',
        *(f'  {one_line(f"{p.what}: {p.why}")}' for p in problems[:_N_PROBLEMS]),
        *([f'  and {more} more'] if more > 0 else []),
    ]
