# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS node: its settings beside the predictor's, its parameter files, its outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
import re
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from clip_depth_ros.errors import ConfigError, did_you_mean
from clip_depth_ros.settings.base import ImageLimits, read_settings, setting
from clip_depth_ros.settings.clouds import CAMERA_GAP
from clip_depth_ros.settings.installation import share_dir
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.scale import ScaleSettings
from pydantic import field_validator
import yaml


class Output(NamedTuple):
    """A topic that the node publishes: relative name, type as ROS writes it, meaning."""

    topic: str
    msgtype: str
    meaning: str


OUTPUTS: Final[Mapping[str, Output]] = MappingProxyType({
    'depth': Output(
        'depth/image_rect', 'sensor_msgs/msg/Image',
        '**metres** along the optical axis; NaN unknown, +Inf beyond range, -Inf too near. 16UC1: '
        'millimetres, 0 invalid',
    ),
    'info': Output(
        'depth/camera_info', 'sensor_msgs/msg/CameraInfo',
        'same stamp and frame as the depth, and scaled with it',
    ),
    'cloud': Output(
        'depth/points', 'sensor_msgs/msg/PointCloud2',
        'organised, optical frame, x y z rgb; NaN where there is no finite depth',
    ),
    'scan': Output(
        'depth/scan', 'sensor_msgs/msg/LaserScan',
        'what is nearest in a band of heights above ground, by bearing; needs `camera_height_m`, '
        'and is in the level frame `scan_frame`; +Inf nothing in range, NaN unknown, -Inf too '
        'near',
    ),
    'color': Output(
        'depth/image_color', 'sensor_msgs/msg/Image',
        'colours over a fixed range, so that they do not flicker; on a log scale if the range is '
        'wide; near (and -Inf) is red, far (and +Inf) blue, unknown grey',
    ),
    'confidence': Output(
        'depth/confidence', 'sensor_msgs/msg/Image',
        '32FC1, 0 to 1, of each pixel of the depth: 0.8 means that 80 % of such pixels are within '
        '25 % of the truth, where the weights are calibrated (diagnostics: `confidence`)',
    ),
    'scale': Output(
        'depth/scale', 'diagnostic_msgs/msg/DiagnosticArray',
        'what the depth of the image was multiplied by (`align`), with spread, points, age and '
        'why not; one status named `scale`, numbers as its values, WARN where there is no scale '
        'or an old one',
    ),
})
"""
What the node publishes for a frame, by the name used in code; listed here and nowhere else.

The launch file repeats the topics and docs/node.md all of it: tests compare them with this.
"""


class AlignInput(NamedTuple):
    """A topic that the node listens to for one choice of ``align``; as :class:`Output`."""

    align: str
    topic: str
    msgtype: str
    meaning: str


ALIGN_INPUTS: Final = (
    AlignInput(
        'lidar', 'align/points', 'sensor_msgs/msg/PointCloud2', 'for `align: lidar`: points of a '
        'LiDAR, many or few',
    ),
    AlignInput(
        'lidar', 'align/scan', 'sensor_msgs/msg/LaserScan', 'for `align: lidar`: the same of a '
        'planar one',
    ),
    AlignInput(
        'depth', 'align/depth', 'sensor_msgs/msg/Image', 'for `align: depth`: 32FC1 or 16UC1 of a '
        'depth camera, registered to the camera; of any size',
    ),
)
"""What the scale of depth is measured by."""

DIAGNOSTICS: Final = '/diagnostics'
"""Where the node says how it is, DiagnosticArray at 1 Hz in every state."""


_CAMERA_NAME: Final = re.compile(r'[A-Za-z][A-Za-z0-9_]*')


class NodeSettings(ImageLimits, ScaleSettings):
    """What the ROS node needs to know besides: topics' formats, matching, outputs."""

    cameras: tuple[str, ...] = setting(
        (),
        'Names of several cameras that share the node and its model, such as [front, left]. The '
        'topics of each are below its name: front/image, front/camera_info, '
        'front/depth/image_rect. Empty: one camera, without a name. Other settings are those of '
        'all cameras.',
    )
    image_transport: Literal['raw', 'compressed'] = setting(
        'raw', 'Camera topic to listen to: raw is image, compressed is image/compressed.'
    )
    intrinsics_source: Literal['auto', 'P', 'K'] = setting(
        'auto',
        'Which matrix of camera_info describes the image. P: rectified images; K: unrectified, '
        'with distortion D; auto: P, or K, with a warning, if P is 0 or cannot belong to '
        'rectified images (there is a D and P = K, or a fisheye).',
        at_run_time=True,
    )
    sync_mode: Literal['auto', 'exact', 'nearest', 'last'] = setting(
        'auto',
        'Which camera_info goes with an image. exact: the one with the same stamp; nearest: one '
        'within sync_tolerance_s; last: the newest; auto: exact, otherwise nearest, otherwise '
        'last. Depth never waits for it: it uses what is known at once, by auto or last.',
        at_run_time=True,
    )
    sync_tolerance_s: float = setting(
        0.05,
        'Largest difference between the stamps of an image and its camera_info, for nearest.',
        unit='s', at_run_time=True, ge=0.0, le=10.0,
    )
    sync_wait_s: float = setting(
        0.1,
        'How long after its arrival an image waits for a camera_info. The first image of its '
        'size waits before its depth is computed; after that, depth and colour never wait and '
        'use the camera last known. The cloud and depth/camera_info wait for a better match, '
        'which has usually come before depth is ready; waiting stops when it proves useless.',
        unit='s', at_run_time=True, ge=0.0, le=5.0,
    )
    depth_encoding: Literal['32FC1', '16UC1'] = setting(
        '32FC1',
        'Encoding of the depth image. 32FC1: metres; 16UC1: millimetres, 0 = invalid.',
        at_run_time=True,
    )
    autostart: bool = setting(True, 'Configure and activate automatically on start.')

    @field_validator('cameras', mode='before')
    @classmethod
    def _check_is_list(cls, names: Any) -> Any:
        if isinstance(names, str):
            raise ValueError('must be a list of names, such as [front, left]')
        return names

    @field_validator('cameras')
    @classmethod
    def _check_cameras(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _CAMERA_NAME.fullmatch(name):
                raise ValueError(
                    f'must hold names that topics may have, letters, digits and _ that do not '
                    f'begin with a digit, and {name!r} is none'
                )
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f'must name each camera once, and has {", ".join(twice)} twice')
        return names

    def clashes(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from super().clashes()
        if len(self.cameras) > 1 and self.lidar_extrinsics:
            yield (
                f'lidar_extrinsics would be the pose of the LiDAR in all {len(self.cameras)} '
                'cameras: leave it empty, and publish the transforms on TF'
            )
        if len(self.cameras) > 1 and self.scan_frame and CAMERA_GAP not in self.scan_frame:
            yield (
                f'scan_frame={self.scan_frame!r} would be the place of all {len(self.cameras)} '
                f'cameras: put {CAMERA_GAP} into it, which stands for the name of each'
            )


PRESET: Final = (
    'Predictor settings: a file in config/ by name (synthetic, for the weights that come with '
    'this package; kitti; indoor), or your own file by path; what is set beside it wins.'
)
"""What a preset is, as a flag and as the parameter of the node that is none of its settings."""


def read_parameters(name_or_path: str) -> dict[str, Any]:
    """
    Read a parameter file of the node (``--params-file`` of ROS 2), by its path or name.

    A name is that of a file of this package: ``synthetic`` means ``config/synthetic.yaml``. What
    every node has of ROS itself, such as use_sim_time, is left out. ConfigError if there is no
    such file, it cannot be read or has no parameters of one node.
    """
    path = user_path(name_or_path) if is_path(name_or_path) else _own_file(name_or_path)
    nodes = read_settings(path)
    found = [node.get('ros__parameters') for node in nodes.values() if isinstance(node, dict)]
    if len(found) != 1 or not isinstance(found[0], dict):
        raise ConfigError(
            f'{str(path)!r} should hold the ros__parameters of one node, as '
            f'config/depth_node.yaml does; it has {[*nodes]}'
        )
    return {name: value for name, value in found[0].items() if not _is_of_ros(name)}


def is_path(name_or_path: str) -> bool:
    """Return whether a preset is named by its path, and not as one of this package."""
    return '/' in name_or_path or name_or_path.endswith(('.yaml', '.yml'))


def read_preset(name_or_path: str) -> dict[str, Any]:
    """
    Read a preset, a parameter file that is named (:func:`read_parameters`), and check it alone.

    SettingsFileError names each setting in it that is unknown, or wrong by itself.
    """
    values = read_parameters(name_or_path)
    NodeSettings.check_file(values, f'preset {name_or_path!r}')
    return values


def parameters_yaml(values: Mapping[str, Any]) -> str:
    """Return a ROS parameters file for any node; empty lists are left to their defaults."""
    plain = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
        if value != ()
    }
    return yaml.safe_dump({'/**': {'ros__parameters': plain}})


def _own_file(name: str) -> Path:
    """Return a parameter file of this package by its name."""
    folder = share_dir() / 'config'
    names = sorted(path.stem for path in folder.glob('*.yaml'))
    if name not in names:
        raise ConfigError(
            f'there is no preset {name!r} in this package, there are {", ".join(names)}; '
            f'your own is named by its path, such as ./{name}.yaml{did_you_mean(name, names)}'
        )
    return folder / f'{name}.yaml'


def _is_of_ros(name: str) -> bool:
    of_ros = ('use_sim_time', 'start_type_description_service', 'qos_overrides')
    return name.partition('.')[0] in of_ros
