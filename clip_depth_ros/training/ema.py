# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The running mean of the weights, which answers better than the weights of any one step."""

from __future__ import annotations

import torch
from torch import nn, Tensor
from torch.optim.swa_utils import AveragedModel

Tensors = tuple[Tensor, ...] | list[Tensor]


def running_mean(model: nn.Module, decay: float) -> AveragedModel:
    """
    Give a copy of a model that follows it: ``mean.update_parameters(model)`` after each step.

    Parameters
    ----------
    model : nn.Module
        What is trained.
    decay : float
        Share of the past in the mean. In the first steps it is at most (1 + n) / (10 + n) after n
        updates, so that the initialisation is soon forgotten (as in TensorFlow's and open_clip's
        common practice). 0 follows the model at once.

    """

    @torch.no_grad()
    def follow(means: Tensors, currents: Tensors, n_averaged: Tensor | int) -> None:
        n = int(n_averaged)
        share = min(decay, (1 + n) / (10 + n))
        torch._foreach_lerp_(means, currents, 1 - share)

    return AveragedModel(model, multi_avg_fn=follow)
