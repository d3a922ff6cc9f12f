# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which frames of two results are the same."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from clip_depth_ros.evaluation.results.result import FrameTable
import numpy as np
from numpy.typing import NDArray


class SharedFrames(NamedTuple):
    """
    The rows, int (N,), of frames that two tables have both, in the order of the first.

    They are a guess if they were matched by time and the end of the name.
    """

    rows_a: NDArray[np.intp]
    rows_b: NDArray[np.intp]
    is_guess: bool


def shared_frames(frames_a: FrameTable, frames_b: FrameTable) -> SharedFrames | None:
    """
    Find the frames that both tables have, by recording and name; None if there are none.

    If there are none, then those of one time of which one has a folder before the name of the
    other, where only one comes into question: an evaluation of several sources tells them apart
    so.
    """
    at_b = {
        key: row for row, key in enumerate(zip(frames_b.recordings, frames_b.names, strict=True))
    }
    keys_a = zip(frames_a.recordings, frames_a.names, strict=True)
    named = [(row, at_b[key]) for row, key in enumerate(keys_a) if key in at_b]
    pairs = named or _by_end_of_name(frames_a, frames_b)
    if not pairs:
        return None
    rows_a, rows_b = np.array(pairs, np.intp).T
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


def examples(frames: FrameTable) -> str:
    """Return what the first frame is called, for error texts."""
    names = [*map(' '.join, zip(frames.recordings, frames.names, strict=True))]
    return repr(names[0].strip()) + (', ...' if len(names) > 1 else '') if names else 'no frame'
