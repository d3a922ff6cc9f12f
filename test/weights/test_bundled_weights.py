# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The weights that come with the package: small, whole, and as good as their table says."""

from __future__ import annotations

import hashlib
import json

from clip_depth_ros.evaluation.results.reliability import reliability
from clip_depth_ros.evaluation.run.evaluate import evaluate
from clip_depth_ros.model.clip2depth_weights import read_clip2depth
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.installation import (
    assets_dir,
    BUNDLED_CLIP,
    BUNDLED_CLIP2DEPTH,
    BUNDLED_RESULTS,
    shared_file,
)
from clip_depth_ros.settings.predictor import (
    BUNDLED_FOCAL_PX,
    BUNDLED_TEMPERATURE,
    PredictorSettings,
)
from clip_depth_ros.sources.kinds.synthetic import WorldSource
from clip_depth_ros.sources.samples import Subset
import pytest
from weights.__main__ import DOCS
from weights.recipe import check_bands, FULL
from weights.report import BEGIN, END, markdown
from weights.table import PROTOCOL, rows_of
import yaml

FILES = (BUNDLED_CLIP, BUNDLED_CLIP2DEPTH)


@pytest.fixture(scope='module')
def results() -> dict:
    return json.loads((assets_dir() / BUNDLED_RESULTS).read_text())


@pytest.fixture(scope='module')
def held_out() -> Subset:
    """Return 12 of the held-out frames behind KITTI's camera, each of another street."""
    return Subset(WorldSource(FULL.held_out), tuple(range(0, 48, 4)))


@pytest.fixture(scope='module')
def other_cameras() -> Subset:
    """Return 3 of the held-out frames behind other cameras; each takes seconds to judge."""
    return Subset(WorldSource(FULL.cameras), tuple(range(0, 60, 20)))


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


def test_the_tables_reach_what_the_recipe_promises(results):
    check_bands(results, FULL)
    rows = results['tables']['kitti']['rows']
    # Each beats all that does not look at the image, and shuffled over frames it does not.
    for method in ('DepthCLIP', 'CLIP2Depth'):
        blind = [row['abs_rel'] for name, row in rows.items() if 'prior' in name]
        assert rows[method]['abs_rel'] < min(blind)
        assert rows[f'{method}, shuffled over frames']['abs_rel'] > min(blind)


@pytest.mark.parametrize(('method', 'name'), [
    ('depthclip', 'DepthCLIP'), ('clip2depth', 'CLIP2Depth'),
])
def test_they_see_depth_on_streets_they_were_not_trained_on(held_out, results, method, name):
    result = evaluate(held_out, {name: build_predictor(_settings(method))}, PROTOCOL)
    row = rows_of(result)[name]
    assert row['abs_rel'] <= FULL.bands[f'kitti: {name}'][1]
    assert row['abs_rel'] == pytest.approx(
        results['tables']['kitti']['rows'][name]['abs_rel'], rel=0.25
    )
    # So few frames are not all frames: on 100 it is below 0.05 (docs/confidence.md).
    assert reliability(result.predictors[name]).ece < 0.1


def test_they_see_it_behind_other_cameras_where_these_are_known(other_cameras):
    settings = _settings('clip2depth')
    predictors = {
        camera: build_predictor(settings.changed(camera=camera)) for camera in ('use', 'ignore')
    }
    rows = rows_of(evaluate(other_cameras, predictors, PROTOCOL))
    assert rows['use']['abs_rel'] <= FULL.most_in_a_bucket
    assert rows['use']['abs_rel'] < rows['ignore']['abs_rel']


def test_clip2depth_hardly_shows_its_patches(results):
    rows, columns = results['seam_ratios_rows_columns']['CLIP2Depth']
    assert rows < 1.2
    assert columns < 1.4


def test_the_document_has_the_tables_as_they_came_out(results):
    _, _, rest = DOCS.read_text().partition(BEGIN)
    assert rest.partition(END)[0].strip() == markdown(results), 'python -m weights docs'


def test_the_preset_has_the_temperature_that_was_chosen(results):
    assert _settings('depthclip').temperature == results['temperature']


def test_settings_know_what_belongs_to_them(results):
    settings = read_clip2depth(assets_dir() / BUNDLED_CLIP2DEPTH).settings
    assert settings.focal_px == BUNDLED_FOCAL_PX
    assert results['temperature'] == BUNDLED_TEMPERATURE


def test_weights_tell_where_they_come_from_and_nothing_of_the_machine():
    file = read_clip2depth(assets_dir() / BUNDLED_CLIP2DEPTH)
    assert file.provenance['licence'] == 'Apache-2.0'
    assert file.provenance['data'].startswith('the synthetic drive')
    text = (assets_dir() / BUNDLED_RESULTS).read_text() + json.dumps(dict(file.provenance))
    assert '/' not in text.replace('1/m', '').replace('km/h', '')
