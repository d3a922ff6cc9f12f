# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights files and state dicts: read without running anything in them, checked, and loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import hashlib
from pathlib import Path
from typing import Any, Final
import warnings
import zipfile
import zlib

from clip_depth_ros.errors import WeightsError
from clip_depth_ros.model.architecture import fitting_backbones
from open_clip.model import convert_to_custom_text_state_dict
from open_clip.pretrained import get_pretrained_url, list_pretrained_models_by_tag
import safetensors.torch
import torch
from torch import nn, Tensor

_OPENAI_NUMBERS: Final = ('input_resolution', 'context_length', 'vocab_size')
"""Sizes that OpenAI's archives hold beside the weights."""


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
    is_openai : bool
        Whether it is one of OpenAI's own archives, which need QuickGELU.

    """

    path: Path
    sha256: str
    state: dict[str, Tensor]
    is_openai: bool

    def __str__(self) -> str:
        return f'{self.path.name} (sha256 {self.sha256[:12]})'


def read_weights(path: Path) -> Weights:
    """
    Read a weights file.

    Parameters
    ----------
    path : Path
        OpenAI TorchScript archive (``.pt``), PyTorch state dict or open_clip checkpoint (``.pt``,
        ``.bin``), or ``.safetensors``. The content decides, not the suffix, but for safetensors.

    Raises
    ------
    WeightsError
        If it is missing, unreadable, damaged, or holds more than tensors and plain values.

    Notes
    -----
    PyTorch files are read with ``weights_only=True``. TorchScript archives are read for their
    tensors alone; loading one would run its ``__setstate__`` methods, so an archive that has any
    is refused, unless it is one of OpenAI's by its hash. An archive named like one of OpenAI's
    must have its hash.

    """
    digest = _sha256(path)
    is_archive = _is_torchscript(path)
    if is_archive:
        _check_openai_hash(path, digest)
        if digest not in openai_hashes().values():
            _refuse_own_code(path)
    try:
        content = _read(path, is_archive)
    # The decoders raise nearly anything on damaged bytes.
    except Exception as error:
        raise WeightsError(
            f'cannot read weights {str(path)!r}: {_reason(error)}; it must be an OpenAI archive, '
            'a PyTorch state dict of plain tensors (no pickled objects) or .safetensors, and '
            'complete: fetch it again and compare its size'
        ) from error
    state = _state_dict(path, content)
    is_openai = is_archive or all(number in state for number in _OPENAI_NUMBERS)
    plain = {name: tensor for name, tensor in state.items() if name not in _OPENAI_NUMBERS}
    return Weights(path, digest, plain, is_openai)


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
    if broken := not_finite(state):
        raise WeightsError(
            f'weights {str(weights.path)!r} hold numbers that are not finite: {some(broken)}; '
            'fetch them again'
        )
    model.load_state_dict(state)


def openai_hashes() -> dict[str, str]:
    """Return the SHA-256 of each of OpenAI's published archives by file name (``RN50.pt``)."""
    urls = [get_pretrained_url(name, 'openai') for name in list_pretrained_models_by_tag('openai')]
    return {url.rsplit('/', 1)[1]: url.rsplit('/', 2)[1] for url in urls if url}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open('rb') as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise WeightsError(
            f'cannot read weights {str(path)!r}: {error.strerror}; point clip_weights to a file '
            'that is there and readable'
        ) from error
    return digest.hexdigest()


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith('/constants.pkl') for name in archive.namelist())
    except zipfile.BadZipFile:
        return False  # whatever it is, torch will say


def _refuse_own_code(path: Path) -> None:
    """Refuse a TorchScript archive with code that runs on loading."""
    try:
        with zipfile.ZipFile(path) as archive:
            sources = [name for name in archive.namelist() if name.endswith('.py')]
            runs = [name for name in sources if b'__setstate__' in archive.read(name)]
    except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, RuntimeError) as error:
        raise WeightsError(
            f'weights {str(path)!r} are damaged ({error}): fetch them again'
        ) from error
    if runs:
        raise WeightsError(
            f'weights {str(path)!r} hold code that runs on loading ({runs[0]}: __setstate__), '
            'which CLIP does not need: use a .safetensors file or a plain state dict'
        )


def _check_openai_hash(path: Path, digest: str) -> None:
    expected = openai_hashes().get(path.name)
    if expected and digest != expected:
        raise WeightsError(
            f'weights {str(path)!r} should be those of OpenAI with SHA-256 {expected}, got '
            f'{digest}: damaged, fetch them again (or rename the file if they are other weights)'
        )


def _read(path: Path, is_torchscript: bool) -> Any:
    if path.suffix == '.safetensors':
        return safetensors.torch.load_file(path)
    with warnings.catch_warnings():
        # PyTorch deprecates TorchScript (FutureWarning), but OpenAI's weights come in it; and it
        # remarks on pickle protocols of files that it goes on to read or to refuse.
        warnings.simplefilter('ignore')
        if is_torchscript:
            archive = torch.jit.load(path, map_location='cpu')  # type: ignore[no-untyped-call]
            return archive.state_dict()
        return torch.load(path, map_location='cpu', weights_only=True)


def _state_dict(path: Path, content: Any) -> dict[str, Tensor]:
    """Return the tensors of a state dict or of a checkpoint around one (open_clip, DDP)."""
    inner = content.get('state_dict', content) if isinstance(content, Mapping) else {}
    tensors = {name: value for name, value in inner.items() if isinstance(value, Tensor)}
    if not tensors or len(tensors) < len(inner):
        raise WeightsError(
            f'weights {str(path)!r} hold no state dict of tensors: save model.state_dict() and '
            'point clip_weights to that'
        )
    return {name.removeprefix('module.'): tensor for name, tensor in tensors.items()}


def _adapted(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename and reshape what open_clip's versions have named and shaped differently."""
    adapted = dict(state)
    if 'positional_embedding' not in expected:
        adapted = convert_to_custom_text_state_dict(adapted)
    scale = adapted.get('logit_scale')
    if scale is not None and scale.numel() == 1:  # a scalar or (1,), by version
        adapted['logit_scale'] = scale.reshape(expected['logit_scale'].shape)
    return adapted


def _advice(weights: Weights) -> str:
    by_hash = {digest: name for name, digest in openai_hashes().items()}
    if name := by_hash.get(weights.sha256):
        return f"They are OpenAI's {name}: choose the backbone of that name with -quickgelu"
    if names := fitting_backbones(weights.state):
        return f'By their shapes they fit backbone {" or ".join(names)}'
    return 'They fit none of the backbones that work here'


def _reason(error: Exception) -> str:
    if isinstance(error, WeightsError):
        return str(error)
    first = first_line(error).partition('. ')[0]
    return f'{type(error).__name__}: {first}' if first else type(error).__name__


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


def not_finite(state: Mapping[str, Tensor]) -> list[str]:
    """Return the names of tensors with a NaN or an infinity."""
    return [name for name, tensor in state.items() if not tensor.isfinite().all()]


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


def first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return str(error).strip().partition('\n')[0]
