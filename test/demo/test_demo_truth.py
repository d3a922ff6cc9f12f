# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics of what was published, from the recording; controls that look at no image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bag_drives import lidar_drive, static, T_CAMERA_LIDAR
from bag_files import write_ros2
from clip_depth_ros.bags.writer import BagWriter
from clip_depth_ros.demo.facts import gather_facts
from clip_depth_ros.demo.preview import published_error
from clip_depth_ros.demo.run import copy_transforms
from clip_depth_ros.demo.summary import (
    evaluate_recording,
    NO_TRUTH,
    protocol_for,
    summary_of,
)
from clip_depth_ros.sources.samples import DepthSample
from demo_recording import Moment, plan_of, write_demo
import numpy as np
from open_sources import open_bag
import pytest

SHAPE = (12, 16)


def depth(value_m: float, *, sky: bool = False) -> np.ndarray:
    """Return depth that grows by a tenth from top to bottom; the first row may be sky."""
    rows = np.linspace(1.0, 1.1, SHAPE[0], dtype=np.float32)[:, np.newaxis]
    depth_m = np.broadcast_to(np.float32(value_m) * rows, SHAPE).copy()
    if sky:
        depth_m[0] = np.inf
    return depth_m


def score(folder: Path, moments: list[Moment], *names: str) -> dict[str, Any] | None:
    """Return the metrics of the summary of a run that left these moments."""
    plan = plan_of(folder, moments, *names)
    write_demo(plan, moments)
    facts = gather_facts(plan, {})
    metrics: dict[str, Any] | None = (
        summary_of(plan, facts, evaluate_recording(plan, facts))['metrics']
    )
    return metrics


def test_metrics_are_the_mean_over_images_of_each_method_s_own_answers(tmp_path):
    """Worked by hand: a tenth and three tenths too far, and the truth."""
    moments = [
        Moment(depth(d, sky=True), {'clip2depth': depth(d * far), 'depthclip': depth(d)})
        for d, far in ((10.0, 1.1), (20.0, 1.3))
    ]
    scores = score(tmp_path, moments, 'clip2depth', 'depthclip')
    assert scores is not None
    trained, zero_shot = (scores['methods'][name] for name in ('clip2depth', 'depthclip'))
    assert trained['abs_rel'] == pytest.approx(0.2, rel=1e-5)
    assert trained['delta1'] == 0.5
    assert [zero_shot[name] for name in ('abs_rel', 'rmse', 'delta1')] == [0.0, 0.0, 1.0]
    assert (trained['images'], zero_shot['images']) == (2, 2)


def test_marks_count_as_the_ends_of_the_range(tmp_path):
    """-Inf is too near and +Inf too far: answers, not gaps (REP 117)."""
    far = np.full(SHAPE, np.inf, np.float32)
    scores = score(tmp_path, [Moment(depth(40.0), {'depthclip': far})], 'depthclip')
    assert scores is not None
    assert scores['methods']['depthclip']['abs_rel'] == pytest.approx(
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
    assert scores['images'] == 3
    assert scores['methods']['clip2depth']['images'] == 1
    assert scores['methods']['depthclip']['images'] == 2
    assert scores['methods']['clip2depth']['abs_rel'] == 0.0


def test_images_of_nothing_but_sky_do_not_count(tmp_path):
    sky = np.full(SHAPE, np.inf, np.float32)
    moments = [Moment(truth, {'depthclip': depth(10.0)}) for truth in (sky, depth(10.0))]
    scores = score(tmp_path, moments, 'depthclip')
    assert scores is not None
    assert scores['images'] == scores['methods']['depthclip']['images'] == 1


def test_without_a_truth_there_are_no_scores(tmp_path):
    moments = [Moment(None, {'depthclip': depth(9.0)})]
    assert score(tmp_path, moments, 'depthclip') is None
    plan = plan_of(tmp_path, moments, 'depthclip')
    assert evaluate_recording(plan, gather_facts(plan, {})) == NO_TRUTH


def test_the_truth_of_each_image_that_is_shown_is_kept_by_its_stamp(tmp_path):
    truths = [depth(d) for d in (10.0, 20.0, 30.0)]
    moments = [Moment(gt, {'depthclip': gt}) for gt in truths]
    plan = plan_of(tmp_path, moments, 'depthclip')
    write_demo(plan, moments)
    evaluated = evaluate_recording(plan, gather_facts(plan, {}))
    assert not isinstance(evaluated, str)
    stamps_ns = gather_facts(plan, {}).film_stamps()
    assert len(stamps_ns) == 3
    for stamp_ns, truth in zip(stamps_ns, truths, strict=True):
        np.testing.assert_array_equal(evaluated.true_depths_m[stamp_ns], truth)


def test_a_drive_of_nothing_but_sky_says_that_no_truth_counts(tmp_path):
    sky = np.full(SHAPE, np.inf, np.float32)
    moments = [Moment(sky, {'depthclip': depth(9.0)})]
    assert score(tmp_path, moments, 'depthclip') is None
    plan = plan_of(tmp_path, moments, 'depthclip')
    said = evaluate_recording(plan, gather_facts(plan, {}))
    assert isinstance(said, str)
    assert 'none of 1 frames has any depth that counts' in said


def test_controls_are_the_best_constant_and_answers_for_other_images(tmp_path):
    """A perfect method on a drive whose second half is twice as far: shuffled, it is blind."""
    truths = [depth(d) for d in (10.0, 10.0, 20.0, 20.0)]
    scores = score(tmp_path, [Moment(gt, {'depthclip': gt}) for gt in truths], 'depthclip')
    assert scores is not None
    shuffled = scores['controls']['depthclip_shuffled']
    assert shuffled['abs_rel'] == pytest.approx((1.0 + 0.5) / 2, rel=1e-5)
    assert scores['controls']['best_constant']['abs_rel'] > 0.2


def test_one_image_has_no_other_one_to_be_shuffled_with(tmp_path):
    scores = score(tmp_path, [Moment(depth(9.0), {'depthclip': depth(9.0)})], 'depthclip')
    assert scores is not None
    assert [*scores['controls']] == ['best_constant']


def test_the_protocol_is_beside_the_numbers(tmp_path):
    metrics = score(tmp_path, [Moment(depth(9.0), {'depthclip': depth(9.0)})], 'depthclip')
    assert metrics is not None
    assert metrics['protocol'].startswith('synthetic drive seed 7, 1 images, plain, min_depth_m=1')
    for words in ('1 to 80 m', 'no crop', 'mean over images', 'images of 16x12'):
        assert words in metrics['protocol']
    assert metrics['methods']['depthclip'].keys() >= {
        'title', 'images', 'abs_rel', 'sq_rel', 'rmse', 'rmse_log', 'log10', 'silog',
        'delta1', 'delta2', 'delta3',
    }


def test_the_range_is_that_of_the_nodes(tmp_path):
    protocol = protocol_for(plan_of(tmp_path, [], 'depthclip'))
    assert (protocol.min_depth_m, protocol.depth_cap_m) == (1.0, 80.0)


def test_answers_of_another_size_are_brought_to_that_of_the_truth(tmp_path):
    small = np.full((6, 8), 5.0, np.float32)
    truth = np.full(SHAPE, 5.0, np.float32)
    scores = score(tmp_path, [Moment(truth, {'depthclip': small})], 'depthclip')
    assert scores is not None
    assert scores['methods']['depthclip']['abs_rel'] == 0.0


def test_the_error_is_signed_and_unknown_where_the_truth_is(tmp_path):
    protocol = protocol_for(plan_of(tmp_path, [], 'depthclip'))
    gt = depth(10.0, sky=True)
    sample = DepthSample('an image', np.zeros((*SHAPE, 3), np.uint8), gt)
    error = published_error(depth(8.0), sample, protocol)
    assert np.isnan(error[0]).all()
    np.testing.assert_allclose(error[1:], -0.2, rtol=1e-5)


@pytest.mark.parametrize('topic', ['/tf', '/tf_static'])
def test_where_the_lidar_is_comes_along_with_the_recording(tmp_path: Path, topic: str):
    """As evaluate finds it in the bag: no process records transforms where tf2_msgs is missing."""
    T_lidar_camera = static(np.linalg.inv(T_CAMERA_LIDAR), 'lidar', 'camera')
    frames = lidar_drive(2)[1:]
    bag = write_ros2(tmp_path / 'bag', [replace(T_lidar_camera, topic=topic), *frames])
    with BagWriter(tmp_path / 'depth.mcap') as writer:
        copy_transforms(bag, writer)
        for message in frames:
            writer.write(message)
    played, itself = open_bag(tmp_path / 'depth.mcap'), open_bag(bag)
    assert np.count_nonzero(itself[1].target_m) == 2
    np.testing.assert_array_equal(played[1].target_m, itself[1].target_m)
