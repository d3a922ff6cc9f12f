# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS node: its settings beside the predictor's, its parameter files, its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.base import ImageLimits, read_settings, setting
from clip_depth_ros.settings.installation import shared_file
from clip_depth_ros.settings.predictor import PredictorSettings
from pydantic import model_validator


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
        'same stamp and frame; scaled when depth is',
    ),
    'cloud': Output(
        'depth/points', 'sensor_msgs/msg/PointCloud2',
        'organised, optical frame, x y z rgb; NaN where depth is no number',
    ),
    'color': Output(
        'depth/image_color', 'sensor_msgs/msg/Image',
        'colour map over a fixed range, so that it does not flicker; near (and -Inf) is red, far '
        '(and +Inf) blue, unknown black',
    ),
})
"""
What the node publishes for a frame, by the name used in code; listed here and nowhere else.

The launch file repeats the topics and README's table all of it: tests compare them with this.
"""

DIAGNOSTICS: Final = '/diagnostics'
"""Where the node says how it is, DiagnosticArray at 1 Hz in every state."""


class NodeSettings(ImageLimits, PredictorSettings):
    """What the ROS node needs to know besides: topics' formats, matching, outputs."""

    image_transport: Literal['raw', 'compressed'] = setting(
        'raw', 'Camera topic to listen to: raw is image, compressed is image/compressed.'
    )
    intrinsics_source: Literal['auto', 'P', 'K'] = setting(
        'auto',
        'Which matrix of camera_info describes the image. P: rectified images; K: unrectified, '
        'with distortion D; auto: P, or K when P[0] is 0.',
        at_run_time=True,
    )
    sync_mode: Literal['auto', 'exact', 'nearest', 'last'] = setting(
        'auto',
        'Which camera_info goes with an image. exact: the same stamp; nearest: within '
        'sync_tolerance_s; last: the newest known; auto: exact, else nearest, else last.',
        at_run_time=True,
    )
    sync_tolerance_s: float = setting(
        0.05, 'Largest stamp difference of an image and its camera_info for nearest.', unit='s',
        at_run_time=True, ge=0.0, le=10.0,
    )
    sync_wait_s: float = setting(
        0.1,
        'How long after its arrival an image waits for a better camera_info. Depth and colour '
        'never wait, and mostly this is over before they are ready; given up where it is in vain.',
        unit='s', at_run_time=True, ge=0.0, le=5.0,
    )
    depth_encoding: Literal['32FC1', '16UC1'] = setting(
        '32FC1', 'Depth image encoding. 32FC1: metres; 16UC1: millimetres, 0 = invalid.',
        at_run_time=True,
    )
    cloud_stride: int = setting(
        1, 'Keep every n-th row and column of the depth image in the cloud.',
        at_run_time=True, ge=1, le=64,
    )
    cloud_rgb: bool = setting(True, 'Colour the points of the cloud.', at_run_time=True)
    color_map: Literal['turbo', 'viridis', 'magma', 'inferno', 'jet', 'gray'] = setting(
        'turbo', 'Colour map of depth/image_color.', at_run_time=True
    )
    color_min_m: float = setting(
        0.0, 'Depth at the near end of the colour map.', unit='m', at_run_time=True,
        ge=0.0, le=1000.0,
    )
    color_max_m: float = setting(
        0.0,
        'Depth at the far end of the colour map; 0: the farthest bin in force, or max_depth_m for '
        'clip2depth.',
        unit='m', at_run_time=True, ge=0.0, le=1000.0,
    )
    autostart: bool = setting(True, 'Configure and activate by itself on start.')

    @model_validator(mode='after')
    def _check_color_range(self) -> NodeSettings:
        if self.color_min_m >= self.color_far_m():
            raise ValueError(
                'colour range must satisfy color_min_m < color_max_m (0: the farthest bin), got '
                f'color_min_m={self.color_min_m}, color_max_m={self.color_max_m}'
            )
        return self

    def color_far_m(self) -> float:
        """Return the depth at the far end of the colour map, metres."""
        return self.color_max_m or self.answer_range_m()[1]


def read_parameters(name_or_path: str) -> dict[str, Any]:
    """
    Read a parameter file of the node (``--params-file`` of ROS 2), by its path or name.

    A name is that of a file of this package: ``synthetic`` means ``config/synthetic.yaml``.
    ConfigError if the file cannot be read or has no parameters of one node.
    """
    is_name = '/' not in name_or_path and not name_or_path.endswith('.yaml')
    path = shared_file('config', f'{name_or_path}.yaml') if is_name else Path(name_or_path)
    nodes = read_settings(path)
    found = [node.get('ros__parameters') for node in nodes.values() if isinstance(node, dict)]
    if len(found) != 1 or not isinstance(found[0], dict):
        raise ConfigError(
            f'{str(path)!r} should hold the ros__parameters of one node, as '
            f'config/depth_node.yaml does; it has {[*nodes]}'
        )
    return found[0]
