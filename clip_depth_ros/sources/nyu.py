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

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.core.files import PerProcess
from clip_depth_ros.errors import RecordingError
from clip_depth_ros.sources.depth_files import MM_PER_METRE, read_depth_png, read_rgb, sample_of
from clip_depth_ros.sources.nyu_pairs import found_pairs, listed_pairs
from clip_depth_ros.sources.nyu_splits import read_nyu_numbers
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.sources.split_files import describe_split
from clip_depth_ros.types import Intrinsics
import numpy as np

_KINECT: Final = Intrinsics(518.85790, 519.46961, 325.58245, 253.73617, 640, 480)
"""The colour camera as the data set's toolbox has it (camera_params.m), rounded."""


def open_nyu(
    path: Path,
    split_path: Path | None = None,
    *,
    allow_missing: bool = False,
    as_measured: bool = False,
) -> NyuLabelledSource | NyuFolderSource:
    """
    Open the labelled file, or a folder.

    Parameters
    ----------
    path : Path
        ``nyu_depth_v2_labeled.mat``, or a folder of images and depth maps.
    split_path : Path, optional
        Which frames; by default all. For the file, the official ``splits.mat`` (its test frames),
        or lines with the number of a frame, from 1; for a folder, lines ``image depth [focal]``.
    allow_missing : bool
        Leave out listed files of a folder that are not there, as ``problems``, rather than raise.
    as_measured : bool
        Of the file, take ``rawDepths`` if it has them, rather than the filled ``depths``.

    Raises
    ------
    RecordingError
        If frames are missing or the file is another one.
    MissingDependencyError
        For a splits.mat, if scipy is not installed.

    """
    if path.is_dir():
        return NyuFolderSource(path, split_path, allow_missing=allow_missing)
    return NyuLabelledSource(path, split_path, as_measured=as_measured)


class NyuLabelledSource:
    """
    Frames of the labelled file; see :func:`open_nyu`.

    Attributes
    ----------
    problems : list of (str, str)
        None: it has all of its frames.
    n_without_depth : int
        None either.

    Raises
    ------
    RecordingError
        If the file is missing, damaged or another one, or a frame that is listed is not in it.

    """

    def __init__(
        self, path: Path, split_path: Path | None = None, *, as_measured: bool = False
    ) -> None:
        self.name = f'NYU ({path.name})'
        self.problems: list[tuple[str, str]] = []
        self.n_without_depth = 0
        self._path, self._split_path = path, split_path
        self._file: PerProcess[Any] = PerProcess(partial(_open_hdf5, path), _close_hdf5)
        file = self._file.get()
        n_frames = len(file['images'])
        self._depths = 'rawDepths' if as_measured and 'rawDepths' in file else 'depths'
        self._picks = read_nyu_numbers(split_path, n_frames) if split_path else range(n_frames)
        self._file.close()

    def __len__(self) -> int:
        return len(self._picks)

    def __getitem__(self, index: int) -> DepthSample:
        """Give a frame."""
        pick = self._picks[index]
        name = self._name(pick)
        file = self._file.get()
        try:
            image, depth_m = file['images'][pick], file[self._depths][pick]
        except OSError as error:
            raise RecordingError(
                f'{name} does not decode ({error}): copy the file again'
            ) from error
        rgb = np.ascontiguousarray(image.transpose(2, 1, 0))
        target_m = np.ascontiguousarray(depth_m.T, np.float32)
        return sample_of(name, rgb, target_m, _intrinsics_of(rgb.shape))

    @property
    def files(self) -> list[Path]:
        """Give the files that the frames are read from."""
        return [self._path, *([self._split_path] if self._split_path else [])]

    @property
    def names(self) -> list[str]:
        """Give the names of all frames."""
        return [self._name(pick) for pick in self._picks]

    def describe(self) -> Mapping[str, str]:
        """Give what decides the frames."""
        chosen = describe_split(self._split_path) if self._split_path else {}
        depths = {} if self._depths == 'depths' else {'depths': self._depths}
        return {
            'source': 'nyu', 'file': str(self._path), **depths, **chosen,
            'frames': str(len(self)),
        }

    def close(self) -> None:
        """Close the file; it is opened again when a frame is asked for."""
        self._file.close()

    def _name(self, pick: int) -> str:
        return f'{self._path.name} frame {pick + 1}'


class NyuFolderSource:
    """
    Images with depth maps in millimetres; see :func:`open_nyu`.

    Without a split file, images and depth maps of equal number belong together: those of ``rgb/``
    and ``depth/`` if there are such folders, else ``rgb_N`` and ``sync_depth_N`` of every folder
    below.

    Attributes
    ----------
    n_without_depth : int
        Images left out because there is no depth map.
    problems : list of (str, str)
        Lines left out because files are missing, and what was looked for.

    Raises
    ------
    RecordingError
        If a file that is listed is missing, or no image has depth.

    """

    def __init__(
        self, data_dir: Path, split_path: Path | None = None, *, allow_missing: bool = False
    ) -> None:
        self.name = f'NYU ({(split_path or data_dir).name})'
        self._data_dir, self._split_path = data_dir, split_path
        self._frames, self.n_without_depth, self.problems = (
            listed_pairs(data_dir, split_path, allow_missing=allow_missing)
            if split_path
            else found_pairs(data_dir)
        )

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> DepthSample:
        """Give a frame."""
        image, depth = self._frames[index]
        rgb = read_rgb(image)
        target_m = read_depth_png(depth, MM_PER_METRE)
        return sample_of(self._name(image), rgb, target_m, _intrinsics_of(rgb.shape))

    @property
    def files(self) -> list[Path]:
        """Give the files that the frames are read from."""
        lists = [self._split_path] if self._split_path else []
        return lists + [path for pair in self._frames for path in pair]

    @property
    def names(self) -> list[str]:
        """Give the names of all frames."""
        return [self._name(image) for image, _ in self._frames]

    def describe(self) -> Mapping[str, str]:
        """Give what decides the frames."""
        chosen = describe_split(self._split_path) if self._split_path else {}
        return {
            'source': 'nyu',
            'data_dir': str(self._data_dir),
            **chosen,
            'frames': str(len(self)),
            'left_out_without_depth': str(self.n_without_depth),
        }

    def _name(self, image: Path) -> str:
        return image.relative_to(self._data_dir).as_posix()


def _intrinsics_of(shape: tuple[int, ...]) -> Intrinsics | None:
    """Give the Kinect's for frames of its size; resized or cropped ones could be anything."""
    return _KINECT if shape[:2] == (_KINECT.height, _KINECT.width) else None


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
    if not ('images' in has and 'depths' in has and _is_nyu(arrays['images'], arrays['depths'])):
        file.close()
        raise RecordingError(
            f'{str(path)!r} should hold images uint8 (N, 3, W, H) and depths float (N, W, H), has '
            f'{has}'
        )
    return file


def _is_nyu(images: Any, depths: Any) -> bool:
    """Say whether these are the arrays of the labelled file."""
    shape = images.shape
    return bool(
        len(shape) == 4
        and shape[1] == 3
        and depths.shape == (shape[0], *shape[2:])
        and images.dtype == np.uint8
        and depths.dtype.kind == 'f'
    )


def _close_hdf5(file: Any) -> None:
    file.close()
