# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From records of frames to a result: means, sums and problems, pooled as it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
import math

from clip_depth_ros.core.metrics import metrics_of, MetricSums, PixelErrors
from clip_depth_ros.evaluation.results.result import Problem, Result
from clip_depth_ros.evaluation.run.baselines import Constant
from clip_depth_ros.evaluation.run.collect import collect
from clip_depth_ros.evaluation.run.frames import FrameRecord
from clip_depth_ros.evaluation.score.intervals import Resampling
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.evaluation.score.score import FrameScore
import numpy as np
import pytest


def record(index: int, *problems: Problem, **values: Mapping[str, float]) -> FrameRecord:
    """Give a frame with values by predictor."""
    scores = {
        name: FrameScore(of, {'n': (1.0, index / 10)}) for name, of in values.items()
    }
    return FrameRecord(index, f'frame {index}', 'drive', 100 * index, scores, problems)


def collected(*records: FrameRecord, predictors: Sequence[str] = ('ours',), **changes) -> Result:
    keywords = {
        'answers': {name: Constant(1.0) for name in predictors}, 'title': 'plain',
        'protocol': EvaluationProtocol(), 'source': {}, 'settings': {}, 'versions': {},
        'resampling': Resampling(200), 'n_frames': len(records), **changes,
    }
    return collect(records, **keywords)


def test_means_are_over_the_frames_that_have_a_value():
    estimates = collected(
        record(0, ours={'a': 1.0, 'b': 5.0}), record(1, ours={'a': 2.0}),
        record(2, ours={'a': 6.0, 'b': 7.0}),
    ).predictors['ours'].estimates
    assert (estimates['a'].mean, estimates['a'].n_frames) == (3.0, 3)
    assert (estimates['b'].mean, estimates['b'].n_frames) == (6.0, 2)
    assert 1.0 <= estimates['a'].low < 3.0 < estimates['a'].high <= 6.0


def test_the_table_has_a_row_for_each_frame_with_any_score():
    result = collected(
        record(0, ours={'a': 1.0}, rival={'a': 3.0}), record(1), record(2, rival={'a': 4.0}),
        predictors=['ours', 'rival'],
    )
    assert [*result.frames.indices] == [0, 2]
    assert [*result.frames.names] == ['frame 0', 'frame 2']
    assert [*result.frames.stamps_ns] == [0, 200]
    np.testing.assert_array_equal(result.frames.values['ours']['a'], [1.0, math.nan])
    np.testing.assert_array_equal(result.frames.values['rival']['a'], [3.0, 4.0])
    assert [each.n_frames for each in result.predictors.values()] == [1, 2]


def test_predictors_come_in_the_order_they_were_asked_for():
    result = collected(
        record(0, ours={'a': 1.0}, constant={'a': 1.0}), predictors=['constant', 'ours']
    )
    assert [*result.predictors] == [*result.frames.values] == ['constant', 'ours']


def test_names_keep_their_order_whatever_the_first_frame_lacks():
    result = collected(
        record(0, ours={'near': 1.0, 'scale': 1.0}),
        record(1, ours={'near': 1.0, 'mid': 1.0, 'far': 1.0, 'scale': 1.0}),
    )
    names = [*result.predictors['ours'].estimates]
    assert names == ['near', 'mid', 'far', 'scale']


def test_sums_are_added_up():
    result = collected(*(record(index, ours={'a': 1.0}) for index in range(3)))
    sums = result.predictors['ours'].sums
    assert sums == {'n': (3.0, pytest.approx(0.3))}


def test_problems_of_the_source_and_of_frames_are_all_there():
    black = record(0, Problem('frame 0', 'is black'), ours={'a': 1.0})
    result = collected(black, source_problems=[('b.bag', 'is cut off')])
    assert result.problems == [Problem('b.bag', 'is cut off'), Problem('frame 0', 'is black')]


def test_notes_of_frames_stand_once_with_what_they_count_and_where():
    noted = [
        replace(record(0, ours={'a': 1.0}), notes={'points left out': 3, 'K was assumed': 0}),
        replace(record(1, ours={'a': 1.0}), notes={'points left out': 4}),
    ]
    source = collected(*noted, source={'notes': 'first; second'}).source
    assert source['notes'].split('; ') == [
        'first', 'second', 'points left out: 7', 'K was assumed (in 1 of 2 frames)'
    ]
    assert collected(*noted).source['notes'].startswith('points left out: 7; ')
    assert 'notes' not in collected(record(0, ours={'a': 1.0})).source


def test_sizes_of_the_images_that_count_are_told_the_most_frequent_first():
    sizes = ['320x96', '640x192', '640x192']
    records = [
        replace(record(index, ours={'a': 1.0}), image_size=size)
        for index, size in enumerate(sizes)
    ]
    left_out = replace(record(3), image_size='8x8')
    source = collected(*records, left_out, source={'name': 'it'}).source
    assert source == {'name': 'it', 'image_sizes': '640x192, 320x96'}


def test_a_note_with_a_semicolon_stays_one_note():
    noted = replace(record(0, ours={'a': 1.0}), notes={'depth is as it is; register it': 0})
    notes = collected(noted, source={'notes': 'first'}).source['notes'].split('; ')
    assert notes == ['first', 'depth is as it is, register it']


def test_without_any_score_nothing_is_estimated():
    ours = collected(record(0, Problem('frame 0', 'is black'))).predictors['ours']
    assert (ours.n_frames, ours.estimates) == (0, {})
    assert math.isnan(ours.scale_spread)


def test_the_spread_of_scales_is_that_of_their_logarithms():
    result = collected(*(
        record(index, ours={'scale': scale}) for index, scale in enumerate([1.0, math.e**0.2])
    ))
    assert result.predictors['ours'].scale_spread == pytest.approx(0.2 / math.sqrt(2))


def frames_of_pixels() -> list[tuple[np.ndarray, np.ndarray]]:
    dice = np.random.default_rng(1)
    truths = [dice.uniform(2, 70, n) for n in (10, 200, 50)]
    return [(gt * np.exp(dice.normal(0.1 * i, 0.3, gt.shape)), gt) for i, gt in enumerate(truths)]


def metrics(pred: np.ndarray, gt: np.ndarray) -> dict[str, float]:
    """Return all metrics of pixels, with a threshold of the user's."""
    [of_all] = metrics_of(MetricSums.of(PixelErrors.of(pred, gt, [1.05])), [1.05])
    named = asdict(of_all)
    [named['delta_1.05']] = named.pop('more_deltas')
    return {f'none/{name}': value for name, value in named.items()}


def test_pooled_metrics_are_those_of_all_pixels_in_one_image():
    frames = frames_of_pixels()
    records = [record(i, ours=metrics(*each)) for i, each in enumerate(frames)]
    by_pixel = EvaluationProtocol(aggregation='pixel')
    estimates = collected(*records, protocol=by_pixel).predictors['ours'].estimates
    expected = metrics(*map(np.concatenate, zip(*frames, strict=True)))
    del expected['none/n']
    assert {name: estimates[name].mean for name in expected} == pytest.approx(expected)
    assert all(estimates[name].low <= estimates[name].high for name in expected)


def test_what_is_no_metric_of_pixels_stays_a_mean_over_images():
    records = [
        record(i, ours={'none/n': n, 'coverage': c, 'flicker': c, 'flicker/n': n})
        for i, (n, c) in enumerate([(10, 0.5), (1000, 1.0)])
    ]
    by_pixel = EvaluationProtocol(aggregation='pixel')
    estimates = collected(*records, protocol=by_pixel).predictors['ours'].estimates
    assert {name: each.mean for name, each in estimates.items()} == {
        'none/n': 505.0, 'coverage': 0.75, 'flicker': 0.75, 'flicker/n': 505.0
    }
