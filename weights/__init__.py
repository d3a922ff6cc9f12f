# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The making of the bundled weights: start at ``recipe``; not part of the installed package."""
