# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""State dicts of CLIP models: told apart, renamed, checked against the model, and loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import hashlib
from pathlib import Path
from typing import Final

from clip_depth_ros.errors import WeightsError
from clip_depth_ros.model import open_clip_parts
from clip_depth_ros.model.architecture import fitting_backbones
from clip_depth_ros.model.hub import keep_checksum
from clip_depth_ros.model.tensor_files import first_line, OPENAI_NUMBERS, read_tensor_file
import torch
from torch import nn, Tensor


@dataclass(frozen=True, slots=True)
class Weights:
    """
    A state dict with where it came from.

    Attributes
    ----------
    path : Path
        The file.
    sha256 : str
        Of the whole file, 64 hexadecimal digits.
    state : dict of tensors
        By open_clip's parameter names, on the cpu.
    openai_name : str
        Which of OpenAI's own archives it is, such as ``RN50.pt``; empty if none.
    is_openai : bool
        Whether it holds what only OpenAI's archives hold; these need QuickGELU.

    """

    path: Path
    sha256: str
    state: dict[str, Tensor]
    openai_name: str
    is_openai: bool

    def __str__(self) -> str:
        return f'{self.path.name} (sha256 {self.sha256[:12]})'


TOKEN_TABLE: Final = 'token_embedding.weight'
ROWS: Final = 'token_embedding.rows'
"""
Which rows of the token table a file holds, int64 (rows,); the others are zero.

Our choice: a CLIP that was trained on a few dozen words need not carry 49,408 of them.
"""


def read_weights(path: Path) -> Weights:
    """
    Read the weights of a CLIP.

    Parameters
    ----------
    path : Path
        OpenAI's archive (``.pt``), PyTorch state dict or open_clip checkpoint (``.pt``, ``.bin``),
        or ``.safetensors``; by open_clip's names or by those of transformers' CLIPModel.

    Raises
    ------
    WeightsError
        If it is missing, unreadable, damaged, or holds more than tensors and plain values.

    """
    file = read_tensor_file(path, 'weights', 'clip_weights')
    is_openai = bool(file.openai_name) or all(name in file.state for name in OPENAI_NUMBERS)
    plain = {name: tensor for name, tensor in file.state.items() if name not in OPENAI_NUMBERS}
    if is_transformers_clip(plain):
        try:
            plain = from_transformers_clip(plain)
        except RuntimeError as error:
            raise WeightsError(
                f'weights {str(path)!r} are named as those of the transformers library, but not '
                f'shaped so: {first_line(error)}; fetch them again'
            ) from error
    return Weights(path, file.sha256, plain, file.openai_name, is_openai)


def load_weights(model: nn.Module, weights: Weights, backbone: str) -> None:
    """
    Load weights into an open_clip model; each must be there, of its shape, and finite.

    WeightsError, with the name of the backbone, if they are those of another model or not finite.
    """
    expected = model.state_dict()
    state = _adapted(weights.state, expected)
    if wrong := misfits(state, expected):
        raise WeightsError(
            f'weights {str(weights.path)!r} do not fit backbone {backbone!r}: {some(wrong)}. '
            f'{_advice(weights)}'
        )
    if broken := not_usable(state):
        raise WeightsError(
            f'weights {str(weights.path)!r} hold numbers that are {UNUSABLE}: {some(broken)}; '
            'fetch them again'
        )
    if lone := out_of_line(state):
        raise WeightsError(
            f'weights {str(weights.path)!r} hold a number out of all proportion to the others of '
            f'its tensor, {some(lone)}: the file is damaged, fetch it again'
        )
    model.load_state_dict(state)
    if not weights.openai_name:
        keep_checksum(weights.path, weights.sha256)


def _adapted(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename and reshape what open_clip's versions have named and shaped differently."""
    adapted = _with_all_rows(state, expected)
    if 'positional_embedding' not in expected:
        adapted = open_clip_parts.model.convert_to_custom_text_state_dict(adapted)
    scale = adapted.get('logit_scale')
    if scale is not None and scale.numel() == 1:  # a scalar or (1,), by version
        adapted['logit_scale'] = scale.reshape(expected['logit_scale'].shape)
    return adapted


def _with_all_rows(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Put the rows of a token table that was cut where they belong; what does not fit stays."""
    whole = dict(state)
    table = expected.get(TOKEN_TABLE)
    rows, kept = state.get(ROWS), state.get(TOKEN_TABLE)
    if rows is None or kept is None or table is None:
        return whole
    fits = rows.shape == kept.shape[:1] and kept.shape[1:] == table.shape[1:]
    is_list = rows.dtype == torch.int64 and rows.numel() > 0
    if fits and is_list and rows.min() >= 0 and rows.max() < len(table):
        # As large as the model's own, whatever the file says.
        whole[TOKEN_TABLE] = kept.new_zeros(table.shape).index_copy(0, whole.pop(ROWS), kept)
    return whole


def _advice(weights: Weights) -> str:
    if weights.openai_name:
        return (
            f"They are OpenAI's {weights.openai_name}: choose the backbone of that name with "
            '-quickgelu'
        )
    if names := fitting_backbones(weights.state):
        return f'By their shapes they fit backbone {" or ".join(names)}'
    return 'They fit none of the backbones that work here'


_NAMED: Final = 3
"""How many wrong tensors an error names."""


def misfits(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Return which tensors are missing, unknown or of another shape than the model's own."""
    return [
        *(f'{name} is missing' for name in expected if name not in state),
        *(f'{name} is unknown' for name in state if name not in expected),
        *(
            f'{name} is {list(state[name].shape)}, not {list(tensor.shape)}'
            for name, tensor in expected.items()
            if name in state and state[name].shape != tensor.shape
        ),
    ]


_LARGE: Final = 100
_MANY: Final = 64

UNUSABLE: Final = 'not finite, or beyond 65504 where half precision ends'


def not_usable(state: Mapping[str, Tensor]) -> list[str]:
    """Return the names of tensors with a NaN, or a number that half precision does not hold."""
    most = torch.finfo(torch.float16).max
    return [
        name
        for name, tensor in state.items()
        if tensor.is_floating_point() and tensor.nelement() and not tensor.abs().max() <= most
    ]


def out_of_line(state: Mapping[str, Tensor]) -> list[str]:
    """
    Return which tensors have a few numbers that damage has made large, and what they are.

    Flipped bits in an exponent make a number 2^8 or 2^16 times as large. Our choice: weights of no
    CLIP are beyond 100 and 100 times as large as all but eight others of their tensor; variances
    of batch norms may be.
    """
    found = []
    for name, tensor in state.items():
        is_weight = tensor.is_floating_point() and not name.endswith('running_var')
        if not is_weight or tensor.numel() < _MANY:
            continue
        rows = tensor.flatten(1) if len(tensor) >= _MANY and tensor.ndim > 1 else tensor.flatten()
        largest = rows.abs().amax(1) if rows.ndim > 1 else rows.abs()
        first, ninth = largest.float().topk(9).values[[0, 8]].tolist()
        if first > _LARGE and first > _LARGE * ninth:
            found.append(f'{name} ({first:.3g}, the ninth of it is {ninth:.3g})')
    return found


def some(texts: Iterable[str]) -> str:
    """Return the first few texts and how many more there are."""
    named = list(texts)
    rest = len(named) - _NAMED
    return ', '.join(named[:_NAMED]) + (f' and {rest} more' if rest > 0 else '')


def hash_of_values(state: Mapping[str, Tensor]) -> str:
    """
    Return the SHA-256 over names, shapes and float32 values, sorted by name.

    Our choice: of values as they are used, so that a file's format does not change it.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f'{name} {list(tensor.shape)} '.encode())
        digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


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
