# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Train CLIP2Depth, or adapt it to a robot's own camera.

A recipe (config/train) has the settings for one kind of data; flags change single ones. The run
folder gets best.safetensors and last.safetensors (for --clip2depth-weights), report.json,
train.csv, validation.csv, picture sheets, and the checkpoint that --resume continues from. Several
GPUs: torchrun --nproc-per-node N -m clip_depth_ros train ...
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import os
import shlex
import sys
from typing import Any, Final, TYPE_CHECKING

from clip_depth_ros.cli.flags import (
    add_renamed_flags,
    add_setting_flags,
    given_settings,
    one_of,
    path_flag,
    settings_of,
)
from clip_depth_ros.cli.progress import progress as progress_bar
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.base import read_settings
from clip_depth_ros.settings.installation import shared_file
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.registry import kind_names

if TYPE_CHECKING:
    from clip_depth_ros.core.metrics import DepthMetrics
    from clip_depth_ros.training.keeper import TrainResult
    from clip_depth_ros.training.leave_one_out import LeaveOneOut
    from clip_depth_ros.training.loop import Progress

RECIPES: Final = ('synthetic', 'kitti', 'nyu', 'bag')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``clip-depth train`` takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        '--recipe', **one_of(RECIPES), help='settings for one kind of data'
    )
    parser.add_argument(
        '--config', type=path_flag, metavar='FILE',
        help='your own settings (YAML); they override the recipe',
    )
    parser.add_argument(
        '--out', dest='out_dir', metavar='DIR', default=argparse.SUPPRESS,
        help='folder of the run and its weights',
    )
    parser.add_argument(
        '--resume', nargs='?', const='', metavar='DIR',
        help='continue the run in this folder, or in --out, from where it stopped, with the '
        'settings it had',
    )
    parser.add_argument('--force', action='store_true', help='overwrite the run in --out')
    parser.add_argument(
        '--leave-one-out', action='store_true',
        help='for small recordings: hold out each frame in turn, train on the others, and report '
        'before, after, and the prior of the others',
    )
    add_renamed_flags(parser, {'--preset': '--recipe', '--out-dir': '--out'})
    names = [name for name in TrainSettings.model_fields if name != 'out_dir']
    add_setting_flags(
        parser, names, settings=TrainSettings, title='training settings',
        choices={'kind': ('auto', *kind_names())},
    )


def run(args: argparse.Namespace) -> int:
    """Train, and say what came out."""
    from clip_depth_ros.training.leave_one_out import leave_one_out
    from clip_depth_ros.training.loop import train

    config = read_settings(args.config) if args.config else {}
    settings = settings_of(TrainSettings, _values(args, config), config, args.config)
    is_resumed = args.resume is not None
    bars = ProgressBars(_if_it_stops(settings, args))
    with _saying_how_to_go_on(settings, args, bars), bars:
        options = {'resume': is_resumed, 'force': args.force, 'on_progress': bars.show}
        if args.leave_one_out:
            lines = leave_one_out_lines(leave_one_out(settings, **options))
        else:
            lines = result_lines(train(settings, **options))
    if is_first_process():
        print('\n'.join(lines))
    return 0


def _values(args: argparse.Namespace, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are named: recipe, file, flags; before them, those of the run."""
    from clip_depth_ros.training.run import settings_of_run

    recipe = shared_file('config', 'train', f'{args.recipe}.yaml') if args.recipe else None
    values = read_settings(recipe) if recipe else {}
    values |= {**config, **given_settings(args, TrainSettings)}
    if args.resume:
        if values.get('out_dir', args.resume) != args.resume:
            raise ConfigError(
                f'--resume {args.resume} and --out {values["out_dir"]} are two folders: name one'
            )
        values['out_dir'] = args.resume
    if args.resume is None or args.leave_one_out or not values.get('out_dir'):
        return values
    usual = TrainSettings().model_dump(mode='json')
    of_run = settings_of_run(values['out_dir'])
    # A setting that is named must be used: those that the run left as they are stay unnamed.
    named = {name: value for name, value in of_run.items() if value != usual.get(name)}
    return named | values


@contextmanager
def _saying_how_to_go_on(
    settings: TrainSettings, args: argparse.Namespace, bars: ProgressBars
) -> Iterator[None]:
    """After Ctrl-C, or an error of a run that had begun, name the command that goes on."""
    try:
        yield
    except BaseException as error:
        is_interrupted = isinstance(error, (KeyboardInterrupt, SystemExit))
        if is_first_process() and (is_interrupted or bars.has_shown):
            what = 'interrupted' if is_interrupted else 'stopped'
            print(f'{what}: {how_to_go_on(settings, args.leave_one_out)}', file=sys.stderr)
        raise


def _if_it_stops(settings: TrainSettings, args: argparse.Namespace) -> str:
    """Return what to do should the process end without a word, as by kill -9."""
    how = 'the same command with --resume' if args.leave_one_out else _resuming(settings)
    return f'if it stops, {how} goes on from the last checkpoint'


def _resuming(settings: TrainSettings) -> str:
    return shlex.join(['clip-depth', 'train', '--resume', settings.out_dir])


def how_to_go_on(settings: TrainSettings, is_leave_one_out: bool = False) -> str:
    """Say which command goes on with a run, and from which step."""
    from clip_depth_ros.training.checkpoint import load_checkpoint
    from clip_depth_ros.training.run import RunFolder

    if is_leave_one_out:
        return 'the same command with --resume goes on from there'
    run = RunFolder(settings)
    if not run.is_begun:
        return 'nothing has begun yet, the same command begins it'
    step = int(load_checkpoint(run.checkpoint).facts['step']) if run.checkpoint.exists() else 0
    return f'{_resuming(settings)} goes on from step {step} of {settings.steps}'


def result_lines(result: TrainResult) -> Iterator[str]:
    """Return the lines that tell what a run has led to."""
    rows = {'before': result.before, 'last': result.last, 'best': result.metrics}
    blind = {'best constant': result.constant, 'prior': result.prior}
    rows |= {name: metrics for name, metrics in blind.items() if metrics is not None}
    rows |= {f'test: {name}': metrics for name, metrics in result.test.items()}
    yield from _table(rows)
    yield f'protocol  {result.protocol}'
    yield f'best      {result.best_path} (step {result.best_step}, chosen by these frames)'
    yield f'last      {result.last_path}'
    yield from (f'note      {note}' for note in result.notes)
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
    """
    A progress bar for each stage: one at a time.

    ``has_shown`` says whether there has been any progress; ``before`` is said before the first.
    """

    def __init__(self, before: str = '') -> None:
        self.has_shown, self._before = False, before
        self._stage = ''
        self._bar: Any = None

    def __enter__(self) -> ProgressBars:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def show(self, progress: Progress) -> None:
        """Move the bar of a stage; a validation is a line of its own."""
        from tqdm import tqdm

        is_first, self.has_shown = not self.has_shown, True
        if not is_first_process():
            return
        if is_first and self._before:
            print(self._before, file=sys.stderr, flush=True)
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
            self._bar = progress_bar(progress.stage, total=progress.total, unit=unit)
            if unit == 'step':  # what an earlier run has done says nothing of the time left
                self._bar.initial = self._bar.n = progress.done - 1
        self._bar.update(progress.done - self._bar.n)
        if progress.facts:
            self._bar.set_postfix({name: f'{value:.4g}' for name, value in progress.facts.items()})

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._stage, self._bar = '', None
