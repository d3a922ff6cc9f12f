# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is loaded of open_clip is open_clip's own, costs less, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).resolve().parents[2]

CODE = """
import importlib, sys
from clip_depth_ros.model import open_clip_parts as parts

heavy = {'timm', 'transformers', 'torchvision', 'torch._dynamo', 'open_clip'}
print('not loaded:', not heavy & {*sys.modules})

import open_clip, torchvision, timm
print('whole afterwards:', hasattr(torchvision, 'models') and open_clip.timm_model.timm is timm
      and callable(open_clip.create_model))
print('apart:', parts.model.CLIP is not open_clip.CLIP)

configs = parts.model_configs()
print('listed:', [*configs] == open_clip.list_models())
print('described:', all(open_clip.get_model_config(name) == configs[name] for name in configs))

importlib.reload(parts)
print('shared:', parts.model.CLIP is open_clip.CLIP)
"""


@pytest.fixture(scope='module')
def said() -> list[str]:
    """Return what one process says: loading all of open_clip takes seconds."""
    process = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', CODE], cwd=ROOT, capture_output=True, text=True,
        check=True,
    )
    return process.stdout.splitlines()


def test_what_a_node_never_calls_is_not_loaded_and_all_is_whole_for_those_who_do(said):
    """Importing them afterwards gives the packages as they are, models of timm included."""
    assert {'not loaded: True', 'whole afterwards: True', 'apart: True'} <= {*said}


def test_the_descriptions_are_those_that_open_clip_lists(said):
    assert {'listed: True', 'described: True'} <= {*said}


def test_where_open_clip_is_there_already_it_is_the_same(said):
    assert 'shared: True' in said
