# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Train CLIP2Depth, or adapt it to a robot's own camera.

A preset (config/train) names what suits a kind of data; flags change single settings. The run
folder gets best.safetensors and last.safetensors (for --clip2depth-weights), report.json,
train.csv, validation.csv, picture sheets, and the checkpoint that --resume goes on from. Several
GPUs: torchrun --nproc-per-node N -m clip_depth_ros train ...
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.cli.flags import add_setting_flags, given_settings
from clip_depth_ros.settings.training import TrainSettings

PRESETS: Final = ('synthetic', 'kitti', 'nyu', 'bag')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``clip-depth train`` takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument('--preset', choices=PRESETS, help='settings that come with this package')
    parser.add_argument(
        '--config', type=Path, metavar='FILE', help='your own settings (YAML), above the preset'
    )
    parser.add_argument(
        '--resume', action='store_true', help='go on with the run in out_dir, exactly'
    )
    parser.add_argument('--force', action='store_true', help='overwrite the run in out_dir')
    parser.add_argument(
        '--leave-one-out', action='store_true',
        help='for small recordings: hold out each frame once, train on the others, and report '
        'before, after and the mean depth of each pixel',
    )
    add_setting_flags(parser, settings=TrainSettings, title='training settings')


def run(args: argparse.Namespace) -> int:
    """Train, and say what came out."""
    from clip_depth_ros.cli.progress import is_first_process, ProgressBars
    from clip_depth_ros.cli.train_report import leave_one_out_lines, result_lines
    from clip_depth_ros.training.leave_one_out import leave_one_out
    from clip_depth_ros.training.loop import train

    settings = TrainSettings.from_mapping(_values(args))
    with ProgressBars() as bars:
        if args.leave_one_out:
            table = leave_one_out(
                settings, resume=args.resume, force=args.force, on_progress=bars.show
            )
            lines = leave_one_out_lines(table)
        else:
            result = train(
                settings, resume=args.resume, force=args.force, on_progress=bars.show
            )
            lines = result_lines(result)
    if is_first_process():
        print('\n'.join(lines))
    return 0


def _values(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that are named: preset, then file, then flags."""
    from clip_depth_ros.settings.base import read_settings
    from clip_depth_ros.settings.installation import shared_file

    preset = shared_file('config', 'train', f'{args.preset}.yaml') if args.preset else None
    return {
        **(read_settings(preset) if preset else {}),
        **(read_settings(args.config) if args.config else {}),
        **given_settings(args, TrainSettings),
    }
