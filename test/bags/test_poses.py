# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the camera was when an image was taken, from the transforms of a recording."""

from __future__ import annotations

import math
from typing import Any

from clip_depth_ros.bags.messages import tf_message
from clip_depth_ros.bags.places import Place
from clip_depth_ros.bags.poses import interpolated, PoseTree
from clip_depth_ros.errors import CalibrationError
from hypothesis import given, strategies as st
import numpy as np
import pytest

MS = 1_000_000


def moved(x: float, yaw: float = 0.0) -> Any:
    """Return a transform: forward by x metres, turned about z by yaw."""
    T = np.eye(4)
    T[:2, :2] = [[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]]
    T[0, 3] = x
    return T


def tree(*steps: tuple[str, str, int, Any], static: tuple[tuple[str, str, Any], ...] = ()):
    """Return a tree of (parent, child, milliseconds, transform), and static ones."""
    poses = PoseTree()
    for parent, child, T in static:
        message = tf_message(T, parent=parent, child=child, stamp_ns=0)
        poses.add(message, 0, is_static=True)
    for parent, child, time_ms, T in steps:
        stamp_ns = time_ms * MS
        message = tf_message(T, parent=parent, child=child, stamp_ns=stamp_ns)
        poses.add(message, stamp_ns + 3, is_static=False)
    return poses


def at(time_ms: float, frame_id: str = 'camera') -> Place:
    """Return an image of that time."""
    return Place('/image', round(time_ms * MS), round(time_ms * MS), frame_id)


DRIVE = tree(('odom', 'camera', 0, moved(0)), ('odom', 'camera', 100, moved(1, 1.0)))


class TestInterpolation:
    @pytest.mark.parametrize('time_ms', [0, 25, 50, 100])
    def test_constant_velocity(self, time_ms: int):
        """1 m and 1 rad in 100 ms: after a quarter of the time, a quarter of both."""
        share = time_ms / 100
        np.testing.assert_allclose(DRIVE.pose(at(time_ms)), moved(share, share), atol=1e-12)

    def test_halfway_between_two_rotations(self):
        """A quarter turn about z: halfway x points to (1, 1)."""
        half = interpolated(moved(0), moved(0, math.pi / 2), 0.5)
        np.testing.assert_allclose(half[:2, 0], [math.sqrt(0.5)] * 2, atol=1e-12)

    def test_the_shortest_way_round(self):
        """From -170 to 170 degrees the way is by 180, not by 0."""
        half = interpolated(moved(0, math.radians(-170)), moved(0, math.radians(170)), 0.5)
        np.testing.assert_allclose(half[:3, :3], moved(0, math.pi)[:3, :3], atol=1e-12)

    @given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0, 1))
    def test_law_ends_and_rigidity(self, yaw_a: float, yaw_b: float, share: float):
        T_a, T_b = moved(1, yaw_a), moved(-2, yaw_b)
        np.testing.assert_allclose(interpolated(T_a, T_b, 0), T_a, atol=1e-12)
        np.testing.assert_allclose(interpolated(T_a, T_b, 1), T_b, atol=1e-9)
        rotation = interpolated(T_a, T_b, share)[:3, :3]
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)

    def test_the_same_pose_twice(self):
        np.testing.assert_allclose(interpolated(moved(1, 2), moved(1, 2), 0.3), moved(1, 2))


class TestRepeatedStamps:
    """Where stamps are 0, or come again, receipt decides."""

    @pytest.mark.parametrize(('received_ms', 'x'), [(0, 0), (40, 0), (60, 1), (200, 2)])
    def test_the_one_received_nearest_counts(self, received_ms: int, x: float):
        poses = PoseTree()
        for number in (2, 0, 1):
            message = tf_message(moved(number), parent='odom', child='camera', stamp_ns=0)
            poses.add(message, number * 100 * MS, is_static=False)
        pose = poses.pose(Place('/image', received_ms * MS, 0, 'camera'))
        np.testing.assert_array_equal(pose, moved(x))

    def test_between_two_of_one_round(self):
        """Of those before and after the stamp, too."""
        poses = PoseTree()
        for lap, far in enumerate((0, 10)):
            for time_ms in (0, 100):
                T = moved(far + time_ms / 100)
                message = tf_message(T, parent='odom', child='camera', stamp_ns=time_ms * MS)
                poses.add(message, (1000 * lap + time_ms) * MS, is_static=False)
        for lap, x in enumerate((0.5, 10.5)):
            image = Place('/image', (1000 * lap + 50) * MS, 50 * MS, 'camera')
            np.testing.assert_allclose(poses.pose(image), moved(x), atol=1e-12)


class TestWhen:
    def test_neighbours_too_far_apart_are_not_interpolated(self):
        poses = tree(('odom', 'camera', 0, moved(0)), ('odom', 'camera', 300, moved(1)))
        assert poses.pose(at(50)) is None
        T = poses.pose(at(290), tolerance_ns=20 * MS)
        np.testing.assert_array_equal(T, moved(1))

    def test_before_and_after_all_of_them(self):
        assert DRIVE.pose(at(-1)) is None
        assert DRIVE.pose(at(101)) is None
        np.testing.assert_array_equal(DRIVE.pose(at(-1), tolerance_ns=MS), moved(0))

    def test_messages_in_any_order(self):
        steps = [('odom', 'camera', t, moved(t / 10)) for t in (30, 10, 20)]
        np.testing.assert_allclose(tree(*steps).pose(at(15)), moved(1.5))

    def test_what_is_no_transform_is_left_out(self):
        poses = tree(('odom', 'camera', 0, moved(0)), ('odom', 'camera', 20, moved(2)))
        bad: Any = tf_message(moved(9), parent='odom', child='camera', stamp_ns=10 * MS)
        bad.transforms[0].transform.rotation.w = 0.0
        poses.add(bad, 0, is_static=False)
        lost: Any = tf_message(moved(9), parent='odom', child='camera', stamp_ns=10 * MS)
        lost.transforms[0].transform.translation.x = math.nan
        poses.add(lost, 0, is_static=False)
        np.testing.assert_allclose(poses.pose(at(10)), moved(1))


class TestChains:
    def test_through_static_transforms(self):
        """From map by odom and base to the camera, which is 1 m ahead of the base."""
        poses = tree(
            ('map', 'odom', 0, moved(100)),
            ('odom', 'base', 0, moved(10)),
            static=(('base', '/camera', moved(1)),),
        )
        np.testing.assert_array_equal(poses.pose(at(0, '/camera')), moved(111))
        np.testing.assert_array_equal(poses.pose(at(0), fixed_frame='odom'), moved(11))

    def test_to_a_frame_of_another_branch(self):
        """What both have in common need not be known."""
        poses = tree(
            ('map', 'odom', 0, moved(7)),
            ('odom', 'camera', 500, moved(3)),
            static=(('odom', 'start', moved(1)),),
        )
        assert poses.pose(at(500)) is None
        np.testing.assert_allclose(poses.pose(at(500), fixed_frame='/start'), moved(2))

    def test_nothing_that_moves_is_not_known_to_be_still(self):
        poses = tree(('map', 'base', 0, moved(1)), static=(('lidar', 'camera', moved(1)),))
        assert poses.pose(at(0)) is None
        assert poses.pose(at(0), fixed_frame='lidar') is None

    def test_no_transforms_at_all(self):
        assert PoseTree().pose(at(0)) is None

    def test_a_fixed_frame_without_transforms_is_an_error(self):
        with pytest.raises(CalibrationError, match=r"'map' is not on .*no transforms at all"):
            PoseTree().pose(at(0), fixed_frame='map')

    def test_frames_of_different_trees(self):
        poses = tree(('map', 'base', 0, moved(1)), ('other', 'camera', 0, moved(1)))
        assert poses.pose(at(0), fixed_frame='map') is None

    def test_an_unknown_fixed_frame_is_an_error(self):
        wanted = r"fixed_frame 'mpa' is not on /tf or /tf_static; there are \['camera', 'odom'\]"
        with pytest.raises(CalibrationError, match=wanted):
            DRIVE.pose(at(0), fixed_frame='mpa')

    def test_a_static_transform_that_changes_holds_from_when_it_was_received(self):
        poses = tree(*(('odom', 'base', t, moved(0)) for t in (0, 100)))
        for time_ms, x in ((10, 1), (50, 2)):
            message = tf_message(moved(x), parent='base', child='camera', stamp_ns=0)
            poses.add(message, time_ms * MS, is_static=True)
        found = [poses.pose(at(t)) for t in (0, 49, 50)]
        assert [T[0, 3] for T in found if T is not None] == [1, 1, 2]

    def test_a_new_parent_counts_from_then_on(self):
        poses = tree(('map', 'camera', 0, moved(1)), ('odom', 'camera', 10, moved(2)))
        np.testing.assert_array_equal(poses.pose(at(10)), moved(2))
        assert poses.pose(at(0)) is None

    def test_a_loop_does_not_hang(self):
        poses = tree(('a', 'camera', 0, moved(1)), ('camera', 'a', 0, moved(1)))
        np.testing.assert_array_equal(poses.pose(at(0)), moved(1))
