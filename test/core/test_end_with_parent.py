# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Processes end with the one that started them, even if that is killed: real ones, kill -9."""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import pytest
from small_training import started

TEST_DIR = Path(__file__).parents[1]

TEAM = """
import sys
from clip_depth_ros.evaluation.run.team import Worker

class Sleeper:
    def sleep(self):
        time.sleep(600)

class Pid:
    def get(self):
        return os.getpid()

if __name__ == '__main__':
    workers = [Worker(Pid), Worker(Sleeper)]
    workers[1].call('sleep')
    ready(workers[0].call('get').result())
"""

POOL = """
from concurrent.futures import ProcessPoolExecutor
import multiprocessing
from clip_depth_ros.core.files import end_with_parent

if __name__ == '__main__':
    context = multiprocessing.get_context('spawn')
    pool = ProcessPoolExecutor(1, context, initializer=end_with_parent)
    pid = pool.submit(os.getpid).result()
    pool.submit(time.sleep, 600)
    ready(pid)
"""

DEMO = """
from pathlib import Path
from clip_depth_ros.demo.processes import LoggedProcess

if __name__ == '__main__':
    child = LoggedProcess(
        'server', ['http.server', '--bind', '127.0.0.1', '0'], Path('log.txt'), os.environ
    )
    while 'Serving' not in child.tail():
        child.check_alive()
        time.sleep(0.02)
    ready(child._process.pid)
"""

READY = """
import os, time

def ready(pid):
    print(pid, flush=True)
    time.sleep(600)
"""


def descendants(pid: int) -> set[int]:
    """Return the processes below a process: their numbers, but for those that are dead."""
    parents: dict[int, int] = {}
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            state, parent = (folder / 'stat').read_text().rpartition(')')[2].split()[:2]
        except OSError:
            continue
        if state != 'Z':
            parents[int(folder.name)] = int(parent)
    found: set[int] = set()
    below = {pid}
    while below := {child for child, parent in parents.items() if parent in below} - found:
        found |= below
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def wait_until(is_so: Callable[[], bool], timeout_s: float = 60.0) -> None:
    until = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def all_end_with(process: subprocess.Popen[bytes]) -> None:
    below = descendants(process.pid)
    assert below
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    try:
        wait_until(lambda: not any(map(is_alive, below)))
    finally:
        for pid in filter(is_alive, below):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='reads /proc')
class TestKilled:
    """Nothing is left behind of ..."""

    @pytest.mark.parametrize('script', [TEAM, POOL, DEMO], ids=['evaluate', 'render', 'demo'])
    def test_a_process_with_workers_at_work(self, script: str, tmp_path: Path):
        path = tmp_path / 'parent.py'
        path.write_text(READY + script)
        environment = {**os.environ, 'PYTHONPATH': str(TEST_DIR.parent)}
        with subprocess.Popen(
            [sys.executable, str(path)], stdout=subprocess.PIPE, cwd=tmp_path, env=environment
        ) as process:
            assert process.stdout
            assert int(process.stdout.readline()) in descendants(process.pid)
            all_end_with(process)

    def test_a_training_that_loads_frames(self, tmp_path: Path):
        with started(tmp_path / 'run', n_workers=2, steps=100_000) as process:
            # The server of processes, what tracks their memory, and two that load.
            wait_until(lambda: len(descendants(process.pid)) >= 4)
            all_end_with(process)


def test_an_end_by_itself_takes_its_children_along_too(tmp_path: Path):
    path = tmp_path / 'parent.py'
    path.write_text(READY + DEMO.replace('ready(child._process.pid)', 'print(child._process.pid)'))
    environment = {**os.environ, 'PYTHONPATH': str(TEST_DIR.parent)}
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, check=True, cwd=tmp_path,
        env=environment,
    )
    wait_until(lambda: not is_alive(int(done.stdout)))
