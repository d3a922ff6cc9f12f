# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What malformed and hostile messages do to a live node: nothing, or this says what.

Run ``python benchmarks/stress_node.py [--messages 10000] [--good 400]``. The node runs in a
process of its own with a constant predictor, once for each image transport; messages go over DDS,
the same ones each time (fixed seed), and good images between them must be answered, depth and
cloud. The exit code is 0 if all of these were answered within a second, memory grew by less than
30 MB and the log holds no control characters.

Columns are differences of the node's own counters: of the images ``sent``, ``unseen`` were
overwritten in DDS, ``dropped`` for a newer one; the rest is answered or refused. Of a kind that
sends camera_info, the images are good.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import contextlib
import os
from pathlib import Path
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from clip_depth_ros.core.stamps import stamp_ns_of
from clip_depth_ros.predictor.constant import ConstantPredictor
from clip_depth_ros.ros.environment import keep_freed_memory, use_shipped_dds_profile
from diagnostic_msgs.msg import DiagnosticArray
from hostile_messages import good_image, good_info, KINDS, Make
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

WITHIN_S = 1.0
GROWTH_MB = 30.0
WARM_UP = 10
"""Messages of each kind before memory is looked at: buffers grow to what comes."""


# ------------------------------------------------------------------ the node and the world


def run_node(transport: str) -> None:
    """Run the node with a constant predictor until interrupted."""
    from clip_depth_ros.ros.node.node import DepthNode

    keep_freed_memory()
    rclpy.init()
    node = DepthNode(
        build_predictor=lambda settings, previous: ConstantPredictor(5.0),
        parameter_overrides=[Parameter('image_transport', value=transport)],
    )
    node.start()
    with contextlib.suppress(KeyboardInterrupt):
        rclpy.spin(node)
    node.destroy_node()


class World(Node):
    """A camera, a listener on every output, and the node's own counters."""

    def __init__(self, transport: str, hz: float) -> None:
        super().__init__('stress_world')
        self._transport = transport
        self._period_s = 1.0 / hz
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        is_raw = transport == 'raw'
        topic = 'image' if is_raw else 'image/compressed'
        self._images = self.create_publisher(Image if is_raw else CompressedImage, topic, 10)
        self._infos = self.create_publisher(CameraInfo, 'camera_info', 10)
        self._answered: dict[str, set[int]] = {'depth': set(), 'cloud': set()}
        for name, msgtype, topic in (
            ('depth', Image, 'depth/image_rect'), ('cloud', PointCloud2, 'depth/points')
        ):
            self.create_subscription(msgtype, topic, self._note(self._answered[name]), 10)
        for other, topic in ((Image, 'depth/image_color'), (CameraInfo, 'depth/camera_info')):
            self.create_subscription(other, topic, lambda message: None, 10, raw=True)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        self._status: dict[str, str] = {}
        self._status_s = 0.0
        self._n_good = 0
        self.latencies_s: list[float] = []

    @staticmethod
    def _note(stamps: set[int]) -> Callable[[Any], None]:
        return lambda message: stamps.add(stamp_ns_of(message.header))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self._status = {value.key: value.value for value in message.status[0].values}
        self._status_s = time.monotonic()

    def spin_until(self, is_done: Callable[[], Any], timeout_s: float) -> bool:
        """Wait for something; return whether it came."""
        until_s = time.monotonic() + timeout_s
        while not is_done():
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return False
            self._executor.spin_once(timeout_sec=left_s)
        return True

    def connect(self) -> None:
        """Wait until the node is active and everybody knows everybody."""
        ends = (self._images, self._infos)
        connected = self.spin_until(
            lambda: all(end.get_subscription_count() for end in ends)
            and self.count_publishers('depth/points'), 60.0,
        )
        assert connected, 'the node does not come up'
        self.spin_until(lambda: False, 1.0)

    def send(self, message: Any) -> None:
        """Send a hostile message; a camera_info with a good image of its stamp."""
        began_s = time.monotonic()
        if isinstance(message, CameraInfo):
            image = good_image(self._transport)
            message.header.stamp = image.header.stamp = self._next_stamp()
            self._infos.publish(message)
            message = image
        self._images.publish(message)
        self.spin_until(lambda: False, began_s + self._period_s - time.monotonic())

    def send_good(self) -> None:
        """Send a good pair and note how long depth and cloud take; infinity if too long."""
        image, info = good_image(self._transport), good_info()
        image.header.stamp = info.header.stamp = self._next_stamp()
        stamp_ns, began_s = stamp_ns_of(info.header), time.monotonic()
        self._infos.publish(info)
        self._images.publish(image)
        answers = self._answered.values()
        came = self.spin_until(lambda: all(stamp_ns in stamps for stamps in answers), 10.0)
        self.latencies_s.append(time.monotonic() - began_s if came else np.inf)

    def _next_stamp(self) -> Any:
        self._n_good += 1
        return Time(seconds=1_000, nanoseconds=self._n_good * 10**7).to_msg()

    def status(self) -> dict[str, str]:
        """Return the node's diagnostics, after all that was sent."""
        after_s = time.monotonic() + 0.2
        assert self.spin_until(lambda: self._status_s > after_s, 30.0), 'no diagnostics'
        return dict(self._status)


def memory_mb(pid: int, name: str = 'VmRSS') -> float:
    """Return a figure of a process's memory, MB: VmRSS resident, VmHWM the most so far."""
    status = Path(f'/proc/{pid}/status').read_text(encoding='ascii')
    (line,) = (line for line in status.splitlines() if line.startswith(f'{name}:'))
    return int(line.split()[1]) * 1024 / 1e6


# ------------------------------------------------------------------ the stress


def share(total: int, number: int, of: int) -> int:
    """Return the part of a total that is for one of several; all parts make up the total."""
    return (number + 1) * total // of - number * total // of


def stress_kind(
    world: World, pid: int, name: str, make: Make, n_messages: int, n_good: int,
    rng: np.random.Generator,
) -> None:
    """Send messages of one kind with good images between, and print what the node did."""
    before, n_before = world.status(), len(world.latencies_s)
    for i in range(n_messages):
        world.send(make(rng))
        for _ in range(share(n_good, i, n_messages)):
            world.send_good()
    after = world.status()

    def more(key: str) -> int:
        return int(after[key]) - int(before[key]) if after.get(key, '').isdigit() else -1

    keys = ('unseen', 'dropped', 'processed', 'failed')
    figures = ' '.join(f'{more(f"images_{key}"):8d}' for key in keys)
    said = after['last_error'] if more('images_failed') else after['camera_problem']
    memory = f'{memory_mb(pid, "RssAnon"):5.0f} {memory_mb(pid, "RssShmem"):6.0f}'
    longest_ms = 1e3 * max(world.latencies_s[n_before:], default=0.0)
    print(f'{name:27s} {n_messages:4d} {figures} {longest_ms:7.0f} {memory}  {said[:60]!r}')


def stress(transport: str, args: argparse.Namespace, log: Path) -> bool:
    """Stress a node with all kinds of a transport; return whether it stood it."""
    kinds = {
        name: make for name, make in KINDS[transport].items()
        if not any(text in name for text in args.without)
    }
    first = sum(len(KINDS[earlier]) for earlier in [*KINDS][:[*KINDS].index(transport)])
    n_all = sum(map(len, KINDS.values()))
    rng = np.random.default_rng(args.seed)
    command = [sys.executable, __file__, '--node', transport]
    with log.open('w') as stderr, subprocess.Popen(command, stderr=stderr) as node:
        try:
            world = World(transport, args.hz)
            world.connect()
            for _ in range(WARM_UP):
                for make in kinds.values():
                    world.send(make(rng))
                world.send_good()
            world.latencies_s.clear()
            warm_mb = memory_mb(node.pid)
            print(f'\n{transport:27s} sent   unseen  dropped answered  refused longest  anon '
                  'shared  newest reason')
            for number, (name, make) in enumerate(kinds.items(), start=first):
                parts = (share(total, number, n_all) for total in (args.messages, args.good))
                stress_kind(world, node.pid, name, make, *parts, rng)
            end_mb, peak_mb = memory_mb(node.pid), memory_mb(node.pid, 'VmHWM')
            world.destroy_node()
        finally:
            node.send_signal(signal.SIGINT)
    said = log.read_text(encoding='utf-8', errors='replace')
    n_control = sum(not char.isprintable() and char not in '\n\t' for char in said)
    latencies_s = np.array(world.latencies_s)
    n_in_time = int((latencies_s < WITHIN_S).sum())
    p50, p95, longest = 1e3 * np.percentile(latencies_s, [50, 95, 100])
    print(
        f'good images answered within {WITHIN_S:.0f} s: {n_in_time} of {len(latencies_s)} (p50 '
        f'{p50:.0f} ms, p95 {p95:.0f} ms, longest {longest:.0f} ms)\n'
        f'memory: {warm_mb:.0f} MB warm, {end_mb:.0f} MB at the end ({end_mb - warm_mb:+.1f}), '
        f'peak {peak_mb:.0f} MB\n'
        f'log: {said.count(chr(10))} lines, longest {max(map(len, said.splitlines()))}, '
        f'{n_control} control characters; exit code {node.returncode}'
    )
    is_flat = end_mb - warm_mb < GROWTH_MB
    are_answered = n_in_time == len(latencies_s)
    return are_answered and is_flat and not n_control and not node.returncode


def main() -> int:
    """Stress a node for each transport."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--node', choices=[*KINDS], help=argparse.SUPPRESS)
    parser.add_argument('--messages', type=int, default=10_000, help='hostile ones in all')
    parser.add_argument('--good', type=int, default=400, help='good images between them')
    parser.add_argument('--hz', type=float, default=200.0, help='how fast they are sent')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--transport', nargs='+', choices=[*KINDS], default=[*KINDS])
    parser.add_argument('--without', nargs='*', default=[], metavar='WORD', help='kinds left out')
    args = parser.parse_args()
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    use_shipped_dds_profile()
    if args.node:
        run_node(args.node)
        return 0
    rclpy.init()
    with tempfile.TemporaryDirectory() as folder:
        stood = [stress(name, args, Path(folder) / f'{name}.log') for name in args.transport]
    rclpy.try_shutdown()
    print('\nit stood it' if all(stood) else '\nit did not stand it')
    return not all(stood)


if __name__ == '__main__':
    sys.exit(main())
