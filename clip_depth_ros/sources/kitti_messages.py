# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""KITTI frames as the messages of a recording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clip_depth_ros.bags import topics
from clip_depth_ros.bags.messages import (
    camera_info_message,
    cloud_message,
    image_message,
    tf_message,
)
from clip_depth_ros.bags.writer import recorded
from clip_depth_ros.core.transforms import Matrix4
from clip_depth_ros.sources.kitti import KittiFrame, read_kitti_image, read_kitti_scan
from clip_depth_ros.types import RecordedMessage
import numpy as np


def kitti_messages(frames: Iterable[KittiFrame]) -> Iterator[RecordedMessage]:
    """
    Give image, camera_info and, where there is a scan, cloud of each frame, and the calibration.

    ``/tf_static`` (LiDAR to camera) comes first and again whenever the calibration changes, as it
    does within object folders; each frame keeps its own image size and intrinsics. Receive times
    are the capture times.

    Raises
    ------
    DataError
        If a file does not decode, naming it.

    """
    T_velo_cam2: Matrix4 | None = None
    for frame in frames:
        T_now: Matrix4 = np.asarray(np.linalg.inv(frame.calibration.T_cam2_velo), np.float64)
        if T_velo_cam2 is None or not np.array_equal(T_now, T_velo_cam2):
            T_velo_cam2 = T_now
            yield _tf_static(T_now, min(frame.stamp_ns, frame.scan_stamp_ns))
        yield from _image_and_info(frame)
        if frame.scan_path is not None:
            cloud = cloud_message(
                read_kitti_scan(frame.scan_path),
                stamp_ns=frame.scan_stamp_ns,
                frame_id=topics.LIDAR_FRAME,
            )
            yield recorded(topics.CLOUD, cloud, frame.scan_stamp_ns)


def _tf_static(T_velo_cam2: Matrix4, stamp_ns: int) -> RecordedMessage:
    transform = tf_message(
        T_velo_cam2, parent=topics.LIDAR_FRAME, child=topics.CAMERA_FRAME, stamp_ns=stamp_ns
    )
    return recorded(topics.TF_STATIC, transform, stamp_ns)


def _image_and_info(frame: KittiFrame) -> Iterator[RecordedMessage]:
    rgb = read_kitti_image(frame.image_path)
    height, width = rgb.shape[:2]
    info = camera_info_message(
        frame.calibration.intrinsics(width, height),
        stamp_ns=frame.stamp_ns,
        frame_id=topics.CAMERA_FRAME,
    )
    image = image_message(
        rgb, 'rgb8', stamp_ns=frame.stamp_ns, frame_id=topics.CAMERA_FRAME
    )
    yield recorded(topics.CAMERA_INFO, info, frame.stamp_ns)
    yield recorded(topics.IMAGE, image, frame.stamp_ns)
