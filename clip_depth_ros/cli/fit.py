# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Fit DepthCLIP's bins, temperature and words to a place, from a handful of frames with depth.

CLIP stays frozen; a fit takes seconds. Prints how good depth is on held-out frames: zero-shot,
fitted, and what looks at no image. The output folder gets fitted.yaml (for --preset, or
--params-file of the node), words.safetensors with --learn-words, fit.json, and pictures before and
after. With --scene-aware, each scene of --scene-bins gets bins of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from clip_depth_ros.cli.flags import (
    add_preset_flag,
    add_setting_flags,
    given_settings,
    path_flag,
    predictor_settings,
)
from clip_depth_ros.cli.progress import progress
from clip_depth_ros.settings.fit import FitSettings
from clip_depth_ros.sources.registry import kind_names

if TYPE_CHECKING:
    from clip_depth_ros.training.place.fit import FitResult

_EXAMPLES = """
examples:
  clip-depth fit drive.mcap --out place --preset synthetic
  clip-depth fit kitchen.mcap --out place --preset indoor --allow-download --learn-words
  clip-depth fit house.mcap --out place --preset indoor --allow-download \\
      --scene-aware --scene-bins 'kitchen: original' 'bathroom: scene3'
  clip-depth evaluate other.mcap --preset place/fitted.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``clip-depth fit`` takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument(
        'sources', nargs='+', metavar='SOURCE',
        help='recordings, folders, a labelled NYU .mat, or seeds of the rendered drive; several '
        'of one kind are fitted to together',
    )
    parser.add_argument(
        '--out', type=path_flag, metavar='DIR', required=True, help='output folder'
    )
    add_preset_flag(parser)
    parser.add_argument(
        '--force', action='store_true', help='overwrite the fit in the output folder'
    )
    add_setting_flags(
        parser, settings=FitSettings, title='fit settings',
        choices={'kind': ('auto', *kind_names())},
    )
    add_setting_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Fit, write, print the table."""
    from clip_depth_ros.training.place.fit import fit_place

    settings = FitSettings.from_mapping(given_settings(args, FitSettings))
    predictor = predictor_settings(args, args.preset)
    with Stages() as stages:
        result = fit_place(
            args.sources, settings, predictor, args.out, force=args.force,
            on_progress=stages.show,
        )
    print('\n'.join(result_lines(result)))
    return 0


class Stages:
    """A bar for each stage of a fit, one at a time."""

    def __init__(self) -> None:
        self._name = ''
        self._bar = progress('', total=0, unit='frame', is_shown=False)

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, stage: str, done: int, total: int) -> None:
        """Move the bar of a stage."""
        if stage != self._name:
            self._bar.close()
            self._name, self._bar = stage, progress(stage, total=total, unit='frame')
        self._bar.update(done - self._bar.n)


def result_lines(result: FitResult) -> Iterator[str]:
    """Return the lines that tell what a fit has led to."""
    width = max(map(len, result.held_out))
    yield f'{"held-out frames":{width}}  abs_rel    rmse  delta1  abs_rel of the frames fitted to'
    for name, metrics in result.held_out.items():
        of_fit = f'{result.on_fit[name]:7.3f}' if name in result.on_fit else ''
        numbers = f'{metrics.abs_rel:7.3f}  {metrics.rmse:6.2f}  {metrics.delta1:6.3f}  {of_fit}'
        yield f'{name:{width}}  {numbers}'.rstrip()
    yield f'frames    {result.n_fitted} fitted to, {result.n_held_out} held out'
    if result.scenes:
        counts = ', '.join(f'{name} {count}' for name, count in result.scenes.items())
        yield f'scenes    {counts}'
    yield f'protocol  {result.protocol}'
    yield from (f'note      {note}' for note in result.notes)
    yield f'written   {result.path}'
    yield f'use       clip-depth evaluate SOURCE --preset {result.path}'
    yield f'          ros2 run clip_depth_ros depth_node --ros-args --params-file {result.path}'
