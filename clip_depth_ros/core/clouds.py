# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Organised point clouds from depth images, and clouds as files."""

from __future__ import annotations

from typing import Any

from clip_depth_ros.core.camera import Rays
from clip_depth_ros.errors import DataError, ImageError
from clip_depth_ros.types import Depth, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray

_FLOATS = {7: 'f4', 8: 'f8'}
"""PointField's datatypes of coordinates."""


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

    Notes
    -----
    Convention: optical frame, x right, y down, z forward (REP 103), metres. Depth that is not a
    finite number, and a pixel without a ray, give a point of three NaN.

    """

    def __init__(self, rays: Rays, *, stride: int = 1, with_rgb: bool = False) -> None:
        self._depth_shape = rays.shape[:2]
        self._stride = stride
        self._x_over_z = np.ascontiguousarray(rays[::stride, ::stride, 0])
        self._y_over_z = np.ascontiguousarray(rays[::stride, ::stride, 1])
        shape = self._x_over_z.shape
        has_ray = np.isfinite(self._x_over_z) & np.isfinite(self._y_over_z)
        self._has_ray = None if has_ray.all() else has_ray
        self._is_known = np.empty(shape, np.bool_)
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
        np.isfinite(kept, out=self._is_known)
        if self._has_ray is not None:
            self._is_known &= self._has_ray
        z.fill(np.nan)
        cv2.copyTo(kept, self._is_known.view(np.uint8), z)
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
