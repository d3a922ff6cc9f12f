# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings whose sensors have clocks of their own: said, and paired by receipt when asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import struct

from bag_drives import image, info, lidar_drive, RGB
from bag_files import START_NS, STEP_NS, write_ros2
from clip_depth_ros.bags.clocks import note_on_clocks, why_unpaired
from clip_depth_ros.bags.messages import tf_message
from clip_depth_ros.bags.places import Pair, paired, Place
from clip_depth_ros.bags.poses import PoseTree
from clip_depth_ros.bags.writer import recorded
from clip_depth_ros.cli.main import main
from clip_depth_ros.errors import DataError, RecordingError
from clip_depth_ros.evaluation.results.result import read_result
from clip_depth_ros.evaluation.run.recorded_depth import RecordedDepth
from clip_depth_ros.types import RecordedMessage
import cv2
import numpy as np
from open_sources import open_bag
import pytest

S = 10**9
BOOT_NS = 4_280_910_000_000 - START_NS
"""From the time of day to that of a LiDAR that counts from its start."""


def shifted(messages: Sequence[RecordedMessage], topic: str, by_ns: int) -> list[RecordedMessage]:
    """Give a recording in which the stamps of a topic are of another clock."""
    moved = []
    for m in messages:
        if m.topic == topic:
            seconds, nanoseconds = struct.unpack_from('<iI', m.cdr, 4)
            stamp = divmod(seconds * S + nanoseconds + by_ns, S)
            cdr = m.cdr[:4] + struct.pack('<iI', *stamp) + m.cdr[12:]
            m = RecordedMessage(m.topic, m.msgtype, cdr, m.bag_time_ns)
        moved.append(m)
    return moved


def places(topic: str, *times_s: float, ahead_s: float = 0) -> list[Place]:
    """Give messages received at these times, their stamps ahead by so much."""
    return [Place(topic, round(t * S), round((t + ahead_s) * S), '') for t in times_s]


def annotated(folder: Path, n_files: int) -> Path:
    """Give a folder of annotated depth: 1 m, 2 m and so on."""
    folder.mkdir()
    for number in range(n_files):
        stored = np.full((12, 20), (number + 1) * 256, np.uint16)
        assert cv2.imwrite(str(folder / f'{number}.png'), stored)
    return folder


class TestRecordings:
    @pytest.mark.parametrize('by_ns', [BOOT_NS, -7200 * S, 37 * S, -START_NS])
    @pytest.mark.parametrize('topic', ['/points', '/cam/image'])
    def test_the_remedy_is_named_and_helps(self, tmp_path: Path, topic: str, by_ns: int):
        """Since boot, another time zone, TAI, stamps near 0: of the LiDAR or of the camera."""
        path = write_ros2(tmp_path / 'bag', shifted(lidar_drive(4), topic, by_ns))
        with pytest.raises(RecordingError, match=r'--pair-by receive: 4 of 4 images') as error:
            open_bag(path)
        assert 'raise it' not in str(error.value)

        source = open_bag(path, pair_by='receive')
        assert [int(source[i].rgb[0, 0, 0]) for i in range(4)] == [
            int((RGB + i)[0, 0, 0]) for i in range(4)
        ]
        assert source[1].target_m[5, [5, 15]].tolist() == [10, 20]
        assert source.describe()['pair_by'] == 'receive'

    def test_frames_keep_the_stamps_of_their_headers(self, tmp_path: Path):
        """Files of predictions are named by them."""
        path = write_ros2(tmp_path / 'bag', shifted(lidar_drive(2), '/cam/image', BOOT_NS))
        sample = open_bag(path, pair_by='receive')[1]
        assert sample.stamp_ns == START_NS + STEP_NS + BOOT_NS
        assert sample.received_ns == START_NS + STEP_NS
        assert sample.name.endswith('at 4281.010000000 s')

    def test_by_receipt_the_tolerance_holds_too(self, tmp_path: Path):
        late = [
            RecordedMessage(m.topic, m.msgtype, m.cdr, m.bag_time_ns + S // 5)
            if m.topic == '/points' else m
            for m in shifted(lidar_drive(1), '/points', BOOT_NS)
        ]
        path = write_ros2(tmp_path / 'bag', late)
        with pytest.raises(RecordingError, match=r'by receive time \(the nearest are 0\.200 s'):
            open_bag(path, pair_by='receive')
        with pytest.raises(RecordingError, match=r'0 of 1 images then .* are 0\.200 s apart\)'):
            open_bag(path)
        assert len(open_bag(path, pair_by='receive', sync_tolerance_s=0.2)) == 1

    def test_the_camera_that_was_in_force_counts(self, tmp_path: Path):
        """Intrinsics change with the second image, by the recorder's clock."""
        matrix = [200.0, 0, 10, 0, 200, 5, 0, 0, 1]
        zoomed = info(1, p=np.insert(matrix, [3, 6, 9], 0.0))
        messages = [*lidar_drive(2), zoomed]
        path = write_ros2(
            tmp_path / 'bag',
            shifted(sorted(messages, key=lambda m: m.bag_time_ns), '/cam/image', BOOT_NS),
        )
        source = open_bag(path, pair_by='receive')
        assert [source[i].intrinsics.fx for i in range(2)] == [100.0, 200.0]

    def test_annotated_files_are_counted_by_receipt(self, tmp_path: Path):
        """The second image has an earlier stamp: a camera that was started again."""
        second = shifted([image(1)], '/cam/image', -3 * S)
        path = write_ros2(tmp_path / 'bag', [image(0), *second])
        gt = annotated(tmp_path / 'gt', 2)
        by_stamp = open_bag(path, gt_dir=str(gt))
        by_receipt = open_bag(path, gt_dir=str(gt), pair_by='receive')
        assert [by_stamp[i].target_m[0, 0] for i in range(2)] == [2, 1]
        assert [by_receipt[i].target_m[0, 0] for i in range(2)] == [1, 2]


class TestTransforms:
    def test_what_moves_counts_by_receipt_too(self):
        """The LiDAR's or the camera's clock says nothing of when a transform held."""
        poses = PoseTree('receive')
        for index in range(2):
            T = np.eye(4)
            T[0, 3] = index
            message = tf_message(T, parent='odom', child='camera', stamp_ns=index)
            poses.add(message, START_NS + index * STEP_NS, is_static=False)
        halfway = Place('/image', START_NS + STEP_NS // 2, 7, 'camera', 'receive')
        pose = poses.pose(halfway)
        assert pose is not None
        assert pose[0, 3] == pytest.approx(0.5)

    def test_frames_have_their_poses(self, tmp_path: Path):
        poses = []
        for index in range(2):
            T = np.eye(4)
            T[0, 3] = index
            message = tf_message(T, parent='odom', child='camera', stamp_ns=5)
            poses.append(recorded('/tf', message, START_NS + index * STEP_NS))
        messages = [*shifted(lidar_drive(2), '/points', BOOT_NS), *poses]
        path = write_ros2(tmp_path / 'bag', sorted(messages, key=lambda m: m.bag_time_ns))
        source = open_bag(path, pair_by='receive')
        assert [source[i].T_world_camera[0, 3] for i in range(2)] == [0, 1]


class TestAnswers:
    def test_depth_of_another_clock_is_found_by_receipt(self, tmp_path: Path):
        answers = [
            image(i, np.full((12, 20), 2.0 + i, np.float32), '32FC1', '/rival') for i in range(3)
        ]
        path = write_ros2(tmp_path / 'bag', [
            m for i in range(3) for m in (image(i), shifted(answers, '/rival', BOOT_NS)[i])
        ])
        source = open_bag(path, gt_dir=str(annotated(tmp_path / 'gt', 3)))
        by_stamp = RecordedDepth({'bag': path}, '/rival', 0.01)
        with pytest.raises(DataError, match=r'of another clock .* --pair-by receive pairs them'):
            by_stamp.depth_of(source[1])
        by_receipt = RecordedDepth({'bag': path}, '/rival', 0.01, pair_by='receive')
        assert [by_receipt.depth_of(source[i]).depth_m[0, 0] for i in range(3)] == [2, 3, 4]
        assert by_receipt.describe()['pair_by'] == 'receive'

    def test_the_flag_reaches_truth_and_answers(self, tmp_path: Path, capsys):
        """As a user does: no images pair by their stamps, all do by receipt."""
        depth = np.full((12, 20), 2, np.float32)
        messages = shifted([
            m for i in range(2) for m in (
                image(i), *(image(i, depth, '32FC1', topic) for topic in ('/depth', '/rival'))
            )
        ], '/cam/image', BOOT_NS)
        path = write_ros2(tmp_path / 'bag', messages)
        words = [
            'evaluate', str(path), '--pred-topic', '/rival', '--predict', 'topic', '--n-workers',
            '1', '--out', str(tmp_path / 'out'),
        ]
        assert main(words) == 1
        assert '--pair-by receive: 2 of 2 images then have depth' in capsys.readouterr().err
        assert main([*words, '--pair-by', 'receive']) == 0
        result = read_result(tmp_path / 'out/result.json').predictors['/rival']
        assert (result.n_frames, result.estimates['none/abs_rel'].mean) == (2, 0)

    def test_depth_that_is_only_late_is_no_matter_of_clocks(self, tmp_path: Path):
        path = write_ros2(tmp_path / 'bag', [
            image(0), image(1, np.ones((12, 20), np.float32), '32FC1', '/rival'),
        ])
        source = open_bag(path, gt_dir=str(annotated(tmp_path / 'gt', 1)))
        with pytest.raises(DataError, match=r'the nearest is 0\.100 s away$'):
            RecordedDepth({'bag': path}, '/rival', 0.01).depth_of(source[0])


class TestWords:
    def test_one_clock_and_too_far_apart(self):
        why = why_unpaired(places('i', 0, 1), places('d', 0.2, 1.3), 0.05)
        assert why == (
            'none within sync_tolerance_s=0.05 of each other by header stamp (the nearest are '
            '0.200 s apart): raise it, or correct the clocks'
        )

    def test_not_taken_at_one_time(self):
        """No tolerance is as large, and no clock is to blame."""
        why = why_unpaired(places('i', 0, 1), places('d', 9000), 3600)
        assert why.endswith('8999.000 s apart): they were not taken at one time, or a clock was '
                            'wrong: correct the stamps')

    def test_a_slow_message_is_no_other_clock(self):
        images = places('i', 0, 1)
        late = places('d', 3, 4, ahead_s=-2.9)
        assert 'raise it' in why_unpaired(images, late, 0.05)

    @pytest.mark.parametrize(('late_s', 'is_noted'), [(0.2, False), (4.9, False), (37, True)])
    def test_stamps_that_agree_by_chance(self, late_s: float, is_noted: bool):
        """GPS is 18 s and TAI 37 s ahead: in a long recording each image finds some depth."""
        images, depths = places('i', *range(99)), places('d', *range(99), ahead_s=late_s)
        pairs = paired(images, depths, S // 2)
        note = note_on_clocks(pairs)
        assert bool(note) is is_noted
        assert not is_noted or 'were received 37 s apart' in note

    def test_files_have_no_clock(self):
        assert note_on_clocks([Pair(places('i', 0)[0], Path('0.png'))]) == ''
        assert note_on_clocks([]) == ''
