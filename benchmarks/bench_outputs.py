# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the node adds to prediction for a KITTI-sized frame: decoding, marking, building messages.

Run ``python benchmarks/bench_outputs.py``. Prints medians side by side, each also as a ratio to
one plain copy of the image, so that numbers from different machines can be compared. Of what this
thread computes, not of what passes: others may be at work on the machine.
"""

from __future__ import annotations

from collections.abc import Callable
import statistics
import time

from clip_depth_ros.core.camera import pinhole_rays
from clip_depth_ros.core.clouds import CloudBuilder, Crop, LonelyPoints
from clip_depth_ros.core.depth_images import colorize, mark_range
from clip_depth_ros.core.images import rgb_of
from clip_depth_ros.ros.node.messages import cloud_message, depth_message, rgb_message
from clip_depth_ros.ros.node.raw_images import read_image
from clip_depth_ros.ros.node.scan import ScanBuilder
from clip_depth_ros.types import Intrinsics
import cv2
import numpy as np
from std_msgs.msg import Header

HEIGHT, WIDTH = 375, 1242
ROUNDS, REPEATS = 15, 10


def naive_cloud(depth_m: np.ndarray, camera: Intrinsics) -> np.ndarray:
    """Unproject with a fresh pixel grid and homogeneous coordinates, as is often seen."""
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixels = np.stack([u, v, np.ones_like(u)], axis=-1).reshape(-1, 3)
    points = pixels @ np.linalg.inv(camera.matrix()).T * depth_m.reshape(-1, 1)
    return points.astype(np.float32)


def main() -> None:
    """Time every step in turn, round after round, and print the medians."""
    cv2.setNumThreads(1)
    generator = np.random.default_rng(0)
    rgb = generator.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    depth_m = generator.uniform(1, 80, (HEIGHT, WIDTH)).astype(np.float32)
    camera = Intrinsics(721.5377, 721.5377, 609.5593, 172.854, WIDTH, HEIGHT)
    header = Header(frame_id='camera')
    cdr = rgb_message(header, rgb)
    plain = CloudBuilder(pinhole_rays(camera))
    coloured = CloudBuilder(pinhole_rays(camera), with_rgb=True)
    band = Crop(
        max_range_m=20.0, camera_height_m=1.65, min_height_m=0.3, max_height_m=2.0,
        clear_range_m=20.0,
    )
    cropped = CloudBuilder(pinhole_rays(camera), with_rgb=True, crop=band)
    lonely = LonelyPoints((HEIGHT, WIDTH), 0.3)
    scan = ScanBuilder(pinhole_rays(camera), band)
    steps: dict[str, Callable[[], object]] = {
        'copy of the image (unit)': rgb.copy,
        'copy of an XYZRGB cloud': coloured.build(depth_m, rgb).copy,
        'build an XYZRGB cloud': lambda: coloured.build(depth_m, rgb),
        'the same, cropped': lambda: cropped.build(depth_m, rgb),
        'find lonely points': lambda: lonely.among(depth_m),
        'build a scan': lambda: scan.build(depth_m),
        'decode rgb8': lambda: rgb_of(read_image(cdr)),
        'mark the range': lambda: mark_range(depth_m, min_depth_m=1.0, max_depth_m=80.0),
        'depth message 32FC1': lambda: depth_message(header, depth_m, '32FC1'),
        'depth message 16UC1': lambda: depth_message(header, depth_m, '16UC1'),
        'cloud message XYZ': lambda: cloud_message(header, plain.build(depth_m)),
        'cloud message XYZRGB': lambda: cloud_message(header, coloured.build(depth_m, rgb)),
        'cloud, naive (points alone)': lambda: naive_cloud(depth_m, camera),
        'colour image': lambda: rgb_message(
            header, colorize(depth_m, near_m=0.5, far_m=80.0)
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, step in steps.items():
            started = time.thread_time()
            for _ in range(REPEATS):
                step()
            seconds[name].append((time.thread_time() - started) / REPEATS)
    unit = statistics.median(seconds['copy of the image (unit)'])
    for name, samples in seconds.items():
        median = statistics.median(samples)
        print(f'{name:30s} {1e3 * median:7.2f} ms   {median / unit:6.1f} x')


if __name__ == '__main__':
    main()
