# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The validation frames that KITTI's depth benchmark has selected."""

from __future__ import annotations

from pathlib import Path
import pickle

from clip_depth_ros.errors import CalibrationError, RecordingError
from clip_depth_ros.world.drive import Drive
from data_folders import DRIVE, write_selection
import numpy as np
from open_sources import open_kind
import pytest

IMAGE = f'{DRIVE}_image_{{:010}}_image_02'
GT = f'{DRIVE}_groundtruth_depth_{{:010}}_image_02.png'


@pytest.fixture
def selection(tmp_path: Path) -> Path:
    """Give a selection of two frames."""
    drive = Drive(5, width=32, height=16)
    frames = [drive.frame(number, lidar=False) for number in (3, 4)]
    return write_selection(tmp_path / 'val_selection_cropped', frames)


def test_depth_is_value_over_256(selection: Path) -> None:
    import cv2

    stored = cv2.imread(str(selection / 'groundtruth_depth' / GT.format(1)), -1)
    sample = open_kind('kitti-selection', selection)[1]
    np.testing.assert_array_equal(sample.target_m, stored / np.float32(256))
    assert sample.name == f'image/{IMAGE.format(1)}.png'


def test_frames_were_picked_from_drives(selection: Path) -> None:
    """They have no neighbours: no stamps."""
    sample = open_kind('kitti-selection', selection)[0]
    assert (sample.recording, sample.stamp_ns) == (DRIVE, None)


@pytest.mark.parametrize('above', ['.', '..'])
def test_the_folder_is_found(selection: Path, above: str) -> None:
    assert len(open_kind('kitti-selection', selection / above)) == 2


def test_intrinsics_are_those_of_the_image(selection: Path) -> None:
    path = selection / 'intrinsics' / f'{IMAGE.format(0)}.txt'
    path.write_text('721.5 0.0 15.6 0.0 721.5 7.9 0.0 0.0 1.0\n')
    intrinsics = open_kind('kitti-selection', selection)[0].intrinsics
    assert intrinsics is not None
    assert (intrinsics.fx, intrinsics.cx, intrinsics.cy) == pytest.approx((721.5, 15.6, 7.9))
    path.unlink()
    assert open_kind('kitti-selection', selection)[0].intrinsics is None


@pytest.mark.parametrize('text', ['', '1 2 3', '7 0 6 0 7 1 0 0 x', '7 1 6 0 7 1 0 0 1'])
def test_intrinsics_that_are_none(selection: Path, text: str) -> None:
    (selection / 'intrinsics' / f'{IMAGE.format(0)}.txt').write_text(text)
    with pytest.raises(CalibrationError, match=r'_image_02.txt. should'):
        open_kind('kitti-selection', selection)[0]


def test_halves_of_frames_are_problems(selection: Path) -> None:
    """The archive was not unpacked as a whole."""
    gt = selection / 'groundtruth_depth' / GT.format(0)
    gt.rename(gt.with_name(GT.format(7)))
    source = open_kind('kitti-selection', selection)
    missing_image = selection / 'image' / f'{IMAGE.format(7)}.png'
    assert source.problems == [
        (f'image/{IMAGE.format(0)}.png', f'depth map {str(gt)!r} is not there'),
        (f'groundtruth_depth/{GT.format(7)}', f'image {str(missing_image)!r} is not there'),
    ]
    assert len(source) == 1


def test_a_list_chooses_frames(selection: Path, tmp_path: Path) -> None:
    split = tmp_path / 'list.txt'
    split.write_text(f'{IMAGE.format(1)}.png\n')
    source = open_kind('kitti-selection', selection, split=split)
    assert (source.names, source.problems) == ([f'image/{IMAGE.format(1)}.png'], [])
    split.write_text('none.png\n')
    with pytest.raises(RecordingError, match=r'list.txt:1: there is no image'):
        open_kind('kitti-selection', selection, split=split)


def test_another_folder(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="is not KITTI's val_selection_cropped: looked for"):
        open_kind('kitti-selection', tmp_path)


def test_it_can_be_sent_to_another_process(selection: Path) -> None:
    source = open_kind('kitti-selection', selection)
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(copy[1].target_m, source[1].target_m)
