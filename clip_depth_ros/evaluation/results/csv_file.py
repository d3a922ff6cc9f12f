# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every frame's numbers as CSV: one line for each frame and predictor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
import csv
import io
import math
from typing import Final

from clip_depth_ros.evaluation.results.result import FrameTable, Result

_COLUMNS: Final = ('index', 'recording', 'name', 'stamp_ns', 'predictor')


def frames_csv(result: Result) -> Iterator[str]:
    """
    Give the lines of a CSV file, each with its end.

    The first is a comment with the protocol, the second names the columns: which frame, whose
    answer, then every value that any predictor has. What is not known is empty.
    """
    yield f'# {" ".join(result.title.split())}\n'
    frames = result.frames
    names = list(dict.fromkeys(name for values in frames.values.values() for name in values))
    yield _line([*_COLUMNS, *names])
    for place in range(len(frames.names)):
        for predictor, values in frames.values.items():
            numbers = (_number(values, name, place) for name in names)
            yield _line([*_frame(frames, place), predictor, *numbers])


def _frame(frames: FrameTable, place: int) -> list[str]:
    stamp_ns = frames.stamps_ns[place]
    return [
        str(frames.indices[place]),
        frames.recordings[place],
        frames.names[place],
        '' if stamp_ns is None else str(stamp_ns),
    ]


def _number(values: Mapping[str, Sequence[float]], name: str, place: int) -> str:
    value = values[name][place] if name in values else math.nan
    return '' if math.isnan(value) else repr(float(value))


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerow(cells)
    return text.getvalue()
