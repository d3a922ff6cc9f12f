# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
NYU Depth v2: the official labelled file, or a folder of images with depth maps in millimetres.

``nyu_depth_v2_labeled.mat`` is HDF5 as MATLAB 7.3 writes it, its axes reversed: ``images`` uint8
(N, 3, W, H), ``depths`` float32 (N, W, H) in metres, its holes filled by in-painting, and
``rawDepths``, as measured, 0 in the holes (Silberman, Hoiem, Kohli, Fergus, ECCV 2012). Published
numbers are against what was measured: the PNG files that BTS and others evaluate on come from
``rawDepths``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
import re
from typing import Any, Final

from clip_depth_ros.bags.places import Matching
from clip_depth_ros.core.compressed import check_size
from clip_depth_ros.core.files import PerProcess
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import MissingDependencyError, RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.cameras import camera_facts, folder_camera, FolderCamera
from clip_depth_ros.sources.files import (
    check_none_missing,
    describe_split,
    first_file,
    path_below,
    read_split,
    SplitLine,
)
from clip_depth_ros.sources.folders import FolderFrame, FolderSource, sample_of
from clip_depth_ros.sources.registry import FrameRules, Kind, path_or_none, Source
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Intrinsics
import numpy as np

_KINECT: Final = Intrinsics(518.85790, 519.46961, 325.58245, 253.73617, 640, 480)
"""The colour camera as the data set's toolbox has it (camera_params.m), rounded."""

_WHOSE: Final = "NYU's Kinect"
_IMAGE_SUFFIXES: Final = ('.jpg', '.jpeg', '.png', '.ppm')


def open_nyu(path: Path, settings: SourceSettings, rules: FrameRules) -> Source:
    """
    Open ``nyu_depth_v2_labeled.mat``, or a folder of images and depth maps.

    Which frames of the file a split names is said by the official ``splits.mat`` (its test
    frames), or by lines with the number of a frame, from 1; of a folder, by lines ``image depth
    [focal]``. In a folder without split file, images and depth maps of equal number belong
    together: those of ``rgb/`` and ``depth/`` if there are such folders, else ``rgb_N`` and
    ``sync_depth_N`` of every folder below.

    Raises
    ------
    RecordingError
        If frames are missing or the file is another one, or no image has depth.
    MissingDependencyError
        For a splits.mat, if scipy is not installed.

    """
    split = path_or_none(settings.split)
    camera, facts = folder_camera(settings, _KINECT, _WHOSE), camera_facts(settings, _WHOSE)
    if not path.is_dir():
        return NyuLabelledSource(path, split, camera, facts, as_measured=rules.as_measured)
    if split:
        pairs, n_without, problems = _listed_pairs(path, split, rules.allow_missing)
    else:
        (pairs, n_without), problems = _found_pairs(path), []
    frames = [
        FolderFrame(name=image.relative_to(path).as_posix(), image=image, gt=depth, camera=camera)
        for image, depth in pairs
    ]
    return FolderSource(
        'nyu', f'NYU ({(split or path).name})', path, frames,
        {**facts, 'left_out_without_depth': str(n_without)},
        split=split, matching=Matching(len(frames) + n_without, n_without), problems=problems,
    )


def _is_nyu(path: Path) -> bool:
    """
    Say whether this is a MATLAB file, or a folder with ``rgb_N`` and ``sync_depth_N``.

    They stand in ``rgb/`` and ``depth/``, or together in the folder or up to two levels below.
    """
    if not path.is_dir():
        return path.suffix == '.mat'
    if any((path / 'depth').glob('sync_depth_*.png')):
        return any((path / 'rgb').glob('rgb_*'))
    return any(
        any(depth.parent.glob('rgb_*'))
        for level in ('', '*/', '*/*/')
        for depth in path.glob(f'{level}sync_depth_*.png')
    )


KIND: Final = Kind(
    looks_like='the labelled .mat, or rgb_N beside sync_depth_N', recognises=_is_nyu,
    uses={'split', 'intrinsics', 'calibration_scaling', 'max_image_pixels'},
    opened=open_nyu, protocol='nyu-eigen', searches=True,
)


class NyuLabelledSource(Source):
    """
    Frames of the labelled file, in depth as measured (``rawDepths``) if wanted and there.

    Raises
    ------
    RecordingError
        If the file is missing, damaged or another one, or a frame that is listed is not in it.

    """

    def __init__(
        self,
        path: Path,
        split: Path | None,
        camera: FolderCamera,
        facts: Mapping[str, str],
        *,
        as_measured: bool,
    ) -> None:
        self.name = f'NYU ({path.name})'
        self._path, self._split = path, split
        self._camera, self._facts = camera, facts
        self._file: PerProcess[Any] = PerProcess(partial(_open_hdf5, path))
        file = self._file.get()
        n_frames = len(file['images'])
        self._depths = 'rawDepths' if as_measured and 'rawDepths' in file else 'depths'
        self._picks = _numbers_of(split, n_frames) if split else range(n_frames)
        self._file.close()
        self.names = [f'{path.name} frame {pick + 1}' for pick in self._picks]
        self.matching = Matching(len(self._picks))

    def __getitem__(self, index: int) -> DepthSample:
        """Return a frame."""
        pick, name = self._picks[index], self.names[index]
        file = self._file.get()
        width, height = file['images'].shape[2:]
        check_size(Size(height, width), self.max_image_pixels, name)
        try:
            image, depth_m = file['images'][pick], file[self._depths][pick]
        except OSError as error:
            raise RecordingError(
                f'{name} does not decode ({error}): copy the file again'
            ) from error
        rgb = np.ascontiguousarray(image.transpose(2, 1, 0))
        target_m = np.ascontiguousarray(depth_m.T, np.float32)
        height, width = rgb.shape[:2]
        intrinsics, said = self._camera(width, height)
        return replace(sample_of(name, rgb, target_m, intrinsics), notes=said)

    @property
    def files(self) -> list[Path]:
        """Return the labelled file, and the split file."""
        return [self._path, *([self._split] if self._split else [])]

    def describe(self) -> Mapping[str, str]:
        """Return what decides the frames."""
        depths = {} if self._depths == 'depths' else {'depths': self._depths}
        return {
            'source': 'nyu', 'file': str(self._path), **depths, **self._facts,
            **describe_split(self._split), 'frames': str(len(self)),
        }

    def close(self) -> None:
        """Close the file; it is opened again when a frame is asked for."""
        self._file.close()


def _open_hdf5(path: Path) -> Any:
    import h5py  # loads its own C library: only those who read this file need it

    try:
        file = h5py.File(path, 'r')
    except OSError as error:
        raise RecordingError(
            f'{str(path)!r} cannot be read as HDF5 ({error}): it should be '
            'nyu_depth_v2_labeled.mat, or a folder of images and depth maps'
        ) from error
    arrays = {name: entry for name, entry in file.items() if isinstance(entry, h5py.Dataset)}
    has = {name: f'{array.dtype} {array.shape}' for name, array in arrays.items()}
    if not ('images' in has and 'depths' in has and _are_nyu(arrays['images'], arrays['depths'])):
        file.close()
        raise RecordingError(
            f'{str(path)!r} should hold images uint8 (N, 3, W, H) and depths float (N, W, H), has '
            f'{has}'
        )
    return file


def _are_nyu(images: Any, depths: Any) -> bool:
    """Say whether these are the arrays of the labelled file."""
    shape = images.shape
    return bool(
        len(shape) == 4
        and shape[1] == 3
        and depths.shape == (shape[0], *shape[2:])
        and images.dtype == np.uint8
        and depths.dtype.kind == 'f'
    )


def _numbers_of(split_path: Path, n_frames: int) -> list[int]:
    """
    Return the frames of the labelled file that a split names, counted from 0.

    It is ``splits.mat`` as the authors of the data set give it (its 654 test frames are used), or
    text with a number in each line; both count from 1.
    """
    if split_path.suffix == '.mat':
        return _test_frames(split_path, n_frames)
    picks = []
    for line in read_split(split_path):
        text = line.words[0]
        is_number = len(line.words) == 1 and text.isdecimal() and len(text) < 10
        if not (is_number and 1 <= int(text) <= n_frames):
            raise RecordingError(
                f'{line.where}: a line should be the number of a frame, 1 to {n_frames}, got '
                f'{" ".join(line.words)!r}'
            )
        picks.append(int(text) - 1)
    return picks


def _test_frames(path: Path, n_frames: int) -> list[int]:
    arrays = _read_mat(path)
    if 'testNdxs' not in arrays:
        raise RecordingError(
            f'{str(path)!r} should hold testNdxs, as the official splits.mat does, has '
            f'{sorted(name for name in arrays if not name.startswith("__"))}'
        )
    numbers = np.asarray(arrays['testNdxs']).reshape(-1)
    is_whole = numbers.dtype.kind in 'iuf' and np.array_equal(numbers, np.round(numbers))
    if not (numbers.size and is_whole and numbers.min() >= 1 and numbers.max() <= n_frames):
        raise RecordingError(
            f'{str(path)!r}: testNdxs should be numbers of frames, 1 to {n_frames}, got '
            f'{numbers.tolist()[:5]} ...'
        )
    return [int(number) - 1 for number in numbers]


def _read_mat(path: Path) -> dict[str, Any]:
    try:
        from scipy.io import loadmat  # only those who have this file need it
    except ImportError as error:
        raise MissingDependencyError(
            f'{str(path)!r} is a MATLAB file, which needs scipy: pip install scipy'
        ) from error
    try:
        return dict(loadmat(path, variable_names=['trainNdxs', 'testNdxs']))
    # Broad on purpose: the library raises many unrelated types for files that are damaged.
    except Exception as error:
        raise RecordingError(
            f'{str(path)!r} cannot be read as a MATLAB 5 file ({error}): it should be the '
            'official splits.mat, or text with the number of a frame in each line'
        ) from error


_Pairs = list[tuple[Path, Path]]
"""Images with their depth maps."""


def _listed_pairs(
    data_dir: Path, split_path: Path, allow_missing: bool
) -> tuple[_Pairs, int, list[tuple[str, str]]]:
    """
    Return the pairs of a split file, how many images have no depth, and what is missing.

    Lines are ``image depth [focal]``, as in BTS; ``None`` for missing depth.
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
    return (
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


def _found_pairs(data_dir: Path) -> tuple[_Pairs, int]:
    """Return the pairs in a folder, and how many images have no depth."""
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
    return frames, n_without


def _places(data_dir: Path) -> Iterator[tuple[dict[int, Path], dict[int, Path]]]:
    """Return images and depth maps by number, of each pair of folders."""
    rgb, depth = data_dir / 'rgb', data_dir / 'depth'
    if rgb.is_dir() and depth.is_dir():
        yield _by_number(rgb, '*'), _by_number(depth, '*.png')
        return
    folders = sorted({path.parent for path in data_dir.rglob('sync_depth_*.png')})
    for folder in folders:
        yield _by_number(folder, 'rgb_*'), _by_number(folder, 'sync_depth_*.png')


def _by_number(folder: Path, pattern: str) -> dict[int, Path]:
    """Return the images of a folder by the number at the end of their names, ascending."""
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
