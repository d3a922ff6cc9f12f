# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which method the settings lead to, and why: chosen without loading a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clip_depth_ros.errors import ConfigError, WeightsError
from clip_depth_ros.predictor.build import build_predictor
import clip_depth_ros.predictor.choice
from clip_depth_ros.predictor.choice import choose_method, MethodChoice
from clip_depth_ros.settings.installation import BUNDLED_CLIP2DEPTH
from clip_depth_ros.settings.predictor import PredictorSettings
import pytest

BUNDLED: dict[str, Any] = {'backbone': 'tiny', 'pretrained': 'bundled'}
RANDOM: dict[str, Any] = {'backbone': 'tiny', 'pretrained': 'random'}
NONE_THERE = 'auto: no trained CLIP2Depth weights are named or bundled for this backbone'


def choice(**values: Any) -> MethodChoice:
    """Return the choice for some settings."""
    return choose_method(PredictorSettings.from_mapping(values))


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder in place of the bundled assets."""
    monkeypatch.setattr(clip_depth_ros.predictor.choice, 'assets_dir', lambda: tmp_path)
    return tmp_path


@pytest.fixture
def bundled(assets: Path) -> Path:
    """Return a file in place of the bundled CLIP2Depth weights; nothing reads it here."""
    path = assets / BUNDLED_CLIP2DEPTH
    path.touch()
    return path


@pytest.mark.parametrize('values', [{}, RANDOM, {'backbone': 'ViT-B-16-quickgelu'}])
def test_auto_is_zero_shot_where_no_trained_weights_are_known(values: dict[str, Any]):
    assert choice(**values) == MethodChoice('depthclip', NONE_THERE)


def test_auto_takes_the_weights_that_are_named():
    path = Path('/trained.safetensors')
    why = 'auto: clip2depth_weights names trained weights'
    assert choice(clip2depth_weights=str(path)) == MethodChoice('clip2depth', why, path)


def test_auto_takes_the_weights_that_are_bundled(bundled: Path):
    why = 'auto: trained weights are bundled for this backbone'
    assert choice(**BUNDLED) == MethodChoice('clip2depth', why, bundled)


def test_named_weights_come_before_bundled_ones(bundled: Path):
    assert choice(**BUNDLED, clip2depth_weights='mine').weights_path == Path('mine')


def test_the_bundled_ones_are_for_the_bundled_clip_alone(bundled: Path):
    assert choice(**BUNDLED, clip_weights='mine.pt').method == 'depthclip'
    assert choice(**RANDOM).method == 'depthclip'


def test_auto_falls_back_where_no_decoder_is_bundled_and_then_bins_matter(assets: Path):
    assert choice(**BUNDLED) == MethodChoice('depthclip', NONE_THERE)
    settings = PredictorSettings.from_mapping({**BUNDLED, 'bins_m': [1.0, 2.0]})
    with pytest.raises(ConfigError, match='7 words'):
        build_predictor(settings)


@pytest.mark.parametrize('values', [BUNDLED, {'clip2depth_weights': 'mine'}, {}])
def test_what_is_set_is_done(bundled: Path, values: dict[str, Any]):
    assert choice(**values, method='depthclip') == MethodChoice('depthclip', 'as set')
    if values:
        chosen = choice(**values, method='clip2depth')
        assert (chosen.method, chosen.why) == ('clip2depth', 'as set')


def test_clip2depth_without_weights_says_how_to_get_them():
    with pytest.raises(WeightsError) as caught:
        choice(method='clip2depth', backbone='ViT-B-16-quickgelu')
    assert str(caught.value) == (
        "method='clip2depth' needs weights trained for backbone 'ViT-B-16-quickgelu', and none "
        'are named. They come bundled (preset:=synthetic), or from a file that clip-depth train '
        'has written (clip2depth_weights:=FILE); a download there is for the zero-shot method '
        'alone (method:=depthclip allow_download:=true)'
    )


def test_bundled_weights_that_are_not_there_are_a_broken_installation(assets: Path):
    with pytest.raises(WeightsError, match=r'bundled CLIP2Depth weights .* not there: install'):
        choice(**BUNDLED, method='clip2depth')


def test_a_path_may_start_at_home(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv('HOME', '/home/robot')
    path = choice(clip2depth_weights='~/kitti.safetensors').weights_path
    assert path == Path('/home/robot/kitti.safetensors')
    with pytest.raises(ConfigError, match="no home folder of a user 'nobody-of-this-name'"):
        choice(clip2depth_weights='~nobody-of-this-name/kitti.safetensors')
