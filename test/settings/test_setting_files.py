# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings in YAML files: plain ones, and the parameter files of the node."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.errors import ConfigError, MissingDependencyError
from clip_depth_ros.settings.base import read_settings
from clip_depth_ros.settings.node import read_parameters
import pytest
from source_tree import ROOT


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


def test_parameters_are_those_of_the_node_whatever_it_is_called(tmp_path):
    path = written(tmp_path, 'my_node:\n  ros__parameters:\n    flip: false\n')

    assert read_parameters(str(path)) == {'flip': False}


def test_a_bare_name_is_a_file_of_this_package():
    assert read_parameters('synthetic') == read_parameters(str(ROOT / 'config/synthetic.yaml'))


def test_an_unknown_name_is_no_file_of_this_package():
    with pytest.raises(MissingDependencyError, match=r'nowhere\.yaml'):
        read_parameters('nowhere')


@pytest.mark.parametrize('text', [
    'flip: false', 'a: {ros__parameters: {}}\nb: {ros__parameters: {}}', 'a: {ros__parameters: 3}',
])
def test_a_file_without_the_parameters_of_one_node_is_refused(tmp_path, text):
    with pytest.raises(ConfigError, match='should hold the ros__parameters of one node'):
        read_parameters(str(written(tmp_path, text)))
