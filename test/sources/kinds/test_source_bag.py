# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings as training data: images with depth images, or with what a LiDAR measured."""

from __future__ import annotations

from collections.abc import Iterable
import multiprocessing
from pathlib import Path
import pickle
from typing import Any

from bag_drives import (
    CAMERA,
    cloud,
    depth_drive,
    image,
    info,
    lidar_drive,
    RGB,
    static,
    T_CAMERA_LIDAR,
    without_stamp,
)
from bag_files import KINDS, START_NS, STEP_NS, UNUSUAL_KINDS, write_ros2
from clip_depth_ros.bags import topics
from clip_depth_ros.bags.index import History
from clip_depth_ros.bags.messages import camera_info_message, image_message, tf_message
from clip_depth_ros.bags.places import Pair, paired, Place, place_of
from clip_depth_ros.bags.poses import TransformTree
from clip_depth_ros.bags.writer import recorded, write_recording
from clip_depth_ros.core.depth_images import colorize
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.projection import projection_matrix, sparse_depth
from clip_depth_ros.errors import (
    CalibrationError,
    ConfigError,
    DataError,
    RecordingError,
    TopicError,
)
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.as_messages import drive_messages, kitti_messages
from clip_depth_ros.sources.files import read_rgb
from clip_depth_ros.sources.frames import open_for_evaluation
from clip_depth_ros.sources.kitti_calibration import KittiCalibration
from clip_depth_ros.sources.kitti_files import find_kitti_frames, read_kitti_scan
from clip_depth_ros.sources.registry import Source
from clip_depth_ros.sources.samples import check_source
from clip_depth_ros.types import Intrinsics, RecordedMessage
from clip_depth_ros.world.drive import CLASS_NAMES, Drive
import cv2
from hypothesis import given, strategies as st
import numpy as np
from open_sources import open_bag
import pytest

ALL_KINDS = {**KINDS, **UNUSUAL_KINDS}


class TestDepthImages:
    @pytest.mark.parametrize('encoding', ['32FC1', '16UC1'])
    def test_metres_come_out(self, tmp_path: Path, encoding: str):
        path = write_ros2(tmp_path / 'bag', depth_drive(encoding))
        source = open_bag(path, depth_topic='/cam/depth')
        assert len(source) == 3
        for index in range(3):
            sample = source[index]
            np.testing.assert_array_equal(sample.rgb, RGB)
            assert sample.target_m[0, 0] == 0
            np.testing.assert_array_equal(sample.target_m[1:], np.float32(2 + index))
            assert sample.target_m.dtype == np.float32
            assert sample.intrinsics is None
        check_source(source)

    def test_intrinsics_come_along_where_they_are_known(self, tmp_path: Path):
        path = write_ros2(tmp_path / 'bag', [*depth_drive(), info(0)])
        source = open_bag(path, depth_topic='/cam/depth')
        assert source[0].intrinsics == CAMERA
        assert not source.notes

    def test_intrinsics_of_another_frame_are_said(self, tmp_path: Path):
        """They may be those of another camera, and nothing but the frame tells."""
        stamp_ns = START_NS + STEP_NS
        other = camera_info_message(CAMERA, stamp_ns=stamp_ns, frame_id='/right')
        messages = [*depth_drive(), recorded('/cam/camera_info', other, stamp_ns)]
        source = open_bag(write_ros2(tmp_path / 'bag', messages), depth_topic='/cam/depth')
        assert source.notes == [
            "camera_info is of frame 'right', images are of 'camera': it may be of another camera"
        ]

    def test_another_size_is_an_error_that_names_the_frame(self, tmp_path: Path):
        small = image(0, np.ones((6, 10), np.float32), '32FC1', '/cam/depth')
        path = write_ros2(tmp_path / 'bag', [image(0), small])
        with pytest.raises(DataError, match=r'bag /cam/image at 1600000000\.123456789 s.*20x12'):
            open_bag(path, depth_topic='/cam/depth')[0]

    def test_depth_in_another_encoding_is_an_error(self, tmp_path: Path):
        grey = image(0, RGB[..., 0], 'mono8', '/cam/depth')
        path = write_ros2(tmp_path / 'bag', [image(0), grey])
        source = open_bag(path, image_topic='/cam/image', depth_topic='/cam/depth')
        with pytest.raises(DataError, match="depth encoding must be '32FC1' or '16UC1'"):
            source[0]

    def test_millimetres_as_floats_are_caught(self, tmp_path: Path):
        deep = image(0, np.full((12, 20), 5000, np.float32), '32FC1', '/cam/depth')
        source = open_bag(
            write_ros2(tmp_path / 'bag', [image(0), deep]), depth_topic='/cam/depth'
        )
        with pytest.raises(DataError, match=r'is 5000 m, .*its unit is not metres'):
            check_source(source)


class TestLidar:
    def test_points_land_where_the_camera_sees_them(self, tmp_path: Path):
        """By hand: u = 10 - 100 * 0.5 / 10 = 5, v = 5 + 100 * (0.3 - 0.3) / 10 = 5."""
        source = open_bag(write_ros2(tmp_path / 'bag', lidar_drive()))
        sample = source[1]
        np.testing.assert_array_equal(sample.rgb, RGB + 1)
        assert np.argwhere(sample.target_m).tolist() == [[5, 5], [5, 15]]
        assert sample.target_m[5, [5, 15]].tolist() == [10, 20]
        assert sample.intrinsics == CAMERA
        assert (source.n_matched, source.n_missed) == (3, 0)

    @pytest.mark.parametrize('kind', ALL_KINDS)
    def test_any_kind_of_recording_gives_the_same_samples(self, tmp_path: Path, kind: str):
        source = open_bag(ALL_KINDS[kind](tmp_path / 'bag', lidar_drive(4)))
        assert (len(source), source.n_missed, source.problems) == (4, 0, [])
        for index in (3, 0, 2, 1):
            sample = source[index]
            np.testing.assert_array_equal(sample.rgb, RGB + index)
            assert np.argwhere(sample.target_m).tolist() == [[5, 5], [5, 15]]
            assert sample.target_m[5, [5, 15]].tolist() == [10, 20]
            assert sample.intrinsics == CAMERA
            assert sample.stamp_ns == START_NS + index * STEP_NS

    @pytest.mark.parametrize('kind', ['ros1', 'sqlite3-none', 'mcap-storage', 'old-sqlite3'])
    def test_frames_in_any_order_and_after_closing(self, tmp_path: Path, kind: str):
        source = open_bag(KINDS[kind](tmp_path / 'bag', lidar_drive()))
        for index in (2, 0, 1, 0):  # in any order, again and again
            np.testing.assert_array_equal(source[index].rgb, RGB + index)
        source.close()
        np.testing.assert_array_equal(source[1].rgb, RGB + 1)

    def test_a_chain_of_frames(self, tmp_path: Path):
        """From lidar to base, mast and camera; with ROS 1's leading slash."""
        up = np.eye(4)
        up[2, 3] = 1.5
        T_base_camera = np.linalg.inv(T_CAMERA_LIDAR)
        T_base_lidar = up.copy()
        messages = [
            static(up, '/base', '/mast'),
            static(np.linalg.inv(up) @ T_base_lidar @ T_base_camera, 'mast', 'camera'),
            static(T_base_lidar, 'base', 'lidar'),
            *lidar_drive()[1:],
        ]
        sample = open_bag(write_ros2(tmp_path / 'bag', messages))[0]
        assert np.argwhere(sample.target_m).tolist() == [[5, 5], [5, 15]]

    def test_a_matrix_given_wins(self, tmp_path: Path):
        wrong = static(np.eye(4), 'lidar', 'camera')
        path = write_ros2(tmp_path / 'bag', [wrong, *lidar_drive()[1:]])
        sample = open_bag(path, T_camera_lidar=T_CAMERA_LIDAR)[0]
        assert np.argwhere(sample.target_m).tolist() == [[5, 5], [5, 15]]

    def test_each_frame_has_the_calibration_of_its_time(self, tmp_path: Path):
        """Recordings made from KITTI's object folders change it from frame to frame."""
        lower = T_CAMERA_LIDAR.copy()
        lower[1, 3] += 0.1  # one pixel at 10 m
        T_lidar_camera = np.linalg.inv(lower)
        later = static(T_lidar_camera, 'lidar', 'camera', START_NS + STEP_NS)
        first, second = lidar_drive(2)[:4], lidar_drive(2)[4:]
        source = open_bag(write_ros2(tmp_path / 'bag', [*first, later, *second]))
        assert [int(np.argwhere(source[i].target_m)[-1, 0]) for i in (0, 1)] == [5, 6]

    def test_each_frame_has_its_own_intrinsics(self, tmp_path: Path):
        wide = Intrinsics(50.0, 100.0, 10.0, 5.0, 20, 12)
        messages = lidar_drive(2)
        messages[4] = info(1, wide)
        source = open_bag(write_ros2(tmp_path / 'bag', messages))
        assert [source[0].intrinsics, source[1].intrinsics] == [CAMERA, wide]

    def test_a_chain_that_is_complete_only_after_the_first_frames(self, tmp_path: Path):
        """Publishers of static transforms are found one by one; what came late held before."""
        T_base_camera = np.linalg.inv(T_CAMERA_LIDAR)
        frames = lidar_drive(3)[1:]
        messages = [
            static(np.eye(4), 'base', 'lidar'),
            *frames[:3],
            static(T_base_camera, 'base', 'camera', START_NS + STEP_NS // 2),
            *frames[3:],
        ]
        source = open_bag(write_ros2(tmp_path / 'bag', messages))
        for index in range(3):
            assert np.argwhere(source[index].target_m).tolist() == [[5, 5], [5, 15]]

    def test_no_chain_is_an_error(self, tmp_path: Path):
        messages = [static(np.eye(4), 'map', 'camera'), *lidar_drive()[1:]]
        wanted = r"/bag': no static .* from 'lidar' to 'camera'.*\['camera', 'map"
        with pytest.raises(CalibrationError, match=wanted):
            open_bag(write_ros2(tmp_path / 'bag', messages))

    def test_no_transform_at_all_is_an_error(self, tmp_path: Path):
        with pytest.raises(CalibrationError, match=r'has no /tf_static.*give the 4 x 4'):
            open_bag(write_ros2(tmp_path / 'bag', lidar_drive()[1:]))

    def test_no_camera_info_is_an_error(self, tmp_path: Path):
        messages = [m for m in lidar_drive() if m.topic != '/cam/camera_info']
        with pytest.raises(CalibrationError, match="no camera_info for '/cam/image'"):
            open_bag(write_ros2(tmp_path / 'bag', messages))


class TestMatching:
    def test_what_is_too_far_apart_is_counted(self, tmp_path: Path):
        messages = [lidar_drive()[0], info(0), *(image(i) for i in range(4))]
        messages += [cloud(0, 0.01), cloud(1, 0.03), cloud(3, -0.005)]
        path = write_ros2(tmp_path / 'bag', sorted(messages, key=lambda m: m.bag_time_ns))
        source = open_bag(path, sync_tolerance_s=0.02)
        assert (len(source), source.n_matched, source.n_missed) == (2, 2, 2)
        assert source.describe()['images_without_depth'] == '2'

    def test_by_capture_time_not_by_receive_time(self, tmp_path: Path):
        late = [
            RecordedMessage(m.topic, m.msgtype, m.cdr, m.bag_time_ns + 10**9)
            if m.topic == '/points' else m
            for m in lidar_drive()
        ]
        path = write_ros2(tmp_path / 'bag', sorted(late, key=lambda m: m.bag_time_ns))
        assert len(open_bag(path, sync_tolerance_s=0.001)) == 3

    def test_nothing_near_enough_says_how_far(self, tmp_path: Path):
        messages = [lidar_drive()[0], info(0), image(0), cloud(0, 2.0)]
        with pytest.raises(RecordingError, match=r'sync_tolerance_s=0\.05 .*are 2\.000 s apart'):
            open_bag(write_ros2(tmp_path / 'bag', messages))

    def test_every_nth(self, tmp_path: Path):
        path = write_ros2(tmp_path / 'bag', lidar_drive(5))
        source = open_for_evaluation([str(path)], SourceSettings(frame_stride=2))
        assert [int(source[i].rgb[0, 0, 0]) for i in range(len(source))] == [
            int((RGB + i)[0, 0, 0]) for i in (0, 2, 4)
        ]

    def test_a_recording_that_loops(self, tmp_path: Path):
        """Equal stamps again, received later: each image is the one that was received then."""
        again = [
            RecordedMessage(m.topic, m.msgtype, m.cdr, m.bag_time_ns + 10**10)
            for m in lidar_drive(2)
        ]
        source = open_bag(write_ros2(tmp_path / 'bag', [*lidar_drive(2), *again]))
        assert len(source) == 4
        np.testing.assert_array_equal(source[3].rgb, RGB + 1)

    @given(
        st.lists(st.integers(0, 1000), min_size=1, max_size=12),
        st.lists(st.integers(0, 1000), min_size=1, max_size=12),
        st.integers(0, 60),
    )
    def test_law_nearest_of_all(self, images: list[int], depths: list[int], tolerance: int):
        def places(topic: str, stamps: list[int]) -> list[Place]:
            return [Place(topic, stamp, stamp, '') for stamp in stamps]

        pairs = paired(places('i', images), places('d', depths), tolerance)
        apart = [abs(pair.image.stamp_ns - pair.depth.stamp_ns) for pair in pairs]
        least = [min(abs(depth - stamp) for depth in depths) for stamp in images]
        assert apart == [each for each in least if each <= tolerance]

    def test_nothing_to_pair_with(self):
        assert paired([Place('i', 0, 0, '')], [], 5) == []
        assert paired([], [Place('d', 0, 0, '')], 5) == []
        only = Place('i', 3, 3, ''), Place('d', 5, 5, '')
        assert paired(only[:1], only[1:], 2) == [Pair(*only)]


class TestRepeatedStamps:
    """Drivers that leave stamps 0, and recordings that loop."""

    def test_without_stamps_the_receive_times_decide(self, tmp_path: Path):
        path = write_ros2(tmp_path / 'bag', [without_stamp(m) for m in depth_drive()])
        source = open_bag(path, depth_topic='/cam/depth', one_to_one=True)
        assert [source[i].target_m[1, 1] for i in range(3)] == [2, 3, 4]
        assert source[1].received_ns == START_NS + STEP_NS
        assert source.describe()['repeated_stamps'] == '3'

    def test_a_later_round_has_the_depth_of_its_own(self, tmp_path: Path):
        """The same stamps again, received ten seconds later, with other depth."""
        again = [
            RecordedMessage(m.topic, m.msgtype, m.cdr, START_NS + 100 * STEP_NS)
            for m in (image(0), image(0, np.full((12, 20), 9, np.float32), '32FC1', '/cam/depth'))
        ]
        path = write_ros2(tmp_path / 'bag', [*depth_drive(), *again])
        source = open_bag(path, depth_topic='/cam/depth')
        assert [source[i].target_m[1, 1] for i in range(4)] == [2, 3, 4, 9]
        assert source.describe()['repeated_stamps'] == '2'

    def test_classes_too(self, tmp_path: Path):
        ids = np.zeros((12, 20), np.uint8)
        classes = [image(i, ids + i, 'mono8', '/cam/classes') for i in range(3)]
        messages = sorted([*depth_drive(), *classes], key=lambda m: m.bag_time_ns)
        path = write_ros2(tmp_path / 'bag', [without_stamp(m) for m in messages])
        source = open_bag(path, depth_topic='/cam/depth', class_topic='/cam/classes')
        found = [source[i].classes for i in range(3)]
        assert [each and each.ids[0, 0] for each in found] == [0, 1, 2]

    def test_depth_files_beside_are_counted_as_received(self, tmp_path: Path):
        path = write_ros2(tmp_path / 'bag', [without_stamp(image(i)) for i in range(3)])
        (tmp_path / 'gt').mkdir()
        for number in range(3):
            stored = np.full((12, 20), 256 * (1 + number), np.uint16)
            cv2.imwrite(str(tmp_path / f'gt/{number}.png'), stored)
        source = open_bag(path, gt_dir=tmp_path / 'gt')
        assert [source[i].target_m[0, 0] for i in range(3)] == [1, 2, 3]

    def test_nothing_is_said_where_each_has_its_own(self, tmp_path: Path):
        """Nor of how far apart stamps are: caches of training are found by their description."""
        source = open_bag(write_ros2(tmp_path / 'bag', lidar_drive()))
        assert not {'repeated_stamps', 'stamp_gap_max_s'} & source.describe().keys()


class TestOneToOne:
    """In an evaluation a depth is the truth of one image, its nearest."""

    def bag(self, tmp_path: Path) -> Path:
        """Give images every 100 ms, depth only 30 ms after the second."""
        images = [image(i) for i in range(3)]
        messages = [lidar_drive()[0], info(0), *images, cloud(1, 0.03)]
        return write_ros2(tmp_path / 'bag', sorted(messages, key=lambda m: m.bag_time_ns))

    def test_a_depth_serves_its_nearest_image(self, tmp_path: Path):
        source = open_bag(self.bag(tmp_path), sync_tolerance_s=0.2, one_to_one=True)
        assert (len(source), source.n_matched, source.n_missed) == (1, 1, 2)
        assert source[0].stamp_ns == START_NS + STEP_NS
        assert source.describe()['stamp_gap_max_s'] == '0.03'

    def test_in_training_several(self, tmp_path: Path):
        assert len(open_bag(self.bag(tmp_path), sync_tolerance_s=0.2)) == 3


class TestTopics:
    def test_an_unknown_topic_is_named(self, tmp_path: Path):
        path = write_ros2(tmp_path / 'bag', lidar_drive())
        with pytest.raises(TopicError, match=r"no topic '/nothing' in .*'/cam/image'"):
            open_bag(path, image_topic='/nothing')

    def test_a_topic_of_another_type_is_refused(self, tmp_path: Path):
        path = write_ros2(tmp_path / 'bag', lidar_drive())
        with pytest.raises(TopicError, match=r"'/points' .*should be sensor_msgs/msg/Image, is"):
            open_bag(path, depth_topic='/points')

    def test_two_cameras_must_be_named(self, tmp_path: Path):
        messages = [*lidar_drive(), image(0, topic='/right/image')]
        path = write_ros2(tmp_path / 'bag', messages)
        with pytest.raises(TopicError, match=r'2 topics that could be the camera.*image_topic'):
            open_bag(path)
        assert len(open_bag(path, image_topic='/cam/image')) == 3

    def test_neither_lidar_nor_depth(self, tmp_path: Path):
        path = write_ros2(tmp_path / 'bag', [image(0)])
        with pytest.raises(TopicError, match=r'0 topics that could be depth \(and no LiDAR\).*'):
            open_bag(path)

    def test_without_a_lidar_the_only_depth_images_are_used(self, tmp_path: Path):
        source = open_bag(write_ros2(tmp_path / 'bag', depth_drive()))
        assert (source.topics.depth, source.topics.is_lidar) == ('/cam/depth', False)

    def test_two_lidars_must_be_named(self, tmp_path: Path):
        other = cloud(0)
        rear = RecordedMessage('/rear', other.msgtype, other.cdr, other.bag_time_ns)
        path = write_ros2(tmp_path / 'bag', [*lidar_drive(), rear])
        with pytest.raises(TopicError, match=r'2 topics that could be the LiDAR.*lidar_topic'):
            open_bag(path)
        assert len(open_bag(path, lidar_topic='/points')) == 3

    def test_one_topic_cannot_be_both(self, tmp_path: Path):
        path = write_ros2(tmp_path / 'bag', depth_drive())
        with pytest.raises(TopicError, match="'/cam/image' cannot be both"):
            open_bag(path, image_topic='/cam/image', depth_topic='/cam/image')

    @pytest.mark.parametrize('wrong', [
        {'sync_tolerance_s': -1.0}, {'sync_tolerance_s': float('nan')},
    ])
    def test_numbers_out_of_range(self, tmp_path: Path, wrong: dict[str, Any]):
        with pytest.raises(ConfigError, match=r'sync_tolerance_s.*got (-1|nan)'):
            open_bag(tmp_path / 'any.mcap', **wrong)

    def test_a_missing_recording_is_named(self, tmp_path: Path):
        with pytest.raises(RecordingError, match='nowhere'):
            open_bag(tmp_path / 'nowhere.mcap')


class TestDepthFilesBeside:
    """KITTI's annotated PNGs: value / 256 = metres, number = number of the image."""

    def write(self, folder: Path, numbers: Iterable[int]) -> Path:
        folder.mkdir(parents=True)
        for number in numbers:
            stored = np.full((12, 20), 256 * (10 + number) + 64, np.uint16)
            stored[0] = 0
            cv2.imwrite(str(folder / f'{number:010}.png'), stored)
        return folder

    def bag(self, tmp_path: Path, n_frames: int = 4) -> Path:
        return write_ros2(tmp_path / 'bag', [image(i, RGB + i) for i in range(n_frames)])

    def test_the_number_of_the_image_names_its_file(self, tmp_path: Path):
        gt_dir = self.write(tmp_path / 'gt', [1, 3])
        source = open_bag(self.bag(tmp_path), gt_dir=gt_dir)
        assert (source.gt_kind, source.n_matched, source.n_missed) == ('annotated', 2, 2)
        for index, number in enumerate([1, 3]):
            sample = source[index]
            np.testing.assert_array_equal(sample.rgb, RGB + number)
            np.testing.assert_array_equal(sample.target_m[1:], np.float32(10.25 + number))
            assert not sample.target_m[0].any()

    def test_counted_from_the_first_one(self, tmp_path: Path):
        gt_dir = self.write(tmp_path / 'gt', [5, 6])
        source = open_bag(self.bag(tmp_path), gt_dir=gt_dir, gt_first=5)
        assert [source[i].target_m[1, 0] for i in range(2)] == [15.25, 16.25]
        np.testing.assert_array_equal(source[1].rgb, RGB + 1)
        assert source.describe()['gt_dir'].endswith('gt from 5')

    def test_below_the_folder_of_a_drive(self, tmp_path: Path):
        self.write(tmp_path / 'drive/proj_depth/groundtruth/image_02', [2])
        source = open_bag(self.bag(tmp_path), gt_dir=tmp_path / 'drive')
        assert len(source) == 1

    def test_by_capture_time_and_once_for_each_stamp(self, tmp_path: Path):
        """Received in another order, and a second time as the recording loops."""
        received = [image(1, RGB + 1), image(0), image(1, RGB + 1)]
        messages = [
            RecordedMessage(m.topic, m.msgtype, m.cdr, START_NS + n * STEP_NS)
            for n, m in enumerate(received)
        ]
        gt_dir = self.write(tmp_path / 'gt', [0, 1])
        source = open_bag(write_ros2(tmp_path / 'bag', messages), gt_dir=gt_dir)
        assert [source[i].target_m[1, 0] for i in range(3)] == [11.25, 10.25, 11.25]
        assert len(set(source.names)) == 3
        assert source[2].name == source.names[2]
        assert source.names[2] == f'{source.names[0]} (2)'

    def test_none_of_these_numbers(self, tmp_path: Path):
        gt_dir = self.write(tmp_path / 'gt', [7, 9])
        with pytest.raises(RecordingError, match=r'images 0 to 3, depth maps 7 to 9 .*gt_first'):
            open_bag(self.bag(tmp_path), gt_dir=gt_dir)

    def test_no_such_folder(self, tmp_path: Path):
        with pytest.raises(RecordingError, match='should hold annotated depth as <number>'):
            open_bag(self.bag(tmp_path), gt_dir=tmp_path / 'nowhere')

    def test_not_beside_another_depth(self, tmp_path: Path):
        with pytest.raises(ConfigError, match=r"'gt' and '/cam/depth': name one"):
            open_bag(self.bag(tmp_path), gt_dir=Path('gt'), depth_topic='/cam/depth')

    @pytest.mark.samples
    def test_real_annotated_depth_is_value_by_256(self, tmp_path: Path, samples: Path):
        folder = samples / 'kitti_depth'
        messages = [
            image(number, read_rgb(folder / 'rgb' / f'{number:010}.png'))
            for number in (5, 50, 100)
        ]
        path = write_ros2(tmp_path / 'bag', messages)
        (tmp_path / 'gt').mkdir()
        for place, number in enumerate((5, 50, 100)):
            stored = (folder / 'depth' / f'{number:010}.png').read_bytes()
            (tmp_path / 'gt' / f'{place:010}.png').write_bytes(stored)
        for place, sample in enumerate(open_bag(path, gt_dir=tmp_path / 'gt')):
            file = tmp_path / 'gt' / f'{place:010}.png'
            stored16 = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
            np.testing.assert_array_equal(sample.target_m, stored16 / np.float32(256))


class TestCalibrationBeside:
    """KITTI's calibration files stand for camera_info and tf that are missing or wrong."""

    CALIBRATION = KittiCalibration(CAMERA.matrix(), T_CAMERA_LIDAR)

    def test_without_camera_info_and_tf(self, tmp_path: Path):
        messages = [m for m in lidar_drive() if m.topic in ('/cam/image', '/points')]
        path = write_ros2(tmp_path / 'bag', messages)
        sample = open_bag(path, calibration=self.CALIBRATION)[0]
        assert sample.intrinsics == CAMERA
        assert np.argwhere(sample.target_m).tolist() == [[5, 5], [5, 15]]

    def test_it_wins_over_wrong_ones(self, tmp_path: Path):
        wrong = [static(np.eye(4), 'lidar', 'camera'), info(0, CAMERA.flipped())]
        path = write_ros2(tmp_path / 'bag', [*wrong, image(0), cloud(0)])
        source = open_bag(path, calibration=self.CALIBRATION)
        assert source[0].intrinsics == CAMERA
        assert np.argwhere(source[0].target_m).tolist() == [[5, 5], [5, 15]]
        assert 'T_cam2_velo' in source.describe()['calibration']

    @pytest.mark.samples
    def test_real_frames_are_projected_as_from_their_folder(self, tmp_path: Path, samples: Path):
        """To the pixel, as no rotation goes through a quaternion."""
        frame = find_kitti_frames(samples / 'kitti_object')[0]
        write_recording(kitti_messages([frame]), tmp_path / 'kitti.mcap')
        sample = open_bag(tmp_path / 'kitti.mcap', calibration=frame.calibration)[0]
        height, width = sample.rgb.shape[:2]
        intrinsics, T = frame.calibration.intrinsics(width, height), frame.calibration.T_cam2_velo
        assert frame.scan_path is not None
        scan = read_kitti_scan(frame.scan_path)
        wanted = sparse_depth(scan, projection_matrix(intrinsics, T), Size(height, width))
        np.testing.assert_array_equal(sample.target_m, wanted)

    def test_a_matrix_given_wins_over_its_extrinsics(self, tmp_path: Path):
        path = write_ros2(tmp_path / 'bag', lidar_drive())
        lower = T_CAMERA_LIDAR.copy()
        lower[1, 3] += 0.1  # one pixel at 10 m
        source = open_bag(path, calibration=self.CALIBRATION, T_camera_lidar=lower)
        assert np.argwhere(source[0].target_m)[-1, 0] == 6


class TestLidarPoints:
    def test_other_conventions_are_passed_on(self, tmp_path: Path):
        """monodepth2's: the LiDAR's forward coordinate, one pixel up and left."""
        path = write_ros2(tmp_path / 'bag', lidar_drive())
        T = T_CAMERA_LIDAR.copy()
        T[2, 3] = 2.0  # so that z is 2 m more than the LiDAR's x
        source = open_bag(path, T_camera_lidar=T, lidar_value='forward', lidar_pixel='minus-one')
        usual = open_bag(path, T_camera_lidar=T)
        rows, columns = np.nonzero(usual[0].target_m)
        np.testing.assert_array_equal(
            source[0].target_m[rows - 1, columns - 1], usual[0].target_m[rows, columns] - 2
        )
        chosen = source.describe()
        assert (chosen['lidar_value'], chosen['lidar_pixel']) == ('forward', 'minus-one')
        assert 'lidar_value' not in usual.describe()


class TestClassImages:
    IDS = np.arange(240, dtype=np.uint8).reshape(12, 20) % 5

    def test_they_are_paired_as_depth_is(self, tmp_path: Path):
        classes = [image(i, self.IDS + i, 'mono8', '/cam/classes') for i in (0, 2)]
        path = write_ros2(tmp_path / 'bag', [*lidar_drive(), *classes])
        source = open_bag(path, class_topic='/cam/classes')
        found = [source[i].classes for i in range(3)]
        assert found[1] is None
        for index in (0, 2):
            each = found[index]
            assert each is not None
            np.testing.assert_array_equal(each.ids, self.IDS + index)
            assert each.names[3] == 'class 3'

    def test_the_camera_is_not_taken_for_them(self, tmp_path: Path):
        """A grey camera beside class images, both mono8."""
        grey = [image(i, RGB[..., 0], 'mono8') for i in range(3)]
        classes = image(0, self.IDS, 'mono8', '/cam/classes')
        others = [m for m in lidar_drive() if m.topic != '/cam/image']
        path = write_ros2(tmp_path / 'bag', [*others, *grey, classes])
        assert open_bag(path, class_topic='/cam/classes').topics.image == '/cam/image'

    @pytest.mark.parametrize(('pixels', 'encoding', 'wanted'), [
        (IDS[:6, :10].copy(), 'mono8', 'has 20x12 pixels, its class ids 10x6'),
        (IDS.astype(np.uint16), '16UC1', "need an encoding of .*got '16UC1'"),
    ])
    def test_what_does_not_fit(self, tmp_path: Path, pixels: Any, encoding: str, wanted: str):
        classes = image(0, pixels, encoding, '/cam/classes')
        path = write_ros2(tmp_path / 'bag', [*lidar_drive(), classes])
        with pytest.raises(DataError, match=wanted):
            open_bag(path, class_topic='/cam/classes')[0]


class TestWithoutCameraImages:
    """Another node's depth can be scored where only depth was recorded."""

    def bag(self, tmp_path: Path) -> Path:
        true = [image(i, np.full((12, 20), 5.0 + i, np.float32), '32FC1', '/gt') for i in (0, 1)]
        rival = [image(i, np.full((6, 10), 4.0, np.float32), '32FC1', '/rival') for i in (0, 1)]
        return write_ros2(tmp_path / 'bag', [*true, *rival])

    def test_depth_stands_for_them_in_colours(self, tmp_path: Path):
        source = open_bag(self.bag(tmp_path), depth_topic='/gt', images_needed=False)
        sample = source[1]
        wanted = colorize(sample.target_m, near_m=0.5, far_m=80)
        np.testing.assert_array_equal(sample.rgb, wanted)
        assert (sample.target_m == 6).all()

    def test_named_as_the_image(self, tmp_path: Path):
        source = open_bag(
            self.bag(tmp_path), image_topic='/gt', depth_topic='/gt', images_needed=False
        )
        assert source[0].rgb.shape == (12, 20, 3)

    def test_another_depth_beside_a_lidar_is_no_picture_either(self, tmp_path: Path):
        """The only image there is may be the depth that is scored."""
        others = [m for m in lidar_drive() if m.topic != '/cam/image']
        rival = image(0, np.full((12, 20), 4.0, np.float32), '32FC1', '/cam/depth')
        path = write_ros2(tmp_path / 'bag', [*others, rival])
        with pytest.raises(TopicError, match='0 topics that could be the camera'):
            open_bag(path)
        assert open_bag(path, images_needed=False)[0].rgb.shape == (12, 20, 3)

    def test_what_is_scored_is_not_taken_for_the_camera(self, tmp_path: Path):
        """Even if it is no depth, which is said when it is looked at."""
        pictures = [image(i, topic='/rival/view') for i in range(3)]
        path = write_ros2(tmp_path / 'bag', [*depth_drive(), *pictures])
        with pytest.raises(TopicError, match='2 topics that could be the camera'):
            open_bag(path, depth_topic='/cam/depth')
        source = open_bag(path, depth_topic='/cam/depth', pred_topics=['/rival/view'])
        assert source.topics.image == '/cam/image'
        only = open_bag(path, image_topic='/rival/view', pred_topics=['/rival/view'])
        assert only.topics.image == '/rival/view'

    def test_training_refuses_them(self, tmp_path: Path):
        with pytest.raises(TopicError, match='0 topics that could be the camera'):
            open_bag(self.bag(tmp_path), depth_topic='/gt')


class TestDamage:
    def test_an_image_that_does_not_decode_is_named_and_others_read(self, tmp_path: Path):
        messages = lidar_drive()
        broken: Any = image_message(RGB, 'rgb8', stamp_ns=START_NS, frame_id='camera')
        broken.data = broken.data[:50]
        messages[2] = recorded('/cam/image', broken, START_NS)
        source = open_bag(write_ros2(tmp_path / 'bag', messages))
        with pytest.raises(DataError, match=r'/cam/image at 1600000000\.123.*truncated'):
            source[0]
        assert source[1].target_m.any()

    def test_a_message_that_ends_in_its_header(self):
        cut = RecordedMessage('/cam/image', 'sensor_msgs/msg/Image', image(0).cdr[:18], 0)
        with pytest.raises(RecordingError, match='ends within its header'):
            place_of(cut)


def read_in_worker(source: Source, answers: Any) -> None:
    """Read all frames in another process."""
    answers.put([int(source[index].rgb.astype(int).sum()) for index in (2, 0, 1)])


@pytest.mark.parametrize('method', ['fork', 'spawn'])
@pytest.mark.filterwarnings('ignore:.*multi-threaded.*:DeprecationWarning')
def test_workers_read_for_themselves(tmp_path: Path, method: str):
    """Open in the parent, and then read in children."""
    source = open_bag(write_ros2(tmp_path / 'bag', lidar_drive()))
    wanted = [int(source[i].rgb.astype(int).sum()) for i in range(3)]
    context: Any = multiprocessing.get_context(method)
    answers = context.Queue()
    child = context.Process(target=read_in_worker, args=(source, answers))
    child.start()
    assert answers.get(timeout=60) == [wanted[index] for index in (2, 0, 1)]
    child.join()
    assert int(source[0].rgb.astype(int).sum()) == wanted[0]


def test_it_can_be_pickled(tmp_path: Path):
    source = open_bag(write_ros2(tmp_path / 'bag', lidar_drive()))
    first = source[0]
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again[0].target_m, first.target_m)
    assert again.describe() == source.describe()


class TestOurOwnRecordings:
    def test_synthetic_depth_is_exact(self, tmp_path: Path):
        path = tmp_path / 'synth.mcap'
        write_recording(drive_messages(Drive(4, width=64, height=32).frames(3)), path)
        source = open_bag(path, depth_topic=topics.TRUE_DEPTH)
        assert source.topics.image == topics.IMAGE  # not depth, not class ids
        frame = Drive(4, width=64, height=32).frame(2)
        sample = source[2]
        np.testing.assert_array_equal(sample.rgb, frame.rgb)
        known = np.isfinite(frame.depth_m)
        np.testing.assert_array_equal(sample.target_m[known], frame.depth_m[known])
        assert not sample.target_m[~known].any()
        assert sample.intrinsics == frame.intrinsics

    def test_a_frame_with_classes_can_be_sent_to_another_process(self, tmp_path: Path):
        path = tmp_path / 'synth.mcap'
        write_recording(drive_messages(Drive(4, width=64, height=32).frames(1)), path)
        sample = open_bag(path, topics='auto')[0]
        assert pickle.loads(pickle.dumps(sample)).classes.names == CLASS_NAMES

    def test_synthetic_classes_and_poses_are_exact(self, tmp_path: Path):
        path = tmp_path / 'synth.mcap'
        write_recording(drive_messages(Drive(4, width=64, height=32).frames(3)), path)
        source = open_bag(path, topics='auto')
        for index in range(3):
            frame, sample = Drive(4, width=64, height=32).frame(index), source[index]
            assert sample.classes is not None
            np.testing.assert_array_equal(sample.classes.ids, frame.class_ids)
            assert sample.classes.names == CLASS_NAMES
            assert sample.T_world_camera is not None
            np.testing.assert_allclose(sample.T_world_camera, frame.T_world_cam, atol=1e-9)
            assert (sample.stamp_ns, sample.recording) == (frame.stamp_ns, 'synth.mcap')

    def test_a_fixed_frame_that_is_not_there(self, tmp_path: Path):
        path = tmp_path / 'synth.mcap'
        write_recording(drive_messages(Drive(4, width=64, height=32).frames(1)), path)
        with pytest.raises(CalibrationError, match=r"synth\.mcap': fixed_frame 'map' is not on"):
            open_bag(path, fixed_frame='map')

    def test_synthetic_lidar(self, tmp_path: Path):
        path = tmp_path / 'synth.mcap'
        write_recording(drive_messages(Drive(4, width=64, height=32).frames(2)), path)
        source = open_bag(path)
        frame = Drive(4, width=64, height=32).frame(1)
        projection = projection_matrix(frame.intrinsics, frame.T_cam_lidar)
        wanted = sparse_depth(frame.lidar_points, projection, Size(32, 64))
        np.testing.assert_allclose(source[1].target_m, wanted, rtol=1e-4, atol=1e-3)

    @pytest.mark.samples
    def test_kitti(self, tmp_path: Path, samples: Path):
        frames = find_kitti_frames(samples / 'kitti_object')
        path = tmp_path / 'kitti.mcap'
        write_recording(kitti_messages(frames), path)
        source = open_bag(path)
        assert (len(source), source.n_missed) == (4, 0)
        for frame, sample in zip(frames, (source[i] for i in range(4)), strict=True):
            rgb = read_rgb(frame.image_path)
            np.testing.assert_array_equal(sample.rgb, rgb)
            height, width = rgb.shape[:2]
            intrinsics = frame.calibration.intrinsics(width, height)
            assert sample.intrinsics == intrinsics
            assert frame.scan_path is not None
            wanted = sparse_depth(
                read_kitti_scan(frame.scan_path),
                projection_matrix(intrinsics, frame.calibration.T_cam2_velo),
                Size(height, width),
            )
            # The rotation went through a quaternion: a few points fall on a neighbour.
            same = np.isclose(sample.target_m, wanted, rtol=1e-3)
            assert same.mean() > 0.998
            assert 0.03 < (sample.target_m > 0).mean() < 0.06


class TestPieces:
    @pytest.mark.parametrize('frame_id', ['', 'a', 'camera', 'ä' * 9])
    def test_headers_are_read_without_the_rest(self, frame_id: str):
        message = image_message(RGB, 'rgb8', stamp_ns=123_000_000_456, frame_id=frame_id)
        place = place_of(recorded('/i', message, 0))
        assert place == Place('/i', 0, 123_000_000_456, frame_id)

    def test_history(self):
        history: History[str] = History()
        for time_ns, value in ((10, 'a'), (20, 'b'), (25, 'b'), (15, 'c')):
            history.add(time_ns, value)
        assert [history.at(t) for t in (0, 10, 19, 20, 30)] == ['a', 'a', 'a', 'c', 'c']
        assert len(history.values) == 3
        assert [history.since(t) for t in (0, 20)] == [['a', 'b', 'c'], ['c']]

    def test_transforms_chain_both_ways(self):
        dice = np.random.default_rng(1)
        poses = []
        for _ in range(2):
            rotation = np.linalg.qr(dice.normal(size=(3, 3)))[0]
            T = np.eye(4)
            T[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
            T[:3, 3] = dice.normal(size=3)
            poses.append(T)
        tree = TransformTree()
        for T, parent, child in zip(poses, 'ab', 'bc', strict=True):
            tree = tree.with_message(tf_message(T, parent=parent, child=child, stamp_ns=0))
        np.testing.assert_allclose(tree.transform('a', 'c'), poses[0] @ poses[1], atol=1e-12)
        np.testing.assert_allclose(
            tree.transform('c', 'a') @ tree.transform('a', 'c'), np.eye(4), atol=1e-12
        )
        np.testing.assert_array_equal(tree.transform('x', 'x'), np.eye(4))
        same = tf_message(tree.steps['a', 'b'], parent='a', child='b', stamp_ns=9)
        np.testing.assert_allclose(
            tree.with_message(same).transform('a', 'b'), tree.transform('a', 'b'), atol=1e-12
        )
