# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The run of an evaluation: numbers do not know who computed them, when, or in how many goes."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
from pathlib import Path
import random
import subprocess
import sys
import threading
import time

from clip_depth_ros.errors import ConfigError, OutputError
from clip_depth_ros.evaluation.results.result import Problem, Result
from clip_depth_ros.evaluation.run.baselines import UniformRandom
from clip_depth_ros.evaluation.run.evaluate import evaluate as evaluate_in_memory, Evaluation
from clip_depth_ros.evaluation.run.folder import evaluate_in_folder, shard_from, wait_for_all
from clip_depth_ros.evaluation.run.frames import FrameRecord, SCORING as REAL_SCORING
from clip_depth_ros.evaluation.run.journal import Journal, to_line
from clip_depth_ros.evaluation.run.team import frames_of, plan, Shard, Step
from evaluation_run import evaluate, Film, IDENTITY, PLAIN, SCORING, SumOfBatch
from hypothesis import given, strategies as st
import pytest
from ramps import Ramps

EVERYTHING = Shard()


def values(records: list[FrameRecord], name: str = 'answer') -> list[float | None]:
    return [
        record.scores['sum'].values.get(name) if record.scores else None for record in records
    ]


def problems(records: list[FrameRecord]) -> list[Problem]:
    return [problem for record in records for problem in record.problems]


def forget(out_dir: Path, *indices: int) -> None:
    """Take frames out of the journals, as if a run had not come so far."""
    for path in (out_dir / 'journal').iterdir():
        lines = path.read_bytes().splitlines(keepends=True)
        gone = tuple(f'{{"index":{index},'.encode() for index in indices)
        path.write_bytes(b''.join(line for line in lines if not line.startswith(gone)))


def test_each_frame_is_answered_in_its_batch_and_written_down(tmp_path):
    records = evaluate(tmp_path, Film(10))
    assert [record.name for record in records] == [f'frame {i}' for i in range(10)]
    assert values(records) == [6.0] * 4 + [22.0] * 4 + [17.0] * 2
    assert [record.stamp_ns for record in records] == [100 * i for i in range(10)]


def test_each_frame_is_compared_with_the_one_before_it(tmp_path):
    assert values(evaluate(tmp_path, Film(10)), 'before') == [None, 6, 6, 6, 6, 22, 22, 22, 22, 17]


def test_frames_of_different_recordings_are_not_compared(tmp_path):
    before = values(evaluate(tmp_path, Film(8, per_recording=3)), 'before')
    assert [index for index, value in enumerate(before) if value is None] == [0, 3, 6]


@given(
    st.integers(0, 40), st.integers(1, 9), st.integers(1, 6), st.sets(st.integers(0, 40))
)
def test_every_frame_that_is_missing_is_in_one_part_and_planned_once(n, batch_size, world, done):
    parts = [Shard(rank, world) for rank in range(world)]
    steps = [step for part in parts for step in plan(n, batch_size, part, done)]
    planned = [index for step in steps for index in step.batch]
    assert sorted(planned) == [*dict.fromkeys(sorted(planned))]
    assert {*range(n)} - done <= {*planned}
    assert [i for part in parts for i in frames_of(n, batch_size, part)] == [*range(n)]


def test_a_batch_with_nothing_left_is_not_planned_and_the_next_one_sees_what_was_before_it():
    assert plan(10, 4, EVERYTHING, {0, 1, 2, 3, 5}) == [
        Step(range(0, 4), range(4, 8)), Step(range(0), range(8, 10))
    ]


@pytest.mark.parametrize('lost', [(9,), (4, 5), (0, 9), (3, 4, 8), tuple(range(10))])
def test_what_is_missing_is_added_and_nothing_else_changes(tmp_path, lost):
    whole = evaluate(tmp_path, Film(10))
    forget(tmp_path, *lost)
    assert evaluate(tmp_path, Film(10), n_workers=0) == whole


def test_what_is_there_is_not_computed_again(tmp_path):
    evaluate(tmp_path, Film(10))
    forget(tmp_path, 8)
    again = SumOfBatch()
    evaluate(tmp_path, Film(10), again)
    assert again.asked == [[f'frame {i}' for i in range(4, 8)], ['frame 8', 'frame 9']]


def test_the_batch_before_is_not_answered_again_where_nothing_follows_it(tmp_path):
    source, again = Film(10, per_recording=4), SumOfBatch()
    evaluate(tmp_path, source)
    forget(tmp_path, 8)
    evaluate(tmp_path, source, again)
    assert again.asked == [['frame 8', 'frame 9']]


@pytest.mark.parametrize('world_size', [2, 3, 5])
def test_several_processes_write_what_one_writes(tmp_path, world_size):
    whole = evaluate(tmp_path / 'one', Film(18))
    for rank in range(world_size):
        shared = evaluate(
            tmp_path / 'many', Film(18), rank=rank, world_size=world_size, n_workers=0
        )
    assert shared == whole


def test_it_goes_on_with_another_number_of_processes(tmp_path):
    whole = evaluate(tmp_path / 'one', Film(18))
    evaluate(tmp_path / 'many', Film(18), rank=1, world_size=3, n_workers=0)
    evaluate(tmp_path / 'many', Film(18), rank=0, world_size=2, n_workers=0)
    assert evaluate(tmp_path / 'many', Film(18)) == whole


def test_the_number_of_threads_does_not_matter(tmp_path):
    one = evaluate(tmp_path / 'one', Film(30), n_workers=1)
    assert evaluate(tmp_path / 'many', Film(30), n_workers=5) == one


class Stamped(Ramps):
    """Ramps that follow each other."""

    def __getitem__(self, index):
        """Give a frame with its time."""
        return dataclasses.replace(super().__getitem__(index), stamp_ns=10**8 * index)


def in_folder(out_dir: Path, source: Film, **changes) -> Result | None:
    evaluation = Evaluation(
        source=source, answers={'random': UniformRandom(1.0, 80.0, 0)}, protocol=PLAIN,
        batch_size=4,
    )
    return evaluate_in_folder(evaluation, out_dir, evaluation.identity(), **changes)


def test_frames_of_several_processes_give_the_result_that_one_gives(tmp_path):
    one = in_folder(tmp_path / 'one', Stamped(10))
    assert in_folder(tmp_path / 'two', Stamped(10), part=Shard(1, 2)) is None
    two = in_folder(tmp_path / 'two', Stamped(10), part=Shard(0, 2))
    assert repr(two) == repr(one)  # NaN is not equal to itself


def test_what_is_written_on_the_way_does_not_change_the_result(tmp_path):
    random = {'random': UniformRandom(1.0, 80.0, 0)}
    in_memory = evaluate_in_memory(Stamped(10), random, PLAIN, batch_size=4)
    in_workers = evaluate_in_memory(Stamped(10), random, PLAIN, batch_size=4, n_workers=2)
    assert repr(in_folder(tmp_path, Stamped(10))) == repr(in_memory) == repr(in_workers)


def test_journals_that_vanish_at_the_end_are_missed(tmp_path):
    def vanish(done: int, total: int) -> None:
        if done == total:
            forget(tmp_path, 2, 3)

    with pytest.raises(OutputError, match='2 of 10 frames are not in the journals'):
        in_folder(tmp_path, Stamped(10), on_waiting=vanish)


def test_real_scores_do_not_know_of_interruptions_either(tmp_path):
    def run(out_dir: Path) -> list[FrameRecord]:
        return evaluate(
            out_dir, Stamped(10), {'random': UniformRandom(1.0, 80.0, 0)}, batch_size=3,
            scoring=REAL_SCORING,
        )

    whole = run(tmp_path)
    forget(tmp_path, 4, 5, 9)
    assert [to_line(each) for each in run(tmp_path)] == [to_line(each) for each in whole]
    assert whole[4].scores['random'].values['none/abs_rel'] > 0


def test_frames_that_cannot_be_read_are_named(tmp_path):
    records = evaluate(tmp_path, Film(10, bad=(2, 9)))
    assert problems(records) == [
        Problem('frame 2', 'frame 2 is truncated'), Problem('frame 9', 'frame 9 is truncated')
    ]
    assert values(records) == [4.0, 4.0, None, 4.0, 22.0, 22.0, 22.0, 22.0, 8.0, None]
    assert values(records, 'before')[3] is None


def test_a_batch_of_which_no_frame_can_be_read_asks_nobody(tmp_path):
    answers = SumOfBatch()
    assert len(problems(evaluate(tmp_path, Film(4, bad=range(4)), answers))) == 4
    assert answers.asked == []


def test_an_answer_that_is_missing_is_a_problem_of_that_predictor(tmp_path):
    answers = {'ours': SumOfBatch(), 'rival': SumOfBatch(fails_on=['frame 1'])}
    frame = evaluate(tmp_path, Film(2), answers)[1]
    assert frame.scores['rival'].values == {'coverage': 0.0}
    assert frame.problems == [Problem('frame 1, rival', 'not recorded')]


def test_a_frame_without_truth_is_one_problem_however_many_predictors(tmp_path):
    records = evaluate(tmp_path, Film(14), {'ours': SumOfBatch(), 'rival': SumOfBatch()})
    assert problems(records) == [Problem('frame 13', 'no ground truth counts')]


class Broken(SumOfBatch):
    """Fails as no predictor should."""

    def answer(self, samples):
        """Raise."""
        if samples[0].name == 'frame 4':
            raise ZeroDivisionError('a bug')
        return super().answer(samples)


def test_any_other_error_ends_it_and_what_is_written_is_kept(tmp_path):
    whole = evaluate(tmp_path / 'whole', Film(10))
    with pytest.raises(ZeroDivisionError, match='a bug'):
        evaluate(tmp_path / 'broken', Film(10), Broken())
    assert evaluate(tmp_path / 'broken', Film(10)) == whole
    assert multiprocessing.active_children() == []


def fail(*_: object):
    raise ZeroDivisionError('another bug')


def test_an_error_while_comparing_ends_it_too(tmp_path):
    with pytest.raises(ZeroDivisionError, match='another bug'):
        evaluate(tmp_path, Film(10), scoring=SCORING._replace(score=fail))


class Interrupted(SumOfBatch):
    """Somebody presses Ctrl-C."""

    def answer(self, samples):
        """Raise, and note when."""
        self.pressed_s = time.monotonic()
        raise KeyboardInterrupt


def test_ctrl_c_ends_at_once_however_slow_frames_are(tmp_path):
    """Those that are being read take two minutes; a busy machine may take some seconds to end."""
    source, answers = Film(1000, read_s=120.0, slow_from=1), Interrupted()
    with pytest.raises(KeyboardInterrupt):
        evaluate(tmp_path, source, answers, batch_size=1)
    assert time.monotonic() - answers.pressed_s < 10
    assert multiprocessing.active_children() == []


def test_progress_counts_what_was_there_before(tmp_path):
    evaluate(tmp_path, Film(10))
    forget(tmp_path, 8, 9)
    told: list[tuple[int, int]] = []
    evaluate(tmp_path, Film(10), on_progress=lambda done, total: told.append((done, total)))
    assert told == [(8, 10), (9, 10), (10, 10)]


def test_no_frames_are_no_work(tmp_path):
    assert evaluate(tmp_path, Film(0)) == []


def test_another_evaluation_in_the_folder_is_refused_and_by_force_removed(tmp_path):
    evaluate(tmp_path, Film(5), identity={'what': 'another test'})
    with pytest.raises(OutputError, match='what was "another test", is "a test"'):
        evaluate(tmp_path, Film(5))
    assert len(evaluate(tmp_path, Film(5), force=True)) == 5


def wait_for_end_of(group: int) -> None:
    """Wait for the workers of a process that was killed: they end by themselves."""
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    raise AssertionError(f'processes of group {group} still run')


def test_killed_again_and_again_it_finishes_with_the_same_numbers(tmp_path):
    whole, dice = evaluate(tmp_path / 'whole', Film(60)), random.Random(0)
    command = [
        sys.executable, str(Path(__file__).parents[2] / 'evaluation_run.py'),
        str(tmp_path / 'killed'), '60',
    ]
    journal = tmp_path / 'killed' / 'journal' / '0-of-1.jsonl'
    for _ in range(2):
        process = subprocess.Popen(command, start_new_session=True)
        size = journal.stat().st_size if journal.exists() else 0
        while process.poll() is None and not (journal.exists() and journal.stat().st_size > size):
            time.sleep(0.005)
        time.sleep(dice.uniform(0, 0.1))
        process.kill()
        process.wait()
        wait_for_end_of(process.pid)
    assert 0 < journal.read_bytes().count(b'\n') - 1 < 60
    assert evaluate(tmp_path / 'killed', Film(60)) == whole
    lines = journal.read_bytes().splitlines()[1:]
    assert len(lines) == len({*lines}) == 60


def test_torchrun_says_which_part_is_whose():
    assert shard_from({'RANK': '2', 'WORLD_SIZE': '5'}) == Shard(2, 5)
    assert shard_from({}) == Shard(0, 1)


@pytest.mark.parametrize('environ', [
    {'RANK': '2', 'WORLD_SIZE': '2'}, {'RANK': '1'}, {'RANK': 'first', 'WORLD_SIZE': '2'},
    {'RANK': '-1', 'WORLD_SIZE': '2'},
])
def test_a_part_that_there_is_not_is_refused(environ):
    with pytest.raises(ConfigError, match='RANK'):
        shard_from(environ)


def test_the_first_process_waits_for_the_others(tmp_path):
    evaluate(tmp_path, Film(20), rank=0, world_size=2)
    other = threading.Thread(
        target=evaluate, args=(tmp_path, Film(20, read_s=0.02)),
        kwargs={'rank': 1, 'world_size': 2},
    )
    other.start()
    told: list[int] = []
    wait_for_all(
        tmp_path, 20, IDENTITY, poll_s=0.01, on_progress=lambda done, total: told.append(done)
    )
    other.join()
    assert told == sorted(told)
    assert told[-1] == 20


def test_who_waits_tells_at_once_how_many_frames_are_there(tmp_path):
    evaluate(tmp_path, Film(20), rank=0, world_size=2)
    told: list[tuple[int, int]] = []
    with pytest.raises(OutputError):
        wait_for_all(
            tmp_path, 20, IDENTITY, patience_s=0.05, poll_s=0.01,
            on_progress=lambda done, total: told.append((done, total)),
        )
    assert told == [(8, 20)]


def test_it_does_not_wait_for_ever(tmp_path):
    evaluate(tmp_path, Film(20), rank=0, world_size=2)
    with pytest.raises(OutputError, match=r'12 of 20 frames are missing \(8 is the first\)'):
        wait_for_all(tmp_path, 20, IDENTITY, patience_s=0.05, poll_s=0.01)


class Described(SumOfBatch):
    """What says something else of itself."""

    def __init__(self, described: dict[str, str]) -> None:
        super().__init__()
        self._described = described

    def describe(self) -> dict[str, str]:
        return self._described


def identity_of(source: Film, **answers: SumOfBatch):
    return Evaluation(source=source, answers=answers, protocol=PLAIN).identity()


def test_what_changes_while_a_predictor_works_does_not_decide_the_numbers(tmp_path):
    def identity(**described: str):
        return identity_of(Film(3), ours=Described(described))

    first = identity(device='cuda:0', device_memory_mb='10', weights='a')
    assert first == identity(device='cuda:1', device_memory_mb='20', weights='a')
    assert first != identity(device='cuda:0', device_memory_mb='10', weights='b')
    with Journal(tmp_path, first):
        pass


class Files(Film):
    """Frames that are in files."""

    def __init__(self, *files: Path) -> None:
        super().__init__(3)
        self.files = files


def test_other_files_of_the_same_names_are_another_evaluation(tmp_path):
    data = tmp_path / 'data'
    data.write_text('old')
    with Journal(tmp_path, identity_of(Files(data))):
        pass
    data.write_text('newer')
    with pytest.raises(OutputError, match='evaluation: the files of the source have changed;'):
        Journal(tmp_path, identity_of(Files(data)))


def test_a_source_without_files_has_none_that_could_change():
    assert 'files' not in identity_of(Film(3))
