# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Folders in the manner of DIODE: images with depth and the pixels in which it is valid, as arrays.

::

    <split>/<indoors or outdoor>/scene_NNNNN/scan_NNNNN/<name>.png
                                                        <name>_depth.npy       metres
                                                        <name>_depth_mask.npy  1 where valid

Arrays are (H, W) or (H, W, 1). Source: the data set's development kit (Vasiljevic et al., "DIODE:
A Dense Indoor and Outdoor DEpth Dataset", arXiv 1908.00463).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from clip_depth_ros.bags.places import Matching
from clip_depth_ros.errors import RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.cameras import camera_facts, folder_camera
from clip_depth_ros.sources.folders import FolderFrame, FolderSource
from clip_depth_ros.sources.registry import FrameRules, Kind
from clip_depth_ros.types import Intrinsics

_CAMERA: Final = Intrinsics(886.81, 927.06, 512.0, 384.0, 1024, 768)
"""Of all images, which are crops of scans, as the development kit has it (intrinsics.txt)."""

_WHOSE: Final = "DIODE's camera"

_DEPTH: Final = '_depth.npy'
_MASK: Final = '_depth_mask.npy'
_LEVELS: Final = ('', '*/', '*/*/', '*/*/*/', '*/*/*/*/')
"""From a scan up to the root that holds the splits."""


def open_diode(root: Path, settings: SourceSettings, rules: FrameRules) -> FolderSource:
    """
    Open the images of a folder that have depth and a mask, in it or up to four levels below.

    RecordingError if there is none.
    """
    masks = sorted(_masks(root))
    camera = folder_camera(settings, _CAMERA, _WHOSE)
    frames = [
        FolderFrame(
            name=image.relative_to(root).as_posix(), image=image, gt=gt, masks=(mask,),
            camera=camera, recording=image.parent.relative_to(root).as_posix(),
        )
        for mask in masks
        if (image := _beside(mask, '.png')).is_file() and (gt := _beside(mask, _DEPTH)).is_file()
    ]
    if not frames:
        raise RecordingError(
            f'{str(root)!r} has no images with depth: looked for NAME.png, NAME{_DEPTH} and '
            f'NAME{_MASK} in it and up to four levels below'
        )
    n_without = len(masks) - len(frames)
    return FolderSource(
        'diode', f'DIODE ({root.resolve().name})', root, frames,
        {**camera_facts(settings, _WHOSE), 'left_out_without_depth': str(n_without)},
        matching=Matching(len(masks), n_without),
    )


KIND: Final = Kind(
    looks_like=f'NAME.png beside NAME{_DEPTH} and NAME{_MASK}',
    recognises=lambda path: any(True for _ in _masks(path)),
    uses={'intrinsics', 'calibration_scaling', 'max_image_pixels'},
    opened=open_diode,
    searches=True,
)


def _masks(root: Path) -> Iterator[Path]:
    return chain.from_iterable(root.glob(f'{level}*{_MASK}') for level in _LEVELS)


def _beside(mask: Path, ending: str) -> Path:
    return mask.with_name(mask.name.removesuffix(_MASK) + ending)
