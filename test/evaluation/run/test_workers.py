# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Processes that work beside the one that predicts: what goes in comes out, and nothing stays."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
import signal
import subprocess
import sys
import threading
import time

from clip_depth_ros.errors import ClipDepthError, DataError, OutputError
from clip_depth_ros.evaluation.run.team import Worker
import numpy as np
import pytest


class StrangeError(Exception):
    """An error that does not survive pickling."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f'{one} {other}')


def raised(*_: object) -> None:
    """Raise, as what opens its files when it is unpickled may do."""
    raise OutputError('what it needs is gone')


class Counter:
    """What a worker holds in these tests."""

    def __init__(self, start: int) -> None:
        self.count = start

    def __reduce__(self) -> tuple[object, ...]:
        """Go to another process, or fail on the way."""
        return (raised, (self.count,)) if self.count < 0 else (Counter, (self.count,))

    def add(self, number: int) -> int:
        """Give the sum so far."""
        self.count += number
        return self.count

    def echo(self, value: object) -> object:
        """Give back what came."""
        return value

    def fail(self) -> None:
        """Raise."""
        raise DataError('frame 3 is black')

    def fail_strangely(self) -> None:
        """Raise what cannot be sent."""
        raise StrangeError('one', 'other')

    def lock(self) -> object:
        """Give what cannot be sent."""
        return threading.Lock()

    def n_threads(self) -> int:
        """Give how many threads a dot product of many numbers has taken."""
        n_others = len(os.listdir('/proc/self/task')) - 1
        many = np.ones(1_000_000)
        assert many @ many == len(many)
        return len(os.listdir('/proc/self/task')) - n_others

    def die(self) -> None:
        """End as a process does that the operating system kills."""
        os.kill(os.getpid(), signal.SIGKILL)


def test_calls_are_done_in_their_order():
    with Worker(Counter, 10) as worker:
        sums = [worker.call('add', number) for number in (1, 2, 3)]
        assert [each.result() for each in sums] == [11, 13, 16]


def test_arrays_come_as_they_went_and_may_be_written_to():
    arrays = [
        np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((0, 4)), np.eye(3)[:, ::2],
        np.random.default_rng(0).integers(0, 255, (300, 500, 3), np.uint8),
    ]
    with Worker(Counter, 0) as worker:
        echoes = worker.call('echo', arrays).result()
    for array, echo in zip(arrays, echoes, strict=True):
        np.testing.assert_array_equal(echo, array)
        assert (echo.dtype, echo.flags.writeable) == (array.dtype, True)


def test_an_error_comes_back_with_where_it_was():
    with Worker(Counter, 0) as worker, pytest.raises(DataError, match='is black') as caught:
        worker.call('fail').result()
    assert 'in fail' in str(caught.value.__cause__)


def test_an_error_that_cannot_be_sent_is_told():
    with Worker(Counter, 0) as worker, pytest.raises(RuntimeError, match='Error: one other'):
        worker.call('fail_strangely').result()


def test_a_result_that_cannot_be_sent_is_told():
    with Worker(Counter, 0) as worker:
        with pytest.raises(TypeError, match='cannot pickle'):
            worker.call('lock').result()
        assert worker.call('add', 1).result() == 1


def test_an_object_that_cannot_be_made_is_told():
    with Worker(raised, 0) as worker, pytest.raises(OutputError, match='is gone') as caught:
        worker.call('add', 1).result()
    assert 'in raised' in str(caught.value.__cause__)


def test_what_cannot_be_read_on_the_other_side_is_told():
    with Worker(Counter, 0) as worker:
        with pytest.raises(OutputError, match='is gone'):
            worker.call('echo', Counter(-1)).result()
        assert worker.call('add', 1).result() == 1
    with Worker(Counter, Counter(-1)) as worker, pytest.raises(OutputError, match='is gone'):
        worker.call('add', 1).result()


def test_what_cannot_be_sent_to_a_worker_is_told():
    lock = threading.Lock()
    with Worker(Counter, lock) as worker, pytest.raises(TypeError, match='cannot pickle'):
        worker.call('add', 1).result()


def test_a_process_that_was_killed_is_told_with_what_to_do():
    with Worker(Counter, 0) as worker, pytest.raises(ClipDepthError, match='n_workers'):
        worker.call('die').result()


def test_no_process_stays():
    with Worker(Counter, 0):
        pass
    with pytest.raises(DataError), Worker(Counter, 0) as worker:
        worker.call('fail').result()
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(('wanted', 'n_threads'), [(None, 1), ('2', 2)])
def test_linear_algebra_takes_one_thread_of_a_worker_unless_the_user_wants_more(
    wanted: str | None, n_threads: int
):
    """Threads that spin while they wait for each other take the predictor's core."""
    code = (
        'import os\n'
        'import sys\n'
        f'sys.path.insert(0, {str(Path(__file__).parent)!r})\n'
        'from clip_depth_ros.evaluation.run.team import Worker\n'
        'from test_workers import Counter\n'
        "if __name__ == '__main__':\n"
        '    before = dict(os.environ)\n'
        '    with Worker(Counter, 0) as worker:\n'
        "        print(worker.call('n_threads').result())\n"
        '    assert os.environ == before\n'
    )
    environ = {name: value for name, value in os.environ.items() if '_NUM_THREADS' not in name}
    environ |= {'OPENBLAS_NUM_THREADS': wanted} if wanted else {}
    done = subprocess.run(
        [sys.executable, '-c', code], env=environ, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == min(n_threads, os.cpu_count() or 1)


def test_ctrl_c_is_for_the_first_process_to_answer():
    with Worker(Counter, 0) as worker:
        worker.call('add', 1).result()
        (process,) = multiprocessing.active_children()
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.05)
        assert worker.call('add', 1).result() == 2
