# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A result as CSV: every frame's numbers, one line for each frame and predictor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import csv
import io
import math
from typing import Final

from clip_depth_ros.evaluation.results.camera_use import heading
from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.results.tables import one_line

_COLUMNS: Final = ('index', 'recording', 'name', 'stamp_ns', 'predictor')


def frames_csv(result: Result) -> Iterator[str]:
    """
    Yield the lines of a CSV file, each with its end.

    The first is a comment, the heading, the second names the columns: which frame, whose
    answer, then every value that any predictor has. What is not known is empty.
    """
    yield f'# {one_line(heading(result))}\n'
    frames = result.frames
    names = list(dict.fromkeys(name for values in frames.values.values() for name in values))
    yield _line([*_COLUMNS, *names])
    which = zip(
        frames.indices, frames.recordings, frames.names, frames.stamps_ns, strict=True
    )
    for place, frame in enumerate(which):
        for predictor, values in frames.values.items():
            numbers = (values[name][place] if name in values else math.nan for name in names)
            yield _line([
                *frame, predictor, *('' if math.isnan(each) else float(each) for each in numbers)
            ])


def _line(cells: Sequence[object]) -> str:
    """Return a line of CSV: floats as Python writes them, nothing for None."""
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerow(cells)
    return text.getvalue()
