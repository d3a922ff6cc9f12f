# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What a CameraInfo message says about the pixels that really arrived, and where these look.

Rectified images are described by P, unrectified ones by K with the distortion D. Recordings made
from KITTI hold rectified images under ``image_raw`` with the raw camera's K and D, so P comes
first. P's fourth column (a stereo baseline) is left out: points stay in the camera's own frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.types import Intrinsics
import cv2
import numpy as np
from numpy.typing import NDArray

IntrinsicsSource = Literal['auto', 'P', 'K']

Rays = NDArray[np.float32]
"""Where each pixel looks: float32 (H, W, 2), x/z and y/z in the optical frame."""

_FISHEYE: Final = 'equidistant'
_D_LENGTHS: Final[Mapping[str, tuple[int, ...]]] = {
    '': (4, 5, 8, 12, 14),
    'plumb_bob': (4, 5, 8, 12, 14),
    'rational_polynomial': (8, 12, 14),
    _FISHEYE: (4,),
}
"""Numbers that D may hold for each distortion model; '' is taken as plumb_bob."""


def pinhole_rays(intrinsics: Intrinsics) -> Rays:
    """Return the rays of a camera without distortion, float32 (height, width, 2)."""
    rays = np.empty((intrinsics.height, intrinsics.width, 2), np.float32)
    rays[..., 0] = (np.arange(intrinsics.width) - intrinsics.cx) / intrinsics.fx
    rays[..., 1] = ((np.arange(intrinsics.height) - intrinsics.cy) / intrinsics.fy)[:, np.newaxis]
    return rays


@dataclass(frozen=True, slots=True)
class Camera:
    """
    A camera as its images show it.

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

    def pinhole(self) -> Intrinsics:
        """
        Return the intrinsics of a camera whose images are rectified.

        Raises
        ------
        CalibrationError
            If they are not, so that a pinhole does not describe them.

        """
        if self.distortion:
            raise CalibrationError(
                'camera_info has no P, and a K with distortion D: points would fall beside the '
                'pixels that show them; rectify the images first (image_proc)'
            )
        return self.intrinsics

    def rays(self, width: int, height: int) -> Rays:
        """
        Return where the pixels look when the image is resampled to ``width`` x ``height``.

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
        u, v = np.meshgrid(np.arange(width), np.arange(height))
        pixels = np.stack([u, v], axis=-1).reshape(-1, 1, 2).astype(np.float64)
        undistort = cv2.fisheye.undistortPoints if self.is_fisheye else cv2.undistortPoints
        try:
            rays = undistort(pixels, intrinsics.matrix(), np.asarray(self.distortion))
        except cv2.error as error:
            raise CalibrationError(
                f'cannot undo the distortion D={list(self.distortion)}: {error}'
            ) from error
        return np.asarray(rays, np.float32).reshape(height, width, 2)


@dataclass(frozen=True, slots=True)
class Calibration:
    """
    The content of a ``sensor_msgs/CameraInfo``, its header apart; equal if it says the same.

    Attributes
    ----------
    width, height : int
        Size of the whole image of the sensor, pixels; 0 where the message says nothing.
    distortion_model : str
        How D is meant.
    d, k, r, p : tuple of float
        The matrices, row by row.
    binning : (int, int)
        Pixels of the sensor that one pixel of the image spans, across and down.
    roi : (int, int, int, int)
        Region of interest: left, top, width, height in pixels of the sensor; a size of 0 is all.

    """

    width: int
    height: int
    distortion_model: str
    d: tuple[float, ...]
    k: tuple[float, ...]
    r: tuple[float, ...]
    p: tuple[float, ...]
    binning: tuple[int, int] = (1, 1)
    roi: tuple[int, int, int, int] = (0, 0, 0, 0)

    @classmethod
    def of(cls, info: Any) -> Calibration:
        """Read a ``sensor_msgs/CameraInfo`` of whichever library, rclpy or rosbags."""
        d, k, r, p = (tuple(map(float, numbers)) for numbers in (info.d, info.k, info.r, info.p))
        roi = info.roi
        return cls(
            width=int(info.width),
            height=int(info.height),
            distortion_model=info.distortion_model,
            d=d,
            k=k,
            r=r,
            p=p,
            binning=(max(1, int(info.binning_x)), max(1, int(info.binning_y))),
            roi=(int(roi.x_offset), int(roi.y_offset), int(roi.width), int(roi.height)),
        )

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height of the images that this goes with, pixels; 0 where it says nothing."""
        _, _, roi_width, roi_height = self.roi
        width, height = roi_width or self.width, roi_height or self.height
        return width // self.binning[0], height // self.binning[1]

    def fits(self, width: int, height: int) -> bool:
        """Return whether this can belong to images of ``width`` x ``height`` pixels."""
        own_width, own_height = self.image_size
        return (own_width or width, own_height or height) == (width, height)

    def misfit(self, width: int, height: int) -> str:
        """Return for which images this is, and which came, as text."""
        own_width, own_height = self.image_size
        return f'camera_info is for {own_width}x{own_height} images, got {width}x{height}'

    def camera(self, source: IntrinsicsSource, width: int, height: int) -> Camera:
        """
        Return the camera of images of ``width`` x ``height`` pixels.

        Parameters
        ----------
        source : {'auto', 'P', 'K'}
            Which matrix describes the images; auto is P, or K when P[0] is 0.
        width, height : int
            Size of the image messages, pixels.

        Raises
        ------
        CalibrationError
            If this is for images of another size, the matrix is zero or not finite, or D does not
            fit its model.

        """
        if not self.fits(width, height):
            raise CalibrationError(
                f'{self.misfit(width, height)}: name the camera_info topic of this camera'
            )
        used: Literal['P', 'K'] = source if source != 'auto' else ('P' if self.p[0] != 0 else 'K')
        m, columns = (self.p, 4) if used == 'P' else (self.k, 3)
        fx, cx, fy, cy = m[0], m[2], m[columns + 1], m[columns + 2]
        if not np.isfinite([fx, fy, cx, cy]).all() or fx <= 0 or fy <= 0:
            raise CalibrationError(
                f'camera_info {used} has fx={fx}, fy={fy}, cx={cx}, cy={cy}; it must be finite '
                'with fx, fy > 0: calibrate the camera, or set intrinsics_source to the right '
                'matrix'
            )
        (left, top, _, _), (binning_x, binning_y) = self.roi, self.binning
        intrinsics = Intrinsics(
            fx=fx / binning_x,
            fy=fy / binning_y,
            cx=(cx - left + 0.5) / binning_x - 0.5,
            cy=(cy - top + 0.5) / binning_y - 0.5,
            width=width,
            height=height,
        )
        distortion = self._distortion() if used == 'K' else ()
        is_fisheye = bool(distortion) and self.distortion_model == _FISHEYE
        return Camera(intrinsics, distortion, is_fisheye, used, self._notes())

    def resampled(self, camera: Camera, width: int, height: int) -> Calibration:
        """
        Return the calibration of the camera's images when these are ``width`` x ``height``.

        K and P are scaled about pixel centres; binning and region of interest are then in the
        numbers, and cleared. D, R and the distortion model stay.

        Parameters
        ----------
        camera : Camera
            Of this calibration; says the size of the images as they came.
        width, height : int
            Size after resampling, pixels.

        """
        sx = width / (camera.intrinsics.width * self.binning[0])
        sy = height / (camera.intrinsics.height * self.binning[1])
        return replace(
            self,
            width=width,
            height=height,
            k=_resampled(self.k, self.roi, sx, sy),
            p=_resampled(self.p, self.roi, sx, sy),
            binning=(1, 1),
            roi=(0, 0, 0, 0),
        )

    def _distortion(self) -> tuple[float, ...]:
        """Return D as OpenCV takes it, empty for none; a fisheye of zeros is still no pinhole."""
        model = self.distortion_model
        if not any(self.d) and model != _FISHEYE:
            return ()
        lengths = _D_LENGTHS.get(model)
        if lengths is None or len(self.d) not in lengths or not np.isfinite(self.d).all():
            raise CalibrationError(
                f'camera_info has distortion model {model!r} with D={list(self.d)}; known are '
                f'{ {name: list(allowed) for name, allowed in _D_LENGTHS.items()} } (numbers in '
                'D), all finite: calibrate the camera, or give rectified images with P'
            )
        return self.d

    def _notes(self) -> tuple[str, ...]:
        notes = []
        if self.binning != (1, 1):
            notes.append('camera_info has binning {}x{}: applied'.format(*self.binning))
        if any(self.roi):
            left, top, width, height = self.roi
            notes.append(
                f'camera_info has a region of interest {width}x{height} at ({left}, {top}): '
                'applied'
            )
        if 0 in (self.width, self.height):
            notes.append(
                'camera_info says no image size: assumed to be for the images as they come'
            )
        if any(self.d) and self.p[0] == 0 and self.k[0] != 0:
            notes.append(
                'camera_info has no P: using K with distortion D, as for unrectified images'
            )
        return tuple(notes)


def _resampled(
    matrix: tuple[float, ...], roi: tuple[int, int, int, int], sx: float, sy: float
) -> tuple[float, ...]:
    """Scale the first two rows of a projection, pixel centres kept; one of zeros stays so."""
    if not any(matrix):
        return matrix
    m = np.array(matrix, np.float64).reshape(3, -1)
    m[0, 2] -= roi[0]
    m[1, 2] -= roi[1]
    m[0] *= sx
    m[1] *= sy
    m[0, 2] += 0.5 * sx - 0.5
    m[1, 2] += 0.5 * sy - 0.5
    return tuple(map(float, m.ravel()))
