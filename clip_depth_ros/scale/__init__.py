# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scale of depth held against what is known besides: a height, a LiDAR, a depth camera."""
