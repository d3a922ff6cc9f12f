# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The evaluation itself: frames are read, answered, compared and written down, many at a time.

Other processes read frames ahead and compare answers; this one asks the predictors and writes the
journal. Nothing of a frame is kept once it is written, but its number.

Batches are the same whatever was done before and whoever does them: batch k is frames k B to
k B + B - 1, always answered wholly, so that numbers do not depend on interruptions or on the
number of processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
import os
from typing import Any

from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.run.answered_frame import AnsweredFrame, record_of, SCORING, Scoring
from clip_depth_ros.evaluation.run.answers import Answers
from clip_depth_ros.evaluation.run.frame_team import FrameTeam, Line, Step
from clip_depth_ros.evaluation.run.journal import Journal
from clip_depth_ros.evaluation.run.shards import Shard
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.sources.samples import DepthSample, SampleSource


def evaluate_frames(
    source: SampleSource,
    answers: Mapping[str, Answers],
    protocol: EvaluationProtocol,
    *,
    out_dir: str | os.PathLike[str],
    identity: Mapping[str, Any],
    batch_size: int,
    n_workers: int,
    rank: int = 0,
    world_size: int = 1,
    force: bool = False,
    scoring: Scoring = SCORING,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """
    Fill the journal with this process's part of the frames, but for those that are there.

    Parameters
    ----------
    source : SampleSource
        The frames; is sent to other processes.
    answers : mapping of str to Answers
        Predictors by name; an answer may depend on its batch alone.
    protocol : EvaluationProtocol
        How answers are compared.
    out_dir : str or Path
        Folder of the evaluation.
    identity : mapping
        See :func:`identity_of`.
    batch_size : int
        Frames that predictors see at once.
    n_workers : int
        Processes that read and compare.
    rank, world_size : int
        Which of how many processes this is.
    force : bool
        Remove another evaluation that is in the folder.
    scoring : Scoring
        How answers are compared; tests bring their own, in modules that can be imported.
    on_progress : callable
        Gets the number of frames that are done and that of all, of this process's part.

    Raises
    ------
    OutputError
        If another evaluation is in the folder, or the journal cannot be written.

    Notes
    -----
    What DataError says of a frame or of an answer is a problem of that frame, and written down;
    all other errors end the evaluation.

    """
    n_frames, part = len(source), Shard(rank, world_size)
    with ExitStack() as stack:
        journal = stack.enter_context(
            Journal(out_dir, identity, rank=rank, world_size=world_size, force=force)
        )
        steps = plan(n_frames, batch_size, part, journal.done)
        team = stack.enter_context(FrameTeam(
            source, partial(record_of, protocol=protocol, scoring=scoring),
            min(n_workers, len(steps)),
        ))
        recorder = _Recorder(
            journal, frames_of(n_frames, batch_size, part), 2 * n_workers, on_progress
        )
        previous: AnsweredFrame | None = None
        for number, (step, samples) in enumerate(zip(steps, team.read(steps), strict=True)):
            before, batch = _frames(step, samples)
            if before:
                previous = _context(before, batch[0], answers, scoring)
            answered = _answered(batch, answers)
            missing = {*step.batch} - journal.done
            recorder.add(
                team.compare(number, [frame.answers for frame in answered], previous, missing)
            )
            previous = answered[-1]
        recorder.write(at_most_left=0)


def plan(n_frames: int, batch_size: int, part: Shard, done: Collection[int]) -> list[Step]:
    """Give the batches of a part that have a frame that is not done, in their order."""
    steps: list[Step] = []
    for number in part.part_of(_n_batches(n_frames, batch_size)):
        batch = _batch(number, n_frames, batch_size)
        if all(index in done for index in batch):
            continue
        is_next = bool(steps) and steps[-1].batch.stop == batch.start
        skips = number > 0 and not is_next
        before = _batch(number - 1, n_frames, batch_size) if skips else range(0)
        steps.append(Step(before, batch))
    return steps


def frames_of(n_frames: int, batch_size: int, part: Shard) -> range:
    """Give the numbers of the frames of a part."""
    batches = part.part_of(_n_batches(n_frames, batch_size))
    return range(batches.start * batch_size, min(batches.stop * batch_size, n_frames))


class _Recorder:
    """Writes down batches in their order, when they have been compared."""

    def __init__(
        self,
        journal: Journal,
        frames: range,
        at_once: int,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self._journal, self._at_once, self._on_progress = journal, at_once, on_progress
        self._comparing: deque[Future[list[Line]]] = deque()
        self._n_frames = len(frames)
        self._n_done = sum(index in journal.done for index in frames)
        on_progress(self._n_done, self._n_frames)

    def add(self, lines: Future[list[Line]]) -> None:
        """Take a batch that is being compared; waits while too many are."""
        self._comparing.append(lines)
        self.write(at_most_left=self._at_once)

    def write(self, *, at_most_left: int) -> None:
        """Write down what has been compared, waiting for all but some."""
        while self._comparing and (
            self._comparing[0].done() or len(self._comparing) > at_most_left
        ):
            for index, line in self._comparing.popleft().result():
                self._journal.add_line(index, line)
                self._n_done += 1
                self._on_progress(self._n_done, self._n_frames)


def _n_batches(n_frames: int, batch_size: int) -> int:
    return -(-n_frames // batch_size)


def _batch(number: int, n_frames: int, batch_size: int) -> range:
    return range(number * batch_size, min((number + 1) * batch_size, n_frames))


def _frames(
    step: Step, samples: Sequence[DepthSample | DataError]
) -> tuple[list[AnsweredFrame], list[AnsweredFrame]]:
    """Give the frames before the batch, and those of the batch."""
    frames = [*map(AnsweredFrame, [*step.before, *step.batch], samples)]
    return frames[:len(step.before)], frames[len(step.before):]


def _context(
    before: Sequence[AnsweredFrame],
    first: AnsweredFrame,
    answers: Mapping[str, Answers],
    scoring: Scoring,
) -> AnsweredFrame:
    """Give the frame before the first of a batch, answered as in its own if that is needed."""
    last = before[-1]
    if isinstance(last.sample, DataError) or isinstance(first.sample, DataError):
        return last
    return _answered(before, answers)[-1] if scoring.follows(last.sample, first.sample) else last


def _answered(
    frames: Sequence[AnsweredFrame], answers: Mapping[str, Answers]
) -> list[AnsweredFrame]:
    """Ask every predictor for a batch, but for the frames that could not be read."""
    samples = [frame.sample for frame in frames if not isinstance(frame.sample, DataError)]
    if not samples:
        return [*frames]
    columns = [each.answer(samples) for each in answers.values()]
    rows = iter([*zip(samples, *columns, strict=True)])
    return [
        frame
        if isinstance(frame.sample, DataError)
        else replace(frame, answers=dict(zip(answers, next(rows)[1:], strict=True)))
        for frame in frames
    ]
