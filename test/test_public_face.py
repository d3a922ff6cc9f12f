# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What ``from clip_depth_ros import ...`` gives: every name, at no cost, and docs that run."""

from __future__ import annotations

import json
from pathlib import Path
import re
import subprocess
import sys

from benchmarks.bench_cost import with_tables
import clip_depth_ros
import numpy as np
import pytest
from source_tree import imports_of, PACKAGE_DIR, ROOT

PAGE = ROOT / 'docs/python.md'
EXAMPLES = re.findall(r'```python\n(.*?)```', PAGE.read_text(encoding='utf-8'), flags=re.DOTALL)


def test_importing_the_package_loads_nothing():
    """Not even numpy."""
    code = (
        'import sys; before = {*sys.modules}; import clip_depth_ros; dir(clip_depth_ros);'
        'print(*({*sys.modules} - before))'
    )
    process = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.partition('.')[0] for name in process.stdout.split()}
    assert loaded - sys.stdlib_module_names == {'clip_depth_ros'}


@pytest.mark.parametrize('name', ['evaluate', 'open_source', 'compare', 'read_result', 'Result'])
def test_evaluating_what_others_predict_needs_no_torch(name):
    code = f'import sys; from clip_depth_ros import {name}; print(*sys.modules)'
    process = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {module.partition('.')[0] for module in process.stdout.split()}
    assert loaded & {'torch', 'open_clip', 'matplotlib', 'rclpy'} == set()


@pytest.mark.parametrize('name', clip_depth_ros.__all__)
def test_every_name_is_there_and_has_a_docstring(name):
    assert getattr(clip_depth_ros, name).__doc__
    assert name in dir(clip_depth_ros)


def test_mypy_and_python_know_the_same_names():
    """Imports for mypy alone, the table of places and ``__all__`` say the same thing thrice."""
    for_mypy = {
        imported.module.removeprefix('clip_depth_ros.')
        for imported in imports_of(PACKAGE_DIR / '__init__.py')
        if imported.module.startswith('clip_depth_ros.')
    }
    places = {f'{room}.{name}' for name, room in clip_depth_ros._ROOMS.items()}
    assert for_mypy == places
    assert sorted(clip_depth_ros._ROOMS) == sorted(clip_depth_ros.__all__)


def test_a_name_that_is_not_there_is_told():
    with pytest.raises(AttributeError, match="'clip_depth_ros' has no attribute 'evaluated'"):
        clip_depth_ros.evaluated  # noqa: B018


def test_there_are_five_examples():
    assert len(EXAMPLES) == 5


def test_the_examples_run_one_after_the_other_and_say_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    for example in EXAMPLES:
        exec(compile(example, str(PAGE), 'exec'), known)
    said = capsys.readouterr().out
    depth = known['depth']
    assert isinstance(depth, clip_depth_ros.DepthMap)
    assert np.isfinite(depth.depth_m).all()
    assert 'clip2depth' in said
    assert '/ground_truth/depth' in said
    assert (tmp_path / 'result.json').is_file()
    title = clip_depth_ros.read_result('result.json').title
    assert title in ' '.join(said.split())  # lines are wrapped


def test_the_tables_of_costs_are_those_that_were_measured():
    """docs/performance.md is made from the JSON file beside it, by the benchmark."""
    page = (ROOT / 'docs/performance.md').read_text(encoding='utf-8')
    found = json.loads((ROOT / 'docs/cost.json').read_text(encoding='utf-8'))
    assert with_tables(page, found) == page
