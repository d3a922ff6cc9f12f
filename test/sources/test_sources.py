# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings to frames of training and held-out ones: of each kind, and never the same frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
import pickle
from typing import Any

from bag_files import START_NS, STEP_NS, write_ros2
from clip_depth_ros.bags.messages import (
    camera_info_message,
    cloud_message,
    image_message,
    tf_message,
)
from clip_depth_ros.bags.writer import recorded
from clip_depth_ros.errors import (
    CalibrationError,
    ConfigError,
    DataError,
    OutputError,
    RecordingError,
    TopicError,
)
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.held_out import in_time, open_for_training, Sources
from clip_depth_ros.sources.kinds.bag import read_extrinsics
from clip_depth_ros.sources.samples import check_source, DepthSample, Joined, SampleSource
from clip_depth_ros.types import Intrinsics, RecordedMessage
import cv2
from hypothesis import given, strategies as st
import numpy as np
import pytest
from small_training import Ramps

CAMERA = Intrinsics(10.0, 10.0, 2.0, 1.0, 6, 4)
AHEAD = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
"""Takes points of a LiDAR (x forward, y left, z up) at the camera to the camera."""


def opened(**settings: Any) -> Sources:
    """Open the frames that settings name."""
    # The recordings are too short to leave something out between their parts.
    return open_for_training(TrainSettings.from_mapping({'validation_gap_s': 0.0, **settings}))


class Timed(Ramps):
    """Ramps that were taken every 0.1 s."""

    def __init__(self, n_frames: int, recording: str = '') -> None:
        super().__init__(n_frames)
        self._recording = recording

    def __getitem__(self, index: int) -> DepthSample:
        stamp_ns = 5 + index * 100_000_000
        return replace(super().__getitem__(index), stamp_ns=stamp_ns, recording=self._recording)


def names(source: SampleSource) -> list[str]:
    """Give the names of all frames."""
    return [source[index].name for index in range(len(source))]


def write_png(path: Path, pixels: Any) -> None:
    """Write an image, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def frame_messages(index: int) -> list[RecordedMessage]:
    """Give camera, true depth (1 m deeper each frame) and a LiDAR point straight ahead."""
    stamp_ns = START_NS + index * STEP_NS
    at: dict[str, Any] = {'stamp_ns': stamp_ns, 'frame_id': 'camera'}
    depth_m = np.full((4, 6), 2 + index, np.float32)
    cloud = cloud_message(
        np.array([[2 + index, 0, 0, 1]], np.float32), stamp_ns=stamp_ns, frame_id='lidar'
    )
    messages = {
        '/camera/camera_info': camera_info_message(CAMERA, **at),
        '/camera/image': image_message(np.full((4, 6, 3), index, np.uint8), 'rgb8', **at),
        '/camera/depth': image_message(depth_m, '32FC1', **at),
        '/points': cloud,
    }
    return [recorded(topic, message, stamp_ns) for topic, message in messages.items()]


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Give a recording of 10 frames whose pixels are their number, with LiDAR and tf."""
    static = tf_message(AHEAD.T, parent='lidar', child='camera', stamp_ns=START_NS)
    frames = [message for index in range(10) for message in frame_messages(index)]
    return write_ros2(tmp_path / 'bag', [recorded('/tf_static', static, START_NS), *frames])


@pytest.fixture
def kitti(tmp_path: Path) -> Path:
    """Give a KITTI root with 5 frames, depth elsewhere, and two lists of BTS's kind."""
    lines = []
    for number in range(5):
        name = f'{number:010}.png'
        image = f'2011_09_26/2011_09_26_drive_0001_sync/image_02/data/{name}'
        depth = f'2011_09_26_drive_0001_sync/proj_depth/groundtruth/image_02/{name}'
        write_png(tmp_path / 'raw' / image, np.full((4, 6, 3), number, np.uint8))
        write_png(tmp_path / 'depth' / depth, np.full((4, 6), 256 * (5 + number), np.uint16))
        lines.append(f'{image} {depth} 721.5377\n')
    (tmp_path / 'train.txt').write_text(''.join(lines[:4]))
    (tmp_path / 'test.txt').write_text(lines[4])
    return tmp_path


@pytest.fixture
def nyu(tmp_path: Path) -> Path:
    """Give a folder of 5 frames with depth in millimetres, and a list of two of them."""
    for number in range(5):
        write_png(tmp_path / f'nyu/rgb/{number}.png', np.full((4, 6, 3), number, np.uint8))
        depth_mm = np.full((4, 6), 1000 * (1 + number), np.uint16)
        write_png(tmp_path / f'nyu/depth/{number}.png', depth_mm)
    (tmp_path / 'two.txt').write_text('rgb/0.png depth/0.png\nrgb/3.png depth/3.png\n')
    return tmp_path / 'nyu'


class TestHeldOut:
    @given(st.integers(2, 60), st.floats(0.001, 0.999))
    def test_each_frame_is_in_one_part_and_the_last_ones_are_held_out(
        self, n_frames: int, share: float
    ) -> None:
        if n_frames - max(1, round(share * n_frames)) < 1:
            return
        train, validation = in_time(Ramps(n_frames), [share], 0)
        together = [*_indices(train), *_indices(validation)]
        assert together == list(range(n_frames))
        assert len(train) > 0
        assert len(validation) > 0
        assert abs(len(validation) - share * n_frames) <= 1

    @pytest.mark.parametrize(('n_frames', 'share', 'n_held_out'), [
        (10, 0.2, 2), (10, 0.01, 1), (2, 0.5, 1), (697, 0.1, 70),
    ])
    def test_by_hand(self, n_frames: int, share: float, n_held_out: int) -> None:
        train, validation = in_time(Ramps(n_frames), [share], 0)
        assert (len(train), len(validation)) == (n_frames - n_held_out, n_held_out)

    @pytest.mark.parametrize(('n_frames', 'share'), [(0, 0.2), (1, 0.2), (3, 0.9)])
    def test_too_few_frames_are_an_error(self, n_frames: int, share: float) -> None:
        wanted = f'ramps 0 has {n_frames} frames, too few to hold out {share} of them: use more'
        with pytest.raises(DataError, match=wanted):
            in_time(Ramps(n_frames), [share], 0)

    def test_a_test_part_comes_last(self) -> None:
        parts = in_time(Ramps(20), [0.2, 0.1], 0)
        assert [_indices(part) for part in parts] == [
            (*range(14),), (*range(14, 18),), (18, 19),
        ]

    @pytest.mark.parametrize(('gap_s', 'left_out'), [(0.0, 0), (0.1, 0), (0.11, 1), (0.45, 4)])
    def test_neighbours_in_time_are_left_out(self, gap_s: float, left_out: int) -> None:
        """Frames are 0.1 s apart."""
        train, validation, test = in_time(Timed(20), [0.3, 0.3], gap_s)
        assert _indices(train) == (*range(8 - left_out),)
        assert _indices(validation) == (*range(8, 14 - left_out),)
        assert _indices(test) == (*range(14, 20),)

    def test_other_recordings_are_no_neighbours(self) -> None:
        both = Joined(Timed(5, 'one'), Timed(5, 'two'))
        train, validation = in_time(both, [0.5], 3.0)
        assert (len(train), len(validation)) == (5, 5)

    def test_a_gap_that_leaves_nothing_is_named(self) -> None:
        with pytest.raises(DataError, match=r'with 5 s between the parts \(validation_gap_s\)'):
            in_time(Timed(10), [0.5], 5.0)

    def test_with_a_gap_it_is_said_how_long_is_enough(self) -> None:
        wanted = r'with 1 s between the parts \(validation_gap_s\).*recording of more than 5 s\)'
        with pytest.raises(DataError, match=wanted):
            in_time(Timed(45), [0.2, 0.15], 1.0)
        assert all(map(len, in_time(Timed(55), [0.2, 0.15], 1.0)))

    def test_the_parts_say_which_they_are(self) -> None:
        train, validation = in_time(Ramps(10), [0.2], 0)
        assert train.describe() == {**Ramps(10).describe(), 'part': '0-7'}
        assert validation.describe() == {**Ramps(10).describe(), 'part': '8-9'}


class TestExtrinsics:
    @pytest.mark.parametrize('text', [
        '0 -1 0 0\n0 0 -1 -0.3\n1 0 0 0\n0 0 0 1\n',
        '# camera from LiDAR\n0 -1 0 0   0 0 -1 -0.3\n\n1 0 0 0   0 0 0 1  # rigid\n',
        '0\n-1\n0\n0\n0\n0\n-1\n-0.3\n1\n0\n0\n0\n0\n0\n0\n1',
    ], ids=['rows', 'comments', 'one a line'])
    def test_sixteen_numbers_row_by_row(self, tmp_path: Path, text: str) -> None:
        (tmp_path / 'T.txt').write_text(text)
        T = read_extrinsics(tmp_path / 'T.txt')
        assert T.dtype == np.float64
        assert T.tolist() == [[0, -1, 0, 0], [0, 0, -1, -0.3], [1, 0, 0, 0], [0, 0, 0, 1]]

    @pytest.mark.parametrize(('text', 'wanted'), [
        ('', r'should hold a rigid 4 x 4.*got 0 numbers: \[\]'),
        ('1 0 0 0 0 1 0 0 0 0 1 0', 'should hold a rigid 4 x 4.*got 12 numbers'),
        ('2 0 0 0 0 2 0 0 0 0 2 0 0 0 0 1', 'should hold a rigid 4 x 4, a rotation beside'),
        ('-1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1', 'rigid'),
        ('1 0 0 0 0 1 0 0 0 0 1 0 1 0 0 1', 'rigid'),
        ('1 0 0 nan 0 1 0 0 0 0 1 0 0 0 0 1', 'rigid'),
        ('nan 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1', 'rigid'),
        ('1 0 0 0\n0 1 0\n0 0 1 0\n0 0 0 1', 'rigid 4 x 4.*got 15 numbers'),
        ('one two', "should hold 16 numbers: .*'one'"),
        ('\x00\x01', 'should hold 16 numbers'),
    ], ids=[
        'empty', '3 x 4', 'scaled', 'mirrored', 'last row', 'nan', 'nan rotation', 'ragged',
        'words', 'binary',
    ])
    def test_anything_else_is_refused(self, tmp_path: Path, text: str, wanted: str) -> None:
        (tmp_path / 'T.txt').write_text(text)
        with pytest.raises(CalibrationError, match=f'T.txt.*{wanted}'):
            read_extrinsics(tmp_path / 'T.txt')

    def test_bytes_that_are_no_text_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / 'T.txt').write_bytes(b'\xff\xfe\x00\x80')
        with pytest.raises(CalibrationError, match='should hold 16 numbers'):
            read_extrinsics(tmp_path / 'T.txt')

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(CalibrationError, match=r"nowhere\.txt' should hold 16 numbers"):
            read_extrinsics(tmp_path / 'nowhere.txt')


class TestBag:
    def test_the_last_part_is_held_out(self, bag: Path) -> None:
        train, validation = opened(kind='bag', data=str(bag), validation_share=0.3)
        assert [int(train[i].rgb[0, 0, 0]) for i in range(7)] == [0, 1, 2, 3, 4, 5, 6]
        assert [int(validation[i].rgb[0, 0, 0]) for i in range(3)] == [7, 8, 9]
        check_source(train)
        check_source(validation)

    def test_the_lidar_is_used_unless_depth_images_are_named(self, bag: Path) -> None:
        lidar = opened(kind='bag', data=str(bag))[0][4].target_m
        assert (np.argwhere(lidar).tolist(), float(lidar.max())) == ([[1, 2]], 6.0)
        dense = opened(kind='bag', data=str(bag), depth_topic='/camera/depth')[0][4].target_m
        np.testing.assert_array_equal(dense, np.full((4, 6), 6, np.float32))

    def test_extrinsics_of_a_file_come_before_those_of_the_recording(
        self, bag: Path, tmp_path: Path
    ) -> None:
        T = AHEAD.copy()
        T[0, 3] = 0.2  # one pixel to the right at 2 m
        np.savetxt(tmp_path / 'T.txt', T)
        train, _ = opened(kind='bag', data=str(bag), lidar_extrinsics=str(tmp_path / 'T.txt'))
        assert np.argwhere(train[0].target_m).tolist() == [[1, 3]]

    def test_stride_tolerance_and_topics_are_those_of_the_settings(self, bag: Path) -> None:
        chosen = {
            'image_topic': '/camera/image', 'camera_info_topic': '/camera/camera_info',
            'lidar_topic': '/points',
        }
        train, validation = opened(
            kind='bag', data=str(bag), frame_stride=3, sync_tolerance_s=0.002, **chosen
        )
        assert (len(train), len(validation)) == (3, 1)
        wanted = {**chosen, 'tolerance_s': '0.002', 'frame_stride': '3'}
        assert wanted.items() <= dict(train.describe()).items()
        with pytest.raises(TopicError, match="no topic '/left'"):
            opened(kind='bag', data=str(bag), image_topic='/left')

    def test_a_missing_recording_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(RecordingError, match=r'nowhere\.mcap'):
            opened(kind='bag', data=str(tmp_path / 'nowhere.mcap'))


class TestKitti:
    def settings(self, root: Path, **changes: Any) -> dict[str, Any]:
        """Give settings for the root's training list."""
        return {
            'kind': 'kitti', 'data': str(root / 'raw'), 'gt_dir': str(root / 'depth'),
            'split': str(root / 'train.txt'), **changes,
        }

    def test_both_lists(self, kitti: Path) -> None:
        settings = self.settings(kitti, validation_split=str(kitti / 'test.txt'))
        train, validation = opened(**settings)
        assert (len(train), len(validation)) == (4, 1)
        assert train[1].target_m.max() == 6.0
        assert validation[0].target_m.max() == 9.0
        assert not set(names(train)) & set(names(validation))

    def test_without_a_list_of_held_out_frames_the_last_ones_are(self, kitti: Path) -> None:
        train, validation = opened(**self.settings(kitti, validation_share=0.25))
        assert [float(s.target_m.max()) for s in _all(train)] == [5, 6, 7]
        assert [float(s.target_m.max()) for s in _all(validation)] == [8]

    def test_without_any_list_it_says_what_a_list_is(self, kitti: Path) -> None:
        with pytest.raises(ConfigError, match="needs `split`: a file with lines 'image depth"):
            opened(**self.settings(kitti, split=''))

    def test_depth_below_the_images_needs_no_setting(self, kitti: Path) -> None:
        (kitti / 'depth').rename(kitti / 'raw/train')
        train, _ = opened(**self.settings(kitti, gt_dir=''))
        assert train[0].target_m.max() == 5.0


class TestNyu:
    def test_a_folder_without_lists(self, nyu: Path) -> None:
        train, validation = opened(kind='nyu', data=str(nyu), validation_share=0.4)
        assert [float(s.target_m.max()) for s in _all(train)] == [1, 2, 3]
        assert [float(s.target_m.max()) for s in _all(validation)] == [4, 5]

    def test_lists_choose(self, nyu: Path) -> None:
        train, validation = opened(
            kind='nyu', data=str(nyu), validation_split=str(nyu.parent / 'two.txt')
        )
        assert len(train) == 5
        assert [float(s.target_m.max()) for s in _all(validation)] == [1, 4]

    @pytest.mark.samples
    def test_real_frames(self, samples: Path) -> None:
        train, validation = opened(kind='nyu', data=str(samples / 'nyu'))
        assert (len(train), len(validation)) == (2, 1)
        check_source(train)
        target_m = validation[0].target_m
        assert 0.6 < (target_m > 0).mean() < 0.8
        assert 0.5 < target_m[target_m > 0].min() < target_m.max() < 10


class TestSynthetic:
    SETTINGS: Mapping[str, Any] = {
        'kind': 'synthetic', 'data': '5-6', 'validation_data': '40', 'frames_per_seed': 2,
        'width_px': 32, 'height_px': 16, 'n_workers': 0,
    }

    def test_held_out_frames_are_of_other_streets(self) -> None:
        train, validation = opened(**self.SETTINGS)
        assert [name.split(' frame')[0] for name in names(train)] == [
            'seed 5', 'seed 5', 'seed 6', 'seed 6'
        ]
        assert [name.split(' frame')[0] for name in names(validation)] == ['seed 40', 'seed 40']
        assert train[0].rgb.shape == (16, 32, 3)

    @pytest.mark.parametrize(('steps', 'batch_size', 'n_streets'), [(4, 3, 6), (5, 3, 8)])
    def test_without_a_number_of_streets_no_frame_of_training_comes_twice(
        self, steps: int, batch_size: int, n_streets: int
    ) -> None:
        train, validation = opened(**{
            **self.SETTINGS, 'steps': steps, 'batch_size': batch_size, 'data': '5-'
        })
        assert len(train) == 2 * n_streets >= steps * batch_size
        assert train.describe()['n_seeds'] == str(n_streets)
        assert len(validation) == 2

    def test_these_must_not_reach_the_held_out_streets(self) -> None:
        settings = {**self.SETTINGS, 'steps': 80, 'batch_size': 1}
        with pytest.raises(ConfigError, match=r'seed 40 is in data \(5-44\) and in validation_d'):
            opened(**{**settings, 'data': '5-'})
        (train, _) = opened(**{**settings, 'data': '5-39'})
        assert len(train) == 70

    def test_the_sky_counts_as_far_in_training_and_as_nothing_where_it_is_scored(self) -> None:
        train, validation = opened(**self.SETTINGS, sky_depth_m=70.0)
        assert (train[0].target_m > 0).all()
        assert train[0].target_m.max() == 70.0
        assert (validation[0].target_m == 0).any()

    def test_rendered_frames_are_kept_and_found_again(self, tmp_path: Path) -> None:
        kept = {**self.SETTINGS, 'rendered_dir': str(tmp_path / 'frames')}
        for source, fresh in zip(opened(**kept), opened(**self.SETTINGS), strict=True):
            for sample, wanted in zip(_all(source), _all(fresh), strict=True):
                np.testing.assert_array_equal(sample.rgb, wanted.rgb)
                np.testing.assert_allclose(sample.target_m, wanted.target_m, rtol=1e-3)
        parts = [tmp_path / 'frames' / part for part in ('train', 'validation')]
        written = [file.stat().st_mtime_ns for part in parts for file in sorted(part.iterdir())]
        opened(**kept)
        assert written == [
            file.stat().st_mtime_ns for part in parts for file in sorted(part.iterdir())
        ]

    def test_a_folder_of_something_else_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / 'train').mkdir()
        (tmp_path / 'train/thesis.txt').write_text('years of work')
        with pytest.raises(OutputError, match='holds something other than rendered frames'):
            opened(**self.SETTINGS, rendered_dir=str(tmp_path))
        assert (tmp_path / 'train/thesis.txt').read_text() == 'years of work'


class TestAnySource:
    """What training relies on, whichever the source."""

    @pytest.fixture(params=['bag', 'kitti', 'nyu', 'synthetic'])
    def settings(self, request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
        """Give settings of each kind."""
        if request.param == 'synthetic':
            return dict(TestSynthetic.SETTINGS)
        root: Path = request.getfixturevalue(request.param)
        if request.param == 'kitti':
            return TestKitti().settings(root)
        return {'kind': request.param, 'data': str(root)}

    def test_samples_are_as_promised(self, settings: dict[str, Any]) -> None:
        for source in opened(**settings):
            sample = source[0]
            assert (sample.rgb.dtype, sample.rgb.ndim) == (np.uint8, 3)
            assert (sample.target_m.dtype, sample.target_m.shape) == (
                np.float32, sample.rgb.shape[:2]
            )
            assert np.isfinite(sample.target_m).all()
            check_source(source)

    def test_a_copy_in_another_process_gives_the_same_frames(
        self, settings: dict[str, Any]
    ) -> None:
        """Also of a source that has given frames before, with its files open."""
        for source in opened(**settings):
            wanted = _all(source)
            copy = pickle.loads(pickle.dumps(source))
            for sample, other in zip(wanted[::-1], _all(copy)[::-1], strict=True):
                assert sample.name == other.name
                np.testing.assert_array_equal(sample.rgb, other.rgb)
                np.testing.assert_array_equal(sample.target_m, other.target_m)

    def test_training_and_held_out_frames_describe_themselves_differently(
        self, settings: dict[str, Any]
    ) -> None:
        train, validation = opened(**settings)
        assert train.describe() != validation.describe()
        for source in (train, validation):
            facts = source.describe()
            assert all(isinstance(word, str) for item in facts.items() for word in item)
            assert facts['source'] == settings['kind']

    def test_a_tilde_is_the_home_folder(
        self, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv('HOME', str(tmp_path))
        home = {
            name: value.replace(str(tmp_path), '~') if isinstance(value, str) else value
            for name, value in settings.items()
        }
        assert [len(source) for source in opened(**home)] == [
            len(source) for source in opened(**settings)
        ]


def _indices(source: SampleSource) -> tuple[int, ...]:
    """Give which frames of the whole a part has."""
    indices: tuple[int, ...] = source.indices  # type: ignore[attr-defined]
    return indices


def _all(source: SampleSource) -> list[DepthSample]:
    return [source[index] for index in range(len(source))]
