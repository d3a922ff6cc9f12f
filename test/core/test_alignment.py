# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fits to the truth take away what they say, and nothing else."""

from __future__ import annotations

from dataclasses import asdict

from clip_depth_ros.core.alignment import (
    Alignment,
    ALIGNMENT_WORDS,
    fit_alignment,
    INVERSE_ALIGNMENTS,
    median,
    rank_correlation,
)
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
    assert fit[:2] == pytest.approx((2, 10))


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
    assert constant + fit.shift == pytest.approx(gt.mean())


@given(arrays(np.float32, st.integers(1, 30), elements=st.floats(-9, 9, width=32)))
def test_the_median_is_numpys(values):
    assert median(values) == pytest.approx(float(np.median(values.astype(np.float64))))


def test_errors_say_what_is_wrong():
    with pytest.raises(DataError, match='no pixel to align by'):
        fit_alignment('median', np.empty(0), np.empty(0))
    with pytest.raises(DataError, match=r"one of \['none', 'median', .* got 'mean'"):
        fit_alignment('mean', np.ones(1), np.ones(1))


def test_every_alignment_has_words():
    for name in ALIGNMENT_WORDS:
        assert fit_alignment(name, np.array([1.0, 2]), np.array([2.0, 4])).apply(
            np.array([1.0, 2])
        ) == pytest.approx([1, 2] if name == 'none' else [2, 4])


class TestInverseDepth:
    def test_by_hand(self):
        """1/4, 1/2 and 1 become 2 p - 0.25: 4, 4/3 and 4/7 m."""
        pred = np.array([4.0, 2, 1])
        fit = fit_alignment('disparity-scale-shift', pred, np.array([4, 4 / 3, 4 / 7]))
        assert fit[:2] == pytest.approx((2, -0.25))
        assert fit.apply(pred) == pytest.approx([4, 4 / 3, 4 / 7])

    @pytest.mark.parametrize('name', INVERSE_ALIGNMENTS)
    @given(gt=depths_m, scale=st.floats(0.1, 10), shift=st.floats(-20, 20))
    def test_a_relative_model_that_is_right_is_right(self, name, gt, scale, shift):
        """What it answers may be negative: it is any affine function of 1 / depth."""
        assume(np.ptp(1 / gt) > 1e-3)
        answer = scale / gt + shift
        fit = fit_alignment(name, answer, gt, is_inverse=True)
        np.testing.assert_allclose(fit.apply(answer), gt, rtol=1e-4)

    def test_it_is_no_depth_of_another_scale_and_shift(self):
        """The issue's own case: the same answers taken for depth fit nowhere near."""
        gt = np.linspace(2, 70, 200)
        answer = 3 / gt + 0.2
        as_depth = fit_alignment('scale-shift', answer, gt)
        assert as_depth.scale < 0
        assert np.mean(np.abs(as_depth.apply(answer) - gt) / gt) > 0.3

    @given(pairs, st.floats(0.1, 10))
    def test_a_scale_of_depth_is_one_of_its_inverse(self, pair, k):
        pred, gt = pair
        first, second = (aligned('disparity-scale-shift', p, gt) for p in (pred, k * pred))
        near = np.isfinite(first) & (first < 1e4)
        np.testing.assert_allclose(second[near], first[near], rtol=1e-6)

    def test_what_is_fitted_beyond_infinity_is_beyond_range(self):
        """1 - 1 = 0 and less in 1 / m; unknown stays unknown."""
        fit = Alignment(1.0, -1.0, 'answered-inverse')
        np.testing.assert_array_equal(
            fit.apply(np.array([3, 1, 0, np.nan])), [0.5, np.inf, np.inf, np.nan]
        )

    @pytest.mark.parametrize('name', sorted({*ALIGNMENT_WORDS} - {*INVERSE_ALIGNMENTS}))
    def test_nothing_else_gives_metres_to_a_relative_answer(self, name):
        with pytest.raises(DataError, match=f"no metres until .* not '{name}'"):
            fit_alignment(name, np.ones(2), np.ones(2), is_inverse=True)


@given(pairs)
def test_log_scale_leaves_no_bias(pair):
    """So that what remains of rmse_log is silog."""
    pred, gt = pair
    fitted = aligned('log-scale', pred, gt)
    assert np.mean(np.log(fitted) - np.log(gt)) == pytest.approx(0, abs=1e-12)
    found = depth_metrics(fitted, gt, np.ones(gt.shape, bool))
    assert 100 * found.rmse_log == pytest.approx(found.silog, abs=1e-9)


class TestLeastAbsolute:
    @given(pairs, st.floats(-3, 3), st.floats(-3, 3))
    def test_no_scale_and_no_line_is_better(self, pair, more, up):
        """That of depth is the least abs_rel there is."""
        pred, gt = pair

        def abs_rel(values):
            return np.mean(np.abs(values - gt) / gt)

        scaled, line = (fit_alignment(name, pred, gt) for name in ('scale-l1', 'scale-shift-l1'))
        others = (line.scale + more, line.shift + up)
        assert abs_rel(scaled.apply(pred)) <= abs_rel((scaled.scale + more) * pred) + 1e-9
        assert abs_rel(line.apply(pred)) <= abs_rel(others[0] * pred + others[1]) + 1e-7
        assert abs_rel(line.apply(pred)) <= abs_rel(scaled.apply(pred)) + 1e-7

    @pytest.mark.parametrize(('robust', 'usual'), [
        ('scale-l1', 'median'), ('scale-shift-l1', 'scale-shift'),
        ('disparity-scale-shift-l1', 'disparity-scale-shift'),
    ])
    def test_a_fifth_of_nonsense_does_not_matter(self, robust, usual):
        """All of it is 3 m away, such as dirt on the lens."""
        gt = np.linspace(2, 40, 20_000)
        pred = 0.5 * gt
        pred[::5] = 3
        honest = np.arange(gt.size) % 5 > 0
        fitted, least_squares = aligned(robust, pred, gt), aligned(usual, pred, gt)
        np.testing.assert_allclose(fitted[honest], gt[honest], rtol=1e-3)
        assert np.abs(least_squares - gt)[honest].mean() > 10 * np.abs(fitted - gt)[honest].mean()

    def test_a_constant_is_shifted(self):
        fit = fit_alignment('scale-shift-l1', np.full(3, 7.0), np.array([1.0, 2, 30]))
        assert fit[:2] == (1, -6)


class TestRankCorrelation:
    def test_by_hand(self):
        """Ranks 1 2 3 4 and 2 1 4 3: 1 - 6 * 4 / (4 * 15)."""
        assert rank_correlation(np.array([1.0, 2, 3, 4]), np.array([20.0, 10, 40, 30])) == (
            pytest.approx(0.6)
        )

    @given(depths_m)
    def test_whatever_grows_with_depth_is_in_order(self, gt):
        assume(np.ptp(gt) > 0)
        for answer in (gt, np.log(gt), gt**3):
            assert rank_correlation(answer, gt) == pytest.approx(1)
        assert rank_correlation(1 / gt, gt) == pytest.approx(-1)
        assert rank_correlation(1 / gt, gt, is_inverse=True) == pytest.approx(1)

    def test_ties_have_their_mean_rank_as_scipys(self):
        from scipy.stats import spearmanr

        rng = np.random.default_rng(0)
        pred, gt = rng.integers(0, 5, (2, 300)).astype(float)
        assert rank_correlation(pred, gt) == pytest.approx(spearmanr(pred, gt).statistic)

    def test_of_a_constant_there_is_none(self):
        assert np.isnan(rank_correlation(np.ones(5), np.arange(5.0)))
