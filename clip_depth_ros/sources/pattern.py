# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Any folder of images with depth maps, found by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from clip_depth_ros.errors import ConfigError, RecordingError
from clip_depth_ros.sources.depth_files import read_depth, read_rgb, sample_of
from clip_depth_ros.sources.path_patterns import check_pattern, matching_files, pairs_of
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Intrinsics


class PatternSource:
    """
    The images of a folder that have a depth map.

    Parameters
    ----------
    root : Path
        The folder.
    images, gt_images : str
        Paths below it with as many stars: ``rgb/*.png`` and ``depth/*.png``. What these stand for
        says which belong together; see :func:`pairs_of`.
    gt_per_metre : float
        What a depth map stores for each metre, if it is a 16-bit PNG; ``.npy`` has metres.
    intrinsics : sequence of 4 float, optional
        fx, fy, cx, cy of all images, pixels.

    Attributes
    ----------
    n_missed : int
        Images left out because there is no depth map.

    Raises
    ------
    ConfigError
        If a pattern is none or leads out of the folder, the stars differ in number, or the other
        settings are out of their range.
    RecordingError
        If no image has a depth map, or several.

    """

    def __init__(
        self,
        root: Path,
        images: str,
        gt_images: str,
        gt_per_metre: float = 256.0,
        intrinsics: Sequence[float] | None = None,
    ) -> None:
        _check(images, gt_images, gt_per_metre, intrinsics)
        self.name = f'the folder {root.resolve().name}'
        self._root, self._images, self._gt_images = root, images, gt_images
        self._per_metre = gt_per_metre
        self._camera = tuple(intrinsics) if intrinsics else None
        found, gts = matching_files(root, images), matching_files(root, gt_images)
        self._frames = list(pairs_of(found, gts).items())
        self.n_missed = len(found) - len(self._frames)
        if not self._frames:
            raise RecordingError(
                f'{str(root)!r} has no images with depth maps: {len(found)} files fit '
                f'images={images!r}, {len(gts)} fit gt_images={gt_images!r}, and none of them '
                'belong together by what the stars stand for'
            )

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def files(self) -> list[Path]:
        """Give the files that the frames are read from."""
        return [path for pair in self._frames for path in pair]

    @property
    def names(self) -> list[str]:
        """Give the names of all frames."""
        return [self._name(image) for image, _ in self._frames]

    def __getitem__(self, index: int) -> DepthSample:
        """Give a frame."""
        image, gt = self._frames[index]
        rgb = read_rgb(image)
        height, width = rgb.shape[:2]
        intrinsics = None
        if self._camera:
            fx, fy, cx, cy = self._camera
            intrinsics = Intrinsics(fx, fy, cx, cy, width, height)
        return sample_of(self._name(image), rgb, read_depth(gt, self._per_metre), intrinsics)

    def describe(self) -> Mapping[str, str]:
        """Give what decides the frames."""
        camera = {'intrinsics': ' '.join(map(str, self._camera))} if self._camera else {}
        return {
            'source': 'pattern',
            'data_dir': str(self._root),
            'images': self._images,
            'gt_images': self._gt_images,
            'gt_per_metre': f'{self._per_metre:g}',
            **camera,
            'frames': str(len(self)),
            'left_out_without_depth': str(self.n_missed),
        }

    def _name(self, image: Path) -> str:
        return image.relative_to(self._root).as_posix()


def _check(
    images: str, gt_images: str, gt_per_metre: float, intrinsics: Sequence[float] | None
) -> None:
    check_pattern(images)
    check_pattern(gt_images)
    if images.count('*') != gt_images.count('*'):
        raise ConfigError(
            f'images and gt_images should have as many *, got {images!r} and {gt_images!r}'
        )
    if not gt_per_metre > 0:
        raise ConfigError(f'gt_per_metre must be above 0, got {gt_per_metre}')
    if intrinsics and len(intrinsics) != 4:
        raise ConfigError(f'intrinsics should be fx fy cx cy, got {[*intrinsics]}')
