# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo: the real node on a recording, and what came out."""

SYNTHETIC_FRAMES = 40
SYNTHETIC_HZ = 2.0
"""Images a second of the drive: two cores answer them in both nodes."""
