# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RGB-D folders in the manner of TUM: which depth, and which pose, belongs to which image."""

from __future__ import annotations

from pathlib import Path
import pickle

from clip_depth_ros.errors import CalibrationError, ConfigError, RecordingError
from clip_depth_ros.types import Intrinsics
from data_folders import write_png, write_text
import numpy as np
from open_sources import open_kind
import pytest

SIDE = np.sqrt(0.5)


@pytest.fixture
def tum(tmp_path: Path) -> Path:
    """Give images at 10, 11, 12 s; depth 10 ms after the first, 30 ms after the second."""
    root = tmp_path / 'rgbd_dataset_freiburg1_desk'
    for number in (10, 11, 12):
        write_png(root / f'rgb/{number}.png', np.full((4, 6, 3), number, np.uint8))
        depth = np.full((4, 6), 5000 * number, np.uint16)
        depth[0, 0] = 0
        write_png(root / f'depth/{number}.png', depth)
    write_text(root / 'rgb.txt', '# a comment\n10.0 rgb/10.png\n11.0 rgb/11.png\n12.0 rgb/12.png')
    write_text(root / 'depth.txt', '10.01 depth/10.png\n11.03 depth/11.png\n13.0 depth/12.png')
    return root


def test_depth_is_value_over_5000(tum: Path) -> None:
    sample = open_kind('tum', tum)[0]
    assert sample.target_m[0].tolist() == [0, 10, 10, 10, 10, 10]
    assert sample.name == 'rgb/10.png'
    assert sample.rgb[0, 0].tolist() == [10, 10, 10]


def test_depth_that_is_not_near_in_time_is_none(tum: Path) -> None:
    assert open_kind('tum', tum).names == ['rgb/10.png']
    assert open_kind('tum', tum).describe()['images_without_depth'] == '2'
    wider = open_kind('tum', tum, sync_tolerance_s=0.03)
    assert wider.names == ['rgb/10.png', 'rgb/11.png']
    assert wider.describe()['images_without_depth'] == '1'


def test_the_nearest_of_several_counts(tum: Path) -> None:
    write_text(tum / 'depth.txt', '10.012 depth/12.png\n9.991 depth/11.png\n9.98 depth/10.png')
    assert open_kind('tum', tum)[0].target_m[1, 1] == 11


def test_a_depth_serves_its_nearest_image(tum: Path) -> None:
    write_text(tum / 'depth.txt', '10.6 depth/10.png\n11.9 depth/11.png')
    source = open_kind('tum', tum, sync_tolerance_s=1)
    assert source.names == ['rgb/11.png', 'rgb/12.png']
    assert source.describe()['images_without_depth'] == '1'
    assert source.describe()['stamp_gap_max_s'] == '0.4'


@pytest.mark.parametrize(('text', 'stamp_ns'), [
    ('1305031102.175304', 1305031102175304000),
    ('1305031102.1753041234', 1305031102175304123),
    ('0', 0), ('1.5e1', 15 * 10**9),
])
def test_stamps_are_whole_nanoseconds(tum: Path, text: str, stamp_ns: int) -> None:
    """As floats, those of today would be off by a hundred of them."""
    write_text(tum / 'rgb.txt', f'{text} rgb/10.png')
    write_text(tum / 'depth.txt', f'{text} depth/10.png')
    sample = open_kind('tum', tum)[0]
    assert (sample.stamp_ns, sample.recording) == (stamp_ns, tum.name)


def test_the_pose_takes_the_camera_to_the_world(tum: Path) -> None:
    """A quarter turn about z, and 1 2 3 m away."""
    poses = f'# stamp ...\n9.99 1 2 3 0 0 {SIDE} {SIDE}\n11.5 0 0 0 0 0 0 1'
    write_text(tum / 'groundtruth.txt', poses)
    T = open_kind('tum', tum)[0].T_world_camera
    assert T is not None
    np.testing.assert_allclose(T @ [1, 0, 0, 1], [1, 3, 3, 1], atol=1e-12)
    assert open_kind('tum', tum, sync_tolerance_s=0.03)[1].T_world_camera is None
    assert open_kind('tum', tum, sync_tolerance_s=0.03).describe()['frames_with_pose'] == '1'


def test_without_poses_none_is_known(tum: Path) -> None:
    assert open_kind('tum', tum)[0].T_world_camera is None


def test_intrinsics_are_the_published_ones(tum: Path) -> None:
    """Of the camera that the folder's name says, for its own size."""
    assert open_kind('tum', tum)[0].intrinsics is None
    write_png(tum / 'rgb/10.png', np.zeros((480, 640, 3), np.uint8))
    write_png(tum / 'depth/10.png', np.ones((480, 640), np.uint16))
    assert open_kind('tum', tum)[0].intrinsics == Intrinsics(517.3, 516.5, 318.6, 255.3, 640, 480)
    other = tum.rename(tum.with_name('office'))
    assert open_kind('tum', other)[0].intrinsics is None


class TestRefusals:
    @pytest.mark.parametrize('line', [
        'rgb/10.png', '10.0', '10.0 a b', 'ten rgb/10.png', 'nan rgb/10.png', '-1 rgb/10.png',
        '1e99 rgb/10.png', 'Infinity rgb/10.png',
    ])
    def test_lines_of_another_kind(self, tum: Path, line: str) -> None:
        write_text(tum / 'rgb.txt', line)
        with pytest.raises(RecordingError, match=r'rgb.txt:1: a line should be a time in seconds'):
            open_kind('tum', tum)

    def test_paths_must_not_leave_the_folder(self, tum: Path) -> None:
        write_text(tum / 'depth.txt', '10.0 ../secret.png')
        with pytest.raises(RecordingError, match='leads out of'):
            open_kind('tum', tum)

    @pytest.mark.parametrize('pose', ['0 0 0 0 0 0 0', 'nan 0 0 0 0 0 1', 'x 0 0 0 0 0 1'])
    def test_poses_that_are_none(self, tum: Path, pose: str) -> None:
        write_text(tum / 'groundtruth.txt', f'10.0 {pose}')
        with pytest.raises(CalibrationError, match=r'groundtruth.txt:1: a pose should be stamp'):
            open_kind('tum', tum)

    def test_no_depth_at_the_same_time(self, tum: Path) -> None:
        with pytest.raises(RecordingError, match=r'none of the 3 images .* within 0.001 s'):
            open_kind('tum', tum, sync_tolerance_s=0.001)

    @pytest.mark.parametrize('tolerance_s', [-1, float('nan')])
    def test_a_tolerance_that_is_none(self, tum: Path, tolerance_s: float) -> None:
        with pytest.raises(ConfigError, match=r'sync_tolerance_s.*got (-1|nan)'):
            open_kind('tum', tum, sync_tolerance_s=tolerance_s)

    def test_no_lists(self, tum: Path) -> None:
        (tum / 'depth.txt').unlink()
        with pytest.raises(RecordingError, match=r'depth.txt.* cannot be read'):
            open_kind('tum', tum)


def test_a_file_that_is_missing_is_an_error_of_its_frame(tum: Path) -> None:
    source = open_kind('tum', tum, sync_tolerance_s=0.03)
    (tum / 'depth/10.png').unlink()
    with pytest.raises(RecordingError, match=r'depth/10.png'):
        source[0]
    copy = pickle.loads(pickle.dumps(source))
    assert copy[1].target_m[1, 1] == 11
