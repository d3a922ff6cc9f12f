# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What several cameras cost in one node, and in as many nodes: memory and images a second.

Run ``python benchmarks/bench_cameras.py [--cameras 4] [--hz 10] [--turns 6] [--turn-s 10]``. Both
answer with the bundled CLIP2Depth, each node in a process of its own, images of KITTI's size; one
listener takes every depth. They are fed by turns, so that both see the same load of the machine;
who has no turn has no work. With more images than can be answered, what comes back is all that the
machine can do, and how evenly the cameras share it is the least and the most of any.

Resident memory counts pages that processes share in each of them; "proportional" counts each page
once (PSS, of Linux' smaps_rollup).
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
import contextlib
import os
from pathlib import Path
import re
import struct
import subprocess
import sys
import time
from typing import Any

from bench_node import cpu_s, HEIGHT, image, resident_mb, WIDTH
from clip_depth_ros.ros.environment import use_shipped_dds_profile
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import serialize_message
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

ONE, EACH = 'one node', 'a node each'
P = [721.5, 0.0, 609.6, 0.0, 0.0, 721.5, 172.9, 0.0, 0.0, 0.0, 1.0, 0.0]


class Cameras(Node):
    """Cameras below some namespaces, and a listener to their depth."""

    def __init__(self, name: str, prefixes: Sequence[str]) -> None:
        super().__init__(name)
        self.images = [self.create_publisher(Image, f'{each}/image', 1) for each in prefixes]
        self.infos = [
            self.create_publisher(CameraInfo, f'{each}/camera_info', 1) for each in prefixes
        ]
        self.answered: Counter[str] = Counter()
        for each in prefixes:
            # Raw: a listener that decodes images measures itself.
            self.create_subscription(
                Image, f'{each}/depth/image_rect', lambda _, each=each: self.note(each), 1,
                raw=True,
            )
        self.prefixes = prefixes
        # As bytes, whose stamp is changed: rclpy would copy the picture field by field.
        self.cdr = memoryview(serialize_message(image('rgb8', 3)))
        self.n_sent = 0

    def note(self, camera: str) -> None:
        """Count an answer."""
        self.answered[camera] += 1

    def send(self) -> None:
        """Publish the next image of each camera, and its camera_info."""
        self.n_sent += 1
        header = Header(stamp=Time(nanoseconds=self.n_sent * 10**6).to_msg(), frame_id='camera')
        stamp = struct.pack('<iI', header.stamp.sec, header.stamp.nanosec)
        message = b''.join((self.cdr[:4], stamp, self.cdr[12:]))
        for images, infos in zip(self.images, self.infos, strict=True):
            infos.publish(CameraInfo(header=header, width=WIDTH, height=HEIGHT, p=P))
            images.publish(message)

    def is_connected(self) -> bool:
        """Return whether every camera is listened to, and every depth is there."""
        return all(images.get_subscription_count() for images in self.images) and all(
            self.count_publishers(f'{each}/depth/image_rect') for each in self.prefixes
        )


@contextlib.contextmanager
def started(namespace: str, *arguments: str) -> Iterator[int]:
    """Provide a node with the bundled weights, its process' number; ended afterwards."""
    command = [
        sys.executable, '-m', 'clip_depth_ros.ros.depth_node', '--ros-args',
        '-p', 'preset:=synthetic', '-r', f'__ns:=/{namespace}', *arguments,
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield process.pid
        finally:
            process.send_signal(2)


def proportional_mb(pid: int) -> float:
    """Return the memory of a process, MB; a page that some share is shared out to them."""
    rollup = Path(f'/proc/{pid}/smaps_rollup').read_text(encoding='ascii')
    (kib,) = re.findall(r'^Pss:\s+(\d+) kB', rollup, re.MULTILINE)
    return int(kib) * 1024 / 1e6


def feed(cameras: Cameras, executor: SingleThreadedExecutor, hz: float, seconds: float) -> None:
    """Publish images at a rate for some seconds, and wait for the last answers."""
    start_s = time.monotonic()
    for i in range(round(hz * seconds)):
        cameras.send()
        while (left_s := start_s + (i + 1) / hz - time.monotonic()) > 0:
            executor.spin_once(timeout_sec=left_s)


def report(cameras: Cameras, pids: Sequence[int], name: str, seconds: float, used_s: float) -> Any:
    """Print what came back in a time, and return images a second and memory."""
    n_answered = cameras.answered.total()
    hz = [cameras.answered[each] / seconds for each in cameras.prefixes]
    resident, proportional = (
        sum(memory_mb(pid) for pid in pids) for memory_mb in (resident_mb, proportional_mb)
    )
    print(
        f'{name:12} {sum(hz):5.2f} images/s ({min(hz):.2f} to {max(hz):.2f} a camera), '
        f'{1e3 * used_s / max(1, n_answered):5.0f} ms of processors an image, memory '
        f'{resident:.0f} MB resident, {proportional:.0f} MB proportional'
    )
    return sum(hz), resident, proportional


def main() -> None:
    """Start everything, warm it up, feed it by turns and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--cameras', type=int, default=4)
    parser.add_argument('--hz', type=float, default=10.0)
    parser.add_argument('--turns', type=int, default=6)
    parser.add_argument('--turn-s', type=float, default=10.0)
    args = parser.parse_args()
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    use_shipped_dds_profile()
    names = [f'camera_{n}' for n in range(args.cameras)]
    rclpy.init()
    sides = {
        ONE: Cameras('of_one', [f'/one/{name}' for name in names]),
        EACH: Cameras('of_each', [f'/{name}' for name in names]),
    }
    executor = SingleThreadedExecutor()
    for cameras in sides.values():
        executor.add_node(cameras)
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(started('one', '-p', f'cameras:=[{", ".join(names)}]'))
        pids = {ONE: [one], EACH: [stack.enter_context(started(name)) for name in names]}
        while not all(cameras.is_connected() for cameras in sides.values()):
            executor.spin_once(timeout_sec=0.1)
        for cameras in sides.values():
            feed(cameras, executor, args.hz, args.turn_s)
            cameras.answered.clear()
        used_s = dict.fromkeys(sides, 0.0)
        for _ in range(args.turns):
            for name, cameras in sides.items():
                used_s[name] -= sum(map(cpu_s, pids[name]))
                feed(cameras, executor, args.hz, args.turn_s)
                used_s[name] += sum(map(cpu_s, pids[name]))
        seconds = args.turns * args.turn_s
        (one_hz, *one_mb), (each_hz, *each_mb) = (
            report(cameras, pids[name], name, seconds, used_s[name])
            for name, cameras in sides.items()
        )
    print(
        f'{ONE} for {args.cameras} cameras: {one_hz / each_hz:.2f} times the images a second, '
        f'{one_mb[0] / each_mb[0]:.2f} times the resident memory '
        f'({one_mb[1] / each_mb[1]:.2f} times the proportional) of {EACH}'
    )
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
