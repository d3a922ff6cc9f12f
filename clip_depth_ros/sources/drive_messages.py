# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The synthetic drive as the messages of a recording, with its ground truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from clip_depth_ros.bags import topics
from clip_depth_ros.bags.messages import (
    camera_info_message,
    cloud_message,
    image_message,
    tf_message,
)
from clip_depth_ros.bags.writer import recorded
from clip_depth_ros.core.transforms import Matrix4
from clip_depth_ros.types import RecordedMessage
from clip_depth_ros.world.drive import SyntheticFrame
import numpy as np


def drive_messages(frames: Iterable[SyntheticFrame]) -> Iterator[RecordedMessage]:
    """
    Give the messages of each frame: image, camera_info, true depth and classes, cloud, pose.

    The transforms are a tree, world to LiDAR (``/tf``, one for each frame) and LiDAR to camera
    (``/tf_static``, once and first), as in the recordings made from KITTI. Receive times are the
    capture times.
    """
    for index, frame in enumerate(frames):
        stamp_ns = frame.stamp_ns
        if index == 0:
            T_lidar_cam = _inverse(frame.T_cam_lidar)
            yield _transform(
                topics.TF_STATIC, T_lidar_cam, topics.LIDAR_FRAME, topics.CAMERA_FRAME, stamp_ns
            )
        T_world_lidar = np.asarray(frame.T_world_cam @ frame.T_cam_lidar, np.float64)
        yield _transform(
            topics.TF, T_world_lidar, topics.WORLD_FRAME, topics.LIDAR_FRAME, stamp_ns
        )
        for topic, message in _camera_messages(frame):
            yield recorded(topic, message, stamp_ns)
        cloud = cloud_message(
            frame.lidar_points, stamp_ns=stamp_ns, frame_id=topics.LIDAR_FRAME
        )
        yield recorded(topics.CLOUD, cloud, stamp_ns)


def _camera_messages(frame: SyntheticFrame) -> Iterator[tuple[str, Any]]:
    info = camera_info_message(
        frame.intrinsics, stamp_ns=frame.stamp_ns, frame_id=topics.CAMERA_FRAME
    )
    yield topics.CAMERA_INFO, info
    images = (
        (topics.IMAGE, frame.rgb, 'rgb8'),
        (topics.TRUE_DEPTH, frame.depth_m, '32FC1'),
        (topics.TRUE_CLASS_IDS, frame.class_ids, 'mono8'),
    )
    for topic, pixels, encoding in images:
        yield topic, image_message(
            pixels, encoding, stamp_ns=frame.stamp_ns, frame_id=topics.CAMERA_FRAME
        )


def _transform(
    topic: str, T_parent_child: Matrix4, parent: str, child: str, stamp_ns: int
) -> RecordedMessage:
    message = tf_message(T_parent_child, parent=parent, child=child, stamp_ns=stamp_ns)
    return recorded(topic, message, stamp_ns)


def _inverse(T: Any) -> Matrix4:
    return np.asarray(np.linalg.inv(T), np.float64)
