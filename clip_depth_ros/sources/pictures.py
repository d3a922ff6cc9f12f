# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a user has of pictures, without depth: images, folders and patterns of them, videos."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
import os
from pathlib import Path
import re
import shlex
from typing import Final

from clip_depth_ros.core.compressed import FILE_KINDS, kind_of
from clip_depth_ros.errors import ConfigError, RecordingError
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.sources.files import read_start
from clip_depth_ros.sources.video import MAX_WEBCAM

_SUFFIXES: Final = frozenset({
    '.png', '.jpg', '.jpeg', '.webp', '.bmp', '.ppm', '.pgm', '.tif', '.tiff',
})
_RECORDINGS: Final = (b'#ROSBAG', b'\x89MCAP0', b'SQLite format 3')
_MADE_BY_US: Final = '_depth'
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class UserPicture:
    """An image file, a video file or, by its number, a webcam; ``name`` is for its results."""

    where: Path | int
    is_video: bool

    @property
    def name(self) -> str:
        """Return what the names of its results begin with."""
        return f'webcam{self.where}' if isinstance(self.where, int) else self.where.stem


def find_pictures(words: Sequence[str]) -> list[UserPicture]:
    """
    Return what the words of a user name, in their order, each once.

    A word is an image file, a video file, a folder of images, a pattern such as ``'*.jpg'`` (of
    which a folder may have too many for a command line) or the number of a webcam, unless a file
    has that name.

    Raises
    ------
    RecordingError
        If nothing is there, or no picture.
    ConfigError
        If it is something else that another command is for, which is named.

    """
    found = {picture: None for word in words for picture in _named(word)}
    return [*found]


def _named(word: str) -> Iterator[UserPicture]:
    path = user_path(word)
    if path.is_dir():
        yield from _in_folder(path)
    elif os.path.lexists(path):
        yield _file(path)
    elif re.fullmatch(r'[0-9]+', word):
        if int(word) > MAX_WEBCAM:
            raise ConfigError(
                f'webcams have numbers from 0 to {MAX_WEBCAM}, got {word}, and no file has that '
                'name'
            )
        yield UserPicture(int(word), is_video=True)
    elif '://' in word:
        raise ConfigError(f'{word!r} is a stream: clip-depth live --rtsp {shlex.quote(word)}')
    elif has_magic(word):
        paths = map(Path, sorted(glob(str(path), recursive=True)))
        files = _not_made_by_us(path for path in paths if path.is_file())
        if not files:
            raise RecordingError(f'there is no file like {word!r}')
        yield from map(_file, files)
    else:
        raise RecordingError(
            f'there is no {word!r}: name an image, a folder, a pattern in quotes, a video or the '
            'number of a webcam'
        )


def _in_folder(folder: Path) -> Iterator[UserPicture]:
    if (folder / 'metadata.yaml').is_file():
        raise ConfigError(_is_recording(folder))
    try:
        names = sorted(folder.iterdir())
    except OSError as error:
        raise RecordingError(f'{str(folder)!r} cannot be read: {error.strerror}') from error
    images = _not_made_by_us(path for path in names if path.suffix.lower() in _SUFFIXES)
    if not images:
        has = ', '.join(path.name for path in names[:_SHOWN]) or 'nothing'
        more = f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''
        raise RecordingError(
            f'{str(folder)!r} holds no image ({", ".join(sorted(_SUFFIXES))}); it holds {has}'
            f'{more}: name a folder that does, or its files'
        )
    yield from (UserPicture(path, is_video=False) for path in images)


def _not_made_by_us(paths: Iterable[Path]) -> list[Path]:
    """Leave out what an earlier run has made of one of the others."""
    every = [*paths]
    made = {path.with_name(f'{path.stem}{_MADE_BY_US}') for path in every}
    return [path for path in every if path.with_suffix('') not in made]


def _file(path: Path) -> UserPicture:
    """Tell by its first bytes what a file is."""
    start = read_start(path)
    if start.startswith(_RECORDINGS):
        raise ConfigError(_is_recording(path))
    is_image = kind_of(start, FILE_KINDS) is not None or path.suffix.lower() in _SUFFIXES
    return UserPicture(path, is_video=not is_image)


def _is_recording(path: Path) -> str:
    name = shlex.quote(str(path))
    return (
        f'{str(path)!r} is a recording: clip-depth demo --bag {name} plays it into the node, '
        f'clip-depth evaluate {name} says how good its depth is'
    )
