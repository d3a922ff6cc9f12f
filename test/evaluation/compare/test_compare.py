# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Comparisons: they say who is better where the frames show it, and only there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import starmap
import json
import math
import re

from clip_depth_ros.errors import ConfigError, DataError
from clip_depth_ros.evaluation.compare.paired import compare, Comparison, Contender, Difference
from clip_depth_ros.evaluation.compare.text import (
    comparison_json,
    comparison_markdown,
    comparison_text,
)
from clip_depth_ros.evaluation.results.result import (
    FrameTable,
    PredictorResult,
    read_result,
    Result,
    write_result,
)
from clip_depth_ros.evaluation.run.evaluate import Evaluation, scored_frames
from clip_depth_ros.evaluation.run.frames import SCORING
from clip_depth_ros.evaluation.score.intervals import Resampling
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.evaluation.score.score import FrameScore, is_judged, score_frame
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import DepthMap
from made_up_results import drive_result
import numpy as np
import pytest
from ramps import Ramps

ABS_REL = 'none/abs_rel'


def result(
    names: Sequence[str] | None = None, *, title: str = 'plain', describe: dict | None = None,
    source: dict | None = None, stamps_ns: Sequence[int] | None = None,
    **values: Sequence[float],
) -> Result:
    """Give a result with values of the predictor 'ours'; '__' in names stands for '/'."""
    columns = {name.replace('__', '/'): column for name, column in values.items()}
    n_frames = len(next(iter(columns.values())))
    names = names or [f'frame {i}' for i in range(n_frames)]
    ours = PredictorResult(
        describe=describe or {}, n_frames=n_frames, estimates={}, scale_spread=0.0, sums={}
    )
    return Result(
        title=title, protocol={}, source=source or {}, settings={}, versions={},
        n_frames=n_frames, problems=[], predictors={'ours': ours},
        frames=FrameTable(
            indices=range(n_frames), names=names, recordings=['drive'] * n_frames,
            stamps_ns=stamps_ns or [None] * n_frames, values={'ours': columns},
        ),
    )


def compared(a: Result, b: Result, **changes) -> Comparison:
    entries = [('a.json', a, 'ours'), ('b.json', b, 'ours')]
    return compare(*starmap(Contender, entries), **{'resampling': Resampling(500), **changes})


def difference(a: Sequence[float], b: Sequence[float], name: str = ABS_REL) -> Difference:
    pair = compared(*(result(**{name: each}) for each in (a, b))).pairs[0]
    return pair.differences[0]


def errors(n: int = 100) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.05, 0.5, n)


def test_a_small_difference_on_every_frame_shows_though_frames_differ_much_more():
    of = difference(errors(), errors() + 0.01)
    assert of.verdict == 'A better'
    assert of.difference.mean == pytest.approx(0.01)
    assert (of.a_better, of.b_better) == (1.0, 0.0)


def test_noise_shows_no_difference():
    noise = np.random.default_rng(1).normal(0, 0.05, 100)
    of = difference(errors(), errors() + noise - noise.mean())
    assert of.verdict == 'no difference shown'
    assert of.difference.low < 0 < of.difference.high


def test_the_other_way_round_the_other_one_is_better():
    assert difference(errors() + 0.01, errors()).verdict == 'B better'


@pytest.mark.parametrize('name', ['none/delta1', 'median/delta3', 'coverage'])
def test_of_some_values_more_is_better(name):
    of = difference(errors(), errors() + 0.01, name)
    assert (of.verdict, of.b_better) == ('B better', 1.0)


def test_the_same_values_are_ties():
    of = difference(errors(), errors())
    assert of.verdict == 'no difference shown'
    assert (of.a_better, of.b_better, of.difference.mean) == (0.0, 0.0, 0.0)


def test_one_frame_tells_nothing():
    of = difference([0.1], [0.9])
    assert of.verdict == 'too few frames to tell'
    assert math.isnan(of.difference.low)


def test_one_block_tells_nothing():
    a, b = (result(none__abs_rel=[error] * 9) for error in (0.1, 0.9))
    pair = compared(a, b, resampling=Resampling(100, block=9)).pairs[0]
    assert pair.differences[0].verdict == 'too few frames to tell'
    assert 'too few frames to tell' in comparison_text(compared(a, b, resampling=Resampling(9, 9)))


def test_by_hand():
    of = difference([0.1, 0.2, math.nan], [0.3, 0.2, 0.1])
    assert (of.mean_a, of.mean_b) == (pytest.approx(0.15), pytest.approx(0.25))
    assert (of.difference.mean, of.difference.n_frames) == (pytest.approx(0.1), 2)
    assert (of.a_better, of.b_better) == (0.5, 0.0)


def test_frames_are_matched_by_name():
    a = result(['x', 'y', 'z'], none__abs_rel=[0.1, 0.2, 0.3])
    b = result(['z', 'w', 'x'], none__abs_rel=[0.5, 9.0, 0.4])
    pair = compared(a, b).pairs[0]
    assert pair.n_frames == 2
    assert pair.differences[0].mean_a == pytest.approx(0.2)
    assert pair.differences[0].mean_b == pytest.approx(0.45)
    assert '1 of 3 frames of A are not in the other' in pair.warnings
    assert '1 of 3 frames of B are not in the other' in pair.warnings


def test_frames_that_a_folder_was_put_before_are_matched_by_their_time():
    """Sources of frames of the same names are told apart so, where there are several."""
    a = result(['x', 'y'], stamps_ns=[1, 2], none__abs_rel=[0.1, 0.2])
    b = result(
        ['p/x', 'q/x', 'p/y', 'q/y'], stamps_ns=[1, 7, 2, 8], none__abs_rel=[0.3, 9.0, 0.5, 9.0]
    )
    for one, other in ((a, b), (b, a)):
        pair = compared(one, other).pairs[0]
        assert pair.n_frames == 2
        means = (pair.differences[0].mean_a, pair.differences[0].mean_b)
        assert sorted(means) == pytest.approx([0.15, 0.4])
        assert any('by the end of their names' in warning for warning in pair.warnings)


@pytest.mark.parametrize(('names', 'stamps_ns'), [
    (['p/x', 'q/x'], [1, 1]), (['p/x'], [2]), (['px'], [1]), (['p/x'], [None]),
])
def test_where_it_is_not_sure_which_frame_is_meant_none_is_matched(names, stamps_ns):
    a = result(['x'], stamps_ns=[1], coverage=[1.0])
    b = result(names, stamps_ns=stamps_ns, coverage=[1.0] * len(names))
    for one, other in ((a, b), (b, a)):
        with pytest.raises(DataError, match='no frame in common'):
            compared(one, other)


def test_only_values_that_both_have_are_compared():
    a = result(none__abs_rel=[0.1, 0.2], flicker=[1.0, 1.0], scale=[1.0, 1.0])
    b = result(none__abs_rel=[0.1, 0.2], roughness=[1.0, 1.0], scale=[1.0, 1.0])
    assert [of.name for of in compared(a, b).pairs[0].differences] == [ABS_REL]


def test_a_new_number_of_frames_is_compared_by_itself(tmp_path):
    """From what ``score_frame`` returns through two result files to the printed table."""
    contenders = []
    for factor in (1.1, 1.3):
        evaluation = Evaluation(
            source=Ramps(12), answers={'ours': Factor(factor)}, protocol=EvaluationProtocol()
        )
        scoring = SCORING._replace(score=score_with_new_numbers)
        records = scored_frames(evaluation, scoring=scoring)
        path = tmp_path / f'{factor}.json'
        write_result(evaluation.result(records, evaluation.identity()), path)
        contenders.append(Contender(path.name, read_result(path), 'ours'))

    text = comparison_text(compare(*contenders, resampling=Resampling(100)))

    lines = [line.strip() for line in text.splitlines()]
    for start in (r'worst error +0\.1000 +0\.3000 ', r'sky worst error +0\.2000 +0\.6000 '):
        [line] = [line for line in lines if re.match(start, line)]
        assert line.endswith('A better')


@dataclass(frozen=True)
class Factor:
    """Answers the truth times a factor."""

    factor: float

    def answer(self, samples: Sequence[DepthSample]) -> list[DepthMap]:
        return [DepthMap(self.factor * sample.target_m) for sample in samples]

    def describe(self) -> dict[str, str]:
        return {'factor': f'{self.factor}'}

    def close(self) -> None:
        pass


def score_with_new_numbers(
    answer: DepthMap, sample: DepthSample, protocol: EvaluationProtocol
) -> FrameScore:
    """Return what ``score_frame`` does with two numbers more, one of them of a new group."""
    score = score_frame(answer, sample, protocol)
    known = sample.target_m > 0
    worst = float(np.max(np.abs(answer.depth_m - sample.target_m)[known] / sample.target_m[known]))
    return FrameScore(
        {**score.values, 'worst_error': worst, 'sky/worst_error': 2 * worst}, score.sums
    )


@pytest.mark.parametrize(('name', 'is_compared'), [
    ('none/abs_rel', True), ('median/delta1', True), ('coverage', True), ('flicker', True),
    ('worst_error', True), ('flicker/worst', True),
    ('none/n', False), ('flicker/n', False), ('flicker/estimated', False),
    ('none/log_bias', False), ('scale', False),
    ('depth 0-10 m/abs_rel', False), ('region top left/abs_rel', False),
    ('class car/abs_rel', False),
])
def test_numbers_that_judge_the_whole_image_are_compared(name, is_compared):
    assert is_judged(name) is is_compared


def test_the_first_is_compared_with_each_other_one():
    entries = [Contender(name, result(none__abs_rel=[0.1, 0.2]), 'ours') for name in 'abc']
    pairs = compare(*entries, resampling=Resampling(100)).pairs
    assert [(pair.a, pair.b) for pair in pairs] == [('a', 'b'), ('a', 'c')]


def test_no_frame_in_common_is_refused_with_examples():
    a, b = result(['x', 'y'], none__abs_rel=[0.1, 0.2]), result(['z'], none__abs_rel=[0.1])
    with pytest.raises(DataError, match=r"'drive x', ... against 'drive z'"):
        compared(a, b)


def test_different_protocols_are_refused_unless_that_is_asked_for():
    a = result(none__abs_rel=[0.1, 0.2])
    b = result(title='garg', none__abs_rel=[0.1, 0.2])
    with pytest.raises(ConfigError, match=r"a.json is 'plain', b.json is 'garg'.*allow-different"):
        compared(a, b)
    pair = compared(a, b, allow_different=True).pairs[0]
    assert 'protocols differ: A is plain; B is garg' in pair.warnings


def test_a_predictor_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ConfigError, match=r"a.json has no predictor 'theirs'; it has ours"):
        compare(*[Contender('a.json', result(coverage=[1.0]), 'theirs')] * 2)


def test_a_result_without_predictors_says_so():
    nothing = replace(result(coverage=[1.0]), predictors={})
    with pytest.raises(ConfigError, match=r'a.json has no predictors'):
        compare(*[Contender('a.json', nothing, '')] * 2)


def test_a_result_stands_for_its_first_predictor():
    a, b = result(none__abs_rel=[0.1, 0.2]), result(none__abs_rel=[0.2, 0.2])
    pair = compare(a, b).pairs[0]
    assert (pair.a, pair.b) == ('ours', 'ours')
    assert pair.differences == compared(a, b, resampling=Resampling()).pairs[0].differences


def test_of_one_result_all_others_are_compared_with_the_first():
    pairs = compare(drive_result()).pairs
    assert [(pair.a, pair.b) for pair in pairs] == [('ours', 'constant'), ('ours', 'random')]


def test_one_is_not_enough():
    with pytest.raises(ConfigError, match='two or more are needed to compare, got 1'):
        compare(Contender('a', result(coverage=[1.0]), 'ours'))


@pytest.mark.parametrize(('a', 'b', 'warning'), [
    ({'weights': 'x', 'flip': 'on'}, {'weights': 'x', 'flip': 'off'},
     'A and B have the same weights; they differ in flip'),
    ({'weights': 'x'}, {'weights': 'x'},
     'A and B say the same of themselves: nothing was changed between them'),
])
def test_what_was_probably_not_meant_is_warned_of(a, b, warning):
    pair = compared(
        result(describe=a, coverage=[1.0]), result(describe=b, coverage=[1.0])
    ).pairs[0]
    assert warning in pair.warnings


def test_other_weights_are_no_warning():
    pair = compared(
        result(describe={'weights': 'x'}, coverage=[1.0] * 30),
        result(describe={'weights': 'x', 'clip2depth_weights': 'y'}, coverage=[1.0] * 30),
    ).pairs[0]
    assert pair.warnings == []


@pytest.mark.parametrize(('n_frames', 'verdict', 'warning'), [
    (3, 'too few frames to tell', 'no verdict is given on fewer than 10 independent frames'),
    (10, 'A better', 'few independent frames: below about 30'),
    (30, 'A better', ''),
])
def test_of_few_frames_no_verdict_is_given_and_of_some_it_comes_too_often(
    n_frames, verdict, warning
):
    """Of three frames, all three agree by chance in one of four comparisons."""
    a, b = (
        result(**{ABS_REL: [error] * n_frames}, describe={'method': name})
        for name, error in (('a', 0.1), ('b', 0.2))
    )
    pair = compared(a, b).pairs[0]
    assert pair.differences[0].verdict == verdict
    assert [each[:len(warning)] for each in pair.warnings] == ([warning] if warning else [])


def test_a_film_of_one_scene_is_no_proof_however_many_frames_it_has():
    drift = np.linspace(0.001, 0.02, 400)  # A is better in each frame, and more and more so
    pair = compared(
        result(**{ABS_REL: errors(400)}, describe={'method': 'a'}),
        result(**{ABS_REL: errors(400) + drift}, describe={'method': 'b'}),
    ).pairs[0]

    [of] = pair.differences
    assert of.verdict == 'too few frames to tell'
    assert of.difference.n_frames == 400
    assert of.difference.n_effective < 3
    assert [warning.partition(':')[0] for warning in pair.warnings] == [
        'neighbouring frames score alike',
        'no verdict is given on fewer than 10 independent frames',
    ]


def test_the_same_frames_as_single_images_are_proof():
    """What makes the film doubtful is that its frames follow each other."""
    drift = np.random.default_rng(0).permutation(np.linspace(0.001, 0.02, 400))
    a, b = (result(**{ABS_REL: errors(400) + more}) for more in (0.0, drift))
    assert compared(a, b).pairs[0].differences[0].verdict == 'A better'


def test_of_equals_on_a_film_one_is_found_better_as_rarely_as_promised():
    """Errors that remember nine tenths from frame to frame: before, in two of three drives."""
    dice, names = np.random.default_rng(0), [
        f'{alignment}/{metric}' for alignment in ('none', 'median', 'scale-shift')
        for metric in ('abs_rel', 'sq_rel', 'rmse', 'rmse_log', 'log10', 'silog')
    ]

    def found_better() -> int:
        a, b = (result(**{name: remembering(0.9, 100, dice) for name in names}) for _ in 'ab')
        verdicts = [each.verdict for each in compared(a, b).pairs[0].differences]
        return sum('better' in verdict for verdict in verdicts)

    assert sum(found_better() for _ in range(20)) / (20 * len(names)) < 0.07


def remembering(phi: float, n_frames: int, dice: np.random.Generator) -> list[float]:
    values = [dice.normal()]
    for fresh in dice.normal(0, math.sqrt(1 - phi**2), n_frames - 1):
        values.append(phi * values[-1] + fresh)
    return [1 + 0.1 * value for value in values]


def test_frames_that_one_has_not_answered_count_for_coverage_alone():
    a = result(**{ABS_REL: [0.1, 0.2, 0.3]}, coverage=[1.0, 1.0, 1.0])
    b = result(**{ABS_REL: [0.1, math.nan, 0.3]}, coverage=[1.0, 0.0, 1.0])

    pair = compared(a, b).pairs[0]

    assert pair.n_frames == 2
    assert any(warning.startswith('B has answered 2 of 3 frames') for warning in pair.warnings)
    n_frames = {each.name: each.difference.n_frames for each in pair.differences}
    assert n_frames == {ABS_REL: 2, 'coverage': 3}


def test_a_protocol_over_pixels_is_not_what_a_comparison_frame_by_frame_is():
    a, b = (replace(result(coverage=[1.0]), protocol={'aggregation': 'pixel'}) for _ in 'ab')
    [warning] = [each for each in compared(a, b).pairs[0].warnings if 'pixels' in each]
    assert 'each frame has one value and one say' in warning


def test_other_sources_are_warned_of():
    a, b = (result(source={'gt': gt}, coverage=[1.0]) for gt in ('exact', 'LiDAR'))
    assert 'sources differ in gt' in compared(a, b).pairs[0].warnings


def test_other_files_of_the_same_source_are_warned_of():
    a, b = (
        result(source={'name': 'drive', 'files': files}, coverage=[1.0]) for files in ('12', '34')
    )
    [warning] = [each for each in compared(a, b).pairs[0].warnings if 'files' in each]
    assert warning.startswith('the files of the sources differ in path, size or time')


def everything() -> Comparison:
    a = result(none__abs_rel=errors(), none__delta1=errors(), coverage=np.ones(100))
    b = result(none__abs_rel=errors() + 0.01, none__delta1=errors(), coverage=np.ones(100))
    return compared(a, b)


def test_the_text_says_by_which_protocol_who_is_better_in_what():
    text = comparison_text(everything())
    said, rest = text.split('\n\n', 1)
    assert said.startswith('a.json is better than b.json: off by ')
    assert rest.startswith('plain\n\nA: a.json\nB: b.json\n100 frames in both\n')
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert '+0.0100  +0.0100 to +0.0100' in lines['abs_rel']
    assert lines['abs_rel'].endswith('A better')
    assert lines['δ1'].endswith('no difference shown')
    assert max(map(len, text.splitlines())) <= 100
    assert '500 resamples' in text


def test_markdown_has_a_table_for_each_alignment():
    text = comparison_markdown(everything())
    assert text.startswith('a.json is better than b.json: off by ')
    assert '.\n\n# plain\n\n- A: a.json\n' in text
    assert '## As answered, nothing fitted (alignment none)' in text
    assert '## Besides' in text
    assert 'alignment median' not in text


def test_json_has_all_numbers():
    content = json.loads(json.dumps(comparison_json(everything()), allow_nan=False))
    of = content['pairs'][0]['differences'][0]
    assert content['conclusion'].startswith('a.json is better than b.json')
    assert content['title'] == 'plain'
    assert (of['name'], of['verdict']) == (ABS_REL, 'A better')
    assert of['difference']['mean'] == pytest.approx(0.01)


def test_results_with_another_use_of_the_camera_compare_and_that_is_said():
    def of(describe: dict[str, str], **cameras: int) -> Result:
        one = result(none__abs_rel=errors(), describe={'weights': 'w', **describe})
        found = replace(one.predictors['ours'], cameras=cameras)
        return replace(one, predictors={'ours': found})

    used, ignored, older = of({}, used=100), of({}, ignored=100), of({})
    assumed = of({'assumed_hfov_deg': '60'}, assumed=100)
    warnings = compared(used, ignored).pairs[0].warnings
    assert 'the camera was used for A, and ignored for B' in warnings
    assert 'A and B have the same weights; they differ in camera' in warnings
    [said, *_] = compared(used, assumed).pairs[0].warnings
    assert said == 'the camera was used for A, and assumed to be 60 degrees wide for B'
    for same in (used, older):
        assert not any('the camera was' in each for each in compared(used, same).pairs[0].warnings)
