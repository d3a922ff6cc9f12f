# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which frames of NYU's labelled file a split names: the official splits.mat, or lines of text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clip_depth_ros.errors import MissingDependencyError, RecordingError
from clip_depth_ros.sources.split_files import read_split
import numpy as np


def read_nyu_numbers(split_path: Path, n_frames: int) -> list[int]:
    """
    Give the frames that a split names, counted from 0.

    Parameters
    ----------
    split_path : Path
        ``splits.mat`` as the authors of the data set give it (its 654 test frames are used), or
        text with a number in each line; both count from 1.
    n_frames : int
        Frames of the labelled file.

    Raises
    ------
    RecordingError
        If the file cannot be read, or names a frame that there is not.
    MissingDependencyError
        For a .mat file, if scipy is not installed.

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
