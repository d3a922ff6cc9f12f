# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The results of the bundled weights as tables, for a terminal and for their document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clip_depth_ros.evaluation.results.tables import (
    Cell,
    METRIC_TITLES,
    number,
    Row,
    Table,
    table_lines,
    table_markdown,
)
from weights.table import CONSTANT, METRICS

BEGIN: Final = '<!-- tables: begin -->'
END: Final = '<!-- tables: end -->'
"""Between these the document has what :func:`markdown` returns."""

_NOTE: Final = 'scale: median over frames of median answer / median truth, 1 is right.'
_LENSES: Final = "The streets of the table behind KITTI's camera, one frame of each."
_CAMERAS: Final = 'The frames of the table behind cameras drawn as those of training.'
_IN_BUCKETS: Final = {
    CONSTANT: ('best constant', ('abs_rel',)),
    'DepthCLIP': ('DepthCLIP', ('abs_rel', 'scale')),
    'CLIP2Depth': ('CLIP2Depth', ('abs_rel', 'delta1', 'scale')),
    'CLIP2Depth, camera ignored': ('camera ignored', ('abs_rel', 'scale')),
}


def text(results: Mapping[str, Any]) -> str:
    """Return all tables for a terminal."""
    blocks = [results['protocol'], *('\n'.join(table_lines(table)) for table in tables(results))]
    return '\n\n'.join([*blocks, '\n'.join(_facts(results))])


def markdown(results: Mapping[str, Any]) -> str:
    """Return all tables for the document."""
    blocks = [
        f'Protocol: "{results["protocol"]}".',
        *(table_markdown(table).replace('## ', '### ', 1) for table in tables(results)),
        *_facts(results),
    ]
    return '\n\n'.join(blocks)


def tables(results: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the tables of results in their order."""
    for each in results['tables'].values():
        yield _whole(each['title'], each['rows'], has_interval=True)
    for kind, buckets in results['buckets'].items():
        yield _bucketed(f'By {kind}', buckets, _LENSES if kind == 'lens' else _CAMERAS)
    if real := results.get('real'):
        for each in real:
            yield _whole(each['title'], each['rows'], note=each['note'], has_interval=True)
    if study := results.get('study'):
        for each in study.values():
            yield _whole(each['title'], each['rows'])


def _whole(
    title: str,
    rows: Mapping[str, Mapping[str, float]],
    *,
    note: str = _NOTE,
    has_interval: bool = False,
) -> Table:
    """Return a table with all metrics, a row for each predictor."""
    names = (*METRICS, 'scale')

    def cells(row: Mapping[str, float]) -> Iterator[Cell]:
        for name in names:
            shows = has_interval and name == 'abs_rel'
            interval = f'[{number(row["low"])}, {number(row["high"])}]' if shows else ''
            yield Cell(number(row[name]), interval)
        yield Cell(str(int(row['frames'])))

    headings = (*(METRIC_TITLES.get(name, name) for name in names), 'frames')
    return Table(
        title=title,
        columns=tuple(('', heading) for heading in headings),
        rows=tuple(Row(name, tuple(cells(row))) for name, row in rows.items()),
        note=note,
    )


def _bucketed(
    title: str, buckets: Mapping[str, Mapping[str, Mapping[str, float]]], note: str
) -> Table:
    """Return a table with a row for each bucket."""
    shown = {
        name: columns
        for name, columns in _IN_BUCKETS.items()
        if all(name in rows for rows in buckets.values())
    }
    return Table(
        title=title,
        columns=(('', 'frames'), *(
            (group, METRIC_TITLES.get(name, name))
            for group, names in shown.values()
            for name in names
        )),
        rows=tuple(
            Row(bucket, (
                Cell(str(int(next(iter(rows.values()))['frames']))),
                *(
                    Cell(number(rows[predictor][name]))
                    for predictor, (_, names) in shown.items()
                    for name in names
                ),
            ))
            for bucket, rows in buckets.items()
        ),
        note=note,
    )


def _facts(results: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is said in words."""
    yield f'DepthCLIP at temperature {results["temperature"]:g}, chosen on other streets.'
    for name, (rows, columns) in results['seam_ratios_rows_columns'].items():
        yield (
            f'{name}: depth changes at borders of patches by {rows:.2f} (down) and {columns:.2f} '
            'times (across) what it does elsewhere on smooth surfaces.'
        )
