# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Another node's depth, recorded beside the images, as answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
import pickle
from typing import Any

from bag_drives import compressed, disparity, image, RGB, without_stamp
from bag_files import KINDS, START_NS, STEP_NS, UNUSUAL_KINDS, write_ros1, write_ros2
from clip_depth_ros.errors import ConfigError, DataError, TopicError
from clip_depth_ros.evaluation.run.recorded_depth import RecordedDepth
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import RecordedMessage
import numpy as np
import pytest


def sample(index: float, recording: str = 'bag') -> DepthSample:
    """Give a frame of that time."""
    stamp_ns = START_NS + round(index * STEP_NS)
    return DepthSample(f'frame {index}', RGB, np.zeros((12, 20), np.float32), None, stamp_ns,
                       recording)


def depth(index: int, metres: float, encoding: str = '32FC1') -> RecordedMessage:
    """Give a depth image, smaller than the camera's, nothing known at its first pixel."""
    pixels: Any = np.full((6, 10), metres, np.float32)
    pixels[0, 0] = np.nan if encoding == '32FC1' else 0
    if encoding == '16UC1':
        pixels = (pixels * 1000).astype(np.uint16)
    return image(index, pixels, encoding, '/rival/depth')


DRIVE = [m for i in range(5) for m in (image(i, RGB + i), depth(i, 2.0 + i))]


@pytest.mark.parametrize('kind', {**KINDS, **UNUSUAL_KINDS})
def test_each_frame_gets_its_own(tmp_path: Path, kind: str):
    """In any order, from any kind of recording."""
    path = {**KINDS, **UNUSUAL_KINDS}[kind](tmp_path / 'bag', DRIVE)
    answers = RecordedDepth({'bag': path}, '/rival/depth', 0.01)
    for index in (4, 0, 2):
        depth_m = answers.depth_of(sample(index)).depth_m
        assert (depth_m.shape, depth_m.dtype) == ((6, 10), np.float32)
        assert np.isnan(depth_m[0, 0])
        assert (depth_m[1:] == 2 + index).all()
    answers.close()
    assert answers.depth_of(sample(1)).depth_m[1, 1] == 3


@pytest.mark.parametrize(('format_', 'prefix'), [
    ('16UC1; png compressed ', b''), ('16UC1; compressedDepth png', bytes(12)),
])
def test_it_may_be_compressed(tmp_path: Path, format_: str, prefix: bytes):
    stored = np.full((6, 10), 1500, np.uint16)
    stored[0, 0] = 0
    sent = compressed(0, stored, format_, '/rival/depth', prefix=prefix)
    path = write_ros2(tmp_path / 'bag', [sent])
    depth_m = RecordedDepth({'bag': path}, '/rival/depth', 0).depth_of(sample(0)).depth_m
    assert np.isnan(depth_m[0, 0])
    assert (depth_m[1:] == 1.5).all()
    with pytest.raises(DataError, match='10x6 pixels, more than max_image_pixels=59'):
        RecordedDepth({'bag': path}, '/rival/depth', 0, 59).depth_of(sample(0))


def test_a_compressed_picture_is_no_depth(tmp_path: Path):
    sent = compressed(0, RGB, 'bgr8; png compressed bgr8', '/rival/depth')
    path = write_ros2(tmp_path / 'bag', [sent])
    with pytest.raises(TopicError, match="images of encoding 'bgr8', depth should be"):
        RecordedDepth({'bag': path}, '/rival/depth', 0)


def test_16_bit_zeros_are_unknown(tmp_path: Path):
    path = write_ros2(tmp_path / 'bag', [depth(0, 1.5, '16UC1')])
    depth_m = RecordedDepth({'bag': path}, '/rival/depth', 0).depth_of(sample(0)).depth_m
    assert np.isnan(depth_m[0, 0])
    assert (depth_m[1:] == 1.5).all()


def test_16_bits_may_have_another_scale(tmp_path: Path):
    path = write_ros2(tmp_path / 'bag', [depth(0, 1.5, '16UC1')])
    answers = RecordedDepth({'bag': path}, '/rival/depth', 0, per_metre=250)
    assert (answers.depth_of(sample(0)).depth_m[1:] == 6).all()
    assert answers.describe()['per_metre'] == '250'


def test_metres_have_no_scale(tmp_path: Path):
    path = write_ros2(tmp_path / 'bag', [depth(0, 1.5)])
    answers = RecordedDepth({'bag': path}, '/rival/depth', 0, per_metre=250)
    assert (answers.depth_of(sample(0)).depth_m[1:] == 1.5).all()
    assert 'per_metre' not in answers.describe()


class TestDisparity:
    PIXELS = np.array([[10, 5, 0.25, 0, -1, np.nan]], np.float32)

    @pytest.mark.parametrize('write', [write_ros2, write_ros1])
    def test_focal_length_and_baseline_make_metres_of_it(self, tmp_path: Path, write: Any):
        """500 px and 0.1 m: 5 m at 10 px; what is below the least disparity is unknown."""
        path = write(tmp_path / 'bag', [disparity(0, self.PIXELS, 500.0, -0.1)])
        answers = RecordedDepth({'bag': path}, '/stereo/disparity', 0)
        answer = answers.depth_of(sample(0))
        np.testing.assert_allclose(answer.depth_m, [[5, 10, *[np.nan] * 4]])
        assert not answer.is_relative
        assert answers.describe()['pred_kind'] == 'disparity with focal length and baseline'

    def test_its_shape_alone_may_be_asked_for(self, tmp_path: Path):
        path = write_ros2(tmp_path / 'bag', [disparity(0, self.PIXELS, 0.0, 0.0)])
        answer = RecordedDepth(
            {'bag': path}, '/stereo/disparity', 0, kind='relative'
        ).depth_of(sample(0))
        np.testing.assert_array_equal(answer.depth_m, [[10, 5, *[np.nan] * 4]])
        assert answer.is_relative

    def test_without_a_baseline_there_are_no_metres(self, tmp_path: Path):
        path = write_ros2(tmp_path / 'bag', [disparity(0, self.PIXELS, 500.0, 0.0)])
        with pytest.raises(TopicError, match=r'f=500 px and T=0 m: .* set pred_kind=relative'):
            RecordedDepth({'bag': path}, '/stereo/disparity', 0)

    @pytest.mark.parametrize('kind', ['depth', 'inverse-depth'])
    def test_it_is_nothing_else(self, tmp_path: Path, kind: Any):
        path = write_ros2(tmp_path / 'bag', [disparity(0, self.PIXELS, 500.0, 0.1)])
        with pytest.raises(ConfigError, match=f'is disparity, not pred_kind={kind}: leave pred'):
            RecordedDepth({'bag': path}, '/stereo/disparity', 0, kind=kind)


def test_in_16_bits_relative_answers_know_all_pixels(tmp_path: Path):
    """0 is what is farthest, as MiDaS stretches what it answers from 0 to 65535."""
    path = write_ros2(tmp_path / 'bag', [depth(0, 1.5, '16UC1')])
    answers = RecordedDepth({'bag': path}, '/rival/depth', 0, kind='relative')
    answer = answers.depth_of(sample(0))
    assert (answer.depth_m[0, :2] == [0, 1.5]).all()
    assert answer.is_relative
    assert answers.describe()['pred_kind'] == 'relative'


def test_the_nearest_within_the_tolerance(tmp_path: Path):
    path = write_ros2(tmp_path / 'bag', DRIVE)
    answers = RecordedDepth({'bag': path}, '/rival/depth', 0.03)
    assert answers.depth_of(sample(1.2)).depth_m[1, 1] == 3
    wanted = r"frame 1\.5: '/rival/depth' has no .*sync_tolerance_s=0\.03, .* 0\.050 s away"
    with pytest.raises(DataError, match=wanted):
        answers.depth_of(sample(1.5))


def test_several_recordings(tmp_path: Path):
    """To and fro between them."""
    paths = {
        name: write_ros2(tmp_path / name, [depth(0, metres)])
        for name, metres in (('a', 1), ('b', 2))
    }
    answers = RecordedDepth(paths, '/rival/depth', 0.01)
    found = [answers.depth_of(sample(0, name)).depth_m[1, 1] for name in 'abba']
    assert found == [1, 2, 2, 1]


@pytest.mark.parametrize('frame', [
    sample(0, 'another'),
    DepthSample('no stamp', RGB, np.zeros((12, 20), np.float32), recording='bag'),
])
def test_a_frame_of_no_recording(tmp_path: Path, frame: DepthSample):
    answers = RecordedDepth({'bag': write_ros2(tmp_path / 'bag', DRIVE)}, '/rival/depth', 1)
    with pytest.raises(DataError, match=r"of one of the recordings \['bag'\]"):
        answers.depth_of(frame)


def test_an_unknown_topic_is_refused_at_once(tmp_path: Path):
    path = write_ros2(tmp_path / 'bag', DRIVE)
    with pytest.raises(TopicError, match=r"pred_topic: no topic '/rivl' .*'/rival/depth'"):
        RecordedDepth({'bag': path}, '/rivl', 1)


def test_a_topic_that_only_some_recordings_have(tmp_path: Path):
    paths = {
        'without': write_ros2(tmp_path / 'without', [image(0)]),
        'bag': write_ros2(tmp_path / 'bag', DRIVE),
    }
    answers = RecordedDepth(paths, '/rival/depth', 0.01)
    assert answers.depth_of(sample(0)).depth_m[1, 1] == 2
    with pytest.raises(DataError, match=r'frame 0: no topic .*/rival/depth'):
        answers.depth_of(sample(0, 'without'))


def test_pictures_are_no_depth(tmp_path: Path):
    """Which is said at once, of which topic."""
    path = write_ros2(tmp_path / 'bag', DRIVE)
    wanted = (
        "pred_topic: '/cam/image' has images of encoding 'rgb8', depth should be '32FC1' "
        "or '16UC1'"
    )
    with pytest.raises(TopicError, match=f'^{wanted}'):
        RecordedDepth({'bag': path}, '/cam/image', 1)


def test_pictures_among_depth_are_named(tmp_path: Path):
    picture = image(1, RGB, topic='/rival/depth')
    path = write_ros2(tmp_path / 'bag', [depth(0, 2), picture])
    answers = RecordedDepth({'bag': path}, '/rival/depth', 0.01)
    with pytest.raises(DataError, match=r"frame 1: '/rival/depth' has images of .* 'rgb8'"):
        answers.depth_of(sample(1))


def test_without_stamps_the_receive_times_decide(tmp_path: Path):
    path = write_ros2(tmp_path / 'bag', [without_stamp(message) for message in DRIVE])
    answers = RecordedDepth({'bag': path}, '/rival/depth', 0)
    for index in (3, 0):
        frame = replace(sample(index), stamp_ns=0, received_ns=START_NS + index * STEP_NS)
        assert answers.depth_of(frame).depth_m[1, 1] == 2 + index


def test_it_can_be_pickled_while_open(tmp_path: Path):
    answers = RecordedDepth({'bag': write_ros2(tmp_path / 'bag', DRIVE)}, '/rival/depth', 0.01)
    answers.depth_of(sample(0))
    again = pickle.loads(pickle.dumps(answers))
    assert again.depth_of(sample(3)).depth_m[1, 1] == 5
    assert again.describe() == {'pred_topic': '/rival/depth', 'tolerance_s': '0.01'}
