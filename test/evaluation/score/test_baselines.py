# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What can be said without looking: no constant beats the best one, dice know no order."""

from __future__ import annotations

import dataclasses
from typing import Any

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.patches import upsample
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.run.baselines import (
    Constant,
    fit_constant,
    fit_mean_prior,
    fit_prior,
    PixelPrior,
    UniformRandom,
)
from clip_depth_ros.evaluation.score import baselines
from clip_depth_ros.evaluation.score.baselines import (
    add_depth,
    best_constant,
    means_of,
    prior_at,
    shuffled,
)
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.sources.samples import DepthSample
from hypothesis import given, strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest
from ramps import HEIGHT, Ramps, WIDTH

PLAIN = EvaluationProtocol(min_depth_m=1.0)


def blocks_of(prior_m: Any) -> NDArray[np.float64]:
    """Return the depth of each 4 x 4 block that a prior is bilinear between."""

    def solved(values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take the interpolation down the columns back."""
        n = len(values) // 4
        spread = np.stack([upsample(column[:, np.newaxis], Size(4 * n, 1))[:, 0]
                           for column in np.eye(n, dtype=np.float32)], axis=1)
        return np.linalg.lstsq(spread, values, rcond=None)[0]

    return solved(solved(np.asarray(prior_m, np.float64)).T).T


depths = st.lists(st.floats(1.01, 79.9), min_size=1, max_size=30).map(np.asarray)


def best_of(*images: NDArray[np.float64]) -> float:
    return best_constant(images, 1.0, 80.0)


def abs_rel(constant_m: float, *images: NDArray[np.float64]) -> float:
    return float(np.mean([np.mean(np.abs(constant_m - gt) / gt) for gt in images]))


def truths(source: Ramps) -> list[NDArray[np.float32]]:
    targets = [source[i].target_m for i in range(len(source))]
    return [target[(target > 1) & (target < 80)] for target in targets]


def sample(shape: tuple[int, int] = (4, 6), name: str = 'a', recording: str = '') -> DepthSample:
    rgb = np.zeros((*shape, 3), np.uint8)
    return DepthSample(name, rgb, np.ones(shape, np.float32), recording=recording)


def test_the_best_constant_by_hand():
    """Near depths weigh more: 1/2 + 1/4 against 1/8 + 1/8 + 1/8."""
    assert best_of(np.array([2.0, 4.0, 8.0, 8.0, 8.0])) == pytest.approx(4.0)


def test_for_one_depth_it_is_that_depth():
    assert best_of(np.full(100, 10.0)) == pytest.approx(10.0, rel=1e-12)


@given(st.lists(depths, min_size=1, max_size=4))
def test_no_constant_does_better(images):
    best = abs_rel(best_of(*images), *images)
    assert best <= min(abs_rel(c, *images) for c in np.geomspace(1, 80, 300)) * 1.002 + 1e-3


def test_images_weigh_the_same_however_many_pixels_they_have():
    few, many = np.full(3, 10.0), np.full(1000, 12.0)
    assert best_of(few, few, many) == pytest.approx(10.0)


def test_over_pixels_each_pixel_weighs_the_same():
    """One image says 10 m with 3 pixels, another 12 m with 1000: over all pixels, 12 m is best."""
    images = (np.full(3, 10.0), np.full(3, 10.0), np.full(1000, 12.0))
    assert best_constant(images, 1, 80, over_pixels=True) == pytest.approx(12.0)


def test_without_depth_there_is_no_best_constant():
    with pytest.raises(DataError, match='empty in every frame'):
        best_of(np.array([]))


def test_sums_give_the_mean_of_each_pixel_where_there_is_one():
    sums = np.zeros((2, 1, 3))
    add_depth(sums, np.array([[2.0, np.nan, 5.0]]), np.array([[True, False, True]]))
    add_depth(sums, np.array([[4.0, np.inf, 0.0]]), np.array([[True, False, False]]))
    np.testing.assert_array_equal(means_of(sums), [[3.0, np.nan, 5.0]])


def test_depth_of_another_size_goes_where_its_pixels_fall():
    sums = np.zeros((2, 2, 2))
    add_depth(sums, np.arange(16.0).reshape(4, 4), np.eye(4, dtype=bool))
    np.testing.assert_array_equal(means_of(sums), [[2.5, np.nan], [np.nan, 12.5]])


def test_a_prior_has_no_gaps():
    """Gaps take the mean of the row, empty rows the nearest row that has any."""
    depth = np.zeros((4, 6), np.float32)
    depth[1, 2], depth[1, 3] = 10.0, 20.0
    prior_m = baselines.fit_mean_prior([depth], PLAIN, 'one')
    assert prior_m[1].tolist() == [15.0, 15.0, 10.0, 20.0, 15.0, 15.0]
    assert (prior_m[[0, 2, 3]] == 15.0).all()


def test_a_prior_may_be_the_geometric_mean():
    truths = [np.array([[2.0, 4.0]], np.float32), np.array([[8.0, np.inf]], np.float32)]
    np.testing.assert_allclose(baselines.fit_mean_prior(truths, PLAIN, 'two'), [[5, 4]])
    found = baselines.fit_mean_prior(truths, PLAIN, 'two', geometric=True)
    np.testing.assert_allclose(found, [[4, 4]], rtol=1e-6)


def test_the_median_prior_is_worked_by_hand():
    """Depths 2, 4 and 8, weights 1/2, 1/4 and 1/8: half of them lies below 4, so 2 it is."""
    truths = [np.full((4, 4), depth_m, np.float32) for depth_m in (8.0, 2.0, 4.0)]
    np.testing.assert_allclose(baselines.fit_median_prior(truths, PLAIN, 'three'), 2.0)
    more = [*truths, truths[2]]
    np.testing.assert_allclose(baselines.fit_median_prior(more, PLAIN, 'four'), 4.0)


def test_the_median_prior_has_no_gaps_and_fills_blocks():
    depth = np.zeros((10, 9), np.float32)
    depth[5, 1], depth[5, 6] = 10.0, 20.0
    prior_m = baselines.fit_median_prior([depth], PLAIN, 'one')
    # The row has two depths: the nearer weighs more; other rows take the nearest row's.
    blocks_m = np.array([[10, 10, 10], [10, 20, 10], [10, 10, 10]], np.float32)
    # Bilinear between the middles of blocks, of which those at the rims are cut off.
    np.testing.assert_array_equal(prior_m, upsample(blocks_m, Size(12, 12))[:10, :9])


def test_the_median_prior_takes_frames_of_other_sizes():
    near, far = np.full((4, 8), 3.0, np.float32), np.full((8, 16), 9.0, np.float32)
    alone = baselines.fit_median_prior([near, far, far, far, far], PLAIN, 'all')
    assert alone.shape == (4, 8)
    np.testing.assert_allclose(alone, 9.0)


def ramp_with(noise: float, n: int = 40) -> list[NDArray[np.float32]]:
    """Return depth that grows along the rows, every frame off by its own noise in each pixel."""
    ramp = np.linspace(5, 40, 64, dtype=np.float32)[:, np.newaxis]
    rng = np.random.default_rng(0)
    return [ramp * np.exp(noise * rng.standard_normal((64, 64), np.float32)) for _ in range(n)]


def curvature(prior_m: NDArray[np.float32]) -> float:
    """Return the mean second difference down the columns: blocks of few frames are noisy."""
    return float(np.abs(np.diff(prior_m, 2, axis=0)).mean())


class TestSizeOfBlocks:
    """Chosen on frames that the blocks were not fitted to."""

    def test_where_truth_is_sparse_and_frames_are_few_they_are_large(self):
        frames = ramp_with(0.5, n=20)
        for gt in frames:
            gt[np.random.default_rng(1).random(gt.shape) < 0.9] = 0
        whole = baselines.fit_median_prior(frames, PLAIN, 'few')
        seen_half = baselines.fit_median_prior(frames[:10], PLAIN, 'no other half')

        assert curvature(whole) < curvature(seen_half) / 3

    def test_where_depth_differs_from_block_to_block_they_are_small(self):
        frames = ramp_with(0.01)
        for gt in frames:
            gt[:, ::8] *= 3
            gt[:, 1::8] *= 3
            gt[:, 2::8] *= 3
            gt[:, 3::8] *= 3
        prior_m = baselines.fit_median_prior(frames, PLAIN, 'stripes')

        assert prior_m[32, 2] > 2 * prior_m[32, 6]


def test_the_mean_prior_is_that_of_each_pixel():
    prior = fit_mean_prior(Ramps(6), PLAIN, 1)
    truths = np.stack([Ramps(6)[index].target_m for index in range(6)])
    known = (truths > 0).any(axis=0)
    means = truths.sum(axis=0)[known] / (truths > 0).sum(axis=0)[known]
    np.testing.assert_allclose(prior.prior_m[known], means, rtol=1e-6)
    assert prior.describe()['method'] == 'prior-mean: mean depth of each pixel'


@pytest.mark.parametrize('n', [2, 7, 8])
def test_shuffled_answers_are_those_of_frames_far_away(n: int):
    moved = shuffled(range(n))
    assert sorted(moved) == [*range(n)]
    assert all(n // 2 <= abs(own - other) + n % 2 for own, other in enumerate(moved))


def test_a_prior_at_another_size_is_bilinear():
    prior_m = np.array([[1.0, 3.0]], np.float32)
    np.testing.assert_allclose(prior_at(prior_m, (1, 4)), [[1.0, 1.5, 2.5, 3.0]])


def test_the_fitted_constant_is_the_best_for_these_very_frames():
    source = Ramps(5)
    best_m, known = fit_constant(source, PLAIN, 2), truths(source)
    best = abs_rel(best_m, *known)
    assert best == pytest.approx(min(abs_rel(c, *known) for c in np.geomspace(1, 80, 2000)), 1e-3)


def test_frames_that_cannot_be_read_have_no_say():
    """What is wrong with them is told by the evaluation."""
    assert fit_constant(Ramps(5, bad=(4,)), PLAIN, 2) == fit_constant(Ramps(4), PLAIN, 1)


def test_the_constant_is_fitted_within_the_evaluated_window():
    """Ramps are near below: a window that leaves the top out has nearer depths."""
    garg = PLAIN.model_copy(update={'eval_crop': 'garg'})
    assert fit_constant(Ramps(5), garg, 1) < fit_constant(Ramps(5), PLAIN, 1)


def test_the_fitted_prior_is_the_best_for_each_block_of_all_frames():
    source = Ramps(6)
    prior = fit_prior(source, PLAIN, 2)
    assert prior.prior_m.shape == (HEIGHT, WIDTH)
    assert prior.describe()['fitted_on'] == 'ramps 0, 6 frames'
    said_m = blocks_of(prior.prior_m)
    for row, column in np.ndindex(said_m.shape):
        block = (slice(4 * row, 4 * row + 4), slice(4 * column, 4 * column + 4))
        depths, weights = [], []
        for target_m in (source[i].target_m for i in range(6)):
            counts = target_m > 1
            depths.append(target_m[block][counts[block]])
            weights.append(np.full(depths[-1].size, 1 / counts.sum()))
        known, weight = np.concatenate(depths), np.concatenate(weights)

        def error(depth_m: float, known: Any = known, weight: Any = weight) -> float:
            return float((weight * np.abs(depth_m - known) / known).sum())

        assert error(said_m[row, column]) <= 1.01 * min(map(error, known))


def test_a_prior_needs_frames_that_can_be_read():
    with pytest.raises(DataError, match='ramps 0 has no depth within 1 to 80 m') as error:
        fit_prior(Ramps(2, bad=(0, 1)), PLAIN, 1)
    assert '(2 x frame 0 of ramps 0 is truncated)' in str(error.value)


def test_without_any_frame_for_a_constant_each_reason_is_told():
    """Two frames do not decode, two have nothing in the range, one is too small for the crop."""
    empty, small = np.full((352, 1216), 300, np.float32), np.ones((300, 300), np.float32)
    truths = [DataError('frame 1: cut off'), empty, DataError('frame 2: cut off'), empty, small]
    protocol = PLAIN.model_copy(update={'gt_crop': 'kb'})
    with pytest.raises(DataError) as error:
        baselines.fit_constant(truths, protocol)
    assert str(error.value).startswith(
        'none of 5 frames has any depth that counts: 2 x frame 1: cut off; 2 x no ground truth '
        'between 1 and 80 m in the evaluated window (1216x352 at 0, 0); 1 x '
    )
    with pytest.raises(DataError, match='2 x frame 0 of ramps 0 is truncated'):
        fit_constant(Ramps(2, bad=(0, 1)), PLAIN, 1)


def test_answers_have_the_size_of_the_image():
    prior = PixelPrior(np.full((2, 2), 5.0, np.float32), 'others')
    for answers in (Constant(7.0), prior, UniformRandom(1.0, 80.0, 0)):
        maps = answers.answer([sample((4, 6)), sample((8, 2))])
        assert [each.depth_m.shape for each in maps] == [(4, 6), (8, 2)]
        assert {each.depth_m.dtype for each in maps} == {np.dtype(np.float32)}


def test_a_constant_says_that_it_is_tuned_on_what_it_is_judged_on():
    described = Constant(12.34).describe()
    assert described['depth_m'] == '12.34'
    assert 'the very frames' in described['tuned_on']


def test_dice_are_uniform_over_the_range():
    depth_m = UniformRandom(1.0, 80.0, 0).answer([sample((200, 300))])[0].depth_m
    assert (depth_m.min() >= 1.0, depth_m.max() <= 80.0) == (True, True)
    assert float(depth_m.mean()) == pytest.approx(40.5, abs=0.5)
    assert float(depth_m.std()) == pytest.approx(79 / np.sqrt(12), rel=0.02)


def test_dice_do_not_depend_on_the_order_of_frames():
    dice, a, b = UniformRandom(1.0, 80.0, 0), sample(name='a'), sample(name='b')
    forth = [each.depth_m for each in dice.answer([a, b])]
    back = [each.depth_m for each in UniformRandom(1.0, 80.0, 0).answer([b, a])]
    np.testing.assert_array_equal(forth, back[::-1])


@pytest.mark.parametrize('other', [
    {'name': 'b'}, {'recording': 'another'},
])
def test_dice_differ_between_frames(other):
    dice, one = UniformRandom(1.0, 80.0, 0), sample()
    first, second = dice.answer([one, dataclasses.replace(one, **other)])
    assert not np.array_equal(first.depth_m, second.depth_m)


def test_another_seed_gives_other_dice():
    first, second = (UniformRandom(1.0, 80.0, seed).answer([sample()])[0] for seed in (0, 1))
    assert not np.array_equal(first.depth_m, second.depth_m)
