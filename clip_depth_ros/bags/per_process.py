# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Open files that must not be shared by processes."""

from __future__ import annotations

from collections.abc import Callable
import os
from typing import Any, Generic, TypeVar
import weakref

Opened = TypeVar('Opened')


class PerProcess(Generic[Opened]):
    """
    Something that each process opens for itself, when it first needs it.

    Processes that are forked share the position in a file that was open before: one would read
    what another has asked for. Libraries (HDF5, SQLite) break in other ways.

    Parameters
    ----------
    open_it : callable
        Opens it; must be picklable if this is.
    close_it : callable
        Closes it; is called at the latest when this object goes.

    """

    def __init__(
        self, open_it: Callable[[], Opened], close_it: Callable[[Opened], None]
    ) -> None:
        self._open_it, self._close_it = open_it, close_it
        self._opened: tuple[int, Opened, weakref.finalize[..., Any]] | None = None

    def get(self) -> Opened:
        """Give what is open in this process."""
        pid = os.getpid()
        if self._opened is None or self._opened[0] != pid:
            value = self._open_it()
            closing = weakref.finalize(self, _close_in, pid, self._close_it, value)
            self._opened = (pid, value, closing)
        return self._opened[1]

    def close(self) -> None:
        """Close it in this process; it is opened again when needed."""
        if self._opened is not None:
            self._opened[2]()
            self._opened = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave what is open behind."""
        return {**self.__dict__, '_opened': None}


def _close_in(pid: int, close_it: Callable[[Any], None], value: object) -> None:
    """Close what this process opened; its parent's is the parent's to close."""
    if os.getpid() == pid:
        close_it(value)
