# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Train CLIP2Depth, or adapt it to a robot's own camera.

A preset (config/train) names what suits a kind of data; flags change single settings. The run
folder gets best.safetensors and last.safetensors (for --clip2depth-weights), report.json,
train.csv, validation.csv, picture sheets, and the checkpoint that --resume continues from. Several
GPUs: torchrun --nproc-per-node N -m clip_depth_ros train ...
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
import os
from typing import Any, Final, TYPE_CHECKING

from clip_depth_ros.cli.flags import add_setting_flags, given_settings, one_of
from clip_depth_ros.cli.paths import path_flag
from clip_depth_ros.settings.base import read_settings
from clip_depth_ros.settings.installation import shared_file
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.registry import kind_names

if TYPE_CHECKING:
    from clip_depth_ros.core.metrics import DepthMetrics
    from clip_depth_ros.training.keeper import TrainResult
    from clip_depth_ros.training.leave_one_out import LeaveOneOut
    from clip_depth_ros.training.loop import Progress

PRESETS: Final = ('synthetic', 'kitti', 'nyu', 'bag')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``clip-depth train`` takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        '--preset', **one_of(PRESETS), help='settings that come with this package'
    )
    parser.add_argument(
        '--config', type=path_flag, metavar='FILE',
        help='your own settings (YAML), above the preset',
    )
    parser.add_argument(
        '--resume', action='store_true', help='continue the run in out_dir where it stopped'
    )
    parser.add_argument('--force', action='store_true', help='overwrite the run in out_dir')
    parser.add_argument(
        '--leave-one-out', action='store_true',
        help='for small recordings: hold out each frame once, train on the others, and report '
        'before, after and the mean depth of each pixel',
    )
    add_setting_flags(
        parser, settings=TrainSettings, title='training settings',
        choices={'kind': ('auto', *kind_names())},
    )


def run(args: argparse.Namespace) -> int:
    """Train, and say what came out."""
    from clip_depth_ros.training.leave_one_out import leave_one_out
    from clip_depth_ros.training.loop import train

    settings = TrainSettings.from_mapping(_values(args))
    with ProgressBars() as bars:
        options = {'resume': args.resume, 'force': args.force, 'on_progress': bars.show}
        if args.leave_one_out:
            lines = leave_one_out_lines(leave_one_out(settings, **options))
        else:
            lines = result_lines(train(settings, **options))
    if is_first_process():
        print('\n'.join(lines))
    return 0


def _values(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that are named: preset, then file, then flags."""
    preset = shared_file('config', 'train', f'{args.preset}.yaml') if args.preset else None
    values: dict[str, Any] = {}
    for path in (preset, args.config):
        values |= read_settings(path) if path else {}
    return values | given_settings(args, TrainSettings)


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


def is_first_process() -> bool:
    """Say whether this process is the one that talks, of those that torchrun started."""
    return os.environ.get('RANK', '0') == '0'


class ProgressBars:
    """A progress bar for each stage: one at a time."""

    def __init__(self) -> None:
        self._stage = ''
        self._bar: Any = None

    def __enter__(self) -> ProgressBars:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def show(self, progress: Progress) -> None:
        """Move the bar of a stage; a validation is a line of its own."""
        from tqdm import tqdm

        if not is_first_process():
            return
        if progress.stage.endswith('validation') and 'abs_rel' in progress.facts:
            facts = progress.facts
            tqdm.write(
                f'step {progress.done}: abs_rel {facts["abs_rel"]:.3f}, rmse {facts["rmse"]:.2f} '
                f'm, delta1 {facts["delta1"]:.3f}'
            )
            return
        if progress.stage != self._stage or progress.done < self._bar.n:
            self._close()
            self._stage = progress.stage
            unit = 'step' if 'train' in progress.stage else 'frame'
            self._bar = tqdm(
                desc=progress.stage, total=progress.total, unit=unit, disable=None
            )
        self._bar.update(progress.done - self._bar.n)
        if progress.facts:
            self._bar.set_postfix({name: f'{value:.4g}' for name, value in progress.facts.items()})

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._stage, self._bar = '', None
