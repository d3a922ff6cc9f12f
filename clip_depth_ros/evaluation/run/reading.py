# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Frames of a source, read ahead in threads that each have their own copy of it.

For baselines that are fitted before the evaluation: there is no predictor yet that threads could
disturb (see :mod:`clip_depth_ros.evaluation.run.workers`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
import pickle
import threading

from clip_depth_ros.errors import DataError
from clip_depth_ros.sources.samples import DepthSample, SampleSource


@contextmanager
def worker_threads(n_workers: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Give threads to work in; what they have not begun is dropped when the body raises."""
    pool = ThreadPoolExecutor(n_workers, name)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C ends at once
        raise
    pool.shutdown()


def read_frames(
    source: SampleSource, indices: Iterable[int], *, n_workers: int, n_ahead: int
) -> Generator[DepthSample | DataError, None, None]:
    """
    Give frames in the order of ``indices``; for one that cannot be read, why.

    Parameters
    ----------
    source : SampleSource
        Is pickled: files are not read by two threads at once.
    indices : iterable of int
        Their numbers.
    n_workers : int
        Threads.
    n_ahead : int
        How many frames are read before they are asked for.

    """
    reader, left = _Reader(source), iter(indices)
    with worker_threads(n_workers, 'read') as pool:
        pending: deque[Future[DepthSample | DataError]] = deque(
            pool.submit(reader.read, index) for index in islice(left, n_ahead)
        )
        while pending:
            frame = pending.popleft().result()
            pending.extend(pool.submit(reader.read, index) for index in islice(left, 1))
            yield frame


class _Reader:
    """Reads frames in any thread."""

    def __init__(self, source: SampleSource) -> None:
        self._pickled = pickle.dumps(source)
        self._local = threading.local()

    def read(self, index: int) -> DepthSample | DataError:
        """Give a frame, or why it cannot be read."""
        if not hasattr(self._local, 'source'):
            self._local.source = pickle.loads(self._pickled)
        source: SampleSource = self._local.source
        try:
            return source[index]
        except DataError as error:
            return error
