# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The template for a new data set, as CONTRIBUTING.md has it, is a data set by being there."""

from __future__ import annotations

from collections.abc import Iterator
import importlib
from pathlib import Path
import re
import sys

from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources import kinds
from clip_depth_ros.sources.frames import open_for_evaluation
from clip_depth_ros.sources.held_out import open_for_training
from clip_depth_ros.sources.registry import kind_names, known_kinds
import data_folders as folders
import numpy as np
import pytest
from source_tree import ROOT

CODE = re.compile(r'## A new data set\n.*?```python\n(.*?)```', re.DOTALL)


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lay the template among the kinds, by its name."""
    found = CODE.search((ROOT / 'CONTRIBUTING.md').read_text(encoding='utf-8'))
    assert found
    folder = tmp_path / 'kinds'
    folder.mkdir()
    (folder / 'orchard.py').write_text(found[1], encoding='utf-8')
    monkeypatch.setattr(kinds, '__path__', [*kinds.__path__, str(folder)])
    importlib.invalidate_caches()
    known_kinds.cache_clear()
    yield
    known_kinds.cache_clear()
    sys.modules.pop(f'{kinds.__name__}.orchard', None)
    vars(kinds).pop('orchard', None)


@pytest.fixture
def orchard(tmp_path: Path) -> Path:
    """Give a folder of two pictures 4 m from a wall, of which nothing is known in one corner."""
    depth_mm = np.full((480, 640), 4000, np.uint16)
    depth_mm[:100, :100] = 0
    for number in range(2):
        folders.write_png(tmp_path / f'data/color/{number}.png', np.zeros((480, 640, 3), np.uint8))
        folders.write_png(tmp_path / f'data/depth/{number}.png', depth_mm)
    return tmp_path / 'data'


def test_it_is_recognised_and_has_its_camera(template: None, orchard: Path) -> None:
    source = open_for_evaluation([str(orchard)], SourceSettings())
    assert (source.kind, len(source), source.problems) == ('orchard', 2, [])
    sample = source[1]
    assert (sample.name, sample.recording) == ('1', 'data')
    assert sample.intrinsics is not None
    assert sample.intrinsics.fx == 577.9
    assert (sample.target_m[0, 0], sample.target_m[-1, -1]) == (0, 4)


def test_it_can_be_trained_on(template: None, orchard: Path) -> None:
    settings = TrainSettings.from_mapping({'data': str(orchard), 'validation_share': 0.5})
    train, held_out = open_for_training(settings)
    assert (len(train), len(held_out), held_out[0].target_m.max()) == (1, 1, 4)


def test_without_it_there_is_no_such_kind(orchard: Path) -> None:
    assert 'orchard' not in kind_names()
    with pytest.raises(ValueError, match='is of no known kind: it holds color, depth'):
        open_for_evaluation([str(orchard)], SourceSettings())
