# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The batches of an evaluation, and the processes that read and compare their frames."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import NamedTuple

from clip_depth_ros.errors import ConfigError, DataError
from clip_depth_ros.evaluation.run.frames import AnsweredFrame, FrameRecord
from clip_depth_ros.evaluation.run.workers import NoWorker, Worker
from clip_depth_ros.sources.samples import DepthSample, SampleSource
from clip_depth_ros.types import DepthMap

Compare = Callable[[AnsweredFrame, AnsweredFrame | None], FrameRecord]
"""Turns a frame, and the one before it, into what is kept."""

Answer = Mapping[str, DepthMap | DataError]
"""Of one frame, by predictor."""


@dataclass(frozen=True, slots=True)
class Shard:
    """
    Which of how many processes that share an evaluation this is.

    Raises
    ------
    ConfigError
        If there is no such process.

    """

    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world_size:
            raise ConfigError(
                f'RANK must be from 0 to WORLD_SIZE - 1, got RANK={self.rank}, '
                f'WORLD_SIZE={self.world_size}: start with torchrun, or set neither'
            )

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that puts the results together."""
        return self.rank == 0

    def part_of(self, n_batches: int) -> range:
        """
        Return the numbers of this process's batches.

        They are a part of all batches, whatever is done already: when an evaluation is resumed,
        processes that started at different times still agree on who does what.
        """
        first, end = (n_batches * rank // self.world_size for rank in (self.rank, self.rank + 1))
        return range(first, end)


ALL: Shard = Shard()
"""One process does everything."""


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


def plan(n_frames: int, batch_size: int, part: Shard, done: Collection[int]) -> list[Step]:
    """Return the batches of a part that have a frame that is not done, in their order."""
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
    """Return the numbers of the frames of a part."""
    batches = part.part_of(_n_batches(n_frames, batch_size))
    return range(batches.start * batch_size, min(batches.stop * batch_size, n_frames))


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
        Processes; with none, this process does the work, when it is asked for.

    """

    def __init__(self, source: SampleSource, compare: Compare, n_workers: int) -> None:
        self._source, self._compare, self._n_workers = source, compare, n_workers
        self._workers: list[Worker | NoWorker] = []
        self._stack = ExitStack()

    def __enter__(self) -> FrameTeam:
        work = (_FrameWork, self._source, self._compare)
        if not self._n_workers:
            self._workers = [NoWorker(*work)]
            return self
        with ExitStack() as stack:
            self._workers = [
                stack.enter_context(Worker(*work)) for _ in range(self._n_workers)
            ]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.__exit__(*raised)  # type: ignore[arg-type]

    def read(self, steps: Sequence[Step]) -> Iterator[list[DepthSample | DataError]]:
        """Yield the frames of each step, before and batch; errors for what cannot be read."""
        n_ahead = max(1, 2 * self._n_workers)
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
    ) -> Future[list[FrameRecord]]:
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

    def _worker(self, number: int) -> Worker | NoWorker:
        return self._workers[number % len(self._workers)]


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
    ) -> list[FrameRecord]:
        """Compare the batch that was read first of those that are kept."""
        records: list[FrameRecord] = []
        for frame, answer in zip(self._kept.pop(0), answers, strict=True):
            answered = replace(frame, answers=answer)
            if frame.index in wanted:
                records.append(self._compare(answered, previous))
            previous = answered
        return records

    def _read(self, index: int) -> DepthSample | DataError:
        try:
            return self._source[index]
        except DataError as error:
            return error


def _n_batches(n_frames: int, batch_size: int) -> int:
    return -(-n_frames // batch_size)


def _batch(number: int, n_frames: int, batch_size: int) -> range:
    return range(number * batch_size, min((number + 1) * batch_size, n_frames))
