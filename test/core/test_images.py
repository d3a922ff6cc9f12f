# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures out of image messages: every encoding, padded rows, and damaged ones refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from clip_depth_ros.core.images import encoding_of, ENCODINGS, pixels_of, rgb_of, size_of
from clip_depth_ros.errors import ImageError
import cv2
from hypothesis import given, strategies as st
import numpy as np
import pytest

RED_THEN_BLUE = np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)


def image(
    data: Any, height: int, width: int, step: int, encoding: str, *, is_bigendian: bool = False
) -> SimpleNamespace:
    """Return something with the fields of a ``sensor_msgs/Image``."""
    return SimpleNamespace(
        data=data, height=height, width=width, step=step, encoding=encoding,
        is_bigendian=is_bigendian,
    )


@pytest.mark.parametrize(('encoding', 'data'), [
    ('rgb8', [255, 0, 0, 0, 0, 255]),
    ('bgr8', [0, 0, 255, 255, 0, 0]),
    ('8UC3', [0, 0, 255, 255, 0, 0]),
    ('rgba8', [255, 0, 0, 9, 0, 0, 255, 9]),
    ('bgra8', [0, 0, 255, 9, 255, 0, 0, 9]),
    ('8UC4', [0, 0, 255, 9, 255, 0, 0, 9]),
])
def test_colour_encodings_give_rgb(encoding, data):
    rgb = rgb_of(image(bytes(data), 1, 2, len(data), encoding))
    assert np.array_equal(rgb, RED_THEN_BLUE)
    assert rgb.flags.c_contiguous


@pytest.mark.parametrize('encoding', ['mono8', '8UC1'])
def test_grey_is_repeated_in_all_channels(encoding):
    rgb = rgb_of(image(bytes([7, 200]), 1, 2, 2, encoding))
    assert rgb.tolist() == [[[7] * 3, [200] * 3]]


@pytest.mark.parametrize(('is_bigendian', 'data'), [(False, [0x34, 0x12]), (True, [0x12, 0x34])])
def test_16_bit_grey_keeps_its_upper_byte_in_either_byte_order(is_bigendian, data):
    message = image(bytes(data), 1, 1, 2, 'mono16', is_bigendian=is_bigendian)
    assert rgb_of(message).tolist() == [[[0x12] * 3]]


@pytest.mark.parametrize('encoding', ENCODINGS)
@given(rows=st.integers(1, 2), columns=st.integers(1, 2), padding=st.integers(0, 3))
def test_row_padding_never_shows(encoding, rows, columns, padding):
    layout = ENCODINGS[encoding]
    height, width = 6 * rows, 4 * columns  # whole in every encoding
    sample = np.dtype(layout.dtype).itemsize
    row = width * layout.channels * sample
    samples = np.random.default_rng(0).integers(0, 100, (height, width * layout.channels))
    pixels = samples.astype(layout.dtype).view(np.uint8)
    padded = np.pad(pixels, ((0, 0), (0, padding * sample)), constant_values=99)
    tight = image(pixels.tobytes(), height, width, row, encoding)
    wide = image(padded.tobytes(), height, width, row + padding * sample, encoding)
    assert np.array_equal(rgb_of(tight), rgb_of(wide))


@pytest.mark.parametrize('encoding', ENCODINGS)
@pytest.mark.parametrize('is_bigendian', [False, True])
def test_rows_without_a_step_that_fill_their_data_are_understood(
    encoding: str, is_bigendian: bool
):
    layout = ENCODINGS[encoding]
    pixels = np.random.default_rng(0).integers(0, 100, (6, 4 * layout.channels))
    sample = np.dtype(layout.dtype).newbyteorder('>' if is_bigendian else '<')
    data = pixels.astype(sample).tobytes()
    stated = image(data, 6, 4, len(data) // 6, encoding, is_bigendian=is_bigendian)
    unstated = image(data, 6, 4, 0, encoding, is_bigendian=is_bigendian)
    assert np.array_equal(rgb_of(unstated), rgb_of(stated))
    for wrong in (data[:-1], data + b'0'):
        with pytest.raises(ImageError, match=r'needs step >= .*, got step=0'):
            rgb_of(image(wrong, 6, 4, 0, encoding, is_bigendian=is_bigendian))


class TestTwoPlanes:
    """NV12 and NV21: colour lies in half as many rows behind the brightness."""

    HEIGHT, WIDTH = 48, 64

    def planes(self, step: int) -> Any:
        """Give a picture's rows, brightness and then colour, with padding behind each."""
        rows = np.random.default_rng(0).integers(0, 256, (72, self.WIDTH), np.uint8)
        return np.pad(rows, ((0, 0), (0, step - self.WIDTH)), constant_values=77)

    @pytest.mark.parametrize('encoding', ['nv12', 'nv21'])
    @pytest.mark.parametrize('height', [48, 72])
    @pytest.mark.parametrize('step', [64, 80, 128])
    def test_height_may_be_that_of_the_picture_or_of_both(
        self, encoding: str, height: int, step: int
    ):
        code = getattr(cv2, f'COLOR_YUV2RGB_{encoding.upper()}')
        wanted = cv2.cvtColor(self.planes(self.WIDTH), code)
        message = image(self.planes(step).tobytes(), height, self.WIDTH, step, encoding)
        rgb = rgb_of(message)
        assert size_of(message) == (self.HEIGHT, self.WIDTH)
        assert rgb.shape == (self.HEIGHT, self.WIDTH, 3)
        assert np.array_equal(rgb, wanted)

    @pytest.mark.parametrize('height', [48, 72])
    def test_the_last_row_needs_no_padding_and_more_may_follow(self, height: int):
        data = self.planes(80).tobytes()
        wanted = rgb_of(image(data, 72, self.WIDTH, 80, 'nv12'))
        for other in (data[:-16], data + bytes(500)):
            assert np.array_equal(rgb_of(image(other, height, self.WIDTH, 80, 'nv12')), wanted)

    def test_grey_stays_grey(self):
        data = np.full((72, 64), 128, np.uint8).tobytes()
        assert np.unique(rgb_of(image(data, 48, 64, 64, 'nv21'))).size == 1

    def test_half_a_plane_of_colour_is_none(self):
        with pytest.raises(ImageError, match='cannot convert a 64x50 nv12 image'):
            rgb_of(image(bytes(64 * 60), 50, 64, 64, 'nv12'))


@pytest.mark.parametrize(('height', 'width', 'message'), [
    (10_000, 10_000, r'10000x10000 pixels, more than max_image_pixels=50000000'),
    (2**32 - 1, 2**32 - 1, 'more than max_image_pixels'),
    (1, 10**6, 'a side may have 65535'),
])
def test_a_size_that_is_only_claimed_is_refused(height: int, width: int, message: str):
    with pytest.raises(ImageError, match=message):
        rgb_of(image(b'', height, width, width, 'mono8'))


def test_the_limit_is_a_setting():
    message = image(bytes(12), 2, 2, 6, 'rgb8')
    assert rgb_of(message, max_pixels=4).shape == (2, 2, 3)
    with pytest.raises(ImageError, match='the rgb8 image has 2x2 pixels, more than max_image_pi'):
        rgb_of(message, max_pixels=3)


def test_the_last_row_needs_no_padding():
    assert rgb_of(image(bytes(8 + 6), 2, 2, 8, 'rgb8')).shape == (2, 2, 3)


@pytest.mark.parametrize(('damaged', 'message'), [
    (image(bytes(5), 1, 2, 6, 'rgb8'), 'needs 6 bytes, got 5: the message is truncated'),
    (image(bytes(6), 1, 2, 5, 'rgb8'), r'needs step >= 6 bytes, got step=5'),
    (image(bytes(6), 1, 1, 3, 'mono16'), r'needs step >= 2 bytes, got step=3'),
    (image(b'', 0, 2, 6, 'rgb8'), 'needs a positive size, got a 2x0'),
    (image(b'', 1, 0, 0, 'rgb8'), 'needs a positive size, got a 0x1'),
    (image(b'123', 4, 4, 4, 'bayer_rggb8'), '4x4 bayer_rggb8 .*truncated'),
    (image(bytes(6), 2, 1, 2, 'yuv422'), 'cannot convert a 1x2 yuv422 image to rgb8: '),
    (image(bytes(6), 1, 2, 6, 'strange'), "encoding 'strange' is not one of"),
])
def test_a_message_that_does_not_fit_its_description_is_refused(damaged, message):
    with pytest.raises(ImageError, match=message):
        rgb_of(damaged)


def test_viewing_copies_nothing():
    data = bytearray(bytes(range(12)))
    view = pixels_of(image(data, 2, 2, 6, 'rgb8'), np.uint8, 3)
    data[0] = 77
    assert view[0, 0, 0] == 77


def test_encodings_of_cameras_that_are_no_plain_arrays():
    """Equal grey is grey, whatever the pattern; a red patch tells the patterns apart."""
    for encoding, channels in (('bayer_rggb8', 1), ('bayer_bggr8', 1), ('yuv422_yuy2', 2)):
        grey = rgb_of(image(bytes([128] * 16 * channels), 4, 4, 4 * channels, encoding))
        assert grey.shape == (4, 4, 3)
        assert np.abs(grey.astype(int) - 128).max() <= 4
    mosaic = np.zeros((8, 8), np.uint8)
    mosaic[::2, ::2] = 200
    for encoding, channel in (('bayer_rggb8', 0), ('bayer_bggr8', 2)):
        colour = rgb_of(image(mosaic.tobytes(), 8, 8, 8, encoding))[2:6, 2:6]
        assert (colour.max(axis=(0, 1)) > 0).tolist() == [c == channel for c in range(3)]


@pytest.mark.parametrize('encoding', ['32FC1', '16UC1'])
def test_a_depth_image_is_no_picture(encoding):
    with pytest.raises(ImageError, match='depth encoding; remap image to a camera picture'):
        rgb_of(image(bytes(64), 2, 2, 32, encoding))


PICTURE = cv2.resize(np.arange(192, dtype=np.uint8).reshape(8, 8, 3), (64, 48))


class TestCompressed:
    def message(self, extension: str) -> SimpleNamespace:
        data = cv2.imencode(extension, cv2.cvtColor(PICTURE, cv2.COLOR_RGB2BGR))[1].tobytes()
        return SimpleNamespace(format=extension[1:], data=data)

    def test_jpeg_and_png_decode_to_rgb(self):
        assert np.abs(rgb_of(self.message('.jpg')).astype(int) - PICTURE).mean() < 5
        assert np.array_equal(rgb_of(self.message('.png')), PICTURE)

    def test_a_truncated_one_is_refused_with_its_size(self):
        message = self.message('.png')
        message.data = message.data[:40]
        with pytest.raises(ImageError, match=r'of 40 bytes.*does not decode: it is truncated'):
            rgb_of(message)

    @pytest.mark.parametrize('encoding', ['bayer_rggb8', 'bayer_gbrg8', 'bayer_grbg16'])
    def test_a_mosaic_is_demosaiced(self, encoding: str):
        mosaic = np.random.default_rng(0).integers(0, 2**16, (8, 12), np.uint16)
        mosaic = mosaic if '16' in encoding else (mosaic >> 8).astype(np.uint8)
        raw = image(mosaic.tobytes(), 8, 12, mosaic.strides[0], encoding)
        data = cv2.imencode('.png', mosaic)[1].tobytes()
        sent = SimpleNamespace(format=f'{encoding}; png compressed ', data=data)
        assert np.array_equal(rgb_of(sent), rgb_of(raw))

    def test_of_a_mosaic_of_16_bits_a_jpeg_has_8(self):
        data = cv2.imencode('.jpg', np.full((8, 8), 90, np.uint8))[1].tobytes()
        sent = SimpleNamespace(format='bayer_rggb16; jpeg compressed ', data=data)
        assert rgb_of(sent).tolist() == [[[90] * 3] * 8] * 8

    def test_what_was_demosaiced_before_stays_as_it_is(self):
        sent = self.message('.png')
        sent.format = 'bayer_rggb8; png compressed bgr8'
        assert np.array_equal(rgb_of(sent), PICTURE)

    def test_a_mosaic_of_an_unknown_pattern_is_refused(self):
        data = cv2.imencode('.png', np.ones((8, 8), np.uint8))[1].tobytes()
        with pytest.raises(ImageError, match=r"'bayer_xyz8; png.*should be one of \['rggb'"):
            rgb_of(SimpleNamespace(format='bayer_xyz8; png compressed ', data=data))

    @pytest.mark.parametrize('format_', [
        'rgb8; png compressed bgr8', 'bgr8; png compressed bgr8', 'png', '', 'rgb8; png',
    ])
    def test_colours_are_those_of_the_file_whatever_the_camera_had(self, format_: str):
        sent = self.message('.png')
        sent.format = format_
        assert np.array_equal(rgb_of(sent), PICTURE)

    def test_grey_of_16_bits_keeps_its_upper_byte(self):
        data = cv2.imencode('.png', np.array([[0x1234, 0xff00]], np.uint16))[1].tobytes()
        sent = SimpleNamespace(format='mono16; png compressed ', data=data)
        assert rgb_of(sent).tolist() == [[[0x12] * 3, [0xff] * 3]]

    @pytest.mark.parametrize(('format_', 'encoding'), [
        ('bgr8; jpeg compressed bgr8', 'bgr8'), ('16UC1; compressedDepth png', '16UC1'),
        ('16UC1', '16UC1'), ('jpeg', ''), ('', ''), (' mono8 ; png compressed ', 'mono8'),
    ])
    def test_the_encoding_before_is_the_first_word_of_format(self, format_: str, encoding: str):
        assert encoding_of(SimpleNamespace(format=format_, data=b'')) == encoding

    def test_the_size_is_read_without_decoding(self):
        sent = self.message('.jpg')
        assert size_of(sent) == PICTURE.shape[:2]
        sent.data = sent.data[:700]  # behind the header
        assert size_of(sent) == PICTURE.shape[:2]

    @pytest.mark.parametrize('data', [b'', b'\xff\xd8\xff', b'no image at all'])
    def test_data_that_does_not_decode_is_refused(self, data: bytes):
        with pytest.raises(ImageError, match='does not decode'):
            rgb_of(SimpleNamespace(format='jpeg', data=data))


def test_a_jpeg_with_too_few_bytes_for_its_size_is_refused_and_a_plain_one_is_not():
    """One pixel in 512 has a bit at most; the decoder would fill up with grey."""
    data = bytearray(cv2.imencode('.jpg', np.full((2000, 3000), 128, np.uint8))[1].tobytes())
    assert rgb_of(SimpleNamespace(format='jpeg', data=bytes(data))).shape == (2000, 3000, 3)
    small = bytearray(cv2.imencode('.jpg', np.full((48, 64), 128, np.uint8))[1].tobytes())
    start = small.index(b'\xff\xc0') + 5
    small[start:start + 2] = (60_000).to_bytes(2, 'big')
    with pytest.raises(ImageError, match='too short for the 64x60000 pixels'):
        rgb_of(SimpleNamespace(format='jpeg', data=bytes(small)))


@pytest.mark.parametrize('encoding', ['32FC3', '64FC3'])
@pytest.mark.parametrize('value', [np.nan, np.inf, -1.0, 256.0])
def test_numbers_that_are_no_brightness_are_refused(encoding: str, value: float):
    """What a cast to 8 bits makes of them depends on the machine."""
    pixels = np.full((4, 4, 3), 255.0, ENCODINGS[encoding].dtype)
    message = image(pixels.tobytes(), 4, 4, pixels.strides[0], encoding)
    assert (rgb_of(message) == 255).all()
    pixels[1, 2, 0] = value
    message.data = pixels.tobytes()
    with pytest.raises(ImageError, match='from 0 to 255'):
        rgb_of(message)


def oracle_encodings() -> list[str]:
    """Return the encodings that rosbags-image turns into rgb8, but those read otherwise here."""
    image_library = pytest.importorskip('rosbags.image.image', reason='not installed')
    ours = {'mono16', '8UC1', '8UC3', '8UC4'}  # 16-bit grey keeps its upper byte, 8UC3 is BGR
    wide = {f'{kind}C3' for kind in image_library.DEPTHMAP}
    return sorted((image_library.ENCODINGMAP.keys() | wide) - ours)


@pytest.mark.parametrize('is_bigendian', [False, True])
def test_law_as_rosbags_image_bit_for_bit(is_bigendian: bool):
    """The oracle: whatever it reads is read here, and the same."""
    from rosbags.image import message_to_cvimage

    rng = np.random.default_rng(7)
    for encoding in oracle_encodings():
        layout = ENCODINGS[encoding]
        sample = np.dtype(layout.dtype).newbyteorder('>' if is_bigendian else '<')
        pixels = rng.uniform(0, 255, (12, 8, layout.channels))
        if sample.kind in 'iu':
            largest = min(np.iinfo(sample).max, 2**17)
            pixels = rng.integers(0, largest, (12, 8, layout.channels), np.int64)
        data = pixels.astype(sample).tobytes()
        message = image(data, 12, 8, len(data) // 12, encoding, is_bigendian=is_bigendian)
        wanted = message_to_cvimage(message, 'rgb8')  # type: ignore[arg-type]
        assert np.array_equal(rgb_of(message), wanted), encoding
