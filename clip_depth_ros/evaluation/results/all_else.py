# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What no other table has a column for: one row for each value, whatever there is."""

from __future__ import annotations

from typing import Final

from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.results.tables import (
    BEHAVIOUR,
    estimate_cell,
    METRIC_TITLES,
    own_alignment,
    Row,
    Table,
)
from clip_depth_ros.evaluation.score.points import POINTS
from clip_depth_ros.evaluation.score.score import ALIGNMENTS, DELTA, is_judged, METRICS

_ASKED_FOR: Final = (DELTA, POINTS)
"""What names of values begin with that are there because somebody asked for them."""


def more_table(result: Result, *, is_asked: bool = False) -> Table | None:
    """
    Return all else by which answers are judged: a row for each value, in no other table.

    Under the protocol's alignment, where that matters; None where there is nothing. ``is_asked``:
    only what is computed because the protocol names it.
    """
    own = own_alignment(result)
    known = dict.fromkeys(name for each in result.predictors.values() for name in each.estimates)
    names = [name for name in known if is_judged(name) and _is_more(name, own)]
    if is_asked:
        names = [name for name in names if name.removeprefix(f'{own}/').startswith(_ASKED_FOR)]
    rows = tuple(
        Row(
            value_title(name.removeprefix(f'{own}/')),
            tuple(
                estimate_cell(found.estimates.get(name), has_interval=True)
                for found in result.predictors.values()
            ),
        )
        for name in names
    )
    return Table(
        title='What was asked for besides' if is_asked else 'All else',
        columns=tuple(('', name) for name in result.predictors),
        rows=rows,
    ) if rows else None


def _is_more(name: str, own: str) -> bool:
    """Return whether a value has no column in another table."""
    group, _, metric = name.rpartition('/')
    if group in ALIGNMENTS:
        return group == own and metric not in METRICS
    return name not in (*BEHAVIOUR, 'coverage')


def value_title(name: str) -> str:
    """Return how tables call a value, without its alignment."""
    if name.startswith(DELTA):
        return f'δ<{name.removeprefix(DELTA)}'
    return METRIC_TITLES.get(name, name.replace('_', ' ').replace('/', ' '))
