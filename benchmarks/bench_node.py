# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the node costs beside its model: latency, missed frames and memory, across processes.

Run ``python benchmarks/bench_node.py [--hz 10 30] [--frames 100]``. The node runs in a process of
its own with a constant predictor, so that all that is left is ROS: a KITTI-sized image in; depth,
camera_info, an XYZRGB cloud and a colour image out, over DDS with the shipped profile. Latency is
from publishing an image to receiving its cloud, the biggest and last message.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from typing import Any

from clip_depth_ros.predictor.constant import ConstantPredictor
from clip_depth_ros.ros.environment import use_shipped_dds_profile
from clip_depth_ros.ros.node.messages import rgb_message
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

WIDTH, HEIGHT = 1242, 375


def run_node() -> None:
    """Run the node with a constant predictor until interrupted."""
    from clip_depth_ros.ros.node.node import DepthNode

    rclpy.init()
    node = DepthNode(build_predictor=lambda settings, previous: ConstantPredictor(5.0))
    node.start()
    try:
        rclpy.spin(node)
    except KeyboardInterrupt:
        pass
    finally:
        node.destroy_node()


class World(Node):
    """A camera and a listener on every output."""

    def __init__(self) -> None:
        super().__init__('bench_world')
        self.sent_s: dict[int, float] = {}
        self.latencies_s: list[float] = []
        self.image = self.create_publisher(Image, 'image', 1)
        self.info = self.create_publisher(CameraInfo, 'camera_info', 1)
        self.create_subscription(PointCloud2, 'depth/points', self.on_cloud, 10)
        for topic in ('depth/image_rect', 'depth/image_color'):
            self.create_subscription(Image, topic, lambda message: None, 10, raw=True)
        self.create_subscription(CameraInfo, 'depth/camera_info', lambda message: None, 10)
        rgb = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        self.message = rgb_message(Header(frame_id='camera'), rgb)
        p = [721.5, 0.0, 609.6, 0.0, 0.0, 721.5, 172.9, 0.0, 0.0, 0.0, 1.0, 0.0]
        self.calibration = CameraInfo(width=WIDTH, height=HEIGHT, p=p)

    def on_cloud(self, cloud: Any) -> None:
        """Note how long the cloud's image took."""
        stamp_ns = Time.from_msg(cloud.header.stamp).nanoseconds
        self.latencies_s.append(time.monotonic() - self.sent_s[stamp_ns])

    def send(self) -> None:
        """Publish the next image with its camera_info."""
        stamp_ns = (len(self.sent_s) + 1) * 10**6
        self.message.header.stamp = Time(nanoseconds=stamp_ns).to_msg()
        self.calibration.header = self.message.header
        self.sent_s[stamp_ns] = time.monotonic()
        self.image.publish(self.message)
        self.info.publish(self.calibration)


def measure(world: World, executor: SingleThreadedExecutor, hz: float, n_frames: int) -> None:
    """Send images at a rate and print what came back."""
    world.latencies_s.clear()
    start_s = time.monotonic()
    for i in range(n_frames):
        world.send()
        while (left_s := start_s + (i + 1) / hz - time.monotonic()) > 0:
            executor.spin_once(timeout_sec=left_s)
    until_s = time.monotonic() + 1.0
    while time.monotonic() < until_s:
        executor.spin_once(timeout_sec=0.1)
    p50, p95, p99 = 1e3 * np.percentile(world.latencies_s or [np.nan], [50, 95, 99])
    missed = n_frames - len(world.latencies_s)
    print(
        f'{hz:5.0f} Hz: missed {missed:3d} of {n_frames}, image to cloud p50 {p50:.1f} ms, '
        f'p95 {p95:.1f} ms, p99 {p99:.1f} ms'
    )


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process, MB."""
    with open(f'/proc/{pid}/statm', encoding='ascii') as statm:
        return int(statm.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 1e6


def main() -> None:
    """Measure each rate in turn, and the growth of the node's memory over all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--node', action='store_true', help=argparse.SUPPRESS)
    parser.add_argument('--hz', type=float, nargs='+', default=[10.0, 30.0])
    parser.add_argument('--frames', type=int, default=100)
    args = parser.parse_args()
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    use_shipped_dds_profile()
    if args.node:
        run_node()
        return
    rclpy.init()
    world, executor = World(), SingleThreadedExecutor()
    executor.add_node(world)
    with subprocess.Popen([sys.executable, __file__, '--node']) as node:
        while world.image.get_subscription_count() < 1 or not world.count_publishers(
            'depth/points'
        ):
            executor.spin_once(timeout_sec=0.1)
        time.sleep(1.0)
        measure(world, executor, 10.0, 20)
        warm_mb = resident_mb(node.pid)
        for hz in args.hz:
            measure(world, executor, hz, args.frames)
        print(f'memory of the node: {warm_mb:.0f} MB warm, {resident_mb(node.pid):.0f} MB after')
        node.send_signal(2)
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
