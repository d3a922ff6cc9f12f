# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
KITTI's folders with what its LiDAR saw as ground truth: object detection, and whole drives.

One sweep is sparse, and sees behind what stands before the camera: the LiDAR is above it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from clip_depth_ros.bags.places import Matching
from clip_depth_ros.errors import RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.cameras import camera_facts, FolderCamera
from clip_depth_ros.sources.files import read_split, SplitLine
from clip_depth_ros.sources.folders import FolderSource, PointsFrame
from clip_depth_ros.sources.kitti_files import (
    files_beside,
    find_kitti_frames,
    KittiFrame,
    object_splits,
    read_kitti_scan,
    times_missing,
)
from clip_depth_ros.sources.registry import FrameRules, Kind, path_or_none
from clip_depth_ros.sources.truth import TruthRules


def open_kitti_lidar(root: Path, settings: SourceSettings, rules: FrameRules) -> FolderSource:
    """
    Open the frames of a KITTI folder that have a Velodyne scan.

    Raw: a drive, a date or the root of dates. Odometry: a sequence or the root. Object: the root,
    or one of its splits; such frames are moments on their own, with neither stamp nor recording.
    Stamps of the others come from their files of times, or, where those are missing, from
    frame_rate_hz. Lines of a split file are names of
    frames, ``training/000114`` or ``2011_09_26_drive_0002_sync/0000000005``, or their last part
    alone, as in the object data's ImageSets.

    Raises
    ------
    RecordingError
        If this is no KITTI folder, no image has a scan, a file is damaged, or the list names a
        frame that is not there or is there twice.
    CalibrationError
        If a calibration file is damaged.

    """
    split, is_scaled = path_or_none(settings.split), settings.calibration_scaling
    if settings.frame_rate_hz and not times_missing(root):
        settings.refuse('frame_rate_hz', because='as all times of the images are there')
    found = find_kitti_frames(root, drive_rate_hz=settings.frame_rate_hz)
    chosen = _listed(found, split) if split else found
    truth = lidar_rules(settings, rules)
    frames = [
        PointsFrame(
            name=frame.name,
            image=frame.image_path,
            gt=frame.scan_path,
            beside=tuple(_beside(frame.image_path)),
            camera=FolderCamera(partial(frame.calibration.intrinsics, is_scaled=is_scaled)),
            stamp_ns=frame.stamp_ns if frame.drive else None,
            recording=frame.drive,
            T_world_camera=frame.T_world_camera,
            T_camera_points=frame.calibration.T_cam2_velo,
            read_points=read_kitti_scan,
            rules=truth,
        )
        for frame in chosen
        if frame.scan_path is not None
    ]
    if not frames:
        raise RecordingError(
            f'none of the {len(chosen)} images of {str(root)!r} has a Velodyne scan: looked '
            'for velodyne/<number>.bin (object) and velodyne_points/data/<number>.bin (raw); '
            'unpack the scans, or name the folder of the annotated depth (gt_dir)'
        )
    n_without = len(chosen) - len(frames)
    facts = {
        **lidar_facts(truth),
        **camera_facts(settings),
        'left_out_without_scan': str(n_without),
    }
    return FolderSource(
        'kitti', f'KITTI ({(split or root.resolve()).name})', root, frames, facts,
        split=split, gt_kind='raw-lidar', matching=Matching(len(chosen), n_without),
    )


def lidar_rules(settings: SourceSettings, rules: FrameRules) -> TruthRules:
    """Return what of a scan counts as measured."""
    return TruthRules(
        lidar_value=rules.lidar_value,
        lidar_pixel=rules.lidar_pixel,
        lidar_min_range_m=settings.lidar_min_range_m,
    )


def lidar_facts(truth: TruthRules) -> Mapping[str, str]:
    """Return what decides the depth of a scan."""
    return {
        'gt': 'raw-lidar',
        'lidar_value': truth.lidar_value,
        'lidar_pixel': truth.lidar_pixel,
        **truth.describe(),
    }


KIND: Final = Kind(
    looks_like='image_2/ beside velodyne/', recognises=object_splits,
    uses={'split', 'calibration_scaling', 'lidar_min_range_m', 'max_image_pixels'},
    opened=open_kitti_lidar,
)


def _beside(image: Path) -> list[Path]:
    return files_beside(image) or [image.parent.parent / 'calib' / f'{image.stem}.txt']


def _listed(frames: list[KittiFrame], split: Path) -> list[KittiFrame]:
    """Return the frames that a list names, by whole name or by its last part."""
    by_name: dict[str, list[KittiFrame]] = defaultdict(list)
    for frame in frames:
        for name in {frame.name, frame.name.rpartition('/')[2]}:
            by_name[name].append(frame)
    return [_frame(by_name, line) for line in read_split(split)]


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
