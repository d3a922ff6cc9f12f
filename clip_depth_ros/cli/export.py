# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Write a predictor as an exported model: for robots without PyTorch, and for faster engines.

The folder is for the setting exported_model of the node and of the other commands. What depends
on the camera, words, bins and temperature can still change; weights and backbone cannot.
"""

from __future__ import annotations

import argparse

from clip_depth_ros.cli.flags import (
    add_preset_flag,
    add_setting_flags,
    path_flag,
    predictor_settings,
)

_EXAMPLES = """
examples:
  clip-depth export --out street                            # the bundled weights
  clip-depth export --out street --preset kitti --clip-weights RN50.pt
  clip-depth predict photo.jpg --out depth --exported-model street
  ros2 launch clip_depth_ros depth.launch.py exported_model:=$PWD/street image:=/camera/image_rect
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``clip-depth export`` takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument(
        '--out', type=path_flag, metavar='DIR', required=True, help='folder for the model')
    add_preset_flag(parser)
    parser.add_argument('--force', action='store_true', help='overwrite a model that is there')
    add_setting_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Write the model, and say what it is for."""
    from clip_depth_ros.core.files import check_free
    from clip_depth_ros.predictor.export import export_predictor
    from clip_depth_ros.settings.exported import CARD

    settings = predictor_settings(args, args.preset)
    check_free([args.out / CARD], force=args.force)
    print('exporting; PyTorch traces the network, which takes up to a minute')
    folder = export_predictor(settings, args.out).parent
    size_mb = sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) / 1e6
    print(f'{folder}  {size_mb:.0f} MB')
    print(f'  clip-depth predict photo.jpg --out depth --exported-model {folder}')
    return 0
