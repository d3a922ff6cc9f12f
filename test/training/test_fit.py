# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""DepthCLIP fitted to a place: what is written, what it is worth, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clip_depth_ros.core.metrics import mean_metrics
from clip_depth_ros.errors import ClipDepthError, ConfigError, DataError, OutputError
from clip_depth_ros.evaluation.score.protocols import load_protocol
from clip_depth_ros.evaluation.score.score import score_frame
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.fit import FitSettings
from clip_depth_ros.settings.node import read_preset
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.sources.frames import open_for_evaluation
from clip_depth_ros.training.place.fit import fit_place, FitResult
from clip_depth_ros.training.place.words import ContextWords
import cv2
import numpy as np
import pytest

TINY: Any = PredictorSettings(
    backbone='tiny', pretrained='bundled', device='cpu', precision='fp32', flip=False,
)
STREETS = {'frames_per_seed': 3, 'width_px': 80, 'height_px': 24}
HELD_OUT = {**STREETS, 'validation_data': ('900000',)}


def fitted(out_dir: Path, predictor: Any = TINY, **settings: Any) -> FitResult:
    return fit_place(['5'], FitSettings(**settings), predictor, out_dir)


@pytest.fixture(scope='module')
def result(tmp_path_factory: pytest.TempPathFactory) -> FitResult:
    return fitted(tmp_path_factory.mktemp('place'), **HELD_OUT, learn_words=True)


def test_it_is_never_worse_than_zero_shot_on_the_frames_of_the_fit(result: FitResult):
    of_fit = result.on_fit
    assert of_fit['learned words'] <= of_fit['fitted'] <= of_fit['zero-shot']


def test_the_table_has_what_was_fitted_and_what_looks_at_no_image(result: FitResult):
    assert [*result.held_out] == [
        'zero-shot', 'fitted', 'learned words', 'prior', 'best constant',
    ]
    assert (result.n_fitted, result.n_held_out) == (3, 3)
    assert '3 held-out frames show nothing for certain' in result.notes


def test_a_predictor_of_the_file_answers_as_the_table_says(result: FitResult):
    values = read_preset(str(result.path))
    predictor = build_predictor(PredictorSettings(**values))
    protocol = load_protocol('plain')
    frames = open_for_evaluation(['900000'], FitSettings(**STREETS))
    each = mean_metrics([
        score_frame(predictor.predict(sample.rgb, sample.intrinsics), sample, protocol).metrics()
        for sample in (frames[index] for index in range(len(frames)))
    ])
    assert each.abs_rel == pytest.approx(result.held_out['learned words'].abs_rel, rel=1e-5)
    described = predictor.describe()
    assert described['fitted_on'] == '3 frames of the synthetic drive'
    assert described['words'].startswith('learned (words.safetensors, sha256 ')
    assert 'temperature' not in described.get('notes', '')


def test_report_and_pictures_lie_beside_it(result: FitResult):
    report = json.loads((result.path.parent / 'fit.json').read_text())
    assert report['held_out']['fitted']['abs_rel'] == result.held_out['fitted'].abs_rel
    for name in ('before.png', 'after.png'):
        assert cv2.imread(str(result.path.parent / name)) is not None


def test_nothing_is_overwritten_unless_that_is_asked_for(result: FitResult):
    before = result.path.read_bytes()
    with pytest.raises(OutputError, match=r'fitted\.yaml.* already: .*--force'):
        fitted(result.path.parent, **HELD_OUT)
    assert result.path.read_bytes() == before


def test_each_scene_of_the_place_has_its_own_bins(tmp_path: Path):
    scenes = TINY.changed(scene_aware=True, scene_bins=('road: outdoor', 'house: outdoor'))
    result = fit_place(['6-7'], FitSettings(**HELD_OUT), scenes, tmp_path / 'place')
    assert sum(result.scenes.values()) == 6
    assert result.on_fit['scene-wise'] < result.on_fit['fitted'] < result.on_fit['zero-shot']
    written = PredictorSettings(**read_preset(str(result.path)))
    assert written.scene_aware
    road_m, house_m = written.resolved_scenes().values()
    assert road_m != house_m


def test_a_scene_that_no_frame_shows_is_named(tmp_path: Path):
    scenes = TINY.changed(scene_aware=True, scene_bins=('fence: outdoor', 'person: outdoor'))
    with pytest.raises(ConfigError, match=r"scene_bins: none of the 3 frames .* 'person' \(3 as"):
        fitted(tmp_path / 'place', scenes, **HELD_OUT)
    assert not (tmp_path / 'place').exists()


def test_words_learned_start_as_their_sentences():
    predictor: Any = build_predictor(TINY.changed(method='depthclip'))
    words = ContextWords(predictor.network.backbone, predictor.settings)
    np.testing.assert_allclose(words().detach(), predictor.words, atol=1e-5)
    assert words.context.shape[0] == 3  # This object is


@pytest.mark.parametrize(('predictor', 'settings', 'said'), [
    ({'method': 'clip2depth'}, {}, "method='clip2depth' has no words and bins"),
    ({'prompt_objects': ('car', 'wall')}, {'learn_words': True}, '1 prompt_templates and 2'),
    ({'depth_words': ('near', 'Near'), 'bins_m': (1.0, 9.0)}, {},
     "depth_words: this CLIP reads 'near' and 'Near' alike"),
    ({'scene_aware': True, 'scene_bins': ('town: outdoor', 'village: outdoor')}, {},
     "scene_bins: this CLIP reads 'town' and 'village' alike"),  # it has learned neither
    ({'depth_words': ('near ' * 90, 'far'), 'bins_m': (1.0, 9.0)}, {},
     'a prompt may have 75 tokens'),
    ({'learned_words': 'words.safetensors'}, {}, 'learned_words would not be used'),
])
def test_what_cannot_be_fitted_is_said_before_anything_is_written(
    predictor: Any, settings: Any, said: str, tmp_path: Path
):
    with pytest.raises(ClipDepthError, match=said):
        fitted(tmp_path / 'place', TINY.changed(**predictor), **HELD_OUT, **settings)
    assert not (tmp_path / 'place').exists()


def test_words_outside_of_clips_vocabulary_are_named(tmp_path: Path):
    odd = TINY.changed(depth_words=('near', 'xqzt'), bins_m=(2.0, 9.0))
    notes = fitted(tmp_path / 'place', odd, **HELD_OUT).notes
    assert any('1 of depth_words are not in the vocabulary of CLIP' in note for note in notes)
    assert any("'xqzt' (x + q + zt)" in note for note in notes)


def test_too_few_frames_are_refused_with_the_number_that_is_wanted(tmp_path: Path):
    few = {**STREETS, 'frames_per_seed': 2}
    with pytest.raises(DataError, match='has 2 frames, 2 to fit to and one to hold out'):
        fitted(tmp_path, **few)
    with pytest.raises(DataError, match=r'2 of 2 frames have depth .* 3 or more are wanted'):
        fitted(tmp_path, **few, leave_one_out=True)
    assert [*tmp_path.iterdir()] == []


def test_held_out_streets_are_others(tmp_path: Path):
    with pytest.raises(ConfigError, match=r'seed 5 is in data .* and in validation_data'):
        fitted(tmp_path, **STREETS, validation_data=('5',))


def test_depth_that_is_nowhere_valid_is_an_error_that_says_why(tmp_path: Path):
    for index in range(4):
        cv2.imwrite(str(tmp_path / f'{index}.png'), np.full((24, 80, 3), 99, np.uint8))
        np.save(tmp_path / f'{index}.npy', np.zeros((24, 80), np.float32))
    settings = FitSettings(kind='pattern', images='*.png', gt_images='*.npy')
    with pytest.raises(DataError, match=r'0 of 3 frames have depth .* no ground truth between'):
        fit_place([str(tmp_path)], settings, TINY, tmp_path / 'place')
    assert not (tmp_path / 'place').exists()


def test_held_out_frames_without_depth_are_left_out_and_said(tmp_path: Path):
    for index in range(6):
        cv2.imwrite(str(tmp_path / f'{index}.png'), np.full((24, 80, 3), 40 * index, np.uint8))
        np.save(tmp_path / f'{index}.npy', np.full((24, 80), 7 if index < 5 else 0, np.float32))
    settings = FitSettings(
        kind='pattern', images='*.png', gt_images='*.npy', validation_share=0.4,
    )
    result = fit_place([str(tmp_path)], settings, TINY, tmp_path / 'place')
    assert (result.n_fitted, result.n_held_out) == (4, 1)
    assert any(note.startswith('1 of 2 frames were left out: 1 x') for note in result.notes)


def test_of_a_few_frames_each_is_held_out_once(tmp_path: Path):
    result = fitted(tmp_path / 'place', **STREETS, leave_one_out=True)
    assert (result.n_fitted, result.n_held_out) == (3, 3)
