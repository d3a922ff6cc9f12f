# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The camera of an image or a video: named by a flag, said by the file itself, or assumed.

A camera_info YAML or a field of view that is given comes first, then EXIF, then what the weights
would have assumed.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clip_depth_ros.cli.flags import add_setting_flags, given_settings, path_flag
from clip_depth_ros.settings.predictor import ASSUMED_HFOV_DEG
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.types import Intrinsics, MAX_FOV_DEG

if TYPE_CHECKING:
    from clip_depth_ros.core.image_plan import Size

_WITH_CAMERA_INFO = 'intrinsics_source', 'calibration_scaling'

_CONTRADICTS = 0.15
"""Relative: more than cameras differ whose focal length in millimetres is rounded."""

_LEAST_HFOV_DEG = 1.0


def add_camera_flags(parser: argparse.ArgumentParser) -> None:
    """Add what names the camera of an image."""
    group = parser.add_argument_group(
        'camera', "Without these two, the focal length in the image's EXIF data is used."
    )
    add_lens_flags(group, 'horizontal field of view of the image (before --crop), degrees')
    add_setting_flags(
        parser, _WITH_CAMERA_INFO, settings=SourceSettings, title='with --camera-info'
    )


def add_lens_flags(group: argparse._ActionsContainer, hfov_help: str) -> None:
    """Add the two flags that say what a camera sees, of which one may be given."""
    either = group.add_mutually_exclusive_group()
    either.add_argument(
        '--camera-info', type=path_flag, metavar='FILE',
        help='camera_info YAML of the camera, as camera_calibration writes it',
    )
    either.add_argument('--hfov-deg', type=_hfov, metavar='DEG', help=hfov_help)


def camera_of(
    args: argparse.Namespace,
    size: Size,
    described: Mapping[str, str],
    *,
    image: Path | None,
    wants_cloud: bool = False,
) -> tuple[Intrinsics | None, list[str]]:
    """
    Return the camera of an image as it is shown, and what to say of it.

    Parameters
    ----------
    args : argparse.Namespace
        Has the flags of :func:`add_camera_flags`.
    size : Size
        Of the image.
    described : mapping of str to str
        What the predictor says of itself.
    image : Path, optional
        Its file, which may say something; there is none for a frame of a video.
    wants_cloud : bool
        Whether a camera is needed even if the predictor ignores cameras.

    Returns
    -------
    Intrinsics or None, list of str
        None if it ignores cameras, and no cloud is wanted.

    Raises
    ------
    CalibrationError
        For a camera_info that cannot be read, or be that of the image.
    ConfigError
        For settings of one that is not named.

    """
    settings: SourceSettings = SourceSettings.from_mapping(given_settings(args, SourceSettings))
    if args.camera_info is None:
        settings.refuse(*_WITH_CAMERA_INFO, because='without --camera-info')
    is_ignored = 'focal_px' not in described
    if is_ignored and not wants_cloud:
        given = {'--camera-info': args.camera_info, '--hfov-deg': args.hfov_deg}
        unused = [f'{flag} is not used' for flag, value in given.items() if value is not None]
        return None, [described['camera'], *unused]
    assumed = float(described.get('assumed_hfov_deg', ASSUMED_HFOV_DEG))
    camera, said = _camera_of(args, settings, size, image, assumed)
    if is_ignored:
        said = [described['camera'], *(f'of the cloud: {line}' for line in said)]
    return camera, said


def _camera_of(
    args: argparse.Namespace,
    settings: SourceSettings,
    size: Size,
    image: Path | None,
    assumed_hfov_deg: float,
) -> tuple[Intrinsics, list[str]]:
    from clip_depth_ros.sources.camera_files import exif_camera, ExifCamera

    height, width = size
    exif = ExifCamera(None, '') if image is None else exif_camera(image, width, height)
    if args.camera_info is not None:
        camera, said = _calibrated(args.camera_info, settings, width, height)
    elif args.hfov_deg is not None:
        camera, said = Intrinsics.of_hfov(args.hfov_deg, width, height), ['--hfov-deg']
    elif exif.intrinsics is not None:
        return exif.intrinsics, [f'EXIF, {exif.said}: {_across(exif.intrinsics)}']
    else:
        camera = Intrinsics.of_hfov(assumed_hfov_deg, width, height)
        doubtful = f' (EXIF says {exif.said})' if exif.said else ''
        return camera, [
            f'not known{doubtful}, {_across(camera)} are assumed: name it with --camera-info or '
            '--hfov-deg'
        ]
    said[0] += f': {_across(camera)}'
    if exif.intrinsics is not None:
        ratio = camera.focal_px / exif.intrinsics.focal_px
        if max(ratio, 1 / ratio) > 1 + _CONTRADICTS:
            said.append(
                f'EXIF contradicts it and is not used: {exif.said}, {_across(exif.intrinsics)}'
            )
    return camera, said


def _calibrated(
    path: Path, settings: SourceSettings, width: int, height: int
) -> tuple[Intrinsics, list[str]]:
    from clip_depth_ros.sources.camera_files import read_camera_info

    camera = read_camera_info(path).camera(
        settings.intrinsics_source, width, height, is_scaled=settings.calibration_scaling
    )
    said = [f'{path} ({camera.source})', *camera.notes]
    if camera.distortion is not None:
        said.append('images that are not rectified are metric near the centre only')
    return camera.intrinsics, said


def _across(camera: Intrinsics) -> str:
    return f'{camera.hfov_deg:.1f} degrees across'


def _hfov(text: str) -> float:
    """Parse a field of view that a camera can have."""
    low, high = _LEAST_HFOV_DEG, MAX_FOV_DEG
    try:
        hfov_deg = float(text)
    except ValueError:
        hfov_deg = 0.0
    if not low <= hfov_deg <= high:
        raise argparse.ArgumentTypeError(
            f'must be degrees from {low:g} to {high:g}, got {text!r}'
        )
    return hfov_deg
