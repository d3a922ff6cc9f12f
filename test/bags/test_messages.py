# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Arrays as ROS messages: what the fields hold, and what is refused."""

from __future__ import annotations

from typing import Any

from clip_depth_ros.bags.message_types import ros2_types
from clip_depth_ros.bags.messages import (
    camera_info_message,
    cloud_message,
    image_message,
    tf_message,
)
from clip_depth_ros.bags.writer import recorded
from clip_depth_ros.core.stamps import stamp_ns_of
from clip_depth_ros.core.transforms import matrix_from, quaternion_from
from clip_depth_ros.errors import CalibrationError, DataError, ImageError
from clip_depth_ros.types import Intrinsics
from hypothesis import assume, given, strategies as st
import numpy as np
import pytest

STAMP_NS = 1_600_000_000_123_456_789

unit_interval = st.floats(-1, 1)


def through_the_wire(message: Any) -> Any:
    """Serialise a message and read it back."""
    cdr = recorded('/x', message, 0).cdr
    return ros2_types().deserialize_cdr(cdr, message.__msgtype__)


@pytest.mark.parametrize(
    ('encoding', 'dtype', 'shape', 'step'),
    [
        ('rgb8', np.uint8, (2, 3, 3), 9),
        ('bgr8', np.uint8, (2, 3, 3), 9),
        ('mono8', np.uint8, (2, 3), 3),
        ('16UC1', np.uint16, (2, 3), 6),
        ('32FC1', np.float32, (2, 3), 12),
    ],
)
def test_image_holds_the_pixels(
    encoding: str, dtype: Any, shape: tuple[int, ...], step: int
) -> None:
    """Row after row, also from an array that is a view with gaps."""
    wide = np.arange(np.prod(shape) * 2, dtype=dtype).reshape(shape[0], shape[1] * 2, *shape[2:])
    pixels = wide[:, ::2]
    image = through_the_wire(
        image_message(pixels, encoding, stamp_ns=STAMP_NS, frame_id='camera')
    )
    assert (image.height, image.width, image.encoding) == (2, 3, encoding)
    assert (image.step, image.is_bigendian) == (step, 0)
    assert (stamp_ns_of(image.header), image.header.frame_id) == (STAMP_NS, 'camera')
    np.testing.assert_array_equal(image.data.view(dtype).reshape(shape), pixels)


@pytest.mark.parametrize(
    ('pixels', 'encoding'),
    [
        (np.zeros((2, 3), np.uint8), 'rgb8'),
        (np.zeros((2, 3, 4), np.uint8), 'rgb8'),
        (np.zeros((2, 3, 3), np.float32), 'rgb8'),
        (np.zeros((2, 3, 1), np.uint8), 'mono8'),
        (np.zeros((2, 3), np.float64), '32FC1'),
        (np.zeros((0, 3), np.uint8), 'mono8'),
        (np.zeros((2, 3), np.uint8), 'yuv422'),
    ],
)
def test_pixels_that_do_not_fit_their_encoding_are_refused(pixels: Any, encoding: str) -> None:
    """Rather than written as something else."""
    with pytest.raises(ImageError, match=r'needs|must be one of'):
        image_message(pixels, encoding, stamp_ns=0, frame_id='camera')


def test_camera_info_of_rectified_images() -> None:
    """D zero, R identity, K and P alike: whichever a consumer takes is right."""
    info = through_the_wire(
        camera_info_message(
            Intrinsics(700.0, 710.0, 600.0, 180.0, 1242, 375), stamp_ns=STAMP_NS, frame_id='cam'
        )
    )
    assert (info.width, info.height, info.distortion_model) == (1242, 375, 'plumb_bob')
    np.testing.assert_array_equal(info.d, np.zeros(5))
    np.testing.assert_array_equal(info.k, [700, 0, 600, 0, 710, 180, 0, 0, 1])
    np.testing.assert_array_equal(info.r, np.eye(3).ravel())
    np.testing.assert_array_equal(info.p, [700, 0, 600, 0, 0, 710, 180, 0, 0, 0, 1, 0])
    assert (info.binning_x, info.roi.width, info.roi.do_rectify) == (0, 0, False)


@pytest.mark.parametrize('is_dense', [True, False])
def test_cloud_holds_the_points(is_dense: bool) -> None:
    """Four float32 fields in a row; dense unless a coordinate is missing."""
    points = np.arange(20, dtype=np.float32).reshape(5, 4)
    if not is_dense:
        points[2, 1] = np.nan
    cloud = through_the_wire(cloud_message(points, stamp_ns=STAMP_NS, frame_id='velodyne'))
    fields = [(f.name, f.offset, f.datatype, f.count) for f in cloud.fields]
    assert fields == [('x', 0, 7, 1), ('y', 4, 7, 1), ('z', 8, 7, 1), ('intensity', 12, 7, 1)]
    assert (cloud.height, cloud.width, cloud.point_step, cloud.row_step) == (1, 5, 16, 80)
    assert (cloud.is_dense, cloud.is_bigendian) == (is_dense, False)
    np.testing.assert_array_equal(cloud.data.view(np.float32).reshape(5, 4), points)


def test_an_empty_cloud_is_a_cloud() -> None:
    """A LiDAR may see nothing."""
    cloud = through_the_wire(
        cloud_message(np.zeros((0, 4), np.float32), stamp_ns=0, frame_id='velodyne')
    )
    assert (cloud.width, cloud.data.size) == (0, 0)


def test_points_of_another_shape_are_refused() -> None:
    """With what came."""
    with pytest.raises(DataError, match=r'float64 \(5, 3\)'):
        cloud_message(np.zeros((5, 3)), stamp_ns=0, frame_id='velodyne')  # type: ignore[arg-type]


def test_tf_names_parent_and_child() -> None:
    """A quarter turn about z takes the child's x axis to the parent's y axis."""
    T_parent_child = np.array(
        [[0.0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
    )
    message = through_the_wire(
        tf_message(T_parent_child, parent='map', child='car', stamp_ns=STAMP_NS)
    )
    (stamped,) = message.transforms
    assert (stamped.header.frame_id, stamped.child_frame_id) == ('map', 'car')
    rotation = stamped.transform.rotation
    half = np.sqrt(0.5)
    np.testing.assert_allclose(
        [rotation.x, rotation.y, rotation.z, rotation.w], [0, 0, half, half], atol=1e-12
    )
    np.testing.assert_allclose(matrix_from(stamped.transform), T_parent_child, atol=1e-12)


@given(st.tuples(unit_interval, unit_interval, unit_interval, unit_interval))
def test_quaternion_round_trip(numbers: tuple[float, float, float, float]) -> None:
    """Every rotation comes back, half turns too, where other formulas divide by zero."""
    norm = np.linalg.norm(numbers)
    assume(norm > 1e-3)
    matrix = matrix_from(_transform(*numbers))
    quaternion = np.array(quaternion_from(matrix))
    assert quaternion[3] >= 0
    np.testing.assert_allclose(abs(quaternion @ np.array(numbers) / norm), 1, atol=1e-9)
    np.testing.assert_allclose(matrix_from(_transform(*quaternion)), matrix, atol=1e-9)


@pytest.mark.parametrize(
    'matrix',
    [
        np.eye(3),
        np.diag([1.0, 1, -1, 1]),
        np.diag([2.0, 1, 1, 1]),
        np.diag([1.0, 1, 1, 2]),
        np.full((4, 4), np.nan),
    ],
    ids=['shape', 'mirror', 'scale', 'last row', 'nan'],
)
def test_what_is_no_rigid_transform_is_refused(matrix: Any) -> None:
    """A mirrored or scaled calibration has no quaternion."""
    with pytest.raises(CalibrationError, match='rigid'):
        quaternion_from(matrix)


def test_a_quaternion_without_direction_is_refused() -> None:
    """All zero is what a forgotten field looks like."""
    with pytest.raises(CalibrationError, match='direction'):
        matrix_from(_transform(0.0, 0.0, 0.0, 0.0))


def _transform(x: float, y: float, z: float, w: float) -> Any:
    types: Any = ros2_types().types
    return types['geometry_msgs/msg/Transform'](
        types['geometry_msgs/msg/Vector3'](0.0, 0.0, 0.0),
        types['geometry_msgs/msg/Quaternion'](x, y, z, w),
    )
