# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Specs say of each setting exactly what its class checks; settings are read from YAML."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.base import read_settings, setting_specs, SettingSpec
from clip_depth_ros.settings.node import NodeSettings
from clip_depth_ros.settings.predictor import PredictorSettings
import pytest

SPECS = setting_specs(NodeSettings)
NUMBERS = {name: spec for name, spec in SPECS.items() if spec.kind in ('int', 'float')}
CHOICES = {name: spec for name, spec in SPECS.items() if spec.choices}
DEFAULTS = NodeSettings()

KINDS: dict[str, type | tuple[type, ...]] = {
    'bool': bool, 'int': int, 'float': float, 'str': str, 'str_list': list, 'float_list': list,
}


def test_min_depth_by_hand():
    assert SPECS['min_depth_m'] == SettingSpec(
        name='min_depth_m',
        kind='float',
        default=0.5,
        description='Nearest depth that is answered; anything nearer is published as -Inf. Start '
        'of the outdoor bins.',
        unit='m',
        choices=(),
        minimum=0.0,
        maximum=1000.0,
        minimum_is_open=True,
        maximum_is_open=False,
        at_run_time=True,
    )


def test_a_choice_by_hand():
    spec = SPECS['image_transport']
    assert (spec.kind, spec.default, spec.choices) == ('str', 'raw', ('raw', 'compressed'))
    assert (spec.minimum, spec.maximum, spec.at_run_time) == (None, None, False)


def test_all_settings_are_there_in_their_order():
    assert list(SPECS) == list(NodeSettings.model_fields)
    assert list(setting_specs(PredictorSettings)) == list(PredictorSettings.model_fields)


@pytest.mark.parametrize('spec', SPECS.values(), ids=SPECS)
def test_default_is_the_class_default(spec: SettingSpec):
    default = getattr(DEFAULTS, spec.name)
    assert spec.default == (list(default) if isinstance(default, tuple) else default)
    assert isinstance(spec.default, KINDS[spec.kind])


@pytest.mark.parametrize('spec', SPECS.values(), ids=SPECS)
def test_description_is_one_or_more_sentences(spec: SettingSpec):
    assert spec.description[0].isupper() or spec.description.startswith('open_clip')
    assert spec.description.endswith('.')


@pytest.mark.parametrize('spec', SPECS.values(), ids=SPECS)
def test_a_unit_is_the_one_in_the_name(spec: SettingSpec):
    suffix = spec.name.rpartition('_')[2]
    assert spec.unit == (suffix if suffix in ('m', 'px', 's', 'hz', 'deg') else '')


@pytest.mark.parametrize('spec', SPECS.values(), ids=SPECS)
def test_numbers_have_a_range_that_holds_the_default(spec: SettingSpec):
    if spec.kind not in ('int', 'float'):
        assert (spec.minimum, spec.maximum) == (None, None)
    else:
        assert spec.minimum is not None
        assert spec.maximum is not None
        assert spec.minimum <= spec.default <= spec.maximum


@pytest.mark.parametrize('spec', NUMBERS.values(), ids=NUMBERS)
def test_values_outside_the_range_are_refused(spec: SettingSpec):
    assert spec.minimum is not None
    assert spec.maximum is not None
    is_int = spec.kind == 'int'
    below = spec.minimum - 1 if is_int else math.nextafter(spec.minimum, -math.inf)
    above = spec.maximum + 1 if is_int else math.nextafter(spec.maximum, math.inf)
    assert not is_accepted(spec.name, below)
    assert not is_accepted(spec.name, above)
    assert is_refused_for_itself(spec.name, spec.minimum) == spec.minimum_is_open
    assert is_refused_for_itself(spec.name, spec.maximum) == spec.maximum_is_open


@pytest.mark.parametrize('spec', CHOICES.values(), ids=CHOICES)
def test_choices_are_all_that_is_accepted(spec: SettingSpec):
    assert spec.default in spec.choices
    assert not any(is_refused_for_itself(spec.name, choice) for choice in spec.choices)
    assert not is_accepted(spec.name, 'none of these')


def is_accepted(name: str, value: Any) -> bool:
    """Tell whether a value goes with the defaults of the other settings."""
    try:
        NodeSettings.from_mapping({name: value})
    except ConfigError:
        return False
    return True


def is_refused_for_itself(name: str, value: Any) -> bool:
    """Tell whether a value is refused, rather than its going together with others."""
    try:
        NodeSettings.from_mapping({name: value})
    except ConfigError as error:
        return str(error).startswith(f'{name}:')
    return False


def written(folder: Path, text: str) -> Path:
    """Write a YAML file."""
    path = folder / 'my.yaml'
    path.write_text(text, encoding='utf-8')
    return path


def test_settings_are_names_and_values(tmp_path):
    assert read_settings(written(tmp_path, 'batch_size: 4')) == {'batch_size': 4}


@pytest.mark.parametrize('text', ['- a list', '3: a number for a name', 'nothing', ''])
def test_what_is_no_list_of_settings_is_refused(tmp_path, text):
    with pytest.raises(ConfigError, match=r'my\.yaml\' must be lines "name: value"'):
        read_settings(written(tmp_path, text))


def test_a_file_that_is_not_there_or_no_yaml_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read settings '.*absent\.yaml'"):
        read_settings(tmp_path / 'absent.yaml')
    with pytest.raises(ConfigError, match=r"cannot read settings '.*my\.yaml'"):
        read_settings(written(tmp_path, 'a: [1'))
