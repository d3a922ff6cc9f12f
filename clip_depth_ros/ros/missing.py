# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What to say where ROS 2 is not installed; imports nothing of it."""

from __future__ import annotations

ROS_MODULES = frozenset({
    'builtin_interfaces', 'diagnostic_msgs', 'rcl_interfaces', 'rclpy', 'rosgraph_msgs',
    'sensor_msgs', 'std_msgs',
})
"""Top-level modules that come with ROS 2 and with nothing else."""


def needs_ros(error: ModuleNotFoundError) -> str:
    """Say what to do when a module of ROS 2 is not there."""
    return (
        f'this needs ROS 2 and {error.name!r} is not installed: source your distro '
        "(source /opt/ros/<distro>/setup.bash), or pip install 'clip_depth_ros[ros]'"
    )
