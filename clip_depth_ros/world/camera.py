# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a camera turns a scene into a picture with exact depth and classes."""

from __future__ import annotations

from typing import NamedTuple

from clip_depth_ros.types import Depth, Rgb
from clip_depth_ros.world.casting import NOTHING
from clip_depth_ros.world.look.film import developed
from clip_depth_ros.world.look.lighting import linear_colour, Pixels, Seen
from clip_depth_ros.world.rays import CameraRays
from clip_depth_ros.world.scene import cast, Scene
from clip_depth_ros.world.street import ground_things
from clip_depth_ros.world.things import Floats, Ints, Thing
import numpy as np
from numpy.typing import NDArray

FAR_M = 140.0
"""The world ends here: what lies deeper along the optical axis counts as sky."""


class View(NamedTuple):
    """A picture and what it shows; shapes as in :class:`SyntheticFrame`."""

    rgb: Rgb
    depth_m: Depth
    class_ids: NDArray[np.uint8]


def render(scene: Scene, rays: CameraRays, rng: np.random.Generator) -> View:
    """Take a picture of a moment; the numbers are drawn for the sensor's noise."""
    (depth, shape), ground = cast(scene, rays)
    depth = np.where(depth < FAR_M, depth, np.float32(np.inf))
    seen = np.isfinite(depth)
    pixels = Pixels(
        sky=np.flatnonzero(~seen),
        ground=np.flatnonzero(seen & (shape == NOTHING)),
        solid=np.flatnonzero(seen & (shape != NOTHING)),
    )
    colour = linear_colour(scene, rays, Seen(pixels, depth, shape, ground), FAR_M)
    colour = _smoothed(colour.reshape(*depth.shape, 3), shape)
    rgb = developed(scene.look.film, colour, rays.intrinsics.fx, scene.cloud_drift_m, rng)
    classes = np.full(depth.size, Thing.SKY, np.uint8)
    classes[pixels.ground] = ground_things(
        scene.street, ground.s.ravel()[pixels.ground], ground.d.ravel()[pixels.ground]
    )
    classes[pixels.solid] = scene.shapes.thing[shape.ravel()[pixels.solid]]
    return View(rgb, depth, classes.reshape(depth.shape))


def _smoothed(colour: Floats, shape: Ints) -> Floats:
    """Soften the steps at the rims of solids; only colour, never depth or classes."""
    rim = np.zeros(shape.shape, bool)
    across = shape[:, 1:] != shape[:, :-1]
    down = shape[1:] != shape[:-1]
    rim[:, 1:] |= across
    rim[:, :-1] |= across
    rim[1:] |= down
    rim[:-1] |= down
    i, j = np.nonzero(rim)
    up, below = np.maximum(i - 1, 0), np.minimum(i + 1, shape.shape[0] - 1)
    left, right = np.maximum(j - 1, 0), np.minimum(j + 1, shape.shape[1] - 1)
    around = colour[up, j] + colour[below, j] + colour[i, left] + colour[i, right]
    soft: Floats = colour.copy()
    soft[i, j] = colour[i, j] * np.float32(0.56) + around * np.float32(0.11)
    return soft
