# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames that would count twice: sources that are the same, or one a part of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import permutations
import os.path
from pathlib import Path

from clip_depth_ros.bags.storage import files_of_recording
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.sources.kinds import seeds_of


def check_named_once(sources: Sequence[str], kind: str) -> None:
    """
    Refuse a seed, a recording (or one of its files) or a folder that is named twice.

    Raises
    ------
    ConfigError
        If there is one, wherever links lead.

    """
    keys = Counter(key for source in sources for key in _keys(source, kind))
    twice = [key for key, count in keys.items() if count > 1]
    if twice:
        raise ConfigError(
            f'{twice[0]} is named twice: its frames would count twice; name it once'
        )


def check_none_is_a_part(files: Mapping[str, Iterable[Path]]) -> None:
    """
    Refuse a source whose files are all files of another one: a drive beside its date.

    Parameters
    ----------
    files : mapping of str to iterable of Path
        Of each source.

    Raises
    ------
    ConfigError
        If there is one, wherever links lead.

    """
    if len(files) < 2:
        return
    resolved = {source: {*map(os.path.realpath, paths)} for source, paths in files.items()}
    for part, whole in permutations(resolved, 2):
        if resolved[part] and resolved[part] <= resolved[whole]:
            raise ConfigError(
                f'all frames of {part!r} are in {whole!r}, too: they would count twice; name one '
                'of the two'
            )


def _keys(source: str, kind: str) -> Iterator[str]:
    if kind == 'synthetic':
        yield from map(str, seeds_of(source))
        return
    path = Path(source).expanduser()
    for file in files_of_recording(path) if kind == 'bag' else [path]:
        yield os.path.realpath(file)
