# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
KITTI's folders, the raw recordings and the object detection data set: frames, scans, calibration.

::

    raw:     <date>/calib_cam_to_cam.txt, calib_velo_to_cam.txt
             <date>/<date>_drive_NNNN_sync/image_02/{timestamps.txt, data/<10 digits>.png}
             <date>/<date>_drive_NNNN_sync/velodyne_points/{timestamps.txt, data/<10 digits>.bin}
    object:  training/{image_2/NNNNNN.png, velodyne/NNNNNN.bin, calib/NNNNNN.txt}, testing/...

Images are those of the left colour camera (cam2), rectified; scans may be missing. A LiDAR point x
in homogeneous coordinates is seen at P_rect_02 R_rect_00 T_cam0_velo x (raw) or P2 R0_rect
Tr_velo_to_cam x (object). Source: Geiger, Lenz, Stiller, Urtasun, "Vision meets Robotics: The
KITTI Dataset", IJRR 2013, section IV, and the development kits' readme files.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
import time
from typing import Final

from clip_depth_ros.errors import ConfigError, RecordingError
from clip_depth_ros.sources.files import read_bytes
from clip_depth_ros.sources.kitti_calibration import (
    KittiCalibration,
    RAW_CAMERA_FILE,
    RAW_LIDAR_FILE,
    read_object_calibration,
    read_raw_calibration,
)
import numpy as np
from numpy.typing import NDArray

RAW_CAMERAS: Final = {'l': 'image_02', 'r': 'image_03'}

OBJECT_START_NS: Final = 1_317_042_000 * 10**9
"""Our choice: object frames have no stamps; they start at 2011-09-26 13:00 UTC."""


@dataclass(frozen=True, slots=True)
class KittiFrame:
    """
    One image of a KITTI folder with what belongs to it.

    Attributes
    ----------
    name : str
        Drive or split, and number: ``training/000114``.
    image_path : Path
        PNG of the rectified left colour camera.
    scan_path : Path or None
        Velodyne scan, None where there is none.
    calibration : KittiCalibration
        Calibration of this frame; within object folders it differs from frame to frame.
    stamp_ns, scan_stamp_ns : int
        Capture times of image and scan, nanoseconds. Raw: from the timestamps files, whose local
        time is taken as UTC.
    drive : str
        Raw: name of the recording. Empty for object frames: each is a moment of its own, and
        their stamps are our choice.

    """

    name: str
    image_path: Path
    scan_path: Path | None
    calibration: KittiCalibration
    stamp_ns: int
    scan_stamp_ns: int
    drive: str = ''


def find_kitti_frames(folder: str | Path, *, rate_hz: float = 10.0) -> list[KittiFrame]:
    """
    Return the frames of a KITTI folder in the order of their stamps.

    Parameters
    ----------
    folder : str or Path
        Raw: a drive, a date or the root of dates. Object: the root, or one of its splits.
    rate_hz : float
        Frame rate of object frames, which have no stamps; KITTI's cameras ran at 10 Hz.

    Raises
    ------
    RecordingError
        If this is no KITTI folder, saying what was looked for, or a file is missing or damaged.
    ConfigError
        If the rate is not positive.

    """
    root = Path(folder)
    if not rate_hz > 0:
        raise ConfigError(f'frame rate must be positive, got {rate_hz!r} Hz')
    raw_frames = [frame for drive in raw_drives(root) for frame in _raw_frames(drive)]
    object_frames = _object_frames(object_splits(root), rate_hz)
    frames = sorted(raw_frames, key=lambda frame: frame.stamp_ns) + object_frames
    if not frames:
        raise RecordingError(
            f'{str(root)!r} is no KITTI folder: looked for image_02/data/<number>.png (raw: in it '
            'or up to two levels below) and image_2/<number>.png (object: in it or one level '
            'below)'
        )
    return frames


def raw_drives(root: Path) -> list[Path]:
    """Return the drives of the raw data that a folder is, or holds up to two levels below."""
    return [found.parent.parent for found in _below(root, 'image_02/data')]


def object_splits(root: Path) -> list[Path]:
    """Return training and testing of the object data that a folder is one of, or holds."""
    return [found.parent for found in _below(root, 'image_2', depth=1)]


@dataclass(frozen=True, slots=True)
class RawPlace:
    """Where an image of the raw data stands: <date_dir>/<drive>/image_0<camera>/data/<image>."""

    date_dir: Path
    drive: str
    camera: int
    number: str


def raw_place(image: Path) -> RawPlace | None:
    """Return where an image stands, if that is as in the raw data."""
    data, camera = image.parent, image.parent.parent
    is_raw = data.name == 'data' and camera.name in RAW_CAMERAS.values()
    if not (is_raw and image.stem.isdecimal()):
        return None
    drive = camera.parent
    return RawPlace(drive.parent, drive.name, int(camera.name[-2:]), image.stem)


def files_beside(image: Path) -> list[Path]:
    """Return the calibration and the times that are read beside an image of the raw data."""
    place = raw_place(image)
    if place is None:
        return []
    calibration = [place.date_dir / name for name in (RAW_CAMERA_FILE, RAW_LIDAR_FILE)]
    return [*calibration, image.parent.parent / 'timestamps.txt']


def read_kitti_scan(path: Path) -> NDArray[np.float32]:
    """
    Read a Velodyne scan, float32 (N, 4): x forward, y left, z up in metres, and reflectance.

    Raises
    ------
    RecordingError
        If the file is missing or ends within a point, naming it.

    """
    data = read_bytes(path)
    if not data or len(data) % 16:
        raise RecordingError(
            f'KITTI scan {str(path)!r} should be points of 16 bytes, has {len(data)} bytes: it is '
            'cut off, copy it again'
        )
    return np.frombuffer(data, '<f4').reshape(-1, 4).astype(np.float32, copy=False)


def read_timestamps(path: Path, numbers: Iterable[str]) -> dict[str, int]:
    """
    Read when numbered files of a drive were taken: number n stands in line n, counted from 0.

    Parameters
    ----------
    path : Path
        ``timestamps.txt`` of a camera or of the LiDAR.
    numbers : iterable of str
        As in the names of the files.

    Returns
    -------
    dict of int
        Nanoseconds, by the numbers as they were given; local time, taken as UTC.

    Raises
    ------
    RecordingError
        If the file cannot be read or a line that is needed is no time.

    """
    wanted = list(numbers)
    if not wanted:
        return {}
    lines = read_bytes(path).decode('ascii', 'replace').splitlines()
    return {number: _stamp_ns(path, lines, int(number)) for number in wanted}


def _below(root: Path, name: str, *, depth: int = 2) -> list[Path]:
    """Return the folders of this name in ``root`` or up to ``depth`` levels below."""
    patterns = ['/'.join(['*'] * level + [name]) for level in range(depth + 1)]
    return [found for pattern in patterns for found in sorted(root.glob(pattern))]


def _numbered(folder: Path, extension: str) -> dict[str, Path]:
    """Return the files with a number for a name by that number as written, ascending."""
    found = {path.stem: path for path in folder.glob(f'*.{extension}') if path.stem.isdecimal()}
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def _raw_frames(drive: Path) -> list[KittiFrame]:
    images = _numbered(drive / 'image_02/data', 'png')
    if not images:
        return []
    calibration = read_raw_calibration(drive.parent)
    scans = _numbered(drive / 'velodyne_points/data', 'bin')
    stamps = read_timestamps(drive / 'image_02/timestamps.txt', images)
    scan_stamps = read_timestamps(drive / 'velodyne_points/timestamps.txt', scans)
    return [
        KittiFrame(
            name=f'{drive.name}/{number}',
            image_path=path,
            scan_path=scans.get(number),
            calibration=calibration,
            stamp_ns=stamps[number],
            scan_stamp_ns=scan_stamps.get(number, stamps[number]),
            drive=drive.name,
        )
        for number, path in images.items()
    ]


def _object_frames(splits: Iterable[Path], rate_hz: float) -> list[KittiFrame]:
    images = [image for split in splits for image in _numbered(split / 'image_2', 'png').values()]
    return [
        _object_frame(image, OBJECT_START_NS + round(index * 1e9 / rate_hz))
        for index, image in enumerate(images)
    ]


def _object_frame(image_path: Path, stamp_ns: int) -> KittiFrame:
    split = image_path.parent.parent
    scan_path = split / 'velodyne' / f'{image_path.stem}.bin'
    return KittiFrame(
        name=f'{split.name}/{image_path.stem}',
        image_path=image_path,
        scan_path=scan_path if scan_path.exists() else None,
        calibration=read_object_calibration(split / 'calib' / f'{image_path.stem}.txt'),
        stamp_ns=stamp_ns,
        scan_stamp_ns=stamp_ns,
    )


def _stamp_ns(path: Path, lines: list[str], index: int) -> int:
    """Parse ``2011-09-26 13:02:25.964389445`` without going through float seconds."""
    text = lines[index].strip() if index < len(lines) else ''
    seconds, _, fraction = text.partition('.')
    try:
        whole_s = calendar.timegm(time.strptime(seconds, '%Y-%m-%d %H:%M:%S'))
        nanoseconds = int(fraction.ljust(9, '0')[:9])
    except ValueError as error:
        raise RecordingError(
            f'{str(path)!r}: line {index + 1} should be a time like 2011-09-26 '
            f'13:02:25.964389445, got {text!r}'
        ) from error
    return whole_s * 10**9 + nanoseconds
