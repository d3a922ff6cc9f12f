# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
KITTI's depth benchmark: its 1000 selected validation frames, cropped to 1216 x 352.

::

    image/<drive>_image_<10 digits>_image_02.png
    groundtruth_depth/<drive>_groundtruth_depth_<10 digits>_image_02.png
    intrinsics/<as the image>.txt      fx 0 cx 0 fy cy 0 0 1

Source: the benchmark's development kit (Uhrig et al., "Sparsity Invariant CNNs", 3DV 2017).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from clip_depth_ros.errors import CalibrationError, RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.camera_files import read_matrix
from clip_depth_ros.sources.cameras import camera_facts, FolderCamera
from clip_depth_ros.sources.files import KITTI_PER_METRE, path_below, read_split, SplitLine
from clip_depth_ros.sources.folders import FolderFrame, FolderSource
from clip_depth_ros.sources.kitti_calibration import (
    fitted_matrix,
    selection_camera,
    selection_size,
)
from clip_depth_ros.sources.registry import FrameRules, Kind, path_or_none
from clip_depth_ros.types import Intrinsics
import numpy as np

_PLACES: Final = ('.', 'val_selection_cropped', 'depth_selection/val_selection_cropped')
_IMAGE_WORD: Final = '_image_'
_GT_WORD: Final = '_groundtruth_depth_'


def selection_dir(root: Path) -> Path | None:
    """Return the folder with ``image`` and ``groundtruth_depth`` that a folder is or holds."""
    places = [root / place for place in _PLACES]
    return next(
        (
            place for place in places
            if (place / 'image').is_dir() and (place / 'groundtruth_depth').is_dir()
        ),
        None,
    )


def open_kitti_selection(
    root: Path, settings: SourceSettings, rules: FrameRules
) -> FolderSource:
    """
    Open the frames of ``val_selection_cropped``, or those images that the split file names.

    The frames were picked from many drives: they have neither stamps nor neighbours. Problems are
    images without depth map, and depth maps without image: part of the data is missing.

    Raises
    ------
    RecordingError
        If this is another folder, no image has depth, or an image that is listed is not there.

    """
    split = path_or_none(settings.split)
    folder = selection_dir(root)
    if folder is None:
        raise RecordingError(
            f"{str(root)!r} is not KITTI's val_selection_cropped: looked for image/ beside "
            f'groundtruth_depth/ in it, and in {" and ".join(_PLACES[1:])} below'
        )
    images = sorted((folder / 'image').glob('*.png'))
    if split:
        images = [_listed(folder / 'image', line) for line in read_split(split)]
    frames = [
        FolderFrame(
            name=f'image/{image.name}', image=image, gt=gt, per_metre=KITTI_PER_METRE,
            beside=(_intrinsics_path(image),),
            camera=_camera(image, is_scaled=settings.calibration_scaling),
            recording=image.name.partition(_IMAGE_WORD)[0],
        )
        for image in images
        if (gt := _gt_of(image)).is_file()
    ]
    if not frames:
        raise RecordingError(
            f'none of the {len(images)} images in {str(folder / "image")!r} has a depth map '
            f'in {str(folder / "groundtruth_depth")!r}: complete the data set'
        )
    problems = _unpaired(folder, images, is_whole=split is None)
    return FolderSource(
        'kitti-selection', "KITTI's val_selection_cropped", root, frames,
        {**camera_facts(settings), 'left_out_missing': str(len(problems))},
        split=split, gt_kind='annotated', problems=problems,
    )


KIND: Final = Kind(
    looks_like='image/ beside groundtruth_depth/', recognises=selection_dir,
    uses={'split', 'calibration_scaling', 'max_image_pixels'},
    opened=open_kitti_selection, protocol='kitti-benchmark',
)


def _gt_of(image: Path) -> Path:
    name = image.name.replace(_IMAGE_WORD, _GT_WORD, 1)
    return image.parent.parent / 'groundtruth_depth' / name


def _image_of(gt: Path) -> Path:
    return gt.parent.parent / 'image' / gt.name.replace(_GT_WORD, _IMAGE_WORD, 1)


def _intrinsics_path(image: Path) -> Path:
    return image.parent.parent / 'intrinsics' / f'{image.stem}.txt'


def _listed(folder: Path, line: SplitLine) -> Path:
    image = path_below(folder, line.words[0].removeprefix('image/'), line)
    if not image.is_file():
        raise RecordingError(
            f'{line.where}: there is no image {str(image)!r}; a line should be the name of one'
        )
    return image


def _unpaired(folder: Path, images: list[Path], *, is_whole: bool) -> list[tuple[str, str]]:
    """Return what misses its other half, and which."""
    problems = [
        (f'image/{image.name}', f'depth map {str(gt)!r} is not there')
        for image in images
        if not (gt := _gt_of(image)).is_file()
    ]
    if not is_whole:
        return problems
    gts = sorted((folder / 'groundtruth_depth').glob('*.png'))
    return problems + [
        (f'groundtruth_depth/{gt.name}', f'image {str(image)!r} is not there')
        for gt in gts
        if not (image := _image_of(gt)).is_file()
    ]


def _camera(image: Path, *, is_scaled: bool) -> FolderCamera:
    """Return the camera of the file beside an image, else the one that is known of its date."""
    path = _intrinsics_path(image)
    if not path.is_file():
        return selection_camera(image.name[:len('2011_09_26')], is_scaled=is_scaled)
    return FolderCamera(partial(_read_intrinsics, path, is_scaled=is_scaled))


def _read_intrinsics(path: Path, width: int, height: int, *, is_scaled: bool) -> Intrinsics:
    """Read K, nine numbers row by row."""
    K = read_matrix(path, (3, 3))
    if K[0, 1] or K[1, 0] or not np.array_equal(K[2], [0, 0, 1]):
        raise CalibrationError(f'{str(path)!r} should be fx 0 cx 0 fy cy 0 0 1, got {K.tolist()}')
    return fitted_matrix(K, selection_size(K[0, 0]), width, height, is_scaled=is_scaled)
