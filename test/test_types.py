# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Intrinsics: what scaling, cropping and flipping a picture does to its camera."""

from __future__ import annotations

import dataclasses
import math
import re

from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.types import Intrinsics
from hypothesis import given, strategies as st
import numpy as np
import pytest

KITTI = Intrinsics(fx=721.5377, fy=721.5377, cx=609.5593, cy=172.854, width=1242, height=375)

sizes = st.integers(1, 4000)
focal_lengths = st.floats(1.0, 5000.0)
cameras = st.builds(
    Intrinsics,
    fx=focal_lengths, fy=focal_lengths, cx=st.floats(-500, 4500), cy=st.floats(-500, 4500),
    width=sizes, height=sizes,
)


def pixel(camera: Intrinsics, x: float, y: float, z: float) -> tuple[float, float]:
    """Give the pixel of a point in the optical frame."""
    return camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy


def test_half_the_size_by_hand():
    """Pixel centres are at whole numbers: pixel 0.5 of the old picture is pixel 0 of the new."""
    camera = Intrinsics(fx=100.0, fy=80.0, cx=49.5, cy=39.5, width=100, height=80)
    half = camera.scaled_to(50, 40)
    assert half == Intrinsics(fx=50.0, fy=40.0, cx=24.5, cy=19.5, width=50, height=40)


def test_crop_by_hand():
    assert KITTI.cropped(100, 20, 640, 300) == Intrinsics(
        fx=721.5377, fy=721.5377, cx=509.5593, cy=152.854, width=640, height=300
    )


def test_matrix_by_hand():
    expected = [[721.5377, 0, 609.5593], [0, 721.5377, 172.854], [0, 0, 1]]
    matrix = KITTI.matrix()
    assert matrix.dtype == np.float64
    np.testing.assert_array_equal(matrix, expected)


@given(cameras, sizes, sizes)
def test_scaling_moves_pixels_with_the_picture(camera: Intrinsics, width: int, height: int):
    """Edges stay edges: (u + 0.5) / width is the same before and after."""
    scaled = camera.scaled_to(width, height)
    u, v = pixel(camera, 0.3, -0.2, 2.0)
    u_scaled, v_scaled = pixel(scaled, 0.3, -0.2, 2.0)
    assert (u_scaled + 0.5) / width == pytest.approx((u + 0.5) / camera.width, rel=1e-9, abs=1e-9)
    assert (v_scaled + 0.5) / height == pytest.approx(
        (v + 0.5) / camera.height, rel=1e-9, abs=1e-9
    )


@given(cameras, sizes, sizes)
def test_scaling_back_is_identity(camera: Intrinsics, width: int, height: int):
    there_and_back = camera.scaled_to(width, height).scaled_to(camera.width, camera.height)
    assert dataclasses.astuple(there_and_back) == pytest.approx(
        dataclasses.astuple(camera), rel=1e-9, abs=1e-6
    )


@given(cameras)
def test_flipping_twice_is_identity(camera: Intrinsics):
    assert dataclasses.astuple(camera.flipped().flipped()) == pytest.approx(
        dataclasses.astuple(camera), abs=1e-9
    )


@given(cameras)
def test_a_flipped_camera_sees_the_mirrored_point_at_the_mirrored_pixel(camera: Intrinsics):
    u, v = pixel(camera, 0.4, 0.1, 3.0)
    u_flipped, v_flipped = pixel(camera.flipped(), -0.4, 0.1, 3.0)
    assert u_flipped == pytest.approx(camera.width - 1 - u, rel=1e-9, abs=1e-9)
    assert v_flipped == v


@pytest.mark.parametrize('bad', [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize('name', ['fx', 'fy'])
def test_focal_lengths_must_be_positive_and_finite(name: str, bad: float):
    with pytest.raises(CalibrationError, match=f'{name}={bad}.*calibrate the camera'):
        dataclasses.replace(KITTI, **{name: bad})


@pytest.mark.parametrize('bad', [math.nan, math.inf])
@pytest.mark.parametrize('name', ['cx', 'cy'])
def test_principal_point_must_be_finite(name: str, bad: float):
    with pytest.raises(CalibrationError, match=f'{name}={bad}'):
        dataclasses.replace(KITTI, **{name: bad})


@pytest.mark.parametrize(('width', 'height'), [(0, 375), (1242, 0), (-1, 375)])
def test_size_must_be_positive(width: int, height: int):
    with pytest.raises(CalibrationError, match=f'got {width}x{height}'):
        dataclasses.replace(KITTI, width=width, height=height)


@given(st.floats(1.0, 170.0), sizes, sizes)
def test_a_field_of_view_makes_a_camera_that_has_it(hfov_deg, width, height):
    camera = Intrinsics.of_hfov(hfov_deg, width, height)
    assert camera.hfov_deg == pytest.approx(hfov_deg)
    assert camera.flipped() == camera
    assert camera.focal_px == pytest.approx(camera.fx)


def test_a_calibrated_camera_is_one_that_can_be():
    assert KITTI.checked('P2') is KITTI
    window = KITTI.cropped(1000, 0, 200, 375)  # looks aside: no calibration, and no error
    for camera, message in (
        (window, r'P2 cannot be that of 200x375 pixels: .* make a principal point at -390\.441'),
        (Intrinsics(27.0, 500.0, 320.0, 240.0, 640, 480), 'view of 170.4 degrees across'),
        (Intrinsics(500.0, 20.0, 320.0, 240.0, 640, 480), 'view of 170.5 degrees down; calibrate'),
        (Intrinsics(1e9, 1e9, 320.0, 240.0, 640, 480), 'view of 3.667e-05 degrees across'),
        (Intrinsics(0.3, 500.0, -1.0, 240.0, 640, 480), 'view of 179.9 degrees across'),
    ):
        with pytest.raises(CalibrationError, match=message):
            camera.checked('P2')


@pytest.mark.parametrize(('changes', 'said'), [
    ({}, ''),
    ({'cx': 300.0}, r'principal point \(300, 173\) is far from the middle of images of 1242x375'),
    ({'cy': -20.0}, r'principal point \(610, -20\) is far from the middle'),
    ({'fx': 950.0}, r'pixels are not square \(fx=950, fy=722\): images were squeezed, or'),
    ({'fx': 9e4, 'fy': 9e4}, r'field of view is 0.79 degrees: are the focal lengths in pixels'),
])
def test_a_camera_that_is_seldom_one_is_doubted(changes, said):
    doubts = dataclasses.replace(KITTI, **changes).doubts()
    assert len(doubts) == bool(said)
    assert all(re.search(said, doubt) for doubt in doubts)
