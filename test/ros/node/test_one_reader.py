# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The node and recordings read a message alike: the same answer, or the same error.

The same bytes are decoded by rclpy, as in the node, and by rosbags, as in recordings.
"""

from __future__ import annotations

from collections.abc import Callable
import struct
from typing import Any

from clip_depth_ros.bags.message_types import ros2_types
from clip_depth_ros.bags.messages import cloud_message, header, image_message
from clip_depth_ros.bags.writer import recorded
from clip_depth_ros.core.camera import Calibration
from clip_depth_ros.core.clouds import points_of
from clip_depth_ros.core.depth_images import decode_depth, picture_of
from clip_depth_ros.core.images import (
    class_ids_of,
    encoding_of,
    ENCODINGS,
    is_depth,
    rgb_of,
    size_of,
)
from clip_depth_ros.core.stamps import stamp_ns_of
from clip_depth_ros.errors import ClipDepthError
import cv2
from hypothesis import given, strategies as st
import numpy as np
import pytest
from rclpy.serialization import deserialize_message
import sensor_msgs.msg

pytestmark = pytest.mark.ros


def of_both(message: Any) -> tuple[Any, Any]:
    """Return a message as the node gets it, and as a recording gives it."""
    cdr = recorded('/topic', message, 0).cdr
    name = message.__msgtype__.rpartition('/')[2]
    in_node = deserialize_message(cdr, getattr(sensor_msgs.msg, name))
    return in_node, ros2_types().deserialize_cdr(cdr, message.__msgtype__)


def answer(read: Callable[[Any], Any], message: Any) -> Any:
    """Return what reading gives, in a form that can be compared: errors too."""
    try:
        found = read(message)
    except ClipDepthError as error:
        return type(error), str(error)
    if isinstance(found, np.ndarray):
        return found.dtype, found.shape, found.tobytes()
    return repr(found)  # not as it is: NaN is not equal to itself


def check_alike(message: Any, *reads: Callable[[Any], Any]) -> None:
    """Refuse answers that differ."""
    in_node, in_recording = of_both(message)
    for read in reads:
        assert answer(read, in_node) == answer(read, in_recording)


READ_IMAGE = (rgb_of, picture_of, decode_depth, lambda image: class_ids_of(image, (6, 4)))


@pytest.mark.parametrize('encoding', [*ENCODINGS, '32FC1', '16UC1', 'strange', ''])
@pytest.mark.parametrize('is_bigendian', [False, True])
def test_images_of_every_encoding(encoding: str, is_bigendian: bool):
    layout = ENCODINGS.get(encoding)
    n_bytes = 4 if layout is None else np.dtype(layout.dtype).itemsize * layout.channels
    rng = np.random.default_rng(1)
    message: Any = image_message(
        rng.integers(0, 60, (6, 4 * n_bytes), np.uint8), 'mono8', stamp_ns=0, frame_id='c'
    )
    message.encoding, message.width, message.is_bigendian = encoding, 4, int(is_bigendian)
    check_alike(message, *READ_IMAGE)


@given(
    encoding=st.sampled_from(['rgb8', 'bgra8', 'mono16', 'bayer_gbrg8', 'yuv422', '32FC1']),
    height=st.integers(0, 7),
    width=st.integers(0, 5),
    step=st.integers(0, 40),
    n_bytes=st.integers(0, 200),
)
def test_images_that_may_not_fit_their_description(
    encoding: str, height: int, width: int, step: int, n_bytes: int
):
    message: Any = image_message(np.ones((1, 1), np.uint8), 'mono8', stamp_ns=0, frame_id='c')
    message.height, message.width, message.step = height, width, step
    message.encoding, message.data = encoding, np.arange(n_bytes, dtype=np.uint8)
    check_alike(message, *READ_IMAGE)


@pytest.mark.parametrize('extension', ['.jpg', '.png'])
@pytest.mark.parametrize('share', [1.0, 0.5, 0.1, 0.0])
def test_compressed_images(extension: str, share: float):
    pixels = np.random.default_rng(2).integers(0, 255, (9, 7, 3), np.uint8)
    data = cv2.imencode(extension, pixels)[1].reshape(-1)
    message = ros2_types().types['sensor_msgs/msg/CompressedImage'](
        header(0, 'c'), extension[1:], data[:int(share * data.size)]
    )
    check_alike(message, rgb_of, size_of)


@pytest.mark.parametrize('format_', [
    '16UC1; png compressed ', '16UC1; compressedDepth png', '32FC1; compressedDepth png',
    '16UC1; compressedDepth rvl', 'bayer_rggb8; png compressed ', 'mono16; png compressed ',
])
def test_compressed_images_that_are_no_plain_pictures(format_: str):
    stored = np.random.default_rng(2).integers(0, 2**16, (8, 6), np.uint16)
    data = bytes(cv2.imencode('.png', stored)[1])
    if 'Depth' in format_:
        data = struct.pack('<iff', 0, 6.0, 1.0) + data
    message = ros2_types().types['sensor_msgs/msg/CompressedImage'](
        header(0, 'c'), format_, np.frombuffer(data, np.uint8)
    )
    check_alike(message, rgb_of, picture_of, decode_depth, is_depth, encoding_of)


NUMBER = st.floats(-2000, 2000, width=32) | st.sampled_from([0.0, 500.0, np.nan, np.inf])
MATRICES = st.sampled_from(['good', 'zero']) | st.lists(NUMBER, min_size=12, max_size=12)
K_GOOD = [500.0, 0, 30, 0, 510, 20, 0, 0, 1]
P_GOOD = [400.0, 0, 31, 5, 0, 410, 21, 0, 0, 0, 1, 0]


def matrix(drawn: Any, good: list[float]) -> Any:
    """Return a matrix: a good one, zeros, or any numbers."""
    if drawn == 'good':
        return np.array(good, np.float64)
    return np.zeros(len(good)) if drawn == 'zero' else np.array(drawn[:len(good)], np.float64)


@given(
    k=MATRICES,
    p=MATRICES,
    d=st.lists(st.sampled_from([0.0, 0.01, -0.2, np.nan]), max_size=6)
    | st.sampled_from([[0.0] * 4, [0.01] * 4, [0.0] * 5, [0.01] * 5, [0.01] * 8]),
    model=st.sampled_from(['', 'plumb_bob', 'rational_polynomial', 'equidistant', 'odd']),
    size=st.sampled_from([(64, 48), (0, 0), (0, 48), (128, 96)]),
    binning=st.sampled_from([(0, 0), (1, 1), (2, 2), (0, 2), (3, 1)]),
    roi=st.sampled_from([(0, 0, 0, 0), (2, 4, 32, 24), (1, 1, 0, 0)]),
)
def test_cameras(k: Any, p: Any, d: Any, model: str, size: Any, binning: Any, roi: Any):
    types: Any = ros2_types().types
    message = types['sensor_msgs/msg/CameraInfo'](
        header=header(0, 'c'), height=size[1], width=size[0], distortion_model=model,
        d=np.array(d, np.float64), k=matrix(k, K_GOOD), r=np.eye(3).reshape(-1),
        p=matrix(p, P_GOOD), binning_x=binning[0], binning_y=binning[1],
        roi=types['sensor_msgs/msg/RegionOfInterest'](roi[0], roi[1], roi[3], roi[2], False),
    )

    def camera(source: Any) -> Callable[[Any], Any]:
        return lambda info: Calibration.of(info).camera(source, 64, 48)

    def depth_info(info: Any) -> Calibration:
        calibration = Calibration.of(info)
        return calibration.resampled(calibration.camera('auto', 64, 48), 32, 24)

    check_alike(
        message,
        Calibration.of,
        *map(camera, ('auto', 'P', 'K')),
        lambda info: camera('auto')(info).rays(8, 6),
        lambda info: camera('auto')(info).shown_at(np.eye(2)),
        depth_info,
    )


@given(
    width=st.integers(0, 5),
    point_step=st.integers(0, 40),
    row_step=st.integers(0, 200),
    n_bytes=st.integers(0, 200),
    datatype=st.sampled_from([7, 8, 4]),
    offset=st.integers(0, 12),
    n_fields=st.integers(0, 4),
    is_bigendian=st.booleans(),
)
def test_clouds(
    width: int, point_step: int, row_step: int, n_bytes: int, datatype: int, offset: int,
    n_fields: int, is_bigendian: bool,
):
    points = np.ones((4, 4), np.float32)
    message: Any = cloud_message(points, stamp_ns=0, frame_id='l')
    check_alike(message, points_of)
    message.fields = message.fields[:n_fields]
    for index, field in enumerate(message.fields):
        field.datatype, field.offset = datatype, offset * index
    message.width, message.point_step, message.row_step = width, point_step, row_step
    message.is_bigendian, message.data = is_bigendian, np.arange(n_bytes, dtype=np.uint8)
    check_alike(message, points_of)


def test_stamps():
    message = image_message(
        np.ones((1, 1), np.uint8), 'mono8', stamp_ns=12_000_000_034, frame_id='c'
    )
    assert [stamp_ns_of(each.header) for each in of_both(message)] == [12_000_000_034] * 2
