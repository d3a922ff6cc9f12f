# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How fast the synthetic drive renders on one core, and where the time goes.

Run ``OMP_NUM_THREADS=1 python benchmarks/bench_world.py``. Prints medians, each also as a ratio
to one plain sort of a million floats, so that numbers from different machines can be compared.
"""

from __future__ import annotations

from collections.abc import Callable
import statistics
import time

from clip_depth_ros.world.camera import render
from clip_depth_ros.world.drive import Drive
from clip_depth_ros.world.lidar import KITTI_T_CAM_LIDAR, LidarModel, scan
from clip_depth_ros.world.rays import CameraRays
from clip_depth_ros.world.scene import cast
import numpy as np

SEEDS = range(20)
SIZES = ((320, 96), (416, 128), (640, 192), (1242, 375))


def main() -> None:
    """Time whole frames at some sizes, then the steps of a 320 x 96 frame."""
    values = np.random.default_rng(0).random(1_000_000)
    unit_ms = median_ms([lambda: np.sort(values)] * 9)
    print(f'one sort of a million floats: {unit_ms:.1f} ms')
    for width, height in SIZES:
        drives = [Drive(seed, width=width, height=height) for seed in SEEDS]
        for drive in drives:
            drive.frame(0)  # build the street
        show(f'{width} x {height}', median_ms(frames(drives, lidar=False)), unit_ms)
        show(f'{width} x {height} with LiDAR', median_ms(frames(drives, lidar=True)), unit_ms)
    fresh = [lambda seed=seed: Drive(1000 + seed).frame(7, lidar=False) for seed in SEEDS]
    show('320 x 96, first frame of a new seed', median_ms(fresh), unit_ms)
    for name, calls in steps().items():
        show(f'  320 x 96: {name}', median_ms(calls), unit_ms)


def frames(drives: list[Drive], *, lidar: bool) -> list[Callable[[], object]]:
    """Return one call for each drive that renders its frame 5."""
    return [lambda drive=drive: drive.frame(5, lidar=lidar) for drive in drives]


def steps() -> dict[str, list[Callable[[], object]]]:
    """Return the steps of a frame, each as calls on every drive."""
    calls: dict[str, list[Callable[[], object]]] = {
        'what stands where': [],
        'casting the camera': [],
        'camera, casting and painting': [],
        'LiDAR': [],
    }
    for drive in map(Drive, SEEDS):
        scene, pose = drive.scene(5), drive.pose(5)
        rays, turn = CameraRays(drive.intrinsics, pose), pose @ KITTI_T_CAM_LIDAR
        rng = np.random.default_rng(0)
        calls['what stands where'].append(lambda drive=drive: drive.scene(5))
        calls['casting the camera'].append(lambda scene=scene, rays=rays: cast(scene, rays))
        calls['camera, casting and painting'].append(
            lambda scene=scene, rays=rays, rng=rng: render(scene, rays, rng)
        )
        calls['LiDAR'].append(
            lambda scene=scene, turn=turn, rng=rng: scan(LidarModel(), scene, turn, rng)
        )
    return calls


def median_ms(calls: list[Callable[[], object]]) -> float:
    """Return the median time of a call, the calls in turn, three rounds."""
    times = []
    for call in calls * 3:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return 1e3 * statistics.median(times)


def show(name: str, ms: float, unit_ms: float) -> None:
    """Print one line of the table."""
    print(f'{name:42s} {ms:8.1f} ms   {ms / unit_ms:6.2f} sorts')


if __name__ == '__main__':
    main()
