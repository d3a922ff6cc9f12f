# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A result in one sentence: how good, against what sees no image, where it fails, how sure."""

from __future__ import annotations

from dataclasses import replace
import math

from clip_depth_ros.evaluation.results.result import Estimate, PredictorResult, Result
from clip_depth_ros.evaluation.results.verdict import percent, verdict
from made_up_results import hand_made_result
import pytest


def scored(n_frames: int, n_effective: float = math.nan, **means: float) -> Result:
    """Return a result of predictors with these abs_rel, each known to a tenth."""
    return hand_made_result(predictors={
        name: PredictorResult(
            describe={}, n_frames=n_frames, scale_spread=0.1, sums={},
            estimates={'none/abs_rel': Estimate(
                mean, 0.9 * mean, 1.1 * mean, n_frames, n_effective or n_frames,
            )},
        )
        for name, mean in means.items()
    })


def with_first(result: Result, **changes: object) -> Result:
    (name, first), *others = result.predictors.items()
    return replace(result, predictors={name: replace(first, **changes), **dict(others)})


def with_estimates(result: Result, means: dict[str, float]) -> Result:
    first = next(iter(result.predictors.values()))
    more = {name: Estimate(mean, mean, mean, 100) for name, mean in means.items()}
    return with_first(result, estimates={**first.estimates, **more})


@pytest.mark.parametrize(('blind', 'said'), [
    ({'constant': 0.5}, 'clearly better than the best constant depth, which sees no image (50 %)'),
    ({'constant': 0.1}, 'worse than the best constant depth, which sees no image (10 %)'),
    ({'constant': 0.21}, 'not shown to be better than the best constant depth'),
    ({'constant': 0.5, 'prior': 0.3}, 'than the usual depth of each part of the image'),
    ({'shuffled ours': 0.5}, 'than its own answers for other images (50 %)'),
    ({'depthclip': 0.5}, '(no baseline was evaluated beside it)'),
])
def test_it_is_told_whether_it_beats_the_best_of_what_sees_no_image(blind, said):
    assert said in verdict(scored(100, ours=0.2, **blind))


@pytest.mark.parametrize(('n_frames', 'worth', 'said'), [
    (1, 1, 'one frame is too few to trust this number'),
    (4, 4, '4 frames are too few to trust this number'),
    (400, 4, '400 frames, worth about 4 independent ones, are too few to trust this number'),
    (20, 20, 'the number is rough (18 % to 22 % with 95 % confidence), as 20 frames are few'),
    (100, 100, 'the number can be trusted for frames like these (18 % to 22 % with'),
    (100, math.nan, 'the number can be trusted for frames like these'),
])
def test_it_is_told_whether_to_trust_the_number(n_frames, worth, said):
    assert said in verdict(scored(n_frames, worth, ours=0.2, constant=0.5))


def test_few_frames_show_nothing_better_than_anything():
    said = verdict(scored(4, 4, ours=0.2, constant=0.5))
    assert 'better' not in said
    assert ', against 50 % for the best constant depth, which sees no image;' in said


def test_it_is_told_where_it_is_worst():
    result = with_estimates(scored(100, ours=0.2), {
        'depth 0-10 m/abs_rel': 0.1, 'depth 40-80 m/abs_rel': 0.4,
        'region top left/abs_rel': 0.3, 'region top right/abs_rel': 0.05,
    })
    assert (
        '; it is worst at 40-80 m (40 %) and in the top-left part of the image (30 %); '
        in verdict(result)
    )


def test_nothing_is_said_of_parts_that_are_about_alike():
    result = with_estimates(scored(100, ours=0.2), {
        'depth 0-10 m/abs_rel': 0.285, 'depth 10-20 m/abs_rel': 0.251,
        'depth 40-80 m/abs_rel': 0.286,
    })
    assert 'worst' not in verdict(result)


@pytest.mark.parametrize(('change', 'said'), [
    (lambda of: with_estimates(of, {'scale': 0.001}), 'does not seem to be in metres'),
    (lambda of: with_estimates(of, {'coverage': 0.9}), '10 % of the pixels have no answer'),
    (lambda of: with_first(of, cameras={'assumed': 3}), 'the camera was guessed'),
])
def test_what_speaks_against_the_number_is_told(change, said):
    assert said in verdict(change(scored(100, ours=0.2)))


def test_what_was_fitted_is_told():
    result = scored(100, ours=0.2)
    found = result.predictors['ours']
    fitted = with_first(
        replace(result, protocol={'alignment': 'median'}),
        estimates={'median/abs_rel': found.estimates['none/abs_rel']},
    )
    assert 'on average, once each image is scaled to its truth (' in verdict(fitted)


def test_without_a_score_nothing_is_claimed():
    nothing = with_first(scored(3, ours=0.2), estimates={})
    assert verdict(nothing) == 'Nothing can be said about ours: no frame could be scored.'


@pytest.mark.parametrize(('share', 'text'), [
    (0.0, '0.0 %'), (0.0949, '9.5 %'), (0.0996, '10 %'), (0.234, '23 %'), (3.119, '312 %'),
])
def test_percentages_are_short(share, text):
    assert percent(share) == text
