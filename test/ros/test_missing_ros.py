# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where there is no ROS, commands that need it say so in one line."""

from __future__ import annotations

import subprocess
import sys

import pytest

HIDE_ROS = (
    'import sys, importlib.abc\n'
    'class Hidden(importlib.abc.MetaPathFinder):\n'
    '    def find_spec(self, name, path=None, target=None):\n'
    '        if name.partition(".")[0] in {"rclpy", "sensor_msgs", "diagnostic_msgs"}:\n'
    '            raise ModuleNotFoundError(f"No module named {name!r}", name=name)\n'
    'sys.meta_path.insert(0, Hidden())\n'
)


def run_without_ros(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-c', HIDE_ROS + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize('code', [
    'from clip_depth_ros.ros.depth_node import main; sys.exit(main())',
    'from clip_depth_ros.cli.main import main; sys.exit(main(["demo", "--bag", "x.mcap"]))',
])
def test_what_to_install_is_said(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run_without_ros(code)
    assert done.returncode == 1
    assert 'this needs ROS 2' in done.stderr
    assert "pip install 'clip_depth_ros[ros]'" in done.stderr
    assert 'Traceback' not in done.stderr


def test_another_missing_module_keeps_its_traceback():
    """It is a broken installation, not a missing ROS."""
    code = (
        'import clip_depth_ros.cli.bag as bag\n'
        'def broken(args): import no_such_module\n'
        'bag.run = broken\n'
        'from clip_depth_ros.cli.main import main; sys.exit(main(["bag", "info", "x"]))'
    )
    done = run_without_ros(code)
    assert done.returncode == 1
    assert 'Traceback' in done.stderr
    assert 'no_such_module' in done.stderr
