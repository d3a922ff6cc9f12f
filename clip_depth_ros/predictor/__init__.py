# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RGB in, depth out: the methods behind one seam; start at ``build``."""
