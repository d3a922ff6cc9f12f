# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The only place that knows rclpy: the depth node, the player and the recorder."""
