# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What was taken nearest to a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

import numpy as np


class Stamped(Protocol):
    """Something that was taken at a time."""

    @property
    def stamp_ns(self) -> int:
        """Give the time, nanoseconds."""
        ...


Item = TypeVar('Item', bound=Stamped)


class ByStamp(Generic[Item]):
    """Finds what was taken nearest to a time; of equally near ones the earlier."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._ordered = sorted(items, key=lambda item: item.stamp_ns)
        self._stamps_ns = np.array([item.stamp_ns for item in self._ordered], np.int64)

    def nearest(self, stamp_ns: int) -> Item | None:
        """Give it; None where there is nothing."""
        right = int(np.searchsorted(self._stamps_ns, stamp_ns))
        return min(
            self._ordered[max(0, right - 1):right + 1],
            key=lambda item: abs(item.stamp_ns - stamp_ns),
            default=None,
        )

    def within(self, stamp_ns: int, tolerance_ns: int) -> Item | None:
        """Give it if it is near enough."""
        nearest = self.nearest(stamp_ns)
        if nearest is None or abs(nearest.stamp_ns - stamp_ns) > tolerance_ns:
            return None
        return nearest
