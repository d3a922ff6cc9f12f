# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The learning rate of each step, and the running mean of weights."""

from __future__ import annotations

from typing import Any

from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.training.learner import one_cycle, running_mean
import numpy as np
import pytest
from small_training import small_settings
import torch
from torch import nn


def schedule(steps: int, **changes: Any) -> TrainSettings:
    """Return the settings of a training whose learning rate rises to 0.1."""
    shape = {
        'learning_rate': 0.1, 'warmup_share': 0.3, 'start_divisor': 25.0, 'end_divisor': 100.0,
    }
    return small_settings('', steps=steps, **{**shape, **changes})


@pytest.mark.parametrize('n_steps', [10, 101])
@pytest.mark.parametrize('warmup_share', [0.2, 0.5])
def test_one_cycle_is_that_of_pytorch(n_steps: int, warmup_share: float):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))])
    oracle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.1, total_steps=n_steps, pct_start=warmup_share, div_factor=25,
        final_div_factor=100, cycle_momentum=False,
    )
    for step in range(n_steps):
        rate = one_cycle(step, schedule(n_steps, warmup_share=warmup_share))
        assert rate == pytest.approx(oracle.get_last_lr()[0], rel=1e-6)
        optimizer.step()
        if step < n_steps - 1:
            oracle.step()


def test_one_cycle_without_warmup_only_falls():
    rates = [one_cycle(step, schedule(9, warmup_share=0.0)) for step in range(9)]
    assert rates[0] == pytest.approx(0.1)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.1 / 25 / 100)


def test_one_cycle_of_one_step_is_defined():
    assert 0 < one_cycle(0, schedule(1)) <= 0.1


def test_the_running_mean_starts_with_the_model_and_follows_it():
    model = nn.Linear(1, 1, bias=False)
    mean = running_mean(model, decay=0.9)
    wanted = None
    for step in range(30):
        with torch.no_grad():
            model.weight.fill_(float(step))
        mean.update_parameters(model)
        # The first update takes the weights; then the past counts (1 + n) / (10 + n), up to 0.9.
        share = min(0.9, (1 + step) / (10 + step))
        wanted = float(step) if wanted is None else share * wanted + (1 - share) * step
    assert mean.module.weight.item() == pytest.approx(wanted, rel=1e-5)


def test_no_decay_is_no_mean():
    model = nn.Linear(2, 1)
    mean = running_mean(model, decay=0.0)
    for _ in range(3):
        with torch.no_grad():
            model.weight.normal_()
        mean.update_parameters(model)
    np.testing.assert_allclose(mean.module.weight.detach(), model.weight.detach(), rtol=1e-6)
