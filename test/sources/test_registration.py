# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth images of another frame than the pictures: registered where that is known, else said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bag_drives import RGB
from bag_files import START_NS, write_ros2
from clip_depth_ros.bags.messages import camera_info_message, image_message, tf_message
from clip_depth_ros.bags.writer import recorded
from clip_depth_ros.core.camera import Calibration
from clip_depth_ros.sources.truth import registered
from clip_depth_ros.types import Intrinsics, RecordedMessage
import numpy as np
from numpy.typing import NDArray
from open_sources import open_bag
import pytest

COLOUR = Intrinsics(20.0, 20.0, 9.5, 5.5, 20, 12)
DEPTH = Intrinsics(15.0, 15.0, 9.5, 5.5, 20, 12)
OPTICAL = 'camera_color_optical_frame', 'camera_depth_optical_frame'
T_COLOUR_DEPTH = np.eye(4)
T_COLOUR_DEPTH[:3, 3] = -0.5, 0.1, 0.2


def plane(camera: Intrinsics, T_camera_colour: NDArray[np.float64]) -> NDArray[np.float32]:
    """Give how a camera sees the plane z = 4 + x / 4 of the colour camera's frame."""
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)])
    normal, offset = np.array([-0.25, 0, 1]), 4.0
    own_normal = T_camera_colour[:3, :3] @ normal
    own_offset = offset + own_normal @ T_camera_colour[:3, 3]
    return (own_offset / np.einsum('i,ihw->hw', own_normal, rays)).astype(np.float32)


SEEN = plane(DEPTH, np.linalg.inv(T_COLOUR_DEPTH))
WANTED = plane(COLOUR, np.eye(4))


def camera_of(intrinsics: Intrinsics) -> Any:
    """Give the camera that a camera_info makes."""
    info = camera_info_message(intrinsics, stamp_ns=0, frame_id='d')
    return Calibration.of(info).camera('auto', intrinsics.width, intrinsics.height)


class TestRegistered:
    def test_another_camera_sees_the_same_plane(self):
        found = registered(SEEN, camera_of(DEPTH), T_COLOUR_DEPTH, camera_of(COLOUR))
        known = found > 0
        assert known.mean() > 0.8
        # Half a pixel of the depth camera, on a plane of this slope.
        np.testing.assert_allclose(found[known], WANTED[known], rtol=0.02)

    def test_the_same_camera_sees_the_same_depth(self):
        depth_m = np.where(WANTED > 5, np.float32(np.nan), WANTED)
        depth_m[0, :3] = 0, np.inf, -np.inf
        found = registered(depth_m, camera_of(COLOUR), np.eye(4), camera_of(COLOUR))
        np.testing.assert_array_equal(found, np.where(np.isfinite(depth_m), depth_m, 0))

    @pytest.mark.parametrize('times', [1, 2, 3])
    def test_finer_pixels_leave_no_holes(self, times: int):
        fine = COLOUR.scaled_to(20 * times, 12 * times)
        found = registered(WANTED, camera_of(COLOUR), np.eye(4), camera_of(fine))
        assert (found > 0).all()
        np.testing.assert_array_equal(found[::times, ::times], WANTED)

    def test_what_is_nearer_hides_what_is_behind(self):
        """A post at 1 m, seen from 0.5 m to its side, before a wall at 9 m."""
        depth_m = np.full((12, 20), 9, np.float32)
        depth_m[:, 12] = 1
        beside = np.eye(4)
        beside[0, 3] = -0.5
        found = registered(depth_m, camera_of(COLOUR), beside, camera_of(COLOUR))
        assert (found[:, 2] == 1).all()  # 20 px * 0.5 m / 1 m to the left
        assert (found[:, 12] != 1).all()

    def test_no_depth_makes_no_point(self):
        """Zeros would stand at the depth camera itself, which may be in sight."""
        ahead = np.eye(4)
        ahead[2, 3] = 1.0
        for nothing in (0, np.nan, np.inf, -np.inf):
            depth_m = np.full((12, 20), nothing, np.float32)
            assert not registered(depth_m, camera_of(COLOUR), ahead, camera_of(COLOUR)).any()


def drive(
    *,
    depth: NDArray[np.float32] = SEEN,
    frames: tuple[str, str] = OPTICAL,
    topic: str = '/depth/image',
    tf: str = '/tf_static',
    infos: tuple[str, ...] = ('colour', 'depth'),
) -> list[RecordedMessage]:
    """Give one frame of two cameras, and what is known of them."""
    own, other = frames
    head = {'stamp_ns': START_NS, 'frame_id': own}
    their = {'stamp_ns': START_NS, 'frame_id': other}
    named: dict[str, Any] = {
        '/colour/image': image_message(RGB, 'rgb8', **head),
        topic: image_message(depth, '32FC1', **their),
    }
    if tf:
        named[tf] = tf_message(T_COLOUR_DEPTH, parent=own, child=other, stamp_ns=START_NS)
    if 'colour' in infos:
        named['/colour/camera_info'] = camera_info_message(COLOUR, **head)
    if 'depth' in infos:
        named[f'{topic.rpartition("/")[0]}/camera_info'] = camera_info_message(DEPTH, **their)
    return [recorded(name, message, START_NS) for name, message in named.items()]


def read(tmp_path: Path, messages: list[RecordedMessage], topic: str = '/depth/image') -> Any:
    """Give the frame of a recording."""
    return open_bag(write_ros2(tmp_path / 'bag', messages), depth_topic=topic)[0]


class TestRecordings:
    @pytest.mark.parametrize('tf', ['/tf_static', '/tf'])
    def test_depth_of_another_frame_is_registered_and_that_is_said(self, tmp_path: Path, tf: str):
        sample = read(tmp_path, drive(tf=tf))
        known = sample.target_m > 0
        np.testing.assert_allclose(sample.target_m[known], WANTED[known], rtol=0.02)
        assert [*sample.notes] == [
            "depth is of frame 'camera_depth_optical_frame', images are of "
            "'camera_color_optical_frame': registered by their transform and both camera_infos"
        ]
        assert sample.intrinsics == COLOUR

    def test_depth_of_another_size_is_registered_too(self, tmp_path: Path):
        small = DEPTH.scaled_to(10, 6)
        messages = drive(depth=plane(small, np.linalg.inv(T_COLOUR_DEPTH)), infos=('colour',))
        info = camera_info_message(small, stamp_ns=START_NS, frame_id=OPTICAL[1])
        sample = read(tmp_path, [*messages, recorded('/depth/camera_info', info, START_NS)])
        known = sample.target_m > 0
        np.testing.assert_allclose(sample.target_m[known], WANTED[known], rtol=0.04)

    @pytest.mark.parametrize(('missing', 'why'), [
        ({'tf': ''}, 'no transforms lead from one to the other'),
        ({'infos': ('colour',)}, "there is no camera_info for '/depth/image'"),
        ({'infos': ('depth',)}, 'the intrinsics of the images are not known'),
    ])
    def test_where_that_cannot_be_both_frames_are_named(self, tmp_path: Path, missing, why: str):
        sample = read(tmp_path, drive(**missing))
        np.testing.assert_array_equal(sample.target_m, SEEN)
        (note,) = sample.notes
        assert note.startswith(
            "depth is of frame 'camera_depth_optical_frame', images are of "
            f"'camera_color_optical_frame', and {why}: depth is taken pixel for pixel"
        )
        assert sample.intrinsics == (None if 'are not known' in why else COLOUR)

    def test_a_camera_info_that_does_not_fit_is_told(self, tmp_path: Path):
        messages = drive(depth=np.full((12, 20), 3, np.float32), infos=('colour',))
        info = camera_info_message(
            DEPTH.scaled_to(40, 24), stamp_ns=START_NS, frame_id=OPTICAL[1]
        )
        sample = read(tmp_path, [*messages, recorded('/depth/camera_info', info, START_NS)])
        assert (sample.target_m == 3).all()
        assert 'camera_info is for 40x24 images, got 20x12' in next(iter(sample.notes))

    def test_depth_cameras_are_known_by_their_frame(self, tmp_path: Path):
        """Both camera_infos lie in the root, with names of their own."""
        messages = drive(infos=())
        for name, frame, each in (('/a', OPTICAL[0], COLOUR), ('/b', OPTICAL[1], DEPTH)):
            info = camera_info_message(each, stamp_ns=START_NS, frame_id=frame)
            messages.append(recorded(name, info, START_NS))
        sample = read(tmp_path, messages)
        assert 'registered by their transform' in next(iter(sample.notes))
        assert sample.intrinsics == COLOUR

    @pytest.mark.parametrize(('frames', 'topic'), [
        (('camera', 'camera'), '/depth/image'),
        (('camera', '/camera'), '/depth/image'),  # as ROS 1 wrote it
        (('camera', ''), '/depth/image'),
        (OPTICAL, '/camera/aligned_depth_to_color/image_raw'),
        (OPTICAL, '/camera/depth_registered/image'),
        (OPTICAL, '/depth_to_rgb/image_raw'),
    ])
    def test_what_is_registered_already_is_trusted(self, tmp_path: Path, frames, topic: str):
        sample = read(tmp_path, drive(frames=frames, topic=topic), topic)
        np.testing.assert_array_equal(sample.target_m, SEEN)
        assert not sample.notes

    def test_a_name_that_says_the_contrary_is_not(self, tmp_path: Path):
        topic = '/depth_unregistered/image'
        assert read(tmp_path, drive(tf='', topic=topic), topic).notes
