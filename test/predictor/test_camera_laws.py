# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Laws of depth behind any camera, for both methods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clip_depth_ros.core.camera import patch_rays
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import CalibrationError, ClipDepthError, ConfigError, WeightsError
from clip_depth_ros.model.decoder import Decoder
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import Intrinsics, NOTES
import cv2
import numpy as np
import pytest
from small_clip2depth import deep_backbone, write_clip2depth
from small_clips import blobs
import torch

FOCAL_PX = 40.0
OWN = Intrinsics(fx=40.0, fy=40.0, cx=27.0, cy=12.0, width=48, height=32)
"""Of the training: seen as it is, pixel for pixel."""

WIDE_RANGE = {'min_depth_m': 0.01, 'max_depth_m': 1000.0}


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('cameras')


@pytest.fixture(scope='module')
def backbone(folder: Path) -> str:
    return deep_backbone(folder)


def trained_at(backbone: str, folder: Path, *, focal_px: float = FOCAL_PX, **values: Any) -> Any:
    torch.manual_seed(5)  # the same numbers for all
    path = write_clip2depth(
        folder / f'at_{focal_px}_{values}.safetensors', backbone, focal_px=focal_px, **values
    )
    return build_predictor(PredictorSettings(
        backbone=backbone, pretrained='random', clip2depth_weights=str(path), **WIDE_RANGE
    ))


@pytest.fixture(scope='module')
def clip2depth(backbone: str, folder: Path) -> Any:
    return trained_at(backbone, folder)


@pytest.fixture(scope='module')
def told_rays(backbone: str, folder: Path) -> Any:
    return trained_at(backbone, folder, rays=True)


@pytest.fixture(scope='module')
def depthclip(backbone: str) -> Any:
    return build_predictor(PredictorSettings(
        backbone=backbone, pretrained='random', bins_focal_px=FOCAL_PX, temperature=2.0,
        bins='outdoor', **WIDE_RANGE,
    ))


@pytest.fixture(params=['clip2depth', 'told_rays', 'depthclip'])
def predictor(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def changed(predictor: Any, **values: Any) -> Any:
    return build_predictor(predictor.settings.changed(**values), predictor)


def test_an_image_and_its_camera_may_be_resampled_alike(predictor):
    image = blobs(96, 144)
    larger = cv2.resize(image, (288, 192), interpolation=cv2.INTER_LINEAR)
    camera = OWN.scaled_to(144, 96)
    depth_m = predictor.predict(image, camera).depth_m
    as_large_m = predictor.predict(larger, camera.scaled_to(288, 192)).depth_m

    expected_m = cv2.resize(depth_m, (288, 192), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(as_large_m, expected_m, rtol=0.05)
    assert np.median(np.abs(as_large_m / expected_m - 1)) < 0.005


@pytest.mark.parametrize('name', ['clip2depth', 'depthclip'])
def test_a_lens_twice_as_long_sees_the_same_picture_twice_as_far(request, name):
    """To the last bit: the network is shown the same pixels. Rays would be others."""
    forced = changed(
        request.getfixturevalue(name), input_width_px=48, input_height_px=32
    )
    image, camera = blobs(64, 96), Intrinsics(70.0, 75.0, 47.0, 31.0, 96, 64)
    longer = Intrinsics(140.0, 150.0, 47.0, 31.0, 96, 64)
    near, far = forced.predict(image, camera), forced.predict(image, longer)

    np.testing.assert_array_equal(far.depth_m, 2 * near.depth_m)
    if near.grid_depth_m is not None:
        np.testing.assert_array_equal(far.grid_depth_m, 2 * near.grid_depth_m)


def test_its_own_camera_changes_nothing(predictor):
    image = blobs(32, 48)
    ignoring = changed(predictor, camera='ignore')
    centred = Intrinsics(40.0, 40.0, 23.5, 15.5, 48, 32)
    answer = predictor.predict(image, centred)

    assert answer.camera == 'used'
    np.testing.assert_array_equal(answer.depth_m, ignoring.predict(image).depth_m)


def test_a_camera_that_is_ignored_is_not_looked_at(predictor):
    image, ignoring = blobs(61, 47), changed(predictor, camera='ignore')
    answer = ignoring.predict(image, OWN)

    assert answer.camera == 'ignored'
    np.testing.assert_array_equal(answer.depth_m, ignoring.predict(image).depth_m)


def test_ignoring_gives_to_the_last_bit_what_weights_give_that_know_no_camera(
    clip2depth, backbone, folder
):
    image = blobs(61, 47)
    before = trained_at(backbone, folder, focal_px=0.0).predict(image, OWN.scaled_to(47, 61))
    ignoring = changed(clip2depth, camera='ignore').predict(image, OWN.scaled_to(47, 61))

    assert before.camera == ignoring.camera == 'ignored'
    np.testing.assert_array_equal(before.depth_m, ignoring.depth_m)


def test_an_assumed_field_of_view_is_as_good_as_a_known_one(predictor):
    assuming = changed(predictor, assumed_hfov_deg=75.0)
    image = blobs(61, 47)
    assumed = assuming.predict(image)
    used = assuming.predict(image, Intrinsics.of_hfov(75.0, 47, 61))

    assert (assumed.camera, used.camera) == ('assumed', 'used')
    np.testing.assert_array_equal(assumed.depth_m, used.depth_m)


def test_a_mirrored_image_needs_the_mirrored_camera(predictor):
    image, camera = blobs(64, 96), OWN.scaled_to(96, 64)
    depth_m = predictor.predict(image, camera).depth_m
    mirrored = np.ascontiguousarray(image[:, ::-1])

    np.testing.assert_allclose(
        predictor.predict(mirrored, camera.flipped()).depth_m, depth_m[:, ::-1], rtol=1e-4
    )


def test_rays_matter_to_a_decoder_that_is_told(clip2depth, told_rays):
    image, camera = blobs(32, 48), OWN
    aside = Intrinsics(40.0, 40.0, 90.0, 12.0, 48, 32)
    for predictor, matter in ((clip2depth, False), (told_rays, True)):
        straight = predictor.predict(image, camera).depth_m
        assert (np.abs(predictor.predict(image, aside).depth_m - straight).max() > 0.1) == matter


def test_a_batch_of_several_cameras_answers_as_one_by_one(predictor):
    images = [blobs(*size, seed) for seed, size in enumerate([(64, 96)] * 3 + [(61, 47)] * 2)]
    cameras = [
        OWN.scaled_to(96, 64), None, Intrinsics(55.0, 60.0, 50.0, 30.0, 96, 64),
        OWN.scaled_to(47, 61), None,
    ]
    answers = predictor.predict_batch(images, cameras)

    assert [answer.camera for answer in answers] == ['used', 'assumed', 'used', 'used', 'assumed']
    for image, camera, answer in zip(images, cameras, answers, strict=True):
        np.testing.assert_allclose(
            answer.depth_m, predictor.predict(image, camera).depth_m, rtol=1e-4
        )


def test_equal_cameras_share_a_forward_pass(clip2depth, monkeypatch):
    shapes: list[Any] = []
    taps = clip2depth.network.backbone.taps
    monkeypatch.setattr(
        clip2depth.network.backbone, 'taps',
        lambda rgbs, *args: shapes.append(rgbs.shape[:3]) or taps(rgbs, *args),
    )
    monkeypatch.setattr(clip2depth.network, 'likes_batches', True)
    camera, longer = OWN.scaled_to(96, 64), Intrinsics(120.0, 120.0, 48.0, 32.0, 96, 64)
    clip2depth.predict_batch([blobs(64, 96)] * 3, [camera, longer, camera])

    assert sorted(shapes) == [(2, 16, 32), (4, 32, 48)]  # each with its flipped image


def test_the_range_of_answers_goes_with_the_focal_length(clip2depth):
    """Trained for 1 to 80 m; behind twice the focal length, of the same pixels, 2 to 160 m."""
    forced = changed(
        clip2depth, input_width_px=48, input_height_px=32, min_depth_m=3.0, max_depth_m=30.0
    )
    image, longer = blobs(32, 48), Intrinsics(80.0, 80.0, 23.5, 15.5, 48, 32)
    all_m = changed(forced, **WIDE_RANGE).predict(image, longer).depth_m
    marked_m = forced.predict(image, longer).depth_m

    assert all_m.min() >= 2.0
    np.testing.assert_array_equal(marked_m == np.inf, all_m > 30)
    np.testing.assert_array_equal(marked_m == -np.inf, all_m < 3)


@pytest.mark.parametrize('name', ['clip2depth', 'depthclip'])
def test_as_many_cameras_as_images_are_wanted(request, name):
    with pytest.raises(ValueError, match='zip'):
        request.getfixturevalue(name).predict_batch([blobs(32, 48)] * 2, [OWN])


def test_the_camera_of_another_image_is_refused_before_any_work(predictor):
    with pytest.raises(CalibrationError, match='for images of 48x32 pixels, got 47x61'):
        predictor.predict(blobs(61, 47), OWN)


class TestWhatIsSaid:
    def test_weights_without_a_focal_length_say_that_the_camera_is_ignored(
        self, backbone, folder
    ):
        described = trained_at(backbone, folder, focal_px=0.0).describe()
        assert described['camera'].startswith('ignored (the focal length of the training')
        assert 'do not say at which focal length they were trained' in described[NOTES]

    def test_they_cannot_be_made_to_use_it(self, backbone, folder):
        with pytest.raises(WeightsError, match=r"camera='use' needs weights .* set camera='auto'"):
            changed(trained_at(backbone, folder, focal_px=0.0), camera='use')

    def test_weights_with_one_say_it(self, clip2depth):
        described = clip2depth.describe()
        assert (described['camera'], described['focal_px']) == ('used', '40')
        assert described['assumed_hfov_deg'] == '60'
        assert described['input_size'] == 'by the camera'
        assert NOTES not in described

    def test_an_image_that_was_too_large_is_noted(self, backbone):
        zero_shot = build_predictor(PredictorSettings(backbone=backbone, pretrained='random'))
        assert NOTES not in zero_shot.describe()
        zero_shot.views.of(Size(7000, 7000), None)  # as each image, before it is resized
        assert 'images of 7000x7000 pixels are seen at 1024x1024' in zero_shot.describe()[NOTES]


class TestBinsOfDepthClip:
    """The camera that bins belong to."""

    def test_the_paper_ignores_it(self):
        assert PredictorSettings().resolved_bins_focal_px() == 0

    def test_the_paper_s_bins_can_be_those_of_nyu_s_kinect(self):
        assert PredictorSettings(camera='use').resolved_bins_focal_px() == 518.86

    @pytest.mark.parametrize('values', [{'bins': 'outdoor'}, {'bins_m': tuple(range(1, 8))}])
    def test_others_need_to_be_named(self, values):
        with pytest.raises(ConfigError, match=r'set bins_focal_px'):
            PredictorSettings.from_mapping({**values, 'camera': 'use'})
        named = PredictorSettings(**values, bins_focal_px=200.0)
        assert named.resolved_bins_focal_px() == 200


class TestRays:
    def test_rays_of_patches_by_hand(self):
        """Two patches of 16 pixels side by side: their centres lie 7.5 and 23.5 pixels in."""
        camera = Intrinsics(fx=8.0, fy=4.0, cx=15.5, cy=5.5, width=32, height=16)
        np.testing.assert_allclose(patch_rays(camera, Size(1, 2)), [[-1, 0.5], [1, 0.5]])

    def test_they_come_row_by_row(self):
        rays = patch_rays(OWN, Size(2, 3))
        assert (rays.shape, rays.dtype) == ((6, 2), np.float32)
        assert (np.diff(rays.reshape(2, 3, 2)[..., 0], axis=1) > 0).all()
        assert (np.diff(rays.reshape(2, 3, 2)[..., 1], axis=0) > 0).all()

    def test_a_fresh_decoder_answers_as_if_it_were_not_told(self):
        taps = [torch.randn(2, 7, 12) for _ in range(2)]
        answers = []
        for rays in (False, True):
            torch.manual_seed(1)
            decoder = Decoder(
                2, 12, reduce_dim=8, n_heads=2, mlp_dim=16, head='simple', patch=Size(4, 4),
                rays=rays,
            ).eval()
            answers.append(decoder(taps, Size(2, 3), rays=torch.randn(2, 6, 2)))
        torch.testing.assert_close(*answers, rtol=0, atol=0)

    def test_a_decoder_that_is_told_needs_them(self, told_rays):
        taps = [torch.zeros(1, 7, 64)] * 3
        with pytest.raises(ClipDepthError, match='told where patches look: pass rays'):
            told_rays.network.model(taps, Size(2, 3))
