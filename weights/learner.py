# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the small CLIP learns with: its optimiser, the learning rate, and a file to go on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import math
from pathlib import Path
from typing import Any

from clip_depth_ros.errors import DataError, WeightsError
from clip_depth_ros.training.checkpoint import (
    load_checkpoint,
    optimizer_tensors,
    restore_module,
    restore_optimizer,
    save_checkpoint,
)
import torch
from torch import nn, Tensor


@dataclass(frozen=True, slots=True)
class ContrastSettings:
    """How the small CLIP is trained; what is not here is in constants of the modules."""

    steps: int
    batch: int = 32
    lr: float = 1.5e-3
    weight_decay: float = 0.05
    warmup: float = 0.04
    seed: int = 0
    save_interval: int = 200


class Learner:
    """
    A CLIP with its optimiser: one call a step.

    Parameters
    ----------
    clip : open_clip.CLIP
        Changed in place.
    settings : ContrastSettings
        The recipe.
    facts : mapping
        What decides the training, JSON values: it is not gone on with after a change of these.

    Attributes
    ----------
    losses : list of float
        Of each step so far.

    """

    def __init__(self, clip: Any, settings: ContrastSettings, facts: Mapping[str, Any]) -> None:
        self.losses: list[float] = []
        self._clip, self._settings, self._facts = clip, settings, dict(facts)
        self._optimizer = _optimizer(clip, settings)

    def learn(self, loss: Tensor) -> None:
        """Take one step; DataError if the loss is not finite."""
        step = len(self.losses)
        self.losses.append(loss.item())
        if not math.isfinite(self.losses[-1]):
            raise DataError(
                f'the contrastive loss is {self.losses[-1]} at step {step}: lower lr'
            )
        for group in self._optimizer.param_groups:
            group['lr'] = self._settings.lr * one_cycle(step, self._settings)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._clip.parameters(), 1.0)
        self._optimizer.step()
        self._clip.logit_scale.data.clamp_(0, math.log(100))  # as CLIP does

    def save(self, path: Path) -> None:
        """Write all that the next step depends on, wholly or not at all."""
        parts = {
            'model': self._clip.state_dict(),
            'optimizer': optimizer_tensors(self._optimizer),
            'log': {'losses': torch.tensor(self.losses, dtype=torch.float64)},
        }
        save_checkpoint(path, parts, self._facts)

    def restore(self, path: Path) -> None:
        """Go on from what was saved; DataError if it is damaged or of another training."""
        try:
            found = load_checkpoint(path)
            if found.facts != self._facts:
                raise DataError('it is of another recipe, other frames or another network')
            restore_module(self._clip, found.part('model'), path)
            restore_optimizer(self._optimizer, found.part('optimizer'))
            self.losses = found.tensors['log.losses'].tolist()
        except (DataError, WeightsError, KeyError, ValueError) as error:
            raise DataError(
                f'cannot go on with the small CLIP from {str(path)!r} ({error}): remove that file '
                'to begin anew, or name another --out'
            ) from error


def one_cycle(step: int, settings: ContrastSettings) -> float:
    """Return the factor of the learning rate at a step: up in a line, down along a cosine."""
    up = max(1, round(settings.warmup * settings.steps))
    if step < up:
        return (step + 1) / up
    return 0.5 * (1 + math.cos(math.pi * (step - up) / max(1, settings.steps - up)))


def _optimizer(clip: nn.Module, settings: ContrastSettings) -> torch.optim.Optimizer:
    """Return AdamW; only matrices decay."""
    matrices = [p for p in clip.parameters() if p.ndim > 1]
    others = [p for p in clip.parameters() if p.ndim <= 1]
    groups = [
        {'params': matrices, 'weight_decay': settings.weight_decay},
        {'params': others, 'weight_decay': 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.lr, betas=(0.9, 0.98), eps=1e-6)
