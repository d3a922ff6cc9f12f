# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics are taken of recordings of well-known cameras, without a name of any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bag_files import MakeBag, write_ros1, write_ros2
from camera_bags import CAMERA, DEPTH_CAMERAS, Layout, recording_of, Topic, USB, WALL_M, WIDE
from clip_depth_ros.errors import TopicError
import numpy as np
from open_sources import open_bag
import pytest


def opened(tmp_path: Path, layout: Layout, write: MakeBag = write_ros2, **changes: Any) -> Any:
    return open_bag(write(tmp_path / 'bag', recording_of(layout)), topics='auto', **changes)


@pytest.mark.parametrize('write', [write_ros1, write_ros2])
@pytest.mark.parametrize('layout', DEPTH_CAMERAS.values(), ids=[*DEPTH_CAMERAS])
def test_camera_and_depth_are_found(tmp_path: Path, layout: Layout, write: MakeBag):
    source = opened(tmp_path, layout, write)
    used = source.topics
    assert (used.image, used.camera_info, used.depth) == layout[1:]
    assert not used.is_lidar
    sample = source[1]
    known = sample.target_m[sample.target_m > 0]
    np.testing.assert_array_equal(known, np.full(known.shape, np.float32(WALL_M)))
    assert known.size > 0.9 * sample.target_m.size
    assert sample.intrinsics == CAMERA


def test_of_a_usb_camera_it_says_what_there_is_and_what_can_be_done(tmp_path: Path):
    said = (
        '0 topics that could be depth .*gt_dir.*clip-depth demo.*It has camera images: '
        '/usb_cam/image_raw/compressed; camera_info: /usb_cam/camera_info; others: /tf_static'
    )
    with pytest.raises(TopicError, match=said):
        opened(tmp_path, USB)


class TestRealSenseViewer:
    """All its frames are called 0, and its depth has a camera and a unit of its own."""

    LAYOUT = DEPTH_CAMERAS['realsense-viewer']

    def test_depth_is_registered_by_both_camera_infos(self, tmp_path: Path):
        """The wide depth camera has a step where the other has one farther from the centre."""
        messages = recording_of(self.LAYOUT, n_frames=1)
        at = next(i for i, m in enumerate(messages) if m.topic == self.LAYOUT.depth)
        stored = np.frombuffer(messages[at].cdr, '<u2', 12 * 20, len(messages[at].cdr) - 480)
        halves = stored.reshape(12, 20).copy()
        halves[:, 12:] = 8000
        cdr = messages[at].cdr[:-480] + halves.tobytes()
        messages[at] = replace(messages[at], cdr=cdr)
        source = open_bag(write_ros2(tmp_path / 'bag', messages))
        sample = source[0]
        step = CAMERA.cx + (11.5 - WIDE.cx) * CAMERA.fx / WIDE.fx
        row = sample.target_m[6]
        assert set(row[:int(step)]) == {np.float32(4)}
        assert set(row[int(step) + 1:]) == {np.float32(8)}
        assert any('registered by these' in note for note in sample.notes)

    def test_its_unit_counts_and_one_that_is_named_wins(self, tmp_path: Path):
        path = write_ros1(tmp_path / 'bag', recording_of(self.LAYOUT, unit_m=0.00025))
        source = open_bag(path)
        assert source[0].target_m.max() == WALL_M
        assert source.describe()['gt_per_metre'] == '4000'
        assert open_bag(path, gt_per_metre=1000.0)[0].target_m.max() == 4 * WALL_M


class TestClouds:
    DEPTH = Topic('/camera/depth', '32FC1', 'camera')
    IMAGE = Topic('/camera/image', 'rgb8', 'camera')
    INFO = Topic('/camera/camera_info', 'camera_info', 'camera')
    COLOURED = Topic('/points', 'points', 'elsewhere')

    def test_made_of_depth_images_they_are_no_lidar_beside_them(self, tmp_path: Path):
        layout = Layout([self.IMAGE, self.INFO, self.DEPTH, self.COLOURED], '', '', '')
        assert opened(tmp_path, layout).topics.depth == '/camera/depth'

    def test_where_only_they_were_recorded_they_are_the_truth(self, tmp_path: Path):
        points = Topic('/points', 'points', 'camera')
        source = opened(tmp_path, Layout([self.IMAGE, self.INFO, points], '', '', ''))
        assert (source.topics.depth, source.topics.is_lidar) == ('/points', True)


def test_two_colour_cameras_must_be_named_where_depth_is_of_neither(tmp_path: Path):
    cameras = [Topic(f'/{side}/image_rect', 'rgb8', side) for side in ('front', 'rear')]
    layout = Layout([*cameras, Topic('/roof/depth', '32FC1', 'roof')], '', '', '')
    wanted = r'2 topics .*: /front/image_rect, /rear/image_rect; name one'
    with pytest.raises(TopicError, match=wanted):
        opened(tmp_path, layout)


def test_of_camera_infos_of_one_frame_that_in_the_folder_of_the_image_is_its_own(tmp_path: Path):
    layout = Layout([
        Topic('/robot7/eye/jpeg', 'jpeg of rgb8', 'eye'),
        Topic('/robot7/eye/calib', 'camera_info', 'eye'),
        Topic('/robot7/tof/z16', '16UC1', 'eye'),
        Topic('/robot7/tof/calib', 'camera_info', 'eye'),
    ], '', '', '')
    assert opened(tmp_path, layout).topics.camera_info == '/robot7/eye/calib'


def test_topics_that_were_announced_and_never_sent_do_not_count(tmp_path: Path):
    layout = DEPTH_CAMERAS['kinect']
    announced = {'/rgb/image_rect': 'sensor_msgs/msg/Image'}
    path = write_ros1(tmp_path / 'bag', recording_of(layout), announced=announced)
    assert open_bag(path).topics.image == layout.image
