# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The launch file: read as source everywhere, run for real where ``launch`` is installed.

The real runs start an executable that writes down how it was called, in place of the node.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
import contextlib
import difflib
import itertools
import json
import os
from pathlib import Path
import re
from typing import Any, get_args

from clip_depth_ros.settings.clouds import CAMERA_GAP
from clip_depth_ros.settings.node import ALIGN_INPUTS, DIAGNOSTICS, NodeSettings, OUTPUTS
import pytest
from source_tree import PACKAGE, ROOT
import yaml

LAUNCH_FILE = ROOT / 'launch' / 'depth.launch.py'
TREE = ast.parse(LAUNCH_FILE.read_text(encoding='utf-8'))

ARGUMENTS = {
    call.args[0].value: {keyword.arg: keyword.value for keyword in call.keywords}
    for call in ast.walk(TREE)
    if isinstance(call, ast.Call)
    and isinstance(call.func, ast.Name)
    and call.func.id == 'DeclareLaunchArgument'
    and isinstance(call.args[0], ast.Constant)
}
FROM_CONTRACT = {
    'params_file', 'namespace', 'image', 'camera_info', 'method', 'device', 'rviz', 'autostart',
    'log_level', 'use_sim_time',
}


def constant(name: str) -> Any:
    """Return the value of a constant of the launch file."""
    for node in TREE.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise LookupError(name)


def choices(argument: str) -> list[str] | None:
    """Return the choices of a launch argument."""
    node = ARGUMENTS[argument].get('choices')
    if isinstance(node, ast.Name):
        return list(constant(node.id))
    return None if node is None else list(ast.literal_eval(node))


def function(name: str) -> Callable[..., Any]:
    """Return a function of the launch file that needs nothing of ROS, and what it looks up."""
    wanted = (
        'TOPIC_NAME', 'YES_NO', 'CAMERA_NAME', 'CAMERA_GAP', 'OUTPUTS', 'camera_names', 'topic_of',
        'input_remappings', 'ALIGN_TOPICS', name,
    )
    names = {'re': re, 'os': os, 'Path': Path, 'difflib': difflib}
    for node in TREE.body:
        named = [ast.unparse(each) for each in getattr(node, 'targets', [])]
        if getattr(node, 'name', *named[:1] or ['']) in wanted:
            exec(ast.unparse(node), names)
    found: Any = names[name]
    return found  # type: ignore[no-any-return]


def test_it_compiles():
    compile(TREE, LAUNCH_FILE, 'exec')


def test_all_arguments_of_the_contract_are_there():
    assert FROM_CONTRACT - ARGUMENTS.keys() == set()


@pytest.mark.parametrize('name', ARGUMENTS)
def test_every_argument_is_described_and_has_a_default(name: str):
    description = ast.literal_eval(ARGUMENTS[name]['description'])
    assert description.endswith('.')
    assert isinstance(ast.literal_eval(ARGUMENTS[name]['default_value']), str)


@pytest.mark.parametrize('name', [name for name in ARGUMENTS if 'choices' in ARGUMENTS[name]])
def test_defaults_are_among_the_choices(name: str):
    assert ast.literal_eval(ARGUMENTS[name]['default_value']) in (choices(name) or ())


@pytest.mark.parametrize('name', ['method', 'image_transport', 'align'])
def test_choices_are_those_of_the_setting(name: str):
    assert choices(name) == ['', *get_args(NodeSettings.model_fields[name].annotation)]


def test_presets_are_the_files_in_config_or_your_own(monkeypatch: pytest.MonkeyPatch):
    described = ast.literal_eval(ARGUMENTS['preset']['description'])
    file_of = function('preset_file')
    for path in (ROOT / 'config').glob('*.yaml'):
        assert file_of(ROOT, path.stem) == path
        assert path.stem in described or path.stem == 'depth_node'
    monkeypatch.setenv('HOME', '/home/me')
    assert file_of(ROOT, '~/mine.yaml') == Path('/home/me/mine.yaml')
    with pytest.raises(RuntimeError, match=r"no preset 'ktti'.*; did you mean 'kitti'\?"):
        file_of(ROOT, 'ktti')


def test_parameters_are_settings_of_the_right_kind():
    fields = NodeSettings.model_fields
    flags = set(constant('BOOL_PARAMETERS')) - {'use_sim_time'}
    assert all(fields[name].annotation is bool for name in flags)
    assert all(isinstance(fields[name].default, str) for name in constant('TEXT_PARAMETERS'))


@pytest.mark.parametrize('name', [*constant('TEXT_PARAMETERS'), *constant('BOOL_PARAMETERS')])
def test_parameters_not_given_override_nothing(name: str):
    """Only the empty default can be told from a value that the user gave."""
    assert ast.literal_eval(ARGUMENTS[name]['default_value']) == ''


@pytest.mark.parametrize(('text', 'value'), [
    ('true', True), ('True', True), ('TRUE', True), ('1', True),
    ('false', False), ('False', False), ('0', False),
])
def test_flags_are_understood_as_python_and_yaml_write_them(text: str, value: bool):
    assert function('flag')({'use_sim_time': text}, 'use_sim_time') is value


def test_a_flag_that_is_none_is_refused():
    with pytest.raises(RuntimeError, match="rviz should be true or false, got 'maybe'"):
        function('flag')({'rviz': 'maybe'}, 'rviz')


@pytest.mark.parametrize('given', [
    {'image': '/1abc'}, {'image': 'a//b'}, {'image': 'a/'}, {'image': 'a b'}, {'image': '/'},
    {'camera_info': 'a-b'}, {'align_points': 'a b'}, {'namespace': '1robot'}, {'image': 'ä'},
])
def test_what_is_no_name_is_refused_before_anything_starts(given: dict[str, str]):
    with pytest.raises(RuntimeError, match=re.escape(':='.join(*given.items()))):
        function('check_topic_names')({'image': 'image', **given})


@pytest.mark.parametrize('given', [
    {'image': '/front/image_raw'}, {'image': '~/image'}, {'image': '/{ns}/image'},
    {'camera_info': 'i'},
    {'namespace': '/'}, {'namespace': '/robot1/'}, {'namespace': 'robot1/arm'}, {},
])
def test_names_of_topics_are_let_through(given: dict[str, str]):
    function('check_topic_names')({'image': 'image', **given})


@pytest.mark.parametrize(('given', 'front', 'left'), [
    ({}, ('front/image', 'front/camera_info'), ('left/image', 'left/camera_info')),
    (
        {'image': 'image_raw', 'camera_info': 'info'}, ('front/image_raw', 'front/info'),
        ('left/image_raw', 'left/info'),
    ),
    (
        {'image': '/cam_{camera}/rgb'}, ('/cam_front/rgb', '/cam_front/camera_info'),
        ('/cam_left/rgb', '/cam_left/camera_info'),
    ),
    (
        {'image': 'rig/image_{camera}', 'camera_info': '{camera}/info'},
        ('rig/image_front', 'front/info'), ('rig/image_left', 'left/info'),
    ),
])
def test_each_of_several_cameras_has_its_topics(
    given: dict[str, str], front: tuple[str, str], left: tuple[str, str]
):
    """And RViz shows the first."""
    given = {'image': 'image', 'cameras': 'front, left', **given}
    function('check_topic_names')(given)
    function('check_cameras')(given)
    found = dict(function('input_remappings')(given))
    for name, (image, info) in {'front': front, 'left': left}.items():
        assert found.pop(f'{name}/image') == image
        assert found.pop(f'{name}/image/compressed') == f'{image}/compressed'
        assert found.pop(f'{name}/camera_info') == info
    assert not found
    shown = dict(function('shown_topics')(given))
    assert (shown['image'], shown['camera_info']) == front
    assert shown['depth/points'] == 'front/depth/points'
    assert len(shown) == 3 + len(OUTPUTS)


def test_one_lidar_holds_the_scale_of_all_cameras():
    given = {'image': 'image', 'cameras': 'front,left', 'align_points': '/velodyne_points'}
    found = dict(function('input_remappings')(given))
    assert found['front/align/points'] == found['left/align/points'] == '/velodyne_points'
    assert 'front/align/depth' not in found
    assert set(constant('ALIGN_TOPICS').values()) == {each.topic for each in ALIGN_INPUTS}


@pytest.mark.parametrize(('given', 'reason'), [
    ({'cameras': 'front,left,front'}, 'names front twice'),
    ({'cameras': 'front,2nd'}, "'2nd' is none"),
    ({'cameras': 'front,'}, "'' is none"),
    ({'cameras': 'a,b', 'image': '/cam/image'}, 'image:=/cam/image would be the topic of all'),
    ({'cameras': 'a,b', 'camera_info': '/i'}, 'camera_info:=/i would be the topic of all'),
    ({'image': '/{camera}/image'}, 'name them, too'),
])
def test_cameras_that_the_node_would_refuse_or_that_share_a_topic_start_nothing(
    given: dict[str, str], reason: str
):
    with pytest.raises(RuntimeError, match=re.escape(reason)):
        function('check_cameras')({'image': 'image', **given})


def test_cameras_are_a_list_of_names_for_the_node():
    names = function('camera_names')({'cameras': 'front, left'})
    assert NodeSettings.from_mapping({'cameras': names}).cameras == ('front', 'left')
    assert function('camera_names')({}) == []


def test_nothing_is_started_before_what_might_be_missing():
    """Launch would leave a node behind that had started when RViz was found to be missing."""
    (start,) = (n for n in TREE.body if isinstance(n, ast.FunctionDef) and n.name == 'start')
    assert ast.unparse(start.body[-1]).endswith('*windows, node]')


def test_what_is_written_twice_is_equal():
    """The launch file must not import the package, so it repeats a few names of it."""
    from clip_depth_ros.ros import environment

    assert constant('PACKAGE') == PACKAGE
    assert constant('CAMERA_GAP') == CAMERA_GAP
    assert constant('DDS_VARIABLES') == environment.PROFILE_VARIABLES
    assert constant('FAST_DDS_2_DISTROS') == environment.FAST_DDS_2_DISTROS
    assert set(constant('OUTPUTS')) == {output.topic for output in OUTPUTS.values()}


def test_the_docs_and_rviz_know_the_outputs_of_the_node():
    page = (ROOT / 'docs' / 'node.md').read_text(encoding='utf-8')
    rows = [line.strip('| ').split(' | ') for line in page.splitlines() if '| out |' in line]
    said = [(topic.strip('`'), kind.split()[0], meaning) for _, topic, kind, meaning in rows]
    outputs = [
        (output.topic, output.msgtype.rpartition('/')[2], output.meaning)
        for output in OUTPUTS.values()
    ]
    assert said[:-1] == outputs, 'topics of docs/node.md do not fit settings/node.OUTPUTS'
    assert said[-1][0] == DIAGNOSTICS
    rviz = (ROOT / 'rviz' / 'clip_depth.rviz').read_text(encoding='utf-8')
    shown = set(re.findall(r'Value: /(depth/\w+)', rviz))
    assert shown
    assert shown <= {output.topic for output in OUTPUTS.values()}


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ros_domain: int) -> Path:
    """Return an install space with this launch file; its executables tell how they were called."""
    prefix = tmp_path / 'install'
    for package, executable in ((PACKAGE, 'depth_node'), ('rviz2', 'rviz2')):
        index = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages'
        index.mkdir(parents=True, exist_ok=True)
        (index / package).touch()
        script = prefix / 'lib' / package / executable
        script.parent.mkdir(parents=True)
        script.write_text(
            '#!/usr/bin/env python3\n'
            'import json, os, sys, time\n'
            f'path = {str(tmp_path / executable)!r}\n'
            'with open(path + ".part", "w") as file:\n'
            '    json.dump([sys.argv[1:], dict(os.environ)], file)\n'
            'os.replace(path + ".part", path)\n'
            'until = time.monotonic() + 10\n'
            'while "WAIT_FOR" in os.environ and time.monotonic() < until:\n'
            '    time.sleep(0.05)\n'
            '    if os.path.exists(os.environ["WAIT_FOR"]):\n'
            '        break\n'
        )
        script.chmod(0o755)
    (prefix / 'share' / PACKAGE).symlink_to(ROOT)
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(prefix))
    for name in (*constant('DDS_VARIABLES'), 'ROS_DISTRO'):
        # Set first, so that it is taken away again if the launch file sets it in this process.
        monkeypatch.setenv(name, 'unset')
        monkeypatch.delenv(name)
    return prefix


@pytest.fixture
def launch(prefix: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that runs the launch file and tells how the node was called."""

    def run(executable: str = 'depth_node', **arguments: str) -> dict[str, Any]:
        from launch import LaunchDescription, LaunchService
        from launch.actions import IncludeLaunchDescription
        from launch.launch_description_sources import PythonLaunchDescriptionSource

        service = LaunchService(noninteractive=True)
        source = PythonLaunchDescriptionSource(str(LAUNCH_FILE))
        include = IncludeLaunchDescription(source, launch_arguments=list(arguments.items()))
        service.include_launch_description(LaunchDescription([include]))
        if service.run() != 0:
            return {}
        argv, environment = json.loads((tmp_path / executable).read_text(encoding='utf-8'))
        return {'remaps': remaps(argv), 'environment': environment, 'argv': argv,
                'parameters': merged_parameters(argv)}

    return run


def after(argv: list[str], flag: str) -> list[str]:
    """Return what follows each occurrence of a flag."""
    return [value for key, value in itertools.pairwise(argv) if key == flag]


def remaps(argv: list[str]) -> dict[str, str]:
    """Return the remappings of a command line."""
    rules = (rule.partition(':=') for rule in after(argv, '-r'))
    return {source: target for source, _, target in rules}


def merged_parameters(argv: list[str]) -> dict[str, Any]:
    """Return what the parameter files of a command line say together: later wins."""
    merged: dict[str, Any] = {}
    for path in after(argv, '--params-file'):
        for parameters in yaml.safe_load(Path(path).read_text(encoding='utf-8')).values():
            merged.update(parameters['ros__parameters'])
    return merged


@pytest.mark.distro
def test_without_arguments_the_node_runs_with_the_defaults(launch: Callable[..., dict[str, Any]]):
    call = launch()
    assert NodeSettings.from_mapping(call['parameters']) == NodeSettings()
    assert call['remaps']['__node'] == 'depth_node'
    assert call['remaps']['image'] == 'image'
    assert call['remaps']['camera_info'] == 'camera_info'
    assert after(call['argv'], '--log-level') == ['info']


@pytest.mark.distro
def test_camera_info_is_beside_the_image_unless_told_otherwise(
    launch: Callable[..., dict[str, Any]]
):
    call = launch(image='/front/image_rect_color')
    assert call['remaps']['image'] == '/front/image_rect_color'
    assert call['remaps']['image/compressed'] == '/front/image_rect_color/compressed'
    assert call['remaps']['camera_info'] == '/front/camera_info'
    call = launch(image='/front/image', camera_info='/front/info')
    assert call['remaps']['camera_info'] == '/front/info'


@pytest.mark.distro
def test_cameras_become_a_parameter_and_remappings(launch: Callable[..., dict[str, Any]]):
    call = launch(cameras='front,left', image='image_raw')
    assert call['parameters']['cameras'] == ['front', 'left']
    assert call['remaps']['left/image'] == 'left/image_raw'
    assert call['remaps']['left/camera_info'] == 'left/camera_info'


@pytest.mark.distro
def test_arguments_override_your_file_overrides_the_preset(
    launch: Callable[..., dict[str, Any]], tmp_path: Path
):
    mine = tmp_path / 'mine.yaml'
    mine.write_text('/**:\n  ros__parameters:\n    cloud_stride: 8\n    device: cpu\n')
    call = launch(preset='kitti', params_file=str(mine), device='cuda:1', autostart='false')
    settings = NodeSettings.from_mapping(call['parameters'])
    assert settings.intrinsics_source == 'P'  # the preset's
    assert settings.cloud_stride == 8  # the file's
    assert (settings.device, settings.autostart) == ('cuda:1', False)  # the arguments'


@pytest.mark.distro
def test_texts_stay_texts(launch: Callable[..., dict[str, Any]]):
    """A weights file named 123 is not a number."""
    assert launch(clip_weights='123')['parameters']['clip_weights'] == '123'


@pytest.mark.distro
@pytest.mark.parametrize('arguments', [
    {'params_file': '/nowhere.yaml'}, {'method': 'midas'}, {'preset': 'ktti'}, {'rviz': 'maybe'},
    {'image': '/1abc'}, {'use_sim_time': 'perhaps'}, {'namespace': '1robot'},
    {'cameras': 'front,front'},
])
def test_wrong_arguments_start_nothing(
    arguments: dict[str, str], launch: Callable[..., dict[str, Any]], tmp_path: Path
):
    with contextlib.suppress(RuntimeError):
        assert launch(**arguments) == {}
    assert not (tmp_path / 'depth_node').exists()


@pytest.mark.distro
@pytest.mark.parametrize(('distro', 'n_variables'), [('humble', 2), ('kilted', 1)])
def test_the_dds_profile_is_wired_in(
    distro: str, n_variables: int, launch: Callable[..., dict[str, Any]], prefix: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv('ROS_DISTRO', distro)
    profile = str(prefix / 'share' / PACKAGE / 'config' / 'fastdds.xml')
    environment = launch()['environment']
    given = {name: environment[name] for name in constant('DDS_VARIABLES') if name in environment}
    assert given == dict.fromkeys(constant('DDS_VARIABLES')[-n_variables:], profile)


@pytest.mark.distro
def test_the_users_dds_profile_is_left_alone(
    launch: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
):
    old, new = constant('DDS_VARIABLES')
    monkeypatch.setenv(old, '/my/profile.xml')
    environment = launch()['environment']
    assert (environment.get(old), environment.get(new)) == ('/my/profile.xml', None)


@pytest.mark.distro
def test_rviz_listens_to_the_same_topics(
    launch: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The node runs meanwhile: when it ends, so does RViz."""
    monkeypatch.setenv('WAIT_FOR', str(tmp_path / 'rviz2'))
    call = launch('rviz2', rviz='true', namespace='robot', image='/cam/image', fixed_frame='cam')
    assert call['remaps']['/depth/points'] == '/robot/depth/points'
    assert call['remaps']['/image'] == '/cam/image'
    assert after(call['argv'], '--fixed-frame') == ['cam']
    assert Path(after(call['argv'], '--display-config')[0]).is_file()


@pytest.mark.distro
def test_without_rviz_nothing_is_started_that_would_be_left_behind(
    launch: Callable[..., dict[str, Any]], prefix: Path, tmp_path: Path
):
    """The node of the next launch would share its name and topics with the one left behind."""
    (prefix / 'lib/rviz2/rviz2').unlink()
    with contextlib.suppress(RuntimeError):
        assert launch(rviz='true') == {}
    assert not (tmp_path / 'depth_node').exists()


@pytest.mark.distro
def test_true_is_understood_as_python_writes_it(launch: Callable[..., dict[str, Any]]):
    call = launch(use_sim_time='True', autostart='False')
    assert call['parameters']['use_sim_time'] is True
    assert call['parameters']['autostart'] is False
