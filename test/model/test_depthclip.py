# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""DepthCLIP's steps; the whole of it is compared with its description in the oracle test."""

import copy

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.model.depthclip import patch_features, resolve_features
from clip_depth_ros.predictor import depthclip
from clip_depth_ros.predictor.torch_networks import TorchWords
from clip_depth_ros.settings.predictor import PredictorSettings
import numpy as np
import pytest
from small_clips import blobs, small_backbone, SMALL_RESNET, SMALL_VIT
import torch


@pytest.fixture(scope='module', params=['official', 'dense', 'vit'])
def model(request, tmp_path_factory):
    config = SMALL_VIT if request.param == 'vit' else SMALL_RESNET
    backbone, _ = small_backbone(tmp_path_factory.mktemp('small'), config)
    return backbone, 'dense' if request.param == 'vit' else request.param


def some_prompts(backbone, n_words=5):
    return backbone.text.embed([f'This object is {index}' for index in range(n_words)])


def probabilities(model, rgbs, *, prompts=None, temperature=1.0, flip=True):
    backbone, features = model
    prompts = some_prompts(backbone) if prompts is None else prompts
    network = TorchWords(PredictorSettings(features=features), backbone)
    return depthclip.probabilities(
        network, rgbs, prompts.numpy(), temperature=temperature, flip=flip
    )


IMAGE = blobs(96, 160)[np.newaxis]


def test_probabilities_are_probabilities_on_the_patch_grid(model):
    probs = probabilities(model, IMAGE)
    stride = model[0].tower.stride

    assert probs.dtype == np.float32
    assert probs.shape == (1, 5, 96 // stride.height, 160 // stride.width)
    assert (probs >= 0).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-6)


def test_a_flipped_image_gives_the_flipped_answer(model):
    """Averaging with the flipped image makes left and right alike."""
    flipped = np.ascontiguousarray(IMAGE[:, :, ::-1])

    np.testing.assert_allclose(
        probabilities(model, flipped), probabilities(model, IMAGE)[..., ::-1], atol=1e-4
    )


def test_without_flip_averaging_left_and_right_differ(model):
    flipped = np.ascontiguousarray(IMAGE[:, :, ::-1])
    one = probabilities(model, flipped, flip=False)
    other = probabilities(model, IMAGE, flip=False)[..., ::-1]

    assert np.abs(one - other).max() > 1e-3


def test_a_batch_answers_as_its_images_do(model):
    images = np.stack([blobs(64, 96, seed) for seed in range(3)])
    alone = np.concatenate([probabilities(model, image[np.newaxis]) for image in images])

    np.testing.assert_allclose(probabilities(model, images), alone, atol=1e-4)


def test_logits_are_a_hundred_cosines_over_the_temperature(model):
    """From the ratio of two probabilities: log(p / q) = 100 (cos_p - cos_q) / temperature."""
    backbone, features = model
    prompts = some_prompts(backbone, 2)
    mean, std = (
        ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        if features == 'official' else (backbone.mean, backbone.std)
    )
    pixels = backbone.pixels(IMAGE, mean, std)
    cosines = torch.einsum('dhw,kd->khw', patch_features(backbone, pixels, features)[0], prompts)
    probs = probabilities(model, IMAGE, prompts=prompts, temperature=4.0, flip=False)[0]

    expected = 25 * (cosines[0] - cosines[1])
    np.testing.assert_allclose(np.log(probs[0] / probs[1]), expected, atol=1e-3)


def test_the_order_of_words_is_the_order_of_probabilities(model):
    prompts = some_prompts(model[0])
    probs = probabilities(model, IMAGE, prompts=prompts)
    turned = probabilities(model, IMAGE, prompts=prompts.flip(0))

    np.testing.assert_allclose(turned, probs[:, ::-1], atol=1e-6)


def test_official_features_are_every_nth_channel_of_unit_maps(tmp_path):
    """RN50's ratio is 2, that of the other ResNets 4; the maps are not normalised again."""
    narrow = copy.deepcopy(SMALL_RESNET) | {'embed_dim': 64}
    for config, step in ((SMALL_RESNET, 2), (narrow, 4)):
        backbone, _ = small_backbone(tmp_path, config)
        pixels = backbone.pixels(IMAGE, backbone.mean, backbone.std)
        maps = backbone.tower.layer4(pixels)
        expected = (maps / maps.norm(dim=1, keepdim=True))[:, ::step]
        features = patch_features(backbone, pixels, 'official')

        torch.testing.assert_close(features, expected)
        assert features.norm(dim=1).max() < 0.99


def test_dense_features_have_unit_length(tmp_path):
    for config in (SMALL_RESNET, SMALL_VIT):
        backbone, _ = small_backbone(tmp_path, config)
        pixels = backbone.pixels(IMAGE, backbone.mean, backbone.std)
        lengths = patch_features(backbone, pixels, 'dense').norm(dim=1)

        torch.testing.assert_close(lengths, torch.ones_like(lengths))


def test_a_patch_without_response_is_undecided_and_no_nan(tmp_path):
    """The released code would divide 0 by 0 there."""
    backbone, state = small_backbone(tmp_path, SMALL_RESNET)
    silent = {n: torch.full_like(t, -9) if 'bn3.bias' in n else t for n, t in state.items()}
    backbone._clip.load_state_dict(silent)
    probs = probabilities((backbone, 'official'), IMAGE)

    np.testing.assert_allclose(probs, 0.2, atol=1e-6)


def test_the_mode_is_chosen_by_the_kind_of_backbone():
    assert resolve_features('auto', is_resnet=True) == 'official'
    assert resolve_features('auto', is_resnet=False) == 'dense'
    assert resolve_features('dense', is_resnet=True) == 'dense'


def test_official_features_of_a_vit_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"'official' needs a ResNet.*set features='dense'"):
        resolve_features('official', is_resnet=False)
    backbone, _ = small_backbone(tmp_path, SMALL_VIT)
    with pytest.raises(ConfigError, match="'official' needs a ResNet"):
        patch_features(backbone, torch.zeros(1, 3, 32, 32), 'official')
