# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One evaluation at a time writes into a folder."""

from __future__ import annotations

from pathlib import Path
import signal
import subprocess
import sys

from clip_depth_ros.errors import OutputError
from clip_depth_ros.evaluation.run.folder import run_lock
import pytest

HOLDS = """
import sys, time
from clip_depth_ros.evaluation.run.folder import run_lock
with run_lock(sys.argv[1], 0):
    print('held', flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_refused_by_the_name_of_the_folder(tmp_path):
    with run_lock(tmp_path, 0), pytest.raises(OutputError, match=str(tmp_path)):
        run_lock(tmp_path, 0).__enter__()


def test_a_folder_that_is_not_there_yet_is_made(tmp_path):
    with run_lock(tmp_path / 'new' / 'out', 0):
        assert (tmp_path / 'new' / 'out').is_dir()


def test_processes_that_share_the_work_do_not_lock_each_other_out(tmp_path):
    with run_lock(tmp_path, 0), run_lock(tmp_path, 1):
        pass


def test_one_run_after_the_other_is_fine_and_nothing_stays(tmp_path):
    for _ in range(2):
        with run_lock(tmp_path, 0):
            pass
    with pytest.raises(ZeroDivisionError), run_lock(tmp_path, 0):
        raise ZeroDivisionError
    with run_lock(tmp_path, 0):
        pass
    assert [*tmp_path.iterdir()] == []


def test_a_lock_ends_with_its_process_however_that_ends(tmp_path):
    process = subprocess.Popen(
        [sys.executable, '-c', HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[3],
    )
    with process:
        assert process.stdout.readline() == 'held\n'
        with pytest.raises(OutputError, match='another process'):
            run_lock(tmp_path, 0).__enter__()
        process.send_signal(signal.SIGKILL)
    with run_lock(tmp_path, 0):
        pass


def test_a_lock_that_was_let_go_of_while_it_was_opened_is_not_taken_for_one(tmp_path, monkeypatch):
    """The file is removed with the lock: who has opened it before must look again."""
    first = run_lock(tmp_path, 0)
    first.__enter__()
    from clip_depth_ros.evaluation.run import journal as module

    flock = module.fcntl.flock

    def let_go_before(*arguments):
        monkeypatch.setattr(module.fcntl, 'flock', flock)
        first.__exit__(None, None, None)
        flock(*arguments)

    monkeypatch.setattr(module.fcntl, 'flock', let_go_before)
    with run_lock(tmp_path, 0), pytest.raises(OutputError, match='another process'):
        run_lock(tmp_path, 0).__enter__()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(OutputError, match='cannot write'):
        run_lock(tmp_path / 'file', 0).__enter__()
