# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trained CLIP2Depth weights as a file: tensors with settings and origin, checked on reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import hashlib
import json
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.core.files import atomic_write_bytes, check_regular
from clip_depth_ros.errors import ConfigError, WeightsError
from clip_depth_ros.model.backbone import Backbone
from clip_depth_ros.model.clip2depth import build_clip2depth, Clip2Depth
from clip_depth_ros.model.tensor_files import first_line
from clip_depth_ros.model.weights import misfits, not_usable, some, UNUSABLE
from clip_depth_ros.settings.clip2depth import Clip2DepthSettings
import safetensors
import safetensors.torch
import torch
from torch import nn, Tensor

FORMAT: Final = 'clip2depth'
VERSION: Final = 1

_JSON: Final = ('settings', 'provenance', 'metrics')
"""Entries of the metadata that hold a JSON object."""


@dataclass(frozen=True, slots=True)
class Clip2DepthFile:
    """
    What a weights file holds.

    Attributes
    ----------
    path : Path
        The file.
    settings : Clip2DepthSettings
        What the model is made of.
    state : dict of float32 tensors
        By the parameter names of :class:`Clip2Depth`, on the cpu.
    backbone, backbone_hash : str
        The frozen CLIP that it was trained on: its name, and the hash of its weights.
    provenance : mapping
        How it was trained, for reports.
    metrics : mapping
        How good it was in validation, for reports.
    sha256 : str
        Of the content, 64 hexadecimal digits.

    """

    path: Path
    settings: Clip2DepthSettings
    state: dict[str, Tensor]
    backbone: str
    backbone_hash: str
    provenance: Mapping[str, Any]
    metrics: Mapping[str, float]
    sha256: str

    def __str__(self) -> str:
        return f'{self.path.name} (sha256 {self.sha256[:12]})'


def save_clip2depth(
    path: Path,
    model: Clip2Depth,
    settings: Clip2DepthSettings,
    *,
    backbone: str,
    backbone_hash: str,
    provenance: Mapping[str, Any],
    metrics: Mapping[str, float],
    dtype: torch.dtype = torch.float32,
) -> None:
    """
    Write trained weights wholly or not at all.

    Parameters
    ----------
    path : Path
        The file, ``.safetensors``.
    model : Clip2Depth
        Its state is written.
    settings : Clip2DepthSettings
        What the model is made of, and the input size it was trained at.
    backbone, backbone_hash : str
        Name and :attr:`Backbone.hash` of the frozen CLIP.
    provenance, metrics : mapping
        Plain values, written as JSON.
    dtype : torch.dtype
        float16 halves the file.

    Raises
    ------
    WeightsError
        If a number is not finite (in this dtype).
    OutputError
        If the file cannot be written.

    """
    state = {
        name: tensor.detach().to('cpu', dtype).contiguous()
        for name, tensor in model.state_dict().items()
    }
    _check_finite(path, state, 'train again, or save in float32')
    metadata = {
        'format': FORMAT,
        'version': str(VERSION),
        'settings': json.dumps(settings.model_dump(mode='json')),
        'backbone': backbone,
        'backbone_hash': backbone_hash,
        'provenance': json.dumps(dict(provenance)),
        'metrics': json.dumps(dict(metrics)),
    }
    metadata['sha256'] = _digest(metadata, state)
    atomic_write_bytes(path, safetensors.torch.save(state, metadata))


def read_clip2depth(path: Path) -> Clip2DepthFile:
    """
    Read trained weights and check that they are whole.

    Raises
    ------
    WeightsError
        If the file is missing, truncated, changed, of another kind or of a newer version.

    """
    metadata, state = _read(path)
    if metadata.get('format') != FORMAT:
        raise WeightsError(
            f'{str(path)!r} holds no CLIP2Depth weights (no format={FORMAT!r} in its metadata): '
            'name a file that clip-depth train wrote; CLIP weights belong in clip_weights'
        )
    if metadata.get('version') != str(VERSION):
        raise WeightsError(
            f'CLIP2Depth weights {str(path)!r} have format version {metadata.get("version")}, '
            f'this release reads {VERSION}: update clip_depth_ros'
        )
    sha256 = _digest(metadata, state)
    if metadata.get('sha256') != sha256:
        raise WeightsError(
            f'CLIP2Depth weights {str(path)!r} are damaged: their content has SHA-256 {sha256}, '
            f'should have {metadata.get("sha256")}; copy the file again'
        )
    numbers = {name: tensor.float() for name, tensor in state.items()}
    _check_finite(path, numbers, 'train again')
    plain = _plain(path, metadata)
    return Clip2DepthFile(
        path=path,
        settings=_settings(path, plain['settings']),
        state=numbers,
        backbone=metadata.get('backbone', ''),
        backbone_hash=metadata.get('backbone_hash', ''),
        provenance=plain['provenance'],
        metrics=plain['metrics'],
        sha256=sha256,
    )


def load_clip2depth(file: Clip2DepthFile, backbone: Backbone) -> Clip2Depth:
    """
    Build the model of a weights file for the backbone it was trained on.

    Returns
    -------
    Clip2Depth
        On the backbone's device, in evaluation mode, nothing to train; its condition is not
        frozen yet.

    Raises
    ------
    WeightsError
        If it was trained on another backbone, or tensors are missing or of another shape.

    """
    check_backbone(file, backbone)
    # A fresh model draws numbers that are replaced at once: spare the caller's generator.
    with torch.random.fork_rng(devices=[]):
        model = build_clip2depth(file.settings, backbone)
    load_state(model, file.state, f'CLIP2Depth weights {str(file.path)!r}')
    return model.to(backbone.device).eval().requires_grad_(False)


def check_backbone(file: Clip2DepthFile, backbone: Backbone) -> None:
    """
    Check that weights and backbone belong together.

    Raises
    ------
    WeightsError
        Naming both and what to set.

    """
    if file.backbone_hash != backbone.hash:
        raise WeightsError(
            f'CLIP2Depth weights {str(file.path)!r} were trained on backbone {file.backbone!r} '
            f'with hash {file.backbone_hash[:12]}, got backbone {backbone.name!r} '
            f'({backbone.weights}) with hash {backbone.hash[:12]}: set `backbone`, '
            '`pretrained` and clip_weights to those of the training, or train for this one'
        )


def load_state(model: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """
    Put tensors into a model; each must be there and of its shape.

    Parameters
    ----------
    model : nn.Module
        Changed in place.
    state : mapping of tensors
        By parameter name.
    what : str
        Name of the tensors, which starts the error message.

    Raises
    ------
    WeightsError
        Naming tensors that are missing, unknown or of another shape.

    """
    if wrong := misfits(state, model.state_dict()):
        raise WeightsError(f'{what} do not fit: {some(wrong)}')
    model.load_state_dict(dict(state))


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        check_regular(path)
        path.open('rb').close()  # says plainly what is wrong where safetensors does not
        with safetensors.safe_open(path, framework='pt') as file:
            metadata = file.metadata() or {}
            return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise WeightsError(
            f'cannot read CLIP2Depth weights {str(path)!r}: {error.strerror or error}; point '
            'clip2depth_weights to a file that is there and readable'
        ) from error
    # Bytes that were changed can also make names that are no text or sizes without end.
    except Exception as error:
        raise WeightsError(
            f'cannot read CLIP2Depth weights {str(path)!r}: {first_line(error)}; it must be a '
            '.safetensors file as clip-depth train writes it (no pickled objects), and complete: '
            'copy it again'
        ) from error


def _digest(metadata: Mapping[str, str], state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over everything in the file but itself."""
    others = {name: text for name, text in metadata.items() if name != 'sha256'}
    digest = hashlib.sha256(json.dumps(others, sort_keys=True).encode())
    for name, tensor in sorted(state.items()):
        digest.update(f'{name} {tensor.dtype} {list(tensor.shape)} '.encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _plain(path: Path, metadata: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name in _JSON:
        try:
            value = json.loads(metadata.get(name, ''))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise WeightsError(
                f'CLIP2Depth weights {str(path)!r} have no {name} in their metadata (a JSON '
                'object is wanted): save them with save_clip2depth'
            )
        found[name] = value
    if not all(isinstance(each, (int, float)) for each in found['metrics'].values()):
        raise WeightsError(
            f'CLIP2Depth weights {str(path)!r} have metrics that are no numbers: save them with '
            'save_clip2depth'
        )
    return found


def _settings(path: Path, values: Mapping[str, Any]) -> Clip2DepthSettings:
    try:
        settings: Clip2DepthSettings = Clip2DepthSettings.from_mapping(values)
    except ConfigError as error:
        raise WeightsError(
            f'CLIP2Depth weights {str(path)!r} have settings that this release does not take: '
            f'{error}; update clip_depth_ros, or train again'
        ) from error
    return settings


def _check_finite(path: Path, state: Mapping[str, Tensor], advice: str) -> None:
    if broken := not_usable(state):
        raise WeightsError(
            f'CLIP2Depth weights {str(path)!r} hold numbers that are {UNUSABLE}: {some(broken)}; '
            f'{advice}'
        )
