# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The linters that ROS packages are judged by, as ``colcon test`` runs them; and data files."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from source_tree import PACKAGE, ROOT
import yaml

CODE = [str(ROOT / name) for name in (PACKAGE, 'weights', 'launch', 'test', 'setup.py')]
XML = ['package.xml', 'config/fastdds.xml']
YAML = [
    path.relative_to(ROOT).as_posix()
    for folder, pattern in (('config', '*.yaml'), ('rviz', '*.rviz'))
    for path in sorted((ROOT / folder).glob(pattern))
]


@pytest.mark.parametrize('linter', ['ament_flake8', 'ament_pep257'])
def test_ament_linters_have_nothing_to_say(linter: str):
    """In a process of their own: they fork, log and set up things as programs do."""
    pytest.importorskip(linter)
    command = [sys.executable, '-m', f'{linter}.main', *CODE]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    quiet = ('checking ', '* ', 'No problems found')
    said = [line for line in process.stdout.splitlines() if line and not line.startswith(quiet)]
    assert process.returncode == 0, '\n'.join([*said, process.stderr])


@pytest.mark.parametrize('name', XML)
def test_xml_is_well_formed(name: str):
    ElementTree.parse(ROOT / name)


@pytest.mark.parametrize('name', YAML)
def test_yaml_is_well_formed_and_names_nothing_twice(name: str):
    """YAML takes a key that stands twice for the last of them; that is always a mistake."""
    tree = yaml.compose((ROOT / name).read_text(encoding='utf-8'))
    assert duplicates(tree) == []


def test_duplicate_keys_are_found():
    assert duplicates(yaml.compose('a: {b: 1, c: 2, b: 3}')) == ['b']


def duplicates(node: yaml.Node) -> list[str]:
    """Give the keys that stand twice in one mapping of a YAML tree."""
    if isinstance(node, yaml.SequenceNode):
        return [name for child in node.value for name in duplicates(child)]
    if not isinstance(node, yaml.MappingNode):
        return []
    keys = [key.value for key, _ in node.value]
    inner = [name for _, value in node.value for name in duplicates(value)]
    return sorted({key for key in keys if keys.count(key) > 1}) + inner
