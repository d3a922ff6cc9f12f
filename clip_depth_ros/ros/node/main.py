# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The process of a depth node: from the arguments of ROS to its end."""

from __future__ import annotations

from collections.abc import Sequence
import re

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.ros.node.node import DepthNode
import rclpy
from rclpy.exceptions import NameValidationException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor


def main(args: Sequence[str] | None = None) -> int:
    """
    Run the node until it is shut down; quiet on Ctrl-C.

    Raises
    ------
    ConfigError
        If ROS cannot understand the arguments, a remapping or parameter file for example.

    """
    _init(args)
    try:
        node = _made()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        try:
            if node.get_parameter('autostart').value:
                node.start()
            # Asked to end while weights were loading, there is nothing to spin.
            if rclpy.ok():
                executor.spin()
        finally:
            node.destroy_node()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()
    return 0


def _init(args: Sequence[str] | None) -> None:
    try:
        rclpy.init(args=None if args is None else list(args))
    except RuntimeError as error:  # rclpy's RCLError is no public name
        raise ConfigError(_explained(error)) from error


def _made() -> DepthNode:
    try:
        return DepthNode()
    except NameValidationException as error:
        raise ConfigError(_explained(error)) from error


def _explained(error: Exception) -> str:
    """Return what ROS says of its arguments, without the places in its source, and what to do."""
    said = re.sub(r', at /\S+:\d+|\. Error: error not set', '', str(error)).strip()
    said = f'unknown arguments {said}' if said.startswith('[') else ' '.join(said.split())
    return (
        f'{said}; arguments read --ros-args -r FROM:=TO -p NAME:=VALUE --params-file FILE, and '
        'names of topics consist of letters, digits, _ and /, with no digit behind a /'
    )
