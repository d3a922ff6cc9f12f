# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The ``depth_node`` executable.

It makes Fast DDS use the shipped profile before ROS starts, also without the launch file, and says
what is missing where there is no ROS.
"""

from __future__ import annotations

import contextlib
import sys

from clip_depth_ros.errors import MissingDependencyError
from clip_depth_ros.ros.environment import end_process, needing_ros, use_shipped_dds_profile


def main() -> int:
    """Run the node; 1 if ROS 2 is not installed."""
    with contextlib.suppress(MissingDependencyError):  # works without, for smaller messages
        use_shipped_dds_profile()
    try:
        with needing_ros():
            from clip_depth_ros.ros.node.node import main as run_node
    except MissingDependencyError as error:
        print(f'depth_node: error: {error}', file=sys.stderr)
        return 1
    end_process(run_node())


if __name__ == '__main__':
    sys.exit(main())
