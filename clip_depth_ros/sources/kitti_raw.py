# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""KITTI's raw images as a split file lists them, with annotated depth or what its LiDAR saw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.projection import LidarPixel, LidarValue
from clip_depth_ros.errors import RecordingError
from clip_depth_ros.sources.depth_files import KITTI_PER_METRE, read_depth_png, read_rgb, sample_of
from clip_depth_ros.sources.kitti import read_timestamps
from clip_depth_ros.sources.kitti_calibration import (
    KittiCalibration,
    RAW_CAMERA_FILE,
    RAW_LIDAR_FILE,
    read_raw_calibration,
)
from clip_depth_ros.sources.kitti_lidar import depth_of_scan
from clip_depth_ros.sources.kitti_split import (
    annotated_files,
    files_beside,
    KittiFiles,
    lidar_files,
    raw_place,
)
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.sources.split_files import (
    check_none_missing,
    describe_split,
    first_file,
    read_split,
    SplitLine,
)
from clip_depth_ros.types import Depth, Rgb

KittiGt = Literal['annotated', 'raw-lidar']

_STAMPS: Final = 'timestamps.txt'


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame whose files are there; its recording is empty where they lie as nowhere in KITTI."""

    name: str
    image: Path
    gt: Path
    recording: str
    stamp_ns: int | None
    calibration: KittiCalibration | None


class KittiSource:
    """
    The frames of a split file that have ground truth.

    Parameters
    ----------
    data_dir : Path
        Root of the raw recordings.
    split_path : Path
        The split file, of one of the two kinds in :mod:`clip_depth_ros.sources.kitti_split`.
    depth_dir : Path, optional
        Root of the annotated depth maps; by default ``data_dir``.
    gt : {'annotated', 'raw-lidar'}
        The improved depth of the depth benchmark, or the Velodyne scan of the frame, projected.
    lidar_value, lidar_pixel
        As in :func:`sparse_depth`.
    allow_missing : bool
        Leave out listed files that are not there, as ``problems``, rather than raise.

    Attributes
    ----------
    n_without_depth : int
        Lines left out because there is no depth: ``None`` in BTS's lists; in monodepth2's, frames
        without a depth map (the first and last of each drive have none).
    problems : list of (str, str)
        Frames whose files are missing, and what was looked for.

    Raises
    ------
    RecordingError
        If the split file cannot be read, a line is of neither kind or leads out of the data set,
        an image or its ground truth is missing, no frame has any, or times are damaged.
    CalibrationError
        If a calibration file is damaged.

    Notes
    -----
    Intrinsics come from the date's calibration files where they are there (with LiDAR they must
    be); a focal length in the list is not used, as it says nothing of the principal point. Stamps
    come from ``timestamps.txt`` beside the images where it is there.

    """

    def __init__(
        self,
        data_dir: Path,
        split_path: Path,
        *,
        depth_dir: Path | None = None,
        gt: KittiGt = 'annotated',
        lidar_value: LidarValue = 'z',
        lidar_pixel: LidarPixel = 'nearest',
        allow_missing: bool = False,
    ) -> None:
        self.name = f'KITTI ({split_path.name})'
        self.gt_kind: KittiGt = gt
        self.problems: list[tuple[str, str]] = []
        self._data_dir, self._depth_dir = data_dir, depth_dir or data_dir
        self._split_path = split_path
        self._lidar_value, self._lidar_pixel = lidar_value, lidar_pixel
        lines = read_split(split_path)
        found = list(self._find([self._files(line) for line in lines], allow_missing))
        self.n_without_depth = len(lines) - len(found) - len(self.problems)
        if not found:
            raise RecordingError(self._no_frames(len(lines)))
        self._frames = _completed(found, gt)

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def files(self) -> list[Path]:
        """Give the files that the frames are read from, or would be if they were there."""
        of_frames = (
            path
            for frame in self._frames
            for path in (frame.image, frame.gt, *files_beside(frame.image))
        )
        return [self._split_path, *dict.fromkeys(of_frames)]

    @property
    def names(self) -> list[str]:
        """Give the names of all frames."""
        return [frame.name for frame in self._frames]

    def __getitem__(self, index: int) -> DepthSample:
        """Give a frame."""
        frame = self._frames[index]
        rgb = read_rgb(frame.image)
        height, width = rgb.shape[:2]
        camera = frame.calibration
        intrinsics = camera.intrinsics(width, height) if camera else None
        sample = sample_of(frame.name, rgb, self._gt(frame, rgb), intrinsics)
        return replace(sample, stamp_ns=frame.stamp_ns, recording=frame.recording)

    def describe(self) -> Mapping[str, str]:
        """Give what decides the frames."""
        return {
            'source': 'kitti',
            'data_dir': str(self._data_dir),
            **self._gt_facts(),
            **describe_split(self._split_path),
            'frames': str(len(self)),
            'left_out_without_depth': str(self.n_without_depth),
            **({'left_out_missing': str(len(self.problems))} if self.problems else {}),
        }

    def _gt_facts(self) -> dict[str, str]:
        if self.gt_kind == 'annotated':
            return {'depth_dir': str(self._depth_dir)}
        return {
            'gt': self.gt_kind, 'lidar_value': self._lidar_value, 'lidar_pixel': self._lidar_pixel
        }

    def _gt(self, frame: _Frame, rgb: Rgb) -> Depth:
        if self.gt_kind == 'annotated':
            return read_depth_png(frame.gt, KITTI_PER_METRE)
        assert frame.calibration is not None  # such frames stand as in the raw data
        return depth_of_scan(
            frame.gt,
            frame.calibration,
            Size(*rgb.shape[:2]),
            value=self._lidar_value,
            pixel=self._lidar_pixel,
        )

    def _files(self, line: SplitLine) -> KittiFiles:
        if self.gt_kind == 'annotated':
            return annotated_files(line, self._data_dir, self._depth_dir)
        return lidar_files(line, self._data_dir)

    def _find(
        self, named: list[KittiFiles], allow_missing: bool
    ) -> Iterator[tuple[str, Path, Path]]:
        """Give name, image and ground truth of the frames that have both."""
        what = {'annotated': 'depth maps', 'raw-lidar': 'LiDAR scans'}[self.gt_kind]
        missing: dict[str, dict[str, Path]] = {'images': {}, what: {}}
        for files in named:
            image, gt = first_file(files.images), first_file(files.gts)
            if image is not None and gt is not None:
                yield files.name, image, gt
            elif image is None:
                missing['images'][files.line.where] = files.images[0]
            elif not files.may_lack_gt:
                missing[what][files.line.where] = files.gts[0]
        if sum(map(len, missing.values())) < len(named) and allow_missing:
            self.problems += _as_problems(missing)
            return
        for kind, paths in missing.items():
            check_none_missing(paths, len(named), kind)

    def _no_frames(self, n_lines: int) -> str:
        return (
            f'none of the {n_lines} frames of {str(self._split_path)!r} has a depth map below '
            f'{str(self._depth_dir)!r}: set depth_dir to the folder of the annotated depth'
        )


def _as_problems(missing: Mapping[str, Mapping[str, Path]]) -> list[tuple[str, str]]:
    """Give the line, and what it names that is not there."""
    return [
        (where, f'{kind.removesuffix("s")} {str(path)!r} is not there')
        for kind, paths in missing.items()
        for where, path in paths.items()
    ]


def _completed(found: Iterable[tuple[str, Path, Path]], gt: KittiGt) -> list[_Frame]:
    """Add to frames what stands beside them: drive, time, calibration."""
    frames = [
        _Frame(name, image, path, _drive(image), stamp_ns=None, calibration=None)
        for name, image, path in found
    ]
    stamps = _stamps(frame.image for frame in frames)
    calibrations: dict[tuple[Path, int], KittiCalibration | None] = {}
    for index, frame in enumerate(frames):
        place = raw_place(frame.image)
        if place is None:
            continue
        # Rectified cameras share their K; only where the LiDAR is differs.
        key = (place.date_dir, place.camera if gt == 'raw-lidar' else 2)
        if key not in calibrations:
            calibrations[key] = _calibration(*key, is_needed=gt == 'raw-lidar')
        frames[index] = replace(
            frame, stamp_ns=stamps.get(frame.image), calibration=calibrations[key]
        )
    return frames


def _drive(image: Path) -> str:
    place = raw_place(image)
    return place.drive if place else ''


def _stamps(images: Iterable[Path]) -> dict[Path, int]:
    """Give when each image was taken, of those beside whose folder it is written."""
    cameras: dict[Path, list[Path]] = {}
    for image in images:
        if raw_place(image):
            cameras.setdefault(image.parent.parent, []).append(image)
    return {
        image: stamps[image.stem]
        for camera, of_camera in cameras.items()
        if (camera / _STAMPS).is_file()
        for stamps in [read_timestamps(camera / _STAMPS, [path.stem for path in of_camera])]
        for image in of_camera
    }


def _calibration(date_dir: Path, camera: int, *, is_needed: bool) -> KittiCalibration | None:
    """Give the calibration of a date; None where there is none and it is not needed."""
    paths = [date_dir / name for name in (RAW_CAMERA_FILE, RAW_LIDAR_FILE)]
    if not is_needed and not all(path.is_file() for path in paths):
        return None
    return read_raw_calibration(date_dir, camera=camera)
