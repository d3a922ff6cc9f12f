# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""CLIPSeg's trained decoder as the start of CLIP2Depth's, from a local file of transformers'."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from clip_depth_ros.errors import WeightsError
from clip_depth_ros.model.clip2depth import Clip2Depth
from clip_depth_ros.model.clip2depth_weights import load_state
from clip_depth_ros.model.tensor_files import read_tensor_file
from clip_depth_ros.model.weights import not_usable, some, UNUSABLE
import torch
from torch import Tensor

_PREFIX: Final = 'decoder.'
_HEAD: Final = 'decoder.head.'
_BLOCK_NAMES: Final = {
    'self_attn.out_proj': 'self_attn.out_proj',
    'mlp.fc1': 'linear1',
    'mlp.fc2': 'linear2',
    'layer_norm1': 'norm1',
    'layer_norm2': 'norm2',
}
"""Parts of a decoder block: transformers' names and PyTorch's."""


def load_clipseg(model: Clip2Depth, path: Path) -> None:
    """
    Start from CLIPSeg's decoder, as the paper does: segmentation corrects CLIP's bias.

    Parameters
    ----------
    model : Clip2Depth
        Its decoder and FiLM are replaced; the mirror stays. Our choice: a ``smooth`` head, which
        CLIPSeg does not have, and FiLM where there is no condition, stay as they are too. The
        last bias is CLIPSeg's, so the first answers lie wherever its numbers lead.
    path : Path
        ``model.safetensors`` or ``pytorch_model.bin`` of a CLIPSegForImageSegmentation, such as
        ``CIDAS/clipseg-rd64-refined``. The CLIP in it is not used.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, no CLIPSeg, or of other sizes.

    """
    weights = read_tensor_file(path, 'CLIPSeg weights', 'clipseg_weights').state
    decoder = {
        name.removeprefix(_PREFIX): tensor.float()
        for name, tensor in weights.items()
        if name.startswith(_PREFIX)
    }
    if 'reduces.0.weight' not in decoder:
        raise WeightsError(
            f'{str(path)!r} holds no CLIPSeg decoder (no {_PREFIX}reduces.0.weight): name a '
            'model.safetensors or pytorch_model.bin of CLIPSegForImageSegmentation'
        )
    try:
        state = _renamed(decoder)
    except KeyError as error:
        raise WeightsError(
            f'CLIPSeg weights {str(path)!r} are incomplete: {_PREFIX}{error.args[0]} is missing'
        ) from error
    if broken := not_usable(state):
        raise WeightsError(
            f'CLIPSeg weights {str(path)!r} hold numbers that are {UNUSABLE}: {some(broken)}; '
            'fetch them again'
        )
    own = model.state_dict()
    kept = {name: tensor for name, tensor in own.items() if _stays(name, model)}
    used = {name: tensor for name, tensor in state.items() if _is_used(name, model)}
    load_state(model, {**used, **kept}, f'CLIPSeg weights {str(path)!r}')


def _renamed(decoder: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return CLIPSeg's decoder by the names of :class:`Clip2Depth`."""
    state: dict[str, Tensor] = {}
    for name, tensor in decoder.items():
        first, _, rest = name.partition('.')
        if first in ('film_mul', 'film_add'):
            state[name] = tensor
        elif first == 'transposed_convolution':
            state[_HEAD + rest] = tensor
        elif first == 'layers':
            index, _, part = rest.partition('.')
            state.update(_of_block(decoder, index, part))
        else:
            state[_PREFIX + name] = tensor
    return state


def _of_block(decoder: Mapping[str, Tensor], index: str, part: str) -> dict[str, Tensor]:
    """Return one parameter of a block; query, key and value are one in PyTorch's own layer."""
    module, _, kind = part.rpartition('.')
    block, attention = f'{_PREFIX}blocks.{index}', f'layers.{index}.self_attn'
    if module in _BLOCK_NAMES:
        return {f'{block}.{_BLOCK_NAMES[module]}.{kind}': decoder[f'layers.{index}.{part}']}
    parts = [decoder[f'{attention}.{each}_proj.{kind}'] for each in 'qkv']
    return {f'{block}.self_attn.in_proj_{kind}': torch.cat(parts)}


def _stays(name: str, model: Clip2Depth) -> bool:
    return name == 'mirror' or (name.startswith(_HEAD) and model.settings.head == 'smooth')


def _is_used(name: str, model: Clip2Depth) -> bool:
    if name.startswith('film_'):
        return model.settings.condition != 'none'
    return not _stays(name, model)
