# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""CLIP's weights as the transformers library names and shapes them, and as open_clip does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

_MARK: Final = 'text_model.encoder.layers.0.self_attn.q_proj.weight'
_NAMES: Final = (
    ('text_model.', ''),
    ('vision_model.', 'visual.'),
    ('embeddings.token_embedding.', 'token_embedding.'),
    ('embeddings.position_embedding.weight', 'positional_embedding'),
    ('embeddings.class_embedding', 'class_embedding'),
    ('embeddings.patch_embedding.', 'conv1.'),
    ('pre_layrnorm.', 'ln_pre.'),  # so spelt
    ('post_layernorm.', 'ln_post.'),
    ('final_layer_norm.', 'ln_final.'),
    ('encoder.layers.', 'transformer.resblocks.'),
    ('.layer_norm1.', '.ln_1.'),
    ('.layer_norm2.', '.ln_2.'),
    ('.mlp.fc1.', '.mlp.c_fc.'),
    ('.mlp.fc2.', '.mlp.c_proj.'),
    ('.self_attn.', '.attn.'),
)
"""Parts of names there and here; each is replaced wherever it stands."""

_PROJECTIONS: Final = {
    'text_projection.weight': 'text_projection', 'visual_projection.weight': 'visual.proj',
}
"""Matrices that open_clip multiplies from the other side."""


def is_transformers_clip(state: Mapping[str, Tensor]) -> bool:
    """Return whether weights are named as those of transformers' CLIPModel."""
    return _MARK in state


def from_transformers_clip(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """
    Return the weights of transformers' CLIPModel by open_clip's names and in its shapes.

    What has no counterpart keeps its name. RuntimeError if the parts of an attention do not fit
    together.
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name in _PROJECTIONS:
            renamed[_PROJECTIONS[name]] = tensor.t()
        elif '.self_attn.q_proj.' in name:
            parts = [state.get(name.replace('q_proj', f'{each}_proj')) for each in 'qkv']
            known = [part for part in parts if part is not None]
            renamed[_renamed(name.replace('q_proj.', 'in_proj_'))] = torch.cat(known)
        elif '.self_attn.k_proj.' in name or '.self_attn.v_proj.' in name:
            continue  # one matrix with that of the query
        elif not name.endswith('.position_ids'):  # 0, 1, 2, ...: earlier versions kept them
            renamed[_renamed(name)] = tensor
    return renamed


def _renamed(name: str) -> str:
    for there, here in _NAMES:
        name = name.replace(there, here)
    return name
