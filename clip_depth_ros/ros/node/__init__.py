# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The depth node: the live path from camera topic to depth topics."""
