# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A simulated 64-beam spinning LiDAR after the Velodyne HDL-64E of KITTI's car.

Beams, range and mounting follow KITTI (Geiger et al., IJRR 2013; HDL-64E data sheet: elevation
+2 to -24.8 degrees, 120 m, 2 cm). Ours: beams evenly spaced; all points of a turn taken at one
instant, so nothing is skewed by motion; a coarse azimuth step; a sector instead of a full turn.
"""

from __future__ import annotations

from dataclasses import dataclass

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.world.casting import NOTHING, surface_at
from clip_depth_ros.world.rays import SpinningRays
from clip_depth_ros.world.scene import cast, Scene
from clip_depth_ros.world.things import Floats, Ints, Thing
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class LidarModel:
    """
    What the simulated LiDAR can do.

    Attributes
    ----------
    n_beams : int
        Beams, evenly spaced over ``elevations_deg`` = (lowest, highest).
    azimuth_step_deg : float
        Between two columns of points.
    azimuths_deg : (first, last)
        The sector, counter-clockwise from straight ahead; (-180, 180) is a full turn. The default
        covers the camera's view with some margin.
    min_range_m, max_range_m : float
        Returns from nearer or farther are lost.
    range_sigma_m : float
        Standard deviation of the range.
    dropout : float
        Share of returns lost by chance; weak returns are lost more often on top.

    Raises
    ------
    ConfigError
        If a number is out of its range.

    """

    n_beams: int = 64
    elevations_deg: tuple[float, float] = (-24.8, 2.0)
    azimuth_step_deg: float = 0.4
    azimuths_deg: tuple[float, float] = (-45.0, 45.0)
    min_range_m: float = 1.0
    max_range_m: float = 120.0
    range_sigma_m: float = 0.015
    dropout: float = 0.03

    def __post_init__(self) -> None:
        low, high = self.elevations_deg
        first, last = self.azimuths_deg
        checks = {
            'n_beams >= 1': self.n_beams >= 1,
            '-80 <= lowest <= highest <= 80 in elevations_deg': -80 <= low <= high <= 80,
            '-180 <= first <= last <= 180 in azimuths_deg': -180 <= first <= last <= 180,
            '0 < azimuth_step_deg': 0 < self.azimuth_step_deg < np.inf,
            '0 < min_range_m < max_range_m': 0 < self.min_range_m < self.max_range_m,
            '0 <= range_sigma_m': 0 <= self.range_sigma_m < np.inf,
            '0 <= dropout < 1': 0 <= self.dropout < 1,
        }
        for claim, holds in checks.items():
            if not holds:
                raise ConfigError(f'a LiDAR needs {claim}, got {self}')

    def rays(self, T_world_lidar: Floats) -> SpinningRays:
        """Return the beams of one turn at a pose; a full turn does not repeat its first column."""
        first, last = self.azimuths_deg
        count = int(np.floor((last - first) / self.azimuth_step_deg + 1e-9)) + 1
        count -= count > 1 and last - first == 360
        azimuths = first + self.azimuth_step_deg * np.arange(count)
        elevations = np.linspace(*self.elevations_deg, self.n_beams)
        return SpinningRays(np.radians(azimuths), np.radians(elevations), T_world_lidar)


KITTI_T_CAM_LIDAR = np.array(
    [
        [0.0, -1.0, 0.0, 0.0],
        [0.0, 0.0, -1.0, -0.08],
        [1.0, 0.0, 0.0, -0.27],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
"""Takes LiDAR points to the camera: 0.08 m above and 0.27 m behind it, axes parallel."""


def scan(
    model: LidarModel, scene: Scene, T_world_lidar: Floats, rng: np.random.Generator
) -> NDArray[np.float32]:
    """
    Take one turn of the LiDAR: x, y, z in metres and intensity in [0, 1], float32 (N, 4).

    Points are in the LiDAR's frame (x forward, y left, z up), which ``T_world_lidar``, float64
    (4, 4), takes to the world; row by row from the lowest beam, each counter-clockwise.
    """
    rays = model.rays(T_world_lidar)
    (t, shape), _ = cast(scene, rays)
    slopes = np.tan(rays.elevations_rad)[:, None]
    stretch = np.sqrt(1 + slopes * slopes)
    ranges = t * stretch
    intensity = _intensity(scene, rays, t, shape, ranges)
    noisy = ranges + rng.standard_normal(t.shape) * model.range_sigma_m
    luck = rng.random(t.shape)
    returned = (ranges >= model.min_range_m) & (ranges <= model.max_range_m)
    returned &= luck > model.dropout + 0.3 * np.clip(1 - intensity / 0.08, 0, 1)
    flat = np.where(returned, noisy, 0) / stretch
    azimuths = rays.azimuths_rad
    points = np.stack(
        [flat * np.cos(azimuths), flat * np.sin(azimuths), flat * slopes, intensity], axis=2
    )
    returns: NDArray[np.float32] = points[returned].astype(np.float32)
    return returns


_REFLECTANCE = {
    Thing.ROAD: 0.22,
    Thing.SIDEWALK: 0.34,
    Thing.GRASS: 0.42,
    Thing.BUILDING: 0.45,
    Thing.FENCE: 0.4,
    Thing.HEDGE: 0.5,
    Thing.TREE: 0.45,
    Thing.CAR: 0.35,
    Thing.TRUCK: 0.5,
    Thing.PEDESTRIAN: 0.4,
    Thing.POLE: 0.5,
    Thing.SIGN: 0.95,
    Thing.BICYCLE: 0.3,
    Thing.BUS: 0.4,
    Thing.WALL: 0.4,
    Thing.BOX: 0.4,
    Thing.ANIMAL: 0.3,
    Thing.SKY: 0.0,
}
"""Our guesses; only their order means anything."""


def _intensity(scene: Scene, rays: SpinningRays, t: Floats, shape: Ints, ranges: Floats) -> Floats:
    """Return reflectance by class and colour, times the cosine at which the beam falls."""
    x, y, z = rays.columns[:, None] + rays.rows[:, :, None]
    length = np.sqrt(x * x + y * y + z * z)
    intensity = np.where(np.isfinite(t), -z / length * _REFLECTANCE[Thing.ROAD], 0.0)
    solid = shape != NOTHING
    reach = np.stack([x[solid], y[solid], z[solid]]) * t[solid]
    footprint_m = np.full(len(reach[0]), np.float32(0.1))
    surface = surface_at(
        scene.shapes, shape[solid], rays.origin_m, reach.astype(np.float32), footprint_m
    )
    cosine = np.abs((surface.normal * reach).sum(0)) / ranges[solid]
    table = np.array([_REFLECTANCE[thing] for thing in Thing])
    bright = surface.colour.mean(1)
    intensity[solid] = table[scene.shapes.thing[surface.row]] * cosine * (0.5 + bright)
    return np.clip(intensity, 0, 1)
