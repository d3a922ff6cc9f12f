# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""PLY files: read back by hand, unknown points left out."""

from __future__ import annotations

import struct

from clip_depth_ros.core.ply import ply_bytes
from clip_depth_ros.errors import DataError
import numpy as np
import pytest


def test_points_and_colours_are_where_the_header_says():
    xyz_m = np.array([[1, 2, 3], [np.nan, 0, 0], [4, 5, 6]], np.float32)
    rgb = np.array([[10, 20, 30], [0, 0, 0], [40, 50, 60]], np.uint8)
    header, _, body = ply_bytes(xyz_m, rgb).partition(b'end_header\n')
    assert header.splitlines()[:2] == [b'ply', b'format binary_little_endian 1.0']
    assert b'element vertex 2' in header
    assert list(struct.iter_unpack('<3f3B', body)) == [
        (1, 2, 3, 10, 20, 30), (4, 5, 6, 40, 50, 60),
    ]


def test_a_cloud_without_known_points_is_an_empty_file_with_a_header():
    data = ply_bytes(np.full((4, 3), np.nan, np.float32), np.zeros((4, 3), np.uint8))
    assert b'element vertex 0' in data
    assert data.endswith(b'end_header\n')


def test_every_point_needs_a_colour():
    with pytest.raises(DataError, match=r'got \(4, 3\), \(3, 3\)'):
        ply_bytes(np.zeros((4, 3), np.float32), np.zeros((3, 3), np.uint8))
