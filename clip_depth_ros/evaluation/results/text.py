# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tables of a result as plain text for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import textwrap
from typing import Final

from clip_depth_ros.evaluation.results.result import Problem, Result
from clip_depth_ros.evaluation.results.tables import Row, summary_tables, Table

_WIDTH: Final = 100
_INDENT: Final = '  '
_N_PROBLEMS: Final = 10

_UNITS: Final = (0.02, 50.0)
"""A scale beyond is that of a unit rather than of a bad method."""


def summary_text(result: Result) -> str:
    """Return a result for a terminal, at most 100 columns wide where its names allow that."""
    blocks = [
        '\n'.join(textwrap.fill(line, _WIDTH) for line in heading_lines(result)),
        *('\n'.join(table_lines(table)) for table in summary_tables(result)),
        *(['\n'.join(problem_lines(result.problems))] if result.problems else []),
    ]
    return '\n\n'.join(blocks) + '\n'


def summary_markdown(result: Result) -> str:
    """Return a result as Markdown, the same tables with the protocol as heading."""
    title, *lines = map(_escaped, heading_lines(result))
    blocks = [f'# {title}', *lines, *(table_markdown(table) for table in summary_tables(result))]
    if result.problems:
        first, *others = map(_escaped, problem_lines(result.problems))
        blocks.append('\n'.join([f'## {first}', '', *(f'- {line.strip()}' for line in others)]))
    return '\n\n'.join(blocks) + '\n'


def heading_lines(result: Result) -> list[str]:
    """Return the protocol, what must be said of the frames, and how many the numbers are of."""
    notes = result.source.get('notes', '').split('; ')
    n_used = max((found.n_frames for found in result.predictors.values()), default=0)
    return [
        result.title,
        *(f'note: {part}' for part in (*notes, *_predictor_notes(result, n_used)) if part),
        f'{n_used} of {result.n_frames} frames used',
    ]


def _predictor_notes(result: Result, n_used: int) -> Iterator[str]:
    """Yield whose numbers are of fewer frames, or seem to be in another unit."""
    for name, found in result.predictors.items():
        if found.n_frames < n_used:
            yield f'{name} has answered {found.n_frames} of {n_used} frames'
        scale = found.estimates.get('scale')
        if scale and not _UNITS[0] < scale.mean < _UNITS[1]:
            off, way = max(scale.mean, 1 / scale.mean), 'near' if scale.mean > 1 else 'far'
            yield f'{name} is about {off:.0f} times too {way}: is it, or the truth, in metres?'


def problem_lines(problems: Sequence[Problem]) -> list[str]:
    """Return a heading and the first problems."""
    more = len(problems) - _N_PROBLEMS
    return [
        f'Not used ({len(problems)}):',
        *(f'{_INDENT}{_one_line(f"{p.what}: {p.why}")}' for p in problems[:_N_PROBLEMS]),
        *([f'{_INDENT}and {more} more'] if more > 0 else []),
    ]


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
    note = textwrap.wrap(table.note, _WIDTH - len(_INDENT))
    return [
        table.title,
        *(_INDENT + line for line in [*groups, *aligned(rows, gap), *note]),
    ]


def _is_too_wide(lines: Sequence[str]) -> bool:
    return max(map(len, lines)) + len(_INDENT) > _WIDTH


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
        f'## {_escaped(table.title)}',
        '',
        _markdown_row(['', *headings]),
        '| --- |' + ' ---: |' * len(headings),
        *(_markdown_row([row.name, *map(str, row.cells)]) for row in table.rows),
    ]
    return '\n'.join([*lines, '', _escaped(table.note)] if table.note else lines)


def _markdown_row(cells: Sequence[str]) -> str:
    return '| ' + ' | '.join(map(_escaped, cells)) + ' |'


def _escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line."""
    return _one_line(text).replace('\\', '\\\\').replace('|', '\\|').replace('<', '&lt;')


def _one_line(text: str) -> str:
    return ' '.join(text.split())
