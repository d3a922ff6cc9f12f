# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What became of the camera stands over every table: used, assumed or ignored."""

from __future__ import annotations

from clip_depth_ros.evaluation.results.camera_use import camera_words, heading
from clip_depth_ros.evaluation.results.csv_file import frames_csv
from clip_depth_ros.evaluation.results.result import PredictorResult, read_result, write_result
from clip_depth_ros.evaluation.results.summary import summary_markdown, summary_text
from made_up_results import hand_made_result, TITLE
import pytest


def found(hfov_deg: str = '', **n_frames: int) -> PredictorResult:
    """Give a predictor, and frames by what became of their camera."""
    return PredictorResult(
        describe={'assumed_hfov_deg': hfov_deg} if hfov_deg else {}, n_frames=4, estimates={},
        scale_spread=0.0, sums={}, cameras=n_frames,
    )


@pytest.mark.parametrize(('predictors', 'words'), [
    ([found(used=4)], 'camera used'),
    ([found('60', assumed=4)], 'camera assumed to be 60 degrees wide'),
    ([found(assumed=4, used=0)], 'camera assumed'),
    (
        [found('62.5', used=3, assumed=1)],
        'camera used for 3 of 4 frames and assumed to be 62.5 degrees wide for 1 of 4 frames',
    ),
    ([found(used=4), found(used=4)], 'camera used'),
    ([found(used=4), found(ignored=4)], 'camera used by p0, ignored by p1'),
    ([found(used=4), found()], 'camera used by p0'),  # a topic is shown no image
    ([found()], ''),
])
def test_it_is_said_in_words(predictors: list[PredictorResult], words: str) -> None:
    """Baselines look at no image, and need not be told apart."""
    named = {f'p{i}': each for i, each in enumerate(predictors)}
    for others in ({}, {'constant': found()}):
        assert camera_words(hand_made_result(predictors={**named, **others})) == words


def test_it_stands_over_everything(tmp_path) -> None:
    result = hand_made_result(predictors={'ours': found(used=4), 'constant': found()})
    assert heading(result) == f'{TITLE}, camera used'
    assert next(frames_csv(result)) == f'# {TITLE}, camera used\n'
    assert 'camera used' in ' '.join(summary_text(result).split())
    assert f'\n\n# {TITLE}, camera used\n' in summary_markdown(result)
    write_result(result, tmp_path / 'a.json')
    assert read_result(tmp_path / 'a.json').predictors['ours'].cameras == {'used': 4}


def test_what_is_assumed_is_a_note_with_what_to_do() -> None:
    result = hand_made_result(predictors={'ours': found('60', used=1, assumed=3)})
    text = ' '.join(summary_text(result).split())
    assert 'note: ours: the camera of 3 frames is not known, and a field of view is' in text
    assert 'name the camera' in text


def test_results_from_before_it_was_written_down_are_read(tmp_path) -> None:
    """They say nothing of it, and nothing is said."""
    path = tmp_path / 'a.json'
    write_result(hand_made_result(), path)
    text = path.read_text()
    older = text.replace(',\n      "cameras": {}', '')
    assert older != text
    path.write_text(older)
    assert heading(read_result(path)) == TITLE
