# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Organised point clouds from depth images, and clouds as files."""

from __future__ import annotations

from dataclasses import dataclass
import math
from typing import Any, Final

from clip_depth_ros.core.camera import Rays
from clip_depth_ros.errors import DataError, ImageError
from clip_depth_ros.types import Depth, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray

_FLOATS = {7: 'f4', 8: 'f8'}
"""PointField's datatypes of coordinates."""

_FAR: Final = np.finfo(np.float32).max

_HALF_OF_THE_NEIGHBOURS: Final = [
    (far * down, far * right)
    for far in (2, 4) for down, right in ((0, 1), (1, -1), (1, 0), (1, 1))
]
"""Of a pixel, rows down and columns to the right: each has the pixel on its other side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """
    Which points are kept, and what is put in where nothing was seen.

    Attributes
    ----------
    min_range_m, max_range_m : float
        Distances from the camera, in any direction.
    min_height_m, max_height_m : float
        Heights above ground.
    camera_height_m, camera_pitch_deg : float
        How the camera stands there: the pitch is that of its axis below the horizon.
    min_support : float
        Share of the neighbours of a point that is kept that must lie at its depth.
    clear_range_m : float
        Distance of the point that is put in where nothing is within range; infinite: none is.

    """

    min_range_m: float = 0.0
    max_range_m: float = math.inf
    min_height_m: float = -math.inf
    max_height_m: float = math.inf
    camera_height_m: float = 0.0
    camera_pitch_deg: float = 0.0
    min_support: float = 0.0
    clear_range_m: float = math.inf

    def depths(self, rays: Rays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """
        Return the nearest and farthest depth of what is kept along each ray, float32 (H, W).

        Both range and height grow evenly with depth, so what is kept of a ray is one piece of it;
        nothing is where the first is beyond the second, as for a ray of NaN.
        """
        length = _lengths(rays)
        low, high = self.depths_of_heights(rays)
        near = np.maximum(self.min_range_m / length, low)
        far = np.minimum(self.max_range_m / length, high)
        is_known = np.isfinite(length)
        near = np.where(is_known, np.clip(near, -_FAR, _FAR), _FAR)
        far = np.where(is_known, np.clip(far, -_FAR, _FAR), -_FAR)
        return near.astype(np.float32), far.astype(np.float32)

    def clearing(self, rays: Rays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """
        Return the depth from which on a ray is clear, and that of the point put in, (H, W).

        No point is put in at a height that is not kept: a costmap in two dimensions would take a
        look over a thing for one through it.
        """
        length = _lengths(rays)
        low, high = self.depths_of_heights(rays)
        put_in = np.where(np.isfinite(length), self.clear_range_m / length, np.nan)
        beyond = np.clip(self.max_range_m / length, 0, _FAR)
        is_kept = (low <= put_in) & (put_in <= high)
        beyond = np.where(is_kept, beyond, np.inf)
        return beyond.astype(np.float32), put_in.astype(np.float32)

    def depths_of_heights(
        self, rays: Rays
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return between which depths each ray is in the band of heights, float64 (H, W)."""
        down = level(rays, self.camera_pitch_deg)[1]
        with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
            ends = [
                (self.camera_height_m - height_m) / down
                for height_m in (self.max_height_m, self.min_height_m)
            ]
        is_in = self.min_height_m <= self.camera_height_m <= self.max_height_m
        low = np.where(down == 0, -np.inf if is_in else np.inf, np.minimum(*ends))
        high = np.where(down == 0, np.inf if is_in else -np.inf, np.maximum(*ends))
        return low, high


def _lengths(rays: Rays) -> NDArray[np.float32]:
    """Return how far rays go for each metre of depth, (H, W); NaN where there is none."""
    lengths: NDArray[np.float32] = np.sqrt(1 + np.square(rays).sum(axis=2))
    return lengths


def level(rays: Rays, pitch_deg: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far rays go forward and down for each metre of depth, float64 (H, W) both."""
    cos, sin = math.cos(math.radians(pitch_deg)), math.sin(math.radians(pitch_deg))
    y_over_z = rays[..., 1].astype(np.float64)
    return cos - sin * y_over_z, sin + cos * y_over_z


class CloudBuilder:
    """
    Points from depth images of one camera, with the rays computed once and buffers reused.

    Parameters
    ----------
    rays : float32 (H, W, 2)
        Where the pixels of the depth image look; NaN where that is not known.
    stride : int
        Keep every ``stride``-th row and column, starting with the first.
    with_rgb : bool
        Append the colour, packed as RViz and PCL expect it.
    crop : Crop, optional
        Which points are kept, and what is put in where nothing was seen; all and nothing.

    Notes
    -----
    Convention: optical frame, x right, y down, z forward (REP 103), metres. Depth that is not a
    finite number, a pixel without a ray, and what is cropped give a point of three NaN.

    """

    def __init__(
        self, rays: Rays, *, stride: int = 1, with_rgb: bool = False, crop: Crop | None = None
    ) -> None:
        self._depth_shape = rays.shape[:2]
        self._stride = stride
        self._x_over_z = np.ascontiguousarray(rays[::stride, ::stride, 0])
        self._y_over_z = np.ascontiguousarray(rays[::stride, ::stride, 1])
        shape = self._x_over_z.shape
        crop, kept = crop or Crop(), rays[::stride, ::stride]
        self._near, self._far = crop.depths(kept)
        self._clearing = None if math.isinf(crop.clear_range_m) else crop.clearing(kept)
        self._lonely = LonelyPoints(shape, crop.min_support) if crop.min_support else None
        self._is_kept = np.empty(shape, np.uint8)
        self._fields = [np.empty(shape, np.float32) for _ in range(4 if with_rgb else 3)]
        self._points = np.empty((*shape, len(self._fields)), np.float32)

    def build(self, depth_m: Depth, rgb: Rgb | None = None) -> NDArray[np.float32]:
        """
        Return the points of a depth image, float32 (H', W', 3 or 4): x, y, z (, rgb).

        The buffer is reused by the next call: copy what must last.

        Parameters
        ----------
        depth_m : float32 (H, W)
            Metres along z.
        rgb : uint8 (H, W, 3), optional
            Colours; needed when built ``with_rgb``. The fourth field then holds the bytes
            0x00RRGGBB seen as float32.

        Raises
        ------
        ImageError
            If the depth or colour image has another size than the rays.

        """
        self._check_size('depth', depth_m.shape)
        x, y, z = self._fields[:3]
        kept = np.ascontiguousarray(depth_m[:: self._stride, :: self._stride])
        cv2.inRange(kept, self._near, self._far, self._is_kept)  # nor is a mark of depth
        z.fill(np.nan)
        cv2.copyTo(kept, self._is_kept, z)
        if self._lonely:
            np.copyto(z, np.nan, where=self._lonely.among(z))
        if self._clearing:
            beyond, put_in = self._clearing
            np.copyto(z, put_in, where=kept > beyond)
        np.multiply(self._x_over_z, z, out=x)
        np.multiply(self._y_over_z, z, out=y)
        if len(self._fields) == 4:
            self._fill_rgb(rgb)
        # Field by field, and interleaved at once: numpy writes with strides half as fast.
        cv2.merge(self._fields, self._points)
        return self._points

    def _fill_rgb(self, rgb: Rgb | None) -> None:
        if rgb is None:
            raise ImageError('this cloud has colours and needs the image, got none')
        self._check_size('colour', rgb.shape[:2])
        packed = self._fields[3].view(np.uint8).reshape(*self._fields[3].shape, 4)
        kept = np.ascontiguousarray(rgb[:: self._stride, :: self._stride])
        # Little-endian 0x00RRGGBB is blue, green, red, 0 in memory; OpenCV writes 255 for the 0.
        cv2.cvtColor(kept, cv2.COLOR_RGB2BGRA, packed)
        self._fields[3].view('<u4')[...] &= np.uint32(0x00FFFFFF)

    def _check_size(self, name: str, shape: tuple[int, ...]) -> None:
        if shape != self._depth_shape:
            raise ImageError(
                f'{name} image must be {self._depth_shape} as the rays are (rows, columns), '
                f'got {shape}'
            )


class LonelyPoints:
    """
    Finds the points of an organised cloud that have few others about them.

    16 neighbours, in a star of 9x9 pixels, are asked whether they lie in the same piece of depth
    or one beside it. Pieces grow with depth, an eighth of a doubling each, as the distance
    between points does: in cubes of metres, everything far would be lonely.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the cloud.
    min_support : float
        Share of the neighbours, those inside the cloud, that must be there.

    """

    def __init__(self, shape: tuple[int, int], min_support: float) -> None:
        self._n_near = np.empty(shape, np.uint8)
        self._count(np.zeros(shape, np.uint8))
        self._wanted = np.ceil(min_support * self._n_near).astype(np.uint8)

    def among(self, z: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which of the depths, float32 (H, W), are lonely; NaN is company to none."""
        # The exponent of a float32 and three bits of its mantissa are its logarithm, nearly; of
        # NaN they are 252, as those of 9 cm, which no camera sees.
        self._count((z.view(np.int32) >> 20).astype(np.uint8))
        return np.asarray(self._n_near < self._wanted, np.bool_)

    def _count(self, piece: NDArray[np.uint8]) -> None:
        """Count the neighbours in the piece of each pixel or beside it, uint8 (H, W)."""
        height, width = piece.shape
        self._n_near.fill(0)
        for down, right in _HALF_OF_THE_NEIGHBOURS:
            if down >= height or abs(right) >= width:
                continue
            first, left = max(0, -right), max(0, right)
            here = np.s_[:height - down, first:width - left]
            there = np.s_[down:, left:width - first]
            step = cv2.absdiff(piece[here], piece[there])
            is_near = np.asarray(cv2.threshold(step, 1, 1, cv2.THRESH_BINARY_INV)[1], np.uint8)
            self._n_near[here] += is_near
            self._n_near[there] += is_near


def points_of(cloud: Any) -> NDArray[np.float64]:
    """
    Return the points of a ``sensor_msgs/PointCloud2``, float64 (N, 3), in its frame.

    Raises
    ------
    DataError
        If x, y or z is missing or no floating-point number, or the message is truncated.

    """
    fields = {field.name: field for field in cloud.fields}
    if not all(name in fields and fields[name].datatype in _FLOATS for name in 'xyz'):
        raise DataError(
            f'a cloud needs fields x, y, z of float32 or float64, has {sorted(fields)}'
        )
    order = '>' if cloud.is_bigendian else '<'
    offsets = [fields[name].offset for name in 'xyz']
    try:
        point = np.dtype({
            'names': ['x', 'y', 'z'],
            'formats': [order + _FLOATS[fields[name].datatype] for name in 'xyz'],
            'offsets': offsets,
            'itemsize': cloud.point_step,
        })
    except ValueError as error:
        raise DataError(
            f'x, y, z of a cloud should be within points of {cloud.point_step} bytes, are at '
            f'{offsets}: the message is damaged'
        ) from error
    rows = _rows_of(cloud)
    points = np.ascontiguousarray(rows).reshape(-1).view(point)
    return np.stack([points[name].astype(np.float64) for name in 'xyz'], axis=1)


def points_of_scan(scan: Any) -> NDArray[np.float64]:
    """
    Return the points of a ``sensor_msgs/LaserScan``, float64 (N, 3), in its frame, z = 0.

    Ranges that are no numbers, or not from ``range_min`` to ``range_max``, are no points.
    """
    ranges = np.asarray(scan.ranges, np.float64)
    with np.errstate(invalid='ignore'):
        is_point = (ranges >= scan.range_min) & (ranges <= scan.range_max) & np.isfinite(ranges)
    angles = scan.angle_min + scan.angle_increment * np.flatnonzero(is_point)
    flat = ranges[is_point] * np.array([np.cos(angles), np.sin(angles)])
    return np.asarray(np.vstack([flat, np.zeros_like(flat[:1])]).T, np.float64)


def _rows_of(cloud: Any) -> NDArray[np.uint8]:
    """
    Return the rows of a cloud without what is behind them, uint8 (height, row).

    ``row_step`` counts only where the length of the data leaves it open: drivers leave it 0, or
    state that of another cloud.
    """
    height, row_bytes, row_step = cloud.height, cloud.width * cloud.point_step, cloud.row_step
    raw = np.frombuffer(cloud.data, np.uint8)
    if height == 1 or raw.size == height * row_bytes:
        row_step = row_bytes
    if raw.size < height * row_bytes:
        raise DataError(
            f'a cloud of {cloud.width}x{height} points of {cloud.point_step} bytes needs '
            f'{height * row_bytes} bytes, has {raw.size}: the message is truncated'
        )
    if row_step < row_bytes or raw.size < (height - 1) * row_step + row_bytes:
        raise DataError(
            f'a cloud of {cloud.width}x{height} points of {cloud.point_step} bytes has rows of '
            f'{row_bytes} bytes, its row_step is {row_step} and its data {raw.size} bytes: these '
            'do not fit each other; correct row_step where the cloud is published'
        )
    return np.lib.stride_tricks.as_strided(
        raw, (height, row_bytes), (row_step, 1), writeable=False
    )


def ply_bytes(xyz_m: NDArray[np.float32], rgb: NDArray[np.uint8]) -> bytes:
    """
    Return the PLY file of a point cloud.

    Parameters
    ----------
    xyz_m : float32 (N, 3)
        Points in metres; those that are not finite are left out.
    rgb : uint8 (N, 3)
        Their colours.

    Raises
    ------
    DataError
        If there are not as many colours as points.

    """
    if xyz_m.shape != rgb.shape or xyz_m.ndim != 2 or xyz_m.shape[1] != 3:
        raise DataError(f'a PLY needs (N, 3) points and colours, got {xyz_m.shape}, {rgb.shape}')
    is_known = np.isfinite(xyz_m).all(axis=1)
    vertices = np.empty(np.count_nonzero(is_known), [('xyz_m', '<f4', 3), ('rgb', 'u1', 3)])
    vertices['xyz_m'], vertices['rgb'] = xyz_m[is_known], rgb[is_known]
    header = [
        'ply',
        'format binary_little_endian 1.0',
        'comment optical frame: x right, y down, z forward; metres',
        f'element vertex {len(vertices)}',
        *(f'property float {name}' for name in 'xyz'),
        *(f'property uchar {name}' for name in ('red', 'green', 'blue')),
        'end_header',
        '',
    ]
    return '\n'.join(header).encode('ascii') + vertices.tobytes()
