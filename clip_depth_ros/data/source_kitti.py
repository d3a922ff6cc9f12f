# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
KITTI's raw images with the annotated depth of its depth benchmark, as a split file lists them.

::

    <data_dir>/<date>/<drive>/image_02/data/<10 digits>.png         (or .jpg, or image_03)
    <depth_dir>/[train/ or val/]<drive>/proj_depth/groundtruth/image_02/<10 digits>.png

Lines of a split file are those of BTS, ``image depth [focal]`` with paths below the two folders
and ``None`` for missing depth, or those of monodepth2, ``date/drive frame side`` with side l or r.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clip_depth_ros.data.depth_files import KITTI_PER_METRE, read_depth_png, read_rgb, sample_of
from clip_depth_ros.data.kitti_calibration import (
    KittiCalibration,
    RAW_CAMERA_FILE,
    RAW_LIDAR_FILE,
    read_raw_calibration,
)
from clip_depth_ros.data.samples import DepthSample
from clip_depth_ros.data.split_files import (
    check_none_missing,
    describe_split,
    first_file,
    path_below,
    read_split,
    SplitLine,
)
from clip_depth_ros.errors import RecordingError

_CAMERAS: Final = {'l': 'image_02', 'r': 'image_03'}
_NO_DEPTH: Final = 'none'


@dataclass(frozen=True, slots=True)
class _Files:
    """What one line names: paths to try, in this order; no depth at all if ``depths`` is empty."""

    line: SplitLine
    name: str
    images: tuple[Path, ...]
    depths: tuple[Path, ...]
    may_lack_depth: bool


class KittiSource:
    """
    The frames of a split file that have depth.

    Parameters
    ----------
    data_dir : Path
        Root of the raw recordings.
    split_path : Path
        The split file.
    depth_dir : Path, optional
        Root of the annotated depth maps; by default ``data_dir``.

    Attributes
    ----------
    n_without_depth : int
        Lines left out because there is no depth: ``None`` in BTS's lists; in monodepth2's, frames
        without a depth map (the first and last of each drive have none).

    Raises
    ------
    RecordingError
        If the split file cannot be read, a line is of neither kind or leads out of the data set,
        an image or a depth map named there is missing, or no frame has depth.
    CalibrationError
        If a calibration file is damaged.

    Notes
    -----
    Intrinsics come from the date's calibration files where they are there; a focal length in the
    list is not used, as it says nothing of the principal point.

    """

    def __init__(
        self, data_dir: Path, split_path: Path, *, depth_dir: Path | None = None
    ) -> None:
        self.name = f'KITTI ({split_path.name})'
        self._data_dir, self._depth_dir = data_dir, depth_dir or data_dir
        self._split_path = split_path
        lines = read_split(split_path)
        self._frames = list(self._find([self._files(line) for line in lines]))
        self.n_without_depth = len(lines) - len(self._frames)
        if not self._frames:
            raise RecordingError(
                f'none of the {len(lines)} frames of {str(split_path)!r} has a depth map below '
                f'{str(self._depth_dir)!r}: set depth_dir to the folder of the annotated depth'
            )
        self._calibrations = _calibrations(image for _, image, _ in self._frames)

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> DepthSample:
        """Give a frame."""
        name, image, depth = self._frames[index]
        rgb = read_rgb(image)
        calibration = self._calibrations.get(_date_dir(image))
        height, width = rgb.shape[:2]
        intrinsics = calibration.intrinsics(width, height) if calibration else None
        return sample_of(name, rgb, read_depth_png(depth, KITTI_PER_METRE), intrinsics)

    def describe(self) -> Mapping[str, str]:
        """Give what decides the frames."""
        return {
            'source': 'kitti',
            'data_dir': str(self._data_dir),
            'depth_dir': str(self._depth_dir),
            **describe_split(self._split_path),
            'frames': str(len(self)),
            'left_out_without_depth': str(self.n_without_depth),
        }

    def _files(self, line: SplitLine) -> _Files:
        words = line.words
        if len(words) == 3 and words[1].isdecimal() and words[2] in _CAMERAS:
            return self._monodepth2_files(line)
        if len(words) in (2, 3):
            return self._bts_files(line)
        raise RecordingError(
            f'{line.where}: a line should be "image depth [focal]" or "date/drive frame side", '
            f'got {" ".join(words)!r}'
        )

    def _monodepth2_files(self, line: SplitLine) -> _Files:
        folder, number, side = line.words
        image = path_below(self._data_dir, folder, line) / _CAMERAS[side] / 'data' / number.zfill(
            10
        )
        drive = path_below(self._depth_dir, folder, line)
        depth = Path('proj_depth/groundtruth', _CAMERAS[side], f'{number.zfill(10)}.png')
        roots = [root / drive.name for root in self._depth_roots()]
        return _Files(
            line,
            ' '.join(line.words),
            tuple(image.with_suffix(suffix) for suffix in ('.png', '.jpg')),
            tuple(root / depth for root in [*roots, drive]),
            may_lack_depth=True,
        )

    def _bts_files(self, line: SplitLine) -> _Files:
        image = path_below(self._data_dir, line.words[0], line)
        depth = line.words[1]
        has_depth = depth.lower() != _NO_DEPTH
        depths = [path_below(root, depth, line) for root in self._depth_roots()]
        return _Files(
            line,
            line.words[0],
            (image, image.with_suffix('.jpg')),
            tuple(depths) if has_depth else (),
            may_lack_depth=not has_depth,
        )

    def _depth_roots(self) -> tuple[Path, ...]:
        """Give where drives may be: KITTI's archives unpack into train/ and val/."""
        return (self._depth_dir, self._depth_dir / 'train', self._depth_dir / 'val')

    def _find(self, named: list[_Files]) -> Iterator[tuple[str, Path, Path]]:
        """Give name, image and depth map of the frames that have both."""
        no_image: dict[str, Path] = {}
        no_depth: dict[str, Path] = {}
        for files in named:
            image, depth = first_file(files.images), first_file(files.depths)
            if image is None:
                no_image[files.line.where] = files.images[0]
            elif depth is not None:
                yield files.name, image, depth
            elif not files.may_lack_depth:
                no_depth[files.line.where] = files.depths[0]
        check_none_missing(no_image, len(named), 'images')
        check_none_missing(no_depth, len(named), 'depth maps')


def _date_dir(image: Path) -> Path:
    """Give the folder of an image's date: <date>/<drive>/image_02/data/<image>."""
    return image.parent.parent.parent.parent


def _calibrations(images: Iterator[Path]) -> dict[Path, KittiCalibration]:
    """Give the calibration of each date that has one."""
    return {
        folder: read_raw_calibration(folder)
        for folder in sorted({_date_dir(image) for image in images})
        if all((folder / name).is_file() for name in (RAW_CAMERA_FILE, RAW_LIDAR_FILE))
    }
