# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth Pro's boundary score: its formula written out, by hand, and where there is no boundary."""

from __future__ import annotations

from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.evaluation.score.score import score_frame
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import DepthMap
import numpy as np
import pytest

PLAIN = EvaluationProtocol()


def values_of(pred, gt) -> dict[str, float]:
    """Return what is known of an answer."""
    gt = np.asarray(gt, np.float32)
    sample = DepthSample('a frame', np.zeros((*gt.shape, 3), np.uint8), gt)
    return dict(score_frame(DepthMap(np.asarray(pred, np.float32)), sample, PLAIN).values)


def depth_pros(pred, gt) -> float:
    """Return the score as its code has it: masks of whole images, in inverse depth."""
    thresholds = np.linspace(1.05, 1.25, 10)
    f1 = []
    for t in thresholds:
        shares = []
        for of in (gt, pred):
            recalls = []
            for mine, truly in zip(boundaries(pred, t), boundaries(gt, t), strict=True):
                n = (truly if of is gt else mine).sum()
                recalls.append((mine & truly).sum() / max(n, 1))
            shares.append(np.mean(recalls))
        recall, precision = shares
        f1.append(2 * recall * precision / (recall + precision) if recall + precision else 0.0)
    return float(np.sum(f1 * thresholds / thresholds.sum()))


def boundaries(depth, t) -> list[np.ndarray]:
    inverse = 1 / depth.astype(np.float64)
    beside, below = inverse[:, 1:] / inverse[:, :-1], inverse[1:] / inverse[:-1]
    return [beside > t, 1 / beside > t, below > t, 1 / below > t]


def street() -> np.ndarray:
    """Return boxes before a background, whose borders step by 3 % to 60 %."""
    rng = np.random.default_rng(3)
    depth_m = np.full((60, 80), 30.0)
    for _ in range(25):
        row, column = rng.integers(0, 50), rng.integers(0, 70)
        depth_m[row:row + 12, column:column + 14] = rng.uniform(12, 40)
    return depth_m


class TestBoundaryScore:
    @pytest.mark.parametrize('spread', [0.001, 0.02, 0.06, 0.3])
    def test_it_is_that_of_depth_pros_code(self, spread):
        gt = street()
        rng = np.random.default_rng(1)
        pred = np.roll(gt, 1, axis=1) * np.exp(rng.normal(0, spread, gt.shape))
        pred[:30] = gt[:30] * np.exp(rng.normal(0, spread, (30, 80)))
        assert values_of(pred, gt)['boundary_f1'] == pytest.approx(depth_pros(pred, gt), abs=1e-5)

    def test_by_hand(self):
        """
        Two walls whose border steps by a fifth, in each of 60 rows; half of it is found.

        Of the four directions one has any boundary, below 1.2 only: a quarter of the recall 1/2,
        and of the precision 1. So F1 is 1/6 for the seven thresholds up to 1.183, else 0.
        """
        gt = np.repeat([[10.0] * 20 + [12.0] * 20], 60, axis=0)
        pred = gt.copy()
        pred[:30] = 11
        thresholds = np.linspace(1.05, 1.25, 10)
        share = thresholds[thresholds < 1.2].sum() / thresholds.sum()
        assert values_of(pred, gt)['boundary_f1'] == pytest.approx(share / 6)

    def test_a_perfect_answer_at_any_scale(self):
        gt = street()
        assert depth_pros(gt, gt) == 1
        for factor in (1, 0.3, 1.7):
            assert values_of(factor * gt, gt)['boundary_f1'] == pytest.approx(1)

    def test_what_is_smeared_or_flat_has_none(self):
        gt = street()
        assert values_of(np.full(gt.shape, 9.0), gt)['boundary_f1'] == 0

    def test_left_out_where_the_truth_has_few(self):
        assert 'boundary_f1' not in values_of(*[np.full((60, 80), 9.0)] * 2)


class TestSparseTruth:
    """Steps between neighbours in a LiDAR's sweep are no edges of a picture."""

    def test_what_is_about_steps_is_left_out(self):
        gt = street()
        rng = np.random.default_rng(0)
        gt[rng.random(gt.shape) < 0.5] = 0
        values = values_of(street(), gt)
        assert not {'lost_edges', 'boundary_f1'} & values.keys()
        assert 'roughness' in values

    def test_dense_truth_may_have_holes(self):
        """A quarter of the picture beyond range, and some specks: nine in ten have neighbours."""
        gt = street()
        gt[:15] = 0
        gt[::9, ::5] = 0
        assert {'lost_edges', 'boundary_f1'} < values_of(street(), gt).keys()
