# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fits to the truth take away what they say, and nothing else."""

from __future__ import annotations

from dataclasses import asdict

from clip_depth_ros.core.alignment import Alignment, fit_alignment, median
from clip_depth_ros.core.metrics import depth_metrics
from clip_depth_ros.errors import DataError
from hypothesis import assume, given, strategies as st
from hypothesis.extra.numpy import arrays
import numpy as np
import pytest

depths_m = arrays(np.float64, 12, elements=st.floats(0.5, 80))
pairs = st.tuples(depths_m, depths_m)


def aligned(name: str, pred: np.ndarray, gt: np.ndarray) -> np.ndarray:
    return fit_alignment(name, pred, gt).apply(pred)


def test_median_by_hand():
    """Medians 2 and 5: 2.5 times as far, whatever the others are."""
    fit = fit_alignment('median', np.array([1.0, 2, 9]), np.array([5.0, 1, 70]))
    assert fit == Alignment(scale=2.5)


def test_scale_and_shift_by_hand():
    """1, 2, 3 for 12, 14, 16 is twice as far and 10 m more."""
    fit = fit_alignment('scale-shift', np.array([1.0, 2, 3]), np.array([12.0, 14, 16]))
    assert fit == pytest.approx((2, 10))


def test_none_changes_nothing():
    pred = np.array([1.0, 2.0], np.float32)
    np.testing.assert_array_equal(aligned('none', pred, pred * 3), pred)


@given(pairs, st.floats(0.1, 10))
def test_alignment_removes_scale(pair, k):
    pred, gt = pair
    for name in ('median', 'scale-shift'):
        np.testing.assert_allclose(
            aligned(name, k * pred, gt), aligned(name, pred, gt), rtol=1e-6, atol=1e-6
        )


@given(pairs, st.floats(0.1, 10))
def test_metrics_do_not_see_a_scale_that_was_aligned(pair, k):
    pred, gt = pair
    everywhere = np.ones(gt.shape, bool)
    once, twice = (
        asdict(depth_metrics(aligned('median', p, gt), gt, everywhere)) for p in (pred, k * pred)
    )
    for name in ('abs_rel', 'sq_rel', 'rmse', 'rmse_log', 'log10', 'silog'):
        assert twice[name] == pytest.approx(once[name], abs=1e-6)


@given(depths_m, st.floats(0.1, 10), st.floats(-20, 20))
def test_scale_and_shift_remove_both(gt, scale, shift_m):
    assume(np.ptp(gt) > 0.1)
    np.testing.assert_allclose(aligned('scale-shift', scale * gt + shift_m, gt), gt, rtol=1e-6)


@given(pairs)
def test_least_squares_are_never_worse_than_no_fit(pair):
    pred, gt = pair
    fitted = aligned('scale-shift', pred, gt)
    assert np.sum((fitted - gt) ** 2) <= np.sum((pred - gt) ** 2) * (1 + 1e-9) + 1e-9


@given(depths_m, st.floats(0.5, 80, width=32))
def test_a_constant_is_shifted_to_the_mean(gt, constant):
    """There is no scale to be had from it."""
    fit = fit_alignment('scale-shift', np.full(gt.shape, constant, np.float32), gt)
    assert fit.scale == 1
    assert constant + fit.shift_m == pytest.approx(gt.mean())


@given(arrays(np.float32, st.integers(1, 30), elements=st.floats(-9, 9, width=32)))
def test_the_median_is_numpys(values):
    assert median(values) == pytest.approx(float(np.median(values.astype(np.float64))))


def test_errors_say_what_is_wrong():
    with pytest.raises(DataError, match='no pixel to align by'):
        fit_alignment('median', np.empty(0), np.empty(0))
    with pytest.raises(DataError, match=r"one of \['none', 'median', 'scale-shift'\], got 'mean'"):
        fit_alignment('mean', np.ones(1), np.ones(1))
