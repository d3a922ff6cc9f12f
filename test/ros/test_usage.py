# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``depth_node --help`` helps, also where there is no ROS, and wrong arguments are explained."""

from __future__ import annotations

import sys

from clip_depth_ros.ros import depth_node
from clip_depth_ros.ros.usage import usage_text
from clip_depth_ros.settings.node import NodeSettings, OUTPUTS
import pytest


def test_usage_names_every_topic_and_parameter():
    text = usage_text()
    names = [*NodeSettings.model_fields, *(each.topic for each in OUTPUTS.values()), 'camera_info']
    assert [name for name in names if f'\n  {name} ' not in text] == []
    assert max(map(len, text.splitlines())) <= 99
    assert text.startswith('usage: depth_node')


@pytest.mark.parametrize('flag', ['-h', '--help'])
def test_help_needs_no_ros(
    flag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, 'argv', ['depth_node', flag])
    monkeypatch.setitem(sys.modules, 'rclpy', None)
    assert depth_node.main() == 0
    assert capsys.readouterr().out.startswith('usage: depth_node')


@pytest.mark.ros
@pytest.mark.parametrize(('arguments', 'message'), [
    (['-r', 'image:=/1abc'], "Couldn't parse remap rule: '-r image:=/1abc'; arguments read"),
    (['-r', 'image'], "Couldn't parse remap rule: '-r image'"),
    (['-r', '__ns:=/1abc'], "Couldn't parse remap rule: '-r __ns:=/1abc'"),
    (['-r', '__node:=1abc'], "Couldn't parse remap rule: '-r __node:=1abc'"),
    (['-p', 'x'], "Couldn't parse parameter override rule: '-p x'"),
    (['--params-file', '/nowhere.yaml'], "Couldn't parse params file: '--params-file /nowhere"),
    (['--log-level', 'loud'], "Couldn't parse log level: '--log-level loud'"),
    (['loud'], "unknown arguments ['loud']"),
    (['-r', 'image:=/\x1b[31mred'], 'remap rule'),
])
def test_arguments_that_ros_does_not_understand(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(sys, 'argv', ['depth_node', '--ros-args', *arguments])
    assert depth_node.main() == 1
    said = [line for line in capfd.readouterr().err.splitlines() if 'depth_node: error:' in line]
    assert len(said) == 1
    assert message in said[0]
    assert '--params-file FILE' in said[0]
    assert '\x1b' not in said[0]


@pytest.mark.ros
@pytest.mark.usefixtures('ros_domain')
def test_two_nodes_apart_have_two_names():
    from clip_depth_ros.ros.publishers import node_apart

    with node_apart('clip_depth_player') as first, node_apart('clip_depth_player') as second:
        assert first.get_name() != second.get_name()
        assert all(n.get_name().startswith('clip_depth_player_') for n in (first, second))
