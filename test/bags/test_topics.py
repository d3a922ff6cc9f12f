# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings of well-known converters are recognised by their topics; named topics win."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bag_drives import CAMERA, compressed, image, lidar_drive, RGB, static, T_CAMERA_LIDAR
from bag_files import write_ros1, write_ros2
from clip_depth_ros.bags import topics
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.topics import topic_set, TOPIC_SETS, with_topic_set
from clip_depth_ros.bags.writer import write_recording
from clip_depth_ros.errors import ConfigError, TopicError
from clip_depth_ros.sources.as_messages import drive_messages
from clip_depth_ros.types import RecordedMessage
from clip_depth_ros.world.drive import Drive
import numpy as np
from open_sources import open_bag
import pytest

NOTHING = dict.fromkeys(
    ('image_topic', 'camera_info_topic', 'depth_topic', 'lidar_topic', 'class_topic'), ''
)


def renamed(name: str) -> list[RecordedMessage]:
    """Return the drive under the names that a converter gives."""
    theirs = TOPIC_SETS[name]
    names = {
        '/cam/image': theirs['image_topic'],
        '/cam/camera_info': theirs['camera_info_topic'],
        '/points': theirs['lidar_topic'],
    }
    # A right camera and its camera_info stand beside it, as in those recordings.
    left = [
        RecordedMessage(names.get(m.topic, m.topic), m.msgtype, m.cdr, m.bag_time_ns)
        for m in lidar_drive()
    ]
    right = [
        RecordedMessage(f'/right{m.topic}', m.msgtype, m.cdr, m.bag_time_ns)
        for m in lidar_drive()
        if m.topic.startswith('/cam')
    ]
    return [*left, *right]


@pytest.fixture(scope='module')
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording of the synthetic drive."""
    path = tmp_path_factory.mktemp('bags') / 'synth.mcap'
    write_recording(drive_messages(Drive(4, width=64, height=32).frames(2)), path)
    return path


@pytest.mark.parametrize('name', TOPIC_SETS)
@pytest.mark.parametrize('asked', ['auto', 'by name'])
def test_a_recording_of_each_converter(tmp_path: Path, name: str, asked: str):
    wanted = 'auto' if asked == 'auto' else name
    source = open_bag(write_ros1(tmp_path / 'kitti', renamed(name)), topics=wanted)
    assert source.topics.image == TOPIC_SETS[name]['image_topic']
    assert source.topics.camera_info == TOPIC_SETS[name]['camera_info_topic']
    assert (source.topics.depth, source.topics.is_lidar) == (TOPIC_SETS[name]['lidar_topic'], True)
    assert source.gt_kind == 'raw-lidar'
    sample = source[1]
    np.testing.assert_array_equal(sample.rgb, RGB + 1)
    assert sample.intrinsics == CAMERA
    assert np.argwhere(sample.target_m).tolist() == [[5, 5], [5, 15]]


def test_without_tf_the_extrinsics_are_given(tmp_path: Path):
    """kitti_to_ros2bag writes none."""
    messages = [m for m in renamed('kitti_to_ros2bag') if m.topic != '/tf_static']
    source = open_bag(
        write_ros2(tmp_path / 'kitti', messages), topics='auto',
        T_camera_lidar=T_CAMERA_LIDAR,
    )
    assert np.argwhere(source[0].target_m).tolist() == [[5, 5], [5, 15]]


def test_our_synthetic_recordings_have_exact_depth_and_classes(synthetic: Path):
    source = open_bag(synthetic, topics='auto')
    assert (source.topics.depth, source.topics.is_lidar) == (topics.TRUE_DEPTH, False)
    assert (source.topics.class_ids, source.gt_kind) == (topics.TRUE_CLASS_IDS, 'exact')


class TestNamedTopicsWin:
    def test_another_depth(self, synthetic: Path):
        source = open_bag(synthetic, topics='auto', lidar_topic=topics.CLOUD)
        assert (source.topics.depth, source.gt_kind) == (topics.CLOUD, 'raw-lidar')

    def test_another_camera_has_its_own_camera_info(self, tmp_path: Path):
        path = write_ros2(tmp_path / 'kitti', renamed('kitti2bag'))
        source = open_bag(path, topics='auto', image_topic='/right/cam/image')
        assert source.topics.camera_info == '/right/cam/camera_info'
        assert source.topics.depth == '/kitti/velo/pointcloud'

    def test_the_same_camera_by_name_keeps_it(self, synthetic: Path):
        with BagReader(synthetic) as bag:
            chosen = with_topic_set(bag, 'ours', {**NOTHING, 'image_topic': topics.IMAGE})
        assert chosen['camera_info_topic'] == topics.CAMERA_INFO


class TestWhatIsMissing:
    def test_nothing_is_recognised_in_other_recordings(self, tmp_path: Path):
        with BagReader(write_ros2(tmp_path / 'bag', lidar_drive())) as bag:
            assert topic_set(bag, 'auto') == {}
            assert with_topic_set(bag, 'auto', NOTHING) == NOTHING
            assert with_topic_set(bag, 'none', NOTHING) == NOTHING

    def test_auto_takes_what_is_there(self, tmp_path: Path):
        """The LiDAR of such a recording may have another name."""
        messages = [m for m in renamed('kitti2bag') if 'velo' not in m.topic]
        wanted = {k: t for k, t in TOPIC_SETS['kitti2bag'].items() if k != 'lidar_topic'}
        with BagReader(write_ros2(tmp_path / 'kitti', messages)) as bag:
            found: Mapping[str, str] = topic_set(bag, 'auto')
        assert found == wanted

    @pytest.mark.parametrize('key', ['image_topic', 'camera_info_topic', 'lidar_topic'])
    def test_by_name_what_is_missing_is_an_error_that_lists_what_is_there(
        self, tmp_path: Path, key: str
    ):
        missing = TOPIC_SETS['kitti2bag'][key]
        path = write_ros2(
            tmp_path / 'kitti', [m for m in renamed('kitti2bag') if m.topic != missing]
        )
        with pytest.raises(TopicError, match=rf"no topic '{missing}' in .*'/right/cam/image'"):
            open_bag(path, topics='kitti2bag')

    def test_an_unknown_set(self, tmp_path: Path):
        path = write_ros2(tmp_path / 'bag', [static(np.eye(4), 'a', 'b')])
        wanted = r"auto, none or one of \['ours'.*got 'kitti2bg'; did you mean 'kitti2bag'"
        with BagReader(path) as bag, pytest.raises(ConfigError, match=wanted):
            with_topic_set(bag, 'kitti2bg', NOTHING)


class TestCompressed:
    """Which topic is the camera and which the depth is said by ``format``, where it says so."""

    COLOUR = compressed(0, RGB, 'bgr8; png compressed bgr8', '/cam/image/compressed')
    GREY = compressed(0, RGB[..., 0], 'mono8; png compressed ', '/left/image/compressed')
    DEPTH = compressed(
        0, np.full(RGB.shape[:2], 2000, np.uint16), '16UC1; compressedDepth png',
        '/cam/depth/compressedDepth', prefix=bytes(12),
    )

    def test_depth_is_found_and_is_never_the_camera(self, tmp_path: Path):
        source = open_bag(write_ros2(tmp_path / 'bag', [self.DEPTH, self.COLOUR]))
        assert source.topics.image == '/cam/image/compressed'
        assert source.topics.depth == '/cam/depth/compressedDepth'
        assert (source[0].target_m == 2).all()
        assert np.array_equal(source[0].rgb, RGB[..., ::-1])

    def test_raw_depth_is_taken_before_compressed_depth(self, tmp_path: Path):
        raw = image(0, np.full(RGB.shape[:2], 3, np.float32), '32FC1', '/cam/depth')
        source = open_bag(write_ros2(tmp_path / 'bag', [self.DEPTH, raw, self.COLOUR]))
        assert source.topics.depth == '/cam/depth'
        named = open_bag(
            write_ros2(tmp_path / 'bag2', [self.DEPTH, raw, self.COLOUR]),
            depth_topic='/cam/depth/compressedDepth',
        )
        assert (named[0].target_m == 2).all()

    def test_colour_is_taken_before_grey(self, tmp_path: Path):
        source = open_bag(write_ros2(tmp_path / 'bag', [self.GREY, self.DEPTH, self.COLOUR]))
        assert source.topics.image == '/cam/image/compressed'


def test_depth_that_is_evaluated_is_not_the_truth(tmp_path: Path):
    """Unless there is no other: then the two would be the same, which is refused elsewhere."""
    depth = np.ones((12, 20), np.float32)
    pred, truth = (image(0, depth, '32FC1', topic) for topic in ('/a/pred', '/b/depth'))
    both = write_ros2(tmp_path / 'both', [image(0), pred, truth])
    with pytest.raises(TopicError, match='has 2 topics that could be depth'):
        open_bag(both)
    assert open_bag(both, pred_topics=('/a/pred',)).topics.depth == '/b/depth'
    alone = write_ros2(tmp_path / 'alone', [image(0), pred])
    assert open_bag(alone, pred_topics=('/a/pred',)).topics.depth == '/a/pred'
