# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras by seed: what may be drawn, what never is, and that the world is seen through them."""

from __future__ import annotations

from dataclasses import replace
import math

from clip_depth_ros.errors import ConfigError, DataError
from clip_depth_ros.sources.kinds.synthetic import WorldSource
from clip_depth_ros.world.drive import Drive
from clip_depth_ros.world.rendered_streets import render_streets, Streets
from clip_depth_ros.world.rig import CANONICAL_FOCAL_PX, is_corner, kitti_like, Rig, rig_of, SHAPES
import numpy as np
import pytest

SEEDS = range(400)


def test_kittis_camera_is_the_default_and_its_drive_has_not_moved():
    assert rig_of('kitti', 5, 320, 96) == Rig(kitti_like(320, 96))
    plain, rigged = Drive(3), Drive(3, rig=rig_of('kitti', 3, 320, 96))
    assert np.array_equal(plain.pose(9), rigged.pose(9))
    assert plain.intrinsics == rigged.intrinsics


@pytest.mark.parametrize('cameras', ['varied', 'corners'])
def test_cameras_by_seed_have_the_ranges_that_are_said(cameras):
    rigs = [rig_of(cameras, seed, 480, 320) for seed in SEEDS]
    assert rigs == [rig_of(cameras, seed, 480, 320) for seed in SEEDS]
    for rig in rigs:
        k = rig.intrinsics
        assert 44 < k.hfov_deg < 101
        assert 0.3 <= rig.height_m <= 2.2
        assert abs(rig.pitch_rad) <= math.radians(12)
        assert abs(rig.roll_rad) <= math.radians(3)
        assert min(abs(k.width / k.height / shape - 1) for shape in SHAPES) < 0.02
        assert k.fx == pytest.approx(k.fy, rel=0.01)
        assert abs(k.cx - (k.width - 1) / 2) <= 0.0401 * k.width
        assert k.width * k.height == pytest.approx(480 * 320, rel=0.01)
        assert not rig.on_sidewalk or rig.height_m < 1.2
    assert len({round(k.width / k.height, 1) for k in (rig.intrinsics for rig in rigs)}) == 7
    assert {rig.on_sidewalk for rig in rigs} == {True, False}


def test_corners_are_drawn_for_tests_alone():
    assert all(is_corner(rig_of('corners', seed, 480, 320)) for seed in SEEDS)
    assert not any(is_corner(rig_of('varied', seed, 480, 320)) for seed in SEEDS)
    for size in ((320, 96), (160, 96), (368, 272)):
        assert not any(is_corner(rig_of('windows', seed, *size)) for seed in SEEDS)


@pytest.mark.parametrize('size', [(320, 96), (160, 96), (208, 160), (368, 272)])
def test_windows_have_one_size_and_the_canonical_focal_length(size):
    rigs = [rig_of('windows', seed, *size) for seed in SEEDS]
    for rig in rigs:
        k = rig.intrinsics
        assert (k.width, k.height) == size
        assert k.fx == k.fy == CANONICAL_FOCAL_PX
    aside = np.array([math.degrees(rig.yaw_rad) for rig in rigs])
    assert 0.25 < (aside != 0).mean() < 0.45
    assert 15 < np.abs(aside).max() <= 25
    # Some are whole images, others parts: the principal point of these may be far off the middle.
    off = np.array([r.intrinsics.cx - (size[0] - 1) / 2 for r in rigs]) / size[0]
    assert (np.abs(off) <= 0.04).mean() > 0.35
    assert np.abs(off).max() > 0.08


@pytest.mark.parametrize('size', [(443, 64), (64, 443)])
def test_the_largest_windows_that_fit_any_camera_are_drawn(size):
    for seed in range(6):
        k = rig_of('windows', seed, *size).intrinsics
        assert (k.width, k.height) == size


@pytest.mark.parametrize('size', [(444, 64), (64, 444), (640, 480)])
def test_windows_larger_than_what_any_camera_sees_are_refused(size):
    """No camera has room for them: a draw would never end."""
    said = rf'at most 443 pixels wide and high, got {size[0]} x {size[1]}: choose a smaller size'
    for seed in range(6):
        with pytest.raises(ConfigError, match=said):
            rig_of('windows', seed, *size)


def test_a_longer_lens_keeps_the_image_and_its_place():
    rig = rig_of('kitti', 0, 320, 96)
    longer = rig.with_lens(2.0)
    assert longer.intrinsics == replace(
        rig.intrinsics, fx=2 * rig.intrinsics.fx, fy=2 * rig.intrinsics.fy
    )
    # What is in the middle of a lens twice as long fills the image: half of it in both axes.
    near, far = Drive(4, rig=rig).frame(7, lidar=False), Drive(4, rig=longer).frame(7, lidar=False)
    cx, cy = round(rig.intrinsics.cx), round(rig.intrinsics.cy)
    assert far.depth_m[cy, cx] == pytest.approx(near.depth_m[cy, cx], rel=0.05)


def test_depth_is_exact_behind_any_camera():
    """Points of the road, taken to the world, lie on the road."""
    rig = replace(rig_of('varied', 3, 320, 240), on_sidewalk=False)
    drive = Drive(3, rig=rig)
    frame = drive.frame(7, lidar=False)
    k, z = frame.intrinsics, frame.depth_m
    v, u = np.nonzero((frame.class_ids == 1) & (z < 30))
    points = np.stack([(u - k.cx) / k.fx, (v - k.cy) / k.fy, np.ones(len(u))]) * z[v, u]
    heights = (frame.T_world_cam[:3, :3] @ points)[2] + frame.T_world_cam[2, 3]
    assert len(heights) > 1000
    assert np.median(np.abs(heights)) < 1e-3


def test_a_camera_that_looks_aside_stands_where_it_stood():
    ahead = Drive(5, rig=rig_of('kitti', 5, 64, 48)).pose(9)
    aside = Drive(5, rig=replace(rig_of('kitti', 5, 64, 48), yaw_rad=0.3)).pose(9)
    assert np.array_equal(ahead[:3, 3], aside[:3, 3])
    assert aside[:3, 2] @ ahead[:3, 2] == pytest.approx(math.cos(0.3), abs=1e-3)
    assert np.cross(ahead[:3, 2], aside[:3, 2])[2] > 0  # to the left


def test_nothing_stands_in_the_way_on_the_sidewalk():
    drive = Drive(6, rig=Rig(kitti_like(64, 48), height_m=0.5, on_sidewalk=True))
    for index in range(0, 60, 12):
        drive.scene(index)
        x, y, z = drive.pose(index)[:3, 3]
        near = [t for block in drive._blocks.values() for t in block
                if math.hypot(t.x - x, t.y - y) < 0.6]
        assert drive._blocks
        assert not near
        assert z == pytest.approx(0.5 + 0.12, abs=0.05)


def test_frames_of_several_sizes_are_rendered_when_asked_for_and_not_kept(tmp_path):
    streets = Streets(0, 3, 1, 64, 48, cameras='varied')
    with pytest.raises(DataError, match='sizes of their own'):
        render_streets(streets, tmp_path / 'kept')
    source = WorldSource(streets)
    shapes = {source[index].rgb.shape for index in range(3)}
    assert len(shapes) > 1
    for index in range(3):
        sample = source[index]
        k = sample.intrinsics
        assert k is not None
        assert sample.rgb.shape[:2] == (k.height, k.width) == sample.target_m.shape
    assert source.describe()['cameras'] == 'varied'
