# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compressed depth: what image_transport's compressedDepth writes comes back as metres."""

from __future__ import annotations

from collections.abc import Iterator
import struct
from types import SimpleNamespace
from typing import Any

from clip_depth_ros.core.depth_images import decode_depth, picture_of
from clip_depth_ros.core.images import is_depth, rgb_of
from clip_depth_ros.errors import ImageError
import cv2
from hypothesis import given, strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest

MILLIMETRES = np.array([[0, 1, 1500], [2000, 0, 65000]], np.uint16)
METRES = np.array([[np.nan, 0.001, 1.5], [2, np.nan, 65]], np.float32)


def message(format_: str, data: bytes) -> SimpleNamespace:
    return SimpleNamespace(format=format_, data=data)


def png(stored: Any) -> bytes:
    return bytes(cv2.imencode('.png', stored)[1])


def header(a: float = 0, b: float = 0) -> bytes:
    return struct.pack('<iff', 0, a, b)


def nibbles_of(number: int) -> Iterator[int]:
    while number > 7:
        yield number & 7 | 8
        number >>= 3
    yield number


def rvl(pixels: NDArray[np.uint16]) -> bytes:
    """Write RVL as Wilson's paper has it, pixel by pixel."""
    nibbles: list[int] = []
    flat, at, before = pixels.ravel().tolist(), 0, 0
    while at < len(flat):
        for is_zero in (True, False):
            run = at
            while run < len(flat) and (flat[run] == 0) == is_zero:
                run += 1
            nibbles += nibbles_of(run - at)
            for value in [] if is_zero else flat[at:run]:
                step, before = value - before, value
                nibbles += nibbles_of(2 * step if step >= 0 else -2 * step - 1)
            at = run
    nibbles += [0] * (-len(nibbles) % 8)
    words = [int(''.join(f'{n:x}' for n in nibbles[i:i + 8]), 16) for i in
             range(0, len(nibbles), 8)]
    return struct.pack(f'<II{len(words)}I', pixels.shape[1], pixels.shape[0], *words)


def quantised(metres: Any, *, depth_max: float, quantisation: float) -> bytes:
    """Write what compressedDepth makes of 32FC1: inverse depth in 16 bits, rounded down."""
    a = quantisation * (quantisation + 1)
    b = 1 - a / depth_max
    with np.errstate(divide='ignore', invalid='ignore'):
        stored = np.where(metres < depth_max, a / metres + b, 0).astype(np.uint16)
    return header(a, b) + png(stored)


@pytest.mark.parametrize('sent', [
    message('16UC1; png compressed ', png(MILLIMETRES)),
    message('16UC1; compressedDepth png', header() + png(MILLIMETRES)),
    message('16UC1; compressedDepth', header() + png(MILLIMETRES)),
    message('mono16; compressedDepth png', header() + png(MILLIMETRES)),
    message('16UC1; compressedDepth rvl', header() + rvl(MILLIMETRES)),
])
def test_millimetres_come_back_as_metres(sent: Any):
    assert is_depth(sent)
    np.testing.assert_array_equal(decode_depth(sent), METRES)
    assert decode_depth(sent).dtype == np.float32


def test_metres_come_back_but_for_what_quantisation_takes():
    metres = np.array([[0.5, 1, 2.5, 7.9], [np.nan, np.inf, 10, 12]], np.float32)
    sent = message(
        '32FC1; compressedDepth png', quantised(metres, depth_max=10, quantisation=100)
    )
    found = decode_depth(sent)
    np.testing.assert_allclose(found[0], metres[0], rtol=2e-3)
    assert np.isnan(found[1]).all()  # unknown, or not below depth_max


def test_a_number_worked_by_hand():
    """With a = 6 and b = 1, the stored 4 is 6 / (4 - 1) = 2 m; 1 would be beyond everything."""
    stored = np.array([[4, 7, 1, 0]], np.uint16)
    sent = message('32FC1; compressedDepth png', header(6, 1) + png(stored))
    np.testing.assert_array_equal(decode_depth(sent), [[2, 1, np.nan, np.nan]])


@given(st.integers(1, 5), st.integers(1, 9), st.randoms(use_true_random=False))
def test_law_rvl_reads_back_as_it_was(height: int, width: int, random: Any):
    values = [0, 0, 1, 7, 8, 1000, 65535]
    pixels = np.array(
        [[random.choice(values) for _ in range(width)] for _ in range(height)], np.uint16
    )
    sent = message('16UC1; compressedDepth rvl', header() + rvl(pixels))
    wanted = np.where(pixels == 0, np.nan, pixels.astype(np.float32) / np.float32(1000))
    known = pixels < 65535  # which may mean that nothing came back
    np.testing.assert_array_equal(decode_depth(sent)[known], wanted[known])


@pytest.mark.parametrize('format_', ['16UC1; png compressed ', '32FC1; compressedDepth png'])
def test_it_is_no_picture_but_can_be_shown_in_colours(format_: str):
    sent = message(format_, (header(6, 1) if '32FC1' in format_ else b'') + png(MILLIMETRES))
    with pytest.raises(ImageError, match=f"format '{format_}' is a depth encoding; remap image"):
        rgb_of(sent)
    assert picture_of(sent).shape == (2, 3, 3)


@pytest.mark.parametrize(('sent', 'error'), [
    (message('bgr8; jpeg compressed bgr8', b'\xff'), 'does not say 16UC1 or 32FC1 first'),
    (message('jpeg', b'\xff'), 'does not say 16UC1 or 32FC1 first'),
    (message('32FC1; png compressed ', png(MILLIMETRES)), 'cannot hold metres'),
    (message('16UC1; png compressed ', png(np.ones((2, 3), np.uint8))), 'should be 16-bit grey'),
    (message('16UC1; jpeg compressed ', bytes(cv2.imencode('.jpg', np.ones((2, 3)))[1])),
     'it starts as none of PNG does'),
    (message('16UC1; compressedDepth png', header()), 'more than its header of 12 bytes'),
    (message('16UC1; compressedDepth png', png(MILLIMETRES)), 'does not decode'),
    (message('32FC1; compressedDepth png', header() + png(MILLIMETRES)), 'should have a > 0'),
    (message('32FC1; compressedDepth png', header(np.nan, 1) + png(MILLIMETRES)), 'a > 0'),
    (message('16UC1; compressedDepth rvl', header() + b'\1\0\0'), 'truncated or damaged'),
    (message('16UC1; compressedDepth rvl', header() + rvl(MILLIMETRES)[:-4]), 'truncated or dam'),
    (message('16UC1; compressedDepth rvl', header() + rvl(MILLIMETRES)[:8] + bytes(40)), 'damag'),
    (message('16UC1; compressedDepth rvl', header() + struct.pack('<II', 10**5, 10**5)),
     '100000x100000 pixels, more than max_image_pixels'),
])
def test_what_is_no_depth_is_refused(sent: Any, error: str):
    with pytest.raises(ImageError, match=error):
        decode_depth(sent)
