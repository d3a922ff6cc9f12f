# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Coloured points as a PLY file (binary little-endian 1.0), for any mesh viewer."""

from __future__ import annotations

from clip_depth_ros.errors import DataError
import numpy as np
from numpy.typing import NDArray

_VERTEX = np.dtype([
    ('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('red', 'u1'), ('green', 'u1'), ('blue', 'u1'),
])
_NAMES = {'<f4': 'float', '|u1': 'uchar'}


def ply_bytes(xyz_m: NDArray[np.float32], rgb: NDArray[np.uint8]) -> bytes:
    """
    Give the PLY file of a point cloud.

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
    vertices = np.empty(np.count_nonzero(is_known), _VERTEX)
    for column, name in enumerate('xyz'):
        vertices[name] = xyz_m[is_known, column]
    for column, name in enumerate(('red', 'green', 'blue')):
        vertices[name] = rgb[is_known, column]
    return _header(len(vertices)).encode('ascii') + vertices.tobytes()


def _header(count: int) -> str:
    properties = [f'property {_NAMES[_VERTEX[name].str]} {name}' for name in _VERTEX.names or ()]
    return '\n'.join([
        'ply',
        'format binary_little_endian 1.0',
        'comment optical frame: x right, y down, z forward; metres',
        f'element vertex {count}',
        *properties,
        'end_header',
        '',
    ])
