# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a source of frames is, seen from its name and its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
import re
from typing import Final

from clip_depth_ros.bags.storage import is_rosbag2_folder, RECORDING_SUFFIXES
from clip_depth_ros.errors import ConfigError, RecordingError
from clip_depth_ros.sources.kitti import object_splits, raw_drives
from clip_depth_ros.sources.kitti_selection import selection_dir
from clip_depth_ros.sources.nyu_pairs import is_nyu_folder

_SEEDS: Final = re.compile(r'(\d{1,9})(?:-(\d{1,9}))?')
_SHOWN: Final = 8  # of the entries of a folder that nobody knows

_KNOWN: Final = (
    'bag (.bag, .mcap, .db3, a folder with metadata.yaml), kitti (raw drives, with gt_dir and '
    'split, or with their LiDAR), kitti-selection (image/ beside groundtruth_depth/), '
    'kitti-object (image_2/ beside velodyne/), nyu (the labelled .mat, or rgb_N beside '
    'sync_depth_N), tum (rgb.txt and depth.txt), synthetic (a seed or a range of them)'
)


def kind_of(source: str) -> str:
    """
    Give the kind of a source: what ``SourceSettings.kind`` is when it is not auto.

    Raises
    ------
    RecordingError
        If there is no such file or folder.
    ConfigError
        If it is of no kind that can be seen, or could be of several; saying what was seen.

    """
    check_there(source, may_be_seeds=True)
    path = Path(source).expanduser()
    if not path.exists():
        return 'synthetic'
    kinds = _kinds_of_folder(path) if path.is_dir() else _kinds_of_file(path)
    if len(kinds) == 1:
        return kinds[0]
    raise ConfigError(_unclear(path, kinds))


def check_there(source: str, *, may_be_seeds: bool = False) -> None:
    """
    Refuse a source that is not there: a path with a slip of the pen.

    Raises
    ------
    RecordingError
        If there is no such file or folder, and it is no seed where it may be.

    """
    is_seeds = may_be_seeds and _SEEDS.fullmatch(source)
    if not (Path(source).expanduser().exists() or is_seeds):
        raise RecordingError(
            f'{source!r} is not there: check the path (or name seeds of the rendered drive, such '
            'as 1000000 or 1000000-1000009)'
        )


def seeds_of(source: str) -> range:
    """
    Read a seed or a range of them: 1000000 or 1000000-1000009, both ends included.

    Raises
    ------
    ConfigError
        If it is neither, or the range runs backwards.

    """
    match = _SEEDS.fullmatch(source)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
    if last < first:
        raise ConfigError(
            f'a source of the rendered drive should be a seed or a range of seeds such as '
            f'1000000-1000009, got {source!r}'
        )
    return range(first, last + 1)


def _kinds_of_file(path: Path) -> list[str]:
    if path.suffix in RECORDING_SUFFIXES:
        return ['bag']
    return ['nyu'] if path.suffix == '.mat' else []


def _kinds_of_folder(path: Path) -> list[str]:
    kinds = [kind for kind, is_one in _FOLDERS.items() if is_one(path)]
    # Last, as it looks at most files.
    return kinds or (['nyu'] if is_nyu_folder(path) else [])


def _is_tum(folder: Path) -> bool:
    return (folder / 'rgb.txt').is_file() and (folder / 'depth.txt').is_file()


def _unclear(path: Path, kinds: list[str]) -> str:
    if kinds:
        return (
            f'{str(path)!r} could be of kind {" or ".join(kinds)}: say which (kind), or name the '
            'folder of one of them'
        )
    names = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
    more = ', ...' if len(names) > _SHOWN else ''
    holds = f'it holds {", ".join(names[:_SHOWN]) or "nothing"}{more}' if path.is_dir() else (
        f'it is a file with the suffix {path.suffix!r}'
    )
    return (
        f'{str(path)!r} is of no known kind: {holds}. Known are {_KNOWN}. Any other folder of '
        'images with depth maps: kind pattern, with images and gt_images such as rgb/*.png and '
        'depth/*.png'
    )


_FOLDERS: Final[Mapping[str, Callable[[Path], object]]] = {
    'bag': is_rosbag2_folder,
    'tum': _is_tum,
    'kitti-selection': selection_dir,
    'kitti-object': object_splits,
    'kitti': raw_drives,
}
