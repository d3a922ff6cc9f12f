# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics of what was published, from the recording; controls that look at no image."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.bags.topics import TRUE_DEPTH
from clip_depth_ros.demo.errors import best_constant_m, error_within, fit_to
from clip_depth_ros.demo.scores import score_recording, Scores
from demo_recording import Moment, plan_of, write_demo
import numpy as np
import pytest

SHAPE = (12, 16)


def depth(value_m: float, *, sky: bool = False) -> np.ndarray:
    """Give depth that grows by a tenth from top to bottom; the first row may be sky."""
    rows = np.linspace(1.0, 1.1, SHAPE[0], dtype=np.float32)[:, np.newaxis]
    depth_m = np.broadcast_to(np.float32(value_m) * rows, SHAPE).copy()
    if sky:
        depth_m[0] = np.inf
    return depth_m


def score(folder: Path, moments: list[Moment], *names: str) -> Scores | None:
    plan = plan_of(folder, moments, *names)
    return score_recording(
        write_demo(plan, moments),
        {method.name: method.topic('depth') for method in plan.methods},
        TRUE_DEPTH, min_depth_m=1.0, depth_cap_m=80.0,
    )


def test_metrics_are_the_mean_over_images_of_each_method_s_own_answers(tmp_path):
    """Worked by hand: a tenth and three tenths too far, and the truth."""
    moments = [
        Moment(depth(d, sky=True), {'clip2depth': depth(d * far), 'depthclip': depth(d)})
        for d, far in ((10.0, 1.1), (20.0, 1.3))
    ]
    scores = score(tmp_path, moments, 'clip2depth', 'depthclip')
    assert scores is not None
    trained, zero_shot = (scores.methods[name].metrics for name in ('clip2depth', 'depthclip'))
    assert trained.abs_rel == pytest.approx(0.2, rel=1e-5)
    assert trained.delta1 == 0.5
    assert (zero_shot.abs_rel, zero_shot.rmse, zero_shot.delta1) == (0.0, 0.0, 1.0)
    assert {name: found.n_images for name, found in scores.methods.items()} == {
        'clip2depth': 2, 'depthclip': 2,
    }


def test_marks_count_as_the_ends_of_the_range(tmp_path):
    """-Inf is too near and +Inf too far: answers, not gaps (REP 117)."""
    far = np.full(SHAPE, np.inf, np.float32)
    scores = score(tmp_path, [Moment(depth(40.0), {'depthclip': far})], 'depthclip')
    assert scores is not None
    assert scores.methods['depthclip'].metrics.abs_rel == pytest.approx(
        float(np.mean(80.0 / depth(40.0) - 1.0)), rel=1e-5
    )


def test_an_image_without_an_answer_is_counted_and_not_scored(tmp_path):
    moments = [
        Moment(depth(10.0), {'clip2depth': depth(10.0), 'depthclip': depth(20.0)}),
        Moment(depth(10.0), {'depthclip': depth(20.0)}),
        Moment(depth(10.0), {}),
    ]
    scores = score(tmp_path, moments, 'clip2depth', 'depthclip')
    assert scores is not None
    assert scores.n_images == 3
    assert scores.methods['clip2depth'].n_images == 1
    assert scores.methods['depthclip'].n_images == 2
    assert scores.methods['clip2depth'].metrics.abs_rel == 0.0


def test_images_of_nothing_but_sky_do_not_count(tmp_path):
    sky = np.full(SHAPE, np.inf, np.float32)
    moments = [Moment(truth, {'depthclip': depth(10.0)}) for truth in (sky, depth(10.0))]
    scores = score(tmp_path, moments, 'depthclip')
    assert scores is not None
    assert scores.n_images == scores.methods['depthclip'].n_images == 1


def test_without_a_truth_there_are_no_scores(tmp_path):
    assert score(tmp_path, [Moment(None, {'depthclip': depth(9.0)})], 'depthclip') is None


def test_controls_are_the_best_constant_and_answers_for_other_images(tmp_path):
    """A perfect method on a drive whose second half is twice as far: shuffled, it is blind."""
    truths = [depth(d) for d in (10.0, 10.0, 20.0, 20.0)]
    scores = score(tmp_path, [Moment(gt, {'depthclip': gt}) for gt in truths], 'depthclip')
    assert scores is not None
    shuffled = scores.controls['depthclip_shuffled']
    assert shuffled.metrics.abs_rel == pytest.approx((1.0 + 0.5) / 2, rel=1e-5)
    assert scores.controls['best_constant'].metrics.abs_rel > 0.2
    assert 'best constant for these images, 10.' in scores.controls['best_constant'].title


def test_one_image_has_no_other_one_to_be_shuffled_with(tmp_path):
    scores = score(tmp_path, [Moment(depth(9.0), {'depthclip': depth(9.0)})], 'depthclip')
    assert scores is not None
    assert [*scores.controls] == ['best_constant']


def test_the_protocol_is_beside_the_numbers(tmp_path):
    scores = score(tmp_path, [Moment(depth(9.0), {'depthclip': depth(9.0)})], 'depthclip')
    assert scores is not None
    summary = scores.summary('synthetic drive seed 7')
    assert summary['protocol'].startswith(
        'synthetic drive seed 7, 1 images, true depth 1 to 80 m, no sky, no crop, no scaling'
    )
    assert 'mean over images' in summary['protocol']
    assert summary['methods']['depthclip'].keys() >= {
        'title', 'images', 'abs_rel', 'sq_rel', 'rmse', 'rmse_log', 'log10', 'silog',
        'delta1', 'delta2', 'delta3',
    }


def test_no_constant_does_better_than_the_best_one():
    dice = np.random.default_rng(0)
    truths = [np.exp(dice.normal(2.0, 1.0, SHAPE)).clip(1.1, 79.0) for _ in range(3)]

    def abs_rel(constant_m: float) -> float:
        return float(np.mean([np.mean(np.abs(constant_m - gt) / gt) for gt in truths]))

    best = abs_rel(best_constant_m(truths, 1.0, 80.0))
    assert best == pytest.approx(min(map(abs_rel, np.geomspace(1.0, 80.0, 2000))), rel=1e-3)


def test_answers_of_another_size_are_brought_to_that_of_the_truth():
    small = np.full((6, 8), 5.0, np.float32)
    np.testing.assert_array_equal(fit_to(small, depth(9.0), 1.0, 80.0), np.full(SHAPE, 5.0))


def test_the_error_is_signed_and_unknown_where_the_truth_is():
    error = error_within(depth(8.0), depth(10.0, sky=True), 1.0, 80.0)
    assert np.isnan(error[0]).all()
    np.testing.assert_allclose(error[1:], -0.2, rtol=1e-5)
