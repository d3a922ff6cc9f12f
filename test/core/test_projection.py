# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LiDAR points land on the pixels that show them, the nearest one wins."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.core.camera import pinhole_rays
from clip_depth_ros.core.clouds import CloudBuilder
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.projection import (
    dotted,
    is_near,
    on_truth,
    project,
    projection_matrix,
    sparse_depth,
)
from clip_depth_ros.errors import CalibrationError, DataError
from clip_depth_ros.sources.files import read_rgb
from clip_depth_ros.sources.kitti_calibration import read_object_calibration
from clip_depth_ros.sources.kitti_files import read_kitti_scan
from clip_depth_ros.types import Intrinsics
from clip_depth_ros.world.drive import Drive
from hypothesis import given, strategies as st
import numpy as np
import pytest

CAMERA = Intrinsics(100.0, 50.0, 20.0, 10.0, 40, 30)
SIZE = Size(30, 40)
P = projection_matrix(CAMERA, np.eye(4))


def test_worked_by_hand():
    """2 m to the right at 10 m: 100 * 2 / 10 = 20 pixels right of cx."""
    pixels, depth_m = project(np.array([[2.0, -1.0, 10.0]]), P)
    np.testing.assert_allclose(pixels, [[40.0, 5.0]])
    np.testing.assert_allclose(depth_m, [10.0])


def test_a_lidar_above_the_camera():
    """0.3 m above, x forward, y left, z up: a point level with it is seen above cy."""
    T_cam_velo = np.array(
        [[0, -1, 0, 0], [0, 0, -1, -0.3], [1, 0, 0, 0], [0, 0, 0, 1]], np.float64
    )
    image = sparse_depth(
        np.array([[10, 1, 0, 0.5]], np.float32), projection_matrix(CAMERA, T_cam_velo), SIZE
    )
    # u = 20 - 100 / 10, v = 10 - 50 * 0.3 / 10 = 8.5, and halves go down.
    assert np.argwhere(image).tolist() == [[9, 10]]
    assert image[9, 10] == 10


def test_of_points_on_one_pixel_the_nearest_counts_in_any_order():
    points = np.array([[0, 0, 20.0], [0.01, 0, 5], [0, 0.01, 7]])
    for order in ([0, 1, 2], [1, 0, 2], [2, 1, 0]):
        image = sparse_depth(points[order], P, SIZE)
        assert image[10, 20] == 5
        assert np.count_nonzero(image) == 1


@pytest.mark.parametrize('point', [
    (0, 0, -5), (0, 0, 0), (np.nan, 0, 5), (0, 0, np.nan), (0, 0, np.inf), (np.inf, 0, 5),
    (1e30, 0, 1e-30), (-2.06, 0, 10), (1.96, 0, 10), (0, -2.12, 10), (0, 3.92, 10),
])
def test_what_is_not_seen_leaves_no_trace(point: tuple[float, ...]):
    """Behind the camera, not finite, or more than half a pixel outside of the image."""
    assert not sparse_depth(np.array([point], np.float64), P, SIZE).any()


@pytest.mark.parametrize(('point', 'pixel'), [
    ((-2.05, 0, 10), (10, 0)), ((1.94, 0, 10), (10, 39)),
    ((0, -2.1, 10), (0, 20)), ((0, 3.88, 10), (29, 20)),
])
def test_border_pixels_reach_half_a_pixel_out(point: tuple[float, ...], pixel: tuple[int, int]):
    image = sparse_depth(np.array([point]), P, SIZE)
    assert np.argwhere(image).tolist() == [list(pixel)]


def test_no_points_no_depth():
    assert not sparse_depth(np.empty((0, 4), np.float32), P, SIZE).any()


@given(st.integers(0, 2**32 - 1))
def test_equals_a_loop_in_plain_arithmetic(seed: int):
    """Recomputed point by point, with a pose."""
    rng = np.random.default_rng(seed)
    points = rng.normal((0, 0, 6), 4, (60, 3))
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation * np.sign(np.linalg.det(rotation)), rng.normal(size=3)
    wanted = np.zeros(SIZE)
    for point in points:
        x, y, z = T[:3, :3] @ point + T[:3, 3]
        if z <= 0:
            continue
        u = int(np.floor(CAMERA.fx * x / z + CAMERA.cx + 0.5))
        v = int(np.floor(CAMERA.fy * y / z + CAMERA.cy + 0.5))
        if 0 <= u < 40 and 0 <= v < 30 and (wanted[v, u] == 0 or z < wanted[v, u]):
            wanted[v, u] = z
    np.testing.assert_allclose(
        sparse_depth(points, projection_matrix(CAMERA, T), SIZE), wanted, rtol=1e-6
    )


LOOKING_FORWARD = np.array(
    [[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, -0.3], [0, 0, 0, 1]], np.float64
)
"""Takes points of a LiDAR, x forward, y left, z up, to a camera 0.3 m before it."""


def test_as_in_monodepth2_the_number_is_the_forward_coordinate():
    """10 m before the LiDAR is 9.7 m before a camera that is 0.3 m before it."""
    P_lidar = projection_matrix(CAMERA, LOOKING_FORWARD)
    points = np.array([[10, 0, 0]], np.float64)
    assert sparse_depth(points, P_lidar, SIZE)[10, 20] == np.float32(9.7)
    assert sparse_depth(points, P_lidar, SIZE, value='forward')[10, 20] == 10


@pytest.mark.parametrize(('u', 'nearest', 'minus_one'), [
    (20.0, 20, 19), (20.4, 20, 19), (20.6, 21, 20), (20.5, 21, 19), (21.5, 22, 21),
])
def test_as_in_monodepth2_points_fall_one_pixel_up_and_left(u, nearest, minus_one):
    """Halves go to the even number there."""
    points = np.array([[(u - CAMERA.cx) / CAMERA.fx, (12 - CAMERA.cy) / CAMERA.fy, 1.0]])
    for pixel, where in (('nearest', [12, nearest]), ('minus-one', [11, minus_one])):
        assert np.argwhere(sparse_depth(points, P, SIZE, pixel=pixel)).tolist() == [where]


def test_of_forward_coordinates_the_least_counts_too():
    points = np.array([[7.0, 0, 0], [5, 0, 0], [-5, 0, 0]])
    image = sparse_depth(
        points, projection_matrix(CAMERA, LOOKING_FORWARD), SIZE, value='forward'
    )
    assert image[image > 0].tolist() == [5]


def test_points_behind_the_lidar_have_no_forward_coordinate():
    """A camera that looks back sees them, at a depth that the LiDAR counts below 0."""
    backward = np.diag([1.0, 1, -1, 1]) @ LOOKING_FORWARD
    points = np.array([[-10.0, 0, 0]])
    assert sparse_depth(points, projection_matrix(CAMERA, backward), SIZE).any()
    assert not sparse_depth(
        points, projection_matrix(CAMERA, backward), SIZE, value='forward'
    ).any()


def test_what_is_at_the_lidar_or_nearer_than_its_blind_zone_is_no_return():
    """Zeros always are; what is not finite, or just at the end of the zone, is something else."""
    ranges_m = np.array([0, 1e-30, 0.3, 0.5, 7, np.nan, np.inf], np.float32)
    points = np.stack([np.zeros_like(ranges_m), ranges_m, np.zeros_like(ranges_m)], axis=1)
    assert is_near(points, 0.5).tolist() == [True, True, True, False, False, False, False]
    assert is_near(points, 0.0).tolist() == [True, *[False] * 6]
    assert is_near(np.full((1, 3), 3e38, np.float32), 0.5).tolist() == [False]


@given(st.integers(0, 2**32 - 1))
def test_projecting_undoes_unprojecting(seed: int):
    """The cloud of a depth image, seen by the same camera, is that depth image."""
    depth_m = np.random.default_rng(seed).uniform(0.5, 80, SIZE).astype(np.float32)
    cloud = CloudBuilder(pinhole_rays(CAMERA)).build(depth_m)
    np.testing.assert_array_equal(sparse_depth(cloud.reshape(-1, 3), P, SIZE), depth_m)


def test_a_whole_projection_and_matrix_with_pose_are_one():
    """On the reference camera with the fourth column, as KITTI has it; on the camera with K."""
    P_cam2 = np.array([[700, 0, 600, 45], [0, 700, 170, -0.3], [0, 0, 1, 0.005]])
    intrinsics = Intrinsics(700, 700, 600, 170, 1200, 350)
    T_cam2_cam0 = np.eye(4)
    T_cam2_cam0[:3, 3] = np.linalg.solve(P_cam2[:, :3], P_cam2[:, 3])
    points = np.random.default_rng(0).uniform((-5, -5, 5), (5, 5, 15), (50, 3))
    for whole, parts in zip(
        project(points, P_cam2), project(points, projection_matrix(intrinsics, T_cam2_cam0)),
        strict=True,
    ):
        np.testing.assert_allclose(whole, parts, rtol=1e-12)


@pytest.mark.parametrize('wrong', [
    np.eye(4), np.full((3, 4), np.nan), np.zeros((3, 4)), P * 2,
])
def test_what_is_no_projection_is_refused(wrong: np.ndarray):
    with pytest.raises(CalibrationError, match='a projection must be finite, 3 x 4'):
        sparse_depth(np.zeros((1, 3)), wrong, SIZE)


def test_points_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r'points must be \(N, 3\) or \(N, 4\), got \(5, 2\)'):
        project(np.zeros((5, 2)), P)


def test_the_synthetic_lidar_measures_the_synthetic_depth():
    """An oracle that knows nothing of this module: most points agree with the exact depth."""
    frame = Drive(3, width=320, height=96).frame(20)
    projection = projection_matrix(frame.intrinsics, frame.T_cam_lidar)
    image = sparse_depth(frame.lidar_points, projection, Size(96, 320))
    hit = (image > 0) & np.isfinite(frame.depth_m)
    assert hit.mean() > 0.1
    error = np.abs(image[hit] - frame.depth_m[hit]) / frame.depth_m[hit]
    assert np.median(error) < 0.01
    assert (error < 0.05).mean() > 0.85


@pytest.mark.samples
def test_kitti_golden_frame(samples: Path):
    """Counted once with this code; the share filled is KITTI's (about 4 % for one sweep)."""
    root = samples / 'kitti_object/training'
    height, width = read_rgb(root / 'image_2/000001.png').shape[:2]
    calibration = read_object_calibration(root / 'calib/000001.txt')
    points = read_kitti_scan(root / 'velodyne/000001.bin')
    projection = projection_matrix(
        calibration.intrinsics(width, height), calibration.T_cam2_velo
    )
    image = sparse_depth(points, projection, Size(height, width))
    filled = image > 0
    assert 0.03 < filled.mean() < 0.06
    assert not filled[:height // 4].any()  # the LiDAR looks no higher
    assert 3 < image[filled].min() < 8
    assert 60 < image[filled].max() < 90


def test_sparse_truth_is_dots_the_nearer_on_top():
    gt = np.full((20, 40), np.nan, np.float32)
    gt[10, 10], gt[10, 11] = 5, 50
    colors = np.zeros((20, 40, 3), np.uint8)
    colors[10, 10], colors[10, 11] = (255, 0, 0), (0, 0, 255)
    shown = dotted(np.full((20, 40, 3), 128, np.uint8), colors, gt, 40)
    assert (shown[9:12, 9:12] == (255, 0, 0)).all()
    assert (shown[10, 12] == (0, 0, 255)).all()
    assert len(np.unique(shown[0, 0])) == 1, 'grey elsewhere'


def test_dots_at_the_border_are_cut():
    gt, black = np.full((5, 5), np.nan, np.float32), np.zeros((5, 5, 3), np.uint8)
    gt[0, 0] = 5
    assert (dotted(black, black, gt, 5) == 0).all(axis=2).sum() == 4


@pytest.mark.parametrize('shown_px', [100, 200, 400])
def test_a_point_is_three_pixels_wide_however_small_the_picture_is_shown(shown_px):
    gt, black = np.full((100, 400), np.nan, np.float32), np.zeros((100, 400, 3), np.uint8)
    gt[50, 200] = 5
    dot = (dotted(black, black, gt, shown_px) == 0).all(axis=2)
    assert 2 <= np.ptp(np.flatnonzero(dot.any(axis=0))) * shown_px / 400 <= 3


def test_dense_truth_is_shown_in_its_colours():
    gt, colors = np.full((4, 6), 5, np.float32), np.full((4, 6, 3), 9, np.uint8)
    assert on_truth(np.zeros_like(colors), colors, gt, 6) is colors
