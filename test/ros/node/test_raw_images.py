# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images are read from their bytes as rclpy reads them; what cannot be read is an ImageError."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

from clip_depth_ros.errors import ImageError
from clip_depth_ros.ros.node.raw_images import read_compressed_image, read_image
from hypothesis import given, strategies as st
import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

pytestmark = pytest.mark.ros

NAMES = st.text(st.characters(codec='utf-8', exclude_characters='\0'), max_size=9)
UINT32 = st.integers(0, 2**32 - 1)
SMALL = Image(header=Header(frame_id='camera'), encoding='rgb8', height=1, width=1, step=3)
SMALL.data = b'rgb'


@st.composite
def headers(draw: Any) -> Header:
    header = Header(frame_id=draw(NAMES))
    header.stamp.sec, header.stamp.nanosec = draw(st.integers(-2**31, 2**31 - 1)), draw(UINT32)
    return header


@given(headers(), NAMES, UINT32, UINT32, UINT32, st.integers(0, 255), st.binary(max_size=9))
def test_images_have_the_fields_that_rclpy_wrote(
    header: Header, encoding: str, height: int, width: int, step: int, is_bigendian: int,
    data: bytes,
):
    message = Image(
        header=header, encoding=encoding, height=height, width=width, step=step,
        is_bigendian=is_bigendian, data=data,
    )
    read = read_image(serialize_message(message))
    for name in ('header', 'encoding', 'height', 'width', 'step', 'is_bigendian'):
        assert getattr(read, name) == getattr(message, name)
    assert read.data == data


@given(headers(), NAMES, st.binary(max_size=9))
def test_compressed_images_too(header: Header, format_: str, data: bytes):
    message = CompressedImage(header=header, format=format_, data=data)
    read = read_compressed_image(serialize_message(message))
    assert (read.header, read.format, read.data) == (header, format_, data)


def test_big_endian_by_hand():
    """As a machine of the other byte order writes it: frame c, 1x2 mono8 of step 2."""
    cdr = b'\0\0\0\0' + struct.pack('>iII', 1, 2, 2) + b'c\0' + b'\0\0'
    cdr += struct.pack('>III', 1, 2, 6) + b'mono8\0' + b'\0' + b'\0' + struct.pack('>II', 2, 2)
    read = read_image(cdr + b'ab')
    assert (read.header.stamp.sec, read.header.stamp.nanosec, read.header.frame_id) == (1, 2, 'c')
    assert (read.height, read.width, read.encoding, read.step) == (1, 2, 'mono8', 2)
    assert read.data == b'ab'


def test_the_picture_is_not_copied():
    cdr = serialize_message(SMALL)
    assert read_image(cdr).data.obj is cdr


@pytest.mark.parametrize('read', [read_image, read_compressed_image])
@given(data=st.data())
def test_any_other_bytes_are_read_or_refused_in_words(read, data):
    cdr = bytearray(serialize_message(SMALL))
    for _ in range(data.draw(st.integers(0, 4))):
        cdr[data.draw(st.integers(0, len(cdr) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ImageError):
        read(bytes(cdr[:data.draw(st.integers(0, len(cdr)))]))


@pytest.mark.parametrize(('cdr', 'message'), [
    (b'', 'starts with 0x0000 or 0x0001, got 0 bytes that start with 0x$'),
    (b'\x28\xb5\x2f\xfd', 'got 4 bytes that start with 0x28b5'),
    (serialize_message(SMALL)[:-1], 'of 54 bytes needs 55: it is cut off or damaged'),
    (serialize_message(SMALL).replace(b'rgb8', b'\xff\xff\xff\xff'), 'a name that is not UTF-8'),
])
def test_what_is_wrong_is_said(cdr: bytes, message: str):
    with pytest.raises(ImageError, match=message):
        read_image(cdr)
