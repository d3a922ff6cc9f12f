# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Flip averaging of whole answers: the plain mean, and monodepth's ramps."""

from __future__ import annotations

from clip_depth_ros.errors import ImageError
from clip_depth_ros.evaluation.run.answers import flip_averaged
from clip_depth_ros.types import DepthMap
import numpy as np
import pytest


def row(*depths_m: float) -> DepthMap:
    """Give an answer of one row."""
    return DepthMap(np.array([depths_m], np.float32))


def test_the_flipped_answer_is_turned_back_before_the_mean():
    averaged = flip_averaged(row(1, 2, 4), row(8, 4, 3), rule='average')

    np.testing.assert_allclose(averaged.depth_m, [[(1 + 3) / 2, (2 + 4) / 2, (4 + 8) / 2]])


@pytest.mark.parametrize('rule', ['average', 'ramps'])
def test_two_equal_answers_are_their_own_mean(rule):
    depth_m = np.linspace(1, 80, 101, dtype=np.float32)[np.newaxis]
    averaged = flip_averaged(DepthMap(depth_m), DepthMap(depth_m[:, ::-1]), rule=rule)

    np.testing.assert_allclose(averaged.depth_m, depth_m, rtol=1e-6)


def test_ramps_take_the_flipped_answer_at_the_left_border_and_the_other_at_the_right():
    """In between, the mean of inverse depth: 1 m and 3 m make 1.5 m."""
    wide = np.ones((1, 101), np.float32)
    averaged = flip_averaged(DepthMap(1 * wide), DepthMap(3 * wide), rule='ramps').depth_m[0]

    np.testing.assert_allclose(averaged[:6], 3)
    np.testing.assert_allclose(averaged[10:91], 1.5, rtol=1e-6)
    np.testing.assert_allclose(averaged[95:], 1, rtol=1e-6)
    # Half way up the ramp (7.5 % of the width lies between pixels 7 and 8).
    assert averaged[8] < averaged[7] < 3


@pytest.mark.parametrize('rule', ['average', 'ramps'])
def test_what_one_does_not_know_is_unknown(rule):
    averaged = flip_averaged(row(1, np.nan, 1), row(2, 2, 2), rule=rule)

    assert np.isnan(averaged.depth_m).tolist() == [[False, True, False]]


@pytest.mark.parametrize('rule', ['average', 'ramps'])
def test_beyond_range_in_both_is_beyond_range(rule):
    averaged = flip_averaged(row(np.inf, 1, 1), row(1, 1, np.inf), rule=rule)

    assert averaged.depth_m[0, 0] == np.inf


def test_confidence_is_averaged_where_both_have_one():
    sure, unsure = np.array([[1, 0]], np.float32), np.array([[0.5, 0.5]], np.float32)
    first = DepthMap(np.ones((1, 2), np.float32), confidence=sure)
    second = DepthMap(np.ones((1, 2), np.float32), confidence=unsure)

    averaged = flip_averaged(first, second, rule='average')

    np.testing.assert_allclose(averaged.confidence, [[0.75, 0.25]])
    assert flip_averaged(first, row(1, 1), rule='average').confidence is None


def test_answers_of_two_sizes_are_refused():
    with pytest.raises(ImageError, match=r'answers of one size, got \(1, 2\) and \(1, 3\)'):
        flip_averaged(row(1, 2), row(1, 2, 3), rule='average')
