# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The depth node in a process of its own, as on a robot, and one image that it answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
import signal
import subprocess
import sys
import time

from clip_depth_ros.core.camera import Calibration
from clip_depth_ros.core.depth_images import decode_depth
from clip_depth_ros.core.images import rgb_of
from clip_depth_ros.types import Depth
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from ros_harness import camera_info, rgb_image
from sensor_msgs.msg import CameraInfo, Image

_RUN = 'import sys; from clip_depth_ros.ros.depth_node import main; sys.exit(main())'

IMAGE = rgb_of(rgb_image())
INTRINSICS = Calibration.of(camera_info()).camera('auto', 32, 24).intrinsics


def first_depth(domain: int, before: str, settings: Mapping[str, str]) -> tuple[Depth, str]:
    """
    Return the depth of IMAGE by a node with settings, and the files its process has loaded.

    ``before`` is Python that runs there first.
    """
    flags = [word for name, value in settings.items() for word in ('-p', f'{name}:={value}')]
    command = [sys.executable, '-c', f'{before}\n{_RUN}', '--ros-args', *flags]
    with subprocess.Popen(command) as process:
        try:
            depth = _answer(domain, process)
            loaded = Path(f'/proc/{process.pid}/maps').read_text(encoding='utf-8')
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    return decode_depth(depth), loaded


def _answer(domain: int, process: subprocess.Popen[bytes]) -> Image:
    """Send images with their camera until depth comes, and return it."""
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    node, executor = Node('camera', context=context), SingleThreadedExecutor(context=context)
    executor.add_node(node)
    images = node.create_publisher(Image, 'image', 1)
    infos = node.create_publisher(CameraInfo, 'camera_info', 1)
    received: list[Image] = []
    node.create_subscription(Image, 'depth/image_rect', received.append, 1)
    end_s = time.monotonic() + 60
    try:
        while not received:
            assert process.poll() is None, 'the node has ended'
            assert time.monotonic() < end_s, 'timed out'
            infos.publish(camera_info())
            images.publish(rgb_image())
            executor.spin_once(timeout_sec=0.05)
        return received[0]
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
