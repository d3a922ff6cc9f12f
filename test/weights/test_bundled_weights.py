# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The weights that come with the package: small, whole, and as good as their table says."""

from __future__ import annotations

import hashlib
import json

from clip_depth_ros.model.clip2depth_weights import read_clip2depth
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.installation import (
    assets_dir,
    BUNDLED_CLIP,
    BUNDLED_CLIP2DEPTH,
    shared_file,
)
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.world.drive import Drive
from clip_depth_ros.world.rendered_streets import Frames
import numpy as np
import pytest
from weights.recipe import check_bands, FULL, RESULTS
from weights.table import predict_all, score, seam_ratios
import yaml

FILES = (BUNDLED_CLIP, BUNDLED_CLIP2DEPTH)


@pytest.fixture(scope='module')
def results() -> dict:
    return json.loads((assets_dir() / RESULTS).read_text())


@pytest.fixture(scope='module')
def held_out() -> Frames:
    """Return 24 of the held-out frames, each of another street."""
    frames = [
        Drive(seed).frame(60, lidar=False) for seed in FULL.held_out.seeds[::4][:24]
    ]
    return Frames(
        np.stack([frame.rgb for frame in frames]),
        np.stack([frame.depth_m for frame in frames]),
        np.stack([frame.class_ids for frame in frames]),
    )


def _settings(method: str) -> PredictorSettings:
    """Return the settings of config/synthetic.yaml, as the node has them."""
    preset = yaml.safe_load(shared_file('config', 'synthetic.yaml').read_text())
    values = preset['/**']['ros__parameters']
    names = PredictorSettings.model_fields
    return PredictorSettings.from_mapping(
        {**{name: value for name, value in values.items() if name in names}, 'method': method}
    )


def test_they_are_at_most_24_megabytes():
    assert sum((assets_dir() / name).stat().st_size for name in FILES) < 24e6


def test_the_table_is_that_of_these_files(results):
    assert results['sha256'] == {
        name: hashlib.sha256((assets_dir() / name).read_bytes()).hexdigest() for name in FILES
    }


def test_the_table_reaches_what_the_recipe_promises(results):
    check_bands(results, FULL)
    table = results['table']
    assert table['CLIP2Depth']['delta1'] >= 0.90
    # Each beats all that does not look at the image, and shuffled over frames it does not.
    for method in ('DepthCLIP', 'CLIP2Depth'):
        blind = [row['abs_rel'] for name, row in table.items() if 'prior' in name]
        assert table[method]['abs_rel'] < min(blind)
        assert table[f'{method}, shuffled over frames']['abs_rel'] > min(blind)


@pytest.mark.parametrize(('method', 'most', 'delta1'), [
    ('depthclip', 0.27, 0.70), ('clip2depth', 0.10, 0.88),
])
def test_they_see_depth_on_streets_they_were_not_trained_on(
    held_out, results, method, most, delta1
):
    predictor = build_predictor(_settings(method))
    predictions = predict_all(predictor, held_out)
    metrics = score(predictions, held_out)
    promised = {'depthclip': 'DepthCLIP', 'clip2depth': 'CLIP2Depth'}[method]
    assert metrics.abs_rel <= most
    assert metrics.delta1 >= delta1
    assert metrics.abs_rel == pytest.approx(results['table'][promised]['abs_rel'], rel=0.25)


def test_clip2depth_hardly_shows_its_patches(held_out):
    predictions = predict_all(build_predictor(_settings('clip2depth')), held_out)
    rows, columns = seam_ratios(predictions, held_out, (8, 16))
    assert rows < 1.2
    assert columns < 1.4


def test_the_preset_has_the_temperature_that_was_chosen(results):
    assert _settings('depthclip').temperature == results['temperature']


def test_weights_tell_where_they_come_from_and_nothing_of_the_machine():
    file = read_clip2depth(assets_dir() / BUNDLED_CLIP2DEPTH)
    assert file.provenance['licence'] == 'Apache-2.0'
    assert file.provenance['data'].startswith('the synthetic drive')
    text = (assets_dir() / RESULTS).read_text() + json.dumps(dict(file.provenance))
    assert '/' not in text.replace('1/m', '').replace('km/h', '')
