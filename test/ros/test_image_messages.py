# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image messages in and out: plain, exotic and compressed encodings, contract fields."""

from __future__ import annotations

from clip_depth_ros.errors import ImageError
from clip_depth_ros.ros.node.images import (
    decode_compressed,
    decode_image,
    depth_message,
    rgb_message,
)
from clip_depth_ros.ros.node.outputs import cloud_message
import cv2
import numpy as np
import pytest
from ros_harness import rgb_image
from sensor_msgs.msg import CompressedImage, Image, PointField
from std_msgs.msg import Header

pytestmark = pytest.mark.ros

PICTURE = cv2.resize(np.arange(192, dtype=np.uint8).reshape(8, 8, 3), (64, 48))


def test_an_rgb_message_comes_back_as_it_went():
    message = rgb_message(Header(frame_id='cam'), PICTURE)
    assert (message.height, message.width, message.step) == (48, 64, 192)
    assert message.header.frame_id == 'cam'
    assert np.array_equal(decode_image(message), PICTURE)


@pytest.mark.parametrize('encoding', ['bayer_rggb8', 'bayer_bggr8', 'yuv422_yuy2'])
def test_exotic_encodings_go_through_a_library(encoding):
    channels = 2 if encoding.startswith('yuv') else 1
    message = Image(height=4, width=4, encoding=encoding, step=4 * channels)
    message.data = bytes([128] * 16 * channels)
    rgb = decode_image(message)
    assert rgb.shape == (4, 4, 3)
    assert np.abs(rgb.astype(int) - 128).max() <= 4


@pytest.mark.parametrize('extension', ['.jpg', '.png'])
def test_compressed_images_decode_to_rgb(extension):
    data = cv2.imencode(extension, cv2.cvtColor(PICTURE, cv2.COLOR_RGB2BGR))[1].tobytes()
    rgb = decode_compressed(CompressedImage(format=extension[1:], data=data))
    assert np.abs(rgb.astype(int) - PICTURE).mean() < 5


@pytest.mark.parametrize('data', [b'', b'\xff\xd8\xff', b'no image at all'])
def test_compressed_data_that_does_not_decode_is_refused(data):
    with pytest.raises(ImageError, match='does not decode'):
        decode_compressed(CompressedImage(format='jpeg', data=data))


def test_a_truncated_exotic_image_is_refused():
    message = Image(height=4, width=4, encoding='bayer_rggb8', step=4, data=b'123')
    with pytest.raises(ImageError, match='bayer_rggb8'):
        decode_image(message)


@pytest.mark.parametrize('encoding', ['32FC1', '16UC1'])
def test_a_depth_image_as_camera_input_is_refused(encoding):
    message = rgb_image()
    message.encoding = encoding
    with pytest.raises(ImageError, match='depth encoding; remap image to a camera picture'):
        decode_image(message)


@pytest.mark.parametrize(('encoding', 'step'), [('32FC1', 12), ('16UC1', 6)])
def test_depth_messages_have_the_contracts_fields(encoding, step):
    message = depth_message(Header(), np.ones((2, 3), np.float32), encoding)
    assert (message.height, message.width, message.step) == (2, 3, step)
    assert (message.encoding, message.is_bigendian) == (encoding, 0)
    assert len(message.data) == 2 * step


@pytest.mark.parametrize(('n_fields', 'names'), [(3, 'x y z'), (4, 'x y z rgb')])
def test_clouds_are_organised_and_read_back_by_their_fields(n_fields, names):
    points = np.arange(2 * 5 * n_fields, dtype=np.float32).reshape(2, 5, n_fields)
    cloud = cloud_message(Header(), points)
    assert (cloud.height, cloud.width, cloud.is_dense) == (2, 5, False)
    assert (cloud.point_step, cloud.row_step) == (4 * n_fields, 20 * n_fields)
    assert [f.name for f in cloud.fields] == names.split()
    assert {(f.datatype, f.count) for f in cloud.fields} == {(PointField.FLOAT32, 1)}
    assert np.array_equal(np.frombuffer(cloud.data, np.float32), points.ravel())
