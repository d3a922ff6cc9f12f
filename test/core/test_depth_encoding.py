# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth encodings: REP 118 metres and millimetres, REP 117 marks, nothing overflows."""

from __future__ import annotations

from clip_depth_ros.core.depth_encoding import decode_depth, encode_depth, mark_range
from clip_depth_ros.core.images import ImageBuffer
from clip_depth_ros.errors import ImageError
from hypothesis import given, strategies as st
import numpy as np
import pytest

MARKS = np.array([[np.nan, np.inf, -np.inf]], np.float32)


def through(depth_m: np.ndarray, encoding: str) -> np.ndarray:
    samples = encode_depth(depth_m, encoding)
    height, width = samples.shape
    return decode_depth(
        ImageBuffer(samples.tobytes(), height, width, samples.strides[0], encoding)
    )


def test_32fc1_keeps_metres_and_marks_as_they_are():
    depth_m = np.concatenate([MARKS, [[0.5, 12.34, 80.0]]]).astype(np.float32)
    assert np.array_equal(through(depth_m, '32FC1'), depth_m, equal_nan=True)


@pytest.mark.parametrize(('metres', 'millimetres'), [
    (1.0, 1000), (0.0014, 1), (0.0004, 0), (65.535, 65535), (65.536, 0), (200.0, 0), (0.0, 0),
    (-3.0, 0), (np.nan, 0), (np.inf, 0), (-np.inf, 0),
])
def test_16uc1_is_millimetres_and_zero_for_all_it_cannot_hold(metres, millimetres):
    assert encode_depth(np.array([[metres]], np.float32), '16UC1').tolist() == [[millimetres]]


@given(st.floats(0.001, 65.5))
def test_16uc1_is_right_to_half_a_millimetre(metres):
    back = through(np.array([[metres]], np.float32), '16UC1')
    assert abs(float(back[0, 0]) - metres) <= 0.0005 + 1e-5


def test_16_bit_zeros_come_back_as_unknown():
    assert np.isnan(through(MARKS, '16UC1')).all()


@pytest.mark.parametrize('encoding', ['mono16', '64FC1', ''])
def test_other_encodings_are_refused_both_ways(encoding):
    with pytest.raises(ImageError, match="must be '32FC1' or '16UC1'"):
        encode_depth(MARKS, encoding)
    with pytest.raises(ImageError, match="must be '32FC1' or '16UC1'"):
        decode_depth(ImageBuffer(bytes(4), 1, 1, 4, encoding))


def test_range_marks_keep_the_ends_and_the_unknown():
    depth_m = np.array([[0.9, 1.0, 5.0, 10.0, 10.1, np.nan, np.inf]], np.float32)
    marked = mark_range(depth_m, min_depth_m=1.0, max_depth_m=10.0)
    expected = np.array([[-np.inf, 1.0, 5.0, 10.0, np.inf, np.nan, np.inf]], np.float32)
    assert np.array_equal(marked, expected, equal_nan=True)
    assert marked.dtype == np.float32
    assert depth_m[0, 0] == np.float32(0.9)


def test_the_ends_of_the_range_are_inside_in_float32():
    """0.1 is larger in float32 than in float64; it must not become too near."""
    depth_m = np.array([[0.1, 1.1]], np.float32)
    assert np.isfinite(mark_range(depth_m, min_depth_m=0.1, max_depth_m=1.1)).all()
