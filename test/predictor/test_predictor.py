# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The seam: uint8 RGB in, metres out."""

import gc
import subprocess
import sys
import time
import weakref

from clip_depth_ros.errors import ClipDepthError, ConfigError, DeviceError, ImageError
from clip_depth_ros.model.text import BpeTokenizer
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.predictor.constant import ConstantPredictor
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import NOTES
import numpy as np
import pytest
from small_clips import blobs, lively, SMALL_RESNET, SMALL_VIT, write_json
import torch

WORDS = {'depth_words': ('near', 'far'), 'bins_m': (1.0, 5.0)}


@pytest.fixture(scope='module')
def backbones(tmp_path_factory):
    folder = tmp_path_factory.mktemp('backbones')
    return {
        'vit': write_json(folder, SMALL_VIT, 'vit.json'),
        'resnet': write_json(folder, SMALL_RESNET, 'resnet.json'),
    }


@pytest.fixture(scope='module')
def settings(backbones):
    return PredictorSettings(backbone=backbones['vit'], pretrained='random', temperature=1.0)


@pytest.fixture(scope='module')
def predictor(settings):
    predictor = build_predictor(settings)
    model = predictor.network.backbone._clip
    model.load_state_dict(lively(model.state_dict()))
    return predictor


def changed(predictor, **values):
    """Rebuild with other settings on the same frozen CLIP, as a node does at run time."""
    return build_predictor(predictor.settings.changed(**values), predictor)


class TestAnswer:
    @pytest.mark.parametrize('size', [(48, 64), (61, 47), (1, 1), (5, 400), (300, 2)])
    @pytest.mark.parametrize('backbone', ['vit', 'resnet'])
    def test_depth_has_the_size_of_the_image_and_lies_within_the_bins(
        self, backbones, backbone, size
    ):
        settings = PredictorSettings(backbone=backbones[backbone], pretrained='random')
        answer = build_predictor(settings).predict(blobs(*size))

        assert answer.depth_m.dtype == np.float32
        assert answer.depth_m.shape == answer.confidence.shape == size
        for depth_m in (answer.depth_m, answer.grid_depth_m):
            assert (depth_m >= 1).all()
            assert (depth_m <= 3).all()
        assert ((answer.confidence >= 0) & (answer.confidence <= 1)).all()
        assert answer.scene is None

    def test_the_grid_is_that_of_whole_patches(self, predictor):
        assert predictor.predict(blobs(61, 47)).grid_depth_m.shape == (4, 3)

    def test_the_input_size_is_a_setting(self, predictor):
        smaller = changed(predictor, input_width_px=32, input_height_px=16)
        answer = smaller.predict(blobs(61, 47))

        assert answer.grid_depth_m.shape == (1, 2)
        assert answer.depth_m.shape == (61, 47)

    @pytest.mark.parametrize(
        ('scale', 'size'), [(0.5, (30, 24)), (1.0, (61, 47)), (0.001, (1, 1))]
    )
    def test_depth_may_be_smaller_than_the_image(self, predictor, scale, size):
        answer = changed(predictor, depth_scale=scale).predict(blobs(61, 47))
        assert answer.depth_m.shape == answer.confidence.shape == size

    def test_corners_of_the_depth_are_the_corner_patches(self, predictor):
        answer = predictor.predict(blobs(64, 96))
        corners = (slice(None, None, 63), slice(None, None, 95))

        np.testing.assert_allclose(
            answer.depth_m[corners], answer.grid_depth_m[::3, ::5], rtol=1e-6
        )

    def test_beyond_the_range_is_infinite(self, predictor):
        """Bins reach from 1 to 5 m, but only 2 to 3 m may be answered."""
        wide = changed(predictor, **WORDS).predict(blobs(64, 96))
        middle = float(np.median(wide.depth_m))
        low, high = middle - 0.01, middle + 0.01
        narrow = changed(predictor, **WORDS, min_depth_m=low, max_depth_m=high)
        depth_m = narrow.predict(blobs(64, 96)).depth_m

        np.testing.assert_array_equal(depth_m == -np.inf, wide.depth_m < np.float32(low))
        np.testing.assert_array_equal(depth_m == np.inf, wide.depth_m > np.float32(high))
        assert np.isneginf(depth_m).any()
        assert np.isposinf(depth_m).any()
        assert np.isfinite(depth_m).any()

    def test_the_ends_of_the_outdoor_bins_are_not_beyond_the_range(self, predictor):
        """With all weight on the last word, rounding must not make +Inf of max_depth_m."""
        for near, far in ((0.1, 80.0), (0.7, 33.3)):
            sure = changed(
                predictor, bins='outdoor', min_depth_m=near, max_depth_m=far, temperature=1e-4
            )
            assert np.isfinite(sure.predict(blobs(64, 96)).depth_m).all()

    def test_flipping_the_image_flips_the_depth(self, predictor):
        image = blobs(64, 96)
        flipped = predictor.predict(np.ascontiguousarray(image[:, ::-1]))

        np.testing.assert_allclose(
            flipped.depth_m, predictor.predict(image).depth_m[:, ::-1], atol=1e-4
        )

    def test_the_same_image_gives_the_same_answer(self, predictor):
        first = predictor.predict(blobs(64, 96))
        predictor.predict(blobs(48, 32, seed=3))

        np.testing.assert_array_equal(predictor.predict(blobs(64, 96)).depth_m, first.depth_m)

    def test_views_and_read_only_images_are_taken(self, predictor):
        image = blobs(64, 96)
        read_only = image.copy()
        read_only.flags.writeable = False
        view = np.asfortranarray(image)
        expected = predictor.predict(image).depth_m

        np.testing.assert_array_equal(predictor.predict(read_only).depth_m, expected)
        np.testing.assert_array_equal(predictor.predict(view).depth_m, expected)
        np.testing.assert_array_equal(image, blobs(64, 96))


class TestBatch:
    def test_images_of_several_sizes_are_answered_in_their_order(self, predictor):
        images = [blobs(*size, seed) for seed, size in enumerate(
            [(48, 64), (61, 47), (48, 64), (16, 16), (61, 47)]
        )]
        answers = predictor.predict_batch(images)

        for image, answer in zip(images, answers, strict=True):
            alone = predictor.predict(image)
            np.testing.assert_allclose(answer.depth_m, alone.depth_m, atol=1e-4)
            np.testing.assert_allclose(answer.grid_depth_m, alone.grid_depth_m, atol=1e-4)

    def test_equal_sizes_share_a_forward_pass(self, predictor, monkeypatch):
        passes = []
        dense = predictor.network.backbone.tower.dense
        monkeypatch.setattr(
            predictor.network.backbone.tower, 'dense', lambda x: passes.append(len(x)) or dense(x)
        )
        unflipped = changed(predictor, flip=False)
        monkeypatch.setattr(unflipped.network, 'likes_batches', True)
        unflipped.predict_batch([blobs(48, 64)] * 3 + [blobs(16, 16)])

        assert sorted(passes) == [1, 3]

    def test_no_images_give_no_answers(self, predictor):
        assert predictor.predict_batch([]) == []
        assert changed(predictor, scene_aware=True).predict_batch([]) == []


class TestDoor:
    @pytest.mark.parametrize(('image', 'message'), [
        (np.zeros((4, 4, 3), np.float32), r'uint8 array \(H, W, 3\) RGB, got float32'),
        (np.zeros((4, 4), np.uint8), r'got shape \(4, 4\)'),
        (np.zeros((4, 4, 4), np.uint8), r'got shape \(4, 4, 4\)'),
        (np.zeros((0, 4, 3), np.uint8), r'at least one pixel, got shape \(0, 4, 3\)'),
        ([[[1, 2, 3]]], 'got list'),
    ])
    def test_what_is_no_image_is_refused(self, predictor, image, message):
        for each in (predictor, ConstantPredictor(1.0)):
            with pytest.raises(ImageError, match=message):
                each.predict(image)

    def test_a_bad_image_among_good_ones_is_refused_before_any_work(self, predictor):
        with pytest.raises(ImageError):
            predictor.predict_batch([blobs(48, 64), np.zeros((0, 4, 3), np.uint8)])

    def test_cuda_that_is_not_there_is_refused(self, settings):
        if torch.cuda.is_available():
            pytest.skip('there is a CUDA device')
        with pytest.raises(DeviceError, match="device='cuda:3' needs CUDA"):
            build_predictor(settings.changed(device='cuda:3'))

    def test_official_features_of_a_vit_are_refused(self, settings):
        with pytest.raises(ConfigError, match="set features='dense'"):
            build_predictor(settings.changed(features='official'))

    def test_running_out_of_memory_says_what_to_lower(self, predictor, monkeypatch):
        def too_much(_):
            raise torch.OutOfMemoryError('CUDA out of memory')

        monkeypatch.setattr(predictor.network.backbone.tower, 'dense', too_much)
        with pytest.raises(DeviceError, match=r'1 image\(s\) of 48x64 pixels: lower input_width'):
            predictor.predict(blobs(64, 48))


class TestChangeAtRunTime:
    @pytest.fixture
    def sentences_read(self, monkeypatch):
        """Return the sentences that reach the text tower, by pass."""
        passes = []
        read = BpeTokenizer.__call__
        monkeypatch.setattr(
            BpeTokenizer, '__call__',
            lambda self, texts: passes.append(sorted(texts)) or read(self, texts),
        )
        return passes

    @pytest.mark.parametrize('values', [
        {'bins': 'scene1'}, {'temperature': 0.5}, {'flip': False}, {'depth_scale': 0.5},
        {'min_depth_m': 1.0}, {'input_width_px': 64},
    ])
    def test_what_is_not_text_costs_no_text(self, settings, sentences_read, values):
        predictor = build_predictor(settings)
        again = changed(predictor, **values)

        assert len(sentences_read) == 1
        assert again.network.backbone is predictor.network.backbone

    def test_changed_prompts_are_read_once(self, settings, sentences_read):
        predictor = build_predictor(settings)
        for _ in range(2):
            predictor = changed(predictor, depth_words=('near', 'far'), bins_m=(1.0, 2.0))

        assert sentences_read[1:] == [['This object is near']]  # far was among the first seven

    @pytest.mark.parametrize('name', ['backbone', 'precision'])
    def test_another_backbone_is_built_anew(self, predictor, backbones, name):
        values = {'backbone': backbones['resnet'], 'precision': 'bf16'}
        other = changed(predictor, **{name: values[name]}).network
        assert other.backbone is not predictor.network.backbone

    def test_the_change_takes_effect(self, predictor):
        image = blobs(64, 96)
        before = predictor.predict(image).depth_m

        near = changed(predictor, bins='scene3').predict(image).depth_m
        assert near.max() <= 2.5
        other = changed(predictor, prompts='prompt1').predict(image).depth_m
        assert np.abs(other - before).max() > 1e-3

    def test_a_previous_of_another_kind_is_no_help_and_no_harm(self, settings):
        assert build_predictor(settings, ConstantPredictor(1.0)).predict(blobs(16, 16))

    def test_closing_the_previous_leaves_the_next_alive(self, settings):
        previous = build_predictor(settings)
        following = changed(previous, temperature=0.3)
        previous.close()

        assert following.predict(blobs(16, 16)).depth_m.shape == (16, 16)
        with pytest.raises(ClipDepthError, match='was closed: build another'):
            previous.predict(blobs(16, 16))

    def test_closing_gives_the_memory_back(self, settings):
        predictor = build_predictor(settings)
        predictor.predict(blobs(16, 16))
        model = weakref.ref(predictor.network.backbone._clip)
        predictor.close()
        gc.collect()

        assert model() is None

    def test_a_closed_previous_is_not_reused(self, settings):
        previous = build_predictor(settings)
        previous.close()

        assert changed(previous, temperature=0.3).predict(blobs(16, 16))


class TestScenes:
    AWARE = {  # noqa: RUF012
        'scene_aware': True,
        'scene_bins': ('kitchen: scene3', 'hall: 20 30 40 50 60 70 80'),
        'max_depth_m': 100.0,
    }

    def test_the_bins_are_those_of_the_recognised_scene(self, predictor):
        answer = changed(predictor, **self.AWARE).predict(blobs(64, 96))
        low, high = {'kitchen': (1, 2.5), 'hall': (20, 80)}[answer.scene]

        assert (answer.depth_m >= low).all()
        assert (answer.depth_m <= high).all()

    def test_the_scene_is_remembered_through_changes_and_forgotten_on_reset(self, predictor):
        aware = changed(predictor, **self.AWARE)
        aware.predict(blobs(64, 96))
        warmer = changed(aware, temperature=2.0)
        assert warmer.scenes.probabilities == aware.scenes.probabilities != {}

        warmer.reset()
        assert warmer.scenes.probabilities == {}

    def test_a_batch_is_remembered_as_its_images_one_by_one(self, predictor):
        images = [blobs(48, 64, 1), blobs(61, 47, 2), blobs(48, 64, 3)]
        batch, single = (changed(predictor, **self.AWARE) for _ in range(2))
        batch.reset()
        single.reset()

        together = [answer.scene for answer in batch.predict_batch(images)]
        assert together == [single.predict(image).scene for image in images]
        assert batch.scenes.probabilities == pytest.approx(single.scenes.probabilities, abs=1e-5)

    def test_scenes_are_off_by_default(self, predictor):
        predictor.predict(blobs(16, 16))
        assert predictor.scenes.probabilities == {}


class TestDescribe:
    def test_it_says_what_an_operator_asks(self, predictor):
        described = predictor.describe()

        assert described['method'] == (
            'depthclip, zero-shot (auto: no trained CLIP2Depth weights are named or bundled for '
            'this backbone)'
        )
        assert described['weights'] == 'random initialisation: does not see depth'
        assert described['backbone'].endswith('vit.json')
        assert described['device'] == 'cpu'
        assert described['precision'] == 'fp32'
        assert described['features'] == 'dense'
        assert described['bins_m'] == '1 1.5 2 2.25 2.5 2.75 3'
        assert described['words'].startswith('giant, extremely close')
        assert all(isinstance(value, str) for value in described.values())

    def test_settings_that_do_not_fit_are_said(self, predictor):
        assert NOTES not in predictor.describe()
        notes = changed(predictor, max_depth_m=2.0).describe()[NOTES]
        assert notes.startswith('depth bins from 1 to 3 m reach beyond min_depth_m=0.5 to max')

    def test_a_method_that_was_asked_for_says_so(self, predictor):
        described = changed(predictor, method='depthclip').describe()
        assert described['method'] == 'depthclip, zero-shot (as set)'


class TestConstant:
    def test_it_answers_its_depth_at_any_size(self):
        answers = ConstantPredictor(2.5).predict_batch([blobs(4, 6), blobs(3, 3)])

        assert [answer.depth_m.shape for answer in answers] == [(4, 6), (3, 3)]
        assert (answers[0].depth_m == 2.5).all()
        assert answers[0].depth_m.dtype == np.float32

    def test_unknown_is_an_answer_too(self):
        assert np.isnan(ConstantPredictor(float('nan')).predict(blobs(2, 2)).depth_m).all()

    def test_it_takes_its_time(self):
        start = time.monotonic()
        ConstantPredictor(1.0, delay_s=0.05).predict(blobs(2, 2))

        assert time.monotonic() - start >= 0.05

    def test_it_says_that_it_does_not_see(self):
        assert 'does not see depth' in ConstantPredictor(1.0).describe()['method']


def test_importing_the_seam_loads_no_torch():
    """A node's tests with a constant predictor need not wait for PyTorch."""
    code = 'import sys, clip_depth_ros.predictor.build; print("torch" in sys.modules)'
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == 'False'


@pytest.mark.gpu
def test_on_a_gpu_the_memory_there_is_told_and_given_back():
    settings = PredictorSettings(backbone='tiny', pretrained='random', device='cuda')
    image = np.zeros((96, 320, 3), np.uint8)
    first = build_predictor(settings)
    first.predict(image)
    first.close()
    # What is left is cuBLAS's workspace (33 MiB on an H100), which PyTorch keeps for the process.
    kept = torch.cuda.memory_allocated()

    second = build_predictor(settings)
    second.predict(image)
    assert float(second.describe()['device_memory_mb']) * 1e6 > kept + 1e6
    second.close()
    assert torch.cuda.memory_allocated() <= kept
