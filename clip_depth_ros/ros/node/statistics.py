# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rates and latencies over the last seconds, and counters that never reset."""

from __future__ import annotations

from collections import Counter, deque
import threading

import numpy as np


class Window:
    """
    Values of the last seconds: how many came, and their percentiles.

    Times are monotonic seconds and handed in, so that a test needs no clock.
    """

    def __init__(self, length_s: float = 5.0) -> None:
        self._length_s = length_s
        self._samples: deque[tuple[float, float]] = deque()
        self._first_s: float | None = None

    def add(self, now_s: float, value: float = 0.0) -> None:
        """Note a value at a time."""
        if self._first_s is None:
            self._first_s = now_s
        self._samples.append((now_s, value))
        self._forget(now_s)

    def rate_hz(self, now_s: float) -> float:
        """Give samples a second over the window, or since the first one when that is shorter."""
        self._forget(now_s)
        first_s = now_s if self._first_s is None else self._first_s
        # Below a second a rate says nothing: one sample would read as hundreds of hertz.
        return len(self._samples) / max(1.0, min(self._length_s, now_s - first_s))

    def percentile(self, now_s: float, percent: float) -> float:
        """Give a percentile of the values; NaN when there is none."""
        self._forget(now_s)
        if not self._samples:
            return float('nan')
        return float(np.percentile([value for _, value in self._samples], percent))

    def _forget(self, now_s: float) -> None:
        while self._samples and self._samples[0][0] < now_s - self._length_s:
            self._samples.popleft()


class Statistics:
    """
    What a node counts: windows and counters behind one lock.

    ``counts`` are totals since the start: received, processed, dropped (overwritten by a newer
    image before a worker was free), failed, idle (nobody listened), discarded (deactivated while
    computing).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._windows = {'in': Window(), 'out': Window(), 'latency_s': Window(30.0)}

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counts[name] += amount

    def note(self, name: str, now_s: float, value: float = 0.0) -> None:
        """Add a sample to a window: in, out or latency_s."""
        with self._lock:
            self._windows[name].add(now_s, value)

    def counts(self) -> dict[str, int]:
        """Give the counters as they are."""
        with self._lock:
            return dict(self._counts)

    def rate_hz(self, name: str, now_s: float) -> float:
        """Give the rate of a window."""
        with self._lock:
            return self._windows[name].rate_hz(now_s)

    def percentile(self, name: str, now_s: float, percent: float) -> float:
        """Give a percentile of a window."""
        with self._lock:
            return self._windows[name].percentile(now_s, percent)
