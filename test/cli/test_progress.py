# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Progress: a bar on a terminal, lines in a file, nothing where it is soon done."""

from __future__ import annotations

import re

from clip_depth_ros.cli.progress import Lines, progress
import pytest


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now_s = [0.0]
    monkeypatch.setattr('time.monotonic', lambda: now_s[0])
    return now_s


def test_in_a_file_there_is_a_line_every_ten_seconds(
    clock: list[float], capsys: pytest.CaptureFixture[str]
):
    with progress('evaluate', total=100, unit='frame') as bar:
        for _ in range(25):
            clock[0] += 1
            bar.update(2)
    first, second, last = capsys.readouterr().err.splitlines()
    assert first == 'evaluate: 20/100 frames, 00:10, 00:40 left,  2.00frame/s'
    assert second == 'evaluate: 40/100 frames, 00:20, 00:30 left,  2.00frame/s'
    assert last.startswith('evaluate: 50/100')


def test_what_is_done_before_says_nothing_of_the_time_that_is_left(
    clock: list[float], capsys: pytest.CaptureFixture[str]
):
    bar = Lines('train', total=1000, unit='step')
    bar.initial = bar.n = 900
    bar.set_postfix({'loss': '1.5'})
    clock[0] += 10
    bar.update(10)
    assert capsys.readouterr().err == (
        'train: 910/1000 steps, 00:10, 01:30 left,  1.00step/s, loss=1.5\n'
    )


def test_a_camera_has_no_end(clock: list[float], capsys: pytest.CaptureFixture[str]):
    bar = progress('live', total=0, unit='image')
    clock[0] += 10
    bar.update(101)
    assert capsys.readouterr().err == 'live: 101 images, 00:10, 10.10image/s\n'


def test_what_takes_a_moment_leaves_no_line(capsys: pytest.CaptureFixture[str]):
    with progress('evaluate', total=3, unit='frame') as bar:
        bar.update(3)
    assert capsys.readouterr().err == ''


def test_of_several_processes_one_speaks(capsys: pytest.CaptureFixture[str]):
    with progress('evaluate', total=3, unit='frame', is_shown=False) as bar:
        bar.update(3)
    assert capsys.readouterr().err == ''


def test_on_a_terminal_there_is_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr('sys.stderr.isatty', lambda: True, raising=False)
    with progress('evaluate', total=3, unit='frame') as bar:
        bar.update(3)
    assert re.search(r'\revaluate: 100%', capsys.readouterr().err)
