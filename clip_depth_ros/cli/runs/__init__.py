# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What sub-commands do once their flags are read, where that is more than a few calls."""
