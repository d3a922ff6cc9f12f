# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A source of small frames of a known camera, for tests: depth and brightness follow the ray."""

from __future__ import annotations

from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Intrinsics
import numpy as np


def slope_depth(rays_x: np.ndarray, rays_y: np.ndarray) -> np.ndarray:
    """Return the depth of a tilted plane seen along rays x/z, y/z: metres, 7 straight ahead."""
    return 1 / (1 / 7 + 0.02 * rays_x + 0.05 * rays_y)


class Slope:
    """
    A tilted plane behind a camera: its depth says which ray a pixel is of.

    Whatever is done to a frame, a pixel at ray (x, y) of its intrinsics must show
    ``slope_depth(x, y)``, and red as bright as that depth.
    """

    def __init__(self, camera: Intrinsics, n_frames: int = 6, *, name: str = 'slope') -> None:
        self.name, self.camera, self._n_frames = name, camera, n_frames

    def __len__(self) -> int:
        return self._n_frames

    def __getitem__(self, index: int) -> DepthSample:
        """Return a frame."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        k = self.camera
        v, u = np.mgrid[:k.height, :k.width]
        depth_m = slope_depth((u - k.cx) / k.fx, (v - k.cy) / k.fy)
        rgb = np.repeat((20 * depth_m)[..., np.newaxis], 3, axis=2).clip(0, 255)
        return DepthSample(
            f'{self.name} frame {index}', rgb.astype(np.uint8), depth_m.astype(np.float32), k
        )

    def describe(self) -> dict[str, str]:
        """Return what decides the frames."""
        return {'camera': str(self.camera), 'frames': str(len(self)), 'name': self.name}
