# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What a CameraInfo message says about the pixels that really arrived, and where these look.

Rectified images are described by P, unrectified ones by K with the distortion D; the message does
not say which of the two came. Recordings made from KITTI hold rectified images under ``image_raw``
with the raw camera's K and D, so P comes first. But rectifying changes the matrix: where D bends
and P is K again, or where the lens is a fisheye, P is filling and the images are as the lens shows
them, unless their topic is named as that of rectified ones.

P's fourth column (a stereo baseline) is left out: points stay in the camera's own frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
import re
from typing import Any, Final, Literal

from clip_depth_ros.core.distortion import Distortion, FISHEYE, KNOWN_MODELS
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.types import Intrinsics
import numpy as np
from numpy.typing import NDArray

IntrinsicsSource = Literal['auto', 'P', 'K']

Rays = NDArray[np.float32]
"""Where each pixel looks: float32 (H, W, 2), x/z and y/z in the optical frame."""

_SAME_FOCAL: Final = 1e-3
_SAME_CENTRE_PX: Final = 0.5
"""P is K again within these; rectifying an image moves more than that."""

_RECTIFIED: Final = re.compile(r'(^|[/_])rect(ified)?([/_]|$)')
"""In the names of topics of rectified images, as image_proc has them (image_rect_color)."""

_MISS_PX: Final = 0.01
"""
Rays are NaN where they miss their pixel by more.

What there is an inverse for misses by rounding alone; what would miss by half a pixel, as a model
that was followed beyond its fold does, is no answer.
"""


def pinhole_rays(intrinsics: Intrinsics) -> Rays:
    """Return the rays of a camera without distortion, float32 (height, width, 2)."""
    rays = np.empty((intrinsics.height, intrinsics.width, 2), np.float32)
    rays[..., 0] = (np.arange(intrinsics.width) - intrinsics.cx) / intrinsics.fx
    rays[..., 1] = ((np.arange(intrinsics.height) - intrinsics.cy) / intrinsics.fy)[:, np.newaxis]
    return rays


def patch_rays(intrinsics: Intrinsics, grid: Size) -> Rays:
    """
    Return where the centres of patches look, float32 (N, 2), row by row.

    ``intrinsics`` are those of an image that ``grid`` divides into N patches.
    """
    return pinhole_rays(intrinsics.scaled_to(grid.width, grid.height)).reshape(-1, 2)


@dataclass(frozen=True, slots=True)
class Camera:
    """
    A camera as its images show it.

    Attributes
    ----------
    intrinsics : Intrinsics
        For the size of the images, binning and region of interest applied.
    distortion : Distortion, optional
        Of an unrectified image; None for a rectified one.
    source : {'P', 'K'}
        Which matrix was used.
    notes : tuple of str
        What an operator should know once: what was assumed, binning, region of interest.

    """

    intrinsics: Intrinsics
    distortion: Distortion | None
    source: Literal['P', 'K']
    notes: tuple[str, ...] = ()

    def rays(self, width: int, height: int) -> Rays:
        """
        Return where the pixels look when the image is resampled to ``width`` x ``height``.

        Returns
        -------
        float32 (height, width, 2)
            x/z and y/z in the optical frame, distortion removed. NaN where nothing within 90
            degrees of the axis, and before the distortion model folds, is shown at the pixel.

        """
        intrinsics = self.intrinsics.scaled_to(width, height)
        if self.distortion is None:
            return pinhole_rays(intrinsics)
        rays = self.distortion.undistorted(
            _on_plane(intrinsics, _pixels(width, height)),
            _MISS_PX / max(intrinsics.fx, intrinsics.fy),
        )
        return rays.astype(np.float32).reshape(height, width, 2)

    def shown_at(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """
        Return where the lens shows what it would show at pixels without distortion.

        Parameters
        ----------
        pixels : float64 (N, 2)
            u, v of a pinhole with these intrinsics.

        Returns
        -------
        float64 (N, 2)
            NaN where they are, and from 90 degrees off axis and the fold of the model on.

        """
        if self.distortion is None:
            return pixels
        shown = self.distortion.distorted(_on_plane(self.intrinsics, pixels))
        focal, centre = _focal_and_centre(self.intrinsics)
        return np.asarray(shown * focal + centre, np.float64)


def _focal_and_centre(intrinsics: Intrinsics) -> NDArray[np.float64]:
    return np.array([[intrinsics.fx, intrinsics.fy], [intrinsics.cx, intrinsics.cy]])


def _on_plane(intrinsics: Intrinsics, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return pixels as points of the image plane at focal length 1."""
    focal, centre = _focal_and_centre(intrinsics)
    return np.asarray((pixels - centre) / focal, np.float64)


def _pixels(width: int, height: int) -> NDArray[np.float64]:
    """Return the centres of all pixels, float64 (height * width, 2), row by row."""
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([u, v], axis=-1).reshape(-1, 2).astype(np.float64)


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

    @classmethod
    def pinhole(cls, intrinsics: Intrinsics) -> Calibration:
        """Return that of rectified images of a camera: K and P are one, D is zero."""
        k = intrinsics.matrix()
        return cls(
            width=intrinsics.width,
            height=intrinsics.height,
            distortion_model='plumb_bob',
            d=(0.0,) * 5,
            k=tuple(k.ravel().tolist()),
            r=tuple(np.eye(3).ravel().tolist()),
            p=tuple(np.hstack([k, np.zeros((3, 1))]).ravel().tolist()),
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

    def camera(
        self,
        source: IntrinsicsSource,
        width: int,
        height: int,
        *,
        image_topic: str = '',
        is_scaled: bool = False,
    ) -> Camera:
        """
        Return the camera of images of ``width`` x ``height`` pixels.

        Parameters
        ----------
        source : {'auto', 'P', 'K'}
            Which matrix describes the images. auto: P; or K, with D, when P[0] is 0 or P cannot
            be that of rectified images (see above), which the notes say.
        width, height : int
            Size of the image messages, pixels.
        image_topic : str
            Their topic: names such as image_rect_color are those of rectified images.
        is_scaled : bool
            Whether images may have been resampled from those that this is for.

        Raises
        ------
        CalibrationError
            If this is for images of another size, the matrix is zero or not finite, D does not fit
            its model, or binning leaves nothing.

        """
        fits = self.fits(width, height)
        if not fits and not is_scaled:
            raise CalibrationError(
                f'{self.misfit(width, height)}: name the camera_info of this camera, or set '
                'calibration_scaling if the images were resized'
            )
        used: Literal['P', 'K'] = (
            source if source != 'auto' else self._best(image_topic)
        )
        m, columns = (self.p, 4) if used == 'P' else (self.k, 3)
        fx, cx, fy, cy = m[0], m[2], m[columns + 1], m[columns + 2]
        if not np.isfinite([fx, fy, cx, cy]).all() or fx <= 0 or fy <= 0:
            raise CalibrationError(
                f'camera_info {used} has fx={fx}, fy={fy}, cx={cx}, cy={cy}; it must be finite '
                'with fx, fy > 0: calibrate the camera, or set intrinsics_source to the right '
                'matrix'
            )
        (left, top, _, _), (binning_x, binning_y) = self.roi, self.binning
        if 0 < self.width < binning_x or 0 < self.height < binning_y:
            raise CalibrationError(
                f'camera_info has binning {binning_x}x{binning_y} of {self.width}x{self.height} '
                'pixels: nothing is left; correct it in the driver'
            )
        whole = self.width or width * binning_x, self.height or height * binning_y
        Intrinsics(fx, fy, cx, cy, *whole).checked(f'camera_info {used}')
        intrinsics = Intrinsics(
            fx=fx / binning_x,
            fy=fy / binning_y,
            cx=(cx - left + 0.5) / binning_x - 0.5,
            cy=(cy - top + 0.5) / binning_y - 0.5,
            width=width if fits else self.image_size[0] or width,
            height=height if fits else self.image_size[1] or height,
        )
        distortion = Distortion.of(self.distortion_model, self.d) if used == 'K' else None
        notes = (*self._notes(), *(self._assumed(used, image_topic) if source == 'auto' else ()))
        if not fits:
            intrinsics = intrinsics.scaled_to(width, height)
            notes = (*notes, f'{self.misfit(width, height)}: scaled')
        doubts = () if any(self.roi) else intrinsics.doubts()
        return Camera(intrinsics, distortion, used, (*notes, *doubts))

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

    def _best(self, image_topic: str) -> Literal['P', 'K']:
        """Return the matrix that describes the images."""
        if self.p[0] == 0:
            return 'K'
        if _RECTIFIED.search(image_topic):
            return 'P'
        has_k = self.k[0] > 0 and self.k[4] > 0
        is_fisheye = self.distortion_model == FISHEYE and len(self.d) > 0
        is_raw = is_fisheye or (any(self.d) and self._p_is_k())
        return 'K' if has_k and is_raw else 'P'

    def _p_is_k(self) -> bool:
        """Return whether P is K again, a baseline apart: then nothing was rectified."""
        (fx, _, cx, _, fy, cy), p = self.k[:6], self.p
        return (
            abs(p[0] - fx) <= _SAME_FOCAL * fx and abs(p[5] - fy) <= _SAME_FOCAL * fy
            and abs(p[2] - cx) <= _SAME_CENTRE_PX and abs(p[6] - cy) <= _SAME_CENTRE_PX
        )

    def _assumed(self, used: Literal['P', 'K'], image_topic: str) -> tuple[str, ...]:
        """Return what had to be assumed where the message may be of raw or rectified images."""
        is_bent, p_is_k = any(self.d), self._p_is_k()
        is_plain = self.distortion_model in KNOWN_MODELS - {FISHEYE} or not (
            is_bent or self.distortion_model == FISHEYE
        )
        if self.p[0] == 0 or (is_plain and not is_bent):
            return ()
        if is_plain and not p_is_k and _RECTIFIED.search(image_topic):
            return ()  # nothing speaks against it
        if is_bent and p_is_k:
            has = f'a distortion D and a P that is K{" with a baseline" if self.p[3] else ""}'
        elif is_plain:
            has = 'a distortion D and a P other than K'
        else:
            has = f'distortion model {self.distortion_model!r} and a P'
        taken, other = (
            ('not rectified, K with distortion D is used', 'if they are, set intrinsics_source: P')
            if used == 'K'
            else ('rectified, P is used', 'if they are not, set intrinsics_source: K')
        )
        return (f'camera_info has {has}: images are taken as {taken} ({other})',)

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
