# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The synthetic drive: what a frame promises, reproducibility, and one world for all sensors."""

from __future__ import annotations

from dataclasses import dataclass
import hashlib
import itertools
import os
from pathlib import Path
import subprocess
import sys

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.world.camera import FAR_M
from clip_depth_ros.world.drive import CLASS_NAMES, Drive, START_NS, SyntheticFrame
from clip_depth_ros.world.lidar import LidarModel
from clip_depth_ros.world.scene import cast
import numpy as np
import pytest

SEEDS = (0, 5, 12, 24)
MOVING = ('car', 'truck', 'pedestrian', 'bicycle', 'bus', 'wall', 'box', 'animal')
IDS = {name: number for number, name in CLASS_NAMES.items()}


@pytest.fixture(scope='module')
def frames() -> list[SyntheticFrame]:
    """Return three frames of each of a few drives, 3 seconds apart."""
    return [Drive(seed).frame(index) for seed in SEEDS for index in (0, 30, 60)]


def test_shapes_and_types_are_as_promised(frames):
    for frame in frames:
        assert (frame.rgb.shape, frame.rgb.dtype) == ((96, 320, 3), np.uint8)
        assert (frame.depth_m.shape, frame.depth_m.dtype) == ((96, 320), np.float32)
        assert (frame.class_ids.shape, frame.class_ids.dtype) == ((96, 320), np.uint8)
        assert (frame.lidar_points.shape[1:], frame.lidar_points.dtype) == ((4,), np.float32)
        assert frame.T_world_cam.dtype == frame.T_cam_lidar.dtype == np.float64


def test_sky_is_exactly_where_depth_is_infinite(frames):
    for frame in frames:
        np.testing.assert_array_equal(np.isinf(frame.depth_m), frame.class_ids == IDS['sky'])
        finite = frame.depth_m[np.isfinite(frame.depth_m)]
        assert finite.min() > 0.3
        assert finite.max() < FAR_M


def test_every_class_is_met_on_the_road():
    """Forty drives, one frame each, show all there is to show; or fewer."""
    met: set[int] = set()
    for seed in range(40):
        met |= {int(i) for i in np.unique(Drive(seed).frame(50, lidar=False).class_ids)}
        if met >= set(CLASS_NAMES):
            break
    assert met == set(CLASS_NAMES)


def test_class_ids_are_a_promise_to_stored_data():
    """Ids are written into recordings and weights, so they must not move."""
    names = 'sky road sidewalk grass building fence hedge tree car truck pedestrian pole sign '
    names += 'bicycle bus wall box animal'
    assert dict(CLASS_NAMES) == dict(enumerate(names.split()))


def test_the_camera_is_kittis():
    """At KITTI's own size, KITTI's own numbers; at others the same view, 81 degrees wide."""
    camera = Drive(0, width=1242, height=375).intrinsics
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx(
        (721.5377, 721.5377, 609.5593, 172.854)
    )
    small = Drive(0).intrinsics
    assert small.fx / 320 == pytest.approx(721.5377 / 1242)
    frame = Drive(3).frame(17, lidar=False)
    assert frame.T_world_cam[2, 3] == 1.65
    # KITTI's LiDAR sits 0.27 m behind and 0.08 m above the camera.
    assert frame.T_cam_lidar @ [0, 0, 0, 1] == pytest.approx([0, -0.08, -0.27, 1])


def test_stamps_follow_the_rate():
    stamps = [frame.stamp_ns for frame in Drive(1, rate_hz=30.0, start_ns=5).frames(4)]
    assert stamps == [5, 33_333_338, 66_666_672, 100_000_005]
    assert Drive(1).frame(0, lidar=False).stamp_ns == START_NS


@pytest.mark.parametrize('seed', range(0, 40, 5))
def test_it_drives_forward_at_5_to_14_metres_a_second(seed):
    drive = Drive(seed)
    poses = np.array([drive.pose(index) for index in range(0, 300, 10)])
    steps = np.diff(poses[:, :3, 3], axis=0)
    forward = (steps * poses[:-1, :3, 2]).sum(1)
    assert (forward > 4.8).all()
    assert (np.linalg.norm(steps, axis=1) < 14.5).all()
    rotation = poses[:, :3, :3]
    np.testing.assert_allclose(
        rotation @ rotation.transpose(0, 2, 1), np.repeat(np.eye(3)[None], 30, 0), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotation), 1)


def test_the_same_seed_gives_the_same_bytes_in_another_process():
    """Also when frames are rendered in another order, and with other thread settings."""
    code = (
        'import sys; sys.path.insert(0, "test/world"); from test_world_drive import digest;'
        'from clip_depth_ros.world.drive import Drive; drive = Drive(9);'
        'print([digest(drive.frame(i)) for i in (0, 1, 40)])'
    )
    environment = {**os.environ, 'PYTHONHASHSEED': '77', 'OMP_NUM_THREADS': '2'}
    root = Path(__file__).parents[2]
    answer = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, env=environment, cwd=root
    )
    drive = Drive(9)
    here = {i: digest(drive.frame(i)) for i in (40, 0, 1)}
    assert answer.stdout.strip() == str([here[i] for i in (0, 1, 40)]), answer.stderr


def test_random_access_equals_playing_in_order():
    played = list(Drive(4).frames(3))
    for index in (2, 0, 1):
        assert digest(Drive(4).frame(index)) == digest(played[index])


def test_without_lidar_the_rest_is_the_same():
    with_lidar, without = Drive(2).frame(3), Drive(2).frame(3, lidar=False)
    assert without.lidar_points.shape == (0, 4)
    np.testing.assert_array_equal(with_lidar.rgb, without.rgb)
    np.testing.assert_array_equal(with_lidar.depth_m, without.depth_m)


def test_seeds_differ_in_view_light_and_motion():
    drives = [Drive(seed, width=160, height=48) for seed in range(12)]
    frames = [drive.frame(0, lidar=False) for drive in drives]
    for i, one in enumerate(frames):
        for other in frames[:i]:
            assert np.abs(one.rgb.astype(int) - other.rgb).mean() > 8
            assert np.mean(one.class_ids != other.class_ids) > 0.08
    assert len({drive.light.horizon_rgb.tobytes() for drive in drives}) == 12
    assert len({drive.motion.speed_m_per_s for drive in drives}) == 12


def test_a_drive_is_not_one_picture():
    """Within a drive the view changes too: traffic moves and new streets come."""
    frames = [Drive(6).frame(index, lidar=False) for index in (0, 50, 100)]
    for one, other in itertools.pairwise(frames):
        assert np.mean(one.class_ids != other.class_ids) > 0.1


@pytest.mark.parametrize('seed', SEEDS)
def test_what_stands_still_is_there_in_the_next_frame(seed):
    """
    Static pixels of one frame, seen from 5 frames on, are met or hidden, never seen through.

    Rays are sent from the second camera at the points themselves, so t = 1 is the point. Points
    that lie on a rim there may be missed within rounding: fewer than 1 in 1000 are.
    """
    drive = Drive(seed, width=160, height=48)
    frame = drive.frame(20, lidar=False)
    static = np.isfinite(frame.depth_m) & (frame.depth_m < 100)
    static &= ~np.isin(frame.class_ids, [IDS[name] for name in MOVING])
    t = _seen_towards(drive, 25, _world_points(frame)[static])
    assert (t > 1 + 3e-5).mean() < 1e-3
    assert (t > 1 - 1e-4).mean() > 0.7


@pytest.mark.parametrize('seed', SEEDS)
def test_the_camera_never_sees_through_a_lidar_point(seed):
    """
    Camera and LiDAR see one world: noise-free returns are met or hidden in the camera's view.

    The LiDAR sits 0.08 m higher and 0.27 m further back, so a few of its points are hidden.
    """
    drive = Drive(seed, lidar=LidarModel(range_sigma_m=0.0))
    frame = drive.frame(33)
    camera = _in_camera(frame)
    points = (frame.T_world_cam @ np.vstack([camera.T, np.ones(len(camera))]))[:3].T
    t = _seen_towards(drive, 33, points[camera[:, 2] > 1.0][::4])  # a few thousand
    assert t.max() < 1 + 1e-5
    assert (t > 1 - 1e-4).mean() > 0.97


def test_lidar_points_lie_on_the_depth_image(frames):
    """
    Projected, a return lies within the depths around its pixel, give or take its noise.

    Depth between neighbours changes by metres on the road far away, so the pixel's 3 x 3
    neighbours give the range. What is left out is hidden from one of the two sensors.
    """
    shares = [_share_on_depth_image(frame) for frame in frames]
    assert min(shares) > 0.95
    assert np.mean(shares) > 0.98


def test_wrong_numbers_are_refused_with_what_came():
    with pytest.raises(ConfigError, match=r'seed .* must be a whole number of 0 or more, got -1'):
        Drive(-1)
    with pytest.raises(ConfigError, match=r'seed .* got 1.5'):
        Drive(1.5)
    with pytest.raises(ConfigError, match=r'width .* 16 to 4096 whole pixels, got 8'):
        Drive(0, width=8)
    with pytest.raises(ConfigError, match=r'height .* got 5000'):
        Drive(0, height=5000)
    with pytest.raises(ConfigError, match=r'rate_hz .* above 0 and at most 1000, got 0'):
        Drive(0, rate_hz=0)
    with pytest.raises(ConfigError, match=r'rate_hz .* got nan'):
        Drive(0, rate_hz=float('nan'))
    with pytest.raises(ConfigError, match=r'start_ns .* got -5'):
        Drive(0, start_ns=-5)
    with pytest.raises(ConfigError, match=r'index .* must be a frame number of 0 or more, got -2'):
        Drive(0).frame(-2)
    with pytest.raises(ConfigError, match=r'n_frames .* must be 1 or more, got 0'):
        Drive(0).frames(0)


@pytest.mark.parametrize('size', [(16, 16), (64, 200), (333, 77)])
def test_odd_sizes_render(size):
    width, height = size
    frame = Drive(7, width=width, height=height).frame(2)
    assert frame.rgb.shape == (height, width, 3)
    np.testing.assert_array_equal(np.isinf(frame.depth_m), frame.class_ids == IDS['sky'])


def digest(frame: SyntheticFrame) -> str:
    """Return a hash over all bytes of a frame."""
    parts = (frame.rgb, frame.depth_m, frame.class_ids, frame.lidar_points, frame.T_world_cam)
    return hashlib.sha256(b''.join(part.tobytes() for part in parts)).hexdigest()


@dataclass(frozen=True)
class _AimedRays:
    """Rays from an origin straight at points: t = 1 is the point itself."""

    origin_m: np.ndarray
    columns: np.ndarray

    @property
    def rows(self):
        return np.zeros((3, 1))

    def windows(self, points):
        window = np.array([[0, 1, 0, self.columns.shape[1]]])
        return np.repeat(window, len(points), axis=0), np.zeros(len(points))


def _seen_towards(drive: Drive, index: int, points: np.ndarray) -> np.ndarray:
    """Return t of the first surface on the way from a frame's camera to world points (N, 3)."""
    origin = drive.pose(index)[:3, 3]
    scene, t = drive.scene(index), []
    ahead = points[(points - origin) @ drive.pose(index)[:3, 2] > 1.0]
    for part in np.array_split(ahead, max(1, len(ahead) // 500)):
        rays = _AimedRays(origin, (part - origin).T)
        t.append(cast(scene, rays).hits.t.ravel())
    return np.concatenate(t)


def _world_points(frame: SyntheticFrame) -> np.ndarray:
    """Unproject a frame, (H, W, 3) in the world."""
    k = frame.intrinsics
    v, u = np.indices((k.height, k.width))
    z = np.where(np.isfinite(frame.depth_m), frame.depth_m, 0).astype(float)
    camera = np.stack([(u - k.cx) / k.fx * z, (v - k.cy) / k.fy * z, z], axis=-1)
    return camera @ frame.T_world_cam[:3, :3].T + frame.T_world_cam[:3, 3]


def _in_camera(frame: SyntheticFrame) -> np.ndarray:
    """Return the LiDAR's points in the camera, (N, 3)."""
    xyz = frame.lidar_points[:, :3].astype(float)
    return xyz @ frame.T_cam_lidar[:3, :3].T + frame.T_cam_lidar[:3, 3]


def _share_on_depth_image(frame: SyntheticFrame) -> float:
    """Return the share of returns in view that agree with the depths around their pixel."""
    k, points = frame.intrinsics, _in_camera(frame)
    points = points[points[:, 2] > 1.0]
    u = np.rint(k.fx * points[:, 0] / points[:, 2] + k.cx).astype(int)
    v = np.rint(k.fy * points[:, 1] / points[:, 2] + k.cy).astype(int)
    inside = (u >= 1) & (u < k.width - 1) & (v >= 1) & (v < k.height - 1)
    u, v, z = u[inside], v[inside], points[inside, 2]
    around = np.stack([frame.depth_m[v + i, u + j] for i in (-1, 0, 1) for j in (-1, 0, 1)])
    slack = 0.08  # five sigma of the range
    agrees = (z > around.min(0) - slack) & (z < around.max(0) + slack)
    assert len(z) > 2000
    return float(agrees.mean())
