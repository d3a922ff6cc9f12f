# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bins, temperature and words of DepthCLIP, fitted to a place from a handful of frames."""
