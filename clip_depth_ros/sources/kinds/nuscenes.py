# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
nuScenes' key frames with what the LiDAR saw as ground truth, read without its devkit.

::

    v1.0-<version>/{scene,sample,sample_data,calibrated_sensor,sensor,ego_pose}.json
    samples/CAM_FRONT/NAME.jpg
    samples/LIDAR_TOP/NAME.pcd.bin    float32 x, y, z, intensity, ring

Camera and LiDAR are some milliseconds apart: points go through the car's poses at both times, as
in the devkit's map_pointcloud_to_image. Source: the schema in the devkit's docs (Caesar et al.,
"nuScenes: A multimodal dataset for autonomous driving", CVPR 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.bags.places import Matching
from clip_depth_ros.core.transforms import Matrix4, rigid
from clip_depth_ros.errors import ClipDepthError, ConfigError, did_you_mean, RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.cameras import camera_facts, fitted, FolderCamera
from clip_depth_ros.sources.files import read_bytes, read_json, read_split
from clip_depth_ros.sources.folders import FolderSource, PointsFrame
from clip_depth_ros.sources.kinds.kitti_object import lidar_facts, lidar_rules
from clip_depth_ros.sources.registry import FrameRules, Kind, path_or_none
from clip_depth_ros.sources.truth import TruthRules
from clip_depth_ros.types import Intrinsics
import numpy as np
from numpy.typing import NDArray

ReadPoints = Callable[[Path], NDArray[Any]]
"""Reads a scan, float (N, 3 or more), metres."""

_AHEAD: Final = 'CAM_FRONT'
_LIDAR: Final = 'LIDAR_TOP'
_TABLES: Final = ('scene', 'sample', 'sample_data', 'calibrated_sensor', 'sensor', 'ego_pose')
_POINT_BYTES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """
    What one sensor of a car took at one moment.

    Attributes
    ----------
    scene, channel : str
        What it is of, and the name of the sensor.
    moment : hashable
        What cameras and the LiDAR have in common when they belong together.
    path : Path
        The file.
    stamp_ns : int
    T_world_sensor : float64 (4, 4)
    camera : Intrinsics, optional
        If it is a camera.

    """

    scene: str
    channel: str
    moment: str
    path: Path
    stamp_ns: int
    T_world_sensor: Matrix4
    camera: Intrinsics | None = None


def open_nuscenes(root: Path, settings: SourceSettings, rules: FrameRules) -> FolderSource:
    """
    Open the key frames of a camera; the root may be that of one version.

    Raises
    ------
    RecordingError
        If the tables are not there or damaged, or nothing is left.
    ConfigError
        If there is no such camera, or there are several versions.

    """
    tables = _tables_below(root)
    if len(tables) != 1:
        named = ', '.join(str(each) for each in tables)
        raise ConfigError(
            f'{str(root)!r} should have one version of the tables, has {named or "none"}: name '
            'the folder of one'
        )
    shots = [*_shots(tables[0])]
    lists = [tables[0] / f'{name}.json' for name in _TABLES]
    return rig_source(
        'nuscenes', f'nuScenes ({tables[0].resolve().name})', root, shots, settings, rules,
        ahead=_AHEAD, lidar=_LIDAR, read_points=_read_points, lists=lists,
    )


def rig_source(
    kind: str,
    name: str,
    root: Path,
    shots: Iterable[Shot],
    settings: SourceSettings,
    rules: FrameRules,
    *,
    ahead: str,
    lidar: str,
    read_points: ReadPoints,
    lists: list[Path],
) -> FolderSource:
    """
    Return the frames of a car with several cameras and a LiDAR.

    Parameters
    ----------
    kind, name, root, lists
        As in :class:`FolderSource`.
    shots : iterable of Shot
        All there are.
    settings, rules
        ``camera_name``, ``split``, the range of the LiDAR and ``calibration_scaling`` are used.
    ahead, lidar : str
        The camera that looks ahead, and the LiDAR, by their channels.
    read_points : callable
        As in :class:`PointsFrame`.

    """
    shots, split = [*shots], path_or_none(settings.split)
    scenes = [' '.join(line.words) for line in read_split(split)] if split else None
    if scenes is not None and (unknown := {*scenes} - {shot.scene for shot in shots}):
        raise RecordingError(
            f'{str(split)!r} names scenes that are not there, such as {min(unknown)!r}: it should '
            f'have lines such as {min((shot.scene for shot in shots), default="")!r}'
        )
    channels = sorted({shot.channel for shot in shots if shot.camera})
    wanted = settings.camera_name or ahead
    if channels and wanted not in (*channels, 'all'):
        raise ConfigError(
            f'camera_name should be all or one of {", ".join(channels)}, got {wanted!r}'
            f'{did_you_mean(wanted, channels)}'
        )
    images = [
        shot for shot in shots
        if shot.camera and wanted in (shot.channel, 'all')
        and (scenes is None or shot.scene in scenes)
    ]
    scans = {shot.moment: shot for shot in shots if shot.channel == lidar}
    truth = scan_rules(settings, rules)
    frames = [
        _frame(root, shot, scan, truth, settings.calibration_scaling, read_points)
        for shot in images if (scan := scans.get(shot.moment))
    ]
    if not frames:
        raise RecordingError(
            f'none of the {len(images)} images of {wanted} in {str(root)!r} has a scan of {lidar}'
        )
    return FolderSource(
        kind, name, root, frames,
        {**lidar_facts(truth), **camera_facts(settings), 'camera_name': wanted},
        split=split, lists=lists, gt_kind='raw-lidar',
        matching=Matching(len(images), len(images) - len(frames)),
    )


def scan_rules(settings: SourceSettings, rules: FrameRules) -> TruthRules:
    """Return what of a scan counts; ConfigError where x of the LiDAR would count as depth."""
    if rules.lidar_value != 'z':
        raise ConfigError(
            "this protocol takes a point's x in the LiDAR for its depth, which only KITTI's has "
            'ahead: choose another protocol'
        )
    return lidar_rules(settings, rules)


def _frame(
    root: Path, shot: Shot, scan: Shot, truth: TruthRules, is_scaled: bool,
    read_points: ReadPoints,
) -> PointsFrame:
    assert shot.camera is not None
    whose = f'the camera of {shot.channel}'
    return PointsFrame(
        name=f'{shot.scene}/{shot.channel}/{shot.path.name}', image=shot.path, gt=scan.path,
        camera=FolderCamera(partial(fitted, shot.camera, whose=whose, is_scaled=is_scaled)),
        stamp_ns=shot.stamp_ns, recording=f'{shot.scene}/{shot.channel}', rules=truth,
        T_world_camera=shot.T_world_sensor, read_points=read_points,
        T_camera_points=np.linalg.inv(shot.T_world_sensor) @ scan.T_world_sensor,
    )


KIND: Final = Kind(
    looks_like='v1.0-VERSION/ with sample_data.json, beside samples/',
    recognises=lambda path: _tables_below(path),
    uses={
        'camera_name', 'split', 'calibration_scaling', 'lidar_min_range_m', 'max_image_pixels',
    },
    opened=open_nuscenes,
)


def _tables_below(root: Path) -> list[Path]:
    found = (root, *sorted(root.glob('v1.0-*')))
    return [each for each in found if (each / 'sample_data.json').is_file()]


def _shots(tables: Path) -> Iterator[Shot]:
    """Yield the key frames of cameras and LiDAR, in the order of their times."""
    read: dict[str, dict[str, Any]] = {}
    for name in _TABLES:
        path = tables / f'{name}.json'
        try:
            read[name] = {row['token']: row for row in read_json(path)}
        except (KeyError, TypeError) as error:
            raise RecordingError(
                f'{str(path)!r} should be a list of objects with tokens: copy it again'
            ) from error
    rows = read['sample_data'].values()
    try:
        keys = sorted((row for row in rows if row['is_key_frame']), key=lambda r: r['timestamp'])
        for row in keys:
            mount = read['calibrated_sensor'][row['calibrated_sensor_token']]
            sensor = read['sensor'][mount['sensor_token']]
            if sensor['modality'] == 'camera' or sensor['channel'] == _LIDAR:
                yield _shot(tables, read, row, mount, sensor)
    except ClipDepthError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(
            f'the tables in {str(tables)!r} do not fit together ({type(error).__name__}: '
            f'{error}): copy them again, all of one version'
        ) from error


def _shot(
    tables: Path, read: Mapping[str, Mapping[str, Any]], row: Any, mount: Any, sensor: Any
) -> Shot:
    is_camera = sensor['modality'] == 'camera'
    scene = read['scene'][read['sample'][row['sample_token']]['scene_token']]
    T_world_car = _pose(read['ego_pose'][row['ego_pose_token']])
    camera = None
    if is_camera:
        (fx, _, cx), (_, fy, cy), _ = mount['camera_intrinsic']
        camera = Intrinsics(fx, fy, cx, cy, row['width'], row['height']).checked(
            f'camera_intrinsic of {sensor["channel"]}'
        )
    return Shot(
        scene=scene['name'], channel=sensor['channel'], moment=row['sample_token'],
        path=tables.parent / row['filename'], stamp_ns=row['timestamp'] * 1000,
        T_world_sensor=T_world_car @ _pose(mount), camera=camera,
    )


def _pose(row: Any) -> Matrix4:
    w, x, y, z = row['rotation']
    return rigid(row['translation'], (x, y, z, w))


def _read_points(path: Path) -> NDArray[np.float32]:
    """Read a scan, float32 (N, 5): x right, y ahead, z up in metres, intensity, ring."""
    data = read_bytes(path)
    if not data or len(data) % _POINT_BYTES:
        raise RecordingError(
            f'scan {str(path)!r} should be points of {_POINT_BYTES} bytes, has {len(data)} bytes: '
            'it is cut off, copy it again'
        )
    return np.frombuffer(data, '<f4').reshape(-1, 5).astype(np.float32, copy=False)
