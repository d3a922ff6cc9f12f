# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The ``depth_node`` executable.

It makes Fast DDS use the shipped profile before ROS starts, also without the launch file, says
what is missing where there is no ROS, and what is wrong with its arguments.
"""

from __future__ import annotations

import contextlib
import sys

from clip_depth_ros.core.plain_text import printable
from clip_depth_ros.errors import ConfigError, MissingDependencyError
from clip_depth_ros.ros.environment import (
    end_process,
    keep_freed_memory,
    let_threads_sleep,
    needing_ros,
    use_shipped_dds_profile,
)
from clip_depth_ros.ros.usage import usage_text


def main() -> int:
    """Run the node; 1 if ROS 2 is not installed, or does not understand the arguments."""
    if not {'-h', '--help'}.isdisjoint(sys.argv[1:]):
        print(usage_text())
        return 0
    with contextlib.suppress(MissingDependencyError):  # works without, for smaller messages
        use_shipped_dds_profile()
    keep_freed_memory()
    let_threads_sleep()
    try:
        with needing_ros():
            from clip_depth_ros.ros.node.main import main as run_node
        code = run_node()
    except (ConfigError, MissingDependencyError) as error:
        print(f'depth_node: error: {printable(str(error))}', file=sys.stderr)
        return 1
    end_process(code)


if __name__ == '__main__':
    sys.exit(main())
