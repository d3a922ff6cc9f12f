# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compressed pictures: decoded as OpenCV does, bit for bit, and looked at before that."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from clip_depth_ros.core.compressed import check_size, decode, FILE_KINDS, size_in
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ImageError
import cv2
import numpy as np
from PIL import Image
import pytest

WIDE = cv2.resize(
    np.random.default_rng(0).integers(0, 2**16, (6, 8, 3), np.uint16), (64, 48)
)
RGB = (WIDE >> 8).astype(np.uint8)


def encoded(extension: str, pixels: Any, *flags: int) -> bytes:
    return bytes(cv2.imencode(extension, pixels, flags)[1])


def decoded_by_opencv(data: bytes) -> Any:
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize(('extension', 'flags'), [
    ('.png', ()), ('.jpg', ()), ('.jpg', (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
    ('.webp', (cv2.IMWRITE_WEBP_QUALITY, 80)), ('.webp', (cv2.IMWRITE_WEBP_QUALITY, 101)),
    ('.bmp', ()), ('.ppm', ()), ('.tiff', ()),
])
@pytest.mark.parametrize('pixels', [RGB, RGB[:33, :47], RGB[..., [0, 1, 2, 2]]])
def test_law_colours_are_those_that_opencv_reads(extension: str, flags: Any, pixels: Any):
    if extension == '.ppm':
        pixels = np.ascontiguousarray(pixels[..., :3])
    data = encoded(extension, pixels, *flags)
    found = decode(data, 'it', kinds=FILE_KINDS)
    assert np.array_equal(found, decoded_by_opencv(data))
    assert found.flags.writeable
    assert size_in(data, 'it', FILE_KINDS) == found.shape[:2]


@pytest.mark.parametrize('extension', ['.png', '.jpg', '.bmp', '.tiff'])
def test_grey_stays_grey(extension: str):
    data = encoded(extension, RGB[..., 0])
    wanted = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(decode(data, 'it', kinds=FILE_KINDS), wanted)


def test_grey_of_16_bits_stays_whole_and_colours_keep_their_upper_byte():
    assert np.array_equal(decode(encoded('.png', WIDE[..., 0]), 'it'), WIDE[..., 0])
    assert np.array_equal(decode(encoded('.png', WIDE), 'it'), RGB[..., ::-1])


def test_palettes_with_transparent_colours_are_colours():
    file = io.BytesIO()
    Image.fromarray(RGB).quantize(8).save(file, 'PNG', transparency=bytes([0, 128, 255]))
    data = file.getvalue()
    assert np.array_equal(decode(data, 'it'), decoded_by_opencv(data))


def test_a_picture_is_turned_only_on_request():
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.fromarray(RGB).save(file, 'JPEG', exif=exif)
    assert decode(file.getvalue(), 'it').shape == (48, 64, 3)
    assert decode(file.getvalue(), 'it', upright=True).shape == (64, 48, 3)


def test_the_kind_is_that_of_the_first_bytes():
    bmp = encoded('.bmp', RGB)
    assert decode(bmp, 'it', kinds=FILE_KINDS).shape == RGB.shape
    with pytest.raises(ImageError, match='it does not decode: it starts as none of JPEG, PNG, We'):
        decode(bmp, 'it')
    with pytest.raises(ImageError, match=r'^it does not decode: copy it again$'):
        decode(bmp, 'it', advice='copy it again')


@pytest.mark.parametrize('extension', ['.png', '.jpg', '.webp', '.bmp', '.tiff'])
@pytest.mark.parametrize('share', [0.0, 0.01, 0.1, 0.5, 0.9])
def test_a_truncated_picture_does_not_decode(extension: str, share: float, capfd: Any):
    data = encoded(extension, RGB)
    with pytest.raises(ImageError, match='it does not decode: '):
        decode(data[:int(share * len(data))], 'it', kinds=FILE_KINDS)
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('extension', ['.jpg', '.webp'])
def test_law_a_damaged_picture_decodes_or_is_an_error_and_never_noise(
    extension: str, capfd: Any
):
    data, rng = encoded(extension, RGB), np.random.default_rng(1)
    for _ in range(200):
        damaged = bytearray(data)
        for at in rng.integers(0, len(data), 3):
            damaged[at] = rng.integers(256)
        with contextlib.suppress(ImageError):
            assert decode(damaged, 'it').dtype == np.uint8
    assert capfd.readouterr() == ('', '')


def test_every_flipped_bit_of_a_png_is_noticed():
    data = encoded('.png', RGB[:6, :8])
    for at in range(8, len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 16
        with pytest.raises(ImageError, match='it '):
            decode(damaged, 'it')


@pytest.mark.parametrize(('size', 'message'), [
    (Size(0, 5), 'needs a positive size, got it of 5x0'),
    (Size(10, 11), r'it has 11x10 pixels, more than max_image_pixels=100: if that is the size of'),
    (Size(1, 65_536), 'it has 65536x1 pixels, a side may have 65535'),
])
def test_sizes_that_nobody_makes_room_for(size: Size, message: str):
    limit = 100 if size.height > 1 else 10**6
    with pytest.raises(ImageError, match=message):
        check_size(size, limit, 'it')


def test_the_limit_itself_is_allowed():
    data = encoded('.png', RGB)
    assert decode(data, 'it', max_pixels=64 * 48).shape == RGB.shape
    with pytest.raises(ImageError, match='64x48 pixels, more than max_image_pixels=3071'):
        decode(data, 'it', max_pixels=64 * 48 - 1)
