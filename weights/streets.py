# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered streets whose frames have sizes of their own, each frame kept in a file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
import hashlib
import io
import json
from pathlib import Path
from typing import Any

from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.sources.kinds.synthetic import WorldSource
from clip_depth_ros.types import Depth, Rgb
from clip_depth_ros.world.drive import Drive
from clip_depth_ros.world.rendered_streets import in_processes, Streets
import numpy as np
from numpy.typing import NDArray


class KeptStreets(WorldSource):
    """
    Samples of streets behind cameras of any size; what is rendered is kept.

    Parameters
    ----------
    streets : Streets
        Which frames.
    folder : Path
        Gets a folder for these streets, and in that a file for each frame.

    """

    def __init__(self, streets: Streets, folder: Path) -> None:
        super().__init__(streets)
        facts = json.dumps(self.describe(), sort_keys=True)
        self._folder = folder / hashlib.sha256(facts.encode()).hexdigest()[:12]

    def path(self, index: int) -> Path:
        """Return the file of a frame."""
        return self._folder / f'{index:06}.npz'

    def _pixels(
        self, index: int, drive: Drive, number: int
    ) -> tuple[Rgb, Depth, NDArray[np.uint8]]:
        path = self.path(index)
        if not path.is_file():
            rgb, depth_m, class_ids = super()._pixels(index, drive, number)
            content = io.BytesIO()
            np.savez(content, rgb=rgb, depth_m=depth_m.astype(np.float16), class_ids=class_ids)
            atomic_write_bytes(path, content.getvalue())
        with np.load(path) as kept:
            return kept['rgb'], kept['depth_m'], kept['class_ids']


def render_all(
    source: KeptStreets, n_workers: int, on_frames: Callable[[int], None] = lambda count: None
) -> None:
    """
    Render what is not there yet, in processes.

    ``on_frames`` gets the number of frames rendered since the last call.
    """
    each = source.streets.frames_per_seed
    missing = [
        range(first, first + each)
        for first in range(0, len(source), each)
        if not all(source.path(index).is_file() for index in range(first, first + each))
    ]
    for count in in_processes(partial(_render, source), missing, n_workers):
        on_frames(count)


def _render(source: KeptStreets, indices: Any) -> int:
    for index in indices:
        source[index]
    return len(indices)
