# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Pictures of some frames of an evaluation, kept in one file beside its result.

So that a comparison can show frames without the data set and the predictors. It is a ZIP with an
``index.json`` and JPEGs: whoever wants to look at one unpacks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Annotated, Any, Final
import zipfile

from clip_depth_ros.core.files import atomic_path, check_regular
from clip_depth_ros.errors import DataError
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, TypeAdapter, ValidationError

FORMAT: Final = 'clip_depth_ros pictures 1'

_N_KEPT: Final = 12
_MOST_BYTES: Final = 4_000_000
"""Of one picture; a larger one is nothing that was written here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePictures:
    """
    What there is to see of a frame: JPEG files by what they show.

    ``shared`` has the image and its truth, ``of`` depth and error by predictor. They are shown two
    in a row where ``is_wide``.
    """

    recording: str
    name: str
    is_wide: bool
    shared: Mapping[str, bytes]
    of: Mapping[str, Mapping[str, bytes]]


def spread(n_frames: int) -> NDArray[np.intp]:
    """Return the places, int (n,), of a dozen frames, or all, evenly over so many."""
    places = np.linspace(0, n_frames - 1, min(n_frames, _N_KEPT)).round()
    return np.asarray(places, np.intp)


def write_pictures(path: Path, frames: Iterable[FramePictures]) -> None:
    """Write the pictures, one frame after the other; OutputError if that cannot be."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, 'w') as file:
        index = [_written(frame, place, file) for place, frame in enumerate(frames)]
        _add(file, 'index.json', json.dumps({'format': FORMAT, 'frames': index}).encode())


def read_pictures(path: Path) -> list[FramePictures]:
    """
    Read the pictures; none if there is no such file.

    DataError if it is none of this version's, or damaged.
    """
    if not path.exists():
        return []
    try:
        check_regular(path)
        with zipfile.ZipFile(path) as file:
            index = _INDEX.validate_json(_content(file, 'index.json'))
            return [_read(frame, file) for frame in index['frames']]
    except (OSError, KeyError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        reason = error.errors()[0]['msg'] if isinstance(error, ValidationError) else error
        raise DataError(
            f'{str(path)!r} has no pictures of this version of clip-depth evaluate ({reason}): '
            'move it away to compare without pictures, or evaluate again'
        ) from error


def _is_own(values: dict[str, Any]) -> dict[str, Any]:
    if values.get('format') != FORMAT or not isinstance(values.get('frames'), list):
        raise ValueError(f'its format is {values.get("format")!r}')
    return values


_INDEX: Final = TypeAdapter(Annotated[dict[str, Any], AfterValidator(_is_own)])
_FRAME: Final = TypeAdapter(FramePictures)


def _written(frame: FramePictures, place: int, file: zipfile.ZipFile) -> dict[str, Any]:
    """Write the pictures of a frame, and return its facts with names in their place."""
    n_written = 0

    def names(pictures: Mapping[str, bytes]) -> dict[str, str]:
        nonlocal n_written
        found = {}
        for what, jpeg in pictures.items():
            found[what] = f'{place:03d}_{n_written:02d}.jpg'
            _add(file, found[what], jpeg)
            n_written += 1
        return found

    return {
        'recording': frame.recording, 'name': frame.name, 'is_wide': frame.is_wide,
        'shared': names(frame.shared), 'of': {who: names(each) for who, each in frame.of.items()},
    }


def _read(facts: Any, file: zipfile.ZipFile) -> FramePictures:
    named = _FRAME.validate_python(facts)

    def contents(names: Mapping[str, bytes]) -> dict[str, bytes]:
        return {what: _content(file, name.decode()) for what, name in names.items()}

    return FramePictures(
        recording=named.recording, name=named.name, is_wide=named.is_wide,
        shared=contents(named.shared),
        of={who: contents(each) for who, each in named.of.items()},
    )


def _content(file: zipfile.ZipFile, name: str) -> bytes:
    if file.getinfo(name).file_size > _MOST_BYTES:
        raise ValueError(f'{name!r} is larger than {_MOST_BYTES} bytes')
    return file.read(name)


def _add(file: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add a file without its time: the same data make the same bytes."""
    file.writestr(zipfile.ZipInfo(name), data)
