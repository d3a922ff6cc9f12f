# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A video of five frames, made up for tests."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.sources.video import written_video
import numpy as np

SIZE = Size(48, 64)


def frame(index: int) -> np.ndarray:
    """Return red that gets stronger, on blue."""
    rgb = np.zeros((*SIZE, 3), np.uint8)
    rgb[..., 2] = 40
    rgb[:, :32, 0] = 20 + 40 * index
    return rgb


def write_video(path: Path) -> Path:
    """Write frames 0 to 4, 15 a second."""
    with written_video(path, SIZE, 15.0) as add:
        for index in range(5):
            add(frame(index))
    return path
