# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The evaluation itself: frames are read, answered, compared and written down, many at a time.

Threads read frames ahead and compare answers; the calling thread asks the predictors and writes
the journal. Nothing of a frame is kept once it is written, but its number.

Batches are the same whatever was done before and whoever does them: batch k is frames k B to
k B + B - 1, always answered wholly, so that numbers do not depend on interruptions or on the
number of processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, ExitStack
from dataclasses import replace
from functools import partial
from itertools import islice
import os
from typing import Any, NamedTuple

from clip_depth_ros.data.samples import DepthSample, SampleSource
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.answered_frame import AnsweredFrame, record_of, SCORING, Scoring
from clip_depth_ros.evaluation.answers import Answers
from clip_depth_ros.evaluation.frame_record import FrameRecord
from clip_depth_ros.evaluation.journal import Journal
from clip_depth_ros.evaluation.protocol import EvaluationProtocol
from clip_depth_ros.evaluation.reading import read_frames, worker_threads
from clip_depth_ros.evaluation.shards import Shard


class Step(NamedTuple):
    """
    One batch.

    Attributes
    ----------
    before : range
        Frames of the batch before, if it was not answered just now: flicker needs the last one.
    batch : range
        The frames.

    """

    before: range
    batch: range


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
        The frames; is pickled for the threads that read.
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
        Threads that read, and as many that compare.
    rank, world_size : int
        Which of how many processes this is.
    force : bool
        Remove another evaluation that is in the folder.
    scoring : Scoring
        How answers are compared; tests bring their own.
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
        indices = (index for step in steps for frames in step for index in frames)
        samples = stack.enter_context(closing(read_frames(
            source, indices, n_workers=n_workers, n_ahead=2 * batch_size + n_workers
        )))
        recorder = _Recorder(
            journal,
            stack.enter_context(worker_threads(n_workers, 'compare')),
            partial(record_of, protocol=protocol, scoring=scoring),
            at_once=batch_size + n_workers,
            progress=_Progress(on_progress, journal.done, frames_of(n_frames, batch_size, part)),
        )
        for batch in _answered_batches(steps, samples, answers, scoring):
            for previous, frame in batch:
                if frame.index not in journal.done:
                    recorder.add(frame, previous)
            recorder.write(wait=False)
        recorder.write(wait=True)


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


class _Progress:
    """Counts frames of a part."""

    def __init__(
        self, on_progress: Callable[[int, int], None], done: Collection[int], frames: range
    ) -> None:
        self._on_progress, self._n_frames = on_progress, len(frames)
        self._n_done = sum(index in done for index in frames)
        on_progress(self._n_done, self._n_frames)

    def add_one(self) -> None:
        """Tell that one more is done."""
        self._n_done += 1
        self._on_progress(self._n_done, self._n_frames)


class _Recorder:
    """Has frames compared in threads and writes them down in their order."""

    def __init__(
        self,
        journal: Journal,
        pool: ThreadPoolExecutor,
        compare: Callable[[AnsweredFrame, AnsweredFrame | None], FrameRecord],
        *,
        at_once: int,
        progress: _Progress,
    ) -> None:
        self._journal, self._pool, self._compare = journal, pool, compare
        self._at_once, self._progress = at_once, progress
        self._pending: deque[Future[FrameRecord]] = deque()
        self._syncing: Future[None] | None = None

    def add(self, frame: AnsweredFrame, previous: AnsweredFrame | None) -> None:
        """Have a frame compared; waits while too many are."""
        self._pending.append(self._pool.submit(self._compare, frame, previous))
        while len(self._pending) > self._at_once:
            self._write_next()

    def write(self, *, wait: bool) -> None:
        """Write down what has been compared, up to the first that has not, or all."""
        while self._pending and (wait or self._pending[0].done()):
            self._write_next()
        if self._syncing:
            self._syncing.result()
        # In a thread: a slow disk must not keep predictors waiting.
        self._syncing = self._pool.submit(self._journal.sync)
        if wait:
            self._syncing.result()

    def _write_next(self) -> None:
        self._journal.add(self._pending.popleft().result())
        self._progress.add_one()


def _answered_batches(
    steps: Sequence[Step],
    samples: Iterator[DepthSample | DataError],
    answers: Mapping[str, Answers],
    scoring: Scoring,
) -> Iterator[list[tuple[AnsweredFrame | None, AnsweredFrame]]]:
    """Give the frames of each batch with their answers, each behind the frame before it."""
    last: AnsweredFrame | None = None
    for step in steps:
        before, batch = (_read(frames, samples) for frames in step)
        if before:
            last = _context(before, batch[0], answers, scoring)
        answered = _answered(batch, answers)
        yield [*zip([last, *answered], answered, strict=False)]
        last = answered[-1]


def _n_batches(n_frames: int, batch_size: int) -> int:
    return -(-n_frames // batch_size)


def _batch(number: int, n_frames: int, batch_size: int) -> range:
    return range(number * batch_size, min((number + 1) * batch_size, n_frames))


def _read(indices: range, samples: Iterator[DepthSample | DataError]) -> list[AnsweredFrame]:
    """Take the next frames."""
    return [
        AnsweredFrame(index, sample)
        for index, sample in zip(indices, islice(samples, len(indices)), strict=True)
    ]


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
