# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the camera_info of a recording says about its images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.types import Intrinsics


@dataclass(frozen=True, slots=True)
class RecordedCamera:
    """
    A camera as its camera_info describes it, binning and region of interest applied.

    Attributes
    ----------
    fx, fy, cx, cy : float
        Pixels.
    width, height : int
        Size of the images that it is for; 0 where it says nothing.
    is_distorted : bool
        Whether the numbers are K's of an unrectified camera, so that a pinhole is not all of it.

    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    is_distorted: bool

    def intrinsics(self, width: int, height: int) -> Intrinsics:
        """
        Give the intrinsics of an image of this size.

        Raises
        ------
        CalibrationError
            If it is for another size, or the image is not rectified.

        """
        if (self.width or width, self.height or height) != (width, height):
            raise CalibrationError(
                f'camera_info is for images of {self.width}x{self.height}, the image has '
                f'{width}x{height}: name the camera_info topic of this camera'
            )
        if self.is_distorted:
            raise CalibrationError(
                'camera_info has no P, and a K with distortion D: points would fall beside the '
                'pixels that show them; rectify the images first (image_proc)'
            )
        return Intrinsics(self.fx, self.fy, self.cx, self.cy, width, height)


def recorded_camera(info: Any) -> RecordedCamera:
    """
    Read a ``sensor_msgs/CameraInfo``.

    P is used where it is set, as recordings made from KITTI hold rectified images beside the K and
    D of the raw camera; else K. P's fourth column is left out: where the camera is, tf says.
    """
    uses_P = info.p[0] != 0  # noqa: N806
    matrix, columns = (info.p, 4) if uses_P else (info.k, 3)
    fx, cx, fy, cy = (float(matrix[i]) for i in (0, 2, columns + 1, columns + 2))
    roi = info.roi
    binning_x, binning_y = max(1, info.binning_x), max(1, info.binning_y)
    return RecordedCamera(
        fx=fx / binning_x,
        fy=fy / binning_y,
        cx=(cx - roi.x_offset + 0.5) / binning_x - 0.5,
        cy=(cy - roi.y_offset + 0.5) / binning_y - 0.5,
        width=(roi.width or info.width) // binning_x,
        height=(roi.height or info.height) // binning_y,
        is_distorted=not uses_P and any(float(number) != 0 for number in info.d),
    )
