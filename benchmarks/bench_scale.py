# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What holding the scale of depth is worth: rendered drives through the real node, over DDS.

Run ``python benchmarks/bench_scale.py [--drives 6] [--record drive.mcap]``. Each drive is rendered
once and sent to a node for every row: images, camera_info, clouds of the LiDAR, and a depth camera
of half the size (16UC1, up to 12 m, 2 % noise, a third missing), all at 10 Hz in the time of the
drive. Of the images from 2 s on, two numbers a drive: the scale error, |median of true by
answered depth - 1|, of the whole drive, and abs_rel. The table has their median and worst over the
drives. Rows of ``right camera`` are what the same weights answer with the camera known.

``--record`` writes the first drive with the answers of ``none`` and ``lidar``, for
``clip-depth evaluate drive.mcap --pred-topic /none/depth/image_rect /lidar/depth/image_rect``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
import contextlib
from dataclasses import dataclass, field, replace
import functools
import math
from pathlib import Path
import threading
import time
from typing import Any

from clip_depth_ros.bags.writer import BagWriter
from clip_depth_ros.core.depth_images import decode_depth
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.ros.environment import keep_freed_memory, use_shipped_dds_profile
from clip_depth_ros.ros.node.diagnostics import statuses_of
from clip_depth_ros.ros.node.messages import cloud_message, depth_message, rgb_message
from clip_depth_ros.ros.node.node import DepthNode
from clip_depth_ros.settings.node import read_preset
from clip_depth_ros.sources.as_messages import drive_messages
from clip_depth_ros.types import Intrinsics, RecordedMessage
from clip_depth_ros.world.drive import Drive, SyntheticFrame
from clip_depth_ros.world.rig import Cameras, Rig, rig_of
import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

SIZE = 320, 96
RATE_HZ = 10.0
AFTER_S = 2.0
FAR_M = 80.0
FORWARD = (0.5, -0.5, 0.5, 0.5)  # x forward, z up, in the optical frame
SENSOR_FAR_M, SENSOR_NOISE, SENSOR_MISSING = 12.0, 0.02, 1 / 3


@dataclass(frozen=True)
class Row:
    """A node: what it is told, and what is done to what it gets."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    info_factor: float | None = 1.0  # of the focal length in camera_info; None: no camera_info
    cloud: Callable[[int, Any], Any] = lambda index, points: points


@dataclass(frozen=True)
class Setup:
    """Drives that are seen alike, and the nodes that answer them."""

    title: str
    cameras: Cameras
    lens_factor: float
    rows: tuple[Row, ...]


def aligned(info_factor: float | None, *aligns: str, **parameters: Any) -> tuple[Row, ...]:
    """Return a row for each choice of ``align``."""
    return tuple(
        Row(align, {**parameters, 'align': align}, info_factor) for align in aligns
    )


def silent(index: int, points: Any) -> Any:
    """Return no points from the middle on."""
    return None if index >= 30 else points


def outliers(index: int, points: Any) -> Any:
    """Return every sixth cloud at twice its distance."""
    return points * np.float32(2.0) if index % 6 == 5 else points


ALL = ('none', 'height', 'lidar', 'depth')
_LISTENED = {'lidar': ['align/points'], 'depth': ['align/depth']}
RIGHT = Row('right camera')
SETUPS = (
    Setup(
        "KITTI's camera behind a lens 1.3 times as long, which the weights ignore", 'kitti', 1.3, (
            RIGHT, *aligned(1.0, *ALL, camera='ignore'),
            Row('lidar, log', {'align': 'lidar', 'align_fit': 'log', 'camera': 'ignore'}),
            Row('lidar, silent from 3 s', {'align': 'lidar', 'camera': 'ignore'}, 1.0, silent),
            Row('lidar, 1 of 6 clouds at twice the distance', {
                'align': 'lidar', 'camera': 'ignore',
            }, 1.0, outliers),
        ),
    ),
    Setup(
        'the same lens, its field of view unknown: no camera_info', 'kitti', 1.3,
        aligned(None, *ALL),
    ),
    Setup(
        'the same lens, camera_info wrong by another 1.3', 'kitti', 1.3, aligned(1.3, *ALL)
    ),
    Setup(
        'cameras of all kinds, known', 'varied', 1.0,
        (*aligned(1.0, *ALL), Row('lidar, log', {'align': 'lidar', 'align_fit': 'log'})),
    ),
)


class World:
    """One node, and a rig of sensors that wait for its answers."""

    def __init__(self, row: Row, rig: Rig, domain: int) -> None:
        self.row, self._came = row, threading.Event()
        self.answers: dict[int, bytes] = {}
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        values = {
            **read_preset('synthetic'), 'flip': False, 'camera_height_m': rig.height_m,
            'camera_pitch_deg': math.degrees(rig.pitch_rad),
            'lidar_extrinsics': [0.0, -0.08, -0.27, *FORWARD], **row.parameters,
        }
        self.node = DepthNode(
            build_predictor=build_predictor, context=self.context,
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
        )
        assert self.node.start()
        self._world = Node('world', context=self.context)
        self._world.create_subscription(Image, 'depth/image_rect', self._hear, 10, raw=True)
        self._publishers = {
            topic: self._world.create_publisher(kind, topic, 10) for topic, kind in (
                ('image', Image), ('camera_info', CameraInfo), ('align/points', PointCloud2),
                ('align/depth', Image),
            )
        }
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._executor.add_node(self._world)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()
        align = row.parameters.get('align')
        wanted = ['image', 'camera_info', *_LISTENED.get(align, [])]
        until_s = time.monotonic() + 60
        while any(not self._publishers[topic].get_subscription_count() for topic in wanted):
            assert time.monotonic() < until_s, 'the node does not come up'
            time.sleep(0.02)
        time.sleep(0.5)

    def _hear(self, cdr: bytes) -> None:
        stamp = deserialize_message(cdr, Image).header.stamp
        self.answers[Time.from_msg(stamp).nanoseconds] = cdr
        self._came.set()

    def drive(self, frames: Sequence[SyntheticFrame]) -> None:
        """Send all frames, each when the one before is answered."""
        for index, frame in enumerate(frames):
            header = Header(frame_id='camera_optical')
            header.stamp = Time(nanoseconds=frame.stamp_ns).to_msg()
            if self.row.info_factor is not None:
                k, factor = frame.intrinsics, self.row.info_factor
                info = info_of(replace(k, fx=k.fx * factor, fy=k.fy * factor), header)
                self._publishers['camera_info'].publish(info)
            points = self.row.cloud(index, frame.lidar_points[:, :3])
            if points is not None:
                cloud = cloud_message(header, np.ascontiguousarray(points[np.newaxis]))
                self._publishers['align/points'].publish(cloud)
            self._publishers['align/depth'].publish(
                depth_message(header, sensor_depth(frame), '16UC1')
            )
            time.sleep(0.01)
            self._came.clear()
            self._publishers['image'].publish(rgb_message(header, frame.rgb))
            if not self._came.wait(30):
                raise TimeoutError(f'no depth of image {index}')

    def said(self) -> dict[str, str]:
        """Return what the node's diagnostics would say now."""
        return {each.key: each.value for each in statuses_of(self.node._health())[0].values}

    def close(self) -> None:
        """Take everything down."""
        self._executor.shutdown(timeout_sec=10)
        self._thread.join(10)
        self.node.destroy_node()
        self._world.destroy_node()
        rclpy.shutdown(context=self.context)


def info_of(k: Intrinsics, header: Header) -> CameraInfo:
    """Return the camera_info of a pinhole."""
    info = CameraInfo(header=header, width=k.width, height=k.height, distortion_model='plumb_bob')
    info.k = [k.fx, 0.0, k.cx, 0.0, k.fy, k.cy, 0.0, 0.0, 1.0]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    info.p = [k.fx, 0.0, k.cx, 0.0, 0.0, k.fy, k.cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    info.d = [0.0] * 5
    return info


def sensor_depth(frame: SyntheticFrame) -> Any:
    """Return what a depth camera of half the size and a short range measures."""
    rng = np.random.default_rng(frame.stamp_ns % 2**32)
    depth_m = frame.depth_m[::2, ::2].copy()
    noisy = depth_m * (1 + SENSOR_NOISE * rng.standard_normal(depth_m.shape).astype(np.float32))
    noisy[(depth_m > SENSOR_FAR_M) | (rng.random(depth_m.shape) < SENSOR_MISSING)] = np.nan
    return noisy


def errors(frames: Sequence[SyntheticFrame], answers: dict[int, bytes]) -> tuple[float, float]:
    """Return the median of true by answered depth, and abs_rel, of the images from 2 s on."""
    scales, abs_rels = [], []
    for frame in frames[int(AFTER_S * RATE_HZ):]:
        pred = decode_depth(deserialize_message(answers[frame.stamp_ns], Image))
        counts = (frame.depth_m < FAR_M) & np.isfinite(pred) & (pred > 0)
        true, answered = frame.depth_m[counts], pred[counts]
        scales.append(float(np.median(true / answered)))
        abs_rels.append(float(np.mean(np.abs(answered - true) / true)))
    return float(np.median(scales)), float(np.mean(abs_rels))


def record(
    path: Path, frames: Sequence[SyntheticFrame], answers: dict[str, dict[int, bytes]]
) -> None:
    """Write a drive with the answers of several nodes."""
    with BagWriter(path, force=True) as writer:
        for message in drive_messages(frames):
            writer.write(message)
        for name, depths in answers.items():
            for stamp_ns, cdr in depths.items():
                topic = f'/{name}/depth/image_rect'
                writer.write(RecordedMessage(topic, 'sensor_msgs/msg/Image', cdr, stamp_ns))


@functools.cache
def rendered(rig: Rig, seed: int, n_frames: int) -> list[SyntheticFrame]:
    """Return the frames of a drive."""
    return list(Drive(seed, rig=rig, rate_hz=RATE_HZ).frames(n_frames))


def results(
    setup: Setup, seeds: Sequence[int], n_frames: int, domains: Iterator[int], path: Path | None
) -> dict[str, list[tuple[float, float]]]:
    """Return scale and abs_rel of each drive, by row."""
    found: dict[str, list[tuple[float, float]]] = {row.name: [] for row in setup.rows}
    for seed in seeds:
        rig = rig_of(setup.cameras, seed, *SIZE).with_lens(setup.lens_factor)
        frames = rendered(rig, seed, n_frames)
        kept = {}
        for row in setup.rows:
            world = World(row, rig, next(domains))
            try:
                world.drive(frames)
                said = world.said()
            finally:
                world.close()
            scale, abs_rel = errors(frames, world.answers)
            found[row.name].append((scale, abs_rel))
            kept[row.name] = world.answers
            print(
                f'  seed {seed}  {row.name:44s} {scale:6.3f} {abs_rel:6.3f}   '
                f'{said.get("scale", "")} {said.get("scale_measured", "")} measured, '
                f'{said.get("scale_refused", "")} refused  {said.get("scale_problem", "")[:70]}',
                flush=True,
            )
        if path:
            record(path, frames, {name: kept[name] for name in ('none', 'lidar')})
            path = None
    return found


def main() -> None:
    """Measure all setups and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('--drives', type=int, default=6)
    parser.add_argument('--seconds', type=float, default=6.0)
    parser.add_argument('--first-seed', type=int, default=1000200)
    parser.add_argument('--setups', type=int, nargs='*', default=range(len(SETUPS)))
    parser.add_argument('--record', type=Path)
    args = parser.parse_args()
    use_shipped_dds_profile()
    keep_freed_memory()
    domains = iter(range(101, 10_000))
    seeds = range(args.first_seed, args.first_seed + args.drives)
    tables = []
    for number in args.setups:
        setup = SETUPS[number]
        print(f'\n{setup.title}', flush=True)
        found = results(
            setup, seeds, round(args.seconds * RATE_HZ), (1 + d % 200 for d in domains),
            args.record if number == 0 else None,
        )
        tables.append((setup.title, found))
    for title, found in tables:
        print(f'\n{title}\n\n| align | scale error, median | worst | abs_rel |')
        print('| --- | ---: | ---: | ---: |')
        for name, numbers in found.items():
            off = [100 * abs(scale - 1) for scale, _ in numbers]
            abs_rel = float(np.mean([each for _, each in numbers]))
            print(f'| {name} | {np.median(off):.1f} % | {max(off):.0f} % | {abs_rel:.3f} |')


if __name__ == '__main__':
    with contextlib.suppress(KeyboardInterrupt):
        main()
