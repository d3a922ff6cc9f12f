# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""CLIP2Depth behind the seam: any image in, metres out, by weights that are checked."""

from __future__ import annotations

from collections.abc import Callable
import gc
import json
from pathlib import Path
import re
from typing import Any
import weakref

from clip_depth_ros.cli.main import main
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import (
    ClipDepthError,
    ConfigError,
    DeviceError,
    ImageError,
    WeightsError,
)
from clip_depth_ros.model.backbone import build_backbone
from clip_depth_ros.model.clip2depth_weights import load_clip2depth, read_clip2depth
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.predictor.clip2depth import Clip2DepthPredictor
from clip_depth_ros.predictor.self_test import MOST_DIFFERENCE
from clip_depth_ros.settings.installation import BUNDLED_CLIP, BUNDLED_CLIP2DEPTH
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import NOTES
import cv2
import numpy as np
import pytest
from safetensors.torch import save_file
from small_clip2depth import BREAKS, deep_backbone, TRAINED_SIZE, write_clip2depth
from small_clips import blobs, SMALL_RESNET, write_json
import torch
from torch.nn import functional


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('clip2depth')


@pytest.fixture(scope='module')
def backbone(folder: Path) -> str:
    return deep_backbone(folder)


@pytest.fixture(scope='module')
def weights(folder: Path, backbone: str) -> Path:
    return write_clip2depth(folder / 'trained.safetensors', backbone)


@pytest.fixture(scope='module')
def settings(backbone: str, weights: Path) -> PredictorSettings:
    return PredictorSettings(
        backbone=backbone, pretrained='random', clip2depth_weights=str(weights)
    )


@pytest.fixture(scope='module')
def predictor(settings: PredictorSettings) -> Clip2DepthPredictor:
    predictor = build_predictor(settings)
    assert isinstance(predictor, Clip2DepthPredictor)
    return predictor


@pytest.fixture
def inputs(predictor: Clip2DepthPredictor, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the shapes (B, H, W) that reach the frozen CLIP."""
    shapes: list[Any] = []
    taps = predictor.network.backbone.taps
    monkeypatch.setattr(
        predictor.network.backbone, 'taps',
        lambda rgbs, *args: shapes.append(rgbs.shape[:3]) or taps(rgbs, *args),
    )
    return shapes


def changed(predictor: Any, **values: Any) -> Any:
    """Rebuild with other settings on the same network, as a node does at run time."""
    return build_predictor(predictor.settings.changed(**values), predictor)


class TestAnswer:
    @pytest.mark.parametrize('size', [(48, 64), (61, 47), (1, 1), (5, 400), (300, 2)])
    def test_depth_has_the_size_of_the_image_and_lies_within_the_trained_range(
        self, predictor, size
    ):
        answer = predictor.predict(blobs(*size))

        assert answer.depth_m.dtype == np.float32
        assert answer.depth_m.shape == size
        assert ((answer.depth_m >= 1) & (answer.depth_m <= 80)).all()

    def test_there_is_no_grid_no_scene_and_confidence_is_raw_without_a_table(self, predictor):
        answer = predictor.predict(blobs(48, 64))
        assert (answer.grid_depth_m, answer.scene) == (None, None)
        assert ((answer.confidence > 0) & (answer.confidence <= 1)).all()
        assert predictor.describe()['confidence'].startswith('uncalibrated (evenness of depth')

    def test_it_is_the_network_s_own_answer_where_nothing_is_resized(
        self, settings, predictor, weights
    ):
        """Against a CLIP that nobody has trimmed and a mirror that is read anew."""
        image = blobs(*TRAINED_SIZE)
        whole = build_backbone(settings, 'cpu', 'fp32')
        file = read_clip2depth(weights)
        model = load_clip2depth(file, whole)
        with torch.no_grad():
            taps = whole.taps(image[np.newaxis], file.settings.taps, file.settings.pixels)
            expected = model(taps, Size(2, 3), model.condition_vector(whole))[0].numpy()

        answer = changed(predictor, flip=False).predict(image).depth_m
        np.testing.assert_allclose(answer, expected, rtol=1e-4)
        assert np.ptp(answer) > 1.0

    def test_depth_is_resampled_between_pixel_centres_as_the_image_was(self, predictor):
        """Bilinear without aligned corners, of PyTorch, is the oracle."""
        image = blobs(64, 96)
        small = cv2.resize(image, (48, 32), interpolation=cv2.INTER_AREA)
        coarse = torch.from_numpy(predictor.predict(small).depth_m)[None, None]
        expected = functional.interpolate(coarse, size=(64, 96), mode='bilinear')[0, 0].numpy()

        np.testing.assert_allclose(predictor.predict(image).depth_m, expected, rtol=1e-3)

    @pytest.mark.parametrize(('values', 'shape'), [
        ({}, TRAINED_SIZE),
        ({'input_width_px': 64}, (32, 64)),
        ({'input_width_px': 40, 'input_height_px': 17}, (16, 48)),
    ])
    def test_the_input_size_is_that_of_training_unless_set(
        self, predictor, inputs, values, shape
    ):
        changed(predictor, **values, flip=False).predict(blobs(61, 47))
        assert inputs == [(1, *shape)]

    def test_weights_that_know_no_size_take_the_image_s(self, settings, backbone, folder):
        path = write_clip2depth(
            folder / 'any_size.safetensors', backbone, input_height_px=0, input_width_px=0
        )
        any_size = build_predictor(settings.changed(clip2depth_weights=str(path)))
        small, large = any_size.predict(blobs(32, 48)), any_size.predict(blobs(64, 96))

        described = any_size.describe()
        assert described['input_size'] == described['trained_size'] == 'anyxany'
        assert (small.depth_m.shape, large.depth_m.shape) == ((32, 48), (64, 96))

    @pytest.mark.parametrize(
        ('scale', 'size'), [(0.5, (30, 24)), (1.0, (61, 47)), (0.001, (1, 1))]
    )
    def test_depth_may_be_smaller_than_the_image(self, predictor, scale, size):
        assert changed(predictor, depth_scale=scale).predict(blobs(61, 47)).depth_m.shape == size

    def test_beyond_the_range_is_infinite(self, predictor):
        wide = predictor.predict(blobs(64, 96)).depth_m
        low, high = (float(np.quantile(wide, q)) for q in (0.2, 0.8))
        depth_m = changed(predictor, min_depth_m=low, max_depth_m=high).predict(blobs(64, 96))

        np.testing.assert_array_equal(depth_m.depth_m == -np.inf, wide < np.float32(low))
        np.testing.assert_array_equal(depth_m.depth_m == np.inf, wide > np.float32(high))

    def test_flipping_the_image_flips_the_depth(self, predictor):
        image = blobs(64, 96)
        flipped = predictor.predict(np.ascontiguousarray(image[:, ::-1])).depth_m

        np.testing.assert_allclose(
            flipped, predictor.predict(image).depth_m[:, ::-1], rtol=1e-4
        )
        once = changed(predictor, flip=False).predict(image).depth_m
        assert np.abs(once - predictor.predict(image).depth_m).max() > 1e-3

    def test_views_and_read_only_images_are_taken(self, predictor):
        image = blobs(64, 96)
        image.flags.writeable = False
        expected = predictor.predict(image.copy()).depth_m

        np.testing.assert_array_equal(predictor.predict(image).depth_m, expected)
        view = np.asfortranarray(image)
        np.testing.assert_array_equal(predictor.predict(view).depth_m, expected)


class TestBatch:
    def test_images_of_several_sizes_are_answered_in_their_order(self, predictor):
        images = [blobs(*size, seed) for seed, size in enumerate(
            [(48, 64), (61, 47), (48, 64), (16, 16), (61, 47)]
        )]
        for image, answer in zip(images, predictor.predict_batch(images), strict=True):
            np.testing.assert_allclose(
                answer.depth_m, predictor.predict(image).depth_m, rtol=1e-4
            )

    @pytest.mark.parametrize(('likes_batches', 'passes'), [(True, [2, 6]), (False, [2] * 4)])
    def test_equal_sizes_share_a_forward_pass_where_that_pays(
        self, predictor, inputs, monkeypatch, likes_batches, passes
    ):
        monkeypatch.setattr(predictor.network, 'likes_batches', likes_batches)
        predictor.predict_batch([blobs(48, 64)] * 3 + [blobs(16, 16)])
        assert sorted(batch for batch, *_ in inputs) == passes  # each with its flipped image

    def test_no_images_give_no_answers(self, predictor):
        assert predictor.predict_batch([]) == []

    def test_a_bad_image_among_good_ones_is_refused_before_any_work(self, predictor, inputs):
        with pytest.raises(ImageError):
            predictor.predict_batch([blobs(48, 64), np.zeros((0, 4, 3), np.uint8)])
        assert inputs == []


class TestMemory:
    def test_the_text_tower_and_the_blocks_behind_the_last_tap_are_freed(
        self, settings, predictor
    ):
        whole = build_backbone(settings, 'cpu', 'fp32')
        kept = _tensors(predictor.network.backbone)
        assert any(name.startswith('visual') for name in kept)
        assert 'token_embedding.weight' not in kept
        assert _n_bytes(predictor.network.backbone) < _n_bytes(whole) / 2
        blocks = {name.split('.')[3] for name in kept if 'resblocks' in name}
        assert blocks == {'0', '1', '2'}

    @pytest.mark.parametrize('values', [
        {'flip': False}, {'depth_scale': 0.5}, {'min_depth_m': 2.0}, {'input_width_px': 64},
        {'temperature': 0.5}, {'depth_words': ('near', 'far')},
    ])
    def test_a_change_at_run_time_shares_everything(self, predictor, values):
        again = changed(predictor, **values)
        assert again.network.backbone is predictor.network.backbone
        assert again.network.model is predictor.network.model
        assert again.predict(blobs(16, 16)).depth_m.shape

    def test_another_size_than_that_of_training_is_said(self, predictor):
        as_trained = changed(predictor, camera='ignore')
        assert NOTES not in as_trained.describe()
        assert changed(as_trained, input_width_px=64).describe()[NOTES] == (
            'images of 64x32 pixels go into a network that was trained at 48x32: set '
            'input_width_px and input_height_px to 0, or train at that size'
        )

    def test_a_depthclip_s_whole_clip_is_shared_and_left_whole(self, settings):
        zero_shot = build_predictor(settings.changed(method='depthclip'))
        before = zero_shot.predict(blobs(48, 64)).depth_m
        trained = changed(zero_shot, method='auto')
        assert isinstance(trained, Clip2DepthPredictor)
        assert trained.network.backbone is zero_shot.network.backbone

        np.testing.assert_array_equal(zero_shot.predict(blobs(48, 64)).depth_m, before)
        again = changed(trained, method='depthclip', depth_words=('a', 'b'), bins_m=(1.0, 2.0))
        assert again.network.backbone is zero_shot.network.backbone
        assert again.predict(blobs(16, 16)).depth_m.shape == (16, 16)

    def test_a_trimmed_clip_is_not_given_to_depthclip(self, predictor):
        zero_shot = changed(predictor, method='depthclip')
        assert zero_shot.network.backbone is not predictor.network.backbone
        assert zero_shot.predict(blobs(16, 16)).confidence is not None

    def test_other_weights_are_loaded_anew(self, predictor, folder, backbone):
        path = write_clip2depth(folder / 'other.safetensors', backbone, seed=5)
        other = changed(predictor, clip2depth_weights=str(path))
        image = blobs(48, 64)

        assert other.network.model is not predictor.network.model
        assert np.abs(other.predict(image).depth_m - predictor.predict(image).depth_m).max() > 0.1

    def test_closing_the_previous_leaves_the_next_alive(self, settings):
        previous = build_predictor(settings)
        following = changed(previous, flip=False)
        previous.close()
        previous.close()

        assert following.predict(blobs(16, 16)).depth_m.shape == (16, 16)
        with pytest.raises(ClipDepthError, match='was closed: build another'):
            previous.predict(blobs(16, 16))
        assert changed(previous, flip=False).predict(blobs(16, 16))

    def test_closing_gives_the_memory_back(self, settings):
        predictor = build_predictor(settings)
        predictor.predict(blobs(16, 16))
        network = predictor.network
        parts = [weakref.ref(network.backbone._clip), weakref.ref(network.model)]
        predictor.close()
        gc.collect()

        assert [part() for part in parts] == [None, None]

    def test_running_out_of_memory_says_what_to_lower(self, predictor, monkeypatch):
        def too_much(*_: Any) -> None:
            raise torch.OutOfMemoryError('CUDA out of memory')

        monkeypatch.setattr(predictor.network.backbone, 'taps', too_much)
        with pytest.raises(DeviceError, match=r'1 image\(s\) of 48x32 pixels: lower input_width'):
            predictor.predict(blobs(64, 48))


class TestRefused:
    @pytest.mark.parametrize('name', BREAKS)
    def test_broken_weights_are_refused_by_name(self, settings, backbone, tmp_path, name):
        path = write_clip2depth(tmp_path / 'broken.safetensors', backbone)
        BREAKS[name](path)
        with pytest.raises(WeightsError, match=r'broken\.safetensors'):
            build_predictor(settings.changed(clip2depth_weights=str(path)))

    def test_weights_of_another_backbone_are_refused_with_both_hashes(
        self, settings, weights, tmp_path
    ):
        other = deep_backbone(tmp_path, layers=6)
        hashes = [
            build_backbone(settings.changed(backbone=name), 'cpu', 'fp32').hash[:8]
            for name in (settings.backbone, other)
        ]
        with pytest.raises(WeightsError) as caught:
            build_predictor(settings.changed(backbone=other))
        assert all(each in str(caught.value) for each in hashes)
        assert str(weights) in str(caught.value)

    def test_a_clip_is_no_clip2depth(self, settings, tmp_path):
        """A file that is whole, only of another kind."""
        path = tmp_path / 'clip.safetensors'
        save_file({'logit_scale': torch.ones(())}, path)
        with pytest.raises(WeightsError, match=r'clip\.safetensors'):
            build_predictor(settings.changed(clip2depth_weights=str(path)))

    def test_a_resnet_is_refused_before_its_weights_are_looked_for(self, settings, folder):
        resnet = write_json(folder, SMALL_RESNET, 'resnet.json')
        for values in ({'backbone': resnet}, {'backbone': 'RN50', 'pretrained': 'openai'}):
            with pytest.raises(ConfigError, match=r'set `backbone` to a ViT.*depthclip'):
                build_predictor(settings.changed(**values))

    def test_a_transformer_need_not_state_its_number_of_blocks(self, folder):
        """open_clip's default is 12."""
        path = Path(deep_backbone(folder, 'default.json'))
        config = json.loads(path.read_text())
        del config['vision_cfg']['layers']
        path.write_text(json.dumps(config))
        weights = write_clip2depth(folder / 'default.safetensors', str(path))
        predictor = build_predictor(PredictorSettings(
            backbone=str(path), pretrained='random', clip2depth_weights=str(weights), device='cpu'
        ))

        assert predictor.predict(blobs(32, 48)).depth_m.shape == (32, 48)

    @pytest.mark.parametrize('break_it', [BREAKS['flipped byte'], BREAKS['missing']])
    def test_the_tools_refuse_them_alike(
        self, settings, backbone, tmp_path, capsys, break_it: Callable[[Path], None]
    ):
        path = write_clip2depth(tmp_path / 'broken.safetensors', backbone)
        break_it(path)
        flags = ['--pretrained', 'random', '--clip2depth-weights', str(path)]
        assert _predict(tmp_path, backbone, *flags) == 1
        assert 'broken.safetensors' in capsys.readouterr().err
        assert not (tmp_path / 'out').exists()


class TestDescribe:
    def test_it_says_what_an_operator_asks(self, predictor):
        described = predictor.describe()

        assert described['method'] == (
            'clip2depth, trained (auto: clip2depth_weights names trained weights)'
        )
        assert described['weights'] == 'random initialisation: does not see depth'
        assert described['clip2depth_weights'] == (
            f'trained.safetensors (sha256 {predictor.file.sha256[:12]})'
        )
        assert described['trained_metrics'] == 'abs_rel 0.123, rmse 5.68, delta1 0.9'
        assert described['trained_on'] == 'made up'
        assert described['trained_protocol'] == 'none'
        assert described['trained_size'] == described['input_size'] == '48x32'
        assert described['trained_range_m'] == '1 to 80'
        assert described['condition'] == 'mirror'
        assert described['head'] == 'refined, sigmoid'
        assert described['flip'] == 'on'
        assert (described['device'], described['precision']) == ('cpu', 'fp32')
        assert all(isinstance(value, str) for value in described.values())

    def test_a_method_that_was_asked_for_says_so(self, predictor):
        described = changed(predictor, method='clip2depth', input_height_px=64).describe()
        assert described['method'] == 'clip2depth, trained (as set)'
        assert (described['trained_size'], described['input_size']) == ('48x32', '48x64')


class TestCommand:
    def test_predict_takes_trained_weights(self, settings, backbone, weights, tmp_path, capsys):
        flags = ['--pretrained', 'random', '--clip2depth-weights', str(weights)]
        assert _predict(tmp_path, backbone, *flags) == 0

        expected = build_predictor(settings.changed(flip=False)).predict(blobs(60, 100)).depth_m
        depth_m = np.load(tmp_path / 'out' / 'street_depth.npy')
        np.testing.assert_allclose(depth_m, expected, rtol=1e-5)
        lines = capsys.readouterr().out.splitlines()
        assert lines[1].startswith('method: clip2depth, trained (auto: ')
        assert lines[2].startswith('clip2depth_weights: trained.safetensors (sha256 ')
        assert lines[-2].endswith(
            'street_depth.png: turbo, 0.5 m (near) to 80 m (far), log scale'
        )

    def test_the_bundled_weights_need_no_path(self, tmp_path, monkeypatch, capsys):
        """Random ones in their place: what is tested is how they are found."""
        for module in ('clip_depth_ros.predictor.choice', 'clip_depth_ros.model.pretrained'):
            monkeypatch.setattr(f'{module}.assets_dir', lambda: tmp_path)
        tiny = build_backbone(
            PredictorSettings(backbone='tiny', pretrained='random'), 'cpu', 'fp32'
        )
        state = {name: each.contiguous() for name, each in tiny._clip.state_dict().items()}
        save_file(state, tmp_path / BUNDLED_CLIP)
        write_clip2depth(tmp_path / BUNDLED_CLIP2DEPTH, 'tiny')

        assert _predict(tmp_path, 'tiny', '--pretrained', 'bundled') == 0
        said = capsys.readouterr().out
        assert said.startswith('weights: bundled: tiny_clip.safetensors (sha256 ')
        assert 'trained (auto: trained weights are bundled for this backbone)' in said


@pytest.mark.parametrize('precision', ['fp16', 'bf16'])
def test_half_precision_answers_nearly_the_same(settings, predictor, precision):
    half = build_predictor(settings.changed(precision=precision)).predict(blobs(64, 96)).depth_m
    full = predictor.predict(blobs(64, 96)).depth_m
    assert np.abs(np.log(half / full)).mean() < 0.05


class TestPrecision:
    """What ``auto`` finds faster is taken if it answers as fp32 does; so is what is asked for."""

    @pytest.fixture(autouse=True)
    def cpu_with_bf16(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr('clip_depth_ros.model.devices.cpu_has_bf16', lambda: True)

    @pytest.fixture
    def strict(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(MOST_DIFFERENCE, 'bf16', 1e-9)

    def test_auto_takes_it(self, settings):
        described = build_predictor(settings).describe()
        assert described['precision'] == 'bf16'
        assert 'refused' not in described

    @pytest.mark.usefixtures('strict')
    def test_auto_stays_with_fp32_and_says_why(self, settings, predictor):
        careful = build_predictor(settings)
        described, image = careful.describe(), blobs(64, 96)

        assert described['precision'] == 'fp32'
        assert re.fullmatch(
            r'bf16 on cpu: a test picture differs by 0\.0\d+ of its range from what fp32 answers, '
            r'at most 1e-09 is allowed', described['refused'],
        )
        assert (careful.predict(image).depth_m == predictor.predict(image).depth_m).all()

    @pytest.mark.usefixtures('strict')
    def test_what_is_asked_for_is_refused(self, settings):
        with pytest.raises(DeviceError, match=r"is allowed: set precision='fp32' or 'auto'"):
            build_predictor(settings.changed(precision='bf16'))


@pytest.mark.gpu
def test_on_the_gpu_it_answers_nearly_the_same(settings, predictor):
    on_gpu = build_predictor(settings.changed(device='cuda'))
    depth_m = on_gpu.predict(blobs(64, 96)).depth_m
    assert np.abs(np.log(depth_m / predictor.predict(blobs(64, 96)).depth_m)).mean() < 0.05
    on_gpu.close()


def _predict(folder: Path, backbone: str, *flags: str) -> int:
    image = folder / 'street.png'
    cv2.imwrite(str(image), blobs(60, 100)[..., ::-1])
    return main([
        'predict', str(image), '--out', str(folder / 'out'), '--backbone', backbone, *flags
    ])


def _tensors(backbone: Any) -> dict[str, torch.Tensor]:
    """Return the tensors that a frozen CLIP still holds."""
    return dict(backbone._clip.named_parameters())


def _n_bytes(backbone: Any) -> int:
    return sum(tensor.nbytes for tensor in _tensors(backbone).values())
