# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Processes that read the frames of an evaluation and compare what is answered for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from typing import NamedTuple

from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.run.answered_frame import AnsweredFrame
from clip_depth_ros.evaluation.run.frame_record import FrameRecord, to_line
from clip_depth_ros.evaluation.run.workers import Worker
from clip_depth_ros.sources.samples import DepthSample, SampleSource
from clip_depth_ros.types import DepthMap

Compare = Callable[[AnsweredFrame, AnsweredFrame | None], FrameRecord]
"""Makes of a frame, and the one before it, what is written down."""

Answer = Mapping[str, DepthMap | DataError]
"""Of one frame, by predictor."""

Line = tuple[int, bytes]
"""The number of a frame, and what is written down of it."""


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


class FrameTeam:
    """
    Worker processes, each with its own copy of the source; a context manager.

    Batches go to them in turn. Each reads two ahead, and keeps frames until they are compared.

    Parameters
    ----------
    source : SampleSource
        The frames.
    compare : callable
        What is done with an answered frame.
    n_workers : int
        Processes.

    """

    def __init__(self, source: SampleSource, compare: Compare, n_workers: int) -> None:
        self._source, self._compare, self._n_workers = source, compare, n_workers
        self._workers: list[Worker] = []
        self._stack = ExitStack()

    def __enter__(self) -> FrameTeam:
        with ExitStack() as stack:
            self._workers = [
                stack.enter_context(Worker(_FrameWork, self._source, self._compare))
                for _ in range(self._n_workers)
            ]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.__exit__(*raised)  # type: ignore[arg-type]

    def read(self, steps: Sequence[Step]) -> Iterator[list[DepthSample | DataError]]:
        """Give the frames of each step, before and batch; errors for what cannot be read."""
        n_ahead = 2 * self._n_workers
        reading: list[Future[list[DepthSample | DataError]]] = []
        for number in range(len(steps)):
            for ahead in range(number + len(reading), min(number + n_ahead, len(steps))):
                reading.append(self._worker(ahead).call('read', steps[ahead]))
            yield reading.pop(0).result()

    def compare(
        self,
        number: int,
        answers: Sequence[Answer],
        previous: AnsweredFrame | None,
        wanted: Collection[int],
    ) -> Future[list[Line]]:
        """
        Have the batch of a step compared.

        Parameters
        ----------
        number : int
            Of the step.
        answers : sequence of mapping
            For each frame of the batch.
        previous : AnsweredFrame, optional
            The frame before the batch.
        wanted : collection of int
            Numbers of the frames that are to be compared.

        """
        return self._worker(number).call('compare', answers, previous, wanted)

    def _worker(self, number: int) -> Worker:
        return self._workers[number % self._n_workers]


class _FrameWork:
    """What is done in a worker process."""

    def __init__(self, source: SampleSource, compare: Compare) -> None:
        self._source, self._compare = source, compare
        self._kept: list[list[AnsweredFrame]] = []

    def read(self, step: Step) -> list[DepthSample | DataError]:
        """Read the frames of a step and keep those of the batch."""
        self._kept.append([AnsweredFrame(index, self._read(index)) for index in step.batch])
        return [
            *(self._read(index) for index in step.before),
            *(frame.sample for frame in self._kept[-1]),
        ]

    def compare(
        self, answers: Sequence[Answer], previous: AnsweredFrame | None, wanted: Collection[int]
    ) -> list[Line]:
        """Compare the batch that was read first of those that are kept."""
        lines: list[Line] = []
        for frame, answer in zip(self._kept.pop(0), answers, strict=True):
            answered = replace(frame, answers=answer)
            if frame.index in wanted:
                lines.append((frame.index, to_line(self._compare(answered, previous))))
            previous = answered
        return lines

    def _read(self, index: int) -> DepthSample | DataError:
        try:
            return self._source[index]
        except DataError as error:
            return error
