# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Names of topics and frames in the recordings that are made here."""

from __future__ import annotations

from typing import Final

IMAGE: Final = '/camera/image_rect_color'
CAMERA_INFO: Final = '/camera/camera_info'
CLOUD: Final = '/velodyne_points'
TF: Final = '/tf'
TF_STATIC: Final = '/tf_static'

TRUE_DEPTH: Final = '/ground_truth/depth'
"""32FC1: metres along the optical axis, +Inf for the sky."""

TRUE_CLASS_IDS: Final = '/ground_truth/class_ids'
"""mono8: one class id for each pixel."""

CAMERA_FRAME: Final = 'camera_color_left_optical_frame'
"""Optical frame: x right, y down, z forward (REP 103)."""

LIDAR_FRAME: Final = 'velodyne'
"""x forward, y left, z up (REP 103)."""

WORLD_FRAME: Final = 'world'
