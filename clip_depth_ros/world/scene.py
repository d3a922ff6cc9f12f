# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The world at one moment, in the light of its day, and the one cast that all sensors share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from clip_depth_ros.world.casting import Hits, nearest_hits
from clip_depth_ros.world.look.light import Light
from clip_depth_ros.world.look.looks import Look
from clip_depth_ros.world.rays import RayGrid
from clip_depth_ros.world.street import ground_hits, GroundHits, Street
from clip_depth_ros.world.things import Shapes


@dataclass(frozen=True, slots=True)
class Scene:
    """The world at one moment: all solids, the ground, its look, and how far clouds moved."""

    shapes: Shapes
    street: Street
    look: Look
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
