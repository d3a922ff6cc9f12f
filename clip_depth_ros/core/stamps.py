# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What belongs together by stamp: in recordings, and live, where some of it is still to come."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
import threading
import time
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

Item = TypeVar('Item')
MatchKind = Literal['exact', 'nearest', 'last']
SyncMode = Literal['auto', 'exact', 'nearest', 'last']

_PATIENT: Final = 2
"""Images in a row with an item of their own stamp before waiting is worth while again."""


def stamp_ns_of(header: Any) -> int:
    """Return the capture time in the header of a message, nanoseconds."""
    # By hand: rclpy.time.Time refuses what a broken driver may send, negative seconds.
    return int(header.stamp.sec) * 10**9 + int(header.stamp.nanosec)


PairBy = Literal['header', 'receive']
"""Whose clock says what belongs together: that of the sensors, or that of the recorder."""


class Stamped(Hashable, Protocol):
    """Something that was taken at a time."""

    @property
    def time_ns(self) -> int:
        """When it was taken, nanoseconds, by the clock that says what belongs together."""

    @property
    def received_ns(self) -> int:
        """When it was received, nanoseconds; 0 where that was not recorded."""


Taken = TypeVar('Taken', bound=Stamped)
Other = TypeVar('Other', bound=Stamped)


class ByStamp(Generic[Taken]):
    """
    Finds the item that was taken nearest to a time.

    Stamps repeat where a recording loops or a driver leaves them 0: of equally near items, the one
    that was received nearest to a time counts, then the earlier one.
    """

    def __init__(self, items: Iterable[Taken]) -> None:
        self._ordered = sorted(items, key=_times_ns)
        self._times_ns = [_times_ns(item) for item in self._ordered]
        self._stamps_ns = [stamp_ns for stamp_ns, _ in self._times_ns]

    def nearest(self, time_ns: int, received_ns: int = 0) -> Taken | None:
        """Return what was taken nearest to a time; None where there is nothing."""
        right = bisect_left(self._stamps_ns, time_ns)
        stamps_ns = self._stamps_ns[max(0, right - 1):right + 1]
        places = [bisect_left(self._times_ns, (near_ns, received_ns)) for near_ns in stamps_ns]
        return min(
            (item for place in places for item in self._ordered[max(0, place - 1):place + 1]),
            key=lambda item: _apart_ns(_times_ns(item), (time_ns, received_ns)),
            default=None,
        )

    def within(self, time_ns: int, tolerance_ns: int, received_ns: int = 0) -> Taken | None:
        """Return the nearest if it was taken within the tolerance, else None."""
        nearest = self.nearest(time_ns, received_ns)
        if nearest is None or abs(nearest.time_ns - time_ns) > tolerance_ns:
            return None
        return nearest


def once_each(pairs: Sequence[tuple[Taken, Other]]) -> list[tuple[Taken, Other]]:
    """Return the pairs; of those that share their second item, only the nearest (earliest)."""
    nearest: dict[Other, tuple[Taken, Other]] = {}
    for pair in pairs:
        kept = nearest.setdefault(pair[1], pair)
        if _apart_ns(*map(_times_ns, pair)) < _apart_ns(*map(_times_ns, kept)):
            nearest[pair[1]] = pair
    return [pair for pair in pairs if nearest[pair[1]] is pair]


def gap_max_s(pairs: Iterable[tuple[Stamped, Stamped]]) -> float | None:
    """Return the largest difference of the times of a pair; None where there is no pair."""
    gaps_ns = [abs(one.time_ns - other.time_ns) for one, other in pairs]
    return max(gaps_ns) / 1e9 if gaps_ns else None


def n_repeated(items: Iterable[Stamped]) -> int:
    """Count the items that share their time with another one."""
    counts = Counter(item.time_ns for item in items)
    return sum(count for count in counts.values() if count > 1)


def _times_ns(item: Stamped) -> tuple[int, int]:
    return item.time_ns, item.received_ns


def _apart_ns(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return abs(one[0] - other[0]), abs(one[1] - other[1])


@dataclass(frozen=True, slots=True)
class Match(Generic[Item]):
    """An item that was found for a stamp, and how."""

    item: Item
    kind: MatchKind


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
        self._accepts: Callable[[Item], bool] = lambda _: True
        self._n_asked_since_add = 0

    def configure(self, *, mode: SyncMode, tolerance_ns: int) -> None:
        """Change mode and tolerance; what is known stays."""
        with self._changed:
            if (mode, tolerance_ns) == (self._mode, self._tolerance_ns):
                return  # and what was waited for in vain is not worth another try
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
                # One of another camera, or size, under the same stamp was not waited for.
                self._note_pairing(self._accepts(item))
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
        """Release every waiting call, now and from now on."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def newest(self) -> Item | None:
        """Return the item that came last, None before the first."""
        return self._last

    def find(
        self, stamp_ns: int, accepts: Callable[[Item], bool] = lambda _: True
    ) -> Match[Item] | None:
        """Return the best match that is known now."""
        with self._changed:
            return self._find(stamp_ns, accepts)

    def known(
        self, stamp_ns: int, deadline_s: float, accepts: Callable[[Item], bool] = lambda _: True
    ) -> Match[Item] | None:
        """
        Return the best that is known now; only where nothing is, the first that comes in time.

        Exact, else nearest, else last in every mode but last: something that seldom changes, and
        is needed at once, is better known from a moment ago than not at all. ``deadline_s`` is on
        ``time.monotonic``'s clock.
        """
        with self._changed:
            while not (match := self._find(stamp_ns, accepts, is_strict=False)):
                remaining_s = deadline_s - time.monotonic()
                if remaining_s <= 0 or self._is_closed:
                    return None
                self._changed.wait(remaining_s)
            return match

    def wait(
        self, stamp_ns: int, deadline_s: float, accepts: Callable[[Item], bool] = lambda _: True
    ) -> Match[Item] | None:
        """
        Return the best match, waiting while a better one may still come; None if none came.

        Parameters
        ----------
        stamp_ns : int
            Stamp of the image.
        deadline_s : float
            When to stop waiting, on ``time.monotonic``'s clock.
        accepts : callable
            Says whether an item can belong to the image at all.

        Notes
        -----
        Items come in the order of their stamps: once one is newer than the image, no better one
        will come. Mode last never waits when it has something. After a wait in vain there is no
        more waiting until two images in a row had an item of their own stamp, early or late: a
        camera_info that comes once a second, or has stopped, must not slow down the camera.

        """
        with self._changed:
            self._asked_ns, self._accepts = stamp_ns, accepts
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

    def _find(
        self, stamp_ns: int, accepts: Callable[[Item], bool], *, is_strict: bool = True
    ) -> Match[Item] | None:
        mode = self._mode if is_strict or self._mode == 'last' else 'auto'
        candidates = [(stamp, item) for stamp, item in self._items if accepts(item)]
        if candidates:
            stamp, item = min(reversed(candidates), key=lambda pair: abs(pair[0] - stamp_ns))
            if stamp == stamp_ns and mode != 'last':
                return Match(item, 'exact')
            if abs(stamp - stamp_ns) <= self._tolerance_ns and mode in ('auto', 'nearest'):
                return Match(item, 'nearest')
        if mode not in ('auto', 'last'):
            return None
        if candidates:
            return Match(candidates[-1][1], 'last')
        if self._last is not None and accepts(self._last):
            return Match(self._last, 'last')
        return None
