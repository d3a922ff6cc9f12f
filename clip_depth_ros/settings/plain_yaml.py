# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
YAML that is data and stays small: the one reader of parameter files, protocols and metadata.

Few bytes of YAML may mean much: an alias repeats all that its anchor holds, and aliases may lie
within aliases. ROS 2's own reader of parameter files takes no aliases at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

MOST_BYTES: Final = 4 << 20
"""The metadata of a recording in ten thousand files is half of it."""

MOST_VALUES: Final = 500_000
"""With aliases written out; a document of so many bytes without any holds fewer."""

MOST_LEVELS: Final = 50

_Loader: Final = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)


def read_yaml(path: Path) -> Any:
    """
    Return what a file says, made of plain values.

    Raises
    ------
    OSError
        If the file cannot be read.
    UnicodeDecodeError
        If it is no UTF-8.
    yaml.YAMLError
        If it is no YAML, or means more than :func:`checked_yaml` lets through.

    """
    with path.open('rb') as file:
        data = file.read(MOST_BYTES + 1)  # no more, whatever lies there
    text = checked_yaml(data.decode('utf-8'))
    try:
        return yaml.safe_load(text)
    except ValueError as error:  # a date that is none, a number of thousands of digits
        raise yaml.YAMLError(f'a value of YAML is none: {error}') from error


def checked_yaml(text: str) -> str:
    """
    Return a text, for a reader that does not look at how much it means.

    Raises
    ------
    yaml.YAMLError
        If it is no YAML, has too many bytes, levels, or values with its aliases written out.

    """
    if len(text) > MOST_BYTES:
        raise yaml.YAMLError(f'YAML should have at most {MOST_BYTES} bytes, has more')
    sizes: dict[str | None, int] = {}  # by anchor: the values below it; 0 while it is open
    levels: list[tuple[str | None, int]] = [(None, 0)]  # anchor of each, values before it
    total = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            if not sizes.get(event.anchor, 1):
                raise yaml.YAMLError(f'alias {event.anchor!r} of YAML holds itself')
            total += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            levels.append((event.anchor, total))
            if event.anchor is not None:
                sizes[event.anchor] = 0
            total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = levels.pop()
            if anchor is not None:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.ScalarEvent):
            if event.anchor is not None:
                sizes[event.anchor] = 1
            total += 1
        if total > MOST_VALUES or len(levels) > MOST_LEVELS + 1:
            raise yaml.YAMLError(
                f'YAML should mean at most {MOST_VALUES} values in {MOST_LEVELS} levels, aliases '
                'written out; means more'
            )
    return text
