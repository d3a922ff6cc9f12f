# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Points of a LiDAR as places in the image, with their depth there."""

from __future__ import annotations

from typing import Any, NamedTuple

from clip_depth_ros.core.camera import Camera
from clip_depth_ros.core.projection import is_near, project, projection_matrix
from clip_depth_ros.core.transforms import Matrix4
from clip_depth_ros.errors import DataError
import numpy as np
from numpy.typing import NDArray


class Seen(NamedTuple):
    """What a camera sees of points: places as in :func:`sampled`, metres along its axis."""

    places: NDArray[np.float64]
    depth_m: NDArray[np.float64]


def seen_points(points: NDArray[Any], T_camera_points: Matrix4, camera: Camera) -> Seen:
    """
    Return where and how far away a camera sees points, those in the image alone.

    Parameters
    ----------
    points : float (N, 3)
        Metres, in the frame of the LiDAR; what is not finite, or at its origin, is no point.
    T_camera_points : float64 (4, 4)
        Takes them to the camera's optical frame.
    camera : Camera
        Of the image, with its distortion.

    Raises
    ------
    DataError
        If none of them is in the image; it tells apart that all are behind the camera.

    """
    is_point = np.isfinite(points).all(axis=1) & ~is_near(points, 0.0)
    if not is_point.any():
        raise DataError(f'none of the {len(points)} points of the LiDAR is a return')
    matrix = projection_matrix(camera.intrinsics, T_camera_points)
    pixels, depth_m = project(points[is_point], matrix)
    if not (depth_m > 0).any():
        raise DataError(
            f'all {len(depth_m)} points of the LiDAR are behind the camera: is its pose right '
            '(`lidar_extrinsics`, or the transform on /tf), and in the optical frame, x right, '
            'y down, z forward?'
        )
    size = (camera.intrinsics.width, camera.intrinsics.height)
    places = (camera.shown_at(pixels) + 0.5) / size
    with np.errstate(invalid='ignore'):
        is_seen = ((places >= 0) & (places < 1)).all(axis=1)
    if not is_seen.any():
        raise DataError(
            f'none of the {len(depth_m)} points of the LiDAR is in the image: is its pose right '
            '(`lidar_extrinsics`, or the transform on /tf)?'
        )
    return Seen(places[is_seen], depth_m[is_seen])
