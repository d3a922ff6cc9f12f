# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The synthetic drive: a procedural street seen by a moving camera and a LiDAR, with exact depth.

``Drive(seed).frames(n)`` yields frames in order; ``Drive(seed).frame(i)`` returns any frame on
its own. A seed fixes the street, the weather, the film, the traffic and the drive; the same seed
gives the same bytes in every process with the same NumPy and OpenCV on the same kind of
processor. Nothing here is real: textures are noise, people are made of a few solids.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.types import Depth, Intrinsics, Rgb
from clip_depth_ros.world.camera import FAR_M, render
from clip_depth_ros.world.hills import raised
from clip_depth_ros.world.layout.crowd import crowd
from clip_depth_ros.world.lidar import KITTI_T_CAM_LIDAR, LidarModel, scan
from clip_depth_ros.world.look.light import Light, light_of
from clip_depth_ros.world.look.looks import Look, look_of
from clip_depth_ros.world.prefabs import library
from clip_depth_ros.world.rays import CameraRays
from clip_depth_ros.world.rig import kitti_like, Rig
from clip_depth_ros.world.roadside import block_things
from clip_depth_ros.world.scene import Scene
from clip_depth_ros.world.street import Street, street_of
from clip_depth_ros.world.things import assemble, CLASS_NAMES, Placed
from clip_depth_ros.world.traffic import Motion, motion_of, moving_things, path_of
import numpy as np
from numpy.typing import NDArray

__all__ = ['CLASS_NAMES', 'Drive', 'START_NS', 'SyntheticFrame']

START_NS = 1_700_000_000_000_000_000
"""Default stamp of the first frame, nanoseconds."""

_BEHIND_M = 20.0  # the world is built this far behind the camera, for shadows and the LiDAR
_BEYOND_M = 25.0  # and this far beyond the last thing that can be seen
_BLOCKS_KEPT = 6


@dataclass(frozen=True, slots=True)
class SyntheticFrame:
    """
    One moment of a drive as its sensors saw it.

    Attributes
    ----------
    rgb : uint8 (H, W, 3)
    depth_m : float32 (H, W)
        Exact z-depth of the surface that the ray through the pixel's centre meets first, metres
        along the optical axis; +Inf for sky and for all beyond ``FAR_M``. Never blended.
    class_ids : uint8 (H, W)
        What that surface is, see ``CLASS_NAMES``; 0 (sky) exactly where the depth is +Inf.
    lidar_points : float32 (N, 4)
        x forward, y left, z up in metres in the LiDAR's frame, and intensity in [0, 1]; noisy;
        only the sector that :class:`LidarModel` names. (0, 4) without LiDAR.
    intrinsics : Intrinsics
        Pixel (0, 0) is centred at (0, 0).
    stamp_ns : int
        When it was taken; camera and LiDAR at the same instant.
    T_world_cam : float64 (4, 4)
        Takes points of the camera (x right, y down, z forward) to the world (z up, the road at
        z = 0 where there are no hills).
    T_cam_lidar : float64 (4, 4)
        Takes points of the LiDAR to the camera.

    """

    rgb: Rgb
    depth_m: Depth
    class_ids: NDArray[np.uint8]
    lidar_points: NDArray[np.float32]
    intrinsics: Intrinsics
    stamp_ns: int
    T_world_cam: NDArray[np.float64]
    T_cam_lidar: NDArray[np.float64]


class Drive:
    """
    An endless drive: any frame can be rendered directly, in any order, with the same result.

    Parameters
    ----------
    seed : int
        0 or more; another seed is another street, weather, traffic and speed.
    width, height : int
        Size of the image, 16 to 4096 pixels each.
    rate_hz : float
        Frames per second, above 0 and up to 1000.
    start_ns : int
        Stamp of frame 0.
    lidar : LidarModel, optional
        KITTI-like by default.
    rig : Rig, optional
        The camera and its mount, by default KITTI's; ``width`` and ``height`` are then not read.

    Raises
    ------
    ConfigError
        If a number is out of its range.

    """

    def __init__(
        self,
        seed: int,
        *,
        width: int = 320,
        height: int = 96,
        rate_hz: float = 10.0,
        start_ns: int = START_NS,
        lidar: LidarModel | None = None,
        rig: Rig | None = None,
    ) -> None:
        if rig is not None:
            width, height = rig.intrinsics.width, rig.intrinsics.height
        for name, number in (('seed', seed), ('start_ns', start_ns)):
            _check(name, number, _is_whole(number) and number >= 0, 'a whole number of 0 or more')
        for name, side in (('width', width), ('height', height)):
            _check(name, side, _is_whole(side) and 16 <= side <= 4096, '16 to 4096 whole pixels')
        _check('rate_hz', rate_hz, 0 < rate_hz <= 1000, 'above 0 and at most 1000')
        self.seed, self.rate_hz, self.start_ns = int(seed), float(rate_hz), int(start_ns)
        self.rig = rig or Rig(kitti_like(width, height))
        self.lidar = lidar or LidarModel()
        self.street: Street = street_of(self.seed)
        self.light: Light = light_of(self.seed)
        self.look: Look = look_of(self.seed)
        self.motion: Motion = motion_of(self.seed)
        self._blocks: dict[int, list[Placed]] = {}

    @property
    def intrinsics(self) -> Intrinsics:
        """Return those of the camera."""
        return self.rig.intrinsics

    def frame(self, index: int, *, lidar: bool = True) -> SyntheticFrame:
        """
        Render one frame.

        Parameters
        ----------
        index : int
            0 is at ``start_ns``, each further one 1 / ``rate_hz`` later.
        lidar : bool
            Without it ``lidar_points`` is empty and the rest is the same, sooner.

        Raises
        ------
        ConfigError
            If ``index`` is negative.

        """
        T_world_cam, scene = self.pose(index), self.scene(index)
        view = render(scene, CameraRays(self.intrinsics, T_world_cam), self._rng(12, index))
        points = np.zeros((0, 4), np.float32)
        if lidar:
            T_world_lidar = np.einsum('ij,jk->ik', T_world_cam, KITTI_T_CAM_LIDAR)
            points = scan(self.lidar, scene, T_world_lidar, self._rng(13, index))
        return SyntheticFrame(
            *view,
            lidar_points=points,
            intrinsics=self.intrinsics,
            stamp_ns=self.stamp_ns(index),
            T_world_cam=T_world_cam,
            T_cam_lidar=KITTI_T_CAM_LIDAR.copy(),
        )

    def frames(self, n_frames: int) -> Iterator[SyntheticFrame]:
        """
        Render the first frames, one after the other.

        Raises
        ------
        ConfigError
            At once, not at the first frame, if ``n_frames`` is not 1 or more.

        """
        _check('n_frames', n_frames, _is_whole(n_frames) and n_frames >= 1, '1 or more')
        return map(self.frame, range(n_frames))

    def stamp_ns(self, index: int) -> int:
        """Return when a frame is taken, nanoseconds."""
        return self.start_ns + round(index * 1e9 / self.rate_hz)

    def pose(self, index: int) -> NDArray[np.float64]:
        """Return T_world_cam of a frame, float64 (4, 4)."""
        _check('index', index, _is_whole(index) and index >= 0, 'a frame number of 0 or more')
        T_world_cam = self.motion.camera(self.street, index / self.rate_hz, self.rig)
        return np.asarray(T_world_cam, np.float64)

    def scene(self, index: int) -> Scene:
        """Return the world around the camera at the moment of a frame."""
        eye = self.pose(index)[:2, 3]
        time_s = index / self.rate_hz
        here = self.motion.travelled_m(time_s)
        stretch = (here - _BEHIND_M, here + FAR_M + _BEYOND_M)
        blocks = range(self.street.block_of(stretch[0]), self.street.block_of(stretch[1]) + 1)
        standing = [
            thing
            for block in blocks
            for thing in self._block(block)
            if stretch[0] < thing.x < stretch[1]
        ]
        path_d = path_of(self.rig, self.street)
        moving = [
            *moving_things(self.street, self.motion, self.seed, time_s, stretch, path_d),
            *crowd(self.street, self.seed, time_s, here, path_d),
        ]
        things = [*standing, *moving]
        shapes = assemble(library(), things, eye)
        shapes = raised(self.street.climbs, shapes, np.array([thing.x for thing in things]))
        return Scene(shapes, self.street, self.look, self.light, cloud_drift_m=3.0 * time_s)

    def _block(self, block: int) -> list[Placed]:
        """Return what stands in a block; kept while the drive is near it."""
        if block not in self._blocks:
            while len(self._blocks) >= _BLOCKS_KEPT:
                self._blocks.pop(next(iter(self._blocks)))
            path_d = path_of(self.rig, self.street)
            self._blocks[block] = block_things(self.street, self.seed, block, path_d)
        return self._blocks[block]

    def _rng(self, purpose: int, index: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, purpose, index))


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, np.integer))


def _check(name: str, value: object, holds: bool, wanted: str) -> None:
    if not holds:
        raise ConfigError(f'{name} of a synthetic drive must be {wanted}, got {value!r}')
