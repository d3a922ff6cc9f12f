# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the LiDAR is, told on /tf alone: recordings without /tf_static."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bag_drives import lidar_drive, static, T_CAMERA_LIDAR
from bag_files import START_NS, STEP_NS, write_ros1, write_ros2
from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.types import RecordedMessage
import numpy as np
from open_sources import open_bag
import pytest

T_LIDAR_CAMERA = np.linalg.inv(T_CAMERA_LIDAR)
FRAMES = lidar_drive(3)[1:]
SEEN = [[5, 5], [5, 15]]


def told(T: Any, parent: str, child: str, time_ns: int = START_NS) -> RecordedMessage:
    """Give a transform as it is on /tf."""
    message = static(T, parent, child, time_ns)
    return RecordedMessage('/tf', message.msgtype, message.cdr, message.bag_time_ns)


def moved(metres: float) -> Any:
    """Give a transform along x."""
    T = np.eye(4)
    T[0, 3] = metres
    return T


def seen(source: Any) -> list[list[list[int]]]:
    """Give the pixels that have depth, by frame."""
    return [np.argwhere(source[i].target_m).tolist() for i in range(len(source))]


def mixed(*transforms: RecordedMessage) -> list[RecordedMessage]:
    """Give transforms among the frames, in the order of their times."""
    return sorted([*transforms, *FRAMES], key=lambda message: message.bag_time_ns)


@pytest.mark.parametrize('write', [write_ros1, write_ros2])
def test_what_is_told_again_and_again_is_static(tmp_path: Path, write: Any):
    """Ahead of the time, too, as ROS 1's static_transform_publisher does."""
    transforms = [
        told(T, 'base', child, START_NS + i * STEP_NS // 2 + 7_000_000)
        for i in range(4)
        for T, child in ((moved(2), 'lidar'), (moved(2) @ T_LIDAR_CAMERA, 'camera'))
    ]
    assert seen(open_bag(write(tmp_path / 'bag', mixed(*transforms)))) == [SEEN] * 3


@pytest.mark.parametrize('time_ns', [START_NS, START_NS + 100 * STEP_NS, 0])
def test_once_is_enough(tmp_path: Path, time_ns: int):
    transform = told(T_LIDAR_CAMERA, 'lidar', 'camera', time_ns)
    assert seen(open_bag(write_ros2(tmp_path / 'bag', mixed(transform)))) == [SEEN] * 3


def test_half_of_it_may_be_static(tmp_path: Path):
    messages = mixed(
        static(moved(1), 'base', 'lidar'), told(moved(1) @ T_LIDAR_CAMERA, 'base', 'camera')
    )
    assert seen(open_bag(write_ros2(tmp_path / 'bag', messages))) == [SEEN] * 3


def test_the_robot_may_move(tmp_path: Path):
    """What is above both does not matter."""
    odometry = [told(moved(i), 'odom', 'lidar', START_NS + i * STEP_NS) for i in range(3)]
    messages = mixed(told(T_LIDAR_CAMERA, 'lidar', 'camera'), *odometry)
    assert seen(open_bag(write_ros2(tmp_path / 'bag', messages))) == [SEEN] * 3


def test_static_ones_come_first(tmp_path: Path):
    messages = mixed(static(T_LIDAR_CAMERA, 'lidar', 'camera'), told(moved(9), 'lidar', 'camera'))
    assert seen(open_bag(write_ros2(tmp_path / 'bag', messages))) == [SEEN] * 3


class TestMountsThatMove:
    """A camera that is turned, say: each image has its own transform."""

    def drive(self, tmp_path: Path, *numbers: int) -> Path:
        """Write a recording whose LiDAR was 1 m higher at each frame, told for some."""
        higher = np.eye(4)
        higher[2, 3] = 1.0
        transforms = [
            told(np.linalg.matrix_power(higher, i) @ T_LIDAR_CAMERA, 'lidar', 'camera',
                 START_NS + i * STEP_NS)
            for i in numbers
        ]
        return write_ros2(tmp_path / 'bag', mixed(*transforms))

    def test_each_image_has_its_own(self, tmp_path: Path):
        first, *others = seen(open_bag(self.drive(tmp_path, 0, 1, 2)))
        assert first == SEEN
        assert all(other != SEEN for other in others)

    def test_where_none_is_near_the_image_is_left_out(self, tmp_path: Path):
        source = open_bag(self.drive(tmp_path, 0, 1), allow_missing=True, sync_tolerance_s=0.01)
        assert len(source) == 2
        [(what, why)] = source.problems
        assert what == 'bag /tf'
        assert why.startswith('of 1 of 3 images it is not known where the LiDAR was')

    def test_which_is_an_error_where_all_is_needed(self, tmp_path: Path):
        with pytest.raises(CalibrationError, match='of 1 of 3 images it is not known'):
            open_bag(self.drive(tmp_path, 0, 1), sync_tolerance_s=0.01)


@pytest.mark.parametrize('transforms', [[], [told(moved(1), 'odom', 'base')]])
def test_nothing_leads_there(tmp_path: Path, transforms: list[RecordedMessage]):
    with pytest.raises(CalibrationError, match=r'has no /tf_static, and /tf does not lead from'):
        open_bag(write_ros2(tmp_path / 'bag', mixed(*transforms)))
