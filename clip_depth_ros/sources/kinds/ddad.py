# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
DDAD's frames with what the LiDAR saw as ground truth, read without TRI's dgp.

::

    <scene>/scene_<hash>.json           samples, and the data of each, with poses
            calibration/<hash>.json     cameras
            rgb/CAMERA_01/NAME.png
            point_cloud/LIDAR/NAME.npz  data: x, y, z, ... in the frame of the LiDAR

Each image and each scan has where its sensor was in the world at its own time. The official
validation is scenes 000150 to 000199: ``split`` takes a list of them. Source: the JSON that dgp's
protobuf files describe, which leaves out zeros (Guizilini et al., "3D Packing for Self-Supervised
Monocular Depth Estimation", CVPR 2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.core.transforms import Matrix4, rigid
from clip_depth_ros.errors import ClipDepthError, RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.files import read_json, read_npz
from clip_depth_ros.sources.folders import FolderSource
from clip_depth_ros.sources.kinds.nuscenes import rig_source, Shot
from clip_depth_ros.sources.registry import FrameRules, Kind
from clip_depth_ros.types import Intrinsics
from numpy.typing import NDArray

_AHEAD: Final = 'CAMERA_01'
_LIDAR: Final = 'LIDAR'
_MOST_BYTES: Final = 1 << 30
"""More than a scan of ten million points."""

_NO_POSE: Final[Mapping[str, float]] = {'qw': 1.0}


def open_ddad(root: Path, settings: SourceSettings, rules: FrameRules) -> FolderSource:
    """
    Open the frames of a camera, of a scene or of all scenes of a folder.

    RecordingError if a scene's files are damaged, or nothing is left; ConfigError if there is no
    such camera.
    """
    scenes = _scenes(root)
    shots = [shot for scene in scenes for shot in _shots(scene)]
    calibrations = [path for s in scenes for path in sorted(s.parent.glob('calibration/*.json'))]
    return rig_source(
        'ddad', f'DDAD ({root.resolve().name})', root, shots, settings, rules,
        ahead=_AHEAD, lidar=_LIDAR, read_points=_read_points, lists=[*scenes, *calibrations],
    )


KIND: Final = Kind(
    looks_like='scene_HASH.json beside calibration/, for each scene',
    recognises=lambda path: _scenes(path),
    uses={
        'camera_name', 'split', 'calibration_scaling', 'lidar_min_range_m', 'max_image_pixels',
    },
    opened=open_ddad,
)


def _scenes(root: Path) -> list[Path]:
    found = [*root.glob('scene_*.json'), *root.glob('*/scene_*.json')]
    return sorted(path for path in found if (path.parent / 'calibration').is_dir())


def _shots(path: Path) -> Iterator[Shot]:
    """Yield what the cameras and the LiDAR took, sample by sample."""
    scene, calibrations = read_json(path), {}
    try:
        data = {each['key']: each for each in scene['data']}
        for number, sample in enumerate(scene['samples']):
            key = sample['calibration_key']
            if key not in calibrations:
                calibrations[key] = _cameras(path.parent / 'calibration' / f'{key}.json')
            for datum in (data[each] for each in sample['datum_keys']):
                name, kinds = datum['id']['name'], datum['datum']
                facts: Any = kinds.get('image') or kinds.get('point_cloud')
                if facts is None or ('image' not in kinds and name != _LIDAR):
                    continue
                yield Shot(
                    scene=path.parent.resolve().name, channel=name, moment=f'{path} {number}',
                    path=path.parent / facts['filename'],
                    stamp_ns=_stamp_ns(datum['id']['timestamp']),
                    T_world_sensor=_pose(facts.get('pose') or {}),
                    camera=_of_size(calibrations[key][name], facts) if 'image' in kinds else None,
                )
    except ClipDepthError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordingError(
            f'{str(path)!r} is no scene of DDAD ({type(error).__name__}: {error}): copy it and '
            'its calibration again'
        ) from error


def _cameras(path: Path) -> dict[str, Any]:
    found = read_json(path)
    return dict(zip(found['names'], found['intrinsics'], strict=True))


def _of_size(numbers: Mapping[str, float], facts: Mapping[str, Any]) -> Intrinsics:
    fx, fy, cx, cy = (float(numbers.get(name, 0)) for name in ('fx', 'fy', 'cx', 'cy'))
    return Intrinsics(fx, fy, cx, cy, facts['width'], facts['height']).checked('a calibration')


def _pose(pose: Mapping[str, Any]) -> Matrix4:
    """Return where a sensor was; without a pose, at the origin."""
    offset, turn = pose.get('translation') or {}, pose.get('rotation') or _NO_POSE
    return rigid(
        [offset.get(name, 0.0) for name in 'xyz'],
        [turn.get(f'q{name}', 0.0) for name in 'xyzw'],
    )


def _stamp_ns(text: str) -> int:
    """Parse a time of protobuf's JSON, 2019-09-27T21:17:33.145600Z, to its last digit."""
    whole, _, fraction = text.removesuffix('Z').partition('.')
    seconds = int(datetime.fromisoformat(f'{whole}+00:00').timestamp())
    return seconds * 10**9 + int(fraction.ljust(9, '0')[:9] or '0')


def _read_points(path: Path) -> NDArray[Any]:
    """Read a scan, float (N, 3 or more): metres in the frame of the LiDAR."""
    points = read_npz(path, f'scan {str(path)!r}', 'data', _MOST_BYTES)
    if points.ndim != 2 or points.shape[1] < 3 or points.dtype.kind != 'f':
        raise RecordingError(
            f'scan {str(path)!r} should be float metres (N, 3 or more), is {points.dtype} '
            f'{points.shape}: copy it again'
        )
    return points
