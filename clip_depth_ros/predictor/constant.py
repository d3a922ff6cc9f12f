# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A predictor that sees nothing: for tests, and for trying ROS wiring without weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import time

from clip_depth_ros.core.images import check_rgb
from clip_depth_ros.types import DepthMap, Intrinsics, Rgb
import numpy as np


class ConstantPredictor:
    """
    A predictor that answers the same depth everywhere.

    Parameters
    ----------
    depth_m : float
        The answer, metres; NaN and infinities are allowed.
    delay_s : float
        How long each image takes, seconds.

    """

    likes_batches = False

    def __init__(self, depth_m: float, delay_s: float = 0.0) -> None:
        self.depth_m = depth_m
        self.delay_s = delay_s

    def predict(self, rgb: Rgb, camera: Intrinsics | None = None) -> DepthMap:
        """Return the constant at the size of the image; ImageError unless uint8 (H, W, 3)."""
        return self.predict_batch([rgb], [camera])[0]

    def predict_batch(
        self, rgbs: Sequence[Rgb], cameras: Sequence[Intrinsics | None] | None = None
    ) -> list[DepthMap]:
        """Return the constant at the size of each image."""
        for rgb in rgbs:
            check_rgb(rgb)
        time.sleep(self.delay_s * len(rgbs))
        return [DepthMap(np.full(rgb.shape[:2], self.depth_m, np.float32)) for rgb in rgbs]

    def describe(self) -> Mapping[str, str]:
        """Return what this is, in words."""
        return {'method': f'constant {self.depth_m} m: does not see depth', 'device': 'cpu'}

    def reset(self) -> None:
        """Do nothing: there is no past to forget."""

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""
