# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Split files: text that lists the frames of a data set, one a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import hashlib
import os.path
from pathlib import Path, PurePosixPath

from clip_depth_ros.errors import RecordingError

_NAMED = 3  # of several missing files, so many are named


@dataclass(frozen=True, slots=True)
class SplitLine:
    """
    One line of a split file.

    Attributes
    ----------
    where : str
        File and line, for messages.
    words : tuple of str
        What stands there.

    """

    where: str
    words: tuple[str, ...]


def read_split(path: Path) -> list[SplitLine]:
    """
    Read a split file; empty lines and those that start with # do not count.

    Raises
    ------
    RecordingError
        If the file cannot be read or lists nothing.

    """
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f'split file {str(path)!r} cannot be read: {error}') from error
    lines = [
        SplitLine(f'{path}:{number}', tuple(line.split()))
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith('#')
    ]
    if not lines:
        raise RecordingError(f'split file {str(path)!r} lists no frame: name another')
    return lines


def describe_split(path: Path) -> Mapping[str, str]:
    """Give which file it is and what is in it, for reports and the keys of caches."""
    return {'list': str(path), 'list_sha256': hashlib.sha256(path.read_bytes()).hexdigest()}


def path_below(root: Path, name: str, line: SplitLine) -> Path:
    """
    Give the path that a split file names, below the root of its data set.

    A leading slash means the root, as in BTS's lists.

    Raises
    ------
    RecordingError
        If the name leads out of the root, or is the root.

    """
    parts = [part for part in PurePosixPath(name).parts if part.strip('/')]
    if '..' in parts or '\0' in name:
        raise RecordingError(
            f'{line.where}: {name!r} leads out of {str(root)!r}: paths in a split file are '
            'relative to the root of the data set, without ..'
        )
    if not parts:
        raise RecordingError(f'{line.where}: {name!r} names no file below {str(root)!r}')
    return root.joinpath(*parts)


def first_file(candidates: Iterable[Path]) -> Path | None:
    """Give the first of some paths that is a file; one that cannot be is none."""
    # Path.is_file raises for names that are too long, before Python 3.14.
    return next((path for path in candidates if os.path.isfile(path)), None)


def check_none_missing(missing: Mapping[str, Path], n_lines: int, what: str) -> None:
    """
    Refuse a split file that names files which are not there.

    Parameters
    ----------
    missing : mapping of str to Path
        Paths that were looked for, by the place in the split file.
    n_lines : int
        Lines of the split file.
    what : str
        What the files are, plural.

    Raises
    ------
    RecordingError
        If there is any, naming the first.

    """
    if missing:
        named = '; '.join(f'{where}: {str(path)!r}' for where, path in [*missing.items()][:_NAMED])
        raise RecordingError(
            f'{len(missing)} of {n_lines} {what} are not there, looked for {named}: complete the '
            'data set, correct its root, or take these lines out of the list'
        )
