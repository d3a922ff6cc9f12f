# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the node costs beside its model: latency, missed frames and memory, across processes.

Run ``python benchmarks/bench_node.py [--hz 10 30] [--frames 100]``. The node runs in a process of
its own with a constant predictor, so that all that is left is ROS: a KITTI-sized image in; depth,
camera_info, an XYZRGB cloud and a colour image out, over DDS with the shipped profile. Latency is
from publishing an image to receiving its depth, the first message, and its cloud, the biggest and
last one.

``--late-ms 50`` lets every camera_info come so long after its image; ``--model-ms`` is what the
predictor takes. ``--against FOLDER`` starts a second node beside the first, of another checkout of
this package, and feeds both by turns: what a change costs shows as a ratio.
"""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Sequence
import contextlib
import os
from pathlib import Path
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
MEASURED = ('depth', 'cloud')


def run_node(namespace: str, model_s: float) -> None:
    """Run the node with a constant predictor until interrupted."""
    from clip_depth_ros.ros.node.node import DepthNode

    rclpy.init()
    node = DepthNode(
        build_predictor=lambda settings, previous: ConstantPredictor(5.0, model_s),
        namespace=namespace,
    )
    node.start()
    try:
        rclpy.spin(node)
    except KeyboardInterrupt:
        pass
    finally:
        node.destroy_node()


class World(Node):
    """A camera and a listener on every output of a node, in the node's namespace."""

    def __init__(self, namespace: str, late_s: float) -> None:
        super().__init__('bench_world', namespace=namespace)
        self.late_s = late_s
        self.sent_s: dict[int, float] = {}
        self.latencies_s: dict[str, list[float]] = {name: [] for name in MEASURED}
        self.image = self.create_publisher(Image, 'image', 1)
        self.info = self.create_publisher(CameraInfo, 'camera_info', 1)
        self.create_subscription(
            Image, 'depth/image_rect', lambda depth: self.note('depth', depth), 10
        )
        self.create_subscription(
            PointCloud2, 'depth/points', lambda cloud: self.note('cloud', cloud), 10
        )
        self.create_subscription(Image, 'depth/image_color', lambda image: None, 10, raw=True)
        self.create_subscription(CameraInfo, 'depth/camera_info', lambda message: None, 10)
        rgb = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        self.message = rgb_message(Header(frame_id='camera'), rgb)
        self._due: deque[tuple[float, int]] = deque()

    def note(self, name: str, message: Any) -> None:
        """Note how long the answer to an image took."""
        stamp_ns = Time.from_msg(message.header.stamp).nanoseconds
        self.latencies_s[name].append(time.monotonic() - self.sent_s[stamp_ns])

    def send(self) -> None:
        """Publish the next image; its camera_info is due, at once or later."""
        stamp_ns = (len(self.sent_s) + 1) * 10**6
        self.message.header.stamp = Time(nanoseconds=stamp_ns).to_msg()
        self.sent_s[stamp_ns] = time.monotonic()
        self.image.publish(self.message)
        self._due.append((self.sent_s[stamp_ns] + self.late_s, stamp_ns))
        self.send_due()

    def send_due(self) -> None:
        """Publish each camera_info whose time has come."""
        p = [721.5, 0.0, 609.6, 0.0, 0.0, 721.5, 172.9, 0.0, 0.0, 0.0, 1.0, 0.0]
        while self._due and self._due[0][0] <= time.monotonic():
            header = Header(frame_id='camera')
            header.stamp = Time(nanoseconds=self._due.popleft()[1]).to_msg()
            self.info.publish(CameraInfo(header=header, width=WIDTH, height=HEIGHT, p=p))


def measure(
    worlds: Sequence[World], executor: SingleThreadedExecutor, hz: float, n_frames: int
) -> None:
    """Send images at a rate to each node, by turns, and print what came back."""
    def spin_until(until_s: float) -> None:
        while (left_s := until_s - time.monotonic()) > 0:
            for world in worlds:
                world.send_due()
            executor.spin_once(timeout_sec=min(left_s, 0.002))

    for world in worlds:
        for latencies_s in world.latencies_s.values():
            latencies_s.clear()
    start_s = time.monotonic()
    for turn in range(n_frames * len(worlds)):
        worlds[turn % len(worlds)].send()
        spin_until(start_s + (turn + 1) / (hz * len(worlds)))
    spin_until(time.monotonic() + 1.0)
    for world in worlds:
        report(world, hz, n_frames)
    if len(worlds) > 1:
        for name in MEASURED:
            ours, theirs = (np.median(world.latencies_s[name]) for world in worlds)
            print(f'{hz:5.0f} Hz, image to {name}: p50 {ours / theirs:.3f} times that against')


def report(world: World, hz: float, n_frames: int) -> None:
    """Print what came back of one node."""
    for name in MEASURED:
        latencies_s = world.latencies_s[name]
        p50, p95, p99 = 1e3 * np.percentile(latencies_s or [np.nan], [50, 95, 99])
        print(
            f'{hz:5.0f} Hz {world.get_namespace()}, image to {name}: missed '
            f'{n_frames - len(latencies_s):3d} of {n_frames}, p50 {p50:.1f} ms, p95 {p95:.1f} ms, '
            f'p99 {p99:.1f} ms'
        )


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process, MB."""
    with open(f'/proc/{pid}/statm', encoding='ascii') as statm:
        return int(statm.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 1e6


@contextlib.contextmanager
def started(namespace: str, model_ms: float, folder: Path) -> Any:
    """Provide the process of a node of the checkout in a folder; ended afterwards."""
    command = [sys.executable, __file__, '--node', namespace, '--model-ms', str(model_ms)]
    environment = {**os.environ, 'PYTHONPATH': str(folder)}
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield process
        finally:
            process.send_signal(2)


def main() -> None:
    """Measure each rate in turn, and the growth of the node's memory over all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--node', metavar='NAMESPACE', help=argparse.SUPPRESS)
    parser.add_argument('--hz', type=float, nargs='+', default=[10.0, 30.0])
    parser.add_argument('--frames', type=int, default=100)
    parser.add_argument('--late-ms', type=float, default=0.0)
    parser.add_argument('--model-ms', type=float, default=0.0)
    parser.add_argument('--against', metavar='FOLDER', type=Path)
    args = parser.parse_args()
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    use_shipped_dds_profile()
    if args.node:
        run_node(args.node, args.model_ms / 1e3)
        return
    rclpy.init()
    folders = {'this': Path(__file__).resolve().parents[1]}
    if args.against:
        folders['against'] = args.against.resolve()
    worlds = [World(name, args.late_ms / 1e3) for name in folders]
    executor = SingleThreadedExecutor()
    for world in worlds:
        executor.add_node(world)
    with contextlib.ExitStack() as stack:
        nodes = [
            stack.enter_context(started(name, args.model_ms, folder))
            for name, folder in folders.items()
        ]
        while not all(
            world.image.get_subscription_count() and world.count_publishers('depth/points')
            for world in worlds
        ):
            executor.spin_once(timeout_sec=0.1)
        time.sleep(1.0)
        measure(worlds, executor, 10.0, 20)
        warm_mb = [resident_mb(node.pid) for node in nodes]
        for hz in args.hz:
            measure(worlds, executor, hz, args.frames)
        for name, node, mb in zip(folders, nodes, warm_mb, strict=True):
            print(f'memory of {name}: {mb:.0f} MB warm, {resident_mb(node.pid):.0f} MB after')
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
