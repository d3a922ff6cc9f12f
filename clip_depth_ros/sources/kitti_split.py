# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Which files of KITTI's raw data and of its annotated depth a line of a split file names.

::

    <data_dir>/<date>/<drive>/image_02/data/<10 digits>.png         (or .jpg, or image_03)
    <data_dir>/<date>/<drive>/velodyne_points/data/<10 digits>.bin
    <depth_dir>/[train/ or val/]<drive>/proj_depth/groundtruth/image_02/<10 digits>.png

Lines are those of BTS, ``image depth [focal]`` with paths below the two folders and ``None`` for
missing depth, or those of monodepth2, ``date/drive frame side`` with side l or r.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clip_depth_ros.errors import RecordingError
from clip_depth_ros.sources.kitti_calibration import RAW_CAMERA_FILE, RAW_LIDAR_FILE
from clip_depth_ros.sources.split_files import path_below, SplitLine

_CAMERAS: Final = {'l': 'image_02', 'r': 'image_03'}
_NO_DEPTH: Final = 'none'


@dataclass(frozen=True, slots=True)
class KittiFiles:
    """
    What one line names.

    Attributes
    ----------
    line : SplitLine
        The line.
    name : str
        How messages and reports call the frame.
    images, gts : tuple of Path
        Where image and ground truth may be, to be tried in this order; ``gts`` is empty where the
        line says that there is none.
    may_lack_gt : bool
        Whether it is usual that there is no ground truth for such a line.

    """

    line: SplitLine
    name: str
    images: tuple[Path, ...]
    gts: tuple[Path, ...]
    may_lack_gt: bool


@dataclass(frozen=True, slots=True)
class RawPlace:
    """Where an image of the raw data stands: <date_dir>/<drive>/image_0<camera>/data/<image>."""

    date_dir: Path
    drive: str
    camera: int
    number: str


def raw_place(image: Path) -> RawPlace | None:
    """Give where an image stands, if that is as in the raw data."""
    data, camera = image.parent, image.parent.parent
    if data.name != 'data' or camera.name not in _CAMERAS.values() or not image.stem.isdecimal():
        return None
    drive = camera.parent
    return RawPlace(drive.parent, drive.name, int(camera.name[-2:]), image.stem)


def files_beside(image: Path) -> list[Path]:
    """Give the calibration and the times that are read beside an image of the raw data."""
    place = raw_place(image)
    if place is None:
        return []
    calibration = [place.date_dir / name for name in (RAW_CAMERA_FILE, RAW_LIDAR_FILE)]
    return [*calibration, image.parent.parent / 'timestamps.txt']


def annotated_files(line: SplitLine, data_dir: Path, depth_dir: Path) -> KittiFiles:
    """
    Give image and annotated depth of a line.

    Raises
    ------
    RecordingError
        If the line is of neither kind or leads out of the data set.

    """
    # KITTI's archives unpack into train/ and val/.
    depth_roots = (depth_dir, depth_dir / 'train', depth_dir / 'val')
    words = line.words
    if _is_monodepth2(words):
        camera, number = _CAMERAS[words[2]], words[1].zfill(10)
        drive = path_below(depth_dir, words[0], line)
        drives = [*(root / drive.name for root in depth_roots), drive]
        gts = [folder / 'proj_depth/groundtruth' / camera / f'{number}.png' for folder in drives]
        may_lack_gt = True  # the first and last frames of each drive have none
    elif words[1:2] and words[1].lower() == _NO_DEPTH:
        gts, may_lack_gt = [], True
    else:
        gts = [path_below(root, word, line) for word in words[1:2] for root in depth_roots]
        may_lack_gt = False
    return KittiFiles(line, _name(words), _images(line, data_dir), tuple(gts), may_lack_gt)


def lidar_files(line: SplitLine, data_dir: Path) -> KittiFiles:
    """
    Give image and LiDAR scan of a line; its depth map, if it names one, is not asked for.

    Raises
    ------
    RecordingError
        If the line is of neither kind or leads out of the data set, or the image does not stand
        where it would in the raw data.

    """
    images = _images(line, data_dir)
    place = raw_place(images[0])
    if place is None:
        raise RecordingError(
            f'{line.where}: {str(images[0])!r} should be below image_02/data or image_03/data as '
            'in the raw data, so that its LiDAR scan is found: correct the list, or name the '
            'folder of the annotated depth (gt_dir)'
        )
    scan = place.date_dir / place.drive / 'velodyne_points/data' / f'{place.number}.bin'
    return KittiFiles(line, _name(line.words), images, (scan,), may_lack_gt=False)


def _images(line: SplitLine, data_dir: Path) -> tuple[Path, ...]:
    """Give where the image may be: the data is large, and many keep it as JPEG."""
    words = line.words
    if _is_monodepth2(words):
        folder = path_below(data_dir, words[0], line) / _CAMERAS[words[2]] / 'data'
        return tuple(folder / f'{words[1].zfill(10)}{suffix}' for suffix in ('.png', '.jpg'))
    if len(words) not in (2, 3):
        raise RecordingError(
            f'{line.where}: a line should be "image depth [focal]" or "date/drive frame side", '
            f'got {" ".join(words)!r}'
        )
    image = path_below(data_dir, words[0], line)
    return (image, image.with_suffix('.jpg'))


def _is_monodepth2(words: Sequence[str]) -> bool:
    return len(words) == 3 and words[1].isdecimal() and words[2] in _CAMERAS


def _name(words: Sequence[str]) -> str:
    return ' '.join(words) if _is_monodepth2(words) else words[0]
