# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Little recordings in the manner of well-known cameras: their topics, frames and encodings.

A wall stands ``WALL_M`` before each camera, so that depth is the same from wherever it is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
import struct
from typing import Any, NamedTuple

from bag_files import START_NS, STEP_NS
from clip_depth_ros.bags.message_types import ros2_types
from clip_depth_ros.bags.messages import (
    camera_info_message,
    cloud_message,
    header,
    image_message,
    tf_message,
)
from clip_depth_ros.bags.writer import recorded
from clip_depth_ros.types import Intrinsics, RecordedMessage
import cv2
import numpy as np

WALL_M = 4.0
CAMERA = Intrinsics(100.0, 100.0, 9.5, 5.5, 20, 12)
WIDE = Intrinsics(40.0, 40.0, 9.5, 5.5, 20, 12)
"""Of a depth camera that sees more than the colour camera."""

_TYPES = ros2_types().types


class Topic(NamedTuple):
    """
    A topic: its name, what it sends, and in which frame.

    What it sends is an encoding, ``jpeg of`` one, ``compressedDepth``, ``camera_info``,
    ``camera_info of depth``, ``none`` (no intrinsics), ``points`` (coloured) or ``metres``.
    """

    name: str
    sends: str
    frame: str


class Layout(NamedTuple):
    """A recording's topics, and which are camera, camera_info and depth."""

    topics: Sequence[Topic]
    image: str
    camera_info: str
    depth: str


def _oak() -> Layout:
    names = {'rgb': 'oak_rgb_camera_optical_frame', 'left': 'oak_left', 'right': 'oak_right'}
    return Layout(
        [
            Topic('/oak/rgb/image_raw/compressed', 'jpeg of ?', names['rgb']),
            Topic('/oak/stereo/image_raw/compressedDepth', 'compressedDepth', names['rgb']),
            Topic('/oak/stereo/camera_info', 'camera_info', names['rgb']),
            Topic('/oak/left/image_raw/compressed', 'jpeg of mono8', names['left']),
            Topic('/oak/right/image_raw/compressed', 'jpeg of mono8', names['right']),
            *(Topic(f'/oak/{each}/camera_info', 'camera_info', names[each]) for each in names),
        ],
        '/oak/rgb/image_raw/compressed', '/oak/rgb/camera_info',
        '/oak/stereo/image_raw/compressedDepth',
    )


def _zed() -> Layout:
    root, left, right = '/zed/zed_node', 'zed_left_optical', 'zed_right_optical'
    return Layout(
        [
            Topic(f'{root}/rgb/image_rect_color', 'bgra8', left),
            Topic(f'{root}/rgb/camera_info', 'camera_info', left),
            Topic(f'{root}/left/image_rect_color', 'bgra8', left),
            Topic(f'{root}/left/image_rect_gray', 'mono8', left),
            Topic(f'{root}/left/camera_info', 'camera_info', left),
            Topic(f'{root}/left_raw/image_raw_color', 'bgra8', left),
            Topic(f'{root}/right/image_rect_color', 'bgra8', right),
            Topic(f'{root}/right/camera_info', 'camera_info', right),
            Topic(f'{root}/depth/depth_registered', '32FC1', left),
            Topic(f'{root}/depth/camera_info', 'camera_info', left),
            Topic(f'{root}/confidence/confidence_map', '32FC1', left),
            Topic(f'{root}/point_cloud/cloud_registered', 'points', 'zed_left'),
        ],
        f'{root}/rgb/image_rect_color', f'{root}/rgb/camera_info',
        f'{root}/depth/depth_registered',
    )


def _realsense() -> Layout:
    color, depth, infra = (f'camera_{name}_optical_frame' for name in ('color', 'depth', 'infra1'))
    return Layout(
        [
            Topic('/camera/color/image_raw', 'rgb8', color),
            Topic('/camera/color/image_raw/compressed', 'jpeg of rgb8', color),
            Topic('/camera/color/camera_info', 'camera_info', color),
            Topic('/camera/aligned_depth_to_color/image_raw', '16UC1', color),
            Topic('/camera/aligned_depth_to_color/camera_info', 'camera_info', color),
            Topic('/camera/depth/image_rect_raw', '16UC1', depth),
            Topic('/camera/depth/camera_info', 'camera_info of depth', depth),
            Topic('/camera/infra1/image_rect_raw', 'mono8', infra),
            Topic('/camera/infra1/camera_info', 'camera_info of depth', infra),
            Topic('/camera/depth/color/points', 'points', depth),
        ],
        '/camera/color/image_raw', '/camera/color/camera_info',
        '/camera/aligned_depth_to_color/image_raw',
    )


def _viewer() -> Layout:
    depth, color = '/device_0/sensor_0/Depth_0', '/device_0/sensor_1/Color_0'
    return Layout(
        [
            Topic(f'{color}/image/data', 'rgb8', '0'),
            Topic(f'{color}/info/camera_info', 'camera_info', '0'),
            Topic(f'{depth}/image/data', 'mono16', '0'),
            Topic(f'{depth}/info/camera_info', 'camera_info of depth', '0'),
            Topic('/device_0/sensor_0/option/Depth_Units/value', 'metres', ''),
        ],
        f'{color}/image/data', f'{color}/info/camera_info', f'{depth}/image/data',
    )


def _kinect() -> Layout:
    color, depth = 'rgb_camera_link', 'depth_camera_link'
    return Layout(
        [
            Topic('/rgb/image_raw', 'bgra8', color),
            Topic('/rgb/camera_info', 'camera_info', color),
            Topic('/depth_to_rgb/image_raw', '16UC1', color),
            Topic('/depth_to_rgb/camera_info', 'camera_info', color),
            Topic('/depth/image_raw', '16UC1', depth),
            Topic('/depth/camera_info', 'camera_info of depth', depth),
            Topic('/ir/image_raw', 'mono16', depth),
            Topic('/ir/camera_info', 'camera_info of depth', depth),
        ],
        '/rgb/image_raw', '/rgb/camera_info', '/depth_to_rgb/image_raw',
    )


DEPTH_CAMERAS = {
    'oak': _oak(), 'zed': _zed(), 'realsense': _realsense(), 'realsense-viewer': _viewer(),
    'kinect': _kinect(),
}

USB = Layout(
    [
        Topic('/usb_cam/image_raw/compressed', 'jpeg of rgb8', 'usb_cam'),
        Topic('/usb_cam/camera_info', 'none', 'usb_cam'),
    ],
    '/usb_cam/image_raw/compressed', '/usb_cam/camera_info', '',
)


def recording_of(
    layout: Layout, *, n_frames: int = 2, unit_m: float = 0.001
) -> list[RecordedMessage]:
    """Return its messages; ``unit_m`` is what 1 stands for in depth of 16 bits."""
    identity = tf_message(np.eye(4), parent='base', child='camera', stamp_ns=START_NS)
    messages = [recorded('/tf_static', identity, START_NS)]
    for index in range(n_frames):
        stamp_ns = START_NS + index * STEP_NS
        for topic in layout.topics:
            message = _message(topic, stamp_ns, unit_m)
            messages.append(recorded(topic.name, message, stamp_ns + 1))
    return messages


def _message(topic: Topic, stamp_ns: int, unit_m: float) -> Any:
    where: Any = {'stamp_ns': stamp_ns, 'frame_id': topic.frame}
    stored = np.full((12, 20), round(WALL_M / unit_m), np.uint16)
    kind, _, encoding = topic.sends.partition(' of ')
    if kind == 'jpeg':
        return _compressed(f'{encoding}; jpeg compressed ' if encoding != '?' else 'jpeg',
                           cv2.imencode('.jpg', np.full((12, 20), 90, np.uint8))[1], where)
    if kind == 'compressedDepth':
        data = np.r_[np.frombuffer(struct.pack('<iff', 0, 0, 0), np.uint8),
                     cv2.imencode('.png', stored)[1].ravel()]
        return _compressed('16UC1; compressedDepth png', data, where)
    if kind == 'points':
        cloud = cloud_message(np.full((4, 4), WALL_M, np.float32), **where)
        cloud.fields[3].name = 'rgb'
        return cloud
    if kind == 'metres':
        return _TYPES['std_msgs/msg/Float32'](unit_m)
    if kind in ('camera_info', 'none'):
        info = camera_info_message(WIDE if encoding else CAMERA, **where)
        if kind == 'none':
            info.k, info.p = np.zeros(9), np.zeros(12)
        return info
    return _image(topic.sends, stored, where)


def _image(encoding: str, stored: Any, where: Any) -> Any:
    if encoding == '32FC1':
        return image_message(np.full((12, 20), WALL_M, np.float32), '32FC1', **where)
    if encoding in ('16UC1', 'mono16'):
        message = image_message(stored, '16UC1', **where)
    elif encoding == 'bgra8':
        message = image_message(np.full((12, 80), 90, np.uint8), 'mono8', **where)
        message.width = 20
    else:
        shape = (12, 20) if encoding == 'mono8' else (12, 20, 3)
        message = image_message(np.full(shape, 90, np.uint8), encoding, **where)
    message.encoding = encoding
    return message


def _compressed(format_: str, data: Any, where: Any) -> Any:
    return _TYPES['sensor_msgs/msg/CompressedImage'](
        header(**where), format_, np.ravel(data).astype(np.uint8)
    )
