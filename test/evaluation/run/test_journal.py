# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The journal: what was written is there, once, whoever is killed when."""

from __future__ import annotations

import json
import math
from pathlib import Path

from clip_depth_ros.errors import OutputError
from clip_depth_ros.evaluation.results.result import Problem
from clip_depth_ros.evaluation.run.frames import FrameRecord
from clip_depth_ros.evaluation.run.journal import (
    forget_journal,
    from_line,
    Journal,
    JournalWatch,
    read_journals,
    to_line,
)
from clip_depth_ros.evaluation.run.team import Shard
from clip_depth_ros.evaluation.score.score import FrameScore
from hypothesis import given, strategies as st
import numpy as np
import pytest

SAME = {'protocol': {'name': 'plain', 'depth_cap_m': 80.0}, 'batch_size': 8}
OTHER = {'protocol': {'name': 'plain', 'depth_cap_m': 50.0}, 'batch_size': 8}

numbers = st.floats(allow_nan=False, allow_infinity=False)


def record(index: int, value: float = 0.5) -> FrameRecord:
    return FrameRecord(index, f'frame {index}', scores={'ours': FrameScore({'scale': value})})


def write(out_dir: Path, *indices: int, rank: int = 0, world_size: int = 1, value: float = 0.5):
    with Journal(out_dir, SAME, Shard(rank, world_size)) as journal:
        for index in indices:
            journal.add(record(index, value))


def written(out_dir: Path) -> list[int]:
    return [frame.index for frame in read_journals(out_dir, SAME)]


@given(st.text(), numbers, st.lists(numbers), st.none() | st.integers(0, 2**62))
def test_a_frame_reads_back_as_the_same(name, value, vector, stamp_ns):
    frame = FrameRecord(
        3, name, 'drive', stamp_ns, {'ours': FrameScore({name: value}, {'n': tuple(vector)})},
        [Problem(name, 'because')], {name: 7},
    )
    assert from_line(to_line(frame)) == frame


def test_what_is_no_number_is_null_and_reads_back_as_nan():
    line = to_line(FrameRecord(0, 'a', scores={
        'ours': FrameScore({'x': math.inf}, {'n': (np.float32(1), math.nan)})
    }))
    assert b'"x":null' in line
    assert b'"n":[1.0,null]' in line
    assert math.isnan(from_line(line).scores['ours'].values['x'])


def test_a_journal_has_one_line_on_what_it_is_of_and_one_for_each_frame(tmp_path):
    write(tmp_path, 0, 1)
    lines = (tmp_path / 'journal' / '0-of-1.jsonl').read_text().splitlines()
    assert json.loads(lines[0])['identity'] == SAME
    assert [json.loads(line)['index'] for line in lines[1:]] == [0, 1]


def test_a_frame_is_in_the_file_as_soon_as_it_was_added(tmp_path):
    with Journal(tmp_path, SAME) as journal:
        journal.add(record(4))
        assert written(tmp_path) == [4]


def test_going_on_knows_what_is_done_in_any_journal(tmp_path):
    write(tmp_path, 0, 1, rank=0, world_size=2)
    write(tmp_path, 6, 7, rank=1, world_size=2)
    with Journal(tmp_path, SAME) as journal:
        assert journal.done == {0, 1, 6, 7}


def test_wherever_a_line_was_cut_off_all_others_are_kept(tmp_path):
    write(tmp_path, 0, 1)
    path = tmp_path / 'journal' / '0-of-1.jsonl'
    whole, first = path.read_bytes(), len(path.read_bytes().rpartition(b'{"index":1')[0])
    for length in range(first, len(whole)):
        path.write_bytes(whole[:length])
        assert written(tmp_path) == [0]
    write(tmp_path, 1, 2)
    assert written(tmp_path) == [0, 1, 2]
    assert path.read_bytes().startswith(whole)


def test_what_a_loss_of_power_left_is_cut_away(tmp_path):
    write(tmp_path, 0)
    with (tmp_path / 'journal' / '0-of-1.jsonl').open('ab') as file:
        file.write(b'\0' * 30 + b'\n{"index":5}\n')
    write(tmp_path, 1)
    assert written(tmp_path) == [0, 1]


def test_frames_come_by_number_and_once_whoever_wrote_them(tmp_path):
    """The first journal by name wins."""
    write(tmp_path, 4, 1, 2, rank=1, world_size=2, value=0.25)
    write(tmp_path, 0, 2, 3)
    frames = [*read_journals(tmp_path, SAME)]
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert frames[2].scores['ours'].values == {'scale': 0.5}


def test_another_evaluation_is_refused_by_what_differs(tmp_path):
    write(tmp_path, 0)
    with pytest.raises(OutputError, match=r'protocol.depth_cap_m was 80.0, is 50.0.*--force'):
        Journal(tmp_path, OTHER)
    assert written(tmp_path) == [0]


def test_by_force_another_evaluation_is_removed(tmp_path):
    write(tmp_path, 0)
    write(tmp_path, 1, rank=1, world_size=2)
    with Journal(tmp_path, OTHER, force=True) as journal:
        assert journal.done == set()
    assert written(tmp_path) == []


def test_by_force_the_same_evaluation_goes_on(tmp_path):
    write(tmp_path, 0)
    with Journal(tmp_path, SAME, force=True) as journal:
        assert journal.done == {0}


def test_processes_that_start_together_by_force_leave_each_others_journals(tmp_path):
    """Each removes its own old one: that of another may be a new one by now."""
    write(tmp_path, 0, rank=0, world_size=2)
    write(tmp_path, 1, rank=1, world_size=2)
    with Journal(tmp_path, OTHER, Shard(0, 2), force=True) as first:
        first.add(record(5))
        with Journal(tmp_path, OTHER, Shard(1, 2), force=True) as second:
            assert second.done == {5}
    assert written(tmp_path) == []


def test_two_processes_do_not_write_one_journal(tmp_path):
    with Journal(tmp_path, SAME), pytest.raises(OutputError, match='another process is writing'):
        Journal(tmp_path, SAME)


@pytest.mark.parametrize('world_size', [1, 2])
def test_what_is_being_written_is_not_removed_by_force(tmp_path, world_size):
    with Journal(tmp_path, SAME) as running:
        with pytest.raises(OutputError, match='another process is writing'):
            Journal(tmp_path, OTHER, Shard(0, world_size), force=True)
        running.add(record(3))
    assert written(tmp_path) == [3]


def test_what_is_finished_is_forgotten(tmp_path):
    write(tmp_path, 0, rank=0, world_size=2)
    write(tmp_path, 1, rank=1, world_size=2)
    forget_journal(tmp_path)
    assert [*tmp_path.iterdir()] == []
    with Journal(tmp_path, SAME, force=True) as journal:
        assert journal.done == set()


def test_forgetting_what_is_not_there_is_nothing(tmp_path):
    forget_journal(tmp_path / 'nothing')
    assert [*tmp_path.iterdir()] == []


def test_forgetting_leaves_what_is_no_journal(tmp_path):
    write(tmp_path, 0)
    (tmp_path / 'journal' / 'notes.txt').touch()
    (tmp_path / 'journal' / '.0-of-1.jsonl.01234567.tmp').touch()
    forget_journal(tmp_path)
    assert [path.name for path in (tmp_path / 'journal').iterdir()] == ['notes.txt']


@pytest.mark.parametrize('left', [b'', b'\0' * 4096])
def test_a_journal_that_a_loss_of_power_left_empty_is_started_afresh(tmp_path, left):
    write(tmp_path, 0)
    (tmp_path / 'journal' / '0-of-1.jsonl').write_bytes(left)
    assert written(tmp_path) == []
    assert JournalWatch(tmp_path, SAME).look() == set()
    write(tmp_path, 1)
    assert written(tmp_path) == [1]


def test_other_files_are_no_journals(tmp_path):
    (tmp_path / 'journal').mkdir()
    (tmp_path / 'journal' / '0-of-1.jsonl').write_text('{"format": "something else"}\n')
    with pytest.raises(OutputError, match='not a journal of this version'):
        Journal(tmp_path, SAME, force=True)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(OutputError, match='cannot write'):
        Journal(tmp_path / 'file', SAME)


def test_a_watch_sees_frames_of_all_journals_as_they_come(tmp_path):
    watch = JournalWatch(tmp_path, SAME)
    assert watch.look() == set()
    write(tmp_path, 0, rank=0, world_size=2)
    assert watch.look() == {0}
    write(tmp_path, 1, rank=0, world_size=2)
    write(tmp_path, 5, rank=1, world_size=2)
    assert watch.look() == {0, 1, 5}


def test_a_watch_does_not_count_another_evaluation(tmp_path):
    write(tmp_path, 0)
    assert JournalWatch(tmp_path, OTHER).look() == set()
