# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ``depth_node`` executable: says what is missing where there is no ROS."""

from __future__ import annotations

import sys

from clip_depth_ros.ros.missing import needs_ros, ROS_MODULES


def main() -> int:
    """Run the node; 1 if ROS 2 is not installed."""
    try:
        from clip_depth_ros.ros.node import main as run_node
    except ModuleNotFoundError as error:
        if (error.name or '').partition('.')[0] not in ROS_MODULES:
            raise
        print(f'depth_node: error: {needs_ros(error)}', file=sys.stderr)
        return 1
    return run_node()


if __name__ == '__main__':
    sys.exit(main())
