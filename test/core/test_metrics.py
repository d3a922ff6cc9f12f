# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The metrics of depth: by hand, against formulas written out pixel by pixel, and their laws."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
import math

from clip_depth_ros.core import metrics as of_metrics
from clip_depth_ros.core.metrics import (
    depth_metrics,
    DepthMetrics,
    GroupMetrics,
    mean_metrics,
    MetricSums,
    PixelErrors,
    valid_pixels,
)
from clip_depth_ros.errors import DataError
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
import numpy as np
import pytest

ERRORS = ('abs_rel', 'sq_rel', 'rmse', 'rmse_log', 'log10', 'silog')
DELTAS = ('delta1', 'delta2', 'delta3')

depths_m = st.floats(0.5, 80.0, width=32)
images = arrays(np.float32, (3, 4), elements=depths_m)
pairs = st.tuples(images, images)


def metrics_of(pred, gt) -> DepthMetrics:
    """Return the metrics over all pixels."""
    pred, gt = np.atleast_2d(pred), np.atleast_2d(gt)
    return depth_metrics(pred, gt, np.ones(gt.shape, bool))


def one_by_one(pred, gt) -> dict[str, float]:
    """Return the metrics by the formulas of the literature, in Python's own numbers."""
    each = [(float(p), float(g)) for p, g in zip(pred.flat, gt.flat, strict=True)]
    n = len(each)
    d = [math.log(p / g) for p, g in each]
    mean_d2 = sum(x * x for x in d) / n
    deltas = {
        f'delta{k}': sum(max(p / g, g / p) < 1.25**k for p, g in each) / n for k in (1, 2, 3)
    }
    return {
        'abs_rel': sum(abs(p - g) / g for p, g in each) / n,
        'sq_rel': sum((p - g) ** 2 / g for p, g in each) / n,
        'rmse': math.sqrt(sum((p - g) ** 2 for p, g in each) / n),
        'rmse_log': math.sqrt(mean_d2),
        'log10': sum(abs(math.log10(p / g)) for p, g in each) / n,
        'silog': 100 * math.sqrt(max(mean_d2 - (sum(d) / n) ** 2, 0)),
        **deltas,
        'n': n,
    }


class TestOfOneImage:
    def test_two_pixels_by_hand(self):
        """4 m for 2 m is twice too far, 6 m for 5 m is within 1.25."""
        metrics = metrics_of([4.0, 6.0], [2.0, 5.0])
        assert metrics.abs_rel == pytest.approx((2 / 2 + 1 / 5) / 2)
        assert metrics.sq_rel == pytest.approx((4 / 2 + 1 / 5) / 2)
        assert metrics.rmse == pytest.approx(math.sqrt((4 + 1) / 2))
        far, near = math.log(2), math.log(1.2)
        assert metrics.rmse_log == pytest.approx(math.sqrt((far**2 + near**2) / 2))
        assert metrics.log10 == pytest.approx(math.log10(2 * 1.2) / 2)
        assert metrics.silog == pytest.approx(100 * (far - near) / 2)
        assert (metrics.delta1, metrics.delta2, metrics.delta3, metrics.n) == (0.5, 0.5, 0.5, 2)

    def test_too_near_counts_as_too_far_by_the_same_factor(self):
        """Twice and half are equally far off in log depth and delta, not in metres."""
        twice, half = metrics_of([8.0], [4.0]), metrics_of([2.0], [4.0])
        assert twice.rmse_log == pytest.approx(half.rmse_log)
        assert twice.log10 == pytest.approx(half.log10)
        assert (twice.rmse, half.rmse) == (4.0, 2.0)

    @pytest.mark.parametrize(('factor', 'deltas'), [
        (1.0, (1, 1, 1)),
        (1.2499, (1, 1, 1)),
        (1.25, (0, 1, 1)),
        (1.5625, (0, 0, 1)),
        (1.953125, (0, 0, 0)),
    ])
    def test_deltas_are_strict(self, factor, deltas):
        """A ratio of exactly 1.25 is not below it; powers of 1.25 are exact in binary."""
        metrics = metrics_of([factor * 4], [4.0])
        assert tuple(getattr(metrics, name) for name in DELTAS) == deltas

    def test_only_valid_pixels_count(self):
        """Whatever stands elsewhere, NaN included, is not looked at."""
        pred = np.array([[2.0, np.nan, -1.0], [np.inf, 3.0, 0.0]])
        gt = np.array([[2.0, 0.0, np.nan], [5.0, 4.0, -3.0]])
        valid = np.array([[True, False, False], [False, True, False]])
        assert depth_metrics(pred, gt, valid) == metrics_of([2.0, 3.0], [2.0, 4.0])

    def test_sums_are_taken_in_double_precision(self):
        """Half a million float32 pixels lose nothing."""
        gt = np.full((500, 1000), 10, np.float32)
        pred = np.full((500, 1000), 10.001, np.float32)
        assert metrics_of(pred, gt).rmse == pytest.approx(float(np.float32(10.001)) - 10, rel=1e-9)


class TestLaws:
    @given(images)
    def test_a_perfect_prediction_has_no_error(self, gt):
        metrics = metrics_of(gt, gt)
        assert {getattr(metrics, name) for name in ERRORS} == {0.0}
        assert {getattr(metrics, name) for name in DELTAS} == {1.0}

    @given(pairs)
    def test_formulas_written_out_pixel_by_pixel_agree(self, pair):
        """Tolerance for silog: its textbook form subtracts two nearly equal numbers."""
        expected = one_by_one(*pair)
        silog = expected.pop('silog')
        metrics = asdict(metrics_of(*pair))
        assert metrics.pop('silog') == pytest.approx(silog, rel=1e-6, abs=1e-4)
        assert metrics == pytest.approx(expected, rel=1e-9, abs=1e-12)

    @given(pairs, st.floats(0.1, 10))
    def test_silog_is_blind_to_a_common_factor(self, pair, factor):
        pred, gt = (image.astype(np.float64) for image in pair)
        assert metrics_of(factor * pred, gt).silog == pytest.approx(
            metrics_of(pred, gt).silog, abs=1e-9
        )

    @given(pairs, st.floats(0.1, 10))
    def test_ratios_do_not_know_the_unit(self, pair, factor):
        """Metres or feet: the same abs_rel and logs; rmse and sq_rel are in that unit."""
        pred, gt = (image.astype(np.float64) for image in pair)
        before, after = metrics_of(pred, gt), metrics_of(factor * pred, factor * gt)
        for name in ('abs_rel', 'rmse_log', 'log10', 'silog'):
            assert getattr(after, name) == pytest.approx(getattr(before, name), abs=1e-9)
        for name in ('rmse', 'sq_rel'):
            assert getattr(after, name) == pytest.approx(factor * getattr(before, name), abs=1e-9)

    @given(pairs)
    def test_order(self, pair):
        """Wider thresholds pass more; spread about the mean is at most that about zero."""
        metrics = metrics_of(*pair)
        assert 0 <= metrics.delta1 <= metrics.delta2 <= metrics.delta3 <= 1
        assert metrics.silog <= 100 * metrics.rmse_log + 1e-9
        assert all(getattr(metrics, name) >= 0 for name in ERRORS)

    @given(pairs, st.permutations(range(12)))
    def test_pixels_have_no_order(self, pair, order):
        pred, gt = (image.reshape(1, -1) for image in pair)
        shuffled = metrics_of(pred[:, order], gt[:, order])
        assert asdict(shuffled) == pytest.approx(asdict(metrics_of(pred, gt)), abs=1e-9)

    @given(pairs)
    def test_log_metrics_and_deltas_are_symmetric(self, pair):
        """Exchanging prediction and ground truth changes nothing there."""
        pred, gt = pair
        one, other = metrics_of(pred, gt), metrics_of(gt, pred)
        for name in ('rmse_log', 'log10', 'silog', *DELTAS):
            assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-9)


def kittis(pred, gt) -> GroupMetrics:
    """Return all metrics over all pixels."""
    (found,) = of_metrics.metrics_of(sums_of(pred, gt, None, 1))
    assert found is not None
    return found


class TestOfKittisBenchmark:
    """What its development kit computes beside, ``evaluate_depth.cpp``."""

    def test_two_pixels_by_hand(self):
        """4 m for 2 m is 250 / km off in inverse depth, 5 m for 10 m is 100 / km."""
        found = kittis([4.0, 5.0], [2.0, 10.0])
        assert found.mae == pytest.approx((2 + 5) / 2)
        assert found.imae == pytest.approx((250 + 100) / 2)
        assert found.irmse == pytest.approx(math.sqrt((250**2 + 100**2) / 2))
        assert found.sq_rel_kitti == pytest.approx((1**2 + 0.5**2) / 2)

    @given(pairs)
    def test_the_kit_pixel_by_pixel(self, pair):
        """The loop of the kit, in Python's own numbers; it prints errors in 1 / m as 1 / km."""
        sums = dict.fromkeys(('mae', 'imae', 'irmse', 'sq_rel_kitti'), 0.0)
        for p, g in zip(*(image.ravel().tolist() for image in pair), strict=True):
            d_err, d_err_inv = abs(g - p), abs(1 / g - 1 / p)
            sums['mae'] += d_err
            sums['imae'] += 1000 * d_err_inv
            sums['irmse'] += (1000 * d_err_inv) ** 2
            sums['sq_rel_kitti'] += d_err * d_err / (g * g)
        wanted = {name: value / pair[0].size for name, value in sums.items()}
        wanted['irmse'] **= 0.5
        found = asdict(kittis(*pair))
        assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-9, abs=1e-9)

    @given(pairs, st.floats(0.1, 10))
    def test_units(self, pair, factor):
        """All depths k times as far: metres grow with it, 1 / km shrink, relative ones stay."""
        before, after = kittis(*pair), kittis(*(factor * image.astype(float) for image in pair))
        assert after.mae == pytest.approx(factor * before.mae, abs=1e-9)
        assert after.irmse == pytest.approx(before.irmse / factor, abs=1e-9)
        assert after.imae == pytest.approx(before.imae / factor, abs=1e-9)
        assert after.sq_rel_kitti == pytest.approx(before.sq_rel_kitti, abs=1e-9)

    @given(pairs)
    def test_order(self, pair):
        """Means of squares are at least squares of means; a narrower threshold passes less."""
        found = kittis(*pair)
        assert found.mae <= found.rmse + 1e-9
        assert found.imae <= found.irmse + 1e-9
        assert found.abs_rel**2 <= found.sq_rel_kitti + 1e-9
        assert found.delta05 <= found.delta1

    @given(images)
    def test_a_perfect_prediction(self, gt):
        found = kittis(gt, gt)
        assert (found.mae, found.irmse, found.imae, found.sq_rel_kitti) == (0, 0, 0, 0)
        assert found.delta05 == 1

    def test_it_is_another_sq_rel_than_everybody_elses(self):
        """1 m off at 10 m: 0.1 m by Eigen's code, 0.01 (1 in the table of the benchmark) here."""
        found = kittis([11.0], [10.0])
        assert (found.sq_rel, found.sq_rel_kitti) == (pytest.approx(0.1), pytest.approx(0.01))


class TestRange:
    def test_what_counts_lies_strictly_between(self):
        gt = np.array([[0.0, -1.0, np.nan, np.inf], [1e-3, 0.5, 79.999, 80.0]])
        expected = [[False] * 4, [False, True, True, False]]
        valid = valid_pixels(gt, min_depth_m=1e-3, depth_cap_m=80)
        assert valid.dtype == bool
        np.testing.assert_array_equal(valid, expected)


class TestMean:
    def test_it_is_over_images_and_not_over_pixels(self):
        """An image with few pixels counts as much as one with many."""
        few, many = metrics_of([2.0], [1.0]), metrics_of([1.0] * 9, [1.0] * 9)
        mean = mean_metrics([few, many])
        assert (mean.abs_rel, mean.delta1, mean.rmse, mean.n) == (0.5, 0.5, 0.5, 10)

    def test_the_mean_of_one_is_itself(self):
        metrics = metrics_of([2.0, 7.0], [1.0, 8.0])
        assert mean_metrics([metrics]) == metrics

    def test_order_of_images_does_not_matter(self):
        each = [metrics_of([float(p)], [4.0]) for p in (2, 3, 9)]
        assert asdict(mean_metrics(each)) == pytest.approx(asdict(mean_metrics(each[::-1])))

    def test_values_are_plain_numbers(self):
        """Reports and checkpoints store them as JSON."""
        mean = mean_metrics([metrics_of([2.0], [1.0])])
        kinds = {field.name: type(getattr(mean, field.name)) for field in fields(mean)}
        assert kinds == dict.fromkeys((*ERRORS, *DELTAS), float) | {'n': int}
        assert replace(mean, n=3).n == 3


def sums_of(pred, gt, groups, n_groups: int = 4) -> MetricSums:
    """Return the sums of the pixels of four groups."""
    pred, gt = (np.ravel(image).astype(np.float64) for image in (pred, gt))
    return MetricSums.of(PixelErrors.of(pred, gt), groups, n_groups)


def grouped(pred, gt, groups) -> list[GroupMetrics | None]:
    return of_metrics.metrics_of(sums_of(pred, gt, groups))


group_of_each = arrays(np.int64, 12, elements=st.integers(0, 3))


class TestGroups:
    @given(pairs, group_of_each)
    def test_each_is_as_if_there_were_no_others(self, pair, groups):
        """One pass over all pixels gives what one pass a group would."""
        pred, gt = (image.ravel() for image in pair)
        for i, metrics in enumerate(grouped(*pair, groups)):
            own = groups == i
            if not own.any():
                assert metrics is None
                continue
            alone = asdict(metrics_of(pred[own], gt[own]))
            found = asdict(metrics)
            bias = np.log(pred[own].astype(float) / gt[own].astype(float)).mean()
            assert found['log_bias'] == pytest.approx(bias, abs=1e-12)
            usual = {name: found[name] for name in alone}
            assert usual == pytest.approx(alone, rel=1e-9, abs=1e-9)

    @given(pairs, group_of_each)
    def test_merged_they_are_all_pixels_together(self, pair, groups):
        """Groups of any size, exactly: no pixel is looked at again."""
        merged = sums_of(*pair, groups).merged(np.zeros(4, int), 1)
        found = asdict(*of_metrics.metrics_of(merged))
        once = asdict(kittis(*pair))
        assert found.pop('more_deltas') == once.pop('more_deltas') == ()
        assert found == pytest.approx(once, rel=1e-9, abs=1e-9)

    def test_a_mean_over_groups_is_not_a_merger(self):
        """9 pixels without error and one that is twice too far: 0.1 or 0.5."""
        sums = sums_of([2.0] + [1.0] * 9, np.ones(10), np.array([0] + [1] * 9))
        [merged] = of_metrics.metrics_of(sums.merged(np.zeros(4, int), 1))
        assert merged.abs_rel == pytest.approx(0.1)
        few, many, *_ = of_metrics.metrics_of(sums)
        assert mean_metrics([few, many]).abs_rel == 0.5

    def test_a_factor_of_its_own_leaves_a_group_no_silog(self):
        gt = np.linspace(1, 50, 1000)
        groups = np.arange(1000) % 2
        for metrics in grouped(gt * np.where(groups, 3.0, 0.7), gt, groups)[:2]:
            assert metrics.silog < 1e-12


class TestErrors:
    def test_shapes_that_differ(self):
        with pytest.raises(DataError) as error:
            depth_metrics(np.ones((2, 3)), np.ones((3, 2)), np.ones((2, 3), bool))
        assert str(error.value) == (
            'prediction, ground truth and mask must have one shape, got (2, 3), (3, 2) and (2, 3)'
        )

    def test_no_pixel_counts(self):
        with pytest.raises(DataError) as error:
            depth_metrics(np.ones((2, 3)), np.ones((2, 3)), np.zeros((2, 3), bool))
        assert str(error.value) == (
            'no pixel counts: the ground truth is empty within the range'
        )

    @pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf, 0.0, -2.0])
    @pytest.mark.parametrize('which', ['prediction', 'ground truth'])
    def test_a_counted_value_that_is_no_depth(self, value, which):
        """It would turn every mean into NaN, or leave out the worst pixels."""
        wrong, right = np.array([[value, 3.0]]), np.array([[2.0, 3.0]])
        images = (wrong, right) if which == 'prediction' else (right, wrong)
        with pytest.raises(DataError) as error:
            metrics_of(*images)
        assert str(error.value) == (
            f'1 of 2 counted pixels of the {which} are not above 0 and finite: clamp them, or '
            'leave them out of the mask and report the coverage'
        )

    def test_the_mean_of_nothing(self):
        with pytest.raises(DataError, match='there is no mean of nothing'):
            mean_metrics([])
