# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the camera drives: speed, drift in the lane and small shakes, in closed form of time."""

from __future__ import annotations

from dataclasses import dataclass

from clip_depth_ros.types import Intrinsics
from clip_depth_ros.world.street import Street
from clip_depth_ros.world.things import Floats
import numpy as np

CAMERA_HEIGHT_M = 1.65
"""Height of KITTI's cameras above the road (Geiger et al., IJRR 2013, figure 3)."""

_KITTI_FOCAL, _KITTI_CX, _KITTI_CY, _KITTI_W, _KITTI_H = 721.5377, 609.5593, 172.854, 1242, 375


@dataclass(frozen=True, slots=True)
class Motion:
    """
    The drive of one seed.

    Attributes
    ----------
    speed_m_per_s : float
        Mean speed; the speed swings about it by ``surge`` (share) every ``surge_s`` seconds.
    phases : tuple of 4 floats
        Of surge, sway, pitch and roll, radians.
    sway_m : float
        Amplitude of the drift about the middle of the lane, every ``sway_s`` seconds.
    pitch_rad, roll_rad : float
        Amplitudes of the shakes.
    mount_pitch_rad : float
        Constant tilt of the camera; positive looks down.

    """

    speed_m_per_s: float
    surge: float
    surge_s: float
    phases: tuple[float, float, float, float]
    sway_m: float
    sway_s: float
    pitch_rad: float
    roll_rad: float
    mount_pitch_rad: float

    def travelled_m(self, time_s: float) -> float:
        """Give the metres along the street since time 0; the integral of the speed."""
        w = 2 * np.pi / self.surge_s
        swing = (np.cos(self.phases[0]) - np.cos(w * time_s + self.phases[0])) / w
        return float(self.speed_m_per_s * (time_s + self.surge * swing))

    def camera(self, street: Street, time_s: float) -> Floats:
        """Give T_world_cam at a time, float64 (4, 4), in the right-hand lane of the street."""
        s = self.travelled_m(time_s)
        w = 2 * np.pi / self.sway_s
        sway = self.sway_m * np.sin(w * time_s + self.phases[1])
        drift = self.sway_m * w * np.cos(w * time_s + self.phases[1]) / self.speed_m_per_s
        x, y, yaw = street.pose(s, float(-street.lane_m / 2 + sway))
        pitch = self.mount_pitch_rad + self.pitch_rad * np.sin(9.1 * time_s + self.phases[2])
        roll = self.roll_rad * np.sin(5.3 * time_s + self.phases[3])
        return camera_pose((x, y, CAMERA_HEIGHT_M), yaw + float(drift), float(pitch), float(roll))


def motion_of(seed: int) -> Motion:
    """Draw the drive of a seed: 5 to 14 m/s."""
    rng = np.random.default_rng((seed, 3))
    surge = float(rng.uniform(0.0, 0.15))
    a, b, c, d = rng.uniform(0, 2 * np.pi, 4).tolist()
    return Motion(
        speed_m_per_s=float(rng.uniform(5 / (1 - surge), 14 / (1 + surge))),
        surge=surge,
        surge_s=float(rng.uniform(8, 20)),
        phases=(a, b, c, d),
        sway_m=float(rng.uniform(0.05, 0.3)),
        sway_s=float(rng.uniform(6, 14)),
        pitch_rad=float(np.radians(rng.uniform(0.05, 0.3))),
        roll_rad=float(np.radians(rng.uniform(0.05, 0.4))),
        mount_pitch_rad=float(np.radians(rng.uniform(-1.0, 1.0))),
    )


def camera_pose(
    position: tuple[float, float, float], yaw: float, pitch: float = 0.0, roll: float = 0.0
) -> Floats:
    """
    Give T_world_cam of a camera that looks along x when all angles are 0.

    Angles in radians: ``yaw`` to the left, ``pitch`` down, ``roll`` clockwise as the camera sees
    forward; applied in this order about the moving axes.
    """
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    forward = np.array([cy * cp, sy * cp, -sp])
    left = np.array([-sy, cy, 0.0])
    up = np.array([cy * sp, sy * sp, cp])
    pose = np.eye(4)
    pose[:3, 0] = -(cr * left + sr * up)
    pose[:3, 1] = -(cr * up - sr * left)
    pose[:3, 2] = forward
    pose[:3, 3] = position
    return pose


def kitti_like(width: int, height: int) -> Intrinsics:
    """
    Give KITTI's camera (fx / width = 721.5 / 1242) with square pixels at another size.

    The principal point keeps its share of the width and height, so other aspect ratios see more
    or less above and below, and the horizon stays at the same share of the height.
    """
    focal = _KITTI_FOCAL * width / _KITTI_W
    return Intrinsics(
        fx=focal,
        fy=focal,
        cx=(_KITTI_CX + 0.5) * width / _KITTI_W - 0.5,
        cy=(_KITTI_CY + 0.5) * height / _KITTI_H - 0.5,
        width=width,
        height=height,
    )
