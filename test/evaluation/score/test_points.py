# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Clouds of points: by hand, against a search through all pairs, and their laws."""

from __future__ import annotations

from clip_depth_ros.evaluation.run.frames import AnsweredFrame, record_of
from clip_depth_ros.evaluation.score.points import cloud_distances, points_at
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.evaluation.score.score import is_judged, is_more_better, score_frame
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import DepthMap, Intrinsics
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
import numpy as np
import pytest
from scipy.spatial import KDTree

CAMERA = Intrinsics(8, 8, 3.5, 2.5, 8, 6)
ASKED = EvaluationProtocol(points_m='0.1,0.5')
depths_m = arrays(np.float32, (6, 8), elements=st.floats(1, 60, width=32))
UNKNOWN_CAMERA = None


def scored(pred, gt, camera=CAMERA, protocol=ASKED) -> dict[str, float]:
    """Return what is known of the clouds."""
    sample = DepthSample(
        'a frame', np.zeros((*np.shape(gt), 3), np.uint8), np.asarray(gt, np.float32), camera
    )
    values = score_frame(DepthMap(np.asarray(pred, np.float32)), sample, protocol).values
    return {name: value for name, value in values.items() if name.startswith('points')}


def by_hand(pred, gt, threshold_m: float) -> tuple[float, float, float, float]:
    """Return precision, recall, F-score and Chamfer distance by a search through all pairs."""
    rows, columns = np.indices(gt.shape)
    rays = np.stack([(columns - 3.5) / 8, (rows - 2.5) / 8, np.ones(gt.shape)], axis=-1)
    answered, true = ((depth[..., None] * rays).reshape(-1, 3) for depth in (pred, gt))
    apart = np.linalg.norm(answered[:, None] - true[None], axis=-1)
    of_answer, of_truth = apart.min(axis=1), apart.min(axis=0)
    precision, recall = np.mean(of_answer < threshold_m), np.mean(of_truth < threshold_m)
    f_score = 2 * precision * recall / (precision + recall) if precision + recall else 0
    return precision, recall, f_score, of_answer.mean() + of_truth.mean()


def test_two_pixels_by_hand():
    """
    One on the axis at 10 m, answered 0.3 m too far; one far away from it, answered right.

    Within 0.1 m one of two points of either cloud; the mean distance is 0.15 m both ways.
    """
    camera = Intrinsics(1, 1, 0, 0, 2, 1)
    found = scored([[10.3, 10]], [[10, 10]], camera)
    assert found == pytest.approx({
        'points 0.1 m/precision': 0.5, 'points 0.1 m/recall': 0.5, 'points 0.1 m/f_score': 0.5,
        'points 0.5 m/precision': 1, 'points 0.5 m/recall': 1, 'points 0.5 m/f_score': 1,
        'points/chamfer': 0.3,
    }, abs=1e-6)


def test_precision_and_recall_differ():
    """A wall and a pole before it, answered as wall alone: nothing is true behind the pole."""
    gt = np.full((6, 8), 10.0)
    gt[:, 3] = 4
    found = scored(np.full((6, 8), 10.0), gt)
    assert found['points 0.1 m/recall'] == pytest.approx(7 / 8)
    assert found['points 0.1 m/precision'] == pytest.approx(7 / 8)
    assert found['points 0.1 m/f_score'] == pytest.approx(7 / 8)
    near = scored(np.full((6, 8), 10.0), gt, protocol=EvaluationProtocol(points_m='1.3'))
    assert near['points 1.3 m/precision'] == 1  # 1.25 m beside it is
    assert near['points 1.3 m/recall'] == pytest.approx(7 / 8)


@settings(max_examples=25)
@given(depths_m, depths_m)
def test_it_is_what_a_search_through_all_pairs_finds(pred, gt):
    found = scored(pred, gt)
    wanted = by_hand(pred, gt, 0.5)
    names = ('points 0.5 m/precision', 'points 0.5 m/recall', 'points 0.5 m/f_score')
    assert [found[name] for name in (*names, 'points/chamfer')] == pytest.approx(wanted, abs=1e-6)


@settings(max_examples=25)
@given(depths_m)
def test_law_a_perfect_answer(gt):
    found = scored(gt, gt)
    assert found.pop('points/chamfer') == pytest.approx(0, abs=1e-9)
    assert set(found.values()) == {1}


@settings(max_examples=25)
@given(depths_m, depths_m)
def test_law_exchanged_clouds_exchange_precision_and_recall(pred, gt):
    one, other = scored(pred, gt), scored(gt, pred)
    assert one['points 0.5 m/precision'] == other['points 0.5 m/recall']
    assert one['points/chamfer'] == pytest.approx(other['points/chamfer'])


@settings(max_examples=25)
@given(depths_m, depths_m)
def test_law_a_pixels_own_distance_is_the_worst(pred, gt):
    """The nearest point is at most as far as that of the same pixel."""
    places = np.arange(gt.size)
    apart = np.linalg.norm(
        points_at(pred.ravel(), places, CAMERA) - points_at(gt.ravel(), places, CAMERA), axis=1
    )
    found = scored(pred, gt)
    assert found['points/chamfer'] <= 2 * apart.mean() + 1e-5
    assert found['points 0.5 m/precision'] >= (apart < 0.5 - 1e-5).mean()


def test_of_large_clouds_five_thousand_points_are_asked():
    """That leaves the numbers what they are for all points, within 2 %, and the same each time."""
    rng = np.random.default_rng(0)
    camera = Intrinsics(100, 100, 80, 60, 160, 120)
    gt = rng.uniform(4, 6, camera.height * camera.width)
    pred = gt * rng.normal(1, 0.03, gt.size)
    places = np.arange(gt.size)
    found = cloud_distances(pred, gt, places, camera, [0.05])
    assert found == cloud_distances(pred, gt, places, camera, [0.05])
    clouds = [points_at(depth, places, camera) for depth in (pred, gt)]
    of_pred, _ = KDTree(clouds[1]).query(clouds[0])
    of_gt, _ = KDTree(clouds[0]).query(clouds[1])
    assert found['points 0.05 m/precision'] == pytest.approx((of_pred < 0.05).mean(), abs=0.02)
    assert found['points 0.05 m/recall'] == pytest.approx((of_gt < 0.05).mean(), abs=0.02)
    assert found['points/chamfer'] == pytest.approx(of_pred.mean() + of_gt.mean(), rel=0.02)


class TestWhatCounts:
    def test_the_pixels_that_count(self):
        """A LiDAR's truth is compared with the answer at its pixels."""
        gt = np.zeros((6, 8))
        gt[::2, ::3] = 10
        pred = np.full((6, 8), 99.0)
        pred[::2, ::3] = 10
        assert scored(pred, gt)['points 0.1 m/f_score'] == 1

    def test_answers_are_aligned_and_clamped_first(self):
        gt = np.linspace(5, 60, 48).reshape(6, 8)
        aligned = EvaluationProtocol(points_m='0.1', alignment='median')
        assert scored(gt / 3, gt)['points 0.1 m/f_score'] < 0.1
        assert scored(gt / 3, gt, protocol=aligned)['points 0.1 m/f_score'] == 1

    def test_only_who_asks_waits_for_them(self):
        assert scored(np.ones((6, 8)), np.ones((6, 8)), protocol=EvaluationProtocol()) == {}

    @pytest.mark.parametrize('camera', [UNKNOWN_CAMERA, Intrinsics(8, 8, 4, 3, 16, 12)])
    def test_without_a_camera_there_is_no_cloud_and_that_is_said(self, camera):
        gt = np.full((6, 8), 9, np.float32)
        assert scored(gt, gt, camera) == {}
        sample = DepthSample('a', np.zeros((6, 8, 3), np.uint8), gt, camera)
        record = record_of(AnsweredFrame(0, sample, {'ours': DepthMap(gt)}), None, ASKED)
        assert any('no pinhole camera is known' in note for note in record.notes)

    def test_what_is_better(self):
        for name in ('points 0.1 m/f_score', 'points 0.1 m/precision', 'points 0.1 m/recall'):
            assert is_more_better(name)
        assert not is_more_better('points/chamfer')
        assert is_judged('points/chamfer')
