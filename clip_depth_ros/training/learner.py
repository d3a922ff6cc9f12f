# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What learns: model, its running mean, optimiser, learning rate; and one step of learning."""

from __future__ import annotations

from collections.abc import Iterable
import math
from typing import Any, Final, NamedTuple

from clip_depth_ros.errors import TrainingError, WeightsError
from clip_depth_ros.model.clip2depth import Clip2Depth
from clip_depth_ros.model.devices import explain_out_of_memory
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.training.checkpoint import (
    Checkpoint,
    optimizer_tensors,
    random_tensors,
    restore_module,
    restore_optimizer,
    restore_random,
)
from clip_depth_ros.training.clip import FrozenClip
from clip_depth_ros.training.distributed import Ranks
from clip_depth_ros.training.frames.frames import Batch
from clip_depth_ros.training.loss import total_loss
import torch
from torch import nn, Tensor
from torch.optim import AdamW
from torch.optim.swa_utils import AveragedModel

MEMORY_ADVICE: Final = (
    'lower batch_size, raise accumulate, lower input_height_px and input_width_px, or set '
    'cache_tokens'
)

Tensors = tuple[Tensor, ...] | list[Tensor]


class StepFacts(NamedTuple):
    """What one step has to tell."""

    loss: float
    learning_rate: float
    gradient_norm: float


class Learner:
    """
    A model that learns, with everything that a later process needs to continue exactly.

    Parameters
    ----------
    model : Clip2Depth
        On its device.
    clip : FrozenClip
        What it reads.
    settings : TrainSettings
        The recipe.
    ranks : Ranks
        The processes that learn together.

    """

    def __init__(
        self, model: Clip2Depth, clip: FrozenClip, settings: TrainSettings, ranks: Ranks
    ) -> None:
        self.model, self._clip, self._settings, self._ranks = model, clip, settings, ranks
        self._mean = running_mean(model, settings.ema_decay)
        self._parameters = model.trainable_parameters()
        self._optimizer = adamw(model, settings)
        device = clip.backbone.device
        self._scaler = torch.amp.GradScaler(
            device.partition(':')[0], enabled=clip.dtype == torch.float16
        )

    @property
    def mean(self) -> Clip2Depth:
        """Return the running mean of the model: what is validated and kept."""
        mean = self._mean.module
        if not isinstance(mean, Clip2Depth):
            raise TypeError(f'the running mean is a {type(mean).__name__}')
        return mean

    def step(self, step: int, batches: Iterable[Batch]) -> StepFacts:
        """
        Learn from this process's share of each of the ``accumulate`` parts of a batch.

        Raises
        ------
        TrainingError
            If loss or gradients are no longer finite; the weights are as before the step.
        DeviceError
            If the memory of the device does not suffice.

        """
        settings, losses = self._settings, []
        rate = one_cycle(step, settings)
        for group in self._optimizer.param_groups:
            group['lr'] = rate * group['factor']
        self.model.train()
        self._optimizer.zero_grad(set_to_none=True)
        seen: list[str] = []
        for batch in batches:
            with explain_out_of_memory(
                self._clip.backbone.device, f'a part of {len(batch.names)} frames', MEMORY_ADVICE
            ):
                loss = self._loss(step, batch) / settings.accumulate
                self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            losses.append(float(loss.detach()))
            seen += batch.names
        self._ranks.sum_gradients(self._parameters)
        self._scaler.unscale_(self._optimizer)
        norm = float(
            nn.utils.clip_grad_norm_(self._parameters, settings.clip_norm or math.inf)
        )
        if not math.isfinite(norm) and not self._scaler.is_enabled():
            raise TrainingError(_not_finite(step, 'gradients', seen))
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self.mean.train()  # forgets the frozen condition of the last validation
        self._mean.update_parameters(self.model)
        return StepFacts(sum(losses), rate, norm)

    def parts(self) -> dict[str, dict[str, Tensor]]:
        """Return all tensors of a checkpoint by part."""
        return {
            'model': self.model.state_dict(),
            'mean': self._mean.state_dict(),
            'optimizer': optimizer_tensors(self._optimizer),
            'random': random_tensors(),
        }

    def scaler_facts(self) -> dict[str, Any]:
        """Return the state of the loss scaling: plain numbers."""
        return dict(self._scaler.state_dict())

    def restore(self, checkpoint: Checkpoint) -> None:
        """Become what a checkpoint describes; WeightsError if it is that of another model."""
        restore_module(self.model, checkpoint.part('model'), checkpoint.path)
        restore_module(self._mean, checkpoint.part('mean'), checkpoint.path)
        try:
            restore_optimizer(self._optimizer, checkpoint.part('optimizer'))
            restore_random(checkpoint.part('random'))
            if self._scaler.is_enabled():
                self._scaler.load_state_dict(checkpoint.facts['scaler'])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise WeightsError(
                f'checkpoint {str(checkpoint.path)!r} is not one that this run can go on from '
                f'({type(error).__name__}: {error}): start anew with --force, or from '
                'last.safetensors beside it with --init-weights'
            ) from error

    def _loss(self, step: int, batch: Batch) -> Tensor:
        clip = self._clip
        target_m = torch.stack(batch.targets_m).to(clip.backbone.device)
        # The text tower in float32: it is small, and one vector conditions every pixel.
        condition = self.model.condition_vector(clip.backbone)
        taps = clip.taps(batch)
        with clip.autocast():
            depth_m = self.model(taps, clip.grid(batch), condition, clip.rays(batch))
        depth_m = depth_m.float()
        loss = total_loss(depth_m, target_m, self._settings, self._ranks.sum_over_ranks)
        if not torch.isfinite(loss):
            wrong = ~torch.isfinite(depth_m).flatten(1).all(dim=1)
            names = [name for name, bad in zip(batch.names, wrong.tolist(), strict=True) if bad]
            raise TrainingError(_not_finite(step, 'loss', names or batch.names))
        return loss


def _not_finite(step: int, what: str, names: list[str]) -> str:
    shown = ', '.join(names[:8]) + (f' and {len(names) - 8} more' if len(names) > 8 else '')
    return (
        f'{what} of step {step} are no finite numbers any more, at frames {shown}: look at these '
        "frames and their depth, lower learning_rate or clip_norm, or set amp='off'; the last "
        'checkpoint is as it was, go on from it with --resume'
    )


def adamw(model: Clip2Depth, settings: TrainSettings) -> AdamW:
    """
    Build the optimiser; weights of layers decay, biases, norms and the mirror do not.

    The mirror stands in for embeddings of words, which are not decayed either (our choice).
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, each in model.named_parameters():
        if each.requires_grad:
            decays = each.ndim > 1 and name != 'mirror'
            kind = (_rate(name, settings), settings.weight_decay if decays else 0.0)
            groups.setdefault(kind, []).append(each)
    return AdamW(
        [
            {'params': parameters, 'weight_decay': decay, 'factor': factor}
            for (factor, decay), parameters in groups.items()
        ],
        lr=settings.learning_rate,
        betas=(0.9, 0.999),
    )


def _rate(name: str, settings: TrainSettings) -> float:
    """Return the learning rate of a parameter, times that of most."""
    if name.startswith('decoder.head.'):
        return settings.head_rate
    is_condition = name == 'mirror' or name.startswith('film_')
    return settings.mirror_rate if is_condition else 1.0


def one_cycle(step: int, settings: TrainSettings) -> float:
    """
    Return the learning rate of a step, from 0 on: half a cosine up, half a cosine down.

    It starts at ``learning_rate / start_divisor``, is at ``learning_rate`` after ``warmup_share``
    of the steps, and ends, with the last step, at its start divided by ``end_divisor``. The
    numbers are those of ``torch.optim.lr_scheduler.OneCycleLR`` (Smith and Topin, 2017), which
    cannot go without a warm-up; momentum stays as it is (our choice).
    """
    highest = settings.learning_rate
    start = highest / settings.start_divisor
    peak_step = settings.warmup_share * settings.steps - 1
    if step <= peak_step:
        return _half_cosine(start, highest, step / peak_step if peak_step else 1.0)
    last_step = settings.steps - 1
    peak_step = max(peak_step, 0.0)
    done = (step - peak_step) / (last_step - peak_step) if last_step > peak_step else 1.0
    return _half_cosine(highest, start / settings.end_divisor, done)


def _half_cosine(first: float, last: float, done: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * done)) / 2


def running_mean(model: nn.Module, decay: float) -> AveragedModel:
    """
    Return a copy of a model that follows it: ``mean.update_parameters(model)`` after each step.

    ``decay`` is the share of the past in the mean; 0 follows the model at once. In the first
    steps it is at most (1 + n) / (10 + n) after n updates, so that the initialisation is soon
    forgotten (as in TensorFlow's and open_clip's common practice).
    """

    @torch.no_grad()
    def follow(means: Tensors, currents: Tensors, n_averaged: Tensor | int) -> None:
        n = int(n_averaged)
        share = min(decay, (1 + n) / (10 + n))
        torch._foreach_lerp_(means, currents, 1 - share)

    return AveragedModel(model, multi_avg_fn=follow)
