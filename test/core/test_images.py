# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pixels out of image buffers: every plain encoding, padded rows, and damaged ones refused."""

from __future__ import annotations

from clip_depth_ros.core.images import decode_plain, ImageBuffer, LAYOUTS
from clip_depth_ros.errors import ImageError
from hypothesis import given, strategies as st
import numpy as np
import pytest

RED_THEN_BLUE = np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)


def buffer(data: bytes, encoding: str, *, width: int = 2, step: int, **kwargs) -> ImageBuffer:
    return ImageBuffer(data, 1, width, step, encoding, **kwargs)


@pytest.mark.parametrize(('encoding', 'data'), [
    ('rgb8', [255, 0, 0, 0, 0, 255]),
    ('bgr8', [0, 0, 255, 255, 0, 0]),
    ('8UC3', [0, 0, 255, 255, 0, 0]),
    ('rgba8', [255, 0, 0, 9, 0, 0, 255, 9]),
    ('bgra8', [0, 0, 255, 9, 255, 0, 0, 9]),
    ('8UC4', [0, 0, 255, 9, 255, 0, 0, 9]),
])
def test_colour_encodings_give_rgb(encoding, data):
    rgb = decode_plain(buffer(bytes(data), encoding, step=len(data)))
    assert np.array_equal(rgb, RED_THEN_BLUE)
    assert rgb.flags.c_contiguous


@pytest.mark.parametrize('encoding', ['mono8', '8UC1'])
def test_grey_is_repeated_in_all_channels(encoding):
    rgb = decode_plain(buffer(bytes([7, 200]), encoding, step=2))
    assert rgb.tolist() == [[[7] * 3, [200] * 3]]


@pytest.mark.parametrize(('is_bigendian', 'data'), [(False, [0x34, 0x12]), (True, [0x12, 0x34])])
def test_16_bit_grey_keeps_its_upper_byte_in_either_byte_order(is_bigendian, data):
    image = buffer(bytes(data), 'mono16', width=1, step=2, is_bigendian=is_bigendian)
    assert decode_plain(image).tolist() == [[[0x12] * 3]]


@given(
    encoding=st.sampled_from(sorted(LAYOUTS)),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    padding=st.integers(0, 3),
)
def test_row_padding_never_shows(encoding, height, width, padding):
    layout = LAYOUTS[encoding]
    sample = np.dtype(layout.dtype).itemsize
    row = width * layout.stored * sample
    pixels = np.random.default_rng(0).integers(0, 256, (height, row), np.uint8)
    padded = np.pad(pixels, ((0, 0), (0, padding * sample)), constant_values=99)
    tight = ImageBuffer(pixels.tobytes(), height, width, row, encoding)
    wide = ImageBuffer(padded.tobytes(), height, width, row + padding * sample, encoding)
    assert np.array_equal(decode_plain(tight), decode_plain(wide))


def test_the_last_row_needs_no_padding():
    image = ImageBuffer(bytes(8 + 6), 2, 2, 8, 'rgb8')
    assert decode_plain(image).shape == (2, 2, 3)


@pytest.mark.parametrize(('image', 'message'), [
    (ImageBuffer(bytes(5), 1, 2, 6, 'rgb8'), 'needs 6 bytes, got 5: the message is truncated'),
    (ImageBuffer(bytes(6), 1, 2, 5, 'rgb8'), r'needs step >= 6 bytes, got step=5'),
    (ImageBuffer(bytes(6), 1, 1, 3, 'mono16'), r'needs step >= 2 bytes, got step=3'),
    (ImageBuffer(b'', 0, 2, 6, 'rgb8'), 'needs a positive size, got a 2x0'),
    (ImageBuffer(b'', 1, 0, 0, 'rgb8'), 'needs a positive size, got a 0x1'),
    (ImageBuffer(bytes(6), 1, 2, 6, 'yuv422'), "encoding 'yuv422' is not one of"),
])
def test_a_buffer_that_does_not_fit_its_description_is_refused(image, message):
    with pytest.raises(ImageError, match=message):
        decode_plain(image)


def test_viewing_copies_nothing():
    data = bytearray(bytes(range(12)))
    view = ImageBuffer(data, 2, 2, 6, 'rgb8').view(np.uint8, 3)
    data[0] = 77
    assert view[0, 0, 0] == 77
