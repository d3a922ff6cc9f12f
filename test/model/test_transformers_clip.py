# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights in the format of the transformers library; that library's own CLIP is the oracle."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.model.backbone import Backbone, build_backbone
from clip_depth_ros.model.weights import read_weights
from clip_depth_ros.settings.predictor import PredictorSettings
import pytest
from small_clips import lively, write_json
import torch

transformers = pytest.importorskip('transformers')

SIZES = {'embed_dim': 32, 'quick_gelu': True}
VISION = {'image_size': 32, 'patch_size': 16, 'width': 64, 'layers': 3, 'head_width': 32}
TEXT = {'context_length': 77, 'vocab_size': 49408, 'width': 48, 'layers': 2, 'heads': 2}


@pytest.fixture(scope='module')
def theirs():
    """Return transformers' CLIP with random weights."""
    tower = {'projection_dim': 32, 'num_attention_heads': 2, 'hidden_act': 'quick_gelu'}
    config = transformers.CLIPConfig(
        vision_config={
            **tower, 'image_size': 32, 'patch_size': 16, 'hidden_size': 64,
            'intermediate_size': 256, 'num_hidden_layers': 3,
        },
        text_config={
            **tower, 'max_position_embeddings': 77, 'vocab_size': 49408, 'hidden_size': 48,
            'intermediate_size': 192, 'num_hidden_layers': 2, 'eos_token_id': 49407,
        },
        projection_dim=32,
    )
    torch.manual_seed(0)
    model = transformers.CLIPModel(config).eval()
    model.load_state_dict(lively(model.state_dict()))
    return model


def vectors(answer: object) -> torch.Tensor:
    """Return the vectors of an answer, which is more than these in later versions."""
    return getattr(answer, 'pooler_output', answer)  # type: ignore[return-value]


def ours(folder: Path, theirs: torch.nn.Module) -> Backbone:
    path = folder / 'pytorch_model.bin'
    # As earlier versions wrote it.
    positions = {'text_model.embeddings.position_ids': torch.arange(77)[None]}
    torch.save({**theirs.state_dict(), **positions}, path)
    description = write_json(folder, {**SIZES, 'vision_cfg': VISION, 'text_cfg': TEXT})
    settings = PredictorSettings(backbone=description, clip_weights=str(path))
    return build_backbone(settings, 'cpu', 'fp32')


@torch.no_grad()
def test_images_and_sentences_are_encoded_as_by_transformers(tmp_path, theirs):
    backbone = ours(tmp_path, theirs)
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    ids = torch.full((1, 77), 0)
    ids[0, :4] = torch.tensor([49406, 320, 1929, 49407])

    torch.testing.assert_close(
        backbone._clip.encode_image(pixels), vectors(theirs.get_image_features(pixels)),
        atol=1e-5, rtol=1e-5,
    )
    torch.testing.assert_close(
        backbone._clip.encode_text(ids), vectors(theirs.get_text_features(ids)),
        atol=1e-5, rtol=1e-5,
    )


def test_what_is_missing_is_named_as_open_clip_names_it(tmp_path, theirs):
    state = theirs.state_dict()
    del state['vision_model.pre_layrnorm.weight']
    torch.save(state, tmp_path / 'clip.bin')
    assert 'visual.ln_pre.weight' not in read_weights(tmp_path / 'clip.bin').state
