# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the rendered world looks like; never where anything is: depth and classes stay exact."""
