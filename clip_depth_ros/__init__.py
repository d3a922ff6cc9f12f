# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Metric depth and a point cloud from one camera, with CLIP, for ROS 2."""

__version__ = '0.1.0'
