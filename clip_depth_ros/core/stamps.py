# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which camera_info goes with which image: matching by header stamp, and waiting for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
import threading
import time
from typing import Final, Generic, Literal, TypeVar

Item = TypeVar('Item')
MatchKind = Literal['exact', 'nearest', 'last']
SyncMode = Literal['auto', 'exact', 'nearest', 'last']

_PATIENT: Final = 2
"""Images in a row with an item of their own stamp that make waiting worth while."""


@dataclass(frozen=True, slots=True)
class Match(Generic[Item]):
    """An item that was found for a stamp, and how."""

    item: Item
    kind: MatchKind


def _any(_: object) -> bool:
    return True


class StampMatcher(Generic[Item]):
    """
    Keeps the newest items by stamp and finds the one that belongs to an image.

    Parameters
    ----------
    mode : {'auto', 'exact', 'nearest', 'last'}
        exact: the same stamp; nearest: within the tolerance; last: the newest known; auto: exact,
        else nearest, else last.
    tolerance_ns : int
        Largest stamp difference for nearest.
    capacity : int
        Items kept; older ones are forgotten.

    Notes
    -----
    Items may be added from one thread and awaited in another. An item that is not acceptable (of
    another image size, say) is passed over as if it were not there.

    """

    def __init__(self, *, mode: SyncMode, tolerance_ns: int, capacity: int = 100) -> None:
        self._mode = mode
        self._tolerance_ns = tolerance_ns
        self._items: deque[tuple[int, Item]] = deque(maxlen=capacity)
        self._last: Item | None = None
        self._changed = threading.Condition()
        self._is_closed = False
        self._streak = _PATIENT
        self._asked_ns: int | None = None
        self._n_asked_since_add = 0

    def configure(self, *, mode: SyncMode, tolerance_ns: int) -> None:
        """Change mode and tolerance; what is known stays."""
        with self._changed:
            self._mode, self._tolerance_ns = mode, tolerance_ns
            self._streak = _PATIENT
            self._changed.notify_all()

    def add(self, stamp_ns: int, item: Item) -> None:
        """
        Keep an item; of equal stamps the later one wins.

        Stamps rise. One that falls behind means that time jumped back (a recording that loops),
        and what was newer is forgotten.
        """
        with self._changed:
            while self._items and self._items[-1][0] > stamp_ns:
                self._items.pop()
            self._items.append((stamp_ns, item))
            self._last = item
            if self._n_asked_since_add > 1:
                self._note_pairing(False)
            elif stamp_ns == self._asked_ns:
                self._note_pairing(True)
            self._n_asked_since_add = 0
            self._changed.notify_all()

    def reset(self) -> None:
        """Forget all stamps: time jumped back. The last item stays, it is still the camera's."""
        with self._changed:
            self._items.clear()

    def forget_after(self, stamp_ns: int) -> None:
        """Forget items with a later stamp: they are from before time jumped back."""
        with self._changed:
            kept = [pair for pair in self._items if pair[0] <= stamp_ns]
            self._items.clear()
            self._items.extend(kept)

    def close(self) -> None:
        """Let whoever waits go on, now and from now on."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def newest(self) -> Item | None:
        """Give the item that came last, if any ever did."""
        return self._last

    def find(
        self, stamp_ns: int, accepts: Callable[[Item], bool] = _any
    ) -> Match[Item] | None:
        """Give the best match that is known now."""
        with self._changed:
            return self._find(stamp_ns, accepts)

    def wait(
        self, stamp_ns: int, deadline_s: float, accepts: Callable[[Item], bool] = _any
    ) -> Match[Item] | None:
        """
        Give the best match, waiting while a better one may still come.

        Parameters
        ----------
        stamp_ns : int
            Stamp of the image.
        deadline_s : float
            When to stop waiting, on ``time.monotonic``'s clock.
        accepts : callable
            Says whether an item can belong to the image at all.

        Returns
        -------
        Match or None
            None when nothing acceptable came in time.

        Notes
        -----
        Items come in the order of their stamps: once one is newer than the image, no better one
        will come. Mode last never waits when it has something. After a wait in vain there is no
        more waiting until two images in a row had an item of their own stamp, early or late: a
        camera_info that comes once a second, or has stopped, must not slow down the camera.

        """
        with self._changed:
            self._asked_ns = stamp_ns
            self._n_asked_since_add += 1
            match = self._find(stamp_ns, accepts)
            if self._streak < _PATIENT:
                if match and match.kind == 'exact':
                    self._note_pairing(True)
                return match
            while not self._is_closed and not self._is_final(match, stamp_ns):
                remaining_s = deadline_s - time.monotonic()
                if remaining_s <= 0:
                    self._streak = 0
                    break
                self._changed.wait(remaining_s)
                match = self._find(stamp_ns, accepts)
            return match

    def _note_pairing(self, is_paired: bool) -> None:
        """Note, after a wait in vain, whether an image had an item of its own stamp."""
        if self._streak < _PATIENT:
            self._streak = self._streak + 1 if is_paired else 0

    def _is_final(self, match: Match[Item] | None, stamp_ns: int) -> bool:
        if match and (match.kind == 'exact' or self._mode == 'last'):
            return True
        return any(stamp > stamp_ns for stamp, _ in self._items)

    def _find(self, stamp_ns: int, accepts: Callable[[Item], bool]) -> Match[Item] | None:
        candidates = [(stamp, item) for stamp, item in self._items if accepts(item)]
        if candidates:
            stamp, item = min(reversed(candidates), key=lambda pair: abs(pair[0] - stamp_ns))
            if stamp == stamp_ns and self._mode != 'last':
                return Match(item, 'exact')
            if abs(stamp - stamp_ns) <= self._tolerance_ns and self._mode in ('auto', 'nearest'):
                return Match(item, 'nearest')
        if self._mode not in ('auto', 'last'):
            return None
        if candidates:
            return Match(candidates[-1][1], 'last')
        if self._last is not None and accepts(self._last):
            return Match(self._last, 'last')
        return None
