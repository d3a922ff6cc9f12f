# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What was measured at about the time of an image: it may come before its depth, or after."""

from __future__ import annotations

from collections import deque
import threading
from typing import Final, Generic, TypeVar

Measured = TypeVar('Measured')
Kept = TypeVar('Kept')

_N_KEPT: Final = 10
_N_WAITING: Final = 30
_FAR_AHEAD_NS: Final = 2_000_000_000


class Pairing(Generic[Measured, Kept]):
    """
    Pairs what is measured with the depth of the image nearest in time.

    What is measured waits until the depth of an image as new as itself is there, so that the
    nearest is known: with the image before it, a driving robot would be a step too near. It may
    be put from another thread than that which takes the pairs.

    Attributes
    ----------
    why : str
        Why something had no pair, the newest such; empty if it had.
    n_unpaired : int
        What had none.

    """

    def __init__(self, tolerance_ns: int) -> None:
        self.tolerance_ns = tolerance_ns
        self.why = ''
        self.n_unpaired = 0
        self._kept: deque[tuple[int, Kept]] = deque(maxlen=_N_KEPT)
        self._waiting: deque[tuple[int, Measured]] = deque(maxlen=_N_WAITING)
        self._changing = threading.Lock()

    def put(self, stamp_ns: int, measured: Measured) -> None:
        """Have something measured wait for the depth of its image."""
        with self._changing:
            self._waiting.append((stamp_ns, measured))

    def pairs(self, stamp_ns: int, kept: Kept) -> list[tuple[int, Measured, Kept]]:
        """Keep a depth; return the pairs that are known now: stamp of the depth, both."""
        with self._changing:
            self._kept.append((stamp_ns, kept))
            ready = [item for item in self._waiting if item[0] <= stamp_ns]
            later = [item for item in self._waiting if item[0] > stamp_ns]
            self._waiting.clear()
            self._waiting.extend(later)
        found = []
        for taken_ns, measured in ready:
            image_ns, depth = min(self._kept, key=lambda each: abs(each[0] - taken_ns))
            if abs(image_ns - taken_ns) <= self.tolerance_ns:
                found.append((image_ns, measured, depth))
                self.why = ''
            else:
                self.n_unpaired += 1
                self.why = _apart(taken_ns - image_ns, self.tolerance_ns)
        if not ready and later and (ahead_ns := later[-1][0] - stamp_ns) > _FAR_AHEAD_NS:
            self.why = _apart(ahead_ns, self.tolerance_ns)
        return found

    def reset(self) -> None:
        """Forget everything: time jumped back."""
        with self._changing:
            self._kept.clear()
            self._waiting.clear()


def _apart(by_ns: int, tolerance_ns: int) -> str:
    when = 'after' if by_ns > 0 else 'before'
    return (
        f'measured {abs(by_ns) / 1e9:.3f} s {when} the nearest image, align_tolerance_s is '
        f'{tolerance_ns / 1e9:g}: do the clocks of the two sensors agree?'
    )
