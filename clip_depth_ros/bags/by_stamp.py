# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What was taken nearest to a time; where stamps repeat, what was received nearest to it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar


class Stamped(Hashable, Protocol):
    """Something that was taken at a time."""

    @property
    def stamp_ns(self) -> int:
        """Give the time, nanoseconds."""
        ...

    @property
    def received_ns(self) -> int:
        """Give when it was received, nanoseconds; 0 where that was not recorded."""
        ...


Item = TypeVar('Item', bound=Stamped)
Other = TypeVar('Other', bound=Stamped)


class ByStamp(Generic[Item]):
    """
    Finds what was taken nearest to a time.

    Of what is equally near, as stamps repeat where a recording loops or a driver leaves them 0, it
    is what was received nearest to a time, and of that the earlier.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self._ordered = sorted(items, key=_times_ns)
        self._times_ns = [_times_ns(item) for item in self._ordered]
        self._stamps_ns = [stamp_ns for stamp_ns, _ in self._times_ns]

    def nearest(self, stamp_ns: int, received_ns: int = 0) -> Item | None:
        """Give it; None where there is nothing."""
        right = bisect_left(self._stamps_ns, stamp_ns)
        stamps_ns = self._stamps_ns[max(0, right - 1):right + 1]
        places = [bisect_left(self._times_ns, (near_ns, received_ns)) for near_ns in stamps_ns]
        return min(
            (item for place in places for item in self._ordered[max(0, place - 1):place + 1]),
            key=lambda item: _apart_ns(_times_ns(item), (stamp_ns, received_ns)),
            default=None,
        )

    def within(self, stamp_ns: int, tolerance_ns: int, received_ns: int = 0) -> Item | None:
        """Give it if its stamp is near enough."""
        nearest = self.nearest(stamp_ns, received_ns)
        if nearest is None or abs(nearest.stamp_ns - stamp_ns) > tolerance_ns:
            return None
        return nearest


def once_each(pairs: Sequence[tuple[Item, Other]]) -> list[tuple[Item, Other]]:
    """Give the pairs, but of those that share their second item only the nearest (earliest)."""
    nearest: dict[Other, tuple[Item, Other]] = {}
    for pair in pairs:
        kept = nearest.setdefault(pair[1], pair)
        if _pair_apart_ns(pair) < _pair_apart_ns(kept):
            nearest[pair[1]] = pair
    return [pair for pair in pairs if nearest[pair[1]] is pair]


def gap_max_s(pairs: Iterable[tuple[Stamped, Stamped]]) -> float | None:
    """Give the largest difference of the stamps of a pair; None where there is no pair."""
    gaps_ns = [abs(one.stamp_ns - other.stamp_ns) for one, other in pairs]
    return max(gaps_ns) / 1e9 if gaps_ns else None


def n_repeated(items: Iterable[Stamped]) -> int:
    """Count the items whose stamp another one has, too."""
    counts = Counter(item.stamp_ns for item in items)
    return sum(count for count in counts.values() if count > 1)


def _times_ns(item: Stamped) -> tuple[int, int]:
    return item.stamp_ns, item.received_ns


def _apart_ns(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return abs(one[0] - other[0]), abs(one[1] - other[1])


def _pair_apart_ns(pair: tuple[Stamped, Stamped]) -> tuple[int, int]:
    return _apart_ns(_times_ns(pair[0]), _times_ns(pair[1]))
