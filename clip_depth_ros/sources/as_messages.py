# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames as the messages of a recording: KITTI's, and the synthetic drive with its truth."""

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
from clip_depth_ros.sources.files import read_rgb
from clip_depth_ros.sources.kitti_files import KittiFrame, read_kitti_scan
from clip_depth_ros.types import Intrinsics, RecordedMessage, Rgb
from clip_depth_ros.world.drive import SyntheticFrame
import numpy as np
from numpy.typing import NDArray


def kitti_messages(frames: Iterable[KittiFrame]) -> Iterator[RecordedMessage]:
    """
    Return image, camera_info and, where there is a scan, cloud of each frame, and calibration.

    ``/tf_static`` (LiDAR to camera) comes first and again whenever the calibration changes, as it
    does within object folders; each frame keeps its own image size and intrinsics. Receive times
    are the capture times.

    Raises
    ------
    DataError
        If a file does not decode, naming it.

    """
    T_before: Matrix4 | None = None
    for frame in frames:
        T_velo_cam2 = _inverse(frame.calibration.T_cam2_velo)
        if T_before is None or not np.array_equal(T_velo_cam2, T_before):
            T_before = T_velo_cam2
            stamp_ns = min(frame.stamp_ns, frame.scan_stamp_ns)
            yield _camera_on_lidar(T_velo_cam2, stamp_ns)
        rgb = read_rgb(frame.image_path)
        height, width = rgb.shape[:2]
        yield from _camera(rgb, frame.calibration.intrinsics(width, height), frame.stamp_ns)
        if frame.scan_path is not None:
            yield _cloud(read_kitti_scan(frame.scan_path), frame.scan_stamp_ns)


def drive_messages(frames: Iterable[SyntheticFrame]) -> Iterator[RecordedMessage]:
    """
    Return the messages of each frame: image, camera_info, true depth and classes, cloud, pose.

    The transforms are a tree, world to LiDAR (``/tf``, one for each frame) and LiDAR to camera
    (``/tf_static``, once and first), as in the recordings made from KITTI. Receive times are the
    capture times.
    """
    for index, frame in enumerate(frames):
        stamp_ns = frame.stamp_ns
        if index == 0:
            yield _camera_on_lidar(_inverse(frame.T_cam_lidar), stamp_ns)
        T_world_lidar = np.asarray(frame.T_world_cam @ frame.T_cam_lidar, np.float64)
        pose = tf_message(
            T_world_lidar, parent=topics.WORLD_FRAME, child=topics.LIDAR_FRAME, stamp_ns=stamp_ns
        )
        yield recorded(topics.TF, pose, stamp_ns)
        yield from _camera(frame.rgb, frame.intrinsics, stamp_ns)
        yield _image(topics.TRUE_DEPTH, frame.depth_m, '32FC1', stamp_ns)
        yield _image(topics.TRUE_CLASS_IDS, frame.class_ids, 'mono8', stamp_ns)
        yield _cloud(frame.lidar_points, stamp_ns)


def _camera_on_lidar(T_lidar_cam: Matrix4, stamp_ns: int) -> RecordedMessage:
    transform = tf_message(
        T_lidar_cam, parent=topics.LIDAR_FRAME, child=topics.CAMERA_FRAME, stamp_ns=stamp_ns
    )
    return recorded(topics.TF_STATIC, transform, stamp_ns)


def _camera(rgb: Rgb, intrinsics: Intrinsics, stamp_ns: int) -> Iterator[RecordedMessage]:
    info = camera_info_message(intrinsics, stamp_ns=stamp_ns, frame_id=topics.CAMERA_FRAME)
    yield recorded(topics.CAMERA_INFO, info, stamp_ns)
    yield _image(topics.IMAGE, rgb, 'rgb8', stamp_ns)


def _image(topic: str, pixels: NDArray[Any], encoding: str, stamp_ns: int) -> RecordedMessage:
    image = image_message(pixels, encoding, stamp_ns=stamp_ns, frame_id=topics.CAMERA_FRAME)
    return recorded(topic, image, stamp_ns)


def _cloud(points: NDArray[np.float32], stamp_ns: int) -> RecordedMessage:
    cloud = cloud_message(points, stamp_ns=stamp_ns, frame_id=topics.LIDAR_FRAME)
    return recorded(topics.CLOUD, cloud, stamp_ns)


def _inverse(T: NDArray[Any]) -> Matrix4:
    return np.asarray(np.linalg.inv(T), np.float64)
