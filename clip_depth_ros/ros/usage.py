# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What ``depth_node --help`` prints: topics and parameters, as the settings declare them."""

from __future__ import annotations

from collections.abc import Iterator
import re
import textwrap
from typing import Final

from clip_depth_ros.settings.base import setting_specs
from clip_depth_ros.settings.node import ALIGN_INPUTS, DIAGNOSTICS, NodeSettings, OUTPUTS, PRESET

_INPUTS: Final = {
    'image': 'sensor_msgs/msg/Image, the camera; with image_transport:=compressed '
    'image/compressed, sensor_msgs/msg/CompressedImage',
    'camera_info': 'sensor_msgs/msg/CameraInfo, of the same camera; topics of several cameras '
    '(parameter cameras) are below the name of each: front/image, front/depth/image_rect',
    **{each.topic: f'{each.msgtype}, {each.meaning}' for each in ALIGN_INPUTS},
}
_HEAD: Final = """\
usage: depth_node [--ros-args [-r FROM:=TO] [-p NAME:=VALUE] [--params-file FILE]
                              [--log-level LEVEL]]

Metric depth and a point cloud from one camera, with CLIP, as a lifecycle node that starts by
itself. Only ROS arguments are understood, for example
  depth_node --ros-args -p preset:=synthetic -r image:=/camera/image_raw \\
                        -r camera_info:=/camera/camera_info
"""
_WIDTH: Final = 99


def usage_text() -> str:
    """Return usage, topics and parameters in short."""
    outputs = {each.topic: f'{each.msgtype}, {_plain(each.meaning)}' for each in OUTPUTS.values()}
    outputs[DIAGNOSTICS] = 'diagnostic_msgs/msg/DiagnosticArray, how the node is, 1 Hz'
    parameters = {'preset': f"{PRESET.rstrip('.')} ['']"} | {
        name: f'{_first_sentence(spec.description)} [{spec.default!r}]'
        for name, spec in setting_specs(NodeSettings).items()
    }
    parts = [
        _HEAD,
        'Topics that it subscribes to (other names: -r):', *_rows(_INPUTS), '',
        'Topics that it publishes:', *_rows(outputs), '',
        'Parameters [default] (in full: ros2 param describe, or clip-depth settings):',
        *_rows(parameters),
    ]
    return '\n'.join(parts)


def _rows(meanings: dict[str, str]) -> Iterator[str]:
    """Yield lines of names and what they mean, in two columns."""
    width = max(map(len, meanings))
    for name, meaning in meanings.items():
        yield textwrap.fill(
            meaning, _WIDTH, initial_indent=f'  {name:{width}}  ',
            subsequent_indent=' ' * (width + 4), break_on_hyphens=False, break_long_words=False,
        )


def _first_sentence(text: str) -> str:
    return re.split(r'(?<=[a-z)])\. ', text)[0].rstrip('.')


def _plain(text: str) -> str:
    """Return a text without the marks of Markdown."""
    return text.replace('**', '')
