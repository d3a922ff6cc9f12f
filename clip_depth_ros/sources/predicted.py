# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Depth that something else has predicted: maps in a folder, and what such maps may hold.

Which file of a folder is of which frame is decided by one rule for all frames, the one that finds
most of them (of equals, the first)::

    path    <name of the frame>.npy or .png, below the folder: rgb/0000000005.npy
    kitti   drive and number of KITTI, as BTS names its PNGs:
            2011_09_26_drive_0002_sync_0000000005.png
    stem    the last part of the name, in any folder below: 0000000005.npy
    stamp   the time of the frame in nanoseconds: 1600000000123456789.npy
    order   as many files as frames, and none of the above: the first is of the first

A rule under which two frames would share a file does not count: 0000000005 of two drives. Where
no rule fits (none), a frame still has the file that its stamp names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path, PurePosixPath
import re
from typing import Final

from clip_depth_ros.core.files import fingerprint
from clip_depth_ros.errors import ConfigError, DataError, RecordingError
from clip_depth_ros.sources.files import IN_METRES, read_depth
from clip_depth_ros.sources.kinds.pattern import natural
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Depth, DepthMap, MAX_IMAGE_PIXELS, PRED_KIND, PredKind
import numpy as np

_SUFFIXES: Final = ('.png', *IN_METRES)  # where a file has both, the latter: it is not rounded
_IMAGE_SUFFIXES: Final = re.compile(
    r'\.(png|jpe?g|ppm|bmp|tiff?|npy|npz|exr|pfm)$', re.IGNORECASE
)
_REPEATED: Final = re.compile(r' \(\d+\)$')
"""What is added to the name of a frame that is there twice."""

_DRIVE: Final = re.compile(r'(\d{4}_\d\d_\d\d_drive_\d{4}_(?:sync|extract))(?!.*_drive_)(.*)')
_KITTI_NUMBER: Final = re.compile(r'(?<!\d)(\d{10})(?!\d)| (\d+) [lr]$')
_RIGHT: Final = re.compile(r'image_03| r$')

_BY_STAMP: Final = ('stamp', 'none')
"""Rules under which files have the stamps of frames for names, if any do."""

_DIGITS_OF_A_STAMP: Final = 16
"""Nanoseconds since 1970 had so many from April of that year on."""


def answer_of(values: Depth, kind: PredKind) -> DepthMap:
    """
    Return what an array of predictions says, by what it holds.

    Parameters
    ----------
    values : float32 (H, W)
        Predictions; NaN is unknown.
    kind : {'depth', 'disparity', 'inverse-depth', 'relative'}
        depth: metres. inverse-depth: 1 / m, 0 is beyond range. relative: inverse depth up to scale
        and shift, as MiDaS and Depth Anything answer it: any numbers. disparity: the same, of a
        stereo camera of which neither focal length nor baseline is known; 0 and below is unknown.

    """
    if kind == 'depth':
        return DepthMap(values)
    if kind == 'inverse-depth':
        with np.errstate(divide='ignore', over='ignore'):
            inverted = np.where(np.isposinf(values), np.float32(-np.inf), 1 / np.abs(values))
        return DepthMap(np.where(values < 0, np.float32(np.nan), inverted))
    known = np.isfinite(values) & (values > 0) if kind == 'disparity' else np.isfinite(values)
    return DepthMap(np.where(known, values, np.float32(np.nan)), is_relative=True)


class PredictedFiles:
    """
    The files of a folder as depth of frames.

    Parameters
    ----------
    folder : Path
        ``.npy`` (``.npz``, ``.exr``, ``.pfm``) with float metres, or 16-bit PNGs, in it or below.
    per_metre : float
        What a PNG stores for each metre; 0 is unknown.
    names : sequence of str
        Names of all frames, in their order.
    max_pixels : int
        Larger files are refused.
    kind : {'depth', 'disparity', 'inverse-depth', 'relative'}
        What they hold, see :func:`answer_of`; a PNG so many of it for each 1 / m or pixel.

    Raises
    ------
    ConfigError
        If ``per_metre`` is not positive.
    RecordingError
        If the folder is not there or has no such files.

    """

    def __init__(
        self,
        folder: Path,
        per_metre: float,
        names: Sequence[str],
        max_pixels: int = MAX_IMAGE_PIXELS,
        kind: PredKind = 'depth',
    ) -> None:
        if not per_metre > 0:
            raise ConfigError(f'a PNG must store more than 0 for each metre, got {per_metre}')
        self._folder, self._per_metre, self._n_frames = folder, per_metre, len(names)
        self._max_pixels, self._kind = max_pixels, kind
        self._files = _files_below(folder)
        if not self._files:
            raise RecordingError(
                f'{str(folder)!r} has no predictions: looked for .npy and .png files in it and '
                'below; check pred_dir'
            )
        self._has_pngs = any(path.suffix == '.png' for path in self._files.values())
        self.rule, self._found = _matched(self._files, names)
        self._by_stem = _unique({key: _last_part(key) for key in self._files})

    def depth_of(self, sample: DepthSample) -> DepthMap:
        """
        Return what was predicted for a frame; NaN where it is unknown, as 0 in a PNG is.

        In a PNG of relative inverse depth, 0 is what is farthest: MiDaS stretches them so.

        Raises
        ------
        DataError
            If there is no file for it, saying what was looked for, or it does not decode.

        """
        key = self._found.get(sample.name)
        if self.rule in _BY_STAMP and sample.stamp_ns is not None:
            key = self._by_stem.get(str(sample.stamp_ns))
        if key is None:
            raise DataError(self._not_found(sample))
        path = self._files[key]
        values = read_depth(path, self._per_metre, self._max_pixels)
        if path.suffix not in IN_METRES and self._kind != 'relative':
            values[values == 0] = np.nan
        return answer_of(values, self._kind)

    def describe(self) -> Mapping[str, str]:
        """Return the folder, the rule, and what changes when a file is written again."""
        return {
            'predictions': str(self._folder),
            **({} if self._kind == 'depth' else {PRED_KIND: self._kind}),
            **({'per_metre': f'{self._per_metre:g}'} if self._has_pngs else {}),
            'files': str(len(self._files)),
            'files_sha256': fingerprint(self._files.values()),
            'found_by': self.rule,
        }

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _not_found(self, sample: DepthSample) -> str:
        plain = _plain(sample.name)
        wanted = [repr(name) for name in dict.fromkeys((plain, _last_part(plain)))]
        if sample.stamp_ns is not None:
            wanted.append(f'{sample.stamp_ns} (the stamp)')
        example = next(iter(self._files.values())).relative_to(self._folder)
        rule = (
            f'no rule fits its {len(self._files)} files, such as {str(example)!r}, to the '
            f'{self._n_frames} frames'
            if self.rule == 'none'
            else f'its {len(self._files)} files, such as {str(example)!r}, are found by '
            f'{self.rule}'
        )
        return (
            f'{sample.name}: no prediction in {str(self._folder)!r}: {rule}; looked for .npy or '
            f'.png of the name {" or ".join(wanted)}, or as many files as frames'
        )


def _files_below(folder: Path) -> dict[str, Path]:
    """Return the files by their paths below the folder without suffix, in the order of numbers."""
    found = {
        path.relative_to(folder).with_suffix('').as_posix(): path
        for suffix in _SUFFIXES
        for path in folder.rglob(f'*{suffix}')
        if path.is_file() and not path.name.startswith('.')
    }
    return dict(sorted(found.items(), key=lambda item: natural(item[0])))


def _matched(
    files: Mapping[str, Path], names: Sequence[str]
) -> tuple[str, Mapping[str, str]]:
    """Return the rule, and the file (by its path without suffix) of each frame that has one."""
    plain = {name: _plain(name) for name in names}
    best: tuple[str, Mapping[str, str]] = ('none', {})
    for rule, key_of in _RULES.items():
        keys = _unique({path: key_of(path) for path in files})
        found = {name: keys[key] for name in names if (key := key_of(plain[name])) in keys}
        n_frames = len({plain[name] for name in found})
        if n_frames == len(set(found.values())) and len(found) > len(best[1]):
            best = (rule, found)
    if best[1]:
        return best
    if len(files) == len(names) and not all(map(_is_stamp, files)):
        return 'order', dict(zip(names, files, strict=True))
    return 'stamp' if any(map(_is_stamp, files)) else 'none', {}


def _unique(keys: Mapping[str, Hashable]) -> dict[Hashable, str]:
    """Turn a mapping around; what stands for several, or is nothing, is left out."""
    counts = Counter(keys.values())
    return {key: path for path, key in keys.items() if key is not None and counts[key] == 1}


def _plain(name: str) -> str:
    """Return the name of a frame without the suffix of its image."""
    return _IMAGE_SUFFIXES.sub('', _REPEATED.sub('', name))


def _whole(path: str) -> str:
    return PurePosixPath(path).as_posix()


def _last_part(path: str) -> str:
    return path.rpartition('/')[2]


def _kitti_key(path: str) -> tuple[str, int, bool] | None:
    """Return drive, number and whether it is the right camera, where a text names them."""
    drive = _DRIVE.search(path)
    number = _KITTI_NUMBER.search(drive[2]) if drive else None
    if drive is None or number is None:
        return None
    return drive[1], int(number[1] or number[2]), bool(_RIGHT.search(drive[2]))


def _is_stamp(path: str) -> bool:
    stem = _last_part(path)
    return stem.isdecimal() and len(stem) >= _DIGITS_OF_A_STAMP


_RULES: Final[Mapping[str, Callable[[str], Hashable]]] = {
    'path': _whole, 'kitti': _kitti_key, 'stem': _last_part,
}
