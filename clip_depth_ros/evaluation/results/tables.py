# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The numbers of a result as tables of short texts, the same for terminal, Markdown and page.

And these tables as plain text for a terminal, and as Markdown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
import math
from typing import Final

from clip_depth_ros.core.plain_text import WIDTH, wrapped
from clip_depth_ros.evaluation.results.result import Estimate, PredictorResult, Result
from clip_depth_ros.evaluation.score.parts import nearest_first, REGIONS
from clip_depth_ros.evaluation.score.score import ALIGNMENTS, METRICS

METRIC_TITLES: Final[Mapping[str, str]] = {
    **{name: name for name in METRICS},
    'rmse': 'rmse (m)', 'delta1': 'δ1', 'delta2': 'δ2', 'delta3': 'δ3',
    'mae': 'mae (m)', 'irmse': 'irmse (1/km)', 'imae': 'imae (1/km)',
    'sq_rel_kitti': "sq_rel (KITTI's)", 'delta05': 'δ0.5',
    'dbe/acc': 'dbe acc (px)', 'dbe/comp': 'dbe comp (px)',
    'pe/plan': 'pe plan (cm)', 'pe/ori': 'pe ori (°)',
}
"""How tables call the metrics."""

HEADLINE: Final = ('abs_rel', 'rmse', 'delta1')
"""Metrics that are shown with their intervals."""

_NARROW: Final = ('abs_rel', 'rmse', 'delta1', 'delta2', 'delta3')
"""Metrics of the table for 80 columns."""

BASELINES: Final = ('constant', 'prior', 'prior-mean', 'random')
"""Predictors that look at no image: what a method must beat."""

SHUFFLED: Final = 'shuffled '
"""Begins the name of a predictor whose answers are given to other frames than their own."""

PARTS: Final[Mapping[str, str]] = {
    'depth': 'By true depth', 'region': 'By image region', 'class': 'By class',
}
"""Titles of the tables of parts of the pixels, by the first word of a part's name."""

UNKNOWN: Final = '\u2013'

ALIGNED_TITLES: Final[Mapping[str, str]] = {
    'none': 'As answered, nothing fitted (alignment none)',
    'median': 'Each image scaled to the median of its truth (alignment median)',
    'scale-shift': 'Each image fitted to its truth by scale and shift (alignment scale-shift)',
    'disparity-scale-shift': (
        'Each image fitted to its truth by scale and shift of inverse depth (alignment '
        'disparity-scale-shift)'
    ),
    'log-scale': 'Each image scaled to the geometric mean of its truth (alignment log-scale)',
    'scale-l1': (
        'Each image scaled to its truth, least absolute relative errors (alignment scale-l1)'
    ),
    'scale-shift-l1': (
        'Each image fitted to its truth by scale and shift, least absolute relative errors '
        '(alignment scale-shift-l1)'
    ),
    'disparity-scale-shift-l1': (
        'Each image fitted to its truth by scale and shift of inverse depth, least absolute '
        'errors (alignment disparity-scale-shift-l1)'
    ),
}
_METRIC_NOTE: Final = (
    '[low, high]: 95 % interval of the mean, bootstrap over frames, as wide as for so many '
    'independent ones as they are worth.'
)
_BEHAVIOUR_NOTE: Final = (
    'indep.: how many independent frames they are worth for abs_rel, as neighbours in a recording '
    'score alike; coverage: share of pixels with ground truth that have an answer; bias: '
    'exp(mean of ln pred - ln gt) - 1, below 0 is too near; scale: median gt / median pred, its '
    'mean over frames and its spread (deviation of ln scale, 0.1 is about 10 %); flicker: how '
    'much the error of points '
    'that stand still changes between frames (ln pred / gt); roughness: the same between '
    'neighbours where the truth is smooth; lost edges: share of steps in depth that are missed.'
)
_OF_PART: Final = ('abs_rel', 'delta1')

BEHAVIOUR: Final = ('flicker', 'roughness', 'lost_edges')
"""Values of the table of behaviour that are shown as they are."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One number as text, or ``UNKNOWN``, and its interval, ``[low, high]``, or nothing."""

    text: str
    interval: str = ''

    def __str__(self) -> str:
        return f'{self.text} {self.interval}'.rstrip()


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the name of a predictor, or of a part of the pixels, and a cell a column."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """
    A table of texts, with a title above and a note below it.

    Columns have a group and a heading; neighbours of one group belong together, '' is no group.
    """

    title: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    note: str = ''

    def groups(self) -> list[tuple[str, int]]:
        """Return the groups with the number of their columns, in order; empty if unnamed."""
        names = (group for group, _ in self.columns)
        spans = [(group, len([*members])) for group, members in groupby(names)]
        return spans if any(group for group, _ in spans) else []


def metric_tables(result: Result) -> list[Table]:
    """Return all metrics for each alignment that was computed, the protocol's own first."""
    own = own_alignment(result)
    order = dict.fromkeys((own, *ALIGNMENTS))
    known = {name for found in result.predictors.values() for name in found.estimates}
    return [_metric_table(result, name) for name in order if f'{name}/abs_rel' in known]


def narrow_table(result: Result) -> Table:
    """Return the most quoted metrics under the protocol, without intervals: for 80 columns."""
    own = own_alignment(result)
    headings = (*(METRIC_TITLES[name] for name in _NARROW), 'frames')
    return Table(
        title=ALIGNED_TITLES[own],
        columns=tuple(('', heading) for heading in headings),
        rows=_predictor_rows(result, lambda found: [
            *(estimate_cell(found.estimates.get(f'{own}/{name}')) for name in _NARROW),
            Cell(str(found.n_frames)),
        ]),
    )


def behaviour_table(result: Result) -> Table:
    """Return coverage, bias, scale and continuity of each predictor."""
    headings = (
        'frames', 'indep.', 'coverage', 'bias', 'scale', 'spread', 'flicker', 'roughness',
        'lost edges',
    )
    own = own_alignment(result)
    return Table(
        title='Coverage, scale and continuity',
        columns=tuple(('', heading) for heading in headings),
        rows=_predictor_rows(result, lambda found: _behaviour_cells(found, own)),
        note=_BEHAVIOUR_NOTE,
    )


def part_tables(result: Result) -> dict[str, Table]:
    """Return the tables by depth range, region and class that there are, by ``PARTS``' keys."""
    tables = {kind: _part_table(result, kind) for kind in PARTS}
    return {kind: table for kind, table in tables.items() if table.rows}


def own_alignment(result: Result) -> str:
    """Return the alignment of the protocol: its numbers are the ones to quote."""
    return result.protocol.get('alignment', 'none')


def part_names(result: Result, kind: str) -> list[str]:
    """
    Return the parts of a kind that any predictor has, such as ``depth 0-10 m``.

    Ranges from near to far, regions as one reads; others in the order in which they were found.
    """
    names = (name for found in result.predictors.values() for name in found.estimates)
    groups = dict.fromkeys(name.rpartition('/')[0] for name in names)
    in_order = [*nearest_first(groups), *(name for name in REGIONS if name in groups)]
    return [name for name in dict.fromkeys((*in_order, *groups)) if name.startswith(f'{kind} ')]


def is_baseline(result: Result, name: str) -> bool:
    """Return whether a predictor is there to compare with; the first one never is."""
    is_blind = name in BASELINES or name.startswith(SHUFFLED)
    return is_blind and name != next(iter(result.predictors))


def number(value: float) -> str:
    """Return a metric as the field prints it: three decimals, fewer from 100 on."""
    if not math.isfinite(value):
        return UNKNOWN
    return f'{value:.3f}' if abs(value) < 100 else f'{value:.1f}'


def estimate_cell(estimate: Estimate | None, *, has_interval: bool = False) -> Cell:
    """Return a mean, with its interval if that is wanted and known."""
    if estimate is None:
        return Cell(UNKNOWN)
    is_known = math.isfinite(estimate.low) and math.isfinite(estimate.high)
    interval = f'[{number(estimate.low)}, {number(estimate.high)}]'
    return Cell(number(estimate.mean), interval if has_interval and is_known else '')


def _metric_table(result: Result, alignment: str) -> Table:
    def cells(found: PredictorResult) -> list[Cell]:
        return [
            estimate_cell(
                found.estimates.get(f'{alignment}/{name}'), has_interval=name in HEADLINE
            )
            for name in METRICS
        ]

    is_own = alignment == own_alignment(result)
    return Table(
        title=ALIGNED_TITLES[alignment] + ('' if is_own else ': not this protocol'),
        columns=tuple(('', METRIC_TITLES[name]) for name in METRICS),
        rows=_predictor_rows(result, cells),
        note=_METRIC_NOTE if is_own else '',
    )


def _behaviour_cells(found: PredictorResult, alignment: str) -> list[Cell]:
    of = found.estimates.get
    return [
        Cell(str(found.n_frames)),
        _independent_cell(of(f'{alignment}/abs_rel')),
        estimate_cell(of('coverage')),
        _bias_cell(of(f'{alignment}/log_bias')),
        estimate_cell(of('scale')),
        Cell(number(found.scale_spread)),
        *(estimate_cell(of(name)) for name in BEHAVIOUR),
    ]


def _independent_cell(estimate: Estimate | None) -> Cell:
    """Return how many independent frames a mean is worth."""
    if estimate is None or math.isnan(estimate.n_effective):
        return Cell(UNKNOWN)
    return Cell(f'{estimate.n_effective:.0f}')


def _bias_cell(estimate: Estimate | None) -> Cell:
    """Return the typical relative error in percent, signed."""
    if estimate is None or not math.isfinite(estimate.mean):
        return Cell(UNKNOWN)
    return Cell(f'{100 * math.expm1(estimate.mean):+.1f} %')


def _predictor_rows(
    result: Result, cells_of: Callable[[PredictorResult], Sequence[Cell]]
) -> tuple[Row, ...]:
    return tuple(Row(name, tuple(cells_of(found))) for name, found in result.predictors.items())


def _part_table(result: Result, kind: str) -> Table:
    """Return a row for each part, with columns for each predictor."""
    headings = [(name, METRIC_TITLES[metric]) for name in result.predictors for metric in _OF_PART]
    return Table(
        title=PARTS[kind],
        columns=(*headings, ('', 'frames')),
        rows=tuple(
            Row(part.removeprefix(f'{kind} '), _part_cells(result, part))
            for part in part_names(result, kind)
        ),
    )


def _part_cells(result: Result, part: str) -> tuple[Cell, ...]:
    estimates = [
        found.estimates.get(f'{part}/{metric}')
        for found in result.predictors.values()
        for metric in _OF_PART
    ]
    n_frames = max((estimate.n_frames for estimate in estimates if estimate), default=0)
    return (*map(estimate_cell, estimates), Cell(str(n_frames)))


_INDENT: Final = '  '


def aligned(rows: Sequence[Sequence[str]], gap: str = _INDENT) -> list[str]:
    """Return rows of texts as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        gap.join([
            cells[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)),
        ]).rstrip()
        for cells in rows
    ]


def table_lines(table: Table) -> list[str]:
    """Return a table as lines of plain text: intervals below their numbers, groups above."""
    rows = [['', *(heading for _, heading in table.columns)]]
    for row in table.rows:
        rows.extend(_text_rows(row))
    gap = min((_INDENT, ' '), key=lambda gap: _is_too_wide(aligned(rows, gap)))
    groups = _group_line(table, rows, gap)
    note = wrapped(table.note, WIDTH - len(_INDENT))
    return [
        table.title,
        *(_INDENT + line for line in [*groups, *aligned(rows, gap), *note]),
    ]


def _is_too_wide(lines: Sequence[str]) -> bool:
    return max(map(len, lines)) + len(_INDENT) > WIDTH


def _text_rows(row: Row) -> Iterator[list[str]]:
    """Yield the numbers, and below them the intervals if there are any."""
    yield [row.name, *(cell.text for cell in row.cells)]
    if any(cell.interval for cell in row.cells):
        yield ['', *(cell.interval for cell in row.cells)]


def _group_line(table: Table, rows: Sequence[Sequence[str]], gap: str) -> list[str]:
    """Return the names of the groups over their columns, if there are groups."""
    name_width, *widths = (max(map(len, column)) + len(gap) for column in zip(*rows, strict=True))
    line, place = ' ' * (name_width - len(gap)), 0
    for group, span in table.groups():
        width = sum(widths[place:place + span])
        line += group[:width - len(gap)].rjust(width)
        place += span
    return [line.rstrip()] if place else []


def table_markdown(table: Table) -> str:
    """Return a table as Markdown."""
    headings = [f'{group} {heading}'.strip() for group, heading in table.columns]
    lines = [
        f'## {escaped(table.title)}',
        '',
        _markdown_row(['', *headings]),
        '| --- |' + ' ---: |' * len(headings),
        *(_markdown_row([row.name, *map(str, row.cells)]) for row in table.rows),
    ]
    return '\n'.join([*lines, '', escaped(table.note)] if table.note else lines)


def _markdown_row(cells: Sequence[str]) -> str:
    return '| ' + ' | '.join(map(escaped, cells)) + ' |'


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line."""
    return one_line(text).replace('\\', '\\\\').replace('|', '\\|').replace('<', '&lt;')


def one_line(text: str) -> str:
    """Return a text without line breaks and other runs of space."""
    return ' '.join(text.split())
