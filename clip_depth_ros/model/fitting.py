# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which architectures a state dict can belong to, told by a few shapes; for error messages."""

from __future__ import annotations

from collections.abc import Mapping
import re
from typing import Any, NamedTuple

from clip_depth_ros.model.architecture import supported_names
import open_clip
from torch import Tensor


class Signature(NamedTuple):
    """Shapes that tell CLIP models apart."""

    first_convolution: tuple[int, ...]
    image_positions: int
    image_blocks: int
    text_projection: tuple[int, ...]
    vocabulary: int


def fitting_backbones(state: Mapping[str, Tensor]) -> list[str]:
    """Give the names of open_clip's architectures whose shapes these weights have."""
    found = signature_of_weights(state)
    names = supported_names() if found else []
    return [name for name in names if _signature(open_clip.get_model_config(name)) == found]


def signature_of_weights(state: Mapping[str, Tensor]) -> Signature | None:
    """Give the signature of a state dict; None if it is not one of a CLIP model."""
    shapes = {name.removeprefix('text.'): tuple(t.shape) for name, t in state.items()}
    positions = shapes.get('visual.positional_embedding') or shapes.get(
        'visual.attnpool.positional_embedding'
    )
    first, projection = shapes.get('visual.conv1.weight'), shapes.get('text_projection')
    vocabulary = shapes.get('token_embedding.weight')
    if not (positions and first and projection and vocabulary):
        return None
    block = re.compile(r'visual\.(?:transformer\.resblocks|layer\d)\.\d+')
    blocks = {found[0] for found in map(block.match, shapes) if found}
    return Signature(first, positions[0], len(blocks), projection, vocabulary[0])


def _signature(config: Mapping[str, Any]) -> Signature:
    vision, text = config['vision_cfg'], config['text_cfg']
    is_resnet = isinstance(vision['layers'], list)
    patch = 32 if is_resnet else vision['patch_size']
    width = vision['width']
    return Signature(
        (width // 2, 3, 3, 3) if is_resnet else (width, 3, patch, patch),
        (vision['image_size'] // patch) ** 2 + 1,
        sum(vision['layers']) if is_resnet else vision['layers'],
        (text['width'], config['embed_dim']),
        text['vocab_size'],
    )
