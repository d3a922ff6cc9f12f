# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The learning rate of each step, the order of frames, the running mean of weights."""

from __future__ import annotations

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.training.distributed import Ranks
from clip_depth_ros.training.frames import Order, Positions
from clip_depth_ros.training.learner import one_cycle, running_mean
import numpy as np
import pytest
import torch
from torch import nn

SHAPE = {'highest': 0.1, 'warmup_share': 0.3, 'start_divisor': 25.0, 'end_divisor': 100.0}


@pytest.mark.parametrize('n_steps', [10, 101])
@pytest.mark.parametrize('warmup_share', [0.2, 0.5])
def test_one_cycle_is_that_of_pytorch(n_steps: int, warmup_share: float):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))])
    oracle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.1, total_steps=n_steps, pct_start=warmup_share, div_factor=25,
        final_div_factor=100, cycle_momentum=False,
    )
    for step in range(n_steps):
        rate = one_cycle(step, n_steps, **{**SHAPE, 'warmup_share': warmup_share})
        assert rate == pytest.approx(oracle.get_last_lr()[0], rel=1e-6)
        optimizer.step()
        if step < n_steps - 1:
            oracle.step()


def test_one_cycle_without_warmup_only_falls():
    rates = [one_cycle(step, 9, **{**SHAPE, 'warmup_share': 0.0}) for step in range(9)]
    assert rates[0] == pytest.approx(0.1)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.1 / 25 / 100)


def test_one_cycle_of_one_step_is_defined():
    assert 0 < one_cycle(0, 1, **SHAPE) <= 0.1


def test_each_epoch_shows_each_frame_once_in_an_order_of_its_own():
    order = Order(n_frames=20, seed=3)
    first, second = ([order.frame_at(20 * epoch + i) for i in range(20)] for epoch in (0, 1))
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    assert first != [Order(20, seed=4).frame_at(i) for i in range(20)]
    assert first == [Order(20, seed=3).frame_at(i) for i in range(20)]


def test_random_numbers_are_those_of_the_position():
    order = Order(20, seed=3)
    assert order.rng_at(7).random() == order.rng_at(7).random()
    assert order.rng_at(7).random() != order.rng_at(8).random()


@pytest.mark.parametrize('world_size', [1, 2, 4])
@pytest.mark.parametrize('accumulate', [1, 2])
def test_processes_and_accumulations_share_each_batch(world_size: int, accumulate: int):
    """Whoever loads them, step s sees positions 8 s to 8 s + 7."""
    seen: dict[int, list[int]] = {}
    for rank in range(world_size):
        positions = Positions(range(2, 5), 8, accumulate, Ranks(rank, world_size))
        lists = list(positions)
        assert len(lists) == len(positions) == 3 * accumulate
        for number, each in enumerate(lists):
            seen.setdefault(2 + number // accumulate, []).extend(each)
    assert {step: sorted(each) for step, each in seen.items()} == {
        step: list(range(8 * step, 8 * step + 8)) for step in (2, 3, 4)
    }


def test_processes_must_get_as_many_images_each():
    with pytest.raises(ConfigError, match='each of 3 processes must get as many images, got 8'):
        list(Positions(range(1), 8, 1, Ranks(0, 3)))


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
