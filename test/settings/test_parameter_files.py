# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameter files: derived ones are up to date, and are read as they are meant, by ROS too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clip_depth_ros.cli.main import main
from clip_depth_ros.cli.settings import settings_text
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.base import setting_specs
from clip_depth_ros.settings.node import NodeSettings, read_parameters
import pytest
from source_tree import ROOT
import yaml

CONFIG = ROOT / 'config'
PRESETS = ('indoor', 'kitti', 'synthetic')
SPECS = setting_specs(NodeSettings)


def parameters(path: Path) -> dict[str, Any]:
    """Return the parameters of a ROS parameter file."""
    content = yaml.safe_load(path.read_text(encoding='utf-8'))
    assert content.keys() == {'/**'}
    assert content['/**'].keys() == {'ros__parameters'}
    return dict(content['/**']['ros__parameters'])


def test_the_parameter_file_is_up_to_date():
    assert (CONFIG / 'depth_node.yaml').read_text(encoding='utf-8') == settings_text('yaml'), (
        'config/depth_node.yaml does not fit clip_depth_ros/settings any more; derive it again: '
        'clip-depth settings --format yaml > config/depth_node.yaml'
    )


def test_the_table_of_parameters_is_up_to_date():
    page = (ROOT / 'docs' / 'parameters.md').read_text(encoding='utf-8')
    table = page.partition('<!-- parameters -->\n')[2].partition('<!-- /parameters -->')[0]
    assert table == settings_text('markdown'), (
        'docs/parameters.md does not fit clip_depth_ros/settings any more; put the '
        'output of clip-depth settings --format markdown between its two markers'
    )


def test_depth_node_yaml_holds_every_setting_with_its_default():
    values = parameters(CONFIG / 'depth_node.yaml')
    not_empty = {name for name, spec in SPECS.items() if spec.default != []}
    assert values.keys() == not_empty
    assert NodeSettings.from_mapping(values) == NodeSettings()


def test_empty_lists_stand_as_comments():
    """ROS cannot tell the type of ``[]``: the parameter would be without a value."""
    lines = (CONFIG / 'depth_node.yaml').read_text(encoding='utf-8').splitlines()
    empty = [name for name, spec in SPECS.items() if spec.default == []]
    assert empty
    assert all(f'    # {name}: []' in lines for name in empty)


@pytest.mark.parametrize('name', [path.name for path in sorted(CONFIG.glob('*.yaml'))])
def test_each_value_comes_with_its_why(name: str):
    """Above every value, or above the first of a group without a blank line, is a comment."""
    body = (CONFIG / name).read_text(encoding='utf-8').partition('ros__parameters:\n')[2]
    groups = body.split('\n\n')
    assert all(group.startswith('    # ') for group in groups)
    assert len(groups) >= 2


@pytest.mark.parametrize('preset', PRESETS)
def test_presets_are_valid_and_name_only_what_differs(preset: str):
    values = parameters(CONFIG / f'{preset}.yaml')
    settings = NodeSettings.from_mapping(values)
    same = [name for name in values if getattr(settings, name) == getattr(NodeSettings(), name)]
    assert same == []


def test_kitti_covers_the_street_and_indoor_keeps_the_paper():
    kitti = NodeSettings.from_mapping(parameters(CONFIG / 'kitti.yaml'))
    assert kitti.resolved_bins_m()[0] == 1.0
    assert kitti.resolved_bins_m()[-1] == 80.0
    assert kitti.intrinsics_source == 'P'
    assert (kitti.input_width_px % 32, kitti.input_height_px % 32) == (0, 0)
    indoor = NodeSettings.from_mapping(parameters(CONFIG / 'indoor.yaml'))
    assert indoor.resolved_bins_m() == NodeSettings().resolved_bins_m()


def test_synthetic_is_for_the_bundled_weights_with_either_method():
    synthetic = NodeSettings.from_mapping(parameters(CONFIG / 'synthetic.yaml'))
    assert synthetic.uses_bundled()
    assert synthetic.means_clip2depth()
    assert synthetic.answer_range_m() == (0.5, 80.0)
    zero_shot = synthetic.changed(method='depthclip')
    assert zero_shot.resolved_bins_m()[0] == 1.0
    assert zero_shot.resolved_bins_m()[-1] == 80.0


def test_every_file_in_config_is_known():
    """A new preset comes with its tests, and as a choice of the launch file."""
    assert {path.stem for path in CONFIG.glob('*.yaml')} == {'depth_node', *PRESETS}


@pytest.mark.parametrize('form', ['yaml', 'markdown', 'rst'])
def test_command_prints_what_is_derived(form: str, capsys: pytest.CaptureFixture[str]):
    assert main(['settings', '--format', form]) == 0
    assert capsys.readouterr().out == settings_text(form)


def test_command_prints_yaml_by_default(capsys: pytest.CaptureFixture[str]):
    assert main(['settings']) == 0
    assert capsys.readouterr().out == settings_text('yaml')


def test_tables_have_one_row_for_each_setting():
    markdown = settings_text('markdown').splitlines()
    rows = [line for line in markdown if line.startswith('| `')]
    assert [row.split('`')[1] for row in rows] == list(SPECS)
    assert {row.replace(r'\|', '').count('|') for row in rows} == {8}
    rst = settings_text('rst').splitlines()
    assert sum(line.startswith('   * - ``') for line in rst) == len(SPECS)


def test_tables_say_open_and_closed_ends():
    markdown = settings_text('markdown')
    assert '| `depth_scale` | float | `1.0` |  | above 0 to 1 | yes |' in markdown
    assert '| `scene_smoothing` | float | `0.9` |  | 0 to below 1 | yes |' in markdown


@pytest.mark.ros
@pytest.mark.parametrize('name', ['depth_node', *PRESETS])
def test_ros_reads_the_files_as_they_are_meant(name: str, ros_domain: int):
    from clip_depth_ros.ros.node.parameters import declare_settings, read_settings
    import rclpy
    from rclpy.context import Context

    path = CONFIG / f'{name}.yaml'
    context = Context()
    rclpy.init(args=['--ros-args', '--params-file', str(path)], context=context)
    node = rclpy.create_node('reader', context=context)
    try:
        assert declare_settings(node) == []
        assert read_settings(node) == NodeSettings.from_mapping(parameters(path))
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


def test_parameters_are_those_of_the_node_whatever_it_is_called(tmp_path):
    path = tmp_path / 'my.yaml'
    path.write_text('my_node:\n  ros__parameters:\n    flip: false\n')

    assert read_parameters(str(path)) == {'flip': False}


def test_a_bare_name_is_a_file_of_this_package():
    assert read_parameters('synthetic') == read_parameters(str(ROOT / 'config/synthetic.yaml'))


def test_an_unknown_name_is_no_file_of_this_package():
    with pytest.raises(ConfigError, match="no preset 'nowhere' in this package"):
        read_parameters('nowhere')


@pytest.mark.parametrize(('slip', 'meant'), [
    ('kiti', 'kitti'), ('KITTI', 'kitti'), ('in-door', 'indoor'), ('depthnode', 'depth_node'),
])
def test_a_name_that_is_near_is_proposed(slip: str, meant: str):
    with pytest.raises(ConfigError, match=rf"\./{slip}\.yaml; did you mean '{meant}'\?$"):
        read_parameters(slip)


@pytest.mark.parametrize('line', [
    'use_sim_time: True', 'use_sim_time: TRUE', 'start_type_description_service: false',
    'qos_overrides: {/image: {subscription: {depth: 2}}}',
    'qos_overrides./image.subscription.depth: 2',
])
def test_what_every_node_has_of_ros_is_no_setting(tmp_path: Path, line: str):
    path = tmp_path / 'my.yaml'
    path.write_text(f'/**:\n  ros__parameters:\n    {line}\n    flip: false\n')
    assert read_parameters(str(path)) == {'flip': False}


def test_all_errors_of_a_file_are_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / 'my.yaml'
    lines = ['flipp: true', 'cloud_stride: 99', 'max_depth_m: far', 'method: clip2dept']
    path.write_text('\n    '.join(['/**:\n  ros__parameters:', *lines]) + '\n')
    assert main(['evaluate', '1000000', '--preset', str(path), '--out', str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "unknown setting 'flipp'; did you mean 'flip'?" in told
    assert 'cloud_stride: input should be less than or equal to 64, got 99' in told
    assert 'max_depth_m: input should be a valid number' in told
    assert "got 'clip2dept'; did you mean 'clip2depth'?" in told


def test_all_that_does_not_go_together_is_said_at_once():
    with pytest.raises(ConfigError) as raised:
        NodeSettings.from_mapping({
            'min_depth_m': 5.0, 'max_depth_m': 2.0, 'backbone': 'RN50', 'pretrained': 'bundled',
            'color_min_m': 9.0, 'color_max_m': 1.0,
        })
    assert [part in str(raised.value) for part in (
        'depth range must satisfy', "goes with backbone='tiny' alone", 'colour range must satisfy',
    )] == [True, True, True]


@pytest.mark.parametrize('text', [
    'flip: false', 'a: {ros__parameters: {}}\nb: {ros__parameters: {}}', 'a: {ros__parameters: 3}',
])
def test_a_file_without_the_parameters_of_one_node_is_refused(tmp_path, text):
    path = tmp_path / 'my.yaml'
    path.write_text(text)
    with pytest.raises(ConfigError, match='should hold the ros__parameters of one node'):
        read_parameters(str(path))
