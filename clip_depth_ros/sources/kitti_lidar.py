# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""KITTI's folders with what its LiDAR saw as ground truth: object detection, and whole drives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.projection import (
    LidarPixel,
    LidarValue,
    projection_matrix,
    sparse_depth,
)
from clip_depth_ros.errors import RecordingError
from clip_depth_ros.sources.depth_files import read_rgb, sample_of
from clip_depth_ros.sources.kitti import find_kitti_frames, KittiFrame, read_kitti_scan
from clip_depth_ros.sources.kitti_calibration import KittiCalibration
from clip_depth_ros.sources.kitti_split import files_beside
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.sources.split_files import describe_split, read_split, SplitLine
from clip_depth_ros.types import Depth


class KittiLidarSource:
    """
    The frames of a KITTI folder that have a Velodyne scan.

    Parameters
    ----------
    root : Path
        Raw: a drive, a date or the root of dates. Object: the root, or one of its splits.
    split_path : Path, optional
        Which frames, in which order: lines with the name of a frame, ``training/000114`` or
        ``2011_09_26_drive_0002_sync/0000000005``, or its last part alone, as in the object data's
        ImageSets. By default all.
    value, pixel
        What a point stands for and where it falls, as in :func:`sparse_depth`.

    Attributes
    ----------
    n_without_scan : int
        Images left out because there is no scan.

    Raises
    ------
    RecordingError
        If this is no KITTI folder, no image has a scan, a file is damaged, or the list names a
        frame that is not there or is there twice.
    CalibrationError
        If a calibration file is damaged.

    Notes
    -----
    One sweep is sparse, and sees behind what stands before the camera: the LiDAR is above it.
    Object frames are moments on their own: they have neither stamp nor recording.

    """

    def __init__(
        self,
        root: Path,
        *,
        split_path: Path | None = None,
        value: LidarValue = 'z',
        pixel: LidarPixel = 'nearest',
    ) -> None:
        self.name = f'KITTI ({(split_path or root.resolve()).name})'
        self._root, self._split_path = root, split_path
        self._value, self._pixel = value, pixel
        frames = find_kitti_frames(root)
        chosen = _listed(frames, split_path) if split_path else frames
        self._frames = [frame for frame in chosen if frame.scan_path is not None]
        self.n_without_scan = len(chosen) - len(self._frames)
        if not self._frames:
            raise RecordingError(
                f'none of the {len(chosen)} images of {str(root)!r} has a Velodyne scan: looked '
                'for velodyne/<number>.bin (object) and velodyne_points/data/<number>.bin (raw); '
                'unpack the scans, or name the folder of the annotated depth (gt_dir)'
            )

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def files(self) -> list[Path]:
        """Give the files that the frames are read from."""
        lists = [self._split_path] if self._split_path else []
        return lists + list(dict.fromkeys(path for f in self._frames for path in _files_of(f)))

    @property
    def names(self) -> list[str]:
        """Give the names of all frames."""
        return [frame.name for frame in self._frames]

    def __getitem__(self, index: int) -> DepthSample:
        """Give a frame."""
        frame = self._frames[index]
        assert frame.scan_path is not None  # those without were left out
        rgb = read_rgb(frame.image_path)
        size = Size(*rgb.shape[:2])
        target_m = depth_of_scan(
            frame.scan_path, frame.calibration, size, value=self._value, pixel=self._pixel
        )
        intrinsics = frame.calibration.intrinsics(size.width, size.height)
        sample = sample_of(frame.name, rgb, target_m, intrinsics)
        stamp_ns = frame.stamp_ns if frame.drive else None
        return replace(sample, stamp_ns=stamp_ns, recording=frame.drive)

    def describe(self) -> Mapping[str, str]:
        """Give what decides the frames."""
        return {
            'source': 'kitti',
            'data_dir': str(self._root),
            'gt': 'raw-lidar',
            'lidar_value': self._value,
            'lidar_pixel': self._pixel,
            **(describe_split(self._split_path) if self._split_path else {}),
            'frames': str(len(self)),
            'left_out_without_scan': str(self.n_without_scan),
        }


def _files_of(frame: KittiFrame) -> list[Path]:
    assert frame.scan_path is not None  # those without were left out
    image = frame.image_path
    beside = files_beside(image) or [image.parent.parent / 'calib' / f'{image.stem}.txt']
    return [image, frame.scan_path, *beside]


def depth_of_scan(
    path: Path,
    calibration: KittiCalibration,
    size: Size,
    *,
    value: LidarValue = 'z',
    pixel: LidarPixel = 'nearest',
) -> Depth:
    """
    Give the sparse depth image of a Velodyne scan, float32 (H, W), metres; 0 where no point falls.

    Parameters
    ----------
    path : Path
        Of the scan.
    calibration : KittiCalibration
        Of the camera and the LiDAR.
    size : Size
        Of the image.
    value, pixel
        As in :func:`sparse_depth`.

    Raises
    ------
    RecordingError
        If the scan cannot be read, naming it.

    """
    intrinsics = calibration.intrinsics(size.width, size.height)
    P = projection_matrix(intrinsics, calibration.T_cam2_velo)
    return sparse_depth(read_kitti_scan(path), P, size, value=value, pixel=pixel)


def _listed(frames: list[KittiFrame], split_path: Path) -> list[KittiFrame]:
    """Give the frames that a list names, by whole name or by its last part."""
    by_name: dict[str, list[KittiFrame]] = defaultdict(list)
    for frame in frames:
        for name in {frame.name, frame.name.rpartition('/')[2]}:
            by_name[name].append(frame)
    return [_frame(by_name, line) for line in read_split(split_path)]


def _frame(by_name: Mapping[str, list[KittiFrame]], line: SplitLine) -> KittiFrame:
    wanted = ' '.join(line.words)
    found = by_name.get(wanted, [])
    if len(found) == 1:
        return found[0]
    if found:
        names = ' and '.join(frame.name for frame in found[:2])
        raise RecordingError(
            f'{line.where}: {wanted!r} could be {names}: write the whole name of the frame'
        )
    known = next(iter(by_name))
    raise RecordingError(
        f'{line.where}: there is no frame {wanted!r}; a line should be the name of a frame such '
        f'as {known!r}'
    )
