# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Confidence of both methods: calibrated where a table fits, raw and said to be so elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
import shutil
from typing import Any

from clip_depth_ros.errors import ClipDepthError, WeightsError
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.installation import assets_dir, BUNDLED_CLIP2DEPTH
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import NOTES
import numpy as np
import pytest
from small_clips import blobs

BUNDLED = PredictorSettings(backbone='tiny', pretrained='bundled', flip=False)
TABLE = assets_dir() / 'tiny_clip2depth.confidence.json'


@pytest.fixture(scope='module')
def predictors() -> dict[str, Any]:
    return {
        method: build_predictor(BUNDLED.changed(method=method))
        for method in ('clip2depth', 'depthclip')
    }


def changed(predictor: Any, **values: Any) -> Any:
    return build_predictor(predictor.settings.changed(**values), predictor)


@pytest.mark.parametrize('method', ['clip2depth', 'depthclip'])
def test_the_bundled_weights_are_calibrated(predictors, method):
    answer = predictors[method].predict(blobs(61, 170))

    assert answer.confidence.shape == answer.depth_m.shape
    assert answer.confidence.dtype == np.float32
    assert ((answer.confidence >= 0) & (answer.confidence <= 1)).all()
    assert np.ptp(answer.confidence) > 0.01
    said = predictors[method].describe()['confidence']
    assert said.startswith('calibrated on 240 rendered frames')


@pytest.mark.parametrize('method', ['clip2depth', 'depthclip'])
def test_depth_that_is_less_sure_than_asked_for_is_unknown(predictors, method):
    sure = predictors[method].predict(blobs(61, 170))
    least = float(np.median(sure.confidence))
    answer = changed(predictors[method], confidence_min=least).predict(blobs(61, 170))

    is_unknown = sure.confidence < np.float32(least)
    assert is_unknown.any()
    np.testing.assert_array_equal(np.isnan(answer.depth_m), is_unknown)
    np.testing.assert_array_equal(answer.depth_m[~is_unknown], sure.depth_m[~is_unknown])
    np.testing.assert_array_equal(answer.confidence, sure.confidence)


def test_the_size_of_depth_is_that_of_confidence(predictors):
    small = changed(predictors['clip2depth'], depth_scale=0.5).predict(blobs(60, 170))
    assert small.confidence.shape == small.depth_m.shape == (30, 85)


@pytest.mark.parametrize(('values', 'wrong'), [
    ({'temperature': 1.0}, 'temperature'), ({'prompts': 'prompt1'}, 'words'),
    ({'bins': 'outdoor', 'min_depth_m': 0.7}, 'bins_m'), ({'scene_aware': True}, 'scene_aware'),
])
def test_a_table_does_not_count_for_what_it_was_not_measured_with(predictors, values, wrong):
    predictor = changed(predictors['depthclip'], confidence_min=0.3, **values)

    said = predictor.describe()
    assert said['confidence'].startswith('uncalibrated (1 - entropy of the words')
    assert said['confidence'].endswith(f'confidence.json was measured with other {wrong}')
    assert 'confidence_min=0.3 is compared with a measure' in said[NOTES]


def test_weights_bring_their_own_table(tmp_path, predictors):
    """Beside them, by their name; without one, or with that of others, the measure is raw."""
    own = tmp_path / 'mine.safetensors'
    shutil.copy(assets_dir() / BUNDLED_CLIP2DEPTH, own)
    before = predictors['clip2depth']
    bare = changed(before, clip2depth_weights=str(own))
    assert bare.describe()['confidence'].startswith('uncalibrated (evenness')

    shutil.copy(TABLE, tmp_path / 'mine.confidence.json')
    along = changed(before, clip2depth_weights=str(own))
    assert along.describe()['confidence'].startswith('calibrated')
    image = blobs(61, 170)
    np.testing.assert_array_equal(
        along.predict(image).confidence, before.predict(image).confidence
    )
    other = json.loads(TABLE.read_text())
    other['measured_with']['weights'] = '0' * 12
    named = write(tmp_path, other)
    foreign = changed(before, confidence_table=str(named))
    assert foreign.describe()['confidence'].endswith('table.json was measured with other weights')


def write(folder: Path, content: Any) -> Path:
    path = folder / 'table.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(('change', 'reason'), [
    ({'format': 'no such'}, 'format'),
    ({'measure': [0.5, 0.5]}, 'measure must ascend'),
    ({'depth_m': [-1.0, 2.0]}, 'depth_m must be positive'),
    ({'share': [[0.5]]}, 'a row for each measure'),
    ({'share': [[1.5]]}, 'less than or equal to 1'),
    ({'measured_with': 3}, 'measured_with'),
])
def test_a_damaged_table_is_an_error_that_names_it(tmp_path, change, reason):
    path = write(tmp_path, {**json.loads(TABLE.read_text()), **change})
    with pytest.raises(WeightsError, match=rf'table\.json.*no table of confidence.*{reason}'):
        build_predictor(BUNDLED.changed(confidence_table=str(path)))


def test_what_is_no_json_or_not_there_is_an_error(tmp_path, predictors):
    with pytest.raises(WeightsError, match='no table of confidence'):
        changed(predictors['clip2depth'], confidence_table=str(write(tmp_path, '\x00')))
    with pytest.raises(WeightsError, match=r'cannot read .*missing.*set confidence_table'):
        changed(predictors['clip2depth'], confidence_table=str(tmp_path / 'missing.json'))


@pytest.mark.parametrize('value', [-0.1, 1.1, float('nan'), '80 %'])
def test_no_share_is_refused_by_name(value):
    with pytest.raises(ClipDepthError, match='confidence_min'):
        BUNDLED.changed(confidence_min=value)
