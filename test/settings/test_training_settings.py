# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The settings of the training say what they mean, and refuse what does not go together."""

from __future__ import annotations

from typing import Any

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.base import setting_specs, SettingSpec
from clip_depth_ros.settings.clip2depth import Clip2DepthSettings
from clip_depth_ros.settings.training import TrainSettings
import pytest
from source_tree import ROOT
import yaml

SPECS = setting_specs(TrainSettings)
RECIPES = sorted((ROOT / 'config' / 'train').glob('*.yaml'))
PLACES = {'kitti': {'data': '/kitti'}, 'nyu': {'data': '/nyu'}, 'bag': {'data': 'a.mcap'}}


def test_the_model_s_settings_are_among_them():
    settings = TrainSettings(head='smooth', taps=(1, 2))
    assert settings.model_settings() == Clip2DepthSettings(head='smooth', taps=(1, 2))


def test_the_backbone_s_settings_are_among_them():
    settings = TrainSettings(backbone='tiny', pretrained='random', device='cpu')
    backbone = settings.backbone_settings()
    assert (backbone.backbone, backbone.pretrained, backbone.device) == ('tiny', 'random', 'cpu')


@pytest.mark.parametrize('spec', SPECS.values(), ids=SPECS)
def test_each_has_a_sentence_and_a_range(spec: SettingSpec):
    assert spec.description.endswith('.')
    if spec.kind in ('int', 'float'):
        assert spec.minimum is not None
        assert spec.maximum is not None
        assert spec.minimum <= spec.default <= spec.maximum


@pytest.mark.parametrize(('values', 'message'), [
    ({'batch_size': 10, 'accumulate': 4}, 'batch_size must be a multiple of accumulate, got'),
    ({'kind': 'kitti'}, "kind='kitti' needs `data`"),
    ({'kind': 'bag'}, "kind='bag' needs `data`"),
    ({'frame_stride': 0}, 'frame_stride: '),
    ({'init_weights': 'a', 'clipseg_weights': 'b'}, 'name one of them'),
    ({'clipseg_weights': 'b'}, "got pixels='clip': set pixels='imagenet'"),
    ({'cache_tokens': True, 'augment_rotate_deg': 1.0}, 'augment_rotate_deg: set these to 0'),
    ({'augment_crop_width_px': 64}, 'needs both'),
    ({'steps': 0}, 'steps: '),
    ({'stepps': 1}, "unknown setting 'stepps'"),
])
def test_what_does_not_go_together_is_refused(values: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        TrainSettings.from_mapping(values)


@pytest.mark.parametrize('path', RECIPES, ids=[path.stem for path in RECIPES])
def test_recipes_are_valid_and_name_only_what_differs(path: Any):
    values = yaml.safe_load(path.read_text(encoding='utf-8'))
    settings = TrainSettings.from_mapping({**PLACES.get(path.stem, {}), **values})
    default = TrainSettings()
    same = [name for name in values if getattr(settings, name) == getattr(default, name)]
    assert same == []
    assert settings.kind == path.stem


@pytest.mark.parametrize('path', RECIPES, ids=[path.stem for path in RECIPES])
def test_each_value_comes_with_its_why(path: Any):
    groups = path.read_text(encoding='utf-8').split('\n\n')[1:]
    assert groups
    assert all(group.startswith('# ') or group.startswith('kind:') for group in groups)


@pytest.mark.parametrize(('old', 'new'), TrainSettings.renamed.items())
def test_names_of_earlier_versions_are_refused_with_the_new_one(old: str, new: str):
    with pytest.raises(ConfigError, match=f"'{old}' is now {new}"):
        TrainSettings.from_mapping({old: 'x'})
    assert new.partition(',')[0] in TrainSettings.model_fields
    assert old not in TrainSettings.model_fields


def test_one_place_needs_no_list():
    assert TrainSettings.from_mapping({'data': 'a.mcap'}).data == ('a.mcap',)
