# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far a command is: a bar on a terminal, a line every some seconds in a log file."""

from __future__ import annotations

from collections.abc import Mapping
import sys
import time
from typing import Any, Final

EVERY_S: Final = 10.0
"""Between two lines."""

_FORMAT: Final = (
    '{desc}: {n_fmt}/{total_fmt} {unit}s, {elapsed}, {remaining} left, {rate_fmt}{postfix}'
)
_OPEN_FORMAT: Final = '{desc}: {n_fmt} {unit}s, {elapsed}, {rate_fmt}{postfix}'


def progress(name: str, *, total: int, unit: str, is_shown: bool = True) -> Any:
    """
    Return a tqdm bar if there is a terminal to show it on, else :class:`Lines`.

    ``total`` is 0 where nobody knows it.
    """
    from tqdm import tqdm

    if is_shown and not sys.stderr.isatty():
        return Lines(name, total=total, unit=unit)
    return tqdm(desc=name, total=total, unit=unit, disable=not is_shown)


class Lines:
    """
    Progress as lines on standard error, for files that somebody follows.

    It has of tqdm's bars what is used here. What takes less than ``EVERY_S`` leaves no line.
    """

    def __init__(self, name: str, *, total: int, unit: str, every_s: float = EVERY_S) -> None:
        self.n = self.initial = 0
        self._name, self._unit, self._every_s = name, unit, every_s
        self._facts = ''
        self._n_lines = 0
        self.reset(total)

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reset(self, total: int) -> None:
        """Begin anew."""
        self.total, self.n = total, 0
        self._began_s = self._last_s = time.monotonic()

    def update(self, n: int = 1) -> None:
        """Go on by n."""
        self.n += n
        if n and time.monotonic() - self._last_s >= self._every_s:
            self._write()

    def set_postfix(self, facts: Mapping[str, str]) -> None:
        """Say more than how far it is, with the next line."""
        self._facts = ', '.join(f'{name}={value}' for name, value in facts.items())

    def close(self) -> None:
        """Write how far it came, if there were lines before."""
        if self._n_lines:
            self._write()

    def _write(self) -> None:
        from tqdm import tqdm

        self._last_s = time.monotonic()
        line = tqdm.format_meter(
            self.n, self.total, self._last_s - self._began_s, prefix=self._name, unit=self._unit,
            initial=self.initial, postfix=self._facts or None,
            bar_format=_FORMAT if self.total else _OPEN_FORMAT,
        )
        self._n_lines += 1
        print(line, file=sys.stderr, flush=True)
