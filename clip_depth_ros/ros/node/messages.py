# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The messages that the node publishes, made of arrays and numbers.

Images and clouds are made as bytes, which publishers take as well: of a message, rclpy copies the
data into one of C first, field by field, and that takes three times as long as the rest.
"""

from __future__ import annotations

from array import array
import sys
from typing import Any

from clip_depth_ros.core.camera import Calibration
from clip_depth_ros.core.depth_images import encode_depth
from clip_depth_ros.ros.node.diagnostics import scale_values
from clip_depth_ros.ros.node.scan import Scan
from clip_depth_ros.scale.keeper import ScaleState
from clip_depth_ros.types import Depth, Rgb
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2, PointField
from std_msgs.msg import Header


def depth_message(header: Header, depth_m: Depth, encoding: str) -> bytes:
    """Return a serialized depth image (REP 118), 32FC1 in metres or 16UC1 in millimetres."""
    return _image(header, encode_depth(depth_m, encoding), encoding)


def rgb_message(header: Header, rgb: Rgb) -> bytes:
    """Return a serialized rgb8 image of a uint8 (H, W, 3) RGB array."""
    return _image(header, np.ascontiguousarray(rgb), 'rgb8')


def info_message(header: Header, calibration: Calibration) -> CameraInfo:
    """Return a camera_info; binning and region of interest must be in the numbers already."""
    return CameraInfo(
        header=header,
        height=calibration.height,
        width=calibration.width,
        distortion_model=calibration.distortion_model,
        d=calibration.d,
        k=calibration.k,
        r=calibration.r,
        p=calibration.p,
    )


def cloud_message(header: Header, points: NDArray[np.float32]) -> bytes:
    """
    Return a serialized, organised PointCloud2 of float32 (H, W, 3) x y z or (H, W, 4) x y z rgb.

    ``is_dense`` is false: unknown points are NaN.
    """
    height, width, n_fields = points.shape
    names = ('x', 'y', 'z', 'rgb')[:n_fields]
    message = PointCloud2(
        header=header,
        height=height,
        width=width,
        fields=[
            PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
            for i, name in enumerate(names)
        ],
        is_bigendian=sys.byteorder == 'big',
        point_step=4 * n_fields,
        row_step=4 * n_fields * width,
        is_dense=False,
    )
    return _serialized(message, points)


def scan_message(header: Header, frame_id: str, scan: Scan) -> LaserScan:
    """Return a LaserScan with the stamp of a header, in a frame of its own."""
    last = len(scan.ranges_m) - 1
    return LaserScan(
        header=Header(stamp=header.stamp, frame_id=frame_id),
        angle_min=scan.first_rad,
        angle_max=scan.first_rad + last * scan.step_rad,
        angle_increment=scan.step_rad,
        range_min=scan.min_range_m,
        range_max=scan.max_range_m,
        ranges=array('f', scan.ranges_m.tobytes()),
    )


def scale_message(header: Header, align: str, state: ScaleState) -> DiagnosticArray:
    """Return what the depth of an image was multiplied by, with its stamp and frame."""
    is_good = align == 'none' or (state.is_known and not state.is_old)
    status = DiagnosticStatus(
        level=DiagnosticStatus.OK if is_good else DiagnosticStatus.WARN,
        name='scale',
        message=state.why or ('measured' if align != 'none' else 'align is none'),
        hardware_id=header.frame_id,
        values=[KeyValue(key=key, value=value) for key, value in scale_values(state).items()],
    )
    return DiagnosticArray(header=header, status=[status])


def _image(header: Header, samples: NDArray[Any], encoding: str) -> bytes:
    message = Image(header=header, encoding=encoding)
    message.height, message.width = samples.shape[:2]
    message.step = samples.strides[0]
    return _serialized(message, samples)


def _serialized(message: Image | PointCloud2, samples: NDArray[Any]) -> bytes:
    """
    Return a message, whose data is empty so far, with a contiguous array as its data, serialized.

    In CDR, data is its length as a uint32 and then the bytes; it is an Image's last field, and
    a PointCloud2 has but one byte after it, ``is_dense``.
    """
    cdr = serialize_message(message)
    data_end = len(cdr) - isinstance(message, PointCloud2)
    length = samples.nbytes.to_bytes(4, 'little' if cdr[1] else 'big')
    return b''.join((cdr[:data_end - 4], length, samples.data.cast('B'), cdr[data_end:]))
