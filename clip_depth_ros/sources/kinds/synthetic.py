# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered streets as frames with exact depth: rendered when asked for, or kept before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
import re
from typing import Any, Final

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.registry import FrameRules, Kind, Source
from clip_depth_ros.sources.samples import Classes, DepthSample
from clip_depth_ros.types import Depth, Rgb
from clip_depth_ros.world.drive import CLASS_NAMES, Drive
from clip_depth_ros.world.rendered_streets import (
    Frames,
    open_frames,
    render_streets,
    Streets,
    VERSION,
)
import numpy as np
from numpy.typing import NDArray

_SEEDS: Final = re.compile(r'(\d{1,9})(?:-(\d{1,9}))?')
_WITHOUT_END: Final = re.compile(r'(\d{1,9})-')
_ANY_SHAPE_PX: Final = 2048 * 2048  # so many pixels can be rendered in any shape that is drawn


class WorldSource(Source):
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
        self.name, self.gt_kind = 'the synthetic drive', 'exact'
        self.names = [_name(*streets.frame_of(index)) for index in range(len(streets))]
        self.streets, self.sky_depth_m = streets, sky_depth_m
        self._rendered = rendered
        self._frames: Frames | None = None
        self._street: tuple[int, Drive] | None = None

    def __getitem__(self, index: int) -> DepthSample:
        """Return a frame."""
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
        """Return what decides the frames."""
        facts = {name: str(value) for name, value in self.streets.facts().items()}
        facts['version'] = str(VERSION)  # tokens of an earlier world are not those of this one
        return {'source': 'synthetic', 'sky_depth_m': f'{self.sky_depth_m:g}', **facts}

    def parts(self) -> NDArray[np.intp]:
        """Return which camera each frame is of: that of its seed, where these vary in size."""
        numbers = np.arange(len(self.streets), dtype=np.intp)
        return numbers // (
            len(self.streets) if self.streets.has_one_size else self.streets.frames_per_seed
        )

    def _pixels(
        self, index: int, drive: Drive, number: int
    ) -> tuple[Rgb, Depth, NDArray[np.uint8]]:
        """Return image, depth (float16 if kept) and classes of a frame."""
        if self._rendered is not None:
            self._frames = self._frames or open_frames(self._rendered, self.streets)
            kept = self._frames
            return kept.rgb[index], kept.depth_m[index], kept.class_ids[index]
        frame = drive.frame(number, lidar=False)
        return frame.rgb, frame.depth_m, frame.class_ids

    def _drive(self, seed: int) -> Drive:
        if self._street is None or self._street[0] != seed:
            self._street = (seed, self.streets.drive(seed))
        return self._street[1]


def seeds_of(source: str) -> range:
    """
    Read a seed or a range of them: 1000000 or 1000000-1000009, both ends included.

    ConfigError if it is neither, or the range runs backwards.
    """
    match = _SEEDS.fullmatch(source)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
    if last < first:
        raise ConfigError(
            f'a source of the rendered drive should be a seed or a range of seeds such as '
            f'1000000-1000009, got {source!r}'
        )
    return range(first, last + 1)


def with_end(source: str, n_streets: int) -> str:
    """Return seeds with an end, such that an open range, ``5-``, has so many streets."""
    match = _WITHOUT_END.fullmatch(source)
    return f'{match[1]}-{int(match[1]) + n_streets - 1}' if match else source


def _open(path: Path, settings: SourceSettings, rules: FrameRules) -> WorldSource:
    seeds = seeds_of(str(path))
    width, height = settings.width_px, settings.height_px
    streets = Streets(
        seeds.start, len(seeds), settings.frames_per_seed, width, height, settings.frame_step,
        settings.cameras, settings.lens_factor,
    )
    _check_sizes(streets)
    if rules.rendered_dir is not None:
        render_streets(streets, rules.rendered_dir, n_workers=rules.n_workers)
    return WorldSource(streets, rendered=rules.rendered_dir, sky_depth_m=rules.sky_depth_m)


KIND: Final = Kind(
    looks_like='a seed or a range of them',
    recognises=lambda path: not path.exists() and _SEEDS.fullmatch(str(path)),
    uses={
        'frames_per_seed', 'frame_step', 'width_px', 'height_px', 'sky_depth_m', 'rendered_dir',
        'cameras', 'lens_factor',
    },
    opened=_open,
    parts=lambda source: [f'seed {seed}' for seed in seeds_of(source)],
    is_path=False,
)


def _check_sizes(streets: Streets) -> None:
    """Refuse, with ConfigError, sizes that cannot be rendered: that asked for, and those drawn."""
    Drive(streets.first_seed, width=streets.width, height=streets.height)
    if not streets.has_one_size and streets.width * streets.height > _ANY_SHAPE_PX:
        # Cameras are never higher than wide.
        streets.drive(max(streets.seeds, key=lambda seed: streets.rig(seed).intrinsics.width))


def _name(seed: int, number: int) -> str:
    return f'seed {seed} frame {number}'
