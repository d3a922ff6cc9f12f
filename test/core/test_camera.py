# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Camera_info: P before K where it can be, binning and regions applied, nonsense refused."""

from __future__ import annotations

from dataclasses import replace
import math
from typing import Any

from clip_depth_ros.bags.messages import camera_info_message
from clip_depth_ros.core.camera import Calibration, Camera
from clip_depth_ros.core.clouds import CloudBuilder
from clip_depth_ros.core.distortion import Distortion
from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.types import Intrinsics
import cv2
import numpy as np
import pytest

DISTORTION = [-0.36, 0.19, 0.001, -0.0005, -0.06]
WIDE = [-0.2535, 0.0924, -0.0006, 0.0007, -0.0191]
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
    assert camera.distortion is None
    (note,) = camera.notes
    assert 'taken as rectified, P is used' in note


def test_k_is_used_with_its_distortion_where_p_is_zero():
    info = kitti_like_info()
    info.p = np.zeros(12)
    camera = camera_of(info, 'auto', 1242, 375)
    assert (camera.source, camera.intrinsics.fx) == ('K', 959.79)
    assert camera.distortion == Distortion.of('plumb_bob', tuple(DISTORTION))
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
    assert camera.distortion is not None
    rays = camera.rays(64, 48)
    points = np.concatenate([rays, np.ones((48, 64, 1), np.float32)], axis=2)
    project = cv2.projectPoints if model == 'plumb_bob' else cv2.fisheye.projectPoints
    k = camera.intrinsics.matrix()
    flat = points.reshape(-1, 1, 3).astype(np.float64)
    pixels, _ = project(flat, np.zeros(3), np.zeros(3), k, np.array(camera.distortion.d))
    v, u = np.mgrid[0:48, 0:64]
    assert np.abs(pixels.reshape(48, 64, 2) - np.stack([u, v], axis=2)).max() < 1e-4


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
    with pytest.raises(CalibrationError, match=f'{wanted}: name the camera_info of this'):
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
        camera = camera_of(message, 'auto', width, height)
        assert camera.distortion is None
        return camera.intrinsics

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


class TestWhetherImagesAreRectified:
    """P says so, unless it is K again or D is a fisheye's: then it is filling."""

    def camera(
        self, model: str, d: list[float], source: str = 'auto', *, baseline: float = 0.0,
        zoom: float = 1.0,
    ) -> Camera:
        message = camera_info_message(CAMERA, stamp_ns=0, frame_id='c')
        message.distortion_model, message.d = model, np.array(d, np.float64)
        message.p[3] = baseline
        message.p[[0, 5]] *= zoom
        return camera_of(message, source, 20, 12)

    @pytest.mark.parametrize(('model', 'd', 'baseline', 'zoom', 'says'), [
        ('plumb_bob', DISTORTION, 0.0, 1.0, 'distortion D and a P that is K: images'),
        ('plumb_bob', DISTORTION, -40.0, 1.0, 'a P that is K with a baseline: images'),
        ('rational_polynomial', [*DISTORTION, 0.1, 0.2, 0.3], 0.0, 1.0, 'a P that is K: images'),
        ('plumb_bob', DISTORTION, 0.0, 1.0005, 'a P that is K: images'),
        ('equidistant', [0.1, 0.2, 0.3, 0.4], 0.0, 1.0, 'a P that is K: images'),
        ('equidistant', [0.1, 0.0, 0.0, 0.0, 0.0], 0.0, 0.7, "model 'equidistant' and a P"),
        ('equidistant', [0.0] * 4, 0.0, 1.0, "model 'equidistant' and a P"),
    ])
    def test_they_are_not(
        self, model: str, d: list[float], baseline: float, zoom: float, says: str
    ):
        camera = self.camera(model, d, baseline=baseline, zoom=zoom)
        assert (camera.source, camera.intrinsics) == ('K', CAMERA)
        assert camera.distortion == Distortion.of(model, tuple(d))
        (note,) = camera.notes
        assert says in note
        assert 'taken as not rectified, K with distortion D is used (if they are,' in note

    @pytest.mark.parametrize(('model', 'd', 'zoom'), [
        ('plumb_bob', [0.0] * 5, 0.7), ('plumb_bob', [0.0] * 5, 1.0), ('', [], 1.0),
        ('made_up', [0.0] * 3, 1.0),
    ])
    def test_they_are(self, model: str, d: list[float], zoom: float):
        camera = self.camera(model, d, zoom=zoom)
        assert (camera.source, camera.distortion, camera.notes) == ('P', None, ())

    @pytest.mark.parametrize(('model', 'd'), [('equidistant', []), ('made_up', [0.1] * 4)])
    def test_they_may_be(self, model: str, d: list[float]):
        camera = self.camera(model, d, zoom=0.7)
        assert (camera.source, camera.distortion) == ('P', None)
        (note,) = camera.notes
        assert f"model '{model}' and a P: images are taken as rectified, P is used (if" in note
        assert 'set intrinsics_source: K' in note

    @pytest.mark.parametrize(('topic', 'n_notes'), [
        ('', 1), ('/camera/image_raw', 1), ('/camera/image_rect', 0),
    ])
    def test_d_beside_another_p_is_of_either(self, topic: str, n_notes: int):
        """Drivers of raw images publish both; so do recordings of rectified ones, as KITTI's."""
        info = camera_info_message(CAMERA, stamp_ns=0, frame_id='c')
        info.d = np.array(DISTORTION)
        info.p[[0, 5]] *= 0.7
        camera = Calibration.of(info).camera('auto', 20, 12, image_topic=topic)
        assert (camera.source, camera.distortion) == ('P', None)
        assert len(camera.notes) == n_notes
        assert all(
            'a P other than K: images are taken as rectified, P is used (if they are not, set '
            'intrinsics_source: K)' in note for note in camera.notes
        )

    def test_binning_leaves_something(self):
        info = camera_info_message(CAMERA, stamp_ns=0, frame_id='c')
        info.binning_x = 2**31
        with pytest.raises(CalibrationError, match='binning 2147483648x1 of 20x12 pixels'):
            camera_of(info, 'auto', 20, 12)

    def test_an_endless_d_is_cut_short_in_the_error(self):
        with pytest.raises(CalibrationError, match='and 986 more; known are') as caught:
            self.camera('plumb_bob', [0.1] * 1000, 'K')
        assert len(str(caught.value)) < 500

    @pytest.mark.parametrize('source', ['P', 'K'])
    def test_what_is_asked_for_is_taken_without_a_word(self, source: str):
        camera = self.camera('equidistant', [0.1, 0.2, 0.3, 0.4], source)
        assert (camera.source, camera.notes) == (source, ())
        assert (camera.distortion is None) == (source == 'P')

    @pytest.mark.parametrize(('topic', 'source'), [
        ('/camera/image_rect_color', 'P'), ('/image_rect/compressed', 'P'), ('/rect/left', 'P'),
        ('/stereo/left_rectified', 'P'), ('/camera/image_raw', 'K'), ('/direct/image', 'K'),
    ])
    def test_the_name_of_their_topic_may_say_so(self, topic: str, source: str):
        """As image_proc names what it has rectified, beside the camera_info of the raw images."""
        info = camera_info_message(CAMERA, stamp_ns=0, frame_id='c')
        info.d = np.array(DISTORTION)
        camera = Calibration.of(info).camera('auto', 20, 12, image_topic=topic)
        assert camera.source == source
        (note,) = camera.notes
        assert f'{source}{"" if source == "P" else " with distortion D"} is used (if they' in note

    def test_an_unknown_model_is_refused_where_p_is_filling(self):
        with pytest.raises(CalibrationError, match=r"model 'omnidirectional'.*intrinsics_source"):
            self.camera('omnidirectional', [0.1] * 5)


class TestRaysOfAWideLens:
    """A lens of 110 degrees whose model folds within the picture, at 1.544 f of its rays."""

    def camera(self, model: str = 'plumb_bob', d: Any = WIDE) -> Camera:
        info = camera_info(384, 216, fx=191.736)
        info.p, info.distortion_model, info.d = np.zeros(12), model, list(d)
        return camera_of(info, 'auto', 384, 216)

    def test_corners_have_none(self):
        rays = self.camera().rays(384, 216)
        is_known = np.isfinite(rays)
        np.testing.assert_array_equal(is_known[..., 0], is_known[..., 1])
        assert 0.03 < 1 - is_known[..., 0].mean() < 0.05
        assert not is_known[[0, 0, -1, -1], [0, -1, 0, -1]].any()
        assert np.nanmax(np.hypot(*rays.T)) < 1.55

    def test_points_there_are_unknown_and_depth_stays(self):
        depth_m = np.full((216, 384), 10, np.float32)
        rays = self.camera().rays(384, 216)
        points = CloudBuilder(rays).build(depth_m)
        is_known = np.isfinite(points).all(axis=2)
        np.testing.assert_array_equal(is_known, np.isfinite(rays).all(axis=2))
        assert np.isnan(points[~is_known]).all()
        assert np.abs(points[is_known]).max() < 16
        assert (depth_m == 10).all()

    @pytest.mark.parametrize('size', [(384, 216), (192, 108), (100, 100)])
    def test_rays_are_shown_at_their_pixels(self, size: tuple[int, int]):
        camera, (width, height) = self.camera(), size
        rays = camera.rays(width, height).reshape(-1, 2).astype(np.float64)
        full, scaled = camera.intrinsics, camera.intrinsics.scaled_to(width, height)
        pixels = camera.shown_at(rays * [full.fx, full.fy] + [full.cx, full.cy])
        plane = (pixels - [full.cx, full.cy]) / [full.fx, full.fy]
        v, u = np.mgrid[:height, :width]
        wanted = np.stack([u, v], axis=2).reshape(-1, 2)
        missed = plane * [scaled.fx, scaled.fy] + [scaled.cx, scaled.cy] - wanted
        assert np.nanmax(np.abs(missed)) < 0.02

    def test_a_fisheye_sees_nothing_on_the_other_side(self):
        camera = self.camera('equidistant', (0.05, -0.01, 0.002, 0.0))
        rays = replace(camera, intrinsics=replace(camera.intrinsics, fx=90, fy=90)).rays(384, 216)
        from_centre = np.arange(384) - 191.5
        assert np.isnan(rays).any()
        assert not (rays[..., 0] * from_centre < 0).any()


def test_a_camera_info_may_be_scaled_to_images_that_were_resized():
    info = camera_info(64, 48, fx=60.0)
    camera = Calibration.of(info).camera('auto', 32, 12, is_scaled=True)
    assert camera.intrinsics == Intrinsics(60.0, 60.0, 31.5, 23.5, 64, 48).scaled_to(32, 12)
    scaled, squeezed = camera.notes
    assert scaled == 'camera_info is for 64x48 images, got 32x12: scaled'
    assert squeezed.startswith('pixels are not square')
    assert Calibration.of(info).camera('auto', 64, 48, is_scaled=True).notes == ()


def test_calibrations_that_say_the_same_are_equal():
    """However often it comes, a recording keeps it once."""
    assert Calibration.of(kitti_like_info()) == Calibration.of(kitti_like_info())
    assert Calibration.of(kitti_like_info()) != Calibration.of(camera_info(1242, 375))


def test_numbers_of_images_of_another_size_are_doubted():
    """A driver that has resized the images and the size in camera_info, but not K and P."""
    info = camera_info(1242, 375, fx=721.5)
    assert not camera_of(info, 'auto', 1242, 375).notes
    info.width, info.height = 640, 192
    (note,) = camera_of(info, 'auto', 640, 192).notes
    assert 'the principal point (620, 187) is far from the middle of images of 640x192' in note
