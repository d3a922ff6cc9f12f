# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of an answer: against loops in plain Python, the order of steps, all parts."""

from __future__ import annotations

from dataclasses import asdict
import math

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.metrics import depth_metrics
from clip_depth_ros.errors import DataError, SettingsFileError
from clip_depth_ros.evaluation.score.prepare import Clamp, prepare, resized, valid_gt
from clip_depth_ros.evaluation.score.protocols import (
    EvaluationProtocol,
    load_protocol,
    protocol_title,
)
from clip_depth_ros.evaluation.score.score import (
    ALIGNMENTS,
    CONFIDENCE_EDGES,
    DEPTH_EDGES_M,
    ERROR_EDGES,
    FrameScore,
    METRICS,
    MORE_METRICS,
    score_frame,
)
from clip_depth_ros.sources.samples import Classes, DepthSample
from clip_depth_ros.types import DepthMap
from hypothesis import assume, given, strategies as st
from hypothesis.extra.numpy import arrays
import numpy as np
import pytest

PLAIN = EvaluationProtocol()
SHAPE = (6, 9)
gts = arrays(np.float32, SHAPE, elements=st.floats(0.5, 79, width=32))
preds = arrays(np.float32, SHAPE, elements=st.floats(0.5, 79, width=32))


def sample_of(gt, classes: Classes | None = None) -> DepthSample:
    gt = np.asarray(gt, np.float32)
    return DepthSample('a frame', np.zeros((*gt.shape, 3), np.uint8), gt, classes=classes)


def scored(pred, gt, protocol: EvaluationProtocol = PLAIN, **rest) -> FrameScore:
    confidence = rest.pop('confidence', None)
    answer = DepthMap(np.asarray(pred, np.float32), confidence=confidence)
    return score_frame(answer, sample_of(gt, **rest), protocol)


def group(score: FrameScore, name: str) -> dict[str, float]:
    prefix = f'{name}/'
    return {
        key.removeprefix(prefix): value
        for key, value in score.values.items()
        if key.startswith(prefix)
    }


def by_hand(pairs: list[tuple[float, float]]) -> dict[str, float]:
    """Give all metrics of pairs of prediction and truth, in Python's own numbers."""
    n = len(pairs)
    d = [math.log(p) - math.log(g) for p, g in pairs]
    mean = math.fsum(d) / n
    return {
        'abs_rel': math.fsum(abs(p - g) / g for p, g in pairs) / n,
        'sq_rel': math.fsum((p - g) ** 2 / g for p, g in pairs) / n,
        'rmse': math.sqrt(math.fsum((p - g) ** 2 for p, g in pairs) / n),
        'rmse_log': math.sqrt(math.fsum(x * x for x in d) / n),
        'log10': math.fsum(abs(math.log10(p) - math.log10(g)) for p, g in pairs) / n,
        'silog': 100 * math.sqrt(math.fsum((x - mean) ** 2 for x in d) / n),
        **{
            f'delta{k}': sum(np.float32(max(p, g)) / np.float32(min(p, g)) < 1.25**k
                             for p, g in pairs) / n
            for k in (1, 2, 3)
        },
        'mae': math.fsum(abs(p - g) for p, g in pairs) / n,
        'irmse': 1000 * math.sqrt(math.fsum((1 / p - 1 / g) ** 2 for p, g in pairs) / n),
        'imae': 1000 * math.fsum(abs(1 / p - 1 / g) for p, g in pairs) / n,
        'sq_rel_kitti': math.fsum(((p - g) / g) ** 2 for p, g in pairs) / n,
        'delta05': sum(max(p / g, g / p) < 1.25**0.5 for p, g in pairs) / n,
        'n': n,
        'log_bias': mean,
    }


class TestAgainstLoops:
    @given(preds, gts)
    def test_all_pixels(self, pred, gt):
        found = group(scored(pred, gt), 'none')
        pairs = list(zip(pred.ravel().tolist(), gt.ravel().tolist(), strict=True))
        assert found == pytest.approx(by_hand(pairs), rel=1e-9, abs=1e-9)

    @given(preds, gts)
    def test_medians_made_equal_then_clamped(self, pred, gt):
        """The field's order: scale, clamp, compare."""
        scale = float(np.median(gt.astype(float)) / np.median(pred.astype(float)))
        score = scored(pred, gt, PLAIN.changed(depth_cap_m=79.5, min_depth_m=0.4))
        pairs = [
            (min(max(scale * p, 0.4), 79.5), g)
            for p, g in zip(pred.ravel().tolist(), gt.ravel().tolist(), strict=True)
        ]
        assert group(score, 'median') == pytest.approx(by_hand(pairs), rel=1e-9, abs=1e-9)
        assert score.values['scale'] == pytest.approx(scale)

    @given(preds, gts)
    def test_scale_and_shift_fitted(self, pred, gt):
        p, g = (image.ravel().astype(float) for image in (pred, gt))
        assume(np.ptp(p) > 0.1)
        (scale, shift_m), *_ = np.linalg.lstsq(np.stack([p, np.ones_like(p)], 1), g, rcond=None)
        pairs = list(zip(np.clip(scale * p + shift_m, 1e-3, 80).tolist(), g.tolist(), strict=True))
        found = group(scored(pred, gt), 'scale-shift')
        assert found == pytest.approx(by_hand(pairs), rel=1e-5, abs=1e-6)

    @given(preds, arrays(np.float32, SHAPE, elements=st.floats(0.5, 120, width=32)))
    def test_ranges_of_true_depth(self, pred, gt):
        """Above the first, up to and with the second; beyond 80 m in none."""
        score = scored(pred, gt, PLAIN.changed(depth_cap_m=1000.0))
        for near, far in ((0, 10), (10, 20), (20, 40), (40, 80)):
            pairs = [
                (p, g)
                for p, g in zip(pred.ravel().tolist(), gt.ravel().tolist(), strict=True)
                if near < g <= far
            ]
            found = group(score, f'depth {near}-{far} m')
            every = by_hand(pairs) if pairs else {}
            wanted = {name: every[name] for name in every if name not in MORE_METRICS}
            assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9)

    @given(preds, gts)
    def test_histograms_and_curves(self, pred, gt):
        """As NumPy has them; what lies beyond is in the outermost bins."""
        p, g = (image.ravel().astype(float) for image in (pred, gt))
        relative = (p - g) / g
        for places in (relative * 20, np.log2(g / 0.5) * 3):
            assume((np.abs(places - np.rint(places)) > 1e-6).all())  # not on an edge
        sums = scored(pred, gt).sums
        in_error = np.histogram(np.clip(relative, -0.999, 0.999), ERROR_EDGES)[0]
        np.testing.assert_array_equal(sums['error_histogram'], in_error)
        in_depth = np.histogram(g, DEPTH_EDGES_M, weights=np.abs(relative))[0]
        np.testing.assert_allclose(sums['depth/abs_rel'], in_depth, atol=1e-9)
        assert sum(sums['depth/n']) == sum(sums['error_histogram']) == g.size
        assert sum(sums['depth/bias']) == pytest.approx(relative.sum(), abs=1e-6)


class TestAskedFor:
    """What the protocol of a user asks for beside what is always there."""

    def test_shares_below_thresholds_of_the_users(self):
        """Ratios of 1.02, 1.04, 1.15 and 1.3: two below 1.05, three below 1.2 and 1.25."""
        gt = np.full((1, 4), 10.0)
        pred = gt * [1.02, 1 / 1.04, 1.15, 1.3]
        values = scored(pred, gt, PLAIN.changed(deltas='1.2,1.05')).values
        assert (values['none/delta_1.2'], values['none/delta_1.05']) == (0.75, 0.5)
        assert (values['none/delta1'], values['none/delta05']) == (0.75, 0.5)
        assert 'median/delta_1.05' in values
        assert not any(name.startswith('region') and 'delta_' in name for name in values)

    @given(preds, gts, st.lists(st.floats(1.001, 3), max_size=4, unique=True))
    def test_they_change_no_other_number(self, pred, gt, deltas):
        """And are those of a loop, whichever of them lie between the usual ones."""
        usual = scored(pred, gt)
        more = scored(pred, gt, PLAIN.changed(deltas=deltas))
        assert usual.values.items() <= more.values.items()
        ratio = np.maximum(pred, gt).astype(float) / np.minimum(pred, gt)
        for delta in deltas:
            name = f'none/delta_{delta:g}'
            assert more.values[name] == pytest.approx((ratio < delta).mean())

    def test_ranges_of_depth_of_the_users(self):
        """What lies before the first end is in no range, as what lies beyond the last."""
        gt = np.array([[1.0, 2.0, 4.0, 5.0, 30.0]])
        score = scored(2 * gt, gt, PLAIN.changed(depth_ranges_m='1,4,20'))
        parts = {name.partition('/')[0] for name in score.values if name.startswith('depth')}
        assert parts == {'depth 1-4 m', 'depth 4-20 m'}
        assert score.values['depth 1-4 m/n'] == 2
        assert score.values['depth 4-20 m/rmse'] == 5

    @pytest.mark.parametrize(('field', 'text', 'why'), [
        ('deltas', '0.9', 'ratios above 1, such as 1.05, got 0.9'),
        ('depth_ranges_m', '0,20,10', 'ascending from 0 or above, such as 0,5,20, got 0,20,10'),
        ('depth_ranges_m', '-1,10', 'ascending from 0 or above'),
        ('depth_ranges_m', '5', 'at least 2 items'),
        ('deltas', '1.05;1.1', 'deltas'),
    ])
    def test_what_cannot_be_meant_is_refused(self, field, text, why):
        with pytest.raises(SettingsFileError, match=why):
            PLAIN.changed(**{field: text})

    def test_they_are_no_part_of_the_name(self):
        """Other numbers are the same, and compare with those made without."""
        asked = load_protocol('plain', {'deltas': '1.05', 'depth_ranges_m': '0,5'})
        assert protocol_title(asked) == protocol_title(PLAIN)
        assert asked.deltas == (1.05,)
        assert load_protocol('plain', {'deltas': '1.05', 'depth_cap_m': '50'}).name == (
            'plain, depth_cap_m=50'
        )


class TestParts:
    def test_regions_are_thirds_of_the_whole_frame(self):
        gt = np.full((6, 9), 10.0)
        pred = gt.copy()
        pred[:2, 6:] = 20
        score = scored(pred, gt)
        assert group(score, 'region top right')['abs_rel'] == 1
        assert group(score, 'region top right')['n'] == 6
        assert group(score, 'region middle centre')['abs_rel'] == 0

    def test_classes(self):
        """By name; two ids may share one; ids without a name are of no class."""
        ids = np.array([[1, 1, 2, 3]], np.uint8)
        classes = Classes(ids, {1: 'road', 2: 'car', 4: 'car'})
        score = scored([[10, 30, 5, 7]], [[10, 20, 10, 7]], classes=classes)
        assert group(score, 'class road')['abs_rel'] == pytest.approx(0.25)
        assert group(score, 'class car')['abs_rel'] == pytest.approx(0.5)
        assert {name.partition('/')[0] for name in score.values if name.startswith('class')} == {
            'class road', 'class car',
        }

    def test_classes_of_another_size_are_refused(self):
        classes = Classes(np.zeros((2, 2), np.uint8), {})
        with pytest.raises(DataError, match='size of the ground truth, 4x1, got 2x2'):
            scored([[1, 1, 1, 1]], [[1, 1, 1, 1]], classes=classes)

    def test_parts_are_under_the_alignment_of_the_protocol(self):
        gt = np.full((6, 9), 10.0)
        aligned = scored(gt / 2, gt, PLAIN.changed(alignment='median'))
        assert group(aligned, 'region top left')['abs_rel'] == 0
        assert group(aligned, 'none')['abs_rel'] == 0.5
        assert group(scored(gt / 2, gt), 'region top left')['abs_rel'] == 0.5

    def test_names_come_in_the_order_of_tables(self):
        ids = np.zeros((6, 9), np.uint8)
        score = scored(np.ones((6, 9)), np.ones((6, 9)), classes=Classes(ids, {0: 'road'}))
        groups = [name.partition('/')[0] for name in score.values if '/' in name]
        ordered = list(dict.fromkeys(groups))
        assert ordered[:5] == [*ALIGNMENTS, 'depth 0-10 m']
        assert ordered[5:7] == ['region top left', 'region top centre']
        assert ordered[-1] == 'class road'
        assert [*group(score, 'none')] == [*METRICS, *MORE_METRICS, 'n', 'log_bias']
        assert [*group(score, 'region top left')] == [*METRICS, 'n', 'log_bias']

    def test_many_pixels_are_one_image(self):
        """More pixels than are looked at in one piece."""
        dice = np.random.default_rng(0)
        gt = dice.uniform(1, 79, (300, 400)).astype(np.float32)
        pred = (gt * dice.uniform(0.5, 1.5, gt.shape)).astype(np.float32)
        wanted = asdict(depth_metrics(np.clip(pred, 1e-3, 80), gt, np.ones(gt.shape, bool)))
        found = group(scored(pred, gt), 'none')
        assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-9)

    @pytest.mark.parametrize('alignment', ALIGNMENTS)
    def test_without_details_the_same_metrics_of_the_whole_are_left(self, alignment: str):
        """What training validates by: the same numbers, in less time."""
        rng = np.random.default_rng(0)
        gt = rng.uniform(0, 90, (200, 300)).astype(np.float32)
        pred = (gt * rng.uniform(0.5, 1.5, gt.shape)).astype(np.float32)
        pred[::7] = np.nan
        protocol = EvaluationProtocol(min_depth_m=1.0, alignment=alignment)
        answer, sample = DepthMap(pred), sample_of(gt)
        every = score_frame(answer, sample, protocol)
        few = score_frame(answer, sample, protocol, details=False)
        names = [f'{alignment}/{name}' for name in (*METRICS, *MORE_METRICS, 'n', 'log_bias')]
        assert [*few.values] == [*names, 'coverage']
        assert few.values == pytest.approx({name: every.values[name] for name in few.values})
        assert asdict(few.metrics(alignment)) == pytest.approx(asdict(every.metrics(alignment)))


class TestWhatCounts:
    @given(gts)
    def test_a_perfect_answer_scores_perfectly(self, gt):
        values = scored(gt, gt).values
        for name in ALIGNMENTS:
            assert values[f'{name}/abs_rel'] == pytest.approx(0, abs=1e-9)
            assert values[f'{name}/delta1'] == 1
        assert (values['coverage'], values['scale']) == (1, 1)

    @pytest.mark.parametrize('nothing', [np.nan, 0.0, -1.0])
    def test_no_answer_lowers_coverage_not_the_metrics(self, nothing):
        values = scored([[2, nothing, 4, 4]], [[1, 9, 2, 0]]).values
        assert values['coverage'] == pytest.approx(2 / 3)
        assert values['none/n'] == 2
        assert values['none/abs_rel'] == 1

    def test_beyond_range_is_the_cap_and_too_near_the_minimum(self):
        near_far = scored([[np.inf, -np.inf]], [[40, 20]]).values
        numbers = scored([[80, 1e-3]], [[40, 20]]).values
        for metric in METRICS:
            assert near_far[f'none/{metric}'] == pytest.approx(numbers[f'none/{metric}'])
        assert near_far['coverage'] == 1

    def test_what_is_beyond_range_is_not_fitted_and_stays_beyond(self):
        """Twice as far as it should be, and +Inf where the truth is 79 m: worth the cap."""
        values = scored([[20, 40, 60, np.inf]], [[10, 20, 30, 79]]).values
        assert values['scale'] == 0.5
        assert values['median/abs_rel'] == pytest.approx(1 / 79 / 4)
        assert values['scale-shift/abs_rel'] == pytest.approx(1 / 79 / 4)

    def test_the_range_of_truth_is_strict(self):
        values = scored([[1, 1, 1, 1]], [[80, 79.9, 1e-3, 0.5]]).values
        assert values['none/n'] == 2

    def test_unless_its_ends_count(self):
        """As in the code of Depth Anything V2."""
        inclusive = PLAIN.changed(range_ends='included', min_depth_m=0.5)
        assert scored([[1, 1, 1, 1]], [[80, 79.9, 80.1, 0.5]], inclusive).values['none/n'] == 3

    def test_the_window_of_nested_crops(self):
        """Garg's shares of what the benchmark crop leaves."""
        gt = np.full((375, 1242), 10, np.float32)
        rows, columns = np.nonzero(valid_gt(gt, PLAIN.changed(gt_crop='kb', eval_crop='garg')))
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (166, 371, 56, 1184)

    def test_what_is_shown_is_what_is_compared(self):
        gt = np.array([[10, 0, 90, 20]], np.float32)
        pred = DepthMap(np.array([[5, 5, 5, 90]], np.float32))
        prepared = prepare(pred, sample_of(gt), PLAIN)
        np.testing.assert_array_equal(prepared.pred, [[5, 5, 5, 80]])
        np.testing.assert_array_equal(prepared.shown_gt, [[10, np.nan, np.nan, 20]])
        median = prepare(pred, sample_of(gt), PLAIN.changed(alignment='median'))
        np.testing.assert_allclose(median.pred[0, 0], 5 * 15 / 47.5, rtol=1e-6)

    def test_no_truth(self):
        with pytest.raises(DataError, match=r'a frame: no ground truth between 0.001 and 80 m in'):
            scored([[1, 1]], [[0, 90]])

    def test_no_answer_where_there_is_truth(self):
        with pytest.raises(DataError, match=r'a frame: nothing is answered .* 50% is depth'):
            scored([[np.nan, 1]], [[5, 0]])


class TestDelta:
    @pytest.mark.parametrize(('pred', 'gt'), [(1.2, 1.5), (1.5, 1.2)])
    def test_a_tie_in_float32_is_not_below(self, pred, gt):
        """1.5 / 1.2 is 1.25 there, though the nearest float32 to 1.2 is a little above it."""
        assert np.float32(1.5) / np.float64(np.float32(1.2)) < 1.25
        assert scored([[pred]], [[gt]]).values['none/delta1'] == 0


class TestClamp:
    MARKS = np.array([-np.inf, 0.1, 5, 90, np.inf, np.nan])
    GT = np.array([2, 30, 70], np.float32)

    @pytest.mark.parametrize(('clamp', 'wanted'), [
        ('range', [1, 1, 5, 80, 80, np.nan]),
        ('farthest-gt', [1, 1, 5, 70, 70, np.nan]),
        ('none', [1, 1, 5, 90, 80, np.nan]),
    ])
    def test_marks_of_an_answer_become_the_ends(self, clamp, wanted):
        """REP 117: -Inf is too near, +Inf is beyond; NaN is nothing, and stays."""
        protocol = EvaluationProtocol(min_depth_m=1.0, clamp=clamp)
        np.testing.assert_array_equal(Clamp.of(self.GT, protocol)(self.MARKS), wanted)

    @given(preds, st.floats(1, 10), st.floats(20, 60))
    def test_what_was_clamped_is_in_range_and_stays_so(self, pred, least_m, most_m):
        clamp = Clamp.of(self.GT, EvaluationProtocol(min_depth_m=least_m, depth_cap_m=most_m))
        once = clamp(pred.astype(float))
        assert once.min() >= least_m
        assert once.max() <= most_m
        np.testing.assert_array_equal(clamp(once), once)


class TestContinuity:
    GT = np.repeat([[10.0] * 20 + [20.0] * 20], 30, axis=0)
    """Two walls; 30 pairs step from one to the other, in rows."""

    def test_left_out_where_there_are_too_few_pairs(self):
        values = scored(self.GT, self.GT).values
        assert values['roughness'] == pytest.approx(0, abs=1e-12)
        assert 'lost_edges' not in values

    def test_an_edge_that_is_there_is_not_lost(self):
        gt = np.vstack([self.GT, self.GT])
        assert scored(gt, gt).values['lost_edges'] == 0
        assert scored(3 * gt, gt).values['lost_edges'] == 0

    def test_a_smeared_edge_is_lost(self):
        """A ramp over ten pixels steps by a tenth at most."""
        gt = np.vstack([self.GT, self.GT])
        row = np.interp(np.arange(40), [14.5, 24.5], [10, 20])
        assert scored(np.tile(row, (60, 1)), gt).values['lost_edges'] == 1

    def test_half_of_the_edges(self):
        gt = np.vstack([self.GT, self.GT])
        pred = gt.copy()
        pred[:30] = 15
        assert scored(pred, gt).values['lost_edges'] == 0.5

    def test_ripples_on_a_wall(self):
        """Of 1 % from column to column: all pairs in rows, none of those in columns."""
        gt = np.full((30, 40), 10.0)
        pred = gt * np.where(np.arange(40) % 2, 1.01, 1)
        in_rows, in_columns = 30 * 39, 29 * 40
        assert scored(pred, gt).values['roughness'] == pytest.approx(
            math.log(1.01) * in_rows / (in_rows + in_columns), rel=1e-5
        )

    def test_pixels_that_do_not_count_are_in_no_pair(self):
        """A checkerboard has no neighbours at all."""
        gt = np.where(np.indices((30, 40)).sum(axis=0) % 2, 10.0, 0.0)
        assert 'roughness' not in scored(np.full(gt.shape, 3.0), gt).values


class TestConfidence:
    def test_sums_by_confidence(self):
        """Two unsure pixels, one of them right; a sure one; one that says nothing."""
        confidence = np.array([[0.15, 0.12, 1.0, np.nan]], np.float32)
        sums = scored([[10, 20, 11, 9]], [[10, 10, 10, 9]], confidence=confidence).sums
        at = np.digitize([0.15, 0.95], CONFIDENCE_EDGES) - 1
        assert [sums['confidence/n'][i] for i in at] == [2, 1]
        assert [sums['confidence/abs_rel'][i] for i in at] == pytest.approx([1, 0.1])
        assert [sums['confidence/delta1'][i] for i in at] == [1, 1]
        assert sum(sums['confidence/n']) == 3

    def test_it_may_be_coarser_than_depth(self):
        confidence = np.array([[0.05, 0.95]], np.float32)
        sums = scored(np.full((2, 4), 5), np.full((2, 4), 5), confidence=confidence).sums
        assert (sums['confidence/n'][0], sums['confidence/n'][-1]) == (4, 4)

    def test_no_confidence_no_sums(self):
        assert not any(name.startswith('confidence') for name in scored([[1]], [[1]]).sums)


class TestResizing:
    def test_the_same_size_is_the_same_array(self):
        values = np.ones((3, 4), np.float32)
        assert resized(values, Size(3, 4)) is values

    def test_depth_or_inverse_depth(self):
        """Half way between 2 and 6 m is 4 m, or, in 1 / m, 3 m."""
        values = np.array([[2, 6]], np.float32)
        size = Size(1, 6)  # centres at -1/3, 0, 1/3, 2/3, 1, 4/3
        np.testing.assert_allclose(
            resized(values, size), [[2, 2, 10 / 3, 14 / 3, 6, 6]], rtol=1e-5
        )
        between = 1 / np.interp([1 / 3, 2 / 3], [0, 1], [1 / 2, 1 / 6])
        np.testing.assert_allclose(
            resized(values, size, 'inverse-depth')[0, 2:4], between, rtol=1e-5
        )

    @pytest.mark.parametrize('rule', ['depth', 'inverse-depth'])
    def test_unknown_spreads_and_takes_no_part(self, rule):
        values = np.array([[2, 2, np.nan, 2, 2]], np.float32)
        found = resized(values, Size(1, 10), rule)
        np.testing.assert_array_equal(
            found, [[2, 2, 2, np.nan, np.nan, np.nan, np.nan, 2, 2, 2]]
        )

    def test_next_to_infinity_the_nearest_counts(self):
        values = np.array([[2, np.inf, -np.inf]], np.float32)
        found = resized(values, Size(1, 6))
        np.testing.assert_array_equal(found, [[2, 2, np.inf, np.inf, -np.inf, -np.inf]])

    def test_nearest(self):
        values = np.array([[0.25, 0.75]], np.float32)
        np.testing.assert_array_equal(
            resized(values, Size(1, 4), 'nearest'), [[0.25, 0.25, 0.75, 0.75]]
        )

    def test_an_answer_of_half_the_size(self):
        """Zeros of it are unknown, and neighbours do not become small numbers."""
        pred = np.full((4, 6), 7, np.float32)
        pred[:2, :2] = 0
        values = scored(pred, np.full((8, 12), 7)).values
        assert values['none/abs_rel'] == pytest.approx(0, abs=1e-6)
        assert values['coverage'] == pytest.approx(1 - 25 / 96)
