# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the node costs beside its model: latency, missed frames and memory, across processes.

Run ``python benchmarks/bench_node.py [--hz 10 30] [--frames 100]``. The node runs in a process of
its own with a constant predictor, so that all that is left is ROS: a KITTI-sized image in; depth,
camera_info, an XYZRGB cloud and a colour image out, over DDS with the shipped profile. Latency is
from publishing an image to receiving its depth, the first message, and its cloud, the biggest one.

Beside it runs ``echo``, which computes nothing: it answers each image with messages of these sizes
that are ready. What is left of the latency after its is the node's own; the rest is that of DDS,
of rclpy and of the listener. They are fed by turns, some images each, so that both see the same
load of the machine.

``--late-ms 50`` lets every camera_info come so long after its image; ``--model-ms`` is what the
predictor takes. ``--against FOLDER`` starts another node, of another checkout of this package,
which has its turns as well: what a change costs shows as a ratio.
"""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Sequence
import contextlib
import os
from pathlib import Path
import struct
import subprocess
import sys
import time
from typing import Any

from clip_depth_ros.predictor.constant import ConstantPredictor
from clip_depth_ros.ros.environment import use_shipped_dds_profile
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header

WIDTH, HEIGHT = 1242, 375
MEASURED = ('depth', 'cloud')
TURN = 25
"""Images that a node gets before it is the next one's turn."""

ECHO = 'echo'


# ------------------------------------------------------------------ who answers


def run_node(namespace: str, model_s: float) -> None:
    """Run the node with a constant predictor until interrupted."""
    from clip_depth_ros.ros.node.node import DepthNode

    with contextlib.suppress(ImportError):  # in a checkout from before it
        from clip_depth_ros.ros.environment import keep_freed_memory
        keep_freed_memory()
    rclpy.init()
    node = DepthNode(
        build_predictor=lambda settings, previous: ConstantPredictor(5.0, model_s),
        namespace=namespace,
    )
    node.start()
    with contextlib.suppress(KeyboardInterrupt):
        rclpy.spin(node)
    node.destroy_node()


def run_echo(namespace: str) -> None:
    """Answer each image with ready messages of its stamp until interrupted."""
    rclpy.init()
    node = Node('echo', namespace=namespace)
    ready = [
        (node.create_publisher(type(message), topic, 1), memoryview(serialize_message(message)))
        for topic, message in (
            ('depth/image_rect', image('32FC1', 4)), ('depth/points', cloud()),
            ('depth/camera_info', CameraInfo()), ('depth/image_color', image('rgb8', 3)),
        )
    ]

    def answer(cdr: bytes) -> None:
        for publisher, message in ready:
            publisher.publish(b''.join((message[:4], cdr[4:12], message[12:])))

    newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    node.create_subscription(Image, 'image', answer, newest, raw=True)
    with contextlib.suppress(KeyboardInterrupt):
        rclpy.spin(node)


def image(encoding: str, pixel_bytes: int) -> Image:
    """Return an image of noise."""
    message = Image(header=Header(frame_id='camera'), encoding=encoding)
    message.height, message.width, message.step = HEIGHT, WIDTH, WIDTH * pixel_bytes
    message.data.frombytes(np.random.default_rng(0).bytes(HEIGHT * WIDTH * pixel_bytes))
    return message


def cloud() -> PointCloud2:
    """Return a cloud of noise, x y z rgb."""
    message = PointCloud2(header=Header(frame_id='camera'), height=HEIGHT, width=WIDTH)
    message.fields = [
        PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, name in enumerate(('x', 'y', 'z', 'rgb'))
    ]
    message.point_step, message.row_step = 16, 16 * WIDTH
    message.data.frombytes(np.random.default_rng(0).bytes(HEIGHT * WIDTH * 16))
    return message


# ------------------------------------------------------------------ who asks


class World(Node):
    """A camera and a listener on every output of a node, in the node's namespace."""

    def __init__(self, namespace: str, late_s: float) -> None:
        super().__init__('bench_world', namespace=namespace)
        self.late_s = late_s
        self.sent_s: dict[int, float] = {}
        self.latencies_s: dict[str, list[float]] = {name: [] for name in MEASURED}
        self.image = self.create_publisher(Image, 'image', 1)
        self.info = self.create_publisher(CameraInfo, 'camera_info', 1)
        # Raw: a listener that decodes 7.5 MB in Python measures itself.
        for msgtype, topic, name in (
            (Image, 'depth/image_rect', 'depth'), (PointCloud2, 'depth/points', 'cloud'),
            (Image, 'depth/image_color', ''), (CameraInfo, 'depth/camera_info', ''),
        ):
            self.create_subscription(msgtype, topic, self.noting(name), 10, raw=True)
        self.message = image('rgb8', 3)
        self._due: deque[tuple[float, int]] = deque()

    def noting(self, name: str) -> Any:
        """Return what notes how long the answer to an image took; nothing without a name."""
        def note(cdr: bytes) -> None:
            if name:
                seconds, nanoseconds = struct.unpack_from('<iI', cdr, 4)
                sent_s = self.sent_s[seconds * 10**9 + nanoseconds]
                self.latencies_s[name].append(time.monotonic() - sent_s)
        return note

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
    worlds: Sequence[World], pids: Sequence[int], executor: SingleThreadedExecutor, hz: float,
    n_frames: int,
) -> None:
    """Send images at a rate to each node, by turns of some images, and print what came back."""
    def spin_until(until_s: float) -> None:
        while (left_s := until_s - time.monotonic()) > 0:
            for world in worlds:
                world.send_due()
            executor.spin_once(timeout_sec=min(left_s, 0.002))

    for world in worlds:
        for latencies_s in world.latencies_s.values():
            latencies_s.clear()
    used_s = [-cpu_s(pid) for pid in pids]
    for begun in range(0, n_frames, TURN):
        for world in worlds:
            start_s = time.monotonic()
            for i in range(min(TURN, n_frames - begun)):
                world.send()
                spin_until(start_s + (i + 1) / hz)
            spin_until(time.monotonic() + 0.3)
    for world, pid, before_s in zip(worlds, pids, used_s, strict=True):
        report(world, hz, n_frames)
        cpu_ms = 1e3 * (before_s + cpu_s(pid)) / n_frames
        print(f'{hz:5.0f} Hz {world.get_namespace()}, cpu: {cpu_ms:.1f} ms an image')
    this, *others = worlds
    for other in others:
        for name in MEASURED:
            ours, theirs = (
                np.percentile(world.latencies_s[name] or [np.nan], [50, 95]) * 1e3
                for world in (this, other)
            )
            (p50, p95), ratio = ours - theirs, ours[0] / theirs[0]
            print(
                f'{hz:5.0f} Hz, image to {name}: p50 {p50:+.1f} ms, p95 {p95:+.1f} ms from '
                f'{other.get_namespace()} (p50 {ratio:.3f} times)'
            )


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


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used, of all its threads, seconds."""
    stat = Path(f'/proc/{pid}/stat').read_text(encoding='ascii')
    return sum(map(int, stat.rpartition(')')[2].split()[11:13])) / os.sysconf('SC_CLK_TCK')


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
    if args.node == ECHO:
        run_echo(args.node)
        return
    if args.node:
        run_node(args.node, args.model_ms / 1e3)
        return
    rclpy.init()
    here = Path(__file__).resolve().parents[1]
    folders = {'this': here, ECHO: here}
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
        pids = [node.pid for node in nodes]
        measure(worlds, pids, executor, 10.0, 20)
        warm_mb = [resident_mb(pid) for pid in pids]
        for hz in args.hz:
            measure(worlds, pids, executor, hz, args.frames)
        for name, pid, mb in zip(folders, pids, warm_mb, strict=True):
            print(f'memory of {name}: {mb:.0f} MB warm, {resident_mb(pid):.0f} MB after')
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
