# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Text for a terminal: what came from a file or a message must not steer it."""

from __future__ import annotations

import re
import textwrap
from typing import Any, Final, TextIO

_STEERING: Final = '\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff'
_CONTROL: Final = re.compile(f'[{_STEERING}]')
_CONTROL_OR_BREAK: Final = re.compile(f'[{_STEERING}\t\n]')


def printable(text: str, *, in_one_line: bool = False) -> str:
    r"""
    Return a text whose control characters are written out: ``\x1b`` for what begins a sequence.

    These are the characters of ECMA-48 (C0 and C1), what turns the direction of writing (Unicode
    TR 36), and lone surrogates, which no terminal can be sent. Line breaks and tabs stay, unless
    the text is to be ``in_one_line``: a name with a line break would forge another line.
    """
    pattern = _CONTROL_OR_BREAK if in_one_line else _CONTROL
    return pattern.sub(lambda match: match[0].encode('unicode_escape').decode('ascii'), text)


def brief(text: str, at_most: int = 1000) -> str:
    """Return a text as one printable line, cut where it is longer; names may have megabytes."""
    line = printable(text[:at_most], in_one_line=True)[:at_most]
    return line if len(text) <= at_most else f'{line} ... ({len(text)} characters)'


WIDTH: Final = 100
"""Columns that tables and texts of evaluations may take."""


def wrapped(text: str, width: int = WIDTH) -> list[str]:
    """
    Return a text as lines of at most ``width`` columns, broken between words only.

    Not at hyphens, as most of them are of flags and paths; a path may be longer than the line.
    """
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)


class PlainStream:
    """
    A text stream that writes :func:`printable` text to another; all else is that other's.

    Progress bars start, and clear, their line with a carriage return at the ends of what they
    write: there it passes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text; return its length."""
        inner = text.strip('\r')
        before, _, after = text.partition(inner) if inner else (text, '', '')
        self._stream.write(f'{before}{printable(inner)}{after}')
        return len(text)

    def __getattr__(self, name: str) -> Any:
        """Return what the other stream has."""
        return getattr(self._stream, name)
