# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Folders in the manner of DIODE: depth where the mask says so, for training and evaluation."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.errors import ConfigError, ImageError, RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.frames import open_for_evaluation
from clip_depth_ros.sources.held_out import open_for_training
from clip_depth_ros.sources.registry import kind_of
import cv2
import numpy as np
from open_sources import open_kind
import pytest

SCAN = 'val/indoors/scene_00019/scan_00183'
NAME = '00019_00183_indoors_{}'


@pytest.fixture
def diode(tmp_path: Path) -> Path:
    """Return the root of two frames, 2 and 3 m away; the first pixel is not valid."""
    folder = tmp_path / SCAN
    folder.mkdir(parents=True)
    for number in range(2):
        name = NAME.format(number)
        cv2.imwrite(str(folder / f'{name}.png'), np.full((4, 6, 3), number, np.uint8))
        depth_m = np.full((4, 6, 1), 2 + number, np.float32)
        valid = np.ones((4, 6), np.float32)
        depth_m[0, 0], valid[0, 0] = np.nan, 0
        np.save(folder / f'{name}_depth.npy', depth_m)
        np.save(folder / f'{name}_depth_mask.npy', valid)
    return tmp_path


@pytest.mark.parametrize('place', ['', 'val', SCAN])
def test_it_is_recognised_at_every_level(diode: Path, place: str) -> None:
    assert kind_of(str(diode / place)) == 'diode'
    assert len(open_kind('diode', diode / place)) == 2


def test_depth_counts_where_the_mask_says_so(diode: Path) -> None:
    source = open_for_evaluation([str(diode)], SourceSettings())
    assert (source.kind, source.gt_kind, source.problems) == ('diode', 'depth-images', [])
    assert source.names == [f'{SCAN}/{NAME.format(number)}.png' for number in range(2)]
    expected = np.full((4, 6), 3, np.float32)
    expected[0, 0] = 0
    np.testing.assert_array_equal(source[1].target_m, expected)
    assert (source[1].recording, int(source[1].rgb.max())) == (SCAN, 1)
    assert len(source.files) == 6


def test_it_can_be_trained_on(diode: Path) -> None:
    settings = TrainSettings.from_mapping({'data': str(diode), 'validation_share': 0.5})
    train, held_out = open_for_training(settings)
    assert (train[0].target_m.max(), held_out[0].target_m.max()) == (2, 3)


def test_an_image_without_depth_is_counted(diode: Path) -> None:
    (diode / SCAN / f'{NAME.format(0)}_depth.npy').unlink()
    source = open_for_evaluation([str(diode)], SourceSettings())
    assert (len(source), source.notes) == (1, ['1 of 2 images has no depth'])


def test_settings_of_other_kinds_are_refused(diode: Path) -> None:
    with pytest.raises(ConfigError, match='split is not for kind diode'):
        open_for_evaluation([str(diode)], SourceSettings(split='list.txt'))


def test_a_folder_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r'looked for NAME\.png'):
        open_kind('diode', tmp_path)


@pytest.mark.parametrize('array', [
    np.ones((4, 5), np.float32), np.ones((4, 6), np.uint16), np.ones((4, 6, 3), np.float32),
], ids=['another size', 'integers', 'colours'])
def test_depth_of_another_kind_is_refused(diode: Path, array: np.ndarray) -> None:
    np.save(diode / SCAN / f'{NAME.format(0)}_depth.npy', array)
    with pytest.raises(ImageError, match=r'_depth\.npy'):
        open_kind('diode', diode)[0]


def test_a_damaged_array_is_named(diode: Path) -> None:
    (diode / SCAN / f'{NAME.format(0)}_depth_mask.npy').write_bytes(b'no array')
    with pytest.raises(ImageError, match=r'_depth_mask\.npy.*copy it again'):
        open_kind('diode', diode)[0]
