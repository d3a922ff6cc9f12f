# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
KITTI's odometry sequences with what its LiDAR saw as ground truth, and poses where published.

::

    sequences/NN/{image_2/NNNNNN.png, velodyne/NNNNNN.bin, calib.txt, times.txt}
    poses/NN.txt    12 numbers a line: where cam0 is, as seen from its first frame

Source: the odometry development kit's readme (Geiger, Lenz, Urtasun, CVPR 2012).
"""

from __future__ import annotations

from typing import Final

from clip_depth_ros.sources.kinds.kitti_object import open_kitti_lidar
from clip_depth_ros.sources.kitti_files import odometry_sequences
from clip_depth_ros.sources.registry import Kind

KIND: Final = Kind(
    looks_like='image_2/ beside calib.txt and velodyne/', recognises=odometry_sequences,
    uses={
        'split', 'frame_rate_hz', 'calibration_scaling', 'lidar_min_range_m', 'max_image_pixels',
    },
    opened=open_kitti_lidar,
)
