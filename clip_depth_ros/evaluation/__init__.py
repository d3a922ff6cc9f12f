# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How good depth is: frames and anybody's answers in, metrics with their protocol out."""
