# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All there is at one moment, and the one way in which camera and LiDAR see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from clip_depth_ros.world.light import Light
from clip_depth_ros.world.paint_ground import GroundLook
from clip_depth_ros.world.rays import RayGrid
from clip_depth_ros.world.shapes import Shapes
from clip_depth_ros.world.street import ground_hits, GroundHits, Street
from clip_depth_ros.world.trace import Hits, nearest_hits


@dataclass(frozen=True, slots=True)
class Scene:
    """
    The world at one moment.

    Attributes
    ----------
    shapes : Shapes
        All solids.
    street : Street
        Course and cross-section; the ground.
    look : GroundLook
    light : Light
    cloud_drift_m : float
        How far the clouds have moved.

    """

    shapes: Shapes
    street: Street
    look: GroundLook
    light: Light
    cloud_drift_m: float = 0.0


class Cast(NamedTuple):
    """Nearest surfaces of a grid of rays: solids or ground, and the ground behind solids too."""

    hits: Hits
    ground: GroundHits


def cast(scene: Scene, rays: RayGrid) -> Cast:
    """Send rays into a scene."""
    ground = ground_hits(scene.street, rays)
    return Cast(nearest_hits(rays, scene.shapes, ground.t), ground)
