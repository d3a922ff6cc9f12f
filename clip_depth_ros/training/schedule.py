# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the learning rate goes up and down: a function of the step, so nothing to save."""

from __future__ import annotations

import math


def one_cycle(
    step: int,
    n_steps: int,
    *,
    highest: float,
    warmup_share: float,
    start_divisor: float,
    end_divisor: float,
) -> float:
    """
    Give the learning rate of one step: half a cosine up, half a cosine down.

    Parameters
    ----------
    step : int
        0 is the first.
    n_steps : int
        Of the whole training.
    highest : float
        Reached after ``warmup_share`` of the steps.
    warmup_share : float
        0 to below 1.
    start_divisor, end_divisor : float
        It starts at ``highest / start_divisor`` and ends, with the last step, at that divided by
        ``end_divisor``.

    Notes
    -----
    The numbers are those of ``torch.optim.lr_scheduler.OneCycleLR`` (Smith and Topin, 2017);
    momentum stays as it is (our choice).

    """
    start = highest / start_divisor
    peak_step = warmup_share * n_steps - 1
    if step <= peak_step:
        return _half_cosine(start, highest, step / peak_step if peak_step else 1.0)
    last_step = n_steps - 1
    peak_step = max(peak_step, 0.0)
    done = (step - peak_step) / (last_step - peak_step) if last_step > peak_step else 1.0
    return _half_cosine(highest, start / end_divisor, done)


def _half_cosine(first: float, last: float, done: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * done)) / 2
