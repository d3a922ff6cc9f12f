# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
iBims-1's images with the depth of a laser scanner, as unpacked from ibims1_core_raw.

::

    rgb/NAME.png
    depth/NAME.png           16 bits, 65535 for 50 m, 0 for none
    mask_invalid/NAME.png    0 where depth does not belong to the image
    mask_transp/NAME.png     0 where something is transparent
    calib/NAME.txt           fx, fy, cx, cy; pixels are counted from 1
    edges/NAME.png           above 0 where depth steps
    mask_wall/NAME.png       which wall a pixel shows: 1, 2, ...; 0 for none
    mask_wall/NAME.txt       a line for each: 7 numbers, the last 3 its normal (right, ahead, up)
    mask_table/, mask_floor/ the same

Depth counts where both masks let it, as in the authors' evaluation, which also counts pixels from
1 and takes the normals so. Edges and planes are read where they are there. Source: the data set's
readme and scripts (Koch et al., "Evaluation of CNN-based Single-Image Depth Estimation Methods",
ECCVW 2018).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.bags.places import Matching
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import CalibrationError, ImageError, RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.camera_files import camera_beside, read_rows
from clip_depth_ros.sources.cameras import camera_facts
from clip_depth_ros.sources.files import read_labels
from clip_depth_ros.sources.folders import FolderFrame, FolderSource
from clip_depth_ros.sources.registry import FrameRules, Kind
from clip_depth_ros.sources.samples import DepthSample, Plane, Structure
import numpy as np
from numpy.typing import NDArray

_PER_METRE: Final = 65535 / 50
_MASKS: Final = ('mask_invalid', 'mask_transp')
_N_NUMBERS: Final = 7
_SURFACES: Final = ('mask_wall', 'mask_table', 'mask_floor')
_PLACES: Final = ('', 'ibims1_core_raw')


@dataclass(frozen=True, slots=True, kw_only=True)
class IbimsFrame(FolderFrame):
    """
    An image whose edges and planes are marked.

    Attributes
    ----------
    edges : Path, optional
    planes : tuple of (Path, Path)
        Pictures that number the planes, and texts that say how these are turned.

    """

    edges: Path | None
    planes: tuple[tuple[Path, Path], ...]

    def read(self) -> DepthSample:
        """Read the files; DataError, naming them, if that cannot be done."""
        sample = FolderFrame.read(self)
        if not (self.edges or self.planes):
            return sample
        size = Size(*sample.target_m.shape)
        return replace(sample, structure=Structure(
            edges=self._labels(self.edges, size) > 0 if self.edges else None,
            planes=tuple(plane for files in self.planes for plane in self._planes(*files, size)),
        ))

    def _planes(self, mask: Path, normals: Path, size: Size) -> Iterator[Plane]:
        """Yield the planes of a picture; those that the text does not know are left out."""
        labels, rows = self._labels(mask, size), read_rows(normals, _N_NUMBERS)
        for number, (right, ahead, up) in enumerate(rows[:, -3:].tolist(), start=1):
            if not (right or ahead or up):
                raise CalibrationError(f'{str(normals)!r}: the normal of plane {number} is 0')
            is_it = labels > 0 if len(rows) == 1 else labels == number  # one may be of 1 bit
            yield Plane(is_it, np.array([right, -up, ahead]))

    def _labels(self, path: Path, size: Size) -> NDArray[Any]:
        labels = read_labels(path, self.max_pixels)
        if labels.shape != size:
            raise ImageError(
                f'{str(path)!r} should be of the size of its image, {size.text}, is '
                f'{Size(*labels.shape).text}'
            )
        return labels


def open_ibims(root: Path, settings: SourceSettings, rules: FrameRules) -> FolderSource:
    """Open the images that have depth; RecordingError if there are none."""
    folder = _folder(root) or root
    images = sorted((folder / 'rgb').glob('*.png'))
    frames = [
        _frame(folder, image, gt, settings)
        for image in images
        if (gt := folder / 'depth' / image.name).is_file()
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


def _frame(folder: Path, image: Path, gt: Path, settings: SourceSettings) -> IbimsFrame:
    calibration, edges = folder / 'calib' / f'{image.stem}.txt', folder / 'edges' / image.name
    has_edges = edges.is_file()
    pairs = ((folder / name / image.name, folder / name / f'{image.stem}.txt')
             for name in _SURFACES)
    planes = tuple(pair for pair in pairs if all(path.is_file() for path in pair))
    return IbimsFrame(
        name=image.name, image=image, gt=gt, per_metre=_PER_METRE,
        masks=tuple(folder / mask / image.name for mask in _MASKS),
        edges=edges if has_edges else None, planes=planes,
        beside=(calibration, *[edges] * has_edges, *(path for pair in planes for path in pair)),
        camera=camera_beside(calibration, settings, first=1),
    )


def _folder(root: Path) -> Path | None:
    found = (root / place for place in _PLACES)
    return next((each for each in found if (each / 'mask_transp').is_dir()), None)


KIND: Final = Kind(
    looks_like='rgb/ beside mask_transp/', recognises=_folder,
    uses={'intrinsics', 'calibration_scaling', 'max_image_pixels'},
    opened=open_ibims,
)
