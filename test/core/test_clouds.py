# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Clouds: unproject then project is the identity, marks become NaN; PLY files read back."""

from __future__ import annotations

import struct
from typing import Any

from clip_depth_ros.bags.messages import cloud_message
from clip_depth_ros.core.camera import pinhole_rays
from clip_depth_ros.core.clouds import CloudBuilder, Crop, LonelyPoints, ply_bytes, points_of
from clip_depth_ros.errors import DataError, ImageError
from clip_depth_ros.types import Intrinsics
from hypothesis import given, strategies as st
import numpy as np
import pytest

CAMERA = Intrinsics(fx=100.0, fy=120.0, cx=3.5, cy=2.0, width=8, height=5)
LIDAR_POINTS = np.arange(16, dtype=np.float32).reshape(4, 4)
DEPTH = np.full((5, 8), 4.0, np.float32)


def test_a_point_by_hand():
    """Pixel u=5, v=3 at 4 m: x = (5 - 3.5)/100*4 = 0.06, y = (3 - 2)/120*4 = 0.0333."""
    points = CloudBuilder(pinhole_rays(CAMERA)).build(DEPTH)
    assert points[3, 5] == pytest.approx([0.06, 4 / 120, 4.0])


@given(
    fx=st.floats(50, 2000),
    cx=st.floats(-20, 60),
    depth_m=st.floats(0.1, 80.0),
    stride=st.integers(1, 4),
)
def test_projecting_an_unprojected_point_gives_its_pixel(fx, cx, depth_m, stride):
    camera = Intrinsics(fx, fx, cx, 7.0, 21, 13)
    depth = np.full((13, 21), depth_m, np.float32)
    points = CloudBuilder(pinhole_rays(camera), stride=stride).build(depth).astype(np.float64)
    v, u = np.mgrid[0:13:stride, 0:21:stride]
    assert np.abs(points[..., 0] / points[..., 2] * fx + cx - u).max() < 0.01
    assert np.abs(points[..., 1] / points[..., 2] * fx + 7.0 - v).max() < 0.01


@pytest.mark.parametrize('mark', [np.nan, np.inf, -np.inf])
def test_depth_that_is_no_number_gives_a_nan_point(mark):
    depth = DEPTH.copy()
    depth[1, 2] = mark
    points = CloudBuilder(pinhole_rays(CAMERA)).build(depth)
    assert np.isnan(points[1, 2]).all()
    assert np.isfinite(np.delete(points.reshape(-1, 3), 1 * 8 + 2, axis=0)).all()


def test_colours_are_packed_as_0x00rrggbb():
    rgb = np.zeros((5, 8, 3), np.uint8)
    rgb[4, 7] = (0x12, 0x34, 0x56)
    points = CloudBuilder(pinhole_rays(CAMERA), with_rgb=True).build(DEPTH, rgb)
    assert points.shape == (5, 8, 4)
    assert points[..., 3].view(np.uint32)[4, 7] == 0x00123456


@pytest.mark.parametrize('stride', [1, 2, 3])
def test_points_are_bit_for_bit_the_plain_formula(stride):
    """X = x/z * z and so on; NaN is always the same NaN, whatever the depth's was."""
    rng = np.random.default_rng(0)
    camera = Intrinsics(90.0, 80.0, 30.0, 17.0, 61, 35)
    rays, depth = pinhole_rays(camera).copy(), rng.uniform(0, 80, (35, 61)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.3] = np.inf
    depth.view(np.uint32)[rng.random(depth.shape) < 0.1] = 0xFFC00001  # another NaN
    rays[rng.random(depth.shape) < 0.1] = np.nan
    rgb = rng.integers(0, 256, (35, 61, 3), np.uint8)

    every = np.s_[::stride, ::stride]
    is_known = np.isfinite(depth) & np.isfinite(rays).all(axis=2)
    z = np.where(is_known, depth, np.float32(np.nan))[every]
    red, green, blue = np.moveaxis(rgb[every].astype(np.uint32), 2, 0)
    packed = (red << 16 | green << 8 | blue).view(np.float32)
    expected = np.stack([rays[every][..., 0] * z, rays[every][..., 1] * z, z, packed], axis=-1)
    x_y_z_rgb = CloudBuilder(rays, stride=stride, with_rgb=True).build(depth, rgb)
    assert x_y_z_rgb[is_known[every]].tobytes() == expected[is_known[every]].tobytes()
    assert x_y_z_rgb[..., 2:].tobytes() == expected[..., 2:].tobytes()
    assert np.isnan(x_y_z_rgb[~is_known[every]][:, :3]).all()
    x_y_z = CloudBuilder(rays, stride=stride).build(depth)
    assert x_y_z.tobytes() == np.ascontiguousarray(x_y_z_rgb[..., :3]).tobytes()


def test_stride_keeps_rows_and_columns_from_the_first():
    rgb = np.arange(5 * 8 * 3, dtype=np.uint8).reshape(5, 8, 3)
    full = CloudBuilder(pinhole_rays(CAMERA), with_rgb=True).build(DEPTH, rgb).copy()
    thin = CloudBuilder(pinhole_rays(CAMERA), stride=3, with_rgb=True).build(DEPTH, rgb)
    assert np.array_equal(thin, full[::3, ::3])


@pytest.mark.parametrize(('depth', 'rgb', 'message'), [
    (np.zeros((8, 5), np.float32), None, r'depth image must be \(5, 8\).*got \(8, 5\)'),
    (DEPTH, None, 'needs the image, got none'),
    (DEPTH, np.zeros((5, 9, 3), np.uint8), r'colour image must be \(5, 8\).*got \(5, 9\)'),
])
def test_images_of_another_size_are_refused(depth, rgb, message):
    builder = CloudBuilder(pinhole_rays(CAMERA), with_rgb=True)
    with pytest.raises(ImageError, match=message):
        builder.build(depth, rgb)


def test_points_and_colours_are_where_the_header_says():
    xyz_m = np.array([[1, 2, 3], [np.nan, 0, 0], [4, 5, 6]], np.float32)
    rgb = np.array([[10, 20, 30], [0, 0, 0], [40, 50, 60]], np.uint8)
    header, _, body = ply_bytes(xyz_m, rgb).partition(b'end_header\n')
    assert header.splitlines()[:2] == [b'ply', b'format binary_little_endian 1.0']
    assert b'element vertex 2' in header
    assert list(struct.iter_unpack('<3f3B', body)) == [
        (1, 2, 3, 10, 20, 30), (4, 5, 6, 40, 50, 60),
    ]


def test_a_cloud_without_known_points_is_an_empty_file_with_a_header():
    data = ply_bytes(np.full((4, 3), np.nan, np.float32), np.zeros((4, 3), np.uint8))
    assert b'element vertex 0' in data
    assert data.endswith(b'end_header\n')


def test_every_point_needs_a_colour():
    with pytest.raises(DataError, match=r'got \(4, 3\), \(3, 3\)'):
        ply_bytes(np.zeros((4, 3), np.float32), np.zeros((3, 3), np.uint8))


class TestCloudMessages:
    def test_clouds_of_other_layouts(self):
        """Big-endian float64 behind other fields, rows padded, two rows."""
        small: Any = cloud_message(LIDAR_POINTS[:1], stamp_ns=0, frame_id='l')
        fields = small.fields
        for offset, each in zip((4, 12, 20, 0), fields, strict=True):
            each.offset, each.datatype = offset, 8 if each.name != 'intensity' else 7
        point = np.dtype({
            'names': ['x', 'y', 'z'], 'formats': ['>f8'] * 3, 'offsets': [4, 12, 20],
            'itemsize': 30,
        })
        points = np.zeros((2, 3), point)
        points['x'], points['z'] = np.arange(6).reshape(2, 3), 7
        rows = np.zeros((2, 100), np.uint8)
        rows[:, :90] = points.view(np.uint8).reshape(2, 90)
        small.is_bigendian, small.point_step, small.row_step = True, 30, 100
        small.height, small.width, small.data = 2, 3, rows.reshape(-1)
        wanted = [[x, 0, 7] for x in range(6)]
        assert points_of(small).tolist() == wanted
        small.data = small.data[:150]
        with pytest.raises(DataError, match='truncated'):
            points_of(small)

    @pytest.mark.parametrize('row_step', [0, 1, 7, 24, 48, 96, 2**32 - 1])
    @pytest.mark.parametrize('height', [1, 2, 4])
    def test_data_of_the_right_length_says_how_it_lies(self, row_step: int, height: int):
        """Velodyne's driver leaves row_step 0, others double it or state that of one scan."""
        cloud: Any = cloud_message(LIDAR_POINTS, stamp_ns=0, frame_id='l')
        cloud.height, cloud.width, cloud.row_step = height, 4 // height, row_step
        np.testing.assert_array_equal(points_of(cloud), LIDAR_POINTS[:, :3])

    def test_of_a_single_row_nothing_behind_it_is_read(self):
        cloud: Any = cloud_message(LIDAR_POINTS, stamp_ns=0, frame_id='l')
        cloud.row_step, cloud.data = 0, np.append(cloud.data, np.zeros(5, np.uint8))
        np.testing.assert_array_equal(points_of(cloud), LIDAR_POINTS[:, :3])

    def test_the_last_row_needs_no_padding(self):
        cloud: Any = cloud_message(LIDAR_POINTS, stamp_ns=0, frame_id='l')
        rows = np.pad(cloud.data.reshape(2, -1), [(0, 0), (0, 6)])
        cloud.height, cloud.width, cloud.row_step = 2, 2, rows.shape[1]
        cloud.data = rows.reshape(-1)[:-6]
        np.testing.assert_array_equal(points_of(cloud), LIDAR_POINTS[:, :3])

    @pytest.mark.parametrize('row_step', [0, 31, 40])
    def test_rows_that_fit_neither_way_are_refused(self, row_step: int):
        """Where data is longer than the points, only row_step could say where rows start."""
        cloud: Any = cloud_message(LIDAR_POINTS, stamp_ns=0, frame_id='l')
        cloud.height, cloud.width, cloud.row_step = 2, 2, row_step
        cloud.data = np.append(cloud.data, np.zeros(5, np.uint8))
        with pytest.raises(DataError, match=rf'rows of 32 .* row_step is {row_step} .* 69'):
            points_of(cloud)

    @pytest.mark.parametrize('row_step', [0, 64, 2**32 - 1])
    def test_a_cloud_that_ends_early_is_truncated_whatever_else_it_says(self, row_step: int):
        cloud: Any = cloud_message(LIDAR_POINTS, stamp_ns=0, frame_id='l')
        cloud.row_step, cloud.data = row_step, cloud.data[:-1]
        with pytest.raises(DataError, match='needs 64 bytes, has 63: the message is truncated'):
            points_of(cloud)

    def test_an_empty_cloud_has_no_points(self):
        cloud: Any = cloud_message(LIDAR_POINTS[:0], stamp_ns=0, frame_id='l')
        assert points_of(cloud).shape == (0, 3)

    @pytest.mark.parametrize('point_step', [8, 2**32 - 1])
    def test_points_that_do_not_hold_their_coordinates(self, point_step: int):
        damaged: Any = cloud_message(LIDAR_POINTS, stamp_ns=0, frame_id='l')
        damaged.point_step = point_step
        with pytest.raises(DataError, match=rf'within points of {point_step} bytes, are at \[0, '):
            points_of(damaged)

    def test_a_cloud_without_coordinates_is_refused(self):
        flat: Any = cloud_message(LIDAR_POINTS, stamp_ns=0, frame_id='l')
        flat.fields = flat.fields[:2]
        with pytest.raises(DataError, match=r"needs fields x, y, z .*\['x', 'y'\]"):
            points_of(flat)


LEVEL = Intrinsics(fx=10.0, fy=10.0, cx=2.0, cy=2.0, width=5, height=5)
"""Sees 0.2 to either side, and up and down, for each metre ahead."""


class TestCrop:
    """What is cropped is NaN, and the cloud keeps its rows and columns."""

    def test_ranges_are_distances_and_not_depths(self):
        """At depth 4, the corner (-0.2, -0.2, 1) is 4 * sqrt(1.08) = 4.157 m away."""
        depth = np.full((5, 5), 4.0, np.float32)
        inner = CloudBuilder(pinhole_rays(LEVEL), crop=Crop(max_range_m=4.1)).build(depth)
        assert np.isnan(inner[0, 0]).all()
        assert np.isfinite(inner[2]).all()
        outer = CloudBuilder(pinhole_rays(LEVEL), crop=Crop(min_range_m=4.1)).build(depth)
        assert np.array_equal(np.isnan(outer), np.isfinite(inner))

    def test_heights_are_above_level_ground(self):
        """Camera 1 m up, 10 m ahead: rows are 2, 1, 0, -1, -2 m from it, 3 to -1 m up."""
        crop = Crop(camera_height_m=1.0, min_height_m=0.5, max_height_m=2.5)
        depth = np.full((5, 5), 10, np.float32)
        known = np.isfinite(CloudBuilder(pinhole_rays(LEVEL), crop=crop).build(depth)[..., 2])
        assert known.all(axis=1).tolist() == [False, True, True, False, False]

    def test_a_camera_that_looks_down_sees_the_ground_on_its_axis(self):
        """30 degrees down and 1 m up: the axis meets the ground at 2 m."""
        crop = Crop(camera_height_m=1.0, camera_pitch_deg=30, min_height_m=0.01)
        builder = CloudBuilder(pinhole_rays(LEVEL), crop=crop)
        for depth_m, is_above in ((1.9, True), (2.1, False)):
            points = builder.build(np.full((5, 5), depth_m, np.float32))
            assert np.isfinite(points[2, 2, 2]) == is_above

    @given(
        depth_m=st.floats(0.1, 80), height_m=st.floats(0, 3), pitch_deg=st.floats(-60, 60),
        low_m=st.floats(-2, 2), band_m=st.floats(0.1, 3), near_m=st.floats(0, 5),
        reach_m=st.floats(0.1, 60),
    )
    def test_crops_as_the_points_themselves_say(
        self, depth_m, height_m, pitch_deg, low_m, band_m, near_m, reach_m
    ):
        depth = np.full((5, 8), depth_m, np.float32)
        x, y, z = np.moveaxis(CloudBuilder(pinhole_rays(CAMERA)).build(depth).astype(float), 2, 0)
        turn = np.radians(pitch_deg)
        height = height_m - (np.sin(turn) * z + np.cos(turn) * y)
        distance = np.sqrt(x**2 + y**2 + z**2)
        crop = Crop(
            min_range_m=near_m, max_range_m=near_m + reach_m, camera_height_m=height_m,
            camera_pitch_deg=pitch_deg, min_height_m=low_m, max_height_m=low_m + band_m,
        )
        kept = np.isfinite(CloudBuilder(pinhole_rays(CAMERA), crop=crop).build(depth)[..., 2])
        edges = [
            height - low_m, low_m + band_m - height, distance - near_m, near_m + reach_m - distance
        ]
        margin = np.min(edges, axis=0)
        is_clear_case = np.abs(margin) > 1e-3
        assert np.array_equal(kept[is_clear_case], margin[is_clear_case] > 0)

    def test_what_is_seen_through_gets_a_point_to_clear_to(self):
        """+Inf and what is beyond the crop: a point 6 m away; unknown and too near: none."""
        depth = np.full((5, 5), 4.0, np.float32)
        depth[2] = [np.inf, 20.0, 7.0, np.nan, -np.inf]
        crop = Crop(max_range_m=8.0, clear_range_m=6.0)
        points = CloudBuilder(pinhole_rays(LEVEL), crop=crop).build(depth)
        distances = np.linalg.norm(points[2], axis=1)
        assert distances[:3] == pytest.approx([6.0, 6.0, np.hypot(1.0, 0.0) * 7.0])
        assert np.isnan(distances[3:]).all()
        assert points[2, 0, :2] / points[2, 0, 2] == pytest.approx([-0.2, 0.0])

    def test_no_point_to_clear_to_lies_outside_the_heights(self):
        """Looking over a wall is no look through it; 6 m away, rows are 0.6 m apart."""
        crop = Crop(
            camera_height_m=1.0, min_height_m=0.0, max_height_m=2.0, clear_range_m=6.0
        )
        points = CloudBuilder(pinhole_rays(LEVEL), crop=crop).build(
            np.full((5, 5), np.inf, np.float32)
        )
        assert np.isfinite(points[..., 2]).all(axis=1).tolist() == [False, True, True, True, False]

    def test_a_pixel_without_a_ray_stays_unknown(self):
        rays = pinhole_rays(LEVEL).copy()
        rays[1, 1] = np.nan
        for depth_m in (4.0, np.inf):
            depth = np.full((5, 5), depth_m, np.float32)
            points = CloudBuilder(rays, crop=Crop(clear_range_m=6.0)).build(depth)
            assert np.isnan(points[1, 1]).all()
            assert np.count_nonzero(np.isnan(points[..., 2])) == 1


class TestLonelyPoints:
    def test_a_veil_between_near_and_far_goes_and_both_stay(self):
        """Columns 11 to 13 go from 4 m to 20 m, each at another depth, as blurred edges do."""
        depth = np.full((40, 40), 4.0, np.float32)
        depth[:, 11:14] = [7.0, 10.0, 14.0]
        depth[:, 14:] = 20.0
        lonely = LonelyPoints(depth.shape, 0.3).among(depth)
        assert lonely[:, 11:14].all()
        assert not lonely[:, [*range(11), *range(14, 40)]].any()

    def test_a_speckle_in_the_unknown_goes(self):
        depth = np.full((16, 16), np.nan, np.float32)
        depth[5, 5] = 3.0
        assert LonelyPoints(depth.shape, 0.1).among(depth)[5, 5]

    @pytest.mark.parametrize('depth_m', [0.5, 2.0, 3.99, 80.0, 900.0])
    def test_a_wall_stays_however_far_it_is(self, depth_m):
        """At the border there are fewer neighbours, and all of them are there."""
        depth = np.full((19, 21), depth_m, np.float32)
        depth[::3] *= np.float32(1.01)  # on either side of where pieces of depth meet
        assert not LonelyPoints(depth.shape, 1.0).among(depth).any()

    def test_a_road_stays_up_to_where_a_row_is_a_tenth_of_the_depth(self):
        """Behind KITTI's camera, 1.65 m up: z = 721 * 1.65 / row below the horizon."""
        rows = np.arange(16, 200, dtype=np.float32)
        depth = np.repeat((721.5 * 1.65 / rows)[:, None], 64, axis=1)
        assert not LonelyPoints(depth.shape, 0.3).among(depth).any()
