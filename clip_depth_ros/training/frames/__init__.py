# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames on their way to the network: order, size, augmentation, tokens kept on disk."""
