# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The synthetic drive as frames with exact depth: rendered when asked for, or kept before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clip_depth_ros.sources.samples import Classes, DepthSample
from clip_depth_ros.types import Depth, Rgb
from clip_depth_ros.world.drive import CLASS_NAMES, Drive
from clip_depth_ros.world.rendered_streets import Frames, open_frames, Streets, VERSION
import numpy as np
from numpy.typing import NDArray


class WorldSource:
    """
    Samples of synthetic streets.

    Parameters
    ----------
    streets : Streets
        Which frames.
    rendered : Path, optional
        Folder where :func:`render_streets` has put them; without, each is rendered when asked for.
    sky_depth_m : float
        What counts as the depth of sky and of all beyond it; 0: nothing is known there.

    """

    def __init__(
        self,
        streets: Streets,
        *,
        rendered: Path | None = None,
        sky_depth_m: float = 0.0,
    ) -> None:
        self.name = 'the synthetic drive'
        self.streets = streets
        self.sky_depth_m = sky_depth_m
        self._rendered = rendered
        self._frames: Frames | None = None
        self._street: tuple[int, Drive] | None = None

    def __len__(self) -> int:
        return len(self.streets)

    @property
    def files(self) -> list[Path]:
        """Give none: frames are rendered."""
        return []

    @property
    def names(self) -> list[str]:
        """Give the names of all frames."""
        return [_name(*self.streets.frame_of(index)) for index in range(len(self))]

    def __getitem__(self, index: int) -> DepthSample:
        """Give a frame."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        seed, number = self.streets.frame_of(index)
        drive = self._drive(seed)
        rgb, depth_m, class_ids = self._pixels(index, drive, number)
        target_m = np.array(depth_m, np.float32)
        if self.sky_depth_m:
            np.minimum(target_m, self.sky_depth_m, out=target_m)
        target_m[~np.isfinite(target_m)] = 0
        return DepthSample(
            _name(seed, number),
            np.array(rgb),
            target_m,
            drive.intrinsics,
            stamp_ns=drive.stamp_ns(number),
            recording=f'seed {seed}',
            classes=Classes(np.array(class_ids), CLASS_NAMES),
            T_world_camera=drive.pose(number),
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave open files and streets behind: each process opens its own."""
        return {**self.__dict__, '_frames': None, '_street': None}

    def describe(self) -> Mapping[str, str]:
        """Give what decides the frames."""
        facts = {name: str(value) for name, value in self.streets.facts().items()}
        facts['version'] = str(VERSION)  # tokens of an earlier world are not those of this one
        return {'source': 'synthetic', 'sky_depth_m': f'{self.sky_depth_m:g}', **facts}

    def _pixels(
        self, index: int, drive: Drive, number: int
    ) -> tuple[Rgb, Depth, NDArray[np.uint8]]:
        """Give image, depth (float16 if kept) and classes of a frame."""
        if self._rendered is not None:
            self._frames = self._frames or open_frames(self._rendered, self.streets)
            kept = self._frames
            return kept.rgb[index], kept.depth_m[index], kept.class_ids[index]
        frame = drive.frame(number, lidar=False)
        return frame.rgb, frame.depth_m, frame.class_ids

    def _drive(self, seed: int) -> Drive:
        if self._street is None or self._street[0] != seed:
            self._street = (
                seed, Drive(seed, width=self.streets.width, height=self.streets.height)
            )
        return self._street[1]


def _name(seed: int, number: int) -> str:
    return f'seed {seed} frame {number}'
