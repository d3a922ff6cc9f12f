# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The loss: by hand, by law, and against a plain reading of its formula."""

from __future__ import annotations

from clip_depth_ros.training.loss import (
    balanced,
    gradient_loss,
    l1_loss,
    silog_loss,
    total_loss,
)
from hypothesis import given, strategies as st
import numpy as np
import pytest
from small_training import small_settings
import torch


def depths(seed: int, shape: tuple[int, ...] = (2, 5, 7)) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(1, 80, shape)).float()


def test_silog_by_hand():
    """One pixel twice as far, one right: d = (ln 2, 0)."""
    depth_m, target_m = torch.tensor([[[4.0, 3.0]]]), torch.tensor([[[2.0, 3.0]]])
    ln2 = np.log(2)
    wanted = 10 * np.sqrt(ln2**2 / 2 - 0.85 * (ln2 / 2) ** 2)
    assert silog_loss(depth_m, target_m).item() == pytest.approx(wanted, rel=1e-3)


def test_silog_is_the_formula_over_all_valid_pixels_of_the_batch():
    depth_m, target_m = depths(0), depths(1)
    target_m[0, :3] = 0
    valid = (target_m > 0).numpy()
    d = np.log(depth_m.numpy()[valid]) - np.log(target_m.numpy()[valid])
    wanted = 7 * np.sqrt(np.mean(d**2) - 0.5 * np.mean(d) ** 2)
    loss = silog_loss(depth_m, target_m, variance_weight=0.5, factor=7)
    assert loss.item() == pytest.approx(wanted, rel=1e-3)


@given(st.floats(0.1, 10))
def test_a_common_factor_is_forgiven_wholly_with_weight_1(factor: float):
    depth_m, target_m = depths(0), depths(1)
    plain = silog_loss(depth_m, target_m, variance_weight=1)
    scaled = silog_loss(depth_m * factor, target_m, variance_weight=1)
    assert scaled.item() == pytest.approx(plain.item(), rel=1e-3)


@given(st.floats(1.2, 10))
def test_a_common_factor_alone_costs_what_the_weight_leaves(factor: float):
    target_m = depths(1)
    loss = silog_loss(target_m * factor, target_m)
    assert loss.item() == pytest.approx(10 * np.sqrt(0.15) * np.log(factor), rel=1e-2)


def test_a_perfect_prediction_costs_nothing():
    assert silog_loss(depths(1), depths(1)).item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize('nothing', [0.0, -1.0, float('nan'), float('inf')])
def test_pixels_without_target_have_no_gradient(nothing: float):
    depth_m, target_m = depths(0).requires_grad_(), depths(1)
    target_m[:, 2] = nothing
    silog_loss(depth_m, target_m).backward()
    gradient = depth_m.grad
    assert gradient is not None
    assert gradient.isfinite().all()
    assert (gradient[:, 2] == 0).all()
    assert (gradient[:, 3] != 0).all()


def test_without_any_target_the_loss_is_zero_and_so_are_gradients():
    depth_m = depths(0).requires_grad_()
    loss = silog_loss(depth_m, torch.zeros_like(depth_m))
    loss.backward()
    assert loss.item() == 0
    assert depth_m.grad is not None
    assert (depth_m.grad == 0).all()


def test_gradients_agree_with_differences():
    depth_m = depths(0, (1, 2, 3)).double().requires_grad_()
    target_m = depths(1, (1, 2, 3)).double()
    silog_loss(depth_m, target_m).backward()
    step = 1e-3
    for place in np.ndindex(1, 2, 3):
        more, less = depth_m.detach().clone(), depth_m.detach().clone()
        more[place] += step
        less[place] -= step
        slope = (silog_loss(more, target_m) - silog_loss(less, target_m)) / (2 * step)
        assert depth_m.grad is not None
        assert depth_m.grad[place].item() == pytest.approx(slope.item(), rel=0.1, abs=1e-3)


def test_parts_of_a_batch_add_up_to_the_whole_whatever_they_hold():
    """As several processes do it: sums before, gradients after."""
    depth_m, target_m = depths(0, (4, 5, 7)), depths(1, (4, 5, 7))
    target_m[:3, 1:] = 0  # the first part has hardly any target
    whole = depth_m.clone().requires_grad_()
    silog_loss(whole, target_m).backward()

    all_sums: list[torch.Tensor] = []

    def note(sums: torch.Tensor) -> torch.Tensor:
        all_sums.append(sums.detach())
        return sums

    for part in (slice(0, 2), slice(2, 4)):
        silog_loss(depth_m[part], target_m[part], over_ranks=note)
    total = torch.stack(all_sums).sum(0)
    parts = depth_m.clone().requires_grad_()
    for part in (slice(0, 2), slice(2, 4)):
        loss = silog_loss(
            parts[part], target_m[part],
            over_ranks=lambda sums: sums + (total - sums.detach()),
        )
        loss.backward()
    assert whole.grad is not None
    assert parts.grad is not None
    torch.testing.assert_close(parts.grad, whole.grad)


def test_slopes_by_hand():
    """Between neighbours log depth should double once and does not: ln 2 over two pairs."""
    depth_m = torch.tensor([[[2.0, 2.0, 2.0]]])
    target_m = torch.tensor([[[2.0, 4.0, 4.0]]])
    assert gradient_loss(depth_m, target_m).item() == pytest.approx(np.log(2) / 2, rel=1e-5)


def test_slopes_do_not_see_a_common_factor_nor_pairs_with_a_gap():
    target_m = depths(1)
    assert gradient_loss(target_m * 3, target_m).item() == pytest.approx(0, abs=1e-5)
    holes = target_m.clone()
    holes[:, ::2, ::2] = 0
    holes[:, 1::2, 1::2] = 0
    assert gradient_loss(depths(0), holes).item() == 0


def test_l1_by_hand():
    """Twice as far, right, half as far, not measured: (ln 2 + 0 + ln 2) / 3."""
    depth_m = torch.tensor([[[4.0, 3.0, 1.0, 9.0]]])
    target_m = torch.tensor([[[2.0, 3.0, 2.0, 0.0]]])
    assert l1_loss(depth_m, target_m).item() == pytest.approx(2 * np.log(2) / 3, rel=1e-6)


def test_rare_depths_weigh_more_when_balanced():
    """Of eight points at 2 m and two at 30 m, the latter count four times as much, or twice."""
    target_m = torch.tensor([[[2.0] * 8 + [30.0] * 2 + [0.0]]])
    for share, factor in ((0.0, 1.0), (0.5, 2.0), (1.0, 4.0)):
        weights = balanced(target_m, share)
        assert weights[0, 0, 9] / weights[0, 0, 0] == pytest.approx(factor)
        assert weights[0, 0, 10] == 0
        assert weights.sum() == pytest.approx(10)


def test_without_any_target_nothing_is_balanced():
    nothing = torch.zeros(1, 2, 2)
    assert not balanced(nothing, 1.0).any()
    assert l1_loss(torch.ones(1, 2, 2), nothing).item() == 0


def test_weights_of_pixels_are_those_of_repeated_ones():
    depth_m, target_m = torch.tensor([[[4.0, 3.0]]]), torch.tensor([[[2.0, 5.0]]])
    twice = [torch.cat([each, each[..., :1]], dim=-1) for each in (depth_m, target_m)]
    weights = torch.tensor([[[2.0, 1.0]]])
    assert silog_loss(depth_m, target_m, weights=weights) == pytest.approx(silog_loss(*twice))
    assert l1_loss(depth_m, target_m, weights=weights) == pytest.approx(l1_loss(*twice))


def test_the_total_is_the_sum_of_its_parts():
    depth_m, target_m = depths(0), depths(1)
    plain = total_loss(depth_m, target_m, small_settings(''))
    whole = total_loss(depth_m, target_m, small_settings('', l1_weight=3.0, gradient_weight=2.0))
    parts = 3 * l1_loss(depth_m, target_m) + 2 * gradient_loss(depth_m, target_m)
    torch.testing.assert_close(whole, plain + parts)
