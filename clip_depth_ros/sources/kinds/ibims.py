# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
iBims-1's images with the depth of a laser scanner, as unpacked from ibims1_core_raw.

::

    rgb/NAME.png
    depth/NAME.png           16 bits, 65535 for 50 m, 0 for none
    mask_invalid/NAME.png    0 where depth does not belong to the image
    mask_transp/NAME.png     0 where something is transparent
    calib/NAME.txt           fx, fy, cx, cy

Depth counts where both masks let it, as in the authors' evaluation. Source: the data set's readme
(Koch et al., "Evaluation of CNN-based Single-Image Depth Estimation Methods", ECCVW 2018).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from clip_depth_ros.bags.places import Matching
from clip_depth_ros.errors import RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.camera_files import camera_beside
from clip_depth_ros.sources.cameras import camera_facts
from clip_depth_ros.sources.folders import FolderFrame, FolderSource
from clip_depth_ros.sources.registry import FrameRules, Kind

_PER_METRE: Final = 65535 / 50
_MASKS: Final = ('mask_invalid', 'mask_transp')
_PLACES: Final = ('', 'ibims1_core_raw')


def open_ibims(root: Path, settings: SourceSettings, rules: FrameRules) -> FolderSource:
    """Open the images that have depth; RecordingError if there are none."""
    folder = _folder(root) or root
    images = sorted((folder / 'rgb').glob('*.png'))
    frames = [
        FolderFrame(
            name=image.name, image=image, gt=gt, per_metre=_PER_METRE,
            masks=tuple(folder / mask / image.name for mask in _MASKS), beside=(calibration,),
            camera=camera_beside(calibration, settings),
        )
        for image in images
        if (gt := folder / 'depth' / image.name).is_file()
        for calibration in [folder / 'calib' / f'{image.stem}.txt']
    ]
    if not frames:
        raise RecordingError(
            f'{str(root)!r} has no images with depth: looked for rgb/NAME.png and depth/NAME.png '
            'in it and in ibims1_core_raw'
        )
    n_without = len(images) - len(frames)
    return FolderSource(
        'ibims', 'iBims-1', root, frames, camera_facts(settings, "iBims-1's calib"),
        matching=Matching(len(images), n_without),
    )


def _folder(root: Path) -> Path | None:
    found = (root / place for place in _PLACES)
    return next((each for each in found if (each / 'mask_transp').is_dir()), None)


KIND: Final = Kind(
    looks_like='rgb/ beside mask_transp/', recognises=_folder,
    uses={'intrinsics', 'calibration_scaling', 'max_image_pixels'},
    opened=open_ibims,
)
