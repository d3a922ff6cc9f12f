# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Points of a LiDAR seen by a camera, the sparse depth image they make, and a picture of that.

Where a camera's projection is given in two parts, its matrix K and the pose T of the points, P is
``K T``; where it is given whole (KITTI's P_rect with its fourth column, times the pose of the
points in the *reference* camera), P is that. Never both: the fourth column is part of the pose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import CalibrationError, DataError
from clip_depth_ros.types import Depth, Intrinsics, Rgb
import numpy as np
from numpy.typing import NDArray

Projection = NDArray[np.float64]
"""float64 (3, 4): takes points (x, y, z, 1) to (u z', v z', z'), z' metres along the axis."""

Pixels = NDArray[np.float64]
"""float64 (N, 2): u, v."""

LidarValue = Literal['z', 'forward']
"""What a point of a LiDAR stands for; see :func:`sparse_depth`."""

LidarPixel = Literal['nearest', 'minus-one']
"""Where a point of a LiDAR falls; see :func:`sparse_depth`."""


def projection_matrix(intrinsics: Intrinsics, T_camera_points: NDArray[np.float64]) -> Projection:
    """
    Return the projection of a camera, as without distortion, for points of another frame.

    ``T_camera_points``, float64 (4, 4), takes these points to the camera's optical frame.
    """
    return intrinsics.matrix() @ T_camera_points[:3]


def project(
    points: NDArray[Any], P: Projection
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return where points are seen.

    Parameters
    ----------
    points : float (N, 3 or more)
        x, y, z in metres; what follows (intensity) is not used.
    P : float64 (3, 4)
        See ``Projection``.

    Returns
    -------
    pixels : float64 (N, 2)
        u, v; the centre of pixel (0, 0) is at (0, 0). NaN for points that are not in front.
    depth_m : float64 (N,)
        Metres along the optical axis; negative behind the camera, NaN where a point is.

    Raises
    ------
    CalibrationError
        If P is no projection whose third row gives metres.
    DataError
        If the points have another shape.

    """
    is_projection = P.shape == (3, 4) and np.isfinite(P).all()
    if not is_projection or not np.isclose(np.linalg.norm(P[2, :3]), 1, atol=1e-3):
        raise CalibrationError(
            'a projection must be finite, 3 x 4, with a third row of unit direction so that it '
            f'gives metres, got {P.tolist()}'
        )
    if points.ndim != 2 or points.shape[1] < 3:
        raise DataError(f'points must be (N, 3) or (N, 4), got {points.shape}')
    # LiDARs mark lost returns by NaN or Inf: what becomes of those is NaN, not worth a warning.
    with np.errstate(invalid='ignore', over='ignore'):
        seen = points[:, :3].astype(np.float64) @ P[:, :3].T + P[:, 3]
        depth_m = seen[:, 2]
        in_front = depth_m > 0
        pixels = np.full((len(points), 2), np.nan)
        pixels[in_front] = seen[in_front, :2] / depth_m[in_front, np.newaxis]
    return pixels, depth_m


def is_near(points: NDArray[Any], min_range_m: float) -> NDArray[np.bool_]:
    """
    Return which points, float (N, 3 or more), are no returns of a LiDAR at the origin, bool (N,).

    They are nearer than ``min_range_m``, its blind zone, or at (0, 0, 0), which drivers give for
    what never came back. Points that are not finite are neither.
    """
    with np.errstate(over='ignore', invalid='ignore'):
        range_m = np.linalg.norm(points[:, :3].astype(np.float64), axis=1)
    return np.asarray((range_m < min_range_m) | (range_m == 0), np.bool_)


def sparse_depth(
    points: NDArray[Any],
    P: Projection,
    size: Size,
    *,
    value: LidarValue = 'z',
    pixel: LidarPixel = 'nearest',
    shown_at: Callable[[Pixels], Pixels] | None = None,
) -> Depth:
    """
    Return the depth image that points make, float32 (H, W), metres; 0 where no point falls.

    Of those that fall on a pixel, the nearest counts.
    A LiDAR above the camera also sees what is hidden from it; keeping the nearest point of each
    pixel (a z-buffer) removes such points only where something nearer was hit on the same pixel.

    Parameters
    ----------
    points : float (N, 3 or more)
        x, y, z in metres; points that are not finite, behind the camera or outside of the image
        are left out.
    P : float64 (3, 4)
        See ``Projection``.
    size : Size
        Of the image.
    value : {'z', 'forward'}
        What a point stands for: its depth along the camera's axis, or, as in monodepth2's ground
        truth, its x, forward in the LiDAR, which sits behind the camera and so has it farther
        (KITTI: by 0.27 m). Points behind the LiDAR are then left out.
    pixel : {'nearest', 'minus-one'}
        Where a point falls: on the pixel whose centre is nearest (halves go right and down); or,
        as in monodepth2's ground truth, on round(u) - 1, round(v) - 1 (halves go to the even
        number), which is one pixel to the left and above.
    shown_at : callable, optional
        Moves pixels of P to where a lens with distortion shows them, NaN if nowhere: see
        :meth:`Camera.shown_at`.

    Raises
    ------
    CalibrationError, DataError
        As :func:`project` does.

    """
    pixels, depth_m = project(points, P)
    if shown_at is not None:
        pixels = shown_at(pixels)
    columns, rows = (np.floor(pixels + 0.5) if pixel == 'nearest' else np.rint(pixels) - 1).T
    # Comparisons with NaN are false, so points behind the camera and NaN fall out here.
    inside = (columns >= 0) & (columns < size.width) & (rows >= 0) & (rows < size.height)
    inside &= np.isfinite(depth_m)
    value_m = depth_m if value == 'z' else points[:, 0].astype(np.float64)
    inside &= value_m >= 0
    nearest = np.full(size, np.inf)
    where = (rows[inside].astype(np.intp), columns[inside].astype(np.intp))
    np.minimum.at(nearest, where, value_m[inside])
    return np.where(np.isfinite(nearest), nearest, 0).astype(np.float32)


_SPARSE: Final = 0.3
"""Truth that covers a smaller share of the image is drawn as dots."""

_GREY: Final = (0.3, 100)
"""Factor and offset of the grey below the dots: both light and dark dots must stand out."""

_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
_DOT_PX: Final = 1.5


def on_truth(rgb: Rgb, in_colors: Rgb, gt_m: Depth, shown_px: int) -> Rgb:
    """
    Return colours, or where the truth is sparse, dots of them on the image in grey.

    All are of one size: uint8 (H, W, 3), and float32 (H, W), NaN where there is no truth. The dots
    are large enough to be seen in a picture that is ``shown_px`` wide.
    """
    is_sparse = bool(np.isfinite(gt_m).mean() < _SPARSE)
    return dotted(rgb, in_colors, gt_m, shown_px) if is_sparse else in_colors


def dotted(rgb: Rgb, in_colors: Rgb, gt_m: Depth, shown_px: int) -> Rgb:
    """Return the image in grey with a coloured dot wherever there is truth; near dots on top."""
    rows, columns = np.nonzero(np.isfinite(gt_m))
    far_first = np.argsort(-gt_m[rows, columns], kind='stable')
    rows, columns = rows[far_first], columns[far_first]
    dots = _dot(_DOT_PX * max(1.0, gt_m.shape[1] / shown_px))
    y = (rows[:, np.newaxis] + dots[:, 0]).ravel()
    x = (columns[:, np.newaxis] + dots[:, 1]).ravel()
    seen = np.repeat(in_colors[rows, columns], len(dots), axis=0)
    inside = (y >= 0) & (y < gt_m.shape[0]) & (x >= 0) & (x < gt_m.shape[1])
    factor, offset = _GREY
    grey = (rgb @ _LUMA)[..., np.newaxis] * factor + offset
    shown = np.repeat(grey.astype(np.uint8), 3, axis=2)
    # Of several colours for one pixel NumPy keeps the last, which is the nearest.
    shown[y[inside], x[inside]] = seen[inside]
    return shown


def _dot(radius: float) -> NDArray[np.intp]:
    """Return the pixels of a dot about its centre, int (n, 2): rows and columns."""
    reach = int(radius)
    offsets = np.mgrid[-reach:reach + 1, -reach:reach + 1].reshape(2, -1).T.astype(np.intp)
    within: NDArray[np.intp] = offsets[np.hypot(*offsets.T) <= radius]
    return within
