# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
KITTI's folders, raw recordings, object detection and odometry: frames, scans, calibration.

::

    raw:     <date>/calib_cam_to_cam.txt, calib_velo_to_cam.txt
             <date>/<date>_drive_NNNN_sync/image_02/{timestamps.txt, data/<10 digits>.png}
             <date>/<date>_drive_NNNN_sync/velodyne_points/{timestamps.txt, data/<10 digits>.bin}
    object:  training/{image_2/NNNNNN.png, velodyne/NNNNNN.bin, calib/NNNNNN.txt}, testing/...
    odometry:  sequences/NN/{image_2/NNNNNN.png, velodyne/NNNNNN.bin, calib.txt, times.txt}
               poses/NN.txt

Images are those of the left colour camera (cam2), rectified; scans may be missing. A LiDAR point x
in homogeneous coordinates is seen at P_rect_02 R_rect_00 T_cam0_velo x (raw), P2 R0_rect
Tr_velo_to_cam x (object) or P2 Tr x (odometry). Source: Geiger, Lenz, Stiller, Urtasun, "Vision
meets Robotics: The KITTI Dataset", IJRR 2013, section IV, and the development kits' readme files.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
import time
from typing import Final

from clip_depth_ros.core.transforms import Matrix4
from clip_depth_ros.errors import CalibrationError, ConfigError, RecordingError
from clip_depth_ros.sources.files import read_bytes
from clip_depth_ros.sources.kitti_calibration import (
    KittiCalibration,
    RAW_CAMERA_FILE,
    RAW_LIDAR_FILE,
    read_object_calibration,
    read_odometry_calibration,
    read_raw_calibration,
)
import numpy as np
from numpy.typing import NDArray

RAW_CAMERAS: Final = {'l': 'image_02', 'r': 'image_03'}

OBJECT_START_NS: Final = 1_317_042_000 * 10**9
"""Our choice: where there is no date, frames start at 2011-09-26 13:00 UTC."""

_TIMES: Final = 'timestamps.txt'


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
        Raw, odometry: name of the recording. Empty for object frames: each is a moment of its
        own, and their stamps are our choice.
    T_world_camera : float64 (4, 4), optional
        Takes points of the camera to where it was at the first frame, where known.

    """

    name: str
    image_path: Path
    scan_path: Path | None
    calibration: KittiCalibration
    stamp_ns: int
    scan_stamp_ns: int
    drive: str = ''
    T_world_camera: Matrix4 | None = None


def find_kitti_frames(
    folder: str | Path, *, rate_hz: float = 10.0, drive_rate_hz: float = 0.0
) -> list[KittiFrame]:
    """
    Return the frames of a KITTI folder in the order of their stamps.

    Parameters
    ----------
    folder : str or Path
        Raw: a drive, a date or the root of dates. Object: the root, or one of its splits.
        Odometry: the root, its sequences, or one of them.
    rate_hz : float
        Frame rate of object frames, which have no stamps; KITTI's cameras ran at 10 Hz.
    drive_rate_hz : float
        The same of drives and sequences whose file of times is missing; 0: it must be there.

    Raises
    ------
    RecordingError
        If this is no KITTI folder, saying what was looked for, or a file is missing or damaged.
    CalibrationError
        If a drive is not rectified.
    ConfigError
        If the rate is not positive.

    """
    root = Path(folder)
    if not rate_hz > 0:
        raise ConfigError(f'frame rate must be positive, got {rate_hz!r} Hz')
    raw_frames = [
        frame for drive in raw_drives(root) for frame in _raw_frames(drive, drive_rate_hz)
    ]
    raw_frames += [
        frame
        for sequence in odometry_sequences(root)
        for frame in _odometry_frames(sequence, drive_rate_hz)
    ]
    object_frames = _object_frames(object_splits(root), rate_hz)
    frames = sorted(raw_frames, key=lambda frame: frame.stamp_ns) + object_frames
    if not frames:
        raise RecordingError(
            f'{str(root)!r} is no KITTI folder: looked for image_02/data/<number>.png (raw: in it '
            'or up to two levels below) and image_2/<number>.png (object: in it or one level '
            'below; odometry: beside calib.txt, in it or up to two levels below)'
        )
    return frames


def raw_drives(root: Path) -> list[Path]:
    """Return the drives of the raw data that a folder is, or holds up to two levels below."""
    return [found.parent.parent for found in _below(root, 'image_02/data')]


def object_splits(root: Path) -> list[Path]:
    """Return training and testing of the object data that a folder is one of, or holds."""
    splits = [found.parent for found in _below(root, 'image_2', depth=1)]
    return [split for split in splits if not (split / 'calib.txt').is_file()]


def odometry_sequences(root: Path) -> list[Path]:
    """Return the sequences that a folder is, or holds up to two levels below."""
    found = [images.parent for images in _below(root, 'image_2')]
    return [sequence for sequence in found if (sequence / 'calib.txt').is_file()]


def check_rectified(drive: Path) -> None:
    """Refuse, with CalibrationError, a drive of images as they were before rectifying."""
    if drive.resolve().name.endswith('_extract'):
        raise CalibrationError(
            f'{str(drive)!r} has images before rectifying, and LiDAR that was not synchronised: '
            "KITTI's calibration and depth are for the _sync drive, name that one"
        )


def times_missing(root: Path) -> bool:
    """Return whether a drive or sequence in a folder has no file that says when it was."""
    files = [drive / 'image_02' / _TIMES for drive in raw_drives(root)]
    files += [sequence / 'times.txt' for sequence in odometry_sequences(root)]
    return not all(file.is_file() for file in files)


def counted_stamps(path: Path, numbers: Iterable[str], rate_hz: float) -> dict[str, int]:
    """
    Return stamps of numbered files where the file that holds them is missing: n / rate.

    RecordingError if no rate is named.
    """
    if not rate_hz:
        raise RecordingError(
            f'{str(path)!r} is not there, which says when images were taken: complete the data '
            "set, or say how many images a second there are, frame_rate_hz (KITTI's: 10; "
            'clip-depth bag kitti: --rate)'
        )
    return {n: OBJECT_START_NS + round(int(n) * 1e9 / rate_hz) for n in numbers}


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
    """Return calibration, times and poses that are read beside an image of a drive."""
    place, folder = raw_place(image), image.parent.parent
    if place is not None:
        calibration = [place.date_dir / name for name in (RAW_CAMERA_FILE, RAW_LIDAR_FILE)]
        return [*calibration, folder / _TIMES]
    if (folder / 'calib.txt').is_file():
        return [folder / 'calib.txt', folder / 'times.txt', _poses_path(folder)]
    return []


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


def _raw_frames(drive: Path, rate_hz: float) -> list[KittiFrame]:
    images = _numbered(drive / 'image_02/data', 'png')
    if not images:
        return []
    check_rectified(drive)
    calibration = read_raw_calibration(drive.parent)
    scans = _numbered(drive / 'velodyne_points/data', 'bin')
    times, scan_times = drive / 'image_02' / _TIMES, drive / 'velodyne_points' / _TIMES
    if times.is_file():
        stamps = read_timestamps(times, images)
    else:
        stamps = counted_stamps(times, images, rate_hz)
    # Images and scans of one number belong together, whatever is known of their times.
    is_told = times.is_file() and scan_times.is_file()
    scan_stamps = read_timestamps(scan_times, scans) if is_told else {}
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


def _odometry_frames(sequence: Path, rate_hz: float) -> list[KittiFrame]:
    images = _numbered(sequence / 'image_2', 'png')
    if not images:
        return []
    calibration, T_cam0_cam2 = read_odometry_calibration(sequence / 'calib.txt')
    scans = _numbered(sequence / 'velodyne', 'bin')
    times = sequence / 'times.txt'
    stamps = (
        _read_seconds(times, images) if times.is_file()
        else counted_stamps(times, images, rate_hz)
    )
    poses = _read_poses(_poses_path(sequence))
    return [
        KittiFrame(
            name=f'{sequence.name}/{number}',
            image_path=path,
            scan_path=scans.get(number),
            calibration=calibration,
            stamp_ns=stamps[number],
            scan_stamp_ns=stamps[number],
            drive=sequence.name,
            T_world_camera=(
                poses[int(number)] @ T_cam0_cam2 if int(number) < len(poses) else None
            ),
        )
        for number, path in images.items()
    ]


def _poses_path(sequence: Path) -> Path:
    return sequence.resolve().parent.parent / 'poses' / f'{sequence.resolve().name}.txt'


def _read_seconds(path: Path, numbers: Iterable[str]) -> dict[str, int]:
    """Read ``times.txt``: seconds since the first frame; number n stands in line n, from 0."""
    lines = read_bytes(path).decode('ascii', 'replace').splitlines()
    stamps = {}
    for number in numbers:
        text = lines[int(number)].strip() if int(number) < len(lines) else ''
        try:
            stamps[number] = OBJECT_START_NS + int(Decimal(text).scaleb(9).to_integral_value())
        except (ArithmeticError, ValueError) as error:
            raise RecordingError(
                f'{str(path)!r}: line {int(number) + 1} should be seconds, got {text!r}'
            ) from error
    return stamps


def _read_poses(path: Path) -> NDArray[np.float64]:
    """Read where cam0 was in each frame, (N, 4, 4): 12 numbers a line; none if not there."""
    if not path.is_file():
        return np.empty((0, 4, 4))
    try:
        top = np.loadtxt(path, ndmin=2).reshape(-1, 3, 4)
    except (OSError, ValueError) as error:
        raise RecordingError(
            f'poses {str(path)!r} should be 12 numbers in each line: {error}'
        ) from error
    last = np.broadcast_to([0.0, 0.0, 0.0, 1.0], (len(top), 1, 4))
    return np.concatenate([top, last], axis=1)


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
