# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A source of small frames, for tests; loads nothing heavy, as processes that load frames do."""

from __future__ import annotations

from clip_depth_ros.errors import DataError
from clip_depth_ros.sources.samples import DepthSample
import numpy as np

HEIGHT, WIDTH = 32, 64


class Ramps:
    """
    Frames whose brightness is their depth: near is bright.

    Some pixels have no target, of each frame a different share, as with LiDAR.
    """

    def __init__(self, n_frames: int, seed: int = 0, *, bad: tuple[int, ...] = ()) -> None:
        self.name = f'ramps {seed}'
        self._n_frames, self._seed, self._bad = n_frames, seed, bad

    def __len__(self) -> int:
        return self._n_frames

    def __getitem__(self, index: int) -> DepthSample:
        """Return a frame."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        if index in self._bad:
            raise DataError(f'frame {index} of {self.name} is truncated')
        rng = np.random.default_rng((self._seed, index))
        near, far = np.sort(rng.uniform(2, 60, 2))
        depth_m = np.linspace(far, near, HEIGHT)[:, np.newaxis] * np.ones(WIDTH)
        depth_m += rng.normal(0, 0.1, depth_m.shape)
        rgb = np.repeat((255 * (1 - depth_m / 80))[..., np.newaxis], 3, axis=2)
        target_m = np.where(rng.random(depth_m.shape) < rng.uniform(0.1, 1), depth_m, 0)
        return DepthSample(
            f'{self.name} frame {index}', rgb.astype(np.uint8), target_m.astype(np.float32)
        )

    def describe(self) -> dict[str, str]:
        """Return what decides the frames."""
        return {'seed': str(self._seed), 'frames': str(len(self)), 'bad': str(self._bad)}
