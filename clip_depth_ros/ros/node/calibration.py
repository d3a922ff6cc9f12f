# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What a CameraInfo message says about the pixels that really arrived.

Rectified images are described by P, unrectified ones by K with the distortion D. Recordings made
from KITTI hold rectified images under ``image_raw`` with the raw camera's K and D, so P comes
first. P's fourth column (a stereo baseline) is left out: points stay in the camera's own frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import copy
from dataclasses import dataclass
from typing import Final, Literal

from clip_depth_ros.core.clouds import pinhole_rays, Rays
from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.types import Intrinsics
import cv2
import numpy as np
from sensor_msgs.msg import CameraInfo, RegionOfInterest

IntrinsicsSource = Literal['auto', 'P', 'K']

_FISHEYE: Final = 'equidistant'
_D_LENGTHS: Final[Mapping[str, tuple[int, ...]]] = {
    '': (4, 5, 8, 12, 14),
    'plumb_bob': (4, 5, 8, 12, 14),
    'rational_polynomial': (8, 12, 14),
    _FISHEYE: (4,),
}
"""Numbers that D may hold for each distortion model; '' is taken as plumb_bob."""


@dataclass(frozen=True, slots=True)
class Camera:
    """
    A camera as its image messages show it.

    Attributes
    ----------
    intrinsics : Intrinsics
        For the size of the images, binning and region of interest applied.
    distortion : tuple of float
        D of an unrectified image, empty for a rectified one.
    is_fisheye : bool
        Whether D is of the equidistant model.
    source : {'P', 'K'}
        Which matrix was used.
    notes : tuple of str
        What an operator should know once: binning, region of interest, missing size.

    """

    intrinsics: Intrinsics
    distortion: tuple[float, ...]
    is_fisheye: bool
    source: Literal['P', 'K']
    notes: tuple[str, ...] = ()

    def rays(self, width: int, height: int) -> Rays:
        """
        Give where the pixels look when the image is resampled to ``width`` x ``height``.

        Returns
        -------
        float32 (height, width, 2)
            x/z and y/z in the optical frame, distortion removed.

        Raises
        ------
        CalibrationError
            If the distortion cannot be undone.

        """
        intrinsics = self.intrinsics.scaled_to(width, height)
        if not self.distortion:
            return pinhole_rays(intrinsics)
        try:
            return self._undistorted_rays(intrinsics)
        except cv2.error as error:
            raise CalibrationError(
                f'cannot undo the distortion D={list(self.distortion)}: {error}'
            ) from error

    def _undistorted_rays(self, intrinsics: Intrinsics) -> Rays:
        width, height = intrinsics.width, intrinsics.height
        u, v = np.meshgrid(np.arange(width), np.arange(height))
        pixels = np.stack([u, v], axis=-1).reshape(-1, 1, 2).astype(np.float64)
        undistort = cv2.fisheye.undistortPoints if self.is_fisheye else cv2.undistortPoints
        rays = undistort(pixels, intrinsics.matrix(), np.asarray(self.distortion))
        return np.asarray(rays, np.float32).reshape(height, width, 2)


def fits(info: CameraInfo, width: int, height: int) -> bool:
    """Say whether a camera_info can belong to images of this size."""
    return _image_size(info) in ((width, height), (0, 0))


def describe_size(info: CameraInfo) -> str:
    """Give the image size that a camera_info is for, as text."""
    return '{}x{}'.format(*_image_size(info))


def camera_of(info: CameraInfo, source: IntrinsicsSource, width: int, height: int) -> Camera:
    """
    Give the camera of images of ``width`` x ``height`` pixels.

    Parameters
    ----------
    info : sensor_msgs/CameraInfo
        Calibration; ``fits(info, width, height)`` holds.
    source : {'auto', 'P', 'K'}
        Which matrix describes the images; auto is P, or K when P[0] is 0.
    width, height : int
        Size of the image messages, pixels.

    Raises
    ------
    CalibrationError
        If the matrix is zero or not finite, or D does not fit its model.

    """
    used: Literal['P', 'K'] = source if source != 'auto' else ('P' if info.p[0] != 0 else 'K')
    fx, cx, fy, cy = _numbers(info, used)
    if not all(map(np.isfinite, (fx, fy, cx, cy))) or fx <= 0 or fy <= 0:
        raise CalibrationError(
            f'camera_info {used} has fx={fx}, fy={fy}, cx={cx}, cy={cy}; it must be finite with '
            'fx, fy > 0: calibrate the camera, or set intrinsics_source to the right matrix'
        )
    roi = info.roi
    binning_x, binning_y = _binning(info)
    intrinsics = Intrinsics(
        fx=fx / binning_x,
        fy=fy / binning_y,
        cx=(cx - roi.x_offset + 0.5) / binning_x - 0.5,
        cy=(cy - roi.y_offset + 0.5) / binning_y - 0.5,
        width=width,
        height=height,
    )
    distortion = _distortion(info) if used == 'K' else ()
    is_fisheye = bool(distortion) and info.distortion_model == _FISHEYE
    return Camera(intrinsics, distortion, is_fisheye, used, _notes(info))


def scaled_info(info: CameraInfo, camera: Camera, width: int, height: int) -> CameraInfo:
    """
    Give the camera_info of the depth image, ``width`` x ``height`` pixels.

    K and P are scaled about pixel centres; binning and region of interest are already in the
    numbers and cleared. D, R and the distortion model stay. Stamp and frame are the caller's.

    Parameters
    ----------
    info : sensor_msgs/CameraInfo
        As received; not changed.
    camera : Camera
        ``camera_of(info, ...)``.
    width, height : int
        Size of the depth image.

    """
    scaled = copy.copy(info)
    scaled.header = copy.deepcopy(info.header)
    scaled.width, scaled.height = width, height
    scaled.binning_x = scaled.binning_y = 0
    scaled.roi = RegionOfInterest()
    roi = info.roi
    binning_x, binning_y = _binning(info)
    sx = width / (camera.intrinsics.width * binning_x)
    sy = height / (camera.intrinsics.height * binning_y)
    scaled.k = _scaled_matrix(info.k, 3, sx, sy, roi.x_offset, roi.y_offset)
    scaled.p = _scaled_matrix(info.p, 4, sx, sy, roi.x_offset, roi.y_offset)
    return scaled


def _distortion(info: CameraInfo) -> tuple[float, ...]:
    """
    Give D as OpenCV takes it; empty where there is none.

    A fisheye without coefficients is still no pinhole, so its zeros stay.
    """
    distortion = tuple(map(float, info.d))
    model = info.distortion_model
    if not any(distortion) and model != _FISHEYE:
        return ()
    lengths = _D_LENGTHS.get(model)
    if lengths is None or len(distortion) not in lengths or not np.isfinite(distortion).all():
        raise CalibrationError(
            f'camera_info has distortion model {model!r} with D={list(distortion)}; known are '
            f'{ {name: list(allowed) for name, allowed in _D_LENGTHS.items()} } (numbers in D), '
            'all finite: calibrate the camera, or give rectified images with P'
        )
    return distortion


def _numbers(info: CameraInfo, source: Literal['P', 'K']) -> tuple[float, float, float, float]:
    m, columns = (info.p, 4) if source == 'P' else (info.k, 3)
    return float(m[0]), float(m[2]), float(m[columns + 1]), float(m[columns + 2])


def _scaled_matrix(
    matrix: Sequence[float], columns: int, sx: float, sy: float, x_offset: int, y_offset: int
) -> list[float]:
    """Scale the first two rows of a projection (row-major), pixel centres kept; zeros stay."""
    if not any(matrix):
        return [float(value) for value in matrix]
    m = np.array(matrix, np.float64).reshape(3, columns)
    m[0, 2] -= x_offset
    m[1, 2] -= y_offset
    m[0] *= sx
    m[1] *= sy
    m[0, 2] += 0.5 * sx - 0.5
    m[1, 2] += 0.5 * sy - 0.5
    return [float(value) for value in m.ravel()]


def _binning(info: CameraInfo) -> tuple[int, int]:
    return max(1, info.binning_x), max(1, info.binning_y)


def _image_size(info: CameraInfo) -> tuple[int, int]:
    """Give (width, height) of the images that a camera_info goes with; 0 where it says nothing."""
    binning_x, binning_y = _binning(info)
    width = info.roi.width or info.width
    height = info.roi.height or info.height
    return width // binning_x, height // binning_y


def _notes(info: CameraInfo) -> tuple[str, ...]:
    notes = []
    if (info.binning_x, info.binning_y) not in ((0, 0), (1, 1)):
        notes.append(f'camera_info has binning {info.binning_x}x{info.binning_y}: applied')
    if info.roi.width or info.roi.height or info.roi.x_offset or info.roi.y_offset:
        notes.append(
            f'camera_info has a region of interest {info.roi.width}x{info.roi.height} at '
            f'({info.roi.x_offset}, {info.roi.y_offset}): applied'
        )
    if 0 in (info.width, info.height):
        notes.append('camera_info says no image size: assumed to be for the images as they come')
    if any(info.d) and info.p[0] == 0 and info.k[0] != 0:
        notes.append('camera_info has no P: using K with distortion D, as for unrectified images')
    return tuple(notes)
