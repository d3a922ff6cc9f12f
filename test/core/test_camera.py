# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Camera_info: P before K, binning and regions applied, distortion removed, nonsense refused."""

from __future__ import annotations

import math
from typing import Any

from clip_depth_ros.bags.messages import camera_info_message
from clip_depth_ros.core.camera import Calibration, Camera
from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.types import Intrinsics
import cv2
import numpy as np
import pytest

DISTORTION = [-0.36, 0.19, 0.001, -0.0005, -0.06]
CAMERA = Intrinsics(100.0, 110.0, 9.5, 5.0, 20, 12)


def camera_info(width: int = 32, height: int = 24, *, fx: float = 30.0) -> Any:
    """Return the camera_info of a rectified image, K and P alike."""
    cx, cy = (width - 1) / 2, (height - 1) / 2
    info: Any = camera_info_message(
        Intrinsics(fx, fx, cx, cy, width or 1, height or 1), stamp_ns=0, frame_id='c'
    )
    info.width, info.height = width, height
    return info


def camera_of(info: Any, source: Any, width: int, height: int) -> Camera:
    return Calibration.of(info).camera(source, width, height)


def kitti_like_info():
    """Rectified image, but K and D of the raw camera, as KITTI bags have them."""
    info = camera_info(1242, 375, fx=721.5377)
    info.k = [959.79, 0.0, 696.02, 0.0, 956.93, 224.18, 0.0, 0.0, 1.0]
    info.d = DISTORTION
    info.p[3] = 44.857
    return info


def test_p_comes_first_and_needs_no_undistortion():
    camera = camera_of(kitti_like_info(), 'auto', 1242, 375)
    assert camera.source == 'P'
    assert camera.intrinsics.fx == pytest.approx(721.5377)
    assert camera.distortion == ()


def test_k_is_used_with_its_distortion_where_p_is_zero():
    info = kitti_like_info()
    info.p = np.zeros(12)
    camera = camera_of(info, 'auto', 1242, 375)
    assert (camera.source, camera.intrinsics.fx) == ('K', 959.79)
    assert camera.distortion == tuple(DISTORTION)
    assert any('no P' in note for note in camera.notes)


def test_the_matrix_may_be_chosen():
    assert camera_of(kitti_like_info(), 'K', 1242, 375).intrinsics.fx == 959.79


@pytest.mark.parametrize('model', ['plumb_bob', 'equidistant'])
def test_rays_of_an_unrectified_image_project_back_to_their_pixels(model):
    info = camera_info(64, 48, fx=60.0)
    info.p = np.zeros(12)
    info.distortion_model = model
    info.d = DISTORTION if model == 'plumb_bob' else [0.05, -0.01, 0.002, 0.0]
    camera = camera_of(info, 'auto', 64, 48)
    rays = camera.rays(64, 48)
    points = np.concatenate([rays, np.ones((48, 64, 1), np.float32)], axis=2)
    project = cv2.projectPoints if model == 'plumb_bob' else cv2.fisheye.projectPoints
    k = camera.intrinsics.matrix()
    flat = points.reshape(-1, 1, 3).astype(np.float64)
    pixels, _ = project(flat, np.zeros(3), np.zeros(3), k, np.array(camera.distortion))
    v, u = np.mgrid[0:48, 0:64]
    assert np.abs(pixels.reshape(48, 64, 2) - np.stack([u, v], axis=2)).max() < 0.05


def test_binning_and_region_of_interest_move_the_principal_point():
    """Full 100x80, window 40x20 at (10, 30), binned 2x2: images are 20x10."""
    info = camera_info(100, 80, fx=50.0)
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 10, 30, 40, 20
    info.binning_x = info.binning_y = 2
    assert Calibration.of(info).fits(20, 10)
    camera = camera_of(info, 'auto', 20, 10)
    assert camera.intrinsics.fx == 25.0
    assert camera.intrinsics.cx == (49.5 - 10 + 0.5) / 2 - 0.5
    assert camera.intrinsics.cy == (39.5 - 30 + 0.5) / 2 - 0.5
    assert len(camera.notes) == 2
    published = Calibration.of(info).resampled(camera, 20, 10)
    assert (published.width, published.height) == (20, 10)
    assert (published.binning, published.roi) == ((1, 1), (0, 0, 0, 0))
    assert published.p[2] == pytest.approx(camera.intrinsics.cx)
    assert published.k[5] == pytest.approx(camera.intrinsics.cy)


def test_the_info_of_a_smaller_depth_image_is_scaled_about_pixel_centres():
    info = kitti_like_info()
    camera = camera_of(info, 'auto', 1242, 375)
    half = Calibration.of(info).resampled(camera, 621, 188)
    expected = camera.intrinsics.scaled_to(621, 188)
    assert half.p[0] == pytest.approx(expected.fx)
    assert half.p[2] == pytest.approx(expected.cx)
    assert half.p[5] == pytest.approx(expected.fy)
    assert half.p[6] == pytest.approx(expected.cy)
    assert half.p[3] == pytest.approx(44.857 / 2)
    assert list(half.d) == DISTORTION
    assert info.width == 1242


def test_an_info_at_image_size_is_unchanged():
    info = kitti_like_info()
    same = Calibration.of(info).resampled(camera_of(info, 'auto', 1242, 375), 1242, 375)
    assert list(same.k) == pytest.approx(list(info.k))
    assert list(same.p) == pytest.approx(list(info.p))


def test_a_fisheye_without_coefficients_is_no_pinhole():
    """Equidistant: an angle a from the axis is f * a from the centre; the ray is tan(a)."""
    info = camera_info(64, 48, fx=40.0)
    info.p, info.distortion_model, info.d = np.zeros(12), 'equidistant', [0.0] * 4
    rays = camera_of(info, 'auto', 64, 48).rays(64, 48)
    angle = np.hypot(63 - 31.5, 24 - 23.5) / 40.0
    assert np.hypot(*rays[24, 63]) == pytest.approx(np.tan(angle), rel=1e-4)


def test_sizes_must_agree_unless_the_info_says_none():
    assert Calibration.of(camera_info(32, 24)).fits(32, 24)
    assert not Calibration.of(camera_info(32, 24)).fits(24, 32)
    assert Calibration.of(camera_info(0, 0)).fits(640, 480)
    wanted = 'camera_info is for 32x24 images, got 10x6'
    assert Calibration.of(camera_info(32, 24)).misfit(10, 6) == wanted
    with pytest.raises(CalibrationError, match=f'{wanted}: name the camera_info topic'):
        camera_of(camera_info(32, 24), 'auto', 10, 6)


@pytest.mark.parametrize('bad', [0.0, -5.0, math.nan, math.inf])
def test_a_focal_length_that_cannot_be_is_refused_with_the_matrix_named(bad):
    info = camera_info()
    info.p[0] = bad
    with pytest.raises(CalibrationError, match='camera_info P has fx='):
        camera_of(info, 'P', 32, 24)


def test_all_zero_is_refused():
    info = camera_info()
    info.p, info.k = np.zeros(12), np.zeros(9)
    with pytest.raises(CalibrationError, match=r'camera_info K has fx=0\.0'):
        camera_of(info, 'auto', 32, 24)


class TestPinhole:
    """What recordings ask for: intrinsics alone, of rectified images."""

    def message(self) -> Any:
        return camera_info_message(CAMERA, stamp_ns=0, frame_id='c')

    def pinhole(self, message: Any, width: int = 20, height: int = 12) -> Intrinsics:
        return camera_of(message, 'auto', width, height).pinhole()

    def test_p_comes_before_k(self):
        """Recordings made from KITTI have the raw camera's K and D beside rectified images."""
        message = self.message()
        message.k, message.d = message.k * 2, np.array([-0.3, 0.2, 0, 0, 0])
        message.p = message.p.copy()
        message.p[3] = 45.0  # where the camera is, tf says
        assert self.pinhole(message) == CAMERA

    def test_k_without_p(self):
        message = self.message()
        message.p = np.zeros(12)
        assert self.pinhole(message) == CAMERA

    def test_binning_and_region_of_interest(self):
        message = self.message()
        message.binning_x = message.binning_y = 2
        assert self.pinhole(message, 10, 6) == CAMERA.scaled_to(10, 6)
        message.binning_x = message.binning_y = 0
        message.roi.x_offset, message.roi.y_offset = 3, 2
        message.roi.width, message.roi.height = 10, 8
        assert self.pinhole(message, 10, 8) == CAMERA.cropped(3, 2, 10, 8)

    @pytest.mark.parametrize(('model', 'd'), [
        ('plumb_bob', DISTORTION), ('equidistant', [0.0] * 4),
    ])
    def test_a_distorted_camera_is_none(self, model: str, d: list[float]):
        message = self.message()
        message.p, message.distortion_model, message.d = np.zeros(12), model, np.array(d)
        with pytest.raises(CalibrationError, match='rectify the images'):
            self.pinhole(message)


def test_calibrations_that_say_the_same_are_equal():
    """However often it comes, a recording keeps it once."""
    assert Calibration.of(kitti_like_info()) == Calibration.of(kitti_like_info())
    assert Calibration.of(kitti_like_info()) != Calibration.of(camera_info(1242, 375))
