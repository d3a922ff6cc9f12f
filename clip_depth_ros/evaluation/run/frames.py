# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One frame: with every predictor's answer, and what is kept of it once it has been compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.results.result import Problem
from clip_depth_ros.evaluation.score.consistency import flicker, follows
from clip_depth_ros.evaluation.score.points import pinhole_of_truth
from clip_depth_ros.evaluation.score.prepare import squeezing, valid_gt
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.evaluation.score.score import FrameScore, score_frame
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import CameraUse, DepthMap

Answered = tuple[DepthSample, DepthMap]


class Scoring(NamedTuple):
    """
    How an answer becomes numbers; called in several processes at once.

    ``score`` compares an answer with its frame, or raises DataError; ``flicker`` compares two
    frames that follow each other, with their answers; ``follows`` says whether two frames do.
    """

    score: Callable[[DepthMap, DepthSample, EvaluationProtocol], FrameScore]
    flicker: Callable[[Answered, Answered, EvaluationProtocol], Mapping[str, float]]
    follows: Callable[[DepthSample, DepthSample], bool]


SCORING: Final = Scoring(score_frame, flicker, follows)

_NO_CLOUD: Final = (
    'clouds of points (points_m) are not compared where no pinhole camera is known: name the '
    'camera, if there is one'
)

UNANSWERED: Final = FrameScore({'coverage': 0.0})
"""Of an answer that is missing, or has no depth wherever truth counts: that must show."""


@dataclass(frozen=True, slots=True)
class AnsweredFrame:
    """
    A frame, by its number in the source, with what was answered for it by each predictor.

    There are errors in place of a frame that cannot be read, and of an answer that is missing.
    """

    index: int
    sample: DepthSample | DataError
    answers: Mapping[str, DepthMap | DataError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """
    What is known of one frame, by its number in the source, with what :class:`DepthSample` says.

    Scores are by predictor; those with a problem are left out, and named in the problems.
    ``image_size`` is its width and height, ``640x192``. ``cameras`` is what became of its camera,
    by predictor that has a score.
    """

    index: int
    name: str
    recording: str = ''
    stamp_ns: int | None = None
    scores: Mapping[str, FrameScore] = field(default_factory=dict)
    problems: Sequence[Problem] = ()
    notes: Mapping[str, int] = field(default_factory=dict)
    image_size: str = ''
    cameras: Mapping[str, CameraUse] = field(default_factory=dict)


def record_of(
    frame: AnsweredFrame,
    previous: AnsweredFrame | None,
    protocol: EvaluationProtocol,
    scoring: Scoring = SCORING,
) -> FrameRecord:
    """
    Compare all answers for a frame; what cannot be compared is a problem.

    The frame before it, if there is one, is for flicker.
    """
    sample = frame.sample
    if isinstance(sample, DataError):
        name = f'frame {frame.index}'
        return FrameRecord(frame.index, name, problems=[Problem(name, str(sample))])
    scores: dict[str, FrameScore] = {}
    failures: dict[str, str] = {}
    cameras: dict[str, CameraUse] = {}
    notes = dict(sample.notes)
    if protocol.points_m and pinhole_of_truth(sample) is None:
        notes[_NO_CLOUD] = 0
    for predictor, answer in frame.answers.items():
        try:
            if isinstance(answer, DataError):
                raise answer
            score = scoring.score(answer, sample, protocol)
        except DataError as error:
            failures[predictor] = str(error)
            if _has_truth(sample, protocol):
                scores[predictor] = UNANSWERED
            continue
        cameras[predictor] = answer.camera
        if squeezed := squeezing(Size(*answer.depth_m.shape), Size(*sample.target_m.shape)):
            notes[f'{predictor}: {squeezed}'] = 0
        more = _flicker(predictor, previous, (sample, answer), protocol, scoring)
        scores[predictor] = FrameScore({**score.values, **more}, score.sums)
    return FrameRecord(
        frame.index, sample.name, sample.recording, sample.stamp_ns, scores,
        _problems(sample.name, failures, len(frame.answers)), notes,
        Size(*sample.rgb.shape[:2]).text, cameras,
    )


def _has_truth(sample: DepthSample, protocol: EvaluationProtocol) -> bool:
    """Return whether any truth of a frame counts."""
    try:
        return bool(valid_gt(sample.target_m, protocol).any())
    except DataError:  # a crop that does not fit
        return False


def _flicker(
    predictor: str,
    previous: AnsweredFrame | None,
    current: Answered,
    protocol: EvaluationProtocol,
    scoring: Scoring,
) -> Mapping[str, float]:
    """Compare a frame with the one before it, if it follows that and both are answered."""
    if previous is None or isinstance(previous.sample, DataError):
        return {}
    answer = previous.answers.get(predictor)
    if not isinstance(answer, DepthMap) or not scoring.follows(previous.sample, current[0]):
        return {}
    with suppress(DataError):  # of the frame before, which is named there
        return scoring.flicker((previous.sample, answer), current, protocol)
    return {}


def _problems(name: str, failures: Mapping[str, str], n_predictors: int) -> list[Problem]:
    """Return what failed: the frame alone, if the reason is the same for all predictors."""
    reasons = {*failures.values()}
    if len(failures) == n_predictors > 1 and len(reasons) == 1:
        return [Problem(name, *reasons)]
    return [Problem(f'{name}, {predictor}', why) for predictor, why in failures.items()]
