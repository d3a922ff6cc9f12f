# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The worker takes the newest item, drops what it overtakes, and ends when asked; tidily."""

from __future__ import annotations

import threading

from clip_depth_ros.ros.node.worker import LatestWorker
import pytest

TIMEOUT_S = 10.0


def nothing() -> None:
    """Do nothing at the end."""


class Gated:
    """Work that waits at a gate, so that a test decides what happens meanwhile."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)
        self.done: list[int] = []

    def __call__(self, item: int) -> None:
        self.begun.release()
        assert self.gate.acquire(timeout=TIMEOUT_S)
        self.done.append(item)


def test_the_newest_item_is_worked_on_and_the_overtaken_one_is_reported():
    work = Gated()
    worker = LatestWorker(at_end=nothing, job=work)
    worker.start()
    assert worker.submit('job', 1) is False
    assert work.begun.acquire(timeout=TIMEOUT_S)
    assert worker.submit('job', 2) is False
    assert worker.submit('job', 3) is True
    work.gate.release(2)
    assert work.begun.acquire(timeout=TIMEOUT_S)
    worker_done = threading.Event()
    while len(work.done) < 2:
        worker_done.wait(0.005)
    assert work.done == [1, 3]
    worker.stop()
    assert worker.join(TIMEOUT_S)


def test_stopping_discards_what_waits_and_lets_the_item_in_hand_finish():
    work = Gated()
    worker = LatestWorker(at_end=nothing, job=work)
    worker.start()
    worker.submit('job', 1)
    assert work.begun.acquire(timeout=TIMEOUT_S)
    worker.submit('job', 2)
    assert worker.discard('job') is True
    worker.stop()
    assert worker.join(0.01) is False
    work.gate.release(2)
    assert worker.join(TIMEOUT_S) is True
    assert work.done == [1]


def test_an_idle_worker_stops_at_once():
    worker = LatestWorker(at_end=nothing, job=lambda item: None)
    worker.start()
    assert worker.discard('job') is False
    worker.stop()
    assert worker.join(TIMEOUT_S)


def test_the_more_urgent_kind_goes_first_and_each_kind_keeps_its_newest():
    work = Gated()
    done: list[str] = []
    worker = LatestWorker(at_end=nothing, urgent=lambda text: done.append(text), job=work)
    worker.start()
    worker.submit('job', 1)
    assert work.begun.acquire(timeout=TIMEOUT_S)
    worker.submit('job', 2)
    assert worker.submit('urgent', 'a') is False
    assert worker.submit('urgent', 'b') is True
    work.gate.release(1)
    assert work.begun.acquire(timeout=TIMEOUT_S)  # the second job
    assert done == ['b']
    work.gate.release(1)
    worker.stop()
    assert worker.join(TIMEOUT_S)


def test_each_has_its_own_newest_job_and_who_was_served_longest_ago_goes_first():
    work = Gated()
    worker = LatestWorker(at_end=nothing, job=work)
    worker.start()
    worker.submit('job', 10, 'a')
    assert work.begun.acquire(timeout=TIMEOUT_S)
    assert worker.submit('job', 11, 'a') is False
    assert worker.submit('job', 20, 'b') is False
    assert worker.submit('job', 12, 'a') is True
    assert worker.submit('job', 30, 'c') is False
    assert worker.discard('job', 'c') is True
    for _ in range(2):
        work.gate.release(1)
        assert work.begun.acquire(timeout=TIMEOUT_S)
    worker.submit('job', 21, 'b')
    worker.submit('job', 13, 'a')
    worker.submit('job', 31, 'c')
    work.gate.release(4)
    for _ in range(3):
        assert work.begun.acquire(timeout=TIMEOUT_S)
    worker.stop()
    assert worker.join(TIMEOUT_S)
    assert work.done == [10, 20, 12, 31, 21, 13]


def test_what_waits_when_the_worker_is_stopped_is_not_done():
    work = Gated()
    worker = LatestWorker(at_end=nothing, job=work)
    worker.start()
    worker.submit('job', 1)
    assert work.begun.acquire(timeout=TIMEOUT_S)
    worker.submit('job', 2)
    worker.stop()
    work.gate.release(2)
    assert worker.join(TIMEOUT_S)
    assert work.done == [1]


@pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')
@pytest.mark.parametrize('fails', [False, True])
def test_the_last_thing_that_the_thread_does_is_to_tidy_up(fails: bool):
    done: list[str] = []

    def work(item: int) -> None:
        done.append('job')
        assert not fails, 'a bug'

    worker = LatestWorker(at_end=lambda: done.append('end'), job=work)
    worker.start()
    worker.submit('job', 1)
    while not done:
        threading.Event().wait(0.005)
    worker.stop()
    assert worker.join(TIMEOUT_S)
    assert done == ['job', 'end']
