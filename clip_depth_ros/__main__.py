# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m clip_depth_ros`` is ``clip-depth``."""

import sys

from clip_depth_ros.cli.main import main

sys.exit(main())
