# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The state of a training run in one file, from which it resumes as if it had never stopped.

Tensors (weights, their running mean, AdamW's moments, random generators) are in safetensors, all
else is JSON in its header: nothing is pickled, and one file is replaced at once or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import hashlib
import json
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.core.files import atomic_write_bytes, check_regular
from clip_depth_ros.errors import WeightsError
from clip_depth_ros.model.tensor_files import first_line
from clip_depth_ros.model.weights import not_usable, some, UNUSABLE
import safetensors
import safetensors.torch
import torch
from torch import nn, Tensor
from torch.optim import Optimizer

FORMAT: Final = 'clip2depth-training'
VERSION: Final = 1

_FACTS: Final = {'step': int, 'best_step': int, 'scores': dict, 'bad_frames': dict}
"""What every checkpoint of a run says."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """
    A checkpoint as read.

    Attributes
    ----------
    path : Path
        The file.
    tensors : dict of tensors
        By ``part.name``.
    facts : dict
        Step, settings, best metrics and the like: JSON values.

    """

    path: Path
    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    def part(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of one part by their names inside it."""
        prefix = f'{name}.'
        return {
            key.removeprefix(prefix): tensor
            for key, tensor in self.tensors.items()
            if key.startswith(prefix)
        }


def save_checkpoint(
    path: Path, parts: Mapping[str, Mapping[str, Tensor]], facts: Mapping[str, Any]
) -> None:
    """
    Write a checkpoint completely or not at all; OutputError leaves a file that was there.

    Tensors are named by part (``model``, ``optimizer``) and name; facts are what JSON can hold.
    """
    tensors = {
        f'{part}.{name}': tensor.detach().cpu().contiguous()
        for part, named in parts.items()
        for name, tensor in named.items()
    }
    metadata = {'format': FORMAT, 'version': str(VERSION), 'facts': json.dumps(dict(facts))}
    metadata['sha256'] = _digest(tensors, metadata['facts'])
    atomic_write_bytes(path, safetensors.torch.save(tensors, metadata))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; WeightsError if it is missing, damaged, or none of this format."""
    try:
        check_regular(path)
        with safetensors.safe_open(path, framework='pt') as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    # Bytes that were changed can also make names that are no text or sizes without end.
    except Exception as error:
        reason = getattr(error, 'strerror', '') or first_line(error)
        raise WeightsError(
            f'cannot read checkpoint {str(path)!r}: {reason}; start anew with --force, or from '
            'last.safetensors beside it with --init-weights'
        ) from error
    if metadata.get('format') != FORMAT:
        raise WeightsError(
            f'{str(path)!r} is no checkpoint of a training run (format '
            f'{metadata.get("format")!r}, not {FORMAT!r}): trained weights go into '
            '--init-weights'
        )
    if metadata.get('version') != str(VERSION):
        raise WeightsError(
            f'checkpoint {str(path)!r} has version {metadata.get("version")}, this release reads '
            f'version {VERSION}: go on with the release that wrote it'
        )
    facts = metadata.get('facts', '')
    if metadata.get('sha256') != _digest(tensors, facts):
        raise WeightsError(
            f'checkpoint {str(path)!r} is damaged (its content is not what was written): '
            'start anew with --force, or from last.safetensors beside it with --init-weights'
        )
    try:
        return Checkpoint(path, tensors, dict(json.loads(facts)))
    except (TypeError, ValueError, RecursionError) as error:
        raise WeightsError(f'checkpoint {str(path)!r} says nothing of its run: {error}') from error


def check_facts(checkpoint: Checkpoint) -> None:
    """Check that there is all that a run goes on from; WeightsError naming what it should be."""
    facts = checkpoint.facts
    if not all(isinstance(facts.get(name), kind) for name, kind in _FACTS.items()):
        raise WeightsError(
            f'checkpoint {str(checkpoint.path)!r} lacks what a run goes on from '
            f'({", ".join(_FACTS)}): start anew with --force, or from last.safetensors beside it '
            'with --init-weights'
        )


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return an optimiser's state flat, by ``<number of the parameter>.<name>``."""
    state = optimizer.state_dict()['state']
    return {
        f'{number}.{name}': torch.as_tensor(value)
        for number, values in state.items()
        for name, value in values.items()
    }


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """
    Put back what :func:`optimizer_tensors` gave; learning rates are not part of it.

    ValueError if it is not what this optimiser holds for its parameters.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition('.')
        state.setdefault(int(number), {})[name] = tensor
    groups = optimizer.state_dict()['param_groups']
    parameters = [each for group in optimizer.param_groups for each in group['params']]
    shapes = dict(enumerate(parameter.shape for parameter in parameters))
    for index, moments in state.items():
        if any(each.ndim and each.shape != shapes.get(index) for each in moments.values()):
            raise ValueError(f'moments of parameter {index} of another shape')
    optimizer.load_state_dict({'state': state, 'param_groups': groups})


def random_tensors() -> dict[str, Tensor]:
    """Return the states of PyTorch's random generators."""
    states = {'cpu': torch.get_rng_state()}
    if torch.cuda.is_available():
        states['cuda'] = torch.cuda.get_rng_state()
    return states


def restore_random(states: Mapping[str, Tensor]) -> None:
    """Put back what :func:`random_tensors` gave."""
    torch.set_rng_state(states['cpu'])
    if 'cuda' in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states['cuda'])


def restore_module(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Put weights back into a model; WeightsError if they are another model's, or no numbers."""
    if broken := not_usable(tensors):
        raise WeightsError(
            f'checkpoint {str(path)!r} holds numbers that are {UNUSABLE}: {some(broken)}; start '
            'anew with --force'
        )
    try:
        module.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise WeightsError(
            f'checkpoint {str(path)!r} is that of another model: {error}; train with the settings '
            'of its run.json, or into another out_dir'
        ) from error


def _digest(tensors: Mapping[str, Tensor], facts: str) -> str:
    digest = hashlib.sha256(facts.encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
