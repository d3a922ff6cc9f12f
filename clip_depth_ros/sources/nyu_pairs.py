# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which depth map belongs to which image in a folder of NYU Depth v2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import re
from typing import Final, NamedTuple

from clip_depth_ros.errors import RecordingError
from clip_depth_ros.sources.split_files import (
    check_none_missing,
    first_file,
    path_below,
    read_split,
    SplitLine,
)

_IMAGE_SUFFIXES: Final = ('.jpg', '.jpeg', '.png', '.ppm')


class Pairs(NamedTuple):
    """
    Images with their depth maps.

    Attributes
    ----------
    frames : list of (Path, Path)
        Image and depth map.
    n_without_depth : int
        Images that have no depth map, as they need not.
    problems : list of (str, str)
        Lines whose files are missing, and what was looked for.

    """

    frames: list[tuple[Path, Path]]
    n_without_depth: int
    problems: list[tuple[str, str]]


def listed_pairs(data_dir: Path, split_path: Path, *, allow_missing: bool = False) -> Pairs:
    """
    Give image and depth map of the frames of a split file.

    Lines are ``image depth [focal]``, as in BTS; ``None`` for missing depth.

    Raises
    ------
    RecordingError
        If a file is missing (unless that is allowed, and not all are), a line is of another kind
        or leads out of the data set.

    """
    lines = read_split(split_path)
    listed = {line.where: pair for line in lines if (pair := _pair(data_dir, line)) is not None}
    missing = {
        where: path
        for where, pair in listed.items()
        for path in reversed(pair)  # of both, the image is named
        if first_file([path]) is None
    }
    if not allow_missing or len(missing) == len(listed):
        check_none_missing(missing, len(lines), 'frames')
    if not listed:
        raise RecordingError(f'no frame of {str(split_path)!r} has depth: name another list')
    return Pairs(
        [pair for where, pair in listed.items() if where not in missing],
        len(lines) - len(listed),
        [(where, f'{str(path)!r} is not there') for where, path in missing.items()],
    )


def _pair(data_dir: Path, line: SplitLine) -> tuple[Path, Path] | None:
    if len(line.words) not in (2, 3):
        raise RecordingError(
            f'{line.where}: a line should be "image depth [focal]", got {" ".join(line.words)!r}'
        )
    image, depth = line.words[:2]
    if depth.lower() == 'none':
        return None
    return path_below(data_dir, image, line), path_below(data_dir, depth, line)


def found_pairs(data_dir: Path) -> Pairs:
    """
    Give image and depth map of the frames of a folder.

    Raises
    ------
    RecordingError
        If there are none, or it is not clear which depth belongs to which image.

    """
    frames, n_without = [], 0
    for images, depths in _places(data_dir):
        for number, image in images.items():
            if number in depths:
                frames.append((image, depths[number]))
            else:
                n_without += 1
    if not frames:
        raise RecordingError(
            f'{str(data_dir)!r} has no images with depth maps: looked for rgb/ and depth/ with '
            'files of equal number, and for rgb_N.jpg beside sync_depth_N.png; or name them in a '
            'list'
        )
    return Pairs(frames, n_without, [])


def is_nyu_folder(folder: Path) -> bool:
    """
    Say whether files are named as in NYU: ``rgb_N`` with ``sync_depth_N``.

    They stand in ``rgb/`` and ``depth/``, or together in the folder or up to two levels below.
    """
    if any((folder / 'depth').glob('sync_depth_*.png')):
        return any((folder / 'rgb').glob('rgb_*'))
    return any(
        any(depth.parent.glob('rgb_*'))
        for level in ('', '*/', '*/*/')
        for depth in folder.glob(f'{level}sync_depth_*.png')
    )


def _places(data_dir: Path) -> Iterator[tuple[dict[int, Path], dict[int, Path]]]:
    """Give images and depth maps by number, of each pair of folders."""
    rgb, depth = data_dir / 'rgb', data_dir / 'depth'
    if rgb.is_dir() and depth.is_dir():
        yield _by_number(rgb, '*'), _by_number(depth, '*.png')
        return
    folders = sorted({path.parent for path in data_dir.rglob('sync_depth_*.png')})
    for folder in folders:
        yield _by_number(folder, 'rgb_*'), _by_number(folder, 'sync_depth_*.png')


def _by_number(folder: Path, pattern: str) -> dict[int, Path]:
    """Give the images of a folder by the number at the end of their names, ascending."""
    found: dict[int, Path] = {}
    for path in sorted(folder.glob(pattern)):
        number = re.search(r'(\d+)$', path.stem)
        if number is None or path.suffix.lower() not in _IMAGE_SUFFIXES:
            continue
        other = found.setdefault(int(number[1]), path)
        if other is not path:
            raise RecordingError(
                f'{str(other)!r} and {str(path)!r} have one number: say in a list which depth '
                'belongs to which image'
            )
    return dict(sorted(found.items()))
