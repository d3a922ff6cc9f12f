# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A comparison as text for a terminal, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from clip_depth_ros.core.plain_text import wrapped
from clip_depth_ros.evaluation.compare.conclusion import conclusion
from clip_depth_ros.evaluation.compare.paired import Comparison, Difference, Pair
from clip_depth_ros.evaluation.results.all_else import value_title
from clip_depth_ros.evaluation.results.result import plain
from clip_depth_ros.evaluation.results.tables import (
    ALIGNED_TITLES,
    Cell,
    escaped,
    Row,
    Table,
    table_lines,
    table_markdown,
    UNKNOWN,
)
from clip_depth_ros.evaluation.score.independence import ENOUGH_INDEPENDENT
from clip_depth_ros.evaluation.score.score import MORE_METRICS

FORMAT: Final = 'clip_depth_ros comparison 1'

_TITLES: Final[Mapping[str, str]] = {**ALIGNED_TITLES, '': 'Besides'}
"""Of tables, by the group of their values; other groups are among those of the last."""

_COLUMNS: Final = (
    'A', 'B', 'B - A', '95 % interval', 'indep.', 'A wins', 'B wins', 'verdict',
)

_TABLE_COLUMNS: Final = tuple(('', heading) for heading in _COLUMNS)

_DECIMALS: Final[Mapping[str, int]] = {'sq_rel': 3, 'rmse': 3, 'silog': 2}


def comparison_text(comparison: Comparison) -> str:
    """Return a comparison for a terminal."""
    blocks = ['\n'.join(wrapped(text)) for text in (conclusion(comparison), comparison.title)]
    for pair in comparison.pairs:
        blocks.append('\n'.join(pair_lines(pair)))
        tables = comparison_tables(pair, left_out=MORE_METRICS)
        blocks += ['\n'.join(table_lines(table)) for table in tables]
    return '\n\n'.join([*blocks, '\n'.join(wrapped(comparison_note(comparison)))]) + '\n'


def comparison_markdown(comparison: Comparison) -> str:
    """Return a comparison as Markdown."""
    blocks = [escaped(conclusion(comparison)), f'# {comparison.title}']
    for pair in comparison.pairs:
        blocks.append('\n'.join(f'- {line}' for line in pair_lines(pair)))
        blocks += [table_markdown(table) for table in comparison_tables(pair)]
    return '\n\n'.join([*blocks, comparison_note(comparison)]) + '\n'


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain values; NaN is None."""
    return {'format': FORMAT, 'conclusion': conclusion(comparison), **plain(comparison)}


def comparison_tables(pair: Pair, left_out: Collection[str] = ()) -> list[Table]:
    """Return a table for each alignment, and one for what needs none; without some metrics."""
    rows: dict[str, list[Row]] = {group: [] for group in _TITLES}
    for difference in pair.differences:
        group, _, metric = difference.name.rpartition('/')
        if metric in left_out:
            continue
        if group not in rows:
            group, metric = '', difference.name
        rows[group].append(_row(metric, difference))
    return [
        Table(title=_TITLES[group], columns=_TABLE_COLUMNS, rows=tuple(each))
        for group, each in rows.items()
        if each
    ]


def parts_table(pair: Pair) -> Table | None:
    """Return the differences of abs_rel by depth, region and class; None where there are none."""
    rows = tuple(_row(each.name.rpartition('/')[0], each) for each in pair.parts)
    title = 'abs_rel in parts of the image'
    return Table(title=title, columns=_TABLE_COLUMNS, rows=rows) if rows else None


def pair_lines(pair: Pair) -> list[str]:
    """Return who is compared, on how many frames, and what to bear in mind."""
    return [
        f'A: {pair.a}',
        f'B: {pair.b}',
        f'{pair.n_frames} frames in both',
        *(f'warning: {warning}' for warning in pair.warnings),
    ]


def comparison_note(comparison: Comparison) -> str:
    """Say what the numbers are, and what they cannot show."""
    drawn, together = comparison.resampling, ''
    if drawn.block > 1:
        together = f', {drawn.block} neighbouring frames drawn together'
    return (
        'Means over the frames that both have; B - A is the mean of the differences frame by '
        f'frame, with its 95 % interval by bootstrap ({drawn.n_samples} resamples, seed '
        f'{drawn.seed}{together}), as wide as for so many independent frames. No difference is '
        f'shown where it holds 0, nor with fewer than {ENOUGH_INDEPENDENT} independent frames. '
        'Each interval stands for itself: of 20 values without any difference, one is expected to '
        'show one.'
    )


def _row(metric: str, difference: Difference) -> Row:
    decimals = _DECIMALS.get(metric, 4)
    of = difference.difference
    texts = (
        f'{difference.mean_a:.{decimals}f}',
        f'{difference.mean_b:.{decimals}f}',
        f'{of.mean:+.{decimals}f}',
        f'{of.low:+.{decimals}f} to {of.high:+.{decimals}f}' if of.low <= of.high else UNKNOWN,
        f'{of.n_effective:.0f}',
        f'{difference.a_better:.0%}',
        f'{difference.b_better:.0%}',
        difference.verdict,
    )
    return Row(value_title(metric), tuple(map(Cell, texts)))
