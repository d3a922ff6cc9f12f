# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The batches of an evaluation, and the processes that read and compare their frames.

Processes, since threads would share Python's lock with the predictor, which takes it up again
after each of its operations: that cost it a sixth to a third of its speed. Arrays go through pipes
as they are, not through the pickle, and no shared memory is left behind if a process is killed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
import os
import pickle
import signal
import sys
import traceback
from typing import Any, Final, NamedTuple

from clip_depth_ros.core.files import end_with_parent
from clip_depth_ros.errors import ClipDepthError, ConfigError, DataError
from clip_depth_ros.evaluation.run.frames import AnsweredFrame, FrameRecord
from clip_depth_ros.sources.samples import DepthSample, SampleSource
from clip_depth_ros.types import DepthMap
import cv2

_READERS: Final = f'{SampleSource.__module__.rpartition(".")[0]}.'

_NICE: Final = 5
"""How far behind the predictor workers stand where both want the same core."""

_THREADS: Final = ('OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS')
"""What OpenBLAS reads of how many threads it may have."""

Compare = Callable[[AnsweredFrame, AnsweredFrame | None], FrameRecord]
"""Turns a frame, and the one before it, into what is kept."""

Answer = Mapping[str, DepthMap | DataError]
"""Of one frame, by predictor."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Which of how many processes that share an evaluation this is; ConfigError if of none."""

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
    The frames of one batch.

    And those of the batch before, if it was not answered just now: flicker needs the last one.
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
    With no workers, this process does the work, when it is asked for.
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
        Have the batch of a step compared, with the answers for each of its frames.

        ``previous`` is the frame before the batch, ``wanted`` are the numbers of the frames that
        are to be compared.
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


class Worker:
    """
    One process that holds an object and calls its methods; a context manager.

    Calls return at once; they are done one after the other, in their order. What builds the
    object, and the parts that it is given, go to the process pickled.
    """

    def __init__(self, build: Callable[..., object], *parts: object) -> None:
        # Not forked: this process has threads (of PyTorch, of OpenCV) that a fork would break.
        context = get_context('forkserver')
        context.set_forkserver_preload(_needed_by(parts))
        self._connection, there = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(there,), daemon=True, name='clip-depth worker'
        )
        with _one_thread_each():
            self._process.start()
        there.close()
        self._caller = ThreadPoolExecutor(1, 'caller')
        # Not as arguments of the process, which would end without a word if it cannot read them.
        self._built = self._caller.submit(self._ask, build, parts)

    def call(self, method: str, *arguments: object) -> Future[Any]:
        """
        Have a method called; what it raises, or the making of the object, the future raises.

        ClipDepthError, from the future, if the process has ended.
        """
        return self._caller.submit(self._call, method, arguments)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Let the process end; at once if there was an error."""
        if kind is None:
            self._caller.shutdown()
            self._connection.close()
        else:
            self._process.terminate()
            self._caller.shutdown(wait=False, cancel_futures=True)
        self._process.join()

    def _call(self, method: str, arguments: tuple[object, ...]) -> Any:
        self._built.result()  # is done: calls are in their order
        return self._ask(method, arguments)

    def _ask(self, what: str | Callable[..., object], arguments: tuple[object, ...]) -> Any:
        request = _packed((what, arguments))
        try:
            _send(self._connection, request)
            answer = _receive(self._connection)
        except (EOFError, OSError) as gone:
            raise ClipDepthError(
                'a process that reads and compares frames has ended: was it killed, is there too '
                'little memory? Fewer n_workers or a smaller batch_size need less; started '
                'again, the evaluation goes on from there'
            ) from gone
        reply, error, trace = _unpacked(answer)
        if error is not None:
            raise error from RuntimeError(f'in another process:\n{trace}')
        return reply


class NoWorker:
    """Holds an object in this process and calls its methods at once, as :class:`Worker` does."""

    def __init__(self, build: Callable[..., object], *parts: object) -> None:
        self._held = build(*parts)

    def call(self, method: str, *arguments: object) -> Future[Any]:
        """Call a method; what it raises, the future raises."""
        future: Future[Any] = Future()
        try:
            future.set_result(getattr(self._held, method)(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


def _needed_by(parts: Sequence[object]) -> list[str]:
    """
    Return what all workers would import, each anew, if their common parent had not.

    That is this module, those of the parts, and what reads frames so far in this process.
    """
    own = {__name__, *(type(part).__module__ for part in parts)}
    readers = {name for name in sys.modules if name.startswith(_READERS)}
    return sorted((own | readers) - {'__main__'})


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """
    Have processes that are started meanwhile do linear algebra in one thread each.

    The threads of NumPy's OpenBLAS spin while they wait for each other: with the predictor on the
    other of two cores, a frame took six times the processor time. It reads the variable when it is
    loaded, which the parent of all workers does once.
    """
    if any(os.environ.get(name) for name in _THREADS):
        yield
        return
    os.environ[_THREADS[0]] = '1'
    try:
        yield
    finally:
        del os.environ[_THREADS[0]]


def _serve(connection: Connection) -> None:
    """Make an object, then call its methods, until the other end of the pipe is closed."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the first process decides
    cv2.setNumThreads(0)
    os.nice(_NICE)
    held: object = None
    while True:
        try:
            request = _receive(connection)
        except EOFError:
            return
        try:
            what, arguments = _unpacked(request)
            if callable(what):
                held, reply = what(*arguments), None
            else:
                reply = getattr(held, what)(*arguments)
            packed = _packed((reply, None, ''))
        except Exception as error:
            packed = _packed((None, _sendable(error), traceback.format_exc()))
        _send(connection, packed)


def _sendable(error: Exception) -> Exception:
    """Return an error that survives pickling."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(''.join(traceback.format_exception(error)))
    return error


class _Packed(NamedTuple):
    """A value to be sent: pickled, but for its arrays."""

    head: bytes
    arrays: Sequence[memoryview | bytearray]


def _packed(value: object) -> _Packed:
    arrays: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=arrays.append)
    return _Packed(head, [array.raw() for array in arrays])


def _send(connection: Connection, packed: _Packed) -> None:
    """Send a value, its arrays as they are in memory."""
    connection.send((packed.head, [len(array) for array in packed.arrays]))
    for array in packed.arrays:
        connection.send_bytes(array)


def _receive(connection: Connection) -> _Packed:
    """Receive what :func:`_send` sent."""
    head, sizes = connection.recv()
    arrays = [bytearray(size) for size in sizes]
    for array in arrays:
        connection.recv_bytes_into(array)
    return _Packed(head, arrays)


def _unpacked(packed: _Packed) -> Any:
    """Return back the value; its arrays may be written to if they were received."""
    return pickle.loads(packed.head, buffers=packed.arrays)
