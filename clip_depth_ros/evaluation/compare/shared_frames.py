# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which frames of one evaluation are which of another."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from clip_depth_ros.evaluation.results.result import FrameTable
import numpy as np
from numpy.typing import NDArray


class SharedFrames(NamedTuple):
    """
    The frames that two evaluations have both.

    Attributes
    ----------
    rows_a, rows_b : intp (N,)
        Where they are in each table, in the order of the first.
    is_guess : bool
        Whether they were not matched by recording and name, but by time and the end of the name.

    """

    rows_a: NDArray[np.intp]
    rows_b: NDArray[np.intp]
    is_guess: bool


def shared_frames(a: FrameTable, b: FrameTable) -> SharedFrames:
    """
    Find the frames that both have: by recording and name.

    If there are none, then those of one time of which one has a folder before the name of the
    other, where only one comes into question: an evaluation of several sources tells them apart
    so.
    """
    at_b = {key: row for row, key in enumerate(zip(b.recordings, b.names, strict=True))}
    keys_a = zip(a.recordings, a.names, strict=True)
    named = [(row, at_b[key]) for row, key in enumerate(keys_a) if key in at_b]
    rows_a, rows_b = np.array(named or _by_end_of_name(a, b), np.intp).reshape(-1, 2).T
    return SharedFrames(rows_a, rows_b, is_guess=not named)


def _by_end_of_name(a: FrameTable, b: FrameTable) -> list[tuple[int, int]]:
    at_b: dict[int | None, list[int]] = {}
    for row, stamp_ns in enumerate(b.stamps_ns):
        at_b.setdefault(stamp_ns, []).append(row)
    pairs = [
        (row_a, row_b)
        for row_a, stamp_ns in enumerate(a.stamps_ns)
        if stamp_ns is not None
        for row_b in at_b.get(stamp_ns, ())
        if _is_end(a.names[row_a], b.names[row_b]) or _is_end(b.names[row_b], a.names[row_a])
    ]
    of_a, of_b = (Counter(pair[side] for pair in pairs) for side in (0, 1))
    return [(row_a, row_b) for row_a, row_b in pairs if of_a[row_a] == of_b[row_b] == 1]


def _is_end(name: str, end: str) -> bool:
    return name.endswith(f'/{end}')
