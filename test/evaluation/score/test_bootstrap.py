# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Intervals: they hold the truth as often as they say."""

from __future__ import annotations

import tracemalloc

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.evaluation.score.intervals import Intervals, mean_intervals, Resampling
from hypothesis import given, strategies as st
import numpy as np
import pytest

RESAMPLING = Resampling(n_samples=500)

finite = st.floats(-1e6, 1e6)


def intervals(values, resampling: Resampling = RESAMPLING, **more) -> Intervals:
    columns = np.asarray(values, np.float64)
    columns = columns if columns.ndim == 2 else columns[:, np.newaxis]
    return mean_intervals(columns, resampling, **more)


def widths(of: Intervals) -> list[float]:
    return (of.high - of.low).tolist()


@given(finite, st.integers(2, 30))
def test_equal_values_have_an_interval_of_no_width(value, n):
    of = intervals([value] * n)
    assert (of.mean[0], of.low[0], of.high[0]) == (value, value, value)


@given(st.lists(finite, min_size=2, max_size=30))
def test_intervals_lie_within_the_values_and_the_mean_is_the_mean(values):
    """Where no frame follows another; those of a film may be beside the truth, all of them."""
    of = intervals(values, recordings=[f'image {i}' for i in range(len(values))])
    assert of.mean[0] == pytest.approx(np.mean(values), rel=1e-9, abs=1e-6)
    assert min(values) - 1e-6 <= of.low[0] <= of.high[0] <= max(values) + 1e-6


def test_many_independent_frames_give_the_interval_of_the_normal_distribution():
    values = np.random.default_rng(1).normal(3.0, 2.0, 2000)
    of, error = intervals(values, Resampling(4000)), 2.0 / np.sqrt(2000)
    assert of.low[0] == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert of.high[0] == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_four_times_as_many_frames_halve_the_interval():
    values = np.random.default_rng(2).normal(size=4000)
    few, many = widths(intervals(values[:1000])), widths(intervals(values))
    assert many[0] == pytest.approx(few[0] / 2, rel=0.15)


def test_nineteen_of_twenty_intervals_hold_the_true_mean():
    """Of a skewed distribution, as errors are: a little less often."""
    dice = np.random.default_rng(3)
    values = dice.exponential(1.0, (150, 400))  # 400 evaluations of 150 frames each
    of = intervals(values)
    assert 0.90 <= np.mean((of.low <= 1.0) & (of.high >= 1.0)) <= 0.98


def test_blocks_tell_that_neighbours_look_alike():
    """Scenes of 20 frames that score alike: single images pretend to be 20 times as many."""
    scenes = np.random.default_rng(4).normal(size=(60, 300))
    frames = np.repeat(scenes, 20, axis=0)  # 300 evaluations of 60 scenes
    images = [str(row) for row in range(len(frames))]
    held = [
        np.mean((of.low <= 0) & (of.high >= 0))
        for of in (intervals(frames, recordings=images), intervals(frames, Resampling(500, 20)))
    ]
    assert held[0] < 0.5
    assert 0.90 <= held[1] <= 0.98


def test_without_blocks_it_is_noticed_that_neighbours_look_alike():
    scenes = np.random.default_rng(4).normal(size=(60, 300))
    of = intervals(np.repeat(scenes, 20, axis=0))
    assert 20 < np.median(of.n_effective) < 70
    assert np.mean((of.low <= 0) & (of.high >= 0)) >= 0.93


def test_frames_that_follow_no_other_have_the_interval_of_frames_that_do_not_score_alike():
    """To the last bit: nothing is widened where nothing was found."""
    values = np.random.default_rng(5).normal(size=(50, 30))
    film, images = (intervals(values, recordings=each) for each in (
        [''] * 50, [f'seed {row}' for row in range(50)]
    ))
    is_free = film.n_effective == 50
    assert is_free.mean() > 0.5
    assert (film.low[is_free] == images.low[is_free]).all()
    assert (images.n_effective == 50).all()


def test_blocks_do_not_reach_into_another_recording():
    """Two frames of one and three of another, by threes: two blocks, each of equal values."""
    of = intervals([0, 0, 1, 1, 1], Resampling(500, block=3), recordings=list('aabbb'))
    assert (of.mean[0], of.low[0], of.high[0]) == (pytest.approx(0.6), 0.0, 1.0)


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(5).normal(size=50)
    first, again, other = (intervals(values, Resampling(200, seed=seed)) for seed in (0, 0, 1))
    assert (first.low, first.high) == (again.low, again.high)
    assert first.low != other.low


def test_columns_see_the_same_draws():
    values = np.random.default_rng(6).normal(size=(40, 1))
    of = intervals(np.hstack([values, values + 5.0]))
    assert of.low[1] - of.low[0] == pytest.approx(5.0)
    assert of.high[1] - of.high[0] == pytest.approx(5.0)


def test_missing_values_are_left_out():
    of = intervals([[1.0, 1.0], [np.nan, 9.0], [3.0, 3.0]])
    assert of.mean.tolist() == [2.0, pytest.approx(13 / 3)]
    assert of.n_frames.tolist() == [2, 3]
    assert of.high[0] <= 3.0


def test_one_frame_has_no_interval_and_none_has_no_mean():
    of = intervals([[1.0, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(of.mean, [1.0, np.nan])
    assert np.isnan([of.low, of.high]).all()
    assert of.n_frames.tolist() == [1, 0]


def test_without_frames_nothing_is_known():
    of = mean_intervals(np.zeros((0, 2)), RESAMPLING)
    assert np.isnan([of.mean, of.low, of.high]).all()


def test_weights_say_what_a_frame_counts():
    of = intervals([[1.0], [5.0]], weights=np.array([[3.0], [1.0]]))
    assert of.mean[0] == pytest.approx(2.0)


def test_finish_makes_roots_of_mean_squares():
    of = intervals([[9.0], [16.0]], finish=np.sqrt)
    assert of.mean[0] == pytest.approx(np.sqrt(12.5))
    assert (of.low[0], of.high[0]) == (3.0, 4.0)


@pytest.mark.parametrize('wrong', [
    {'n_samples': 0}, {'n_samples': 100_001}, {'block': 0}, {'seed': -1}
])
def test_draws_that_cannot_be_made_are_refused(wrong):
    with pytest.raises(ConfigError, match='the bootstrap needs 1 to 100000 samples'):
        Resampling(**wrong)


def test_ten_thousand_frames_need_little_memory():
    values = np.random.default_rng(7).normal(size=(10_000, 20))
    tracemalloc.start()
    intervals(values, Resampling(1000))
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()
