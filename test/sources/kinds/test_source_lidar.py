# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""KITTI's folders with what the LiDAR saw: object frames and whole drives."""

from __future__ import annotations

from pathlib import Path
import pickle

from clip_depth_ros.errors import RecordingError
from clip_depth_ros.sources.folders import FolderSource
from clip_depth_ros.sources.samples import check_source
from clip_depth_ros.world.drive import Drive, SyntheticFrame
from data_folders import DRIVE, write_object, write_raw
import numpy as np
from open_sources import open_kind
import pytest


@pytest.fixture(scope='module')
def frames() -> list[SyntheticFrame]:
    """Give two frames of a small drive."""
    drive = Drive(5, width=32, height=16)
    return [drive.frame(number, lidar=False) for number in (3, 4)]


@pytest.fixture
def objects(tmp_path: Path, frames: list[SyntheticFrame]) -> Path:
    """Give object data."""
    return write_object(tmp_path / 'object', frames)


@pytest.fixture
def raw(tmp_path: Path, frames: list[SyntheticFrame]) -> Path:
    """Give raw data."""
    return write_raw(tmp_path / 'raw', frames)


def listed(root: Path, *lines: str) -> FolderSource:
    """Open the frames of a list."""
    (root / 'list.txt').write_text('\n'.join(lines))
    return open_kind('kitti-object', root, split=root / 'list.txt')


class TestObjectFrames:
    def test_they_are_moments_on_their_own(self, objects: Path) -> None:
        sample = open_kind('kitti-object', objects)[1]
        assert (sample.name, sample.stamp_ns, sample.recording) == ('training/000001', None, '')
        assert sample.T_world_camera is None

    def test_frames_without_a_scan_are_counted(self, objects: Path) -> None:
        (objects / 'training/velodyne/000000.bin').unlink()
        source = open_kind('kitti-object', objects)
        assert (source.names, source.matching.n_without_depth) == (['training/000001'], 1)
        assert source.describe()['left_out_without_scan'] == '1'

    def test_lists_as_the_data_set_has_them(self, objects: Path) -> None:
        source = listed(objects, '000001', 'training/000000')
        assert source.names == ['training/000001', 'training/000000']

    def test_a_frame_that_is_not_there(self, objects: Path) -> None:
        with pytest.raises(RecordingError, match=r"list.txt:1: there is no frame '9'; .* such"):
            listed(objects, '9')

    def test_a_frame_of_two_splits_needs_its_whole_name(self, objects: Path) -> None:
        (objects / 'training').rename(objects / 'one')
        write_to = objects / 'two'
        write_to.symlink_to(objects / 'one')
        with pytest.raises(RecordingError, match="'000000' could be one/000000 and two/000000"):
            listed(objects, '000000')

    def test_no_scans_at_all(self, objects: Path) -> None:
        for scan in (objects / 'training/velodyne').iterdir():
            scan.unlink()
        with pytest.raises(RecordingError, match=r'none of the 2 images .* has a Velodyne scan'):
            open_kind('kitti-object', objects)


class TestDrives:
    def test_frames_follow_each_other(self, raw: Path, frames: list[SyntheticFrame]) -> None:
        source = open_kind('kitti-object', raw)
        assert [source[index].stamp_ns for index in range(2)] == [
            frame.stamp_ns for frame in frames
        ]
        assert source[0].recording == DRIVE
        assert source.names == [f'{DRIVE}/0000000000', f'{DRIVE}/0000000001']

    def test_a_drive_on_its_own(self, raw: Path) -> None:
        (drive,) = (raw / '2011_09_26').glob('*_sync')
        assert len(open_kind('kitti-object', drive)) == 2


class TestDepth:
    def test_it_can_be_sent_to_another_process(self, objects: Path) -> None:
        source = open_kind('kitti-object', objects)
        check_source(source)
        copy = pickle.loads(pickle.dumps(source))
        np.testing.assert_array_equal(copy[0].target_m, source[0].target_m)

    def test_monodepth2_reads_it_otherwise(self, objects: Path) -> None:
        """The LiDAR is 0.27 m behind the camera; and its pixels are one up and to the left."""
        usual_m = open_kind('kitti-object', objects)[0].target_m
        other = open_kind('kitti-object', objects, lidar_value='forward', lidar_pixel='minus-one')
        other_m = other[0].target_m
        np.testing.assert_allclose(
            other_m[:-1, :-1], np.where(usual_m > 0, usual_m + 0.27, 0)[1:, 1:], rtol=1e-5
        )

    def test_a_truncated_scan_is_an_error_of_its_frame(self, objects: Path) -> None:
        scan = objects / 'training/velodyne/000000.bin'
        scan.write_bytes(scan.read_bytes()[:-3])
        source = open_kind('kitti-object', objects)
        with pytest.raises(RecordingError, match=r'000000.bin.* it is cut off'):
            source[0]
        assert source[1].target_m.any()


@pytest.mark.samples
def test_real_frames(samples: Path) -> None:
    """Some 18000 points of a sweep fall on the image, 4 m to 80 m away."""
    source = open_kind('kitti-object', samples / 'kitti_object')
    assert source.names == [f'training/{n:06}' for n in (0, 1, 2, 114)]
    check_source(source)
    for index in range(4):
        target_m = source[index].target_m
        known = target_m[target_m > 0]
        assert 0.03 < known.size / target_m.size < 0.05
        assert 2 < known.min() < known.max() < 85
