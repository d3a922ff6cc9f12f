# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Recordings that were made to do harm: they are read as data, or refused with a reason.

A payload that would run writes a marker, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import subprocess
import sys
import unicodedata

from bag_files import START_NS
from clip_depth_ros.cli.main import main
from clip_depth_ros.demo.processes import module_command, safe_path_environ
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer

STEERING = '/a\x1b[31mred\x07\x9b2J\u202e\n  9  /forged'


def write_types(path: Path, topics: dict[str, str]) -> Path:
    """Write a recording with any names of topics and types, one message of one byte each."""
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic, msgtype in topics.items():
            connection = writer.add_connection(topic, msgtype, msgdef='uint8 x\n', rihs01='none')
            writer.write(connection, START_NS, b'\0\1\0\0\5')
    return path


def write_payload(file: Path) -> Path:
    """Write a module that leaves a marker beside its top folder; return where that would be."""
    marker = file.parents[1] / 'ran'
    file.parent.mkdir(parents=True, exist_ok=True)
    (file.parent / '__init__.py').touch()
    file.write_text(f'open({str(marker)!r}, "w").close()\nclass Fly: pass\n')
    return marker


class TestNamesOfTypes:
    """A recording names types; nothing is imported because of that but message packages."""

    pytestmark = pytest.mark.ros

    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """Give a folder on Python's path, as the current one is for ``python -m``."""
        monkeypatch.syspath_prepend(str(tmp_path))
        before = set(sys.modules)
        yield tmp_path
        for name in set(sys.modules) - before:
            del sys.modules[name]

    @pytest.fixture
    def prefix(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Give a prefix whose ament index lists evil_msgs/msg/Fly; the package is not in it."""
        prefix = folder / 'prefix'
        index = prefix / 'share/ament_index/resource_index/rosidl_interfaces'
        index.mkdir(parents=True)
        (index / 'evil_msgs').write_text('msg/Fly.idl\nmsg/Fly.msg\n')
        monkeypatch.setenv('AMENT_PREFIX_PATH', str(prefix))
        return prefix

    def test_python_s_own_modules(self) -> None:
        from clip_depth_ros.ros.message_classes import message_class

        names = ['antigravity/msg/Fly', 'this/msg/X', 'idlelib/msg/X', 'rclpy/msg/Node']
        assert [message_class(name) for name in names] == [None] * 4
        assert {'antigravity', 'this', 'idlelib'}.isdisjoint(sys.modules)

    def test_a_package_that_lies_beside_the_recording(self, folder: Path) -> None:
        from clip_depth_ros.ros.message_classes import message_class

        marker = write_payload(folder / 'evil_msgs/msg.py')
        assert message_class('evil_msgs/msg/Fly') is None
        assert not marker.exists()

    def test_a_package_that_hides_an_installed_one(self, folder: Path, prefix: Path) -> None:
        from clip_depth_ros.ros.message_classes import message_class

        marker = write_payload(folder / 'evil_msgs/msg.py')
        assert message_class('evil_msgs/msg/Fly') is None
        assert not marker.exists()

    def test_an_installed_package_is_found_by_the_variable_of_ros(
        self, prefix: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from clip_depth_ros.ros.message_classes import message_class

        libraries = prefix / 'lib/python3/site-packages'
        write_payload(libraries / 'evil_msgs/msg.py')
        monkeypatch.syspath_prepend(str(libraries))
        assert message_class('evil_msgs/msg/Fly').__name__ == 'Fly'
        assert message_class('evil_msgs/msg/Other') is None

    def test_messages_of_wheels_are_found_without_that_variable(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from clip_depth_ros.ros.message_classes import message_class
        from sensor_msgs.msg import Image

        monkeypatch.setenv('AMENT_PREFIX_PATH', '')
        if not (Path(sys.prefix) / 'share/ament_index/resource_index').is_dir():
            pytest.skip('the messages are not from PyPI')
        assert message_class('sensor_msgs/msg/Image') is Image


class TestProcesses:
    """What a demo starts in the folder of a recording imports nothing from there."""

    @pytest.mark.parametrize('has_safe_path', [
        pytest.param(True, marks=pytest.mark.skipif(
            sys.version_info < (3, 11), reason='Python 3.10 has no -P'
        )),
        False,
    ])
    def test_the_current_folder_is_not_on_the_path(
        self, tmp_path: Path, has_safe_path: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / 'yaml.py').write_text('raise SystemExit("imported from the wrong place")')
        monkeypatch.chdir(tmp_path)
        named = os.pathsep.join(entry for entry in sys.path if Path(entry).is_dir())
        environ = safe_path_environ({**os.environ, 'PYTHONPATH': f':{named}:'})
        command = module_command('clip_depth_ros.settings.base', has_safe_path=has_safe_path)
        subprocess.run(command, env=environ, check=True)

    def test_a_checkout_that_is_not_installed_is_found(self, tmp_path: Path) -> None:
        given = {'PYTHONPATH': ':/my/lib::'}
        assert safe_path_environ(given, tmp_path)['PYTHONPATH'] == '/my/lib'
        assert safe_path_environ(given, Path.cwd())['PYTHONPATH'] == f'/my/lib:{Path.cwd()}'


class TestTerminal:
    """Names cannot steer the terminal, nor forge a line."""

    @pytest.fixture
    def bag(self, tmp_path: Path) -> Path:
        """Give a recording whose names are full of control characters."""
        return write_types(tmp_path / 'bag', {STEERING: 'std_msgs/msg/\x1b]0;owned\x07X'})

    @pytest.mark.parametrize('command', [
        ['bag', 'info'], ['evaluate'], ['evaluate', '--image-topic', '/x\x1b[2J'],
    ])
    def test_nothing_that_is_printed_has_control_characters(
        self, bag: Path, command: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        main([*command, str(bag)])
        printed = ''.join(capsys.readouterr())
        assert len(printed) > 50
        assert {c for c in printed if unicodedata.category(c) in ('Cc', 'Cf')} == {'\n'}

    def test_names_stay_in_their_line(
        self, bag: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        main(['bag', 'info', str(bag)])
        assert capsys.readouterr().out.count('\n') == 5
