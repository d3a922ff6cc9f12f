# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of one frame, as a line of JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import json
from typing import Any

from clip_depth_ros.evaluation.results.files import float_or_nan, plain
from clip_depth_ros.evaluation.results.result import Problem
from clip_depth_ros.evaluation.score.score import FrameScore


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """
    What is known of one frame.

    Attributes
    ----------
    index : int
        Its number in the source.
    name, recording, stamp_ns
        As :class:`DepthSample` has them.
    scores : mapping of str to FrameScore
        By predictor; those with a problem are not there.
    problems : sequence of Problem
        What could not be used.

    """

    index: int
    name: str
    recording: str = ''
    stamp_ns: int | None = None
    scores: Mapping[str, FrameScore] = field(default_factory=dict)
    problems: Sequence[Problem] = ()


def to_line(record: FrameRecord) -> bytes:
    """Give a frame as a line of JSON."""
    return json_line({
        'index': record.index,
        'name': record.name,
        'recording': record.recording,
        'stamp_ns': record.stamp_ns,
        'scores': {
            predictor: {'values': score.values, 'sums': score.sums}
            for predictor, score in record.scores.items()
        },
        'problems': [[problem.what, problem.why] for problem in record.problems],
    })


def from_line(line: bytes) -> FrameRecord:
    """Give the frame of a line."""
    frame = json.loads(line)
    return FrameRecord(
        index=frame['index'],
        name=frame['name'],
        recording=frame['recording'],
        stamp_ns=frame['stamp_ns'],
        scores={
            predictor: FrameScore(
                {name: float_or_nan(value) for name, value in score['values'].items()},
                {name: tuple(map(float_or_nan, each)) for name, each in score['sums'].items()},
            )
            for predictor, score in frame['scores'].items()
        },
        problems=[Problem(what, why) for what, why in frame['problems']],
    )


def json_line(value: Any) -> bytes:
    """Give values as a line of JSON."""
    return json.dumps(plain(value), allow_nan=False, separators=(',', ':')).encode() + b'\n'
