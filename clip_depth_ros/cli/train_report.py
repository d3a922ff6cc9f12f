# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What ``clip-depth train`` says at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clip_depth_ros.core.metrics import DepthMetrics
    from clip_depth_ros.training.keeper import TrainResult
    from clip_depth_ros.training.leave_one_out import LeaveOneOut


def result_lines(result: TrainResult) -> Iterator[str]:
    """Return the lines that tell what a run has led to."""
    rows = {'before': result.before, 'last': result.last, 'best': result.metrics}
    if result.prior is not None:
        rows['mean depth per pixel'] = result.prior
    yield from _table(rows)
    yield f'protocol  {result.protocol}'
    yield f'best      {result.best_path} (step {result.best_step}, chosen by these frames)'
    yield f'last      {result.last_path}'
    if result.bad_frames:
        names = ', '.join(result.bad_frames)
        yield f'skipped   {len(result.bad_frames)} frames that could not be read: {names}'


def leave_one_out_lines(table: LeaveOneOut) -> Iterator[str]:
    """Return the lines that tell what holding out each frame has shown."""
    name_width = max(len('frame'), *map(len, table.names))
    yield f'{"frame":{name_width}}  {"before":>7}  {"after":>7}  {"prior":>7}  (abs_rel)'
    for name, before, after, prior in zip(
        table.names, table.before, table.after, table.prior, strict=True
    ):
        numbers = (before.abs_rel, after.abs_rel, prior.abs_rel)
        yield f'{name:{name_width}}  ' + '  '.join(f'{number:7.3f}' for number in numbers)
    yield from _table(table.means())
    yield f'protocol  {table.protocol}'


def _table(rows: Mapping[str, DepthMetrics]) -> Iterator[str]:
    width = max(map(len, rows))
    yield f'{"":{width}}  abs_rel    rmse  delta1'
    for name, metrics in rows.items():
        numbers = f'{metrics.abs_rel:7.3f}  {metrics.rmse:6.2f}  {metrics.delta1:6.3f}'
        yield f'{name:{width}}  {numbers}'
