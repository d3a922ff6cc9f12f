# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms as 4 x 4 matrices, and as translation and quaternion in ROS messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clip_depth_ros.errors import CalibrationError
import numpy as np
from numpy.typing import NDArray

Matrix4 = NDArray[np.float64]
"""float64 (4, 4); ``T_a_b`` takes points of frame b to frame a: destination first."""


def quaternion_from(T_parent_child: Matrix4) -> tuple[float, float, float, float]:
    """
    Return the unit quaternion (x, y, z, w) of a rigid transform's rotation, w >= 0.

    Raises
    ------
    CalibrationError
        If :func:`check_rigid` refuses it.

    Notes
    -----
    Of a rotation matrix with rounding errors this is the nearest rotation: the eigenvector of the
    largest eigenvalue of a symmetric matrix (Bar-Itzhack, "New Method for Extracting the
    Quaternion from a Rotation Matrix", J. Guidance, Control, and Dynamics 23(6), 2000).

    """
    check_rigid(T_parent_child)
    rotation = T_parent_child[:3, :3]
    trace = np.trace(rotation)
    symmetric = np.empty((4, 4))
    symmetric[:3, :3] = rotation + rotation.T - trace * np.eye(3)
    symmetric[3, :3] = symmetric[:3, 3] = (
        rotation[2, 1] - rotation[1, 2],
        rotation[0, 2] - rotation[2, 0],
        rotation[1, 0] - rotation[0, 1],
    )
    symmetric[3, 3] = trace
    _, eigenvectors = np.linalg.eigh(symmetric)  # eigenvalues ascend
    x, y, z, w = eigenvectors[:, -1]
    sign = -1.0 if w < 0 else 1.0  # q and -q are the same rotation
    return float(sign * x), float(sign * y), float(sign * z), float(sign * w)


def matrix_from(transform: Any) -> Matrix4:
    """
    Return the 4 x 4 of a ``geometry_msgs/Transform``: it takes points of the child to the parent.

    Raises
    ------
    CalibrationError
        If the quaternion has no direction (zero or not finite).

    """
    rotation, offset = transform.rotation, transform.translation
    return rigid(
        (offset.x, offset.y, offset.z), (rotation.x, rotation.y, rotation.z, rotation.w)
    )


def rigid(translation: Sequence[float], xyzw: Sequence[float]) -> Matrix4:
    """
    Return the 4 x 4 of a translation, metres, and a quaternion, whose length does not matter.

    CalibrationError if the quaternion has no direction (zero or not finite).
    """
    quaternion = np.array(xyzw, np.float64)
    norm = np.linalg.norm(quaternion)
    if not (np.isfinite(norm) and norm > 0):
        raise CalibrationError(f'a quaternion must have a direction, got {quaternion.tolist()}')
    x, y, z, w = quaternion / norm
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, 3] = translation
    return matrix


def check_rigid(matrix: Matrix4) -> None:
    """
    Refuse a matrix that is not a rigid transform.

    Raises
    ------
    CalibrationError
        If it is not 4 x 4 and finite with a rotation (to 1e-3, as calibration files are rounded)
        above 0 0 0 1.

    """
    is_rigid = (
        matrix.shape == (4, 4)
        and np.isfinite(matrix).all()
        and np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-3)
        and np.linalg.det(matrix[:3, :3]) > 0
        and np.array_equal(matrix[3], [0, 0, 0, 1])
    )
    if not is_rigid:
        raise CalibrationError(
            'a transform must be 4 x 4, rigid and finite with last row 0 0 0 1, got '
            f'{matrix.tolist()}'
        )
