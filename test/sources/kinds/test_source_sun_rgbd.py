# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""SUN RGB-D: millimetres with turned bits, up to 8 m, as measured or filled."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.errors import CalibrationError, RecordingError
from clip_depth_ros.sources.registry import kind_of
from clip_depth_ros.types import Intrinsics
from data_folders import write_png, write_text
import numpy as np
from open_sources import open_kind
import pytest

SCENE = 'xtion/sun3ddata/brown_bm_1/brown_bm_1/0000103'


@pytest.fixture
def sun(tmp_path: Path) -> Path:
    """Give a scene with one pixel unknown and one at 9 m, whose depth as filled is 3.001 m."""
    scene = tmp_path / SCENE
    write_png(scene / 'image/a.png', np.zeros((4, 6, 3), np.uint8))
    measured = np.full((4, 6), 1234 << 3, np.uint16)  # 1.234 m
    measured[0, 0], measured[0, 1] = 0, (9000 << 3) % 65536 | 9000 >> 13
    write_png(scene / 'depth/a.png', measured)
    write_png(scene / 'depth_bfx/a.png', np.full((4, 6), 3001 << 3, np.uint16))
    write_text(scene / 'intrinsics.txt', '5 0 2.5 0 6 1.5 0 0 1 ')
    return tmp_path


@pytest.mark.parametrize('place', ['', 'xtion', SCENE])
def test_it_is_recognised_at_every_level(sun: Path, place: str) -> None:
    assert kind_of(str(sun / place)) == 'sun-rgbd'
    assert len(open_kind('sun-rgbd', sun / place)) == 1


def test_evaluations_take_what_was_measured(sun: Path) -> None:
    source = open_kind('sun-rgbd', sun, as_measured=True)
    sample = source[0]
    assert sample.target_m[1, 1] == np.float32(1.234)
    assert sample.target_m[0, :2].tolist() == [0, 0]
    assert [*sample.notes.items()] == [('nothing is known from gt_max_range_m=8 on, pixels', 1)]
    assert sample.intrinsics == Intrinsics(5.0, 6.0, 2.5, 1.5, 6, 4)
    assert source.describe()['depth'] == 'measured'
    farther = open_kind('sun-rgbd', sun, as_measured=True, gt_max_range_m=10.0)
    assert farther[0].target_m[0, 1] == 9


def test_trainings_take_what_was_filled(sun: Path) -> None:
    assert set(open_kind('sun-rgbd', sun)[0].target_m.ravel()) == {np.float32(3.001)}


def test_a_scene_with_two_depth_maps_is_refused(sun: Path) -> None:
    write_png(sun / SCENE / 'depth_bfx/b.png', np.full((4, 6), 1, np.uint16))
    with pytest.raises(RecordingError, match='should have one image and one depth map'):
        open_kind('sun-rgbd', sun)


def test_what_is_damaged_or_missing_is_named(sun: Path) -> None:
    (sun / SCENE / 'intrinsics.txt').write_text('5 0 2.5')
    with pytest.raises(CalibrationError, match=r'intrinsics\.txt.* numbers, holds 3'):
        open_kind('sun-rgbd', sun)[0]
    (sun / SCENE / 'depth_bfx/a.png').unlink()
    with pytest.raises(RecordingError, match='looked for image/, depth/'):
        open_kind('sun-rgbd', sun)
