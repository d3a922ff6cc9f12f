# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What training makes small: the scale-invariant error of log depth."""

from __future__ import annotations

from collections.abc import Callable

from clip_depth_ros.settings.training import TrainSettings
import torch
from torch import Tensor

_LIKE = 0.1  # width of the bins of ln depth in which depths count as alike
_SMALLEST = 1e-8  # under the root, whose slope is infinite at 0

SumOverRanks = Callable[[Tensor], Tensor]
"""Takes sums of this process to sums of all; the others' part is a constant for gradients."""


def alone(sums: Tensor) -> Tensor:
    """Return the sums of a single process back: there are no others."""
    return sums


def total_loss(
    depth_m: Tensor, target_m: Tensor, settings: TrainSettings, over_ranks: SumOverRanks = alone
) -> Tensor:
    """Return the loss that the settings describe; arguments as for :func:`silog_loss`."""
    weights = balanced(target_m, settings.balance) if settings.balance else None
    loss = silog_loss(
        depth_m,
        target_m,
        variance_weight=settings.silog_variance_weight,
        factor=settings.silog_factor,
        weights=weights,
        over_ranks=over_ranks,
    )
    if settings.l1_weight:
        off = l1_loss(depth_m, target_m, weights=weights, over_ranks=over_ranks)
        loss = loss + settings.l1_weight * off
    if settings.gradient_weight:
        edges = gradient_loss(depth_m, target_m, over_ranks=over_ranks)
        loss = loss + settings.gradient_weight * edges
    return loss


def silog_loss(
    depth_m: Tensor,
    target_m: Tensor,
    *,
    variance_weight: float = 0.85,
    factor: float = 10.0,
    weights: Tensor | None = None,
    over_ranks: SumOverRanks = alone,
) -> Tensor:
    """
    Return ``factor * sqrt(mean(d^2) - variance_weight * mean(d)^2)`` with d = ln(depth / target).

    Parameters
    ----------
    depth_m, target_m : float (B, H, W)
        Metres. Pixels whose target is 0, negative or not finite do not count.
    variance_weight : float
        0: root mean square of d; 1: its standard deviation, blind to a common factor.
    factor : float
        Brings the loss to a size that usual learning rates suit.
    weights : float (B, H, W), optional
        How much each pixel counts in the means; by default all alike.
    over_ranks : callable
        Sums over the processes of a parallel training, see :mod:`.distributed`.

    Returns
    -------
    Tensor
        float32, one number; 0 without any valid pixel.

    Notes
    -----
    Eigen, Puhrsch, Fergus (2014) with weight and factor of BTS and AdaBins, and as there the means
    are over all valid pixels of the batch: an image whose scale is wrong beside the others costs
    in full, only what is common to the whole batch is forgiven. Means are taken from sums over
    all processes, so that processes with few valid pixels count as little as they should.

    """
    valid = valid_target(target_m)
    # Where nothing was measured both logarithms are 0: no NaN may come near the gradients.
    error = _log(depth_m, valid) - _log(target_m, valid)
    counts = valid if weights is None else weights * valid
    sums = torch.stack([
        counts.sum(dtype=torch.float64),
        (counts * error).sum(dtype=torch.float64),
        (counts * error * error).sum(dtype=torch.float64),
    ])
    count, total, squares = over_ranks(sums).unbind()
    count = count.clamp_min(1)
    spread = squares / count - variance_weight * (total / count) ** 2
    # Not clamped: the slope must reach the weights even when spread is tiny; 0 gives 0 below.
    root = torch.sqrt(spread.clamp_min(0) + _SMALLEST) - _SMALLEST**0.5
    loss: Tensor = (factor * root).float()
    return loss


def l1_loss(
    depth_m: Tensor,
    target_m: Tensor,
    *,
    weights: Tensor | None = None,
    over_ranks: SumOverRanks = alone,
) -> Tensor:
    """
    Return the mean absolute error of log depth; arguments as for :func:`silog_loss`.

    Our choice, off by default: near abs_rel, which is what adaptation is judged by.
    """
    valid = valid_target(target_m)
    counts = valid if weights is None else weights * valid
    error = (_log(depth_m, valid) - _log(target_m, valid)).abs()
    sums = torch.stack([
        counts.sum(dtype=torch.float64), (counts * error).sum(dtype=torch.float64)
    ])
    count, total = over_ranks(sums).unbind()
    return (total / count.clamp_min(1)).float()


def balanced(target_m: Tensor, share: float) -> Tensor:
    """
    Return weights of pixels by how rare their depth is in this batch, float32 (B, H, W).

    A pixel of a depth that n others share (to 10 %) has the weight ``n ** -share``; their mean
    over valid pixels is 1. Of each process its own, so that results of several differ a little.
    """
    valid = valid_target(target_m)
    bins = (_log(target_m, valid) / _LIKE).floor().long()
    bins = bins - bins.min()
    counts = torch.bincount(bins[valid], minlength=int(bins.max()) + 1).clamp_min(1)
    weights = counts.float().pow(-share)[bins] * valid
    return weights * (valid.sum() / weights.sum().clamp_min(1e-12))


def gradient_loss(
    depth_m: Tensor, target_m: Tensor, *, over_ranks: SumOverRanks = alone
) -> Tensor:
    """
    Return the mean difference of the slopes of log depth, to the right and downwards.

    Our choice, off by default: it makes edges sharper where targets are dense. Pairs of
    neighbours count if both are valid; sparse LiDAR targets have hardly any.

    Parameters
    ----------
    depth_m, target_m, over_ranks
        As for :func:`silog_loss`.

    """
    valid = valid_target(target_m)
    error = _log(depth_m, valid) - _log(target_m, valid)
    sums = torch.zeros(2, dtype=torch.float64, device=depth_m.device)
    for axis in (-1, -2):
        length = error.shape[axis] - 1
        pairs = valid.narrow(axis, 1, length) & valid.narrow(axis, 0, length)
        slopes = (error.narrow(axis, 1, length) - error.narrow(axis, 0, length)) * pairs
        sums = sums + torch.stack([
            pairs.sum(dtype=torch.float64), slopes.abs().sum(dtype=torch.float64)
        ])
    count, total = over_ranks(sums).unbind()
    return (total / count.clamp_min(1)).float()


def valid_target(target_m: Tensor) -> Tensor:
    """Return which pixels have a target, bool (B, H, W): those finite and above 0."""
    return torch.isfinite(target_m) & (target_m > 0)


def _log(depth_m: Tensor, valid: Tensor) -> Tensor:
    return torch.where(valid, depth_m.float(), 1.0).log()
