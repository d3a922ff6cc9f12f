# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A video in ROS as a camera's driver would have it, and the depth that comes back."""

from __future__ import annotations

from itertools import islice, repeat
from pathlib import Path
import subprocess
import sys
from typing import Any

from clip_depth_ros.core.camera import Calibration
from clip_depth_ros.core.stamps import stamp_ns_of
from clip_depth_ros.errors import TopicError
from clip_depth_ros.ros.live import LiveCamera, LiveTopics
from clip_depth_ros.ros.recorder import RecordingSession
from clip_depth_ros.ros.view import FileView
from clip_depth_ros.sources.video import VideoReader
from clip_depth_ros.types import Intrinsics, RecordedMessage
import cv2
from made_up_video import frame, SIZE, write_video
import numpy as np
import pytest
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, Image

pytestmark = pytest.mark.ros

NAMES = LiveTopics(image='/cam/image', camera_info='/cam/camera_info', frame_id='optical')
TYPES = {NAMES.image: 'sensor_msgs/msg/Image', NAMES.camera_info: 'sensor_msgs/msg/CameraInfo'}
COLORS = {'near_m': 1.0, 'far_m': 80.0}


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / 'film.mp4')


def heard(calibration: Calibration | None, n_images: int = 3) -> list[RecordedMessage]:
    """Return what another node gets of a camera that shows one frame, until it has enough."""
    messages: list[RecordedMessage] = []
    with RecordingSession(TYPES, messages.append) as robot, LiveCamera(NAMES, calibration) as cam:
        for _ in islice(cam.publish(repeat(frame(1)), 50.0), 1000):
            robot.spin_for(0.0)
            if robot.counts[NAMES.image] >= n_images:
                break
        robot.spin_for(0.2)
        assert cam.counts.published >= n_images
    return messages


def test_image_and_camera_info_are_those_of_a_driver(ros_domain: int):
    wanted = Intrinsics.of_hfov(60, 64, 48)
    messages = heard(Calibration.pinhole(wanted))
    images: list[Any] = [deserialize_message(m.cdr, Image) for m in messages
                         if m.topic == NAMES.image]
    infos: list[Any] = [deserialize_message(m.cdr, CameraInfo) for m in messages
                        if m.topic == NAMES.camera_info]
    image, info = images[0], infos[0]
    assert (image.encoding, image.width, image.height, image.step) == ('rgb8', 64, 48, 192)
    np.testing.assert_array_equal(np.asarray(image.data).reshape(48, 64, 3), frame(1))
    assert image.header.frame_id == info.header.frame_id == 'optical'
    stamps_ns = [stamp_ns_of(each.header) for each in images]
    assert sorted({*stamps_ns}) == stamps_ns
    assert {*stamps_ns} & {stamp_ns_of(each.header) for each in infos}
    camera = Calibration.of(info).camera('auto', 64, 48)
    assert (camera.intrinsics, camera.distortion, camera.source) == (wanted, None, 'P')


def test_a_camera_that_is_not_known_has_no_camera_info(ros_domain: int):
    assert {message.topic for message in heard(None)} == {NAMES.image}


def test_a_name_that_is_none_is_refused(ros_domain: int):
    wrong = LiveTopics(image='/1 image', camera_info='/info', frame_id='optical')
    with pytest.raises(TopicError, match="'/1 image' is no topic name"), LiveCamera(wrong, None):
        pass


def test_files_show_image_depth_and_legend_about_one_a_second(tmp_path: Path):
    view = FileView(tmp_path, COLORS)
    depth_m = np.full(SIZE, 10.0, np.float32)
    assert all(view.show(frame(index), depth_m) for index in range(3))
    (path,) = view.paths
    height, width = cv2.imread(str(path)).shape[:2]
    assert width > 2 * 320
    assert height > 240


def test_one_command_brings_depth_of_a_video_through_the_real_node(
    tmp_path: Path, ros_domain: int, video: Path
):
    out = tmp_path / 'out'
    done = subprocess.run(
        [
            sys.executable, '-m', 'clip_depth_ros', 'live', '--video', str(video), '--hz', '2',
            '--hfov-deg', '60', '--preset', 'synthetic', '--method', 'clip2depth', '--view',
            '--out', str(out),
        ],
        capture_output=True, text=True, timeout=300, check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'camera: 60 degrees across, on /camera/camera_info' in done.stdout
    assert 'depth on /depth/image_rect' in done.stdout
    assert '5 images published on /camera/image_raw, ' in done.stdout
    assert not done.stdout.endswith('0 came back with depth\n')
    assert (out / 'view_000000.png').is_file()
    assert 'active' in (out / 'depth_node.log').read_text()


def test_a_video_is_shown_again_where_that_is_asked(video: Path):
    from argparse import Namespace

    from clip_depth_ros.cli.live import _frames

    args = Namespace(webcam=None, video=video, rtsp=None, loop=True)
    with VideoReader(video) as opened:
        assert len([*islice(_frames(args, opened), 12)]) == 12
