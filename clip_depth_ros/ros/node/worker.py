# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One thread that always works on the newest item: falling behind drops, it never queues."""

from __future__ import annotations

from collections.abc import Callable
import threading
from typing import Generic, TypeVar

Item = TypeVar('Item')


class LatestWorker(Generic[Item]):
    """
    Runs ``work`` on the newest submitted item in a thread of its own.

    Parameters
    ----------
    work : callable
        Called with one item at a time. It must not raise; what it raises ends the thread.
    name : str
        Name of the thread.

    """

    def __init__(self, work: Callable[[Item], None], *, name: str = 'depth_worker') -> None:
        self._work = work
        self._changed = threading.Condition()
        self._newest: Item | None = None
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, item: Item) -> bool:
        """Hand over an item; True if it replaced one that nobody had started on."""
        with self._changed:
            replaced = self._newest is not None
            self._newest = item
            self._changed.notify()
        return replaced

    def stop(self) -> bool:
        """Ask the thread to end after the item in hand; True if a waiting item was discarded."""
        with self._changed:
            discarded = self._newest is not None
            self._newest = None
            self._is_stopping = True
            self._changed.notify()
        return discarded

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; True if it has."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def is_alive(self) -> bool:
        """Say whether the thread is there to work."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while (item := self._take()) is not None:
            self._work(item)

    def _take(self) -> Item | None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._is_stopping)
            item, self._newest = self._newest, None
            return None if self._is_stopping else item
