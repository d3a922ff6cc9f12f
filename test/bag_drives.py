# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A little drive with a camera, a LiDAR and depth images, message by message, for tests."""

from __future__ import annotations

from typing import Any

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

CAMERA = Intrinsics(100.0, 100.0, 10.0, 5.0, 20, 12)
RGB = np.random.default_rng(0).integers(0, 255, (12, 20, 3), np.uint8)
# A LiDAR 0.3 m above the camera: x forward, y left, z up.
T_CAMERA_LIDAR = np.array(
    [[0, -1, 0, 0], [0, 0, -1, -0.3], [1, 0, 0, 0], [0, 0, 0, 1]], np.float64
)
POINTS = np.array([[10, 0.5, -0.3, 1], [20, -1, -0.3, 1], [-5, 0, 0, 1]], np.float32)


def image(
    index: int, pixels: Any = RGB, encoding: str = 'rgb8', topic: str = '/cam/image'
) -> RecordedMessage:
    """Give an image message of a frame."""
    stamp_ns = START_NS + index * STEP_NS
    message = image_message(pixels, encoding, stamp_ns=stamp_ns, frame_id='camera')
    return recorded(topic, message, stamp_ns)


def disparity(
    index: int, pixels_px: Any, focal_px: float, baseline_m: float, least_px: float = 0.5
) -> RecordedMessage:
    """Give a stereo camera's disparity of a frame."""
    types, stamp_ns = ros2_types().types, START_NS + index * STEP_NS
    pixels = image_message(pixels_px, '32FC1', stamp_ns=stamp_ns, frame_id='camera')
    message = types['stereo_msgs/msg/DisparityImage'](
        header(stamp_ns, 'camera'), pixels, focal_px, baseline_m,
        types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False), least_px, 64.0, 0.125,
    )
    return recorded('/stereo/disparity', message, stamp_ns)


def without_stamp(message: RecordedMessage) -> RecordedMessage:
    """Give a message as drivers send it that leave stamps 0; received when it was."""
    cdr = message.cdr[:4] + bytes(8) + message.cdr[12:]
    return RecordedMessage(message.topic, message.msgtype, cdr, message.bag_time_ns)


def info(index: int = 0, intrinsics: Intrinsics = CAMERA, **changes: Any) -> RecordedMessage:
    """Give the camera_info of a frame."""
    stamp_ns = START_NS + index * STEP_NS
    message: Any = camera_info_message(intrinsics, stamp_ns=stamp_ns, frame_id='camera')
    for name, value in changes.items():
        setattr(message, name, value)
    return recorded('/cam/camera_info', message, stamp_ns)


def cloud(index: int, late_s: float = 0.0, points: Any = POINTS) -> RecordedMessage:
    """Give the cloud of a frame, taken somewhat later."""
    stamp_ns = START_NS + index * STEP_NS + round(late_s * 1e9)
    message = cloud_message(points, stamp_ns=stamp_ns, frame_id='lidar')
    return recorded('/points', message, stamp_ns)


def static(
    T_parent_child: Any, parent: str, child: str, time_ns: int = START_NS
) -> RecordedMessage:
    """Give a static transform."""
    message = tf_message(T_parent_child, parent=parent, child=child, stamp_ns=time_ns)
    return recorded('/tf_static', message, time_ns)


def lidar_drive(n_frames: int = 3) -> list[RecordedMessage]:
    """Give a recording with camera, LiDAR and calibration."""
    frames = [m for i in range(n_frames) for m in (info(i), image(i, RGB + i), cloud(i))]
    return [static(np.linalg.inv(T_CAMERA_LIDAR), 'lidar', 'camera'), *frames]


def depth_drive(encoding: str = '32FC1') -> list[RecordedMessage]:
    """Give a recording with camera and depth images: 2, 3, 4 m, with a hole."""
    messages = []
    for index in range(3):
        metres = np.full((12, 20), 2.0 + index)
        metres[0, 0] = 0 if encoding == '16UC1' else np.inf
        pixels = (metres * 1000).astype(np.uint16) if encoding == '16UC1' else metres
        pixels = pixels if encoding == '16UC1' else pixels.astype(np.float32)
        messages += [image(index), image(index, pixels, encoding, '/cam/depth')]
    return messages


def compressed(
    index: int, pixels: Any, format_: str, topic: str, *, prefix: bytes = b''
) -> RecordedMessage:
    """Give pixels as a PNG on a topic of compressed images, taken at an index, after a prefix."""
    stamp_ns = START_NS + index * STEP_NS
    data = prefix + bytes(cv2.imencode('.png', pixels)[1])
    message = ros2_types().types['sensor_msgs/msg/CompressedImage'](
        header(stamp_ns, 'camera'), format_, np.frombuffer(data, np.uint8)
    )
    return recorded(topic, message, stamp_ns)
