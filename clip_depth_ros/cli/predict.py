# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Depth of one image file.

Writes STEM_depth.npy (float32, metres along the optical axis, size of the image or crop) and
STEM_depth.png (coloured over the bins in force, or over the depth range where the method has none;
near is red, NaN is black) into the output folder.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import TYPE_CHECKING

from clip_depth_ros.cli.flags import add_setting_flags, given_settings
from clip_depth_ros.cli.image_camera import add_camera_flags, camera_of
from clip_depth_ros.cli.paths import path_flag
from clip_depth_ros.settings.base import ImageLimits

if TYPE_CHECKING:
    from clip_depth_ros.core.image_plan import Window
    from clip_depth_ros.settings.predictor import PredictorSettings
    from clip_depth_ros.types import Depth, DepthMap, Rgb


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``clip-depth predict`` takes."""
    parser.add_argument(
        'image', type=path_flag, metavar='IMAGE', help='image file (PNG, JPEG, ...)'
    )
    parser.add_argument(
        '--out', type=path_flag, metavar='DIR', required=True, help='folder for the results')
    parser.add_argument(
        '--crop', type=_crop, metavar='X,Y,W,H',
        help='cut this window out first, in pixels; the results have its size',
    )
    parser.add_argument(
        '--save-grid', action='store_true',
        help='also write STEM_grid.npy: one depth per patch, before upsampling (float32, metres); '
        'depthclip only',
    )
    parser.add_argument('--force', action='store_true', help='overwrite results that are there')
    add_camera_flags(parser)
    add_setting_flags(parser, settings=ImageLimits, title='image')
    add_setting_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Predict, write, and say what was written."""
    from clip_depth_ros.core.files import atomic_write_bytes, check_free
    from clip_depth_ros.errors import ConfigError
    from clip_depth_ros.predictor.build import build_predictor
    from clip_depth_ros.settings.predictor import PredictorSettings

    settings: PredictorSettings = PredictorSettings.from_mapping(given_settings(args))
    if args.save_grid and settings.means_clip2depth():
        raise ConfigError(
            '--save-grid: clip2depth answers pixels and has no depth per patch; leave it out, or '
            'add --method depthclip'
        )
    image_path = args.image
    paths = _result_paths(image_path.stem, args.out, with_grid=args.save_grid)
    check_free(paths.values(), force=args.force)
    limits: ImageLimits = ImageLimits.from_mapping(given_settings(args, ImageLimits))
    whole = _read_rgb(image_path, limits.max_image_pixels)
    rgb = _cropped(whole, args.crop)
    predictor = build_predictor(settings)
    try:
        # First of all, so that nobody takes random weights for depth.
        described = predictor.describe()
        for key in ('weights', 'method', 'clip2depth_weights', 'notes'):
            if key in described:
                print(f'{key}: {described[key]}')
        height, width = whole.shape[:2]
        camera, said = camera_of(args, image_path, width, height, described)
        for line in said:
            print(f'camera: {line}')
        if camera is not None and args.crop:
            camera = camera.cropped(*args.crop)
        answer = predictor.predict(rgb, camera)
    finally:
        predictor.close()
    for kind, data in _results(answer, settings).items():
        if kind in paths:
            atomic_write_bytes(paths[kind], data)
            print(f'{paths[kind]}: {_caption(kind, answer, settings)}')
    return 0


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


def _result_paths(stem: str, out: Path, *, with_grid: bool) -> dict[str, Path]:
    paths = {'depth': out / f'{stem}_depth.npy', 'colour': out / f'{stem}_depth.png'}
    return {**paths, 'grid': out / f'{stem}_grid.npy'} if with_grid else paths


def _read_rgb(path: Path, max_pixels: int) -> Rgb:
    from clip_depth_ros.errors import DataError, ImageError
    from clip_depth_ros.sources.files import read_rgb

    try:
        return read_rgb(path, max_pixels, upright=True)
    except DataError as error:
        raise ImageError(f'cannot read image {str(path)!r}: {error}') from error


def _cropped(rgb: Rgb, crop: Window | None) -> Rgb:
    from clip_depth_ros.core.image_plan import plan_image, Size

    plan = plan_image(Size(*rgb.shape[:2]), crop=crop)
    return plan.apply_to_image(rgb, lambda view, _: view)


def _results(answer: DepthMap, settings: PredictorSettings) -> dict[str, bytes]:
    from clip_depth_ros.core.depth_images import colorize
    import cv2

    near_m, far_m = _color_range_m(settings)
    rgb = colorize(answer.depth_m, near_m=near_m, far_m=far_m, color_map='turbo')
    _, png = cv2.imencode('.png', rgb[..., ::-1])
    results = {'depth': _npy(answer.depth_m), 'colour': png.tobytes()}
    if answer.grid_depth_m is not None:
        results['grid'] = _npy(answer.grid_depth_m)
    return results


def _color_range_m(settings: PredictorSettings) -> tuple[float, float]:
    """Return the nearest and farthest depth to expect: bins of all scenes, or the depth range."""
    uses_scenes = settings.scene_aware and not settings.means_clip2depth()
    scenes = settings.resolved_scenes() if uses_scenes else {}
    every = [*settings.answer_range_m(), *(m for bins_m in scenes.values() for m in bins_m)]
    near_m, far_m = min(every), max(every)
    return (near_m, far_m) if near_m < far_m else (settings.min_depth_m, settings.max_depth_m)


def _npy(depth_m: Depth) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, depth_m, allow_pickle=False)
    return buffer.getvalue()


def _caption(kind: str, answer: DepthMap, settings: PredictorSettings) -> str:
    if kind == 'colour':
        near_m, far_m = _color_range_m(settings)
        return f'turbo, {near_m:g} m (red) to {far_m:g} m (blue)'
    depth_m = answer.depth_m if kind == 'depth' else answer.grid_depth_m
    assert depth_m is not None
    height, width = depth_m.shape
    return f'{width}x{height} float32, {_range_of(depth_m)}'


def _range_of(depth_m: Depth) -> str:
    """Return the range of what are numbers, and how much is not."""
    import numpy as np

    is_number = np.isfinite(depth_m)
    known_m = depth_m[is_number]
    span = f'{known_m.min():.2f} to {known_m.max():.2f} m' if known_m.size else 'no depth'
    share = 100 * (1 - is_number.mean())
    return f'{span}, {share:.1f} % out of range' if share else span
