# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Play a recording into the real node, record what comes out, and compare it with the truth.

Player and nodes are processes of their own and talk over DDS, as on a robot. Without flags a short
synthetic drive is rendered and played once into two nodes, CLIP2Depth and DepthCLIP, with the
weights that come with the package. The output folder gets summary.json, depth.mcap (opens in RViz
and Foxglove), film.gif, preview.png, cloud.ply, report.html and the logs of all processes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final, TYPE_CHECKING

from clip_depth_ros.demo import SYNTHETIC_FRAMES, SYNTHETIC_HZ

if TYPE_CHECKING:
    from clip_depth_ros.demo.facts import DemoFacts
    from clip_depth_ros.demo.plan import DemoPlan

HELD_OUT_SEED: Final = 1_000_000
"""A street that the bundled weights were not trained on: those have smaller seeds."""

_TOPICS: Final = ('image_topic', 'camera_info_topic', 'depth_topic', 'lidar_topic')

_RECORDINGS: Final = ('drive.mcap', 'input.mcap', 'depth.mcap')
_RESULTS: Final = ('summary.json', 'preview.png', 'film.gif', 'cloud.ply', 'report.html')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of ``clip-depth demo``."""
    from clip_depth_ros.cli.flags import (
        add_preset_flag,
        add_renamed_flags,
        add_setting_flags,
        path_flag,
    )
    from clip_depth_ros.settings.pictures import PictureSettings
    from clip_depth_ros.settings.predictor import PredictorSettings
    from clip_depth_ros.settings.source import SourceSettings

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        '--bag', type=path_flag, help='recording to play (default: a synthetic drive)'
    )
    parser.add_argument(
        '--frames',
        type=int,
        metavar='N',
        help=f'play the first N images (default: {SYNTHETIC_FRAMES} of the drive, all of a bag)',
    )
    parser.add_argument(
        '--out', type=path_flag, default=Path('demo_output'), metavar='DIR',
        help='folder for the results (default: %(default)s)',
    )
    parser.add_argument(
        '--hz',
        type=float,
        help=f'images per second (default: {SYNTHETIC_HZ:g} for the drive, as recorded for a bag)',
    )
    parser.add_argument(
        '--seed', type=int, default=HELD_OUT_SEED,
        help='seed of the synthetic drive (default: %(default)s, a street that the bundled '
        'weights were not trained on)',
    )
    parser.add_argument(
        '--force', action='store_true', help='overwrite the results in the output folder'
    )
    add_setting_flags(
        parser, _TOPICS, settings=SourceSettings, title='topics of the bag (found automatically)'
    )
    add_renamed_flags(
        parser, {'--image': '--image-topic', '--camera-info': '--camera-info-topic'}
    )
    add_preset_flag(parser)
    add_setting_flags(parser, PredictorSettings.model_fields, settings=PictureSettings)


def run(args: argparse.Namespace) -> int:
    """
    Run the demo; 0 if every image was answered or counted as dropped and the processes ended well.

    Raises
    ------
    ClipDepthError
        If the recording cannot be played or a node does not run; what was wrong and where.

    """
    from clip_depth_ros.cli.flags import given_settings
    from clip_depth_ros.demo.plan import demo_methods, make_plan
    from clip_depth_ros.demo.run import run_once, run_unhurried

    methods = demo_methods(given_settings(args), args.preset)  # before results are cleared away
    _clear(args.out, args.bag, force=args.force)
    plan = make_plan(args, methods)
    is_pace_ours = args.bag is None and args.hz is None
    return _show(plan, run_unhurried(plan) if is_pace_ours else run_once(plan))


def _clear(out_dir: Path, bag: Path | None, *, force: bool) -> None:
    """
    Make the folder, or clear it of an earlier run: its results must not pass for today's.

    OutputError if there are any, unless ``force``.
    """
    from clip_depth_ros.core.files import check_free, make_folder
    from clip_depth_ros.errors import ConfigError

    folder = make_folder(out_dir)
    if bag is not None and bag.resolve() in [(folder / name).resolve() for name in _RECORDINGS]:
        raise ConfigError(
            f'{bag} lies where the demo would write its own recording: name another folder with '
            '--out'
        )
    results = [folder / name for name in (*_RESULTS, 'depth.mcap')]
    check_free(results, force=force)
    for path in [*results, *folder.glob('*_node.log')]:
        path.unlink(missing_ok=True)


def _show(plan: DemoPlan, facts: DemoFacts) -> int:
    """Write the summary, the pictures and the page; print what was seen and where they are."""
    import json

    from clip_depth_ros.core.files import atomic_write_bytes
    from clip_depth_ros.demo.page import write_pages
    from clip_depth_ros.demo.plan import NEXT_STEPS
    from clip_depth_ros.demo.summary import (
        evaluate_recording,
        metric_lines,
        sentence_of,
        summary_of,
    )

    evaluated = evaluate_recording(plan, facts)
    summary = summary_of(plan, facts, evaluated)
    text = json.dumps(summary, indent=2) + '\n'
    atomic_write_bytes(plan.out_dir / 'summary.json', text.encode())
    pages = write_pages(plan, summary, facts, evaluated)
    paths = [*pages, plan.out_dir / 'summary.json', plan.recording]
    print(sentence_of(summary))
    for problem in summary['problems']:
        print(f'  PROBLEM: {problem}')
    print('', *metric_lines(evaluated), '', sep='\n')
    if summary['note']:
        print(summary['note'], 'With a real camera:', sep='\n')
        for when, command in NEXT_STEPS.items():
            print(f'  {command}   # {when}')
        print()
    for path in paths:
        print(f'  {path}')
    return 0 if summary['ok'] else 1
