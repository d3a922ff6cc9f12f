# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frozen CLIP and the depth methods on top of it (torch)."""
