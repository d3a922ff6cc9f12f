# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Errors of order: over all pairs by hand, and what they are blind to."""

from __future__ import annotations

from itertools import permutations

from clip_depth_ros.evaluation.score.order import ordinal
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
import numpy as np
import pytest

depths_m = arrays(np.float64, 12, elements=st.floats(1, 80))


def of(pred, gt) -> dict[str, float]:
    """Return the errors of order of predicted and true depths."""
    log_gt = np.log(np.asarray(gt, float))
    return ordinal(np.log(np.asarray(pred, float)) - log_gt, log_gt)


def relation(one, other) -> int:
    return 1 if other / one >= 1.03 else -1 if one / other >= 1.03 else 0


def test_three_pixels_by_hand():
    """
    10, 10.1 and 20 m: the first two are as far.

    Answered as 10, 11 and 9, all three pairs have another relation; of the two unequal ones, both
    are the wrong way round.
    """
    assert of([10, 11, 9], [10, 10.1, 20]) == {'ordinal': 1, 'ordinal_unequal': 1}


def test_one_pair_of_three_by_hand():
    """10, 20 and 40 m as 10, 20 and 15: one pair of three is the wrong way round."""
    found = of([10, 20, 15], [10, 20, 40])
    assert found['ordinal'] == pytest.approx(1 / 3, abs=0.01)
    assert found['ordinal_unequal'] == found['ordinal']


def test_of_few_pixels_it_is_the_mean_over_all_pairs():
    rng = np.random.default_rng(5)
    gt = rng.uniform(5, 10, 30)
    pred = gt * rng.uniform(0.9, 1.1, 30)
    wrong = [
        relation(gt[i], gt[j]) != relation(pred[i], pred[j]) for i, j in permutations(range(30), 2)
    ]
    assert of(pred, gt)['ordinal'] == pytest.approx(np.mean(wrong), abs=0.01)


@given(depths_m)
def test_law_a_perfect_answer_has_none(gt):
    assert set(of(gt, gt).values()) == {0}


@given(depths_m, depths_m, st.floats(0.1, 10))
def test_law_a_common_factor_plays_no_part(pred, gt, factor):
    for name, value in of(pred, gt).items():
        assert of(factor * pred, gt)[name] == pytest.approx(value, abs=0.02)


@given(st.permutations(range(12)), st.floats(0.3, 3))
def test_law_unequal_pairs_see_nothing_but_order(order, gamma):
    """Gamma, and a shift on top: ratios are others, order is not."""
    gt = 5 * 1.1 ** np.array(order)
    assert of(3 + gt**gamma, gt)['ordinal_unequal'] == 0


def test_a_constant_has_all_unequal_pairs_wrong():
    gt = np.linspace(5, 50, 1000)
    assert of(np.full(1000, 7.0), gt)['ordinal_unequal'] == 1


def test_the_pairs_are_always_the_same():
    rng = np.random.default_rng(5)
    gt = rng.uniform(5, 10, 3000)
    pred = gt * rng.uniform(0.9, 1.1, 3000)
    assert of(pred, gt) == of(pred, gt)


def test_one_pixel_is_no_pair():
    assert of([3.0], [4.0]) == {}
