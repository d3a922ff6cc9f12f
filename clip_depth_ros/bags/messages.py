# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ROS messages out of plain arrays, as rosbags' objects, ready for a recording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from clip_depth_ros.core.transforms import quaternion_from
from clip_depth_ros.errors import DataError, ImageError
from clip_depth_ros.types import Intrinsics
import numpy as np
from numpy.typing import NDArray
from rosbags.typesys.stores.ros2_jazzy import (
    builtin_interfaces__msg__Time as Time,
    geometry_msgs__msg__Quaternion as Quaternion,
    geometry_msgs__msg__Transform as Transform,
    geometry_msgs__msg__TransformStamped as TransformStamped,
    geometry_msgs__msg__Vector3 as Vector3,
    sensor_msgs__msg__CameraInfo as CameraInfo,
    sensor_msgs__msg__Image as Image,
    sensor_msgs__msg__PointCloud2 as PointCloud2,
    sensor_msgs__msg__PointField as PointField,
    sensor_msgs__msg__RegionOfInterest as RegionOfInterest,
    std_msgs__msg__Header as Header,
    tf2_msgs__msg__TFMessage as TFMessage,
)

_PIXELS: Final[Mapping[str, tuple[str, int]]] = {
    'rgb8': ('u1', 3),
    'bgr8': ('u1', 3),
    'mono8': ('u1', 1),
    '16UC1': ('<u2', 1),
    '32FC1': ('<f4', 1),
}
"""Little-endian dtype and channels of each encoding that is written."""


def header(stamp_ns: int, frame_id: str) -> Header:
    """Return a header; ``stamp_ns`` is the capture time in nanoseconds."""
    seconds, nanoseconds = divmod(stamp_ns, 10**9)
    return Header(Time(seconds, nanoseconds), frame_id)


def image_message(pixels: NDArray[Any], encoding: str, *, stamp_ns: int, frame_id: str) -> Image:
    """
    Return ``sensor_msgs/Image``, little-endian, rows without padding.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3)
        uint8 for rgb8, bgr8 (H, W, 3) and mono8 (H, W); uint16 for 16UC1; float32 for 32FC1.
    encoding : {'rgb8', 'bgr8', 'mono8', '16UC1', '32FC1'}
        As ``sensor_msgs/image_encodings`` names it.
    stamp_ns : int
        Capture time in nanoseconds.
    frame_id : str
        Optical frame of the camera.

    Raises
    ------
    ImageError
        If pixels and encoding do not go together.

    """
    if encoding not in _PIXELS:
        raise ImageError(f'encoding must be one of {[*_PIXELS]}, got {encoding!r}')
    dtype, channels = _PIXELS[encoding]
    wanted_ndim = 2 if channels == 1 else 3
    fits = pixels.ndim == wanted_ndim and pixels.shape[2:] in ((), (channels,)) and pixels.size
    if not fits or pixels.dtype != np.dtype(dtype):
        raise ImageError(
            f'{encoding} needs {np.dtype(dtype).name} pixels, {channels} for each of H x W, got '
            f'{pixels.dtype} {pixels.shape}'
        )
    data = np.ascontiguousarray(pixels, dtype).reshape(-1).view(np.uint8)
    height, width = pixels.shape[:2]
    return Image(header(stamp_ns, frame_id), height, width, encoding, 0, data.size // height, data)


def camera_info_message(intrinsics: Intrinsics, *, stamp_ns: int, frame_id: str) -> CameraInfo:
    """
    Return ``sensor_msgs/CameraInfo`` of rectified images of one camera.

    D is zero (plumb_bob), R the identity, K and P hold the same intrinsics. P's fourth column is
    zero: ``frame_id`` is this camera's own optical frame, so the offset to another camera of the
    rig belongs into tf, and nowhere twice (``CameraInfo.msg``: Tx = 0 for a monocular camera).
    """
    K = intrinsics.matrix()
    return CameraInfo(
        header=header(stamp_ns, frame_id),
        height=intrinsics.height,
        width=intrinsics.width,
        distortion_model='plumb_bob',
        d=np.zeros(5),
        k=K.reshape(-1),
        r=np.eye(3).reshape(-1),
        p=np.hstack([K, np.zeros((3, 1))]).reshape(-1),
        binning_x=0,
        binning_y=0,
        roi=RegionOfInterest(0, 0, 0, 0, False),
    )


def cloud_message(points: NDArray[np.float32], *, stamp_ns: int, frame_id: str) -> PointCloud2:
    """
    Return ``sensor_msgs/PointCloud2`` of float32 (N, 4): x, y, z in metres, intensity.

    Raises
    ------
    DataError
        If the points are not float32 (N, 4).

    """
    if points.ndim != 2 or points.shape[1] != 4 or points.dtype != np.float32:
        raise DataError(f'a cloud needs float32 (N, 4), got {points.dtype} {points.shape}')
    return PointCloud2(
        header=header(stamp_ns, frame_id),
        height=1,
        width=len(points),
        fields=[
            PointField(name, 4 * index, PointField.FLOAT32, 1)
            for index, name in enumerate(('x', 'y', 'z', 'intensity'))
        ],
        is_bigendian=False,
        point_step=16,
        row_step=16 * len(points),
        data=np.ascontiguousarray(points, '<f4').reshape(-1).view(np.uint8),
        is_dense=bool(np.isfinite(points).all()),
    )


def tf_message(
    T_parent_child: NDArray[np.float64], *, parent: str, child: str, stamp_ns: int
) -> TFMessage:
    """
    Return ``tf2_msgs/TFMessage`` with one transform.

    Parameters
    ----------
    T_parent_child : float64 (4, 4)
        Takes points of the child frame to the parent frame: destination first.
    parent, child : str
        Frame names.
    stamp_ns : int
        Nanoseconds.

    Raises
    ------
    CalibrationError
        If this is no rigid transform.

    """
    rotation = Quaternion(*quaternion_from(T_parent_child))
    transform = Transform(Vector3(*T_parent_child[:3, 3].tolist()), rotation)
    return TFMessage([TransformStamped(header(stamp_ns, parent), child, transform)])
