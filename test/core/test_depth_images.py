# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth encodings: REP 118 metres and millimetres, REP 117 marks; depth in colours."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import get_args

from clip_depth_ros.core.depth_images import (
    _levels,
    _levels_by_numpy,
    colorize,
    ColorMap,
    ColorScale,
    decode_depth,
    encode_depth,
    is_log,
    legend,
    mark_range,
    picture_of,
    range_end_m,
    unknown_rgb,
)
from clip_depth_ros.errors import ConfigError, ImageError
from clip_depth_ros.settings.base import setting_specs
from clip_depth_ros.settings.node import NodeSettings
from clip_depth_ros.sources.files import read_depth_png
from hypothesis import given, strategies as st
import numpy as np
import pytest

MARKS = np.array([[np.nan, np.inf, -np.inf]], np.float32)


def image(data: bytes, height: int, width: int, step: int, encoding: str) -> SimpleNamespace:
    """Return something with the fields of a ``sensor_msgs/Image``."""
    return SimpleNamespace(
        data=data, height=height, width=width, step=step, encoding=encoding, is_bigendian=0
    )


def through(depth_m: np.ndarray, encoding: str) -> np.ndarray:
    samples = encode_depth(depth_m, encoding)
    height, width = samples.shape
    return decode_depth(
        image(samples.tobytes(), height, width, samples.strides[0], encoding)
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


def test_16_bit_grey_that_is_named_as_depth_is_read_as_16uc1():
    """So realsense-viewer records it."""
    millimetres = np.array([[0, 1500]], '<u2').tobytes()
    metres = decode_depth(image(millimetres, 1, 2, 4, 'mono16'))
    np.testing.assert_array_equal(metres, np.float32([[np.nan, 1.5]]))


@pytest.mark.parametrize('encoding', ['8UC1', '64FC1', ''])
def test_other_encodings_are_refused_both_ways(encoding):
    with pytest.raises(ImageError, match="must be '32FC1' or '16UC1'"):
        encode_depth(MARKS, encoding)
    with pytest.raises(ImageError, match="must be '32FC1' or '16UC1'"):
        decode_depth(image(bytes(4), 1, 1, 4, encoding))


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


ANY_DEPTHS = st.lists(
    st.floats(0.25, 128, width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0]),
    min_size=1, max_size=40,
).map(lambda values: np.array([values, values[::-1]], np.float32))


@given(ANY_DEPTHS)
def test_marks_and_millimetres_are_bit_for_bit_what_plain_numpy_gives(depth_m):
    far = np.where(depth_m > 80, np.float32(np.inf), depth_m)
    marked = np.where(depth_m < 0.5, np.float32(-np.inf), far)
    assert mark_range(depth_m, min_depth_m=0.5, max_depth_m=80).tobytes() == marked.tobytes()
    millimetres = np.rint(depth_m * np.float32(1000))
    fits = (millimetres > 0) & (millimetres <= 65535)
    expected = np.where(fits, millimetres, np.float32(0)).astype('<u2')
    assert encode_depth(depth_m, '16UC1').tobytes() == expected.tobytes()


RANGE = {'near_m': 1.0, 'far_m': 3.0}


def color(depth_m, color_map='turbo'):
    """Return the colour of one depth."""
    image = np.full((2, 3), depth_m, np.float32)
    return colorize(image, color_map=color_map, **RANGE)[1, 2].tolist()


@pytest.mark.parametrize(('depth_m', 'grey'), [
    (1.0, 255), (3.0, 0), (2.0, 128), (0.2, 255), (99.0, 0), (-np.inf, 255), (np.inf, 0),
])
def test_grey_by_hand(depth_m, grey):
    """Near is bright; beyond the range, infinities too, the ends' colours stay."""
    assert color(depth_m, 'gray') == [grey] * 3


def test_near_is_red_and_far_is_blue_in_turbo():
    red, _, blue = color(1.3)
    assert red > 200 > blue
    red, _, blue = color(2.7)
    assert blue > 200 > red


@pytest.mark.parametrize(('depth_m', 'grey'), [
    (1.0, 255), (100.0, 0), (10.0, 128), (0.2, 255), (999.0, 0), (-np.inf, 255), (np.inf, 0),
])
def test_grey_by_hand_on_a_log_scale(depth_m, grey):
    """Of 1 to 100 m, the middle is 10 m."""
    image = np.full((1, 1), depth_m, np.float32)
    assert colorize(image, near_m=1, far_m=100, color_map='gray').tolist() == [[[grey] * 3]]


@pytest.mark.parametrize(('near_m', 'far_m', 'scale', 'expected'), [
    (1, 10, 'auto', False), (1, 10.1, 'auto', True), (0.5, 80, 'auto', True),
    (0, 80, 'auto', False), (0.5, 80, 'linear', False), (2, 3, 'log', True),
])
def test_wide_ranges_have_a_log_scale_unless_told_otherwise(near_m, far_m, scale, expected):
    assert is_log(near_m, far_m, scale) is expected


@pytest.mark.parametrize('color_map', get_args(ColorMap))
def test_unknown_is_no_depth_s_colour_and_leaves_the_rest_alone(color_map):
    depth_m = np.array([[1.0, np.nan, 2.2]], np.float32)
    colors = colorize(depth_m, color_map=color_map, **RANGE)

    assert colors[0, 1].tolist() == [*unknown_rgb(color_map)]
    assert colors[0, 2].tolist() == color(2.2, color_map)
    every = colorize(np.linspace(1, 3, 256, dtype=np.float32)[None], color_map=color_map, **RANGE)
    assert np.abs(every.astype(int) - unknown_rgb(color_map)).sum(axis=2).min() > 60


@given(st.lists(st.floats(width=32), min_size=1, max_size=50))
def test_any_floats_give_colors(values):
    for scale in get_args(ColorScale):
        colors = colorize(
            np.array([values], np.float32), color_map='viridis', scale=scale, **RANGE
        )
        assert colors.dtype == np.uint8
        assert colors.shape == (1, len(values), 3)


@pytest.mark.parametrize(('near_m', 'far_m', 'with_log'), [
    (0.5, 80, True), (0.001, 1000, True), (79, 80, True), (0, 3, False), (5, 5.0001, False),
])
def test_the_fast_way_to_a_level_is_exact_at_every_limit(near_m, far_m, with_log):
    """The floats around each limit of two levels, and many between; all were tried once."""
    near, far = np.float32(near_m), np.float32(far_m)
    limits = np.linspace(0, 1, 511)[1::2]
    depths = near_m + (far_m - near_m) * limits
    if with_log:
        depths = near_m * (far_m / near_m) ** limits
    bits = depths.astype(np.float32).view(np.uint32)[:, np.newaxis]
    around = (bits + np.arange(-100, 100)).astype(np.uint32).view(np.float32)
    between = np.random.default_rng(0).uniform(near_m * 0.9, far_m * 1.1, around.shape)
    for depth_m in (around, between.astype(np.float32)):
        expected = _levels_by_numpy(depth_m, near, far, with_log)
        assert np.array_equal(_levels(depth_m, near, far, with_log), expected)


def test_a_color_means_the_same_depth_in_every_frame():
    alone = color(1.7)
    among = colorize(np.array([[1.7, 50.0]], np.float32), color_map='turbo', **RANGE)

    assert among[0, 0].tolist() == alone


def test_the_input_is_left_alone():
    depth_m = np.array([[1.0, np.nan]], np.float32)
    colorize(depth_m, scale='log', **RANGE)

    np.testing.assert_array_equal(depth_m, [[1.0, np.nan]])


def test_the_names_are_those_of_the_settings():
    specs = setting_specs(NodeSettings)
    assert get_args(ColorMap) == specs['color_map'].choices
    assert get_args(ColorScale) == specs['color_scale'].choices


def test_a_range_that_is_none_is_refused():
    with pytest.raises(ConfigError, match=r'near_m < far_m, got near_m=3, far_m=3'):
        colorize(np.ones((1, 1), np.float32), near_m=3, far_m=3, color_map='turbo')


def test_a_log_scale_from_0_is_refused():
    with pytest.raises(ConfigError, match='log colour scale must begin above 0 m, got near_m=0'):
        colorize(np.ones((1, 1), np.float32), near_m=0, far_m=3, scale='log')


def test_an_unknown_map_is_refused_with_the_known():
    with pytest.raises(ConfigError, match=r"one of \['turbo', .*'gray'\], got 'rainbow'"):
        colorize(np.ones((1, 1), np.float32), color_map='rainbow', **RANGE)


def test_as_a_picture_depth_is_shown_in_colours_and_a_picture_as_it_is():
    metres = np.array([[1, 79, np.nan]], '<f4')
    shown = picture_of(image(metres.tobytes(), 1, 3, 12, '32FC1'))
    np.testing.assert_array_equal(shown, colorize(metres, near_m=0.5, far_m=80))
    assert picture_of(image(bytes([1, 2, 3]), 1, 1, 3, 'rgb8')).tolist() == [[[1, 2, 3]]]


class TestLegend:
    @pytest.mark.parametrize('width', [1, 60, 320, 1280, 4000])
    @pytest.mark.parametrize(('near_m', 'far_m'), [(1.0, 3.0), (0.5, 80.0), (0.001, 1000.0)])
    def test_it_is_as_wide_as_asked_and_shows_the_colours_of_both_ends(self, width, near_m, far_m):
        strip = legend(width, near_m=near_m, far_m=far_m)
        ends = colorize(np.array([[near_m, far_m]], np.float32), near_m=near_m, far_m=far_m)[0]

        assert strip.shape[1] == width
        for end in ends if width > 60 else ():
            assert (np.abs(strip.astype(int) - end).max(axis=2) <= 2).any()

    def test_it_shows_what_unknown_looks_like(self):
        strip = legend(640, near_m=1, far_m=3, color_map='gray')
        assert (strip == unknown_rgb('gray')).all(axis=2).sum() > 300

    def test_a_log_scale_has_its_ticks_where_depth_is(self):
        """Of 1 to 100 m, 10 m is in the middle of the bar: a tick stands below its colour."""
        strip = legend(1000, near_m=1, far_m=100)
        ticks = np.flatnonzero((strip[23] < 100).all(axis=1))
        grey = colorize(np.array([[10]], np.float32), near_m=1, far_m=100)[0, 0]
        below = [strip[12, x].tolist() for x in ticks]

        assert min(np.abs(np.array(below, int) - grey).max(axis=1)) <= 3
        assert len(ticks) == 7, '1, 2, 5, 10, 20, 50 and 100'


SCENE = np.add.outer(np.arange(48) * 0.11, np.arange(64) * 0.05).astype(np.float32) + 2
"""A slope from 2 to 10.3 m, 48 x 64."""


def with_end(end_m: float, rows: int = 12) -> np.ndarray:
    """Give the slope as a sensor with this range sees it, and nothing in the first rows."""
    depth_m = np.minimum(SCENE, np.float32(end_m))
    depth_m[:rows] = end_m
    return depth_m


class TestEndOfRange:
    @pytest.mark.parametrize('end_m', [7.3412, 8.191, 10.0, 20.0, 65504.0, 1e6])
    @pytest.mark.parametrize('rows', [3, 12, 24])
    def test_many_pixels_at_exactly_the_largest_depth(self, end_m: float, rows: int):
        assert range_end_m(with_end(end_m, rows)) == np.float32(end_m)

    def test_marks_of_what_is_not_known_do_not_matter(self):
        depth_m = with_end(10.0)
        depth_m[20, :4] = np.nan, np.inf, -np.inf, 0
        assert range_end_m(depth_m) == 10

    @pytest.mark.parametrize('depth_m', [
        SCENE,
        np.full((48, 64), 5.0),
        np.zeros((48, 64)),
        np.full((48, 64), np.nan),
        np.where(SCENE < 4, 3.0, 8.0),  # a box before a wall
        np.where(SCENE < 2.5, 3.0, 8.0),  # a small one
        np.floor(SCENE),  # coarsely rounded: far depth of a stereo camera
        np.floor(SCENE * 4) / 4,
        np.where(SCENE < 2.5, SCENE, 8.0),  # next to nothing is nearer
    ], ids=lambda depth_m: str(np.unique(depth_m).size))
    def test_flat_and_rounded_depth_is_measured(self, depth_m: np.ndarray):
        assert range_end_m(depth_m.astype(np.float32)) == np.inf

    @pytest.mark.parametrize('n_pixels', [1, 30, 49])
    def test_a_few_equal_pixels_are_chance(self, n_pixels: int):
        depth_m = SCENE.copy()
        depth_m.ravel()[:n_pixels] = 12
        assert range_end_m(depth_m) == np.inf

    @given(st.integers(0, 2**32 - 1), st.sampled_from([1, 4, 10]))
    def test_a_measured_wall_is_never_taken_for_it(self, seed: int, step_mm: int):
        """Noise of millimetres, as no sensor is without, spreads the wall over many depths."""
        wall_mm = np.random.default_rng(seed).normal(5000, 10 * step_mm, (48, 64))
        depth_m = np.where(SCENE < 5, SCENE * 1000, wall_mm) // step_mm * step_mm / 1000
        assert range_end_m(depth_m.astype(np.float32)) == np.inf

    @pytest.mark.samples
    @pytest.mark.parametrize(('pattern', 'per_metre'), [
        ('nyu/depth/*.png', 1000), ('kitti_depth/depth/*.png', 256),
    ])
    def test_real_depth_has_none(self, samples: Path, pattern: str, per_metre: int):
        for path in sorted(samples.glob(pattern)):
            assert range_end_m(read_depth_png(path, per_metre)) == np.inf
