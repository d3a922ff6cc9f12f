# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The messages that the node publishes have the fields of the contract."""

from __future__ import annotations

from clip_depth_ros.core.camera import Calibration
from clip_depth_ros.core.images import rgb_of
from clip_depth_ros.ros.node.messages import (
    cloud_message,
    depth_message,
    info_message,
    rgb_message,
)
import cv2
import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from ros_harness import camera_info
from sensor_msgs.msg import Image, PointCloud2, PointField
from std_msgs.msg import Header

pytestmark = pytest.mark.ros

PICTURE = cv2.resize(np.arange(192, dtype=np.uint8).reshape(8, 8, 3), (64, 48))


def test_an_rgb_message_comes_back_as_it_went():
    message = deserialize_message(rgb_message(Header(frame_id='cam'), PICTURE), Image)
    assert (message.height, message.width, message.step) == (48, 64, 192)
    assert message.header.frame_id == 'cam'
    assert np.array_equal(rgb_of(message), PICTURE)


@pytest.mark.parametrize(('encoding', 'step'), [('32FC1', 12), ('16UC1', 6)])
def test_depth_messages_have_the_contracts_fields(encoding, step):
    cdr = depth_message(Header(), np.ones((2, 3), np.float32), encoding)
    message = deserialize_message(cdr, Image)
    assert (message.height, message.width, message.step) == (2, 3, step)
    assert (message.encoding, message.is_bigendian) == (encoding, 0)
    assert len(message.data) == 2 * step


@pytest.mark.parametrize(('n_fields', 'names'), [(3, 'x y z'), (4, 'x y z rgb')])
def test_clouds_are_organised_and_read_back_by_their_fields(n_fields, names):
    points = np.arange(2 * 5 * n_fields, dtype=np.float32).reshape(2, 5, n_fields)
    cloud = deserialize_message(cloud_message(Header(), points), PointCloud2)
    assert (cloud.height, cloud.width, cloud.is_dense) == (2, 5, False)
    assert (cloud.point_step, cloud.row_step) == (4 * n_fields, 20 * n_fields)
    assert [f.name for f in cloud.fields] == names.split()
    assert {(f.datatype, f.count) for f in cloud.fields} == {(PointField.FLOAT32, 1)}
    assert np.array_equal(np.frombuffer(cloud.data, np.float32), points.ravel())


@pytest.mark.parametrize('frame_id', ['', 'a', 'ab', 'abc', 'abcd', 'caméra'])
@pytest.mark.parametrize(('n_rows', 'n_columns'), [(1, 1), (2, 3), (5, 7)])
def test_they_are_as_long_and_read_as_what_rclpy_makes_of_a_message(frame_id, n_rows, n_columns):
    """Also where names of other lengths shift what is behind them; rclpy pads with anything."""
    header = Header(frame_id=frame_id)
    header.stamp.sec, header.stamp.nanosec = -1, 2**32 - 1
    shape = (n_rows, n_columns)
    for cdr, msgtype in (
        (rgb_message(header, np.full((*shape, 3), 7, np.uint8)), Image),
        (depth_message(header, np.ones(shape, np.float32), '16UC1'), Image),
        (cloud_message(header, np.ones((*shape, 4), np.float32)), PointCloud2),
    ):
        message = deserialize_message(cdr, msgtype)
        assert message.header == header
        assert message.data[-1:].tobytes() == cdr[:len(cdr) - hasattr(message, 'is_dense')][-1:]
        again = serialize_message(message)
        assert len(again) == len(cdr)
        assert deserialize_message(again, msgtype) == message


def test_a_camera_info_says_what_its_calibration_does():
    info = camera_info(64, 48)
    info.d, info.distortion_model = [0.1, 0.2, 0.3, 0.4], 'equidistant'
    header = Header(frame_id='cam')
    made = info_message(header, Calibration.of(info))
    assert Calibration.of(made) == Calibration.of(info)
    info.header = header
    assert made == info
