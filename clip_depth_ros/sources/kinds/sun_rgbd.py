# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
SUN RGB-D's images with the depth of a Kinect, Xtion or RealSense.

::

    <sensor>/<part>/.../<scene>/image/NAME.jpg
                                depth/NAME.png        as measured
                                depth_bfx/NAME.png    with its holes filled
                                intrinsics.txt        K row by row

Depth is 16 bits, millimetres whose last three bits were moved to the front, and counts below 8 m.
It is as measured in evaluations, filled in trainings. Source: read3dPoints.m of the data set's
toolbox (Song, Lichtenberg, Xiao, CVPR 2015).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from clip_depth_ros.bags.places import Matching
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.camera_files import camera_beside
from clip_depth_ros.sources.cameras import camera_facts
from clip_depth_ros.sources.files import read_depth_png
from clip_depth_ros.sources.folders import FolderFrame, FolderSource
from clip_depth_ros.sources.registry import FrameRules, Kind
from clip_depth_ros.sources.truth import TruthRules
from clip_depth_ros.types import Depth
import numpy as np

_MOST_M: Final = 8.0
_LEVELS: Final = tuple('*/' * n for n in range(6))
"""From a scene up to the root that holds the sensors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SunFrame(FolderFrame):
    """An image and its depth, whose bits were turned."""

    def depth_m(self, size: Size) -> Depth:
        """Return the depth, float32 (H, W), metres; 0 where unknown."""
        stored = read_depth_png(self.gt, 1, self.max_pixels).astype(np.uint16)
        millimetres = (stored >> 3) | (stored << 13)
        metres: Depth = millimetres.astype(np.float32) / np.float32(self.per_metre)
        return metres


def open_sun_rgbd(root: Path, settings: SourceSettings, rules: FrameRules) -> FolderSource:
    """
    Open the scenes of a folder that have depth, in it or up to five levels below.

    RecordingError if there are none.
    """
    scenes = sorted(_scenes(root))
    truth = TruthRules(max_range_m=settings.gt_max_range_m or _MOST_M)
    frames = [
        SunFrame(
            name=image.relative_to(root).as_posix(), image=image, gt=gt, rules=truth,
            beside=(calibration,), camera=camera_beside(calibration, settings),
        )
        for scene in scenes
        for image in _files(scene / 'image')
        for gt in _files(scene / ('depth' if rules.as_measured else 'depth_bfx'))
        for calibration in [scene / 'intrinsics.txt']
    ]
    if not frames:
        raise RecordingError(
            f'{str(root)!r} has no images with depth: looked for image/, depth/, depth_bfx/ and '
            'intrinsics.txt of scenes in it and up to five levels below'
        )
    if len({frame.image for frame in frames}) < len(frames):
        raise RecordingError(f'a scene of {str(root)!r} should have one image and one depth map')
    return FolderSource(
        'sun-rgbd', f'SUN RGB-D ({root.resolve().name})', root, frames,
        {
            **truth.describe(), **camera_facts(settings, "SUN RGB-D's intrinsics.txt"),
            'depth': 'measured' if rules.as_measured else 'filled',
        },
        matching=Matching(len(scenes), len(scenes) - len(frames)),
    )


KIND: Final = Kind(
    looks_like='image/ and depth_bfx/ beside intrinsics.txt',
    recognises=lambda path: any(True for _ in _scenes(path)),
    uses={'intrinsics', 'calibration_scaling', 'gt_max_range_m', 'max_image_pixels'},
    opened=open_sun_rgbd,
    searches=True,
)


def _scenes(root: Path) -> Iterator[Path]:
    found = chain.from_iterable(root.glob(f'{level}depth_bfx') for level in _LEVELS)
    return (path.parent for path in found if (path.parent / 'intrinsics.txt').is_file())


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob('*') if path.suffix in ('.jpg', '.png'))
