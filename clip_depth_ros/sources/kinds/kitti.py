# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
KITTI's raw images as a split file lists them, with annotated depth or what its LiDAR saw.

::

    <data_dir>/<date>/<drive>/image_02/data/<10 digits>.png         (or .jpg, or image_03)
    <data_dir>/<date>/<drive>/velodyne_points/data/<10 digits>.bin
    <depth_dir>/[train/ or val/]<drive>/proj_depth/groundtruth/image_02/<10 digits>.png

Lines are those of BTS, ``image depth [focal]`` with paths below the two folders and ``None`` for
missing depth, or those of monodepth2, ``date/drive frame side`` with side l or r.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.bags.places import Matching
from clip_depth_ros.errors import ConfigError, RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.cameras import camera_facts, FolderCamera
from clip_depth_ros.sources.files import (
    check_none_missing,
    first_file,
    KITTI_PER_METRE,
    path_below,
    read_split,
    SplitLine,
)
from clip_depth_ros.sources.folders import FolderFrame, FolderSource, PointsFrame
from clip_depth_ros.sources.kinds.kitti_object import (
    lidar_facts,
    lidar_rules,
    open_kitti_lidar,
)
from clip_depth_ros.sources.kitti_calibration import (
    camera_of_date,
    KittiCalibration,
    RAW_CAMERA_FILE,
    RAW_LIDAR_FILE,
    read_raw_calibration,
)
from clip_depth_ros.sources.kitti_files import (
    check_rectified,
    counted_stamps,
    files_beside,
    RAW_CAMERAS,
    raw_drives,
    raw_place,
    read_kitti_scan,
    read_timestamps,
)
from clip_depth_ros.sources.registry import FrameRules, Kind, path_or_none
from clip_depth_ros.sources.truth import TruthRules

_STAMPS: Final = 'timestamps.txt'
_NO_DEPTH: Final = 'none'


def open_kitti(data_dir: Path, settings: SourceSettings, rules: FrameRules) -> FolderSource:
    """
    Open the frames of a split file that have ground truth; without one, all with LiDAR.

    Intrinsics come from the date's calibration files where they are there (with LiDAR they must
    be), else they are those that are known of the date; a focal length in the list is not used, as
    it says nothing of the principal point. Stamps
    come from ``timestamps.txt`` beside the images where it is there. ``matching`` counts the lines
    without depth: ``None`` in BTS's lists; in monodepth2's, frames without a depth map (the first
    and last of each drive have none).

    Raises
    ------
    ConfigError
        If there is annotated depth but no split file.
    RecordingError
        If the split file cannot be read, a line is of neither kind or leads out of the data set,
        an image or its ground truth is missing, no frame has any, or times are damaged.
    CalibrationError
        If a calibration file is damaged, or a drive is not rectified.

    """
    split, gt_dir = path_or_none(settings.split), path_or_none(settings.gt_dir)
    is_scaled = settings.calibration_scaling
    if split is None and gt_dir is not None:
        raise ConfigError(
            "KITTI's annotated depth (gt_dir) needs `split`: a file with lines 'image depth "
            "[focal]' (as BTS has them) or 'date/drive frame side' (monodepth2)"
        )
    if split is None:
        return open_kitti_lidar(data_dir, settings, rules)
    is_annotated = gt_dir is not None or rules.annotated_below
    if is_annotated:
        settings.refuse('lidar_min_range_m', because='as the truth is annotated depth')
    depth_dir = gt_dir or data_dir
    lines = read_split(split)
    named = [
        _annotated_files(line, data_dir, depth_dir) if is_annotated
        else _lidar_files(line, data_dir)
        for line in lines
    ]
    found, missing = _found(named, 'depth maps' if is_annotated else 'LiDAR scans')
    problems = [
        (where, f'{what.removesuffix("s")} {str(path)!r} is not there')
        for what, paths in missing.items()
        for where, path in paths.items()
    ]
    for what, paths in missing.items():
        if not rules.allow_missing or len(problems) == len(lines):
            check_none_missing(paths, len(lines), what)
    if not found:
        raise RecordingError(
            f'none of the {len(lines)} frames of {str(split)!r} has a depth map below '
            f'{str(depth_dir)!r}: set gt_dir to the folder of the annotated depth'
        )
    stamps = _stamps((image for _, image, _ in found), settings)
    n_without = len(lines) - len(found) - len(problems)
    truth = None if is_annotated else lidar_rules(settings, rules)
    facts = {
        **(lidar_facts(truth) if truth else {'depth_dir': str(depth_dir)}),
        **camera_facts(settings),
        'left_out_without_depth': str(n_without),
        **({'left_out_missing': str(len(problems))} if problems else {}),
    }
    return FolderSource(
        'kitti', f'KITTI ({split.name})', data_dir,
        _frames(found, truth, stamps, is_scaled=is_scaled), facts, split=split,
        gt_kind='annotated' if is_annotated else 'raw-lidar',
        matching=Matching(len(found) + n_without, n_without), problems=problems,
    )


KIND: Final = Kind(
    looks_like='raw drives, with gt_dir and split, or with their LiDAR', recognises=raw_drives,
    uses={
        'gt_dir', 'split', 'frame_rate_hz', 'calibration_scaling', 'lidar_min_range_m',
        'max_image_pixels',
    },
    opened=open_kitti,
)


@dataclass(frozen=True, slots=True)
class _Files:
    """
    What one line names: where its image and its ground truth may be, in the order of trying.

    There are no ``gts`` where the line says so; ``may_lack_gt``: it is usual that there are none.
    """

    where: str
    name: str
    images: tuple[Path, ...]
    gts: tuple[Path, ...]
    may_lack_gt: bool


_Found = list[tuple[str, Path, Path]]
"""Name, image and ground truth of frames that have both."""


def _found(named: Iterable[_Files], gts: str) -> tuple[_Found, dict[str, dict[str, Path]]]:
    """Return the frames that have both files, and by kind and line what is missing of others."""
    found: _Found = []
    missing: dict[str, dict[str, Path]] = {'images': {}, gts: {}}
    for files in named:
        image, gt = first_file(files.images), first_file(files.gts)
        if image is not None and gt is not None:
            found.append((files.name, image, gt))
        elif image is None:
            missing['images'][files.where] = files.images[0]
        elif not files.may_lack_gt:
            missing[gts][files.where] = files.gts[0]
    return found, missing


def _frames(
    found: _Found, lidar: TruthRules | None, stamps: Mapping[Path, int], *, is_scaled: bool
) -> list[FolderFrame]:
    """Return frames with what stands beside them: drive, time, calibration."""
    calibrations: dict[tuple[Path, int], KittiCalibration | None] = {}
    check_drive = cache(check_rectified)  # once for each drive, not for each of its frames
    frames: list[FolderFrame] = []
    for name, image, gt in found:
        place, calibration = raw_place(image), None
        if place is not None:
            check_drive(place.date_dir / place.drive)
            # Rectified cameras share their K; only where the LiDAR is differs.
            key = (place.date_dir, place.camera if lidar else 2)
            if key not in calibrations:
                calibrations[key] = _calibration(*key, is_needed=bool(lidar))
            calibration = calibrations[key]
        facts: dict[str, Any] = {
            'name': name,
            'image': image,
            'gt': gt,
            'beside': tuple(files_beside(image)),
            'camera': (
                FolderCamera(partial(calibration.intrinsics, is_scaled=is_scaled))
                if calibration
                else camera_of_date(place.date_dir.name if place else '', is_scaled=is_scaled)
            ),
            'stamp_ns': stamps.get(image),
            'recording': place.drive if place else '',
        }
        if lidar:
            assert calibration is not None  # such images stand as in the raw data
            frames.append(PointsFrame(
                **facts, rules=lidar, T_camera_points=calibration.T_cam2_velo,
                read_points=read_kitti_scan,
            ))
        else:
            frames.append(FolderFrame(**facts, per_metre=KITTI_PER_METRE))
    return frames


def _stamps(images: Iterable[Path], settings: SourceSettings) -> dict[Path, int]:
    """
    Return when each image was taken, where it is written beside its folder, or a rate is named.

    ConfigError if a rate is named, and it is written everywhere.
    """
    cameras: dict[Path, list[Path]] = {}
    for image in images:
        if raw_place(image):
            cameras.setdefault(image.parent.parent, []).append(image)
    rate_hz = settings.frame_rate_hz
    stamps: dict[Path, int] = {}
    is_written = [(camera / _STAMPS).is_file() for camera in cameras]
    if rate_hz and all(is_written):
        settings.refuse('frame_rate_hz', because='as all times of the images are there')
    for (camera, of_camera), is_there in zip(cameras.items(), is_written, strict=True):
        path, numbers = camera / _STAMPS, [image.stem for image in of_camera]
        by_number: dict[str, int] = {}
        if is_there:
            by_number = read_timestamps(path, numbers)
        elif rate_hz:
            by_number = counted_stamps(path, numbers, rate_hz)
        stamps |= {image: by_number[image.stem] for image in of_camera if by_number}
    return stamps


def _calibration(date_dir: Path, camera: int, *, is_needed: bool) -> KittiCalibration | None:
    """Return the calibration of a date; None where there is none and it is not needed."""
    paths = [date_dir / name for name in (RAW_CAMERA_FILE, RAW_LIDAR_FILE)]
    if not is_needed and not all(path.is_file() for path in paths):
        return None
    return read_raw_calibration(date_dir, camera=camera)


def _annotated_files(line: SplitLine, data_dir: Path, depth_dir: Path) -> _Files:
    """Return image and annotated depth of a line."""
    # KITTI's archives unpack into train/ and val/.
    depth_roots = (depth_dir, depth_dir / 'train', depth_dir / 'val')
    words = line.words
    if _is_monodepth2(words):
        camera, number = RAW_CAMERAS[words[2]], words[1].zfill(10)
        drive = path_below(depth_dir, words[0], line)
        drives = [*(root / drive.name for root in depth_roots), drive]
        gts = [folder / 'proj_depth/groundtruth' / camera / f'{number}.png' for folder in drives]
        may_lack_gt = True  # the first and last frames of each drive have none
    elif words[1:2] and words[1].lower() == _NO_DEPTH:
        gts, may_lack_gt = [], True
    else:
        gts = [path_below(root, word, line) for word in words[1:2] for root in depth_roots]
        may_lack_gt = False
    return _Files(line.where, _name(words), _images(line, data_dir), tuple(gts), may_lack_gt)


def _lidar_files(line: SplitLine, data_dir: Path) -> _Files:
    """Return image and LiDAR scan of a line; its depth map, if it names one, is not asked for."""
    images = _images(line, data_dir)
    place = raw_place(images[0])
    if place is None:
        raise RecordingError(
            f'{line.where}: {str(images[0])!r} should be below image_02/data or image_03/data as '
            'in the raw data, so that its LiDAR scan is found: correct the list, or name the '
            'folder of the annotated depth (gt_dir)'
        )
    scan = place.date_dir / place.drive / 'velodyne_points/data' / f'{place.number}.bin'
    return _Files(line.where, _name(line.words), images, (scan,), may_lack_gt=False)


def _images(line: SplitLine, data_dir: Path) -> tuple[Path, ...]:
    """Return where the image may be: the data is large, and many keep it as JPEG."""
    words = line.words
    if _is_monodepth2(words):
        folder = path_below(data_dir, words[0], line) / RAW_CAMERAS[words[2]] / 'data'
        return tuple(folder / f'{words[1].zfill(10)}{suffix}' for suffix in ('.png', '.jpg'))
    if len(words) not in (2, 3):
        raise RecordingError(
            f'{line.where}: a line should be "image depth [focal]" or "date/drive frame side", '
            f'got {" ".join(words)!r}'
        )
    image = path_below(data_dir, words[0], line)
    return (image, image.with_suffix('.jpg'))


def _is_monodepth2(words: Sequence[str]) -> bool:
    return len(words) == 3 and words[1].isdecimal() and words[2] in RAW_CAMERAS


def _name(words: Sequence[str]) -> str:
    return ' '.join(words) if _is_monodepth2(words) else words[0]
