# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small CLIP models with seeded random weights, for tests."""

import json
from pathlib import Path

from clip_depth_ros.model.backbone import Backbone, build_backbone
from clip_depth_ros.settings.predictor import PredictorSettings
import cv2
import numpy as np
import torch

TEXT = {'context_length': 77, 'vocab_size': 49408, 'width': 64, 'heads': 2, 'layers': 2}

SMALL_RESNET = {
    # Twice as many layer-4 channels (8 x 32) as text dimensions, as RN50 has.
    'embed_dim': 128,
    'vision_cfg': {'image_size': 96, 'layers': [1, 2, 1, 1], 'width': 8, 'patch_size': None},
    'text_cfg': TEXT,
    'quick_gelu': True,
}
SMALL_VIT = {
    'embed_dim': 48,
    'vision_cfg': {
        'image_size': 48, 'layers': 2, 'width': 64, 'head_width': 32, 'patch_size': 16,
    },
    'text_cfg': TEXT,
}


def write_json(folder: Path, config: dict, name: str = 'small.json') -> str:
    """Write an open_clip model description and give its path as a setting."""
    path = folder / name
    path.write_text(json.dumps(config))
    return str(path)


def lively(state: dict, seed: int = 1) -> dict:
    """
    Return a state dict in which nothing is zero or one by initialisation.

    Norm weights, biases and running statistics are random, so that a forgotten norm shows.
    Convolutions are scaled so that what is seen does not fade from layer to layer; the text
    tower's attention is weakened so that sentences with a word of difference come out nearly, but
    not quite, alike, as they do in a trained CLIP.
    """
    random = torch.Generator().manual_seed(seed)
    changed = {}
    for name, tensor in state.items():
        if not tensor.is_floating_point() or name == 'logit_scale':
            changed[name] = tensor.clone()
        elif tensor.ndim < 2 and name.endswith(('weight', 'running_var')):
            changed[name] = 0.5 + torch.rand(tensor.shape, generator=random)
        elif tensor.ndim < 2:
            changed[name] = 0.1 * torch.randn(tensor.shape, generator=random)
        elif tensor.ndim == 4:
            changed[name] = tensor * 2.4  # sqrt(6): PyTorch's initialisation loses that much
        elif name.startswith('transformer') and name.endswith('out_proj.weight'):
            changed[name] = tensor * 0.1
        else:
            changed[name] = tensor.clone()
    return changed


def blobs(height: int, width: int, seed: int = 7) -> np.ndarray:
    """Return a picture of soft coloured blobs, uint8 (H, W, 3): unlike noise, patches differ."""
    coarse = (height // 24 + 2, width // 24 + 2, 3)
    colors = np.random.default_rng(seed).integers(0, 256, coarse, np.uint8)
    return cv2.resize(colors, (width, height), interpolation=cv2.INTER_CUBIC)


def small_backbone(folder: Path, config: dict) -> tuple[Backbone, dict]:
    """Build a backbone with lively random weights; give it and its state dict."""
    settings = PredictorSettings(backbone=write_json(folder, config), pretrained='random')
    backbone = build_backbone(settings, 'cpu', 'fp32')
    state = lively(backbone._clip.state_dict())
    backbone._clip.load_state_dict(state)
    return backbone, state
