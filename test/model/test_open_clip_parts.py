# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is loaded of open_clip is open_clip's own, costs less, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys

from clip_depth_ros.model.open_clip_parts import model_configs
import open_clip

ROOT = Path(__file__).resolve().parents[2]

LOAD = 'from clip_depth_ros.model import open_clip_parts as parts; import sys; '


def run(code: str) -> str:
    process = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', LOAD + code], cwd=ROOT, capture_output=True,
        text=True, check=True,
    )
    return process.stdout.strip()


def test_the_descriptions_are_those_that_open_clip_lists():
    assert [*model_configs()] == open_clip.list_models()
    for name, config in model_configs().items():
        assert config == open_clip.get_model_config(name)


def test_what_a_node_never_calls_is_not_loaded_and_all_is_whole_for_those_who_do():
    """Importing them afterwards gives the packages as they are, models of timm included."""
    assert run(
        "heavy = {'timm', 'transformers', 'torchvision', 'torch._dynamo', 'open_clip'}; "
        'print(heavy & {*sys.modules}); '
        'import open_clip, torchvision, timm; '
        'print(hasattr(torchvision, "models"), open_clip.timm_model.timm is timm, '
        'callable(open_clip.create_model), parts.model.CLIP is open_clip.CLIP)'
    ) == 'set()\nTrue True True False'


def test_where_open_clip_is_there_already_it_is_the_same():
    code = 'import open_clip; ' + LOAD + 'print(parts.model.CLIP is open_clip.CLIP)'
    process = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code], cwd=ROOT, capture_output=True, text=True,
        check=True,
    )
    assert process.stdout.strip() == 'True'
