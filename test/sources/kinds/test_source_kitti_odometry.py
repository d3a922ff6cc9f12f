# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""KITTI's odometry sequences, and drives whose times are missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.cli.main import main
from clip_depth_ros.errors import ConfigError, RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.frames import open_for_evaluation
from clip_depth_ros.sources.registry import kind_of
from clip_depth_ros.world.drive import Drive, SyntheticFrame
import data_folders as folders
import numpy as np
import pytest


@pytest.fixture(scope='module')
def frames() -> list[SyntheticFrame]:
    """Give frames of a rendered street, the first on the way."""
    drive = Drive(1_000_003, width=64, height=32)
    return [drive.frame(number) for number in (7, 8, 20)]


@pytest.fixture
def root(tmp_path: Path, frames: list[SyntheticFrame]) -> Path:
    """Give the folder that holds sequences/ and poses/."""
    return folders.write_odometry(tmp_path / 'dataset', frames)


def opened(path: Path, **settings: Any) -> Any:
    """Open frames to be scored."""
    return open_for_evaluation([str(path)], SourceSettings.from_mapping(settings))


class TestSequences:
    @pytest.mark.parametrize('below', ['.', 'sequences', 'sequences/03'])
    def test_at_every_level(self, root: Path, below: str):
        assert kind_of(str(root / below)) == 'kitti-odometry'
        source = opened(root / below)
        assert source.names == ['03/000000', '03/000001', '03/000002']
        assert (source.gt_kind, source.default_protocol) == ('raw-lidar', 'raw-lidar')

    def test_times_are_seconds_since_the_first(self, root: Path, frames: list[SyntheticFrame]):
        source = opened(root)
        apart_ns = [source[i].stamp_ns - source[0].stamp_ns for i in range(3)]
        assert apart_ns == [frame.stamp_ns - frames[0].stamp_ns for frame in frames]
        assert {source[i].recording for i in range(3)} == {'03'}

    def test_poses_are_those_of_the_colour_camera(
        self, root: Path, frames: list[SyntheticFrame]
    ):
        """The published ones are those of cam0, beside it."""
        source = opened(root)
        for index, frame in enumerate(frames):
            T = source[index].T_world_camera
            np.testing.assert_allclose(T, frame.T_world_cam, atol=1e-9)

    def test_poses_may_be_missing(self, root: Path):
        """They are for eleven of the sequences."""
        (root / 'poses/03.txt').unlink()
        assert [opened(root)[i].T_world_camera for i in range(3)] == [None] * 3

    def test_images_without_scan_are_counted(self, root: Path):
        (root / 'sequences/03/velodyne/000001.bin').unlink()
        source = opened(root)
        assert source.names == ['03/000000', '03/000002']
        assert source.notes == ['1 of 3 images has no depth']

    def test_several_sequences_keep_their_names(
        self, root: Path, frames: list[SyntheticFrame]
    ):
        folders.write_odometry(root, frames[:1], sequence='04')
        assert {*opened(root).names} == {f'03/{n:06}' for n in range(3)} | {'04/000000'}

    @pytest.mark.parametrize(('file', 'text', 'message'), [
        ('sequences/03/calib.txt', 'P2: 1 2 3', "should have an entry 'Tr'"),
        ('sequences/03/times.txt', '0.0\nsoon', "line 2 should be seconds, got 'soon'"),
        ('sequences/03/times.txt', '0.0', "line 2 should be seconds, got ''"),
        ('poses/03.txt', '1 0 0 0', 'should be 12 numbers in each line'),
    ])
    def test_damaged_files(self, root: Path, file: str, text: str, message: str):
        (root / file).write_text(text)
        with pytest.raises(RecordingError, match=message):
            opened(root)

    def test_as_a_recording(self, root: Path, tmp_path: Path):
        out = tmp_path / 'drive.mcap'
        assert main(['bag', 'kitti', str(root), '--out', str(out)]) == 0
        with BagReader(out) as bag:
            assert bag.topics['/velodyne_points'].count == 3
        assert len(opened(out)) == 3


@pytest.fixture(params=['odometry', 'raw', 'listed'])
def timeless(
    request: pytest.FixtureRequest, tmp_path: Path, frames: list[SyntheticFrame]
) -> tuple[Path, dict[str, Any]]:
    """Give folders without times, and how they are opened."""
    if request.param == 'odometry':
        folders.write_odometry(tmp_path, frames)
    else:
        folders.write_raw(tmp_path, frames)
    folders.write_annotated(tmp_path, frames)
    for file in [*tmp_path.rglob('times*.txt')]:
        file.unlink()
    return tmp_path, {'split': str(tmp_path / 'bts.txt')} if request.param == 'listed' else {}


class TestMissingTimes:
    def test_a_rate_stands_for_them(self, timeless: tuple[Path, dict[str, Any]]):
        root, settings = timeless
        source = opened(root, **settings, frame_rate_hz=4)
        stamps = [source[i].stamp_ns for i in range(3)]
        assert [stamp - stamps[0] for stamp in stamps] == [0, 250_000_000, 500_000_000]

    def test_without_a_rate_it_is_said_what_to_do(
        self, timeless: tuple[Path, dict[str, Any]]
    ):
        root, settings = timeless
        if settings:  # annotated depth needs no times
            assert opened(root, **settings)[0].stamp_ns is None
            return
        with pytest.raises(RecordingError, match=r'times.*is not there, .* frame_rate_hz'):
            opened(root)

    def test_where_they_are_a_rate_is_refused(self, tmp_path: Path, frames: Any):
        folders.write_raw(tmp_path, frames)
        folders.write_annotated(tmp_path, frames)
        for settings in ({}, {'split': str(tmp_path / 'bts.txt')}):
            with pytest.raises(ConfigError, match='frame_rate_hz would not be used, as all'):
                opened(tmp_path, **settings, frame_rate_hz=10)

    def test_of_scans_alone_does_no_harm(self, tmp_path: Path, frames: list[SyntheticFrame]):
        folders.write_raw(tmp_path, frames)
        [file] = tmp_path.rglob('velodyne_points/timestamps.txt')
        file.unlink()
        assert [opened(tmp_path)[i].stamp_ns for i in range(3)] == [f.stamp_ns for f in frames]

    def test_as_a_recording(self, timeless: tuple[Path, dict[str, Any]], capsys: Any):
        root, _ = timeless
        out = root / 'drive.mcap'
        assert main(['bag', 'kitti', str(root), '--out', str(out)]) == 1
        assert '--rate' in capsys.readouterr().err
        assert main(['bag', 'kitti', str(root), '--out', str(out), '--rate', '4']) == 0
        with BagReader(out) as bag:
            start_ns, end_ns = bag.time_span_ns or (0, 0)
        assert end_ns - start_ns == 500_000_000


def test_object_frames_are_none_of_it(tmp_path: Path, frames: list[SyntheticFrame]):
    folders.write_object(tmp_path, frames)
    assert kind_of(str(tmp_path)) == 'kitti-object'
    with pytest.raises(ConfigError, match='frame_rate_hz is not for kind kitti-object'):
        opened(tmp_path, frame_rate_hz=10)
