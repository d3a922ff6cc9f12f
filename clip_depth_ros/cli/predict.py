# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Compute depth for your own pictures: images, folders of images, videos or a webcam.

For each image NAME, the output folder gets NAME_depth.png (image and depth side by side, with a
legend in metres) and NAME_depth.npy (float32, metres along the optical axis, size of the image or
crop); for each video, NAME_depth.mp4. Near is red, unknown is grey. If you choose no weights and
none have been downloaded, those that come with the package are used.
"""

from __future__ import annotations

import argparse
from typing import Final, TYPE_CHECKING

from clip_depth_ros.cli.flags import add_preset_flag, add_setting_flags, count_flag, path_flag
from clip_depth_ros.cli.image_camera import add_camera_flags
from clip_depth_ros.settings.base import ImageLimits
from clip_depth_ros.settings.pictures import PictureSettings
from clip_depth_ros.settings.predictor import PredictorSettings

if TYPE_CHECKING:
    from clip_depth_ros.core.image_plan import Window

_COLORS: Final = ('color_map', 'color_scale', 'color_min_m', 'color_max_m')
_EXAMPLES: Final = """
examples:
  clip-depth predict photo.jpg --out depth
  clip-depth predict photos/ 'more/*.png' --out depth --hfov-deg 70 --save-ply
  clip-depth predict drive.mp4 --out depth --camera-info camera.yaml
  clip-depth predict 0 --out depth --frames 50          # the first webcam
  clip-depth predict room.jpg --out depth --preset indoor --allow-download
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``clip-depth predict`` takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument(
        'inputs', nargs='+', metavar='INPUT',
        help='image file (PNG, JPEG, ...), folder of images, pattern in quotes, video file, or '
        'number of a webcam (if no file has that name)',
    )
    parser.add_argument(
        '--out', type=path_flag, metavar='DIR', required=True, help='folder for the results')
    add_preset_flag(parser)
    parser.add_argument(
        '--crop', type=_crop, metavar='X,Y,W,H',
        help='first cut out this window, in pixels; the results have its size',
    )
    parser.add_argument(
        '--frames', type=count_flag, metavar='N',
        help='only the first N frames of each video (default: all; 100 for a webcam)',
    )
    parser.add_argument(
        '--save-npy', action=argparse.BooleanOptionalAction,
        help='write depth in metres as .npy (default: for images only; a video gets a file per '
        'frame)',
    )
    parser.add_argument(
        '--save-ply', action='store_true',
        help='also write NAME_cloud.ply: coloured points in the optical frame, metres',
    )
    parser.add_argument(
        '--save-grid', action='store_true',
        help='also write NAME_grid.npy: one depth per patch, before upsampling (float32, metres); '
        'for depthclip only',
    )
    parser.add_argument('--force', action='store_true', help='overwrite results that are there')
    add_camera_flags(parser)
    add_setting_flags(parser, _COLORS, settings=PictureSettings, title='colours')
    add_setting_flags(parser, settings=ImageLimits, title='image')
    add_setting_flags(parser, PredictorSettings.model_fields, settings=PictureSettings)


def run(args: argparse.Namespace) -> int:
    """Predict, write, and say what was written."""
    from clip_depth_ros.cli.runs.predict import run_predict

    return run_predict(args)


def _crop(text: str) -> Window:
    """Parse ``x,y,w,h``."""
    from clip_depth_ros.core.image_plan import Window

    try:
        x, y, width, height = map(int, text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'must be four whole numbers x,y,w,h, got {text!r}'
        ) from None
    return Window(x, y, width, height)
