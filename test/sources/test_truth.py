# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a sensor gives where it has measured nothing is no truth, and is counted."""

from __future__ import annotations

from pathlib import Path

from bag_drives import CAMERA, image, info, lidar_drive, POINTS, static
from bag_files import START_NS, write_ros2
from clip_depth_ros.bags.messages import cloud_message
from clip_depth_ros.bags.topics import TRUE_DEPTH
from clip_depth_ros.bags.writer import recorded
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.projection import projection_matrix
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.registry import FrameRules, open_one
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.sources.truth import TruthRules
from clip_depth_ros.types import RecordedMessage
import cv2
import numpy as np
from numpy.typing import NDArray
from open_sources import open_bag, open_pattern
import pytest

AHEAD_M = 0.4
T_CAMERA_LIDAR = np.array(
    [[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, AHEAD_M], [0, 0, 0, 1]], np.float64
)
"""A LiDAR 0.4 m ahead of the camera: its origin is seen in the middle of the image."""

MIDDLE = (5, 10)
SLOPE = np.add.outer(np.arange(12) * 0.11, np.arange(20) * 0.05).astype(np.float32) + 2


def fresh(tmp_path: Path) -> Path:
    """Give a path at which nothing is yet."""
    return tmp_path / str(len([*tmp_path.iterdir()]))


def cloud_with(points: NDArray[np.float64]) -> RecordedMessage:
    """Give a cloud that holds these points before others."""
    both = np.concatenate([np.pad(points, [(0, 0), (0, 1)]), POINTS]).astype(np.float32)
    return recorded(
        '/points', cloud_message(both, stamp_ns=START_NS, frame_id='lidar'), START_NS
    )


def seen(tmp_path: Path, points: NDArray[np.float64], **changes: float) -> DepthSample:
    """Give what is known where the LiDAR ahead of the camera gives these points, too."""
    calibration = static(np.linalg.inv(T_CAMERA_LIDAR), 'lidar', 'camera')
    messages = [calibration, info(0), image(0), cloud_with(points)]
    return open_bag(write_ros2(fresh(tmp_path), messages), **changes)[0]


class TestLidar:
    @pytest.mark.parametrize('points', [
        np.zeros((500, 3)),
        np.full((3, 3), 1e-6),
        np.random.default_rng(0).uniform(-0.2, 0.2, (500, 3)),
        np.array([[0, 0, 0.012]]),  # zeros of an Ouster, in the frame of its base
        np.array([[0.45, 0, 0]]),  # a bumper
    ], ids=['zeros', 'almost', 'around', 'shifted', 'robot'])
    def test_what_never_came_back_makes_no_ghost(self, tmp_path: Path, points):
        sample = seen(tmp_path, points)
        np.testing.assert_array_equal(sample.target_m, seen(tmp_path, points[:0]).target_m)
        (note, count), = sample.notes.items()
        assert note.startswith('points at the LiDAR or nearer than lidar_min_range_m=0.5 are no')
        assert count > 0

    def test_what_came_back_is_not_touched(self, tmp_path: Path):
        sample = seen(tmp_path, np.array([[0.5, 0, 0], [np.nan] * 3, [np.inf, 0, 0]]))
        assert sample.target_m[MIDDLE] == np.float32(0.5 + AHEAD_M)
        assert not sample.notes

    def test_the_blind_zone_is_a_setting(self, tmp_path: Path):
        """Zeros are no returns of any LiDAR."""
        points = np.array([[0.1, 0, 0], [0, 0, 0]])
        assert seen(tmp_path, points, lidar_min_range_m=0.05).target_m[MIDDLE] == 0.5
        assert seen(tmp_path, points, lidar_min_range_m=0).target_m[MIDDLE] == 0.5
        assert seen(tmp_path, points, lidar_min_range_m=0.2).target_m[MIDDLE] == 0

    def test_what_would_be_seen_nowhere_is_not_worth_a_word(self, tmp_path: Path):
        """A LiDAR above the camera: its zeros are out of sight."""
        zeros = [*lidar_drive(1)[:-1], cloud_with(np.zeros((5, 3)))]
        assert not open_bag(write_ros2(tmp_path / 'bag', zeros))[0].notes

    def test_of_the_pixels_of_points_the_ghosts_are_counted(self):
        P = projection_matrix(CAMERA, T_CAMERA_LIDAR)
        points = np.array([[0, 0, 0], [0, 0, 0], [0, 0.02, 0], [5, 0, 0]], np.float64)
        depth_m, notes = TruthRules().of_points(points, P, Size(12, 20))
        assert np.argwhere(depth_m).tolist() == [[*MIDDLE]]
        assert [*notes.values()] == [2]


def measured(tmp_path: Path, pixels, encoding: str, topic: str = '/cam/depth', **changes):
    """Give the frame of a recording with one depth image."""
    messages = [image(0), image(0, pixels, encoding, topic)]
    changes = {'depth_topic': topic, **changes}
    return open_bag(write_ros2(fresh(tmp_path), messages), **changes)[0]


def with_end(end_m: float) -> NDArray[np.float32]:
    """Give a slope whose first rows are beyond the range."""
    depth_m = SLOPE.copy()
    depth_m[:4] = end_m
    return depth_m


class TestDepthImages:
    def test_the_largest_number_of_16_bits_is_no_depth(self, tmp_path: Path):
        pixels = (SLOPE * 1000).astype(np.uint16)
        pixels[:3, :2] = 65535
        sample = measured(tmp_path, pixels, '16UC1')
        assert not sample.target_m[:3, :2].any()
        np.testing.assert_array_equal(sample.target_m[3:], pixels[3:] / np.float32(1000))
        assert sample.notes == {'65535 in 16-bit depth is no depth, pixels': 6}

    def test_nor_are_metres_that_were_made_of_it(self, tmp_path: Path):
        sample = measured(tmp_path, np.where(SLOPE < 2.5, 65.535, SLOPE), '32FC1')
        assert sample.target_m.max() < 5

    @pytest.mark.parametrize('end_m', [6.0, 10.0, 65.504])
    def test_the_end_of_the_range_is_no_depth(self, tmp_path: Path, end_m: float):
        sample = measured(tmp_path, with_end(end_m), '32FC1')
        assert not sample.target_m[:4].any()
        np.testing.assert_array_equal(sample.target_m[4:], SLOPE[4:])
        (note, count), = sample.notes.items()
        assert note.startswith('the largest depth of an image, which many pixels share exactly')
        assert count == 80

    def test_in_millimetres_too(self, tmp_path: Path):
        pixels = (with_end(8.191) * 1000).round().astype(np.uint16)
        assert not measured(tmp_path, pixels, '16UC1').target_m[:4].any()

    def test_where_it_ends_can_be_said(self, tmp_path: Path):
        wall = with_end(6.0)
        kept = measured(tmp_path, wall, '32FC1', gt_max_range_m=100)
        np.testing.assert_array_equal(kept.target_m, wall)
        assert not kept.notes
        short = measured(tmp_path, wall, '32FC1', gt_max_range_m=3)
        np.testing.assert_array_equal(short.target_m, np.where(wall < 3, wall, 0))
        assert [*short.notes] == ['nothing is known from gt_max_range_m=3 on, pixels']

    @pytest.mark.parametrize('changes', [{'topic': TRUE_DEPTH}, {'gt_kind': 'exact'}])
    def test_rendered_depth_is_exact(self, tmp_path: Path, changes):
        wall = with_end(65.535)
        sample = measured(tmp_path, wall, '32FC1', **changes)
        np.testing.assert_array_equal(sample.target_m, wall)
        assert not sample.notes

    def test_folders_too(self, tmp_path: Path):
        """What 65535 means in metres is the folder's to say."""
        stored = (with_end(8.0) * 1000).round().astype(np.uint16)
        stored[5, :3] = 65535
        for name, pixels in (('rgb', np.zeros((12, 20, 3), np.uint8)), ('depth', stored)):
            (tmp_path / name).mkdir()
            assert cv2.imwrite(str(tmp_path / name / '0.png'), pixels)
        folder = tmp_path, 'rgb/*.png', 'depth/*.png'
        for per_metre in (1000.0, 5000.0):
            sample = open_pattern(*folder, gt_per_metre=per_metre)[0]
            assert [*sample.notes.values()] == [3, 80]
            assert sample.target_m.max() < 5000 / per_metre
        annotated = open_pattern(*folder, gt_per_metre=1000.0, gt_kind='annotated')[0]
        assert annotated.target_m.max() == np.float32(65.535)


class TestSettings:
    def test_a_range_of_another_sensor_is_refused(self, tmp_path: Path):
        lidar = write_ros2(tmp_path / 'lidar', lidar_drive(1))
        with pytest.raises(ConfigError, match=r'gt_max_range_m would not be used, as .* LiDAR'):
            open_bag(lidar, gt_max_range_m=10)
        depth = write_ros2(tmp_path / 'depth', [image(0), image(0, SLOPE, '32FC1', '/cam/depth')])
        with pytest.raises(ConfigError, match=r'lidar_min_range_m would not be used, as .* no'):
            open_bag(depth, depth_topic='/cam/depth', lidar_min_range_m=1)

    def test_what_is_not_as_usual_decides_the_frames(self, tmp_path: Path):
        path = write_ros2(tmp_path / 'bag', lidar_drive(1))
        assert 'lidar_min_range_m' not in open_bag(path).describe()
        assert open_bag(path, lidar_min_range_m=1).describe()['lidar_min_range_m'] == '1'

    @pytest.mark.parametrize('kind', ['nyu', 'diode', 'kitti-selection', 'synthetic'])
    def test_kinds_without_such_a_sensor_do_not_take_it(self, kind: str):
        with pytest.raises(ConfigError, match='lidar_min_range_m is not for kind'):
            open_one(kind, '1', SourceSettings(lidar_min_range_m=2), FrameRules())
