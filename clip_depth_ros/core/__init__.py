# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on plain arrays: numpy only, no files, no torch, no ROS."""
