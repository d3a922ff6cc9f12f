# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which scene the camera is in, smoothed over time."""

from clip_depth_ros.predictor.scenes import scene_probabilities, SceneMemory
from clip_depth_ros.predictor.torch_networks import TorchWords
from clip_depth_ros.settings.predictor import PredictorSettings
from hypothesis import given, strategies as st
import numpy as np
import pytest
from small_clips import blobs, small_backbone, SMALL_RESNET, SMALL_VIT
import torch

NAMES = ('kitchen', 'street')


def frame(kitchen):
    """Return scene probabilities of one frame."""
    return np.array([kitchen, 1 - kitchen], np.float32)


def test_smoothing_by_hand():
    memory = SceneMemory(NAMES, smoothing=0.75)

    assert memory.update(frame(1.0)) == 'kitchen'  # the first counts fully
    assert memory.update(frame(0.0)) == 'kitchen'
    assert memory.probabilities == pytest.approx({'kitchen': 0.75, 'street': 0.25})
    assert memory.update(frame(0.0)) == 'kitchen'  # 0.5625
    assert memory.update(frame(0.0)) == 'street'   # 0.4219


def test_without_smoothing_each_frame_decides_alone():
    memory = SceneMemory(NAMES, smoothing=0.0)

    assert [memory.update(frame(p)) for p in (0.9, 0.1, 0.8)] == ['kitchen', 'street', 'kitchen']


def test_one_odd_frame_does_not_change_the_scene():
    memory = SceneMemory(NAMES, smoothing=0.9)
    scenes = [memory.update(frame(p)) for p in [0.8] * 10 + [0.0] + [0.8] * 3]

    assert set(scenes) == {'kitchen'}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(0, 0.99))
def test_probabilities_stay_probabilities(kitchens, smoothing):
    memory = SceneMemory(NAMES, smoothing)
    for kitchen in kitchens:
        memory.update(frame(kitchen))

    values = memory.probabilities.values()
    assert sum(values) == pytest.approx(1, abs=1e-5)
    assert min(values) >= 0


def test_reset_forgets():
    memory = SceneMemory(NAMES, smoothing=0.99)
    memory.update(frame(1.0))
    memory.reset()

    assert memory.probabilities == {}
    assert memory.update(frame(0.4)) == 'street'


def test_a_memory_is_inherited_for_the_same_scenes_only():
    old = SceneMemory(NAMES, smoothing=0.9)
    old.update(frame(1.0))
    same, other = SceneMemory(NAMES, smoothing=0.5), SceneMemory(('office', 'street'), 0.5)
    same.inherit(old)
    other.inherit(old)

    assert same.probabilities == old.probabilities
    assert other.probabilities == {}


@pytest.mark.parametrize('config', [SMALL_RESNET, SMALL_VIT], ids=['resnet', 'vit'])
def test_recognition_is_clips_own_zero_shot_classification(tmp_path, config):
    """Oracle: open_clip's get_logits on the same pixels and sentences."""
    backbone, _ = small_backbone(tmp_path, config)
    side = backbone.tower.native_size.height
    rgbs = np.stack([blobs(side, side, seed) for seed in (1, 2)])
    model = backbone._clip
    tokens = backbone.text._tokenizer(['a photo of a kitchen', 'a photo of a street'])
    with torch.no_grad():
        logits, _ = model.get_logits(backbone.pixels(rgbs, backbone.mean, backbone.std), tokens)

    network = TorchWords(PredictorSettings(), backbone)
    probs = scene_probabilities(network, rgbs, NAMES, 'a photo of a {}')
    np.testing.assert_allclose(probs, logits.softmax(dim=-1), atol=1e-5)
