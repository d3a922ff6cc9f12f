# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings without ROS: read, written, indexed, paired by stamp, with transforms and poses."""
