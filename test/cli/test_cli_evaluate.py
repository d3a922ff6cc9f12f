# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``clip-depth evaluate`` and ``clip-depth compare``: real recordings in, real files out."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
import shlex
import shutil
import signal
import subprocess
import sys
import time
from typing import Any
from unittest.mock import Mock

from clip_depth_ros.bags.messages import image_message
from clip_depth_ros.bags.topics import CLOUD
from clip_depth_ros.bags.writer import recorded, write_recording
from clip_depth_ros.cli.main import main
from clip_depth_ros.cli.runs import evaluate as evaluate_run
from clip_depth_ros.evaluation.results.result import read_result, Result
from clip_depth_ros.evaluation.run.folder import run_lock
from clip_depth_ros.sources.as_messages import drive_messages
from clip_depth_ros.world.drive import Drive, SyntheticFrame
import numpy as np
import pytest
from source_tree import ROOT

N_FRAMES = 7
RIVAL, SHAKY = '/rival/depth', '/shaky/depth'
COPIES = {'--json': 'a.json', '--csv': 'a.csv', '--markdown': 'a.md', '--html': 'a.html'}


@pytest.fixture(scope='module')
def frames() -> list[SyntheticFrame]:
    return list(Drive(5, width=160, height=48).frames(N_FRAMES))


@pytest.fixture(scope='module')
def bag(frames: list[SyntheticFrame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a drive with the depth of two other nodes: 10 % too far; and now half, now double."""
    path = tmp_path_factory.mktemp('drive') / 'drive.mcap'
    write_recording([*drive_messages(frames), *others(frames)], path)
    return path


def others(frames: list[SyntheticFrame]):
    """Give what two nodes have published."""
    for index, frame in enumerate(frames):
        for topic, factor in ((RIVAL, 1.1), (SHAKY, 2.0 if index % 2 else 0.5)):
            depth_m = np.where(frame.depth_m * factor < 500, frame.depth_m * factor, np.inf)
            message = image_message(
                depth_m.astype(np.float32), '32FC1', stamp_ns=frame.stamp_ns, frame_id='camera'
            )
            yield recorded(topic, message, frame.stamp_ns)


def evaluate(*words: Any) -> int:
    """Run the command without the network of this package, which the tests name if they want."""
    return main(['evaluate', *map(str, words)])


def rival(bag: Path, out: Path, *words: Any) -> int:
    return evaluate(bag, '--pred-topic', RIVAL, '--out', out, *words)


def result_of(out: Path) -> dict[str, Any]:
    return json.loads((out / 'result.json').read_text())


def means_of(out: Path, predictor: str) -> dict[str, float]:
    estimates = read_result(out / 'result.json').predictors[predictor].estimates
    return {name: estimate.mean for name, estimate in estimates.items()}


@pytest.fixture(scope='module')
def out(bag: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of an evaluation of the other node's depth, with copies beside it."""
    out = tmp_path_factory.mktemp('rival') / 'out'
    copies = [word for flag, copy in COPIES.items() for word in (flag, out.parent / copy)]
    assert rival(bag, out, '--override', 'depth_cap_m=70', *copies) == 0
    return out


class TestResult:
    """Another node's depth, everywhere 10 % too far."""

    def test_the_metrics_are_those_of_ten_percent(self, out):
        means = means_of(out, RIVAL)

        assert means['none/log_bias'] == pytest.approx(np.log(1.1), abs=0.002)
        assert means['none/abs_rel'] == pytest.approx(0.1, abs=0.002)
        assert means['none/silog'] < 1  # not 0: what is beyond the cap is clamped
        assert means['none/delta1'] == 1
        assert means['scale'] == pytest.approx(1 / 1.1, rel=1e-4)

    def test_alignment_stands_apart(self, out):
        means = means_of(out, RIVAL)

        assert means['median/abs_rel'] < 1e-4
        assert means['scale-shift/abs_rel'] < 1e-4

    def test_a_steady_factor_does_not_flicker(self, out):
        assert means_of(out, RIVAL)['flicker'] < 1e-4

    def test_baselines_stand_beside_it_and_are_worse(self, out):
        assert [*result_of(out)['predictors']] == [RIVAL, 'constant', 'random']
        assert means_of(out, 'constant')['none/abs_rel'] > 0.2
        assert means_of(out, 'random')['none/abs_rel'] > 0.5

    def test_every_file_carries_the_protocol(self, out):
        title = result_of(out)['title']

        assert title.startswith('plain, depth_cap_m=70: exact rendered')
        assert title in (out / 'report.html').read_text()
        assert title in (out / 'table.md').read_text()
        assert (out / 'frames.csv').read_text().startswith(f'# {title}')

    def test_every_frame_and_predictor_has_its_line(self, out):
        lines = (out / 'frames.csv').read_text().splitlines()[1:]
        rows = list(csv.DictReader(lines))

        assert len(rows) == N_FRAMES * 3
        assert {row['predictor'] for row in rows} == {RIVAL, 'constant', 'random'}
        assert float(rows[0]['none/abs_rel']) == pytest.approx(0.1, abs=0.002)

    def test_classes_of_the_rendered_drive_are_known(self, out):
        assert 'class road/abs_rel' in means_of(out, RIVAL)

    def test_what_must_be_said_of_the_frames_stands_above_the_numbers(self, out):
        notes = result_of(out)['source']['notes'].split('; ')

        assert 'the truth is /ground_truth/depth' in notes
        table = (out / 'table.md').read_text()
        assert f'note: {notes[-1]}' in table
        assert 'note: fewer than 10 independent frames' in table

    def test_independent_frames_stand_beside_all_frames(self, out):
        estimate = result_of(out)['predictors'][RIVAL]['estimates']['none/abs_rel']
        *_, n_frames, n_effective = estimate
        assert (n_frames, n_effective) == (N_FRAMES, N_FRAMES)  # too few to notice anything
        assert '|  | frames | indep. | coverage |' in (out / 'table.md').read_text()

    def test_settings_and_versions_are_kept(self, out):
        result = result_of(out)

        assert result['settings']['pred_topic'] == f"['{RIVAL}']"
        assert result['versions']['numpy'] == np.__version__
        assert result['source']['gt_kind'] == 'exact'


@pytest.fixture(scope='module')
def depth_files(frames: list[SyntheticFrame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give depth maps that are exact, one for each frame, by order."""
    folder = tmp_path_factory.mktemp('depth')
    for index, frame in enumerate(frames):
        np.save(folder / f'{index}.npy', frame.depth_m)
    return folder


@pytest.fixture(scope='module')
def everybody(bag: Path, depth_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of an evaluation of all that can be scored."""
    out = tmp_path_factory.mktemp('everybody')
    other_bag = out / 'other.mcap'
    write_recording(drive_messages(Drive(6, width=160, height=48).frames(2)), other_bag)
    assert evaluate(
        bag, '--out', out, '--preset', 'synthetic',
        '--predict', 'clip2depth', 'depthclip', 'topic', 'dir', 'prior',
        '--prior-from', other_bag, '--pred-topic', SHAKY, '--pred-dir', depth_files,
    ) == 0
    return out


class TestPredictors:
    """Whose depth can be scored."""

    def test_each_has_its_row_and_says_what_it_is(self, everybody):
        predictors = result_of(everybody)['predictors']

        assert [*predictors][:3] == ['clip2depth', 'depthclip', SHAKY]
        assert [*predictors][4] == 'prior'
        assert 'sha256' in json.dumps(predictors['clip2depth']['describe'])

    def test_files_that_are_exact_score_perfectly(self, everybody, depth_files):
        folder = str(depth_files)

        assert means_of(everybody, folder)['none/abs_rel'] < 1e-6
        assert means_of(everybody, folder)['none/delta1'] == 1

    def test_a_scale_that_wanders_is_caught(self, everybody):
        """Now half, now double: ln 4 from frame to frame, and ln 2 about the mean."""
        shaky = read_result(everybody / 'result.json').predictors[SHAKY]

        assert shaky.estimates['flicker'].mean == pytest.approx(np.log(4), rel=1e-3)
        assert shaky.scale_spread == pytest.approx(np.log(2), rel=0.1)
        assert shaky.estimates['median/abs_rel'].mean < 0.01

    def test_confidence_is_scored_where_there_is_one(self, everybody):
        predictors = read_result(everybody / 'result.json').predictors

        assert sum(predictors['depthclip'].sums['confidence/n']) > 0
        assert 'confidence/n' not in predictors['prior'].sums


@pytest.fixture(scope='module')
def from_file(bag: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of an evaluation of baselines alone, set up by a file and a flag."""
    out = tmp_path_factory.mktemp('from_file')
    config = out / 'mine.yaml'
    config.write_text('predict: [constant, random]\nframe_stride: 2\nbootstrap_samples: 200\n')
    assert evaluate(bag, '--config', config, '--out', out, '--frame-stride', 3) == 0
    return out


def test_a_baseline_that_is_in_question_is_shown(from_file):
    """Beside others it is left out of the pictures of frames."""
    page = (from_file / 'report.html').read_text()
    assert 'constant: prediction' in page
    assert 'random: prediction' not in page


@pytest.fixture(scope='module')
def near(bag: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give evaluations by a protocol of our own, on LiDAR points that stand for two things."""
    folder = tmp_path_factory.mktemp('near')
    protocol = folder / 'near.yaml'
    protocol.write_text('extends: plain\ndepth_cap_m: 20\n')
    words = ('--lidar-topic', CLOUD, '--protocol', protocol, '--frame-stride', 3)
    assert rival(bag, folder / 'z', *words) == 0
    assert rival(bag, folder / 'forward', *words, '--override', 'lidar_value=forward') == 0
    return folder


class TestFlags:
    """Settings lead where they say, and wrong ones are refused by name."""

    def test_copies_are_written_where_they_are_wanted(self, out):
        files = [out.parent / copy for copy in COPIES.values()]

        assert files[0].read_bytes() == (out / 'result.json').read_bytes()
        assert all(path.stat().st_size for path in files)

    def test_a_file_of_settings_counts_and_flags_win(self, from_file):
        result = result_of(from_file)

        assert [*result['predictors']] == ['constant', 'random']
        assert result['settings']['bootstrap_samples'] == '200'
        assert result['n_frames'] == 3

    @pytest.mark.parametrize(('words', 'message'), [
        (['--protocol', 'kitti-egien'], "did you mean 'kitti-eigen-garg'"),
        (['--override', 'cap=50'], 'cap'),
        (['--override', 'depth_cap_m'], "takes NAME=VALUE, got 'depth_cap_m'"),
        (['--override', 'depth_cap_m=5', 'depth_cap_m=6'], '--override takes each name once'),
        (['--override', 'flip=average'], '--override flip=none'),
        (['--depth-topic', '/nowhere'], "no topic '/nowhere'"),
        (['--pred-topic', '/nowhere'], '/nowhere'),
        (['--depth-topic', RIVAL], f'--pred-topic {RIVAL!r} is what is taken for the truth, too'),
        (['--predict', 'them'], "no 'them' among ours, clip2depth"),
        (['--predict', 'prior'], '--predict prior needs --prior-from'),
        (['--kind', 'tum'], 'rgb.txt'),
    ])
    def test_what_is_wrong_is_told(self, bag, tmp_path, capsys, words, message):
        assert rival(bag, tmp_path / 'out', *words) == 1
        assert message in capsys.readouterr().err
        assert not (tmp_path / 'out' / 'result.json').exists()

    def test_an_answer_that_depends_on_the_frames_before_is_refused(self, bag, tmp_path, capsys):
        words = ('--preset', 'synthetic', '--method', 'depthclip', '--scene-aware')

        assert evaluate(bag, '--out', tmp_path, '--predict', 'ours', *words) == 1
        assert 'set --scene-smoothing to 0' in capsys.readouterr().err

    def test_results_are_not_overwritten_unless_asked(self, bag, out, tmp_path, capsys):
        shutil.copytree(out, tmp_path, dirs_exist_ok=True)
        before = (tmp_path / 'result.json').read_bytes()

        assert rival(bag, tmp_path, '--frame-stride', 2) == 1
        assert 'exist already' in capsys.readouterr().err
        assert (tmp_path / 'result.json').read_bytes() == before
        assert rival(bag, tmp_path, '--frame-stride', 2, '--force') == 0
        assert result_of(tmp_path)['n_frames'] == 4

    def test_an_override_decides_what_lidar_points_stand_for(self, near):
        """The LiDAR sits behind the camera: from there, everything is farther."""
        z, forward = (means_of(near / name, RIVAL)['scale'] for name in ('z', 'forward'))
        assert forward > 1.005 * z

    def test_a_protocol_of_your_own_is_a_file(self, near):
        assert result_of(near / 'z')['title'].startswith('near: ')
        assert 'depth 20-40 m/abs_rel' not in means_of(near / 'z', RIVAL)

    def test_two_outputs_cannot_be_one_file(self, bag, tmp_path, capsys):
        words = ('--json', tmp_path / 'x', '--csv', tmp_path / 'x')
        assert rival(bag, tmp_path / 'out', *words) == 1
        assert 'each output needs a file of its own' in capsys.readouterr().err

    def test_what_is_evaluated_is_not_replaced_even_if_asked(self, bag, tmp_path, capsys):
        before = bag.read_bytes()
        assert rival(bag, tmp_path / 'out', '--json', bag, '--force') == 1
        assert 'is what is evaluated' in capsys.readouterr().err
        assert bag.read_bytes() == before

    def test_a_prior_is_fitted_on_other_frames(self, bag, tmp_path, capsys):
        words = ('--predict', 'prior', '--prior-from', bag)
        assert evaluate(bag, *words, '--out', tmp_path) == 1
        assert '--prior-from should be other frames' in capsys.readouterr().err

    def test_our_predictor_needs_images(self, frames, tmp_path, capsys):
        """Other nodes' depth can be scored without them; ours must not be shown the truth."""
        messages = [*drive_messages(frames), *others(frames)]
        no_camera = [message for message in messages if 'image' not in message.topic]
        write_recording(no_camera, tmp_path / 'no_camera.mcap')
        words = (tmp_path / 'no_camera.mcap', '--depth-topic', '/ground_truth/depth')

        assert evaluate(*words, '--pred-topic', RIVAL, '--out', tmp_path / 'a') == 0
        assert evaluate(*words, '--preset', 'synthetic', '--out', tmp_path / 'b') == 1


class TestDamage:
    """What cannot be used is counted and named, and decides the exit code."""

    @pytest.fixture
    def cut_off(self, bag, tmp_path):
        path = tmp_path / 'cut_off.mcap'
        path.write_bytes(bag.read_bytes()[:-2000])
        return path

    @pytest.fixture
    def gap(self, frames, tmp_path):
        path = tmp_path / 'gap.mcap'
        write_recording([*drive_messages(frames), *others(frames[:-1])], path)
        return path

    def test_a_recording_that_cannot_be_read_and_an_answer_that_is_missing_are_named(
        self, gap, cut_off, tmp_path, capsys
    ):
        out = tmp_path / 'out'
        words = (
            '--pred-topic', RIVAL, '--out', out, '--sync-tolerance-s', '0.01',
            '--frame-stride', 2,
        )

        assert evaluate(gap, cut_off, *words) == 1
        told = capsys.readouterr()
        assert 'cut_off.mcap' in told.out
        assert RIVAL in told.out
        assert '--allow-missing accepts that' in told.err
        assert 'cut_off.mcap' in (out / 'report.html').read_text()
        result = read_result(out / 'result.json')
        assert result.predictors['constant'].n_frames >= 4
        assert result.predictors[RIVAL].n_frames == result.predictors['constant'].n_frames - 1
        assert len(result.problems) == 2
        assert evaluate(gap, cut_off, *words, '--force', '--allow-missing') == 0


def command(bag: Path, out: Path) -> list[str]:
    """Give an evaluation as a process of its own."""
    words = (
        bag, '--out', out, '--preset', 'synthetic', '--method', 'depthclip',
        '--predict', 'ours', 'random', '--batch-size', '2',
    )
    return [sys.executable, '-m', 'clip_depth_ros', 'evaluate', *map(str, words)]


def killed(words: list[str], out: Path) -> None:
    """Start an evaluation and kill it when it has written down some frames."""
    process = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        texts = [path.read_text() for path in (out / 'journal').glob('*.jsonl')]
        if sum(text.count('\n') for text in texts) >= 3:
            break
        time.sleep(0.01)
    assert process.poll() is None, 'it has ended before it could be killed'
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture(scope='module')
def whole(bag: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Give the result of an evaluation that nothing has interrupted."""
    out = tmp_path_factory.mktemp('whole')
    assert evaluate(*command(bag, out)[4:]) == 0
    return read_result(out / 'result.json')


@pytest.fixture(scope='module')
def was_killed(bag: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that an evaluation leaves that was killed."""
    out = tmp_path_factory.mktemp('was_killed')
    killed(command(bag, out), out)
    return out


@pytest.fixture
def unfinished(was_killed: Path, tmp_path: Path) -> Path:
    """Give a copy of that folder."""
    return Path(shutil.copytree(was_killed, tmp_path / 'unfinished'))


class TestInterruptions:
    """Killed, split, put together again: the same numbers."""

    def test_killed_at_any_moment_it_goes_on(self, bag, whole, unfinished):
        assert not (unfinished / 'result.json').exists()
        assert evaluate(*command(bag, unfinished)[4:]) == 0

        assert self.numbers(read_result(unfinished / 'result.json')) == self.numbers(whole)

    def test_two_processes_share_the_frames(self, bag, out, tmp_path):
        words = [
            sys.executable, '-m', 'clip_depth_ros', 'evaluate', str(bag), '--pred-topic', RIVAL,
            '--override', 'depth_cap_m=70', '--batch-size', '2', '--out', str(tmp_path),
        ]
        processes = [
            subprocess.Popen(
                words, cwd=ROOT, stderr=subprocess.DEVNULL,
                env={**os.environ, 'RANK': str(rank), 'WORLD_SIZE': '2'},
            )
            for rank in range(2)
        ]

        assert [process.wait(timeout=240) for process in processes] == [0, 0]
        one, two = (read_result(folder / 'result.json') for folder in (out, tmp_path))
        assert self.numbers(two) == self.numbers(one)

    def test_other_settings_do_not_mix(self, bag, unfinished, capsys):
        assert rival(bag, unfinished, '--override', 'depth_cap_m=50') == 1
        assert 'depth_cap_m' in capsys.readouterr().err
        assert evaluate(*command(bag, unfinished)[4:], '--camera', 'ignore') == 1
        assert 'predictor_settings.camera was "auto", is "ignore"' in capsys.readouterr().err
        assert rival(bag, unfinished, '--override', 'depth_cap_m=50', '--force') == 0

    def test_what_is_finished_is_not_used_again(self, out):
        """Who evaluates anew wants new numbers: the journal is for interruptions alone."""
        assert (out / 'result.json').exists()
        assert not (out / 'journal').exists()

    def test_what_was_ended_while_it_was_written_is_not_finished(self, bag, tmp_path, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(evaluate_run, 'forget_journal', Mock(side_effect=KeyboardInterrupt))
            assert rival(bag, tmp_path) == 130
        assert (tmp_path / 'result.json').exists()

        assert rival(bag, tmp_path) == 0
        assert not (tmp_path / 'journal').exists()

    def test_going_on_does_not_overwrite_what_lies_elsewhere(
        self, bag, unfinished, tmp_path, capsys
    ):
        (tmp_path / 'mine.json').write_text('precious')

        words = command(bag, unfinished)[4:]
        assert evaluate(*words, '--json', tmp_path / 'mine.json') == 1
        assert 'mine.json exists already' in capsys.readouterr().err
        assert (tmp_path / 'mine.json').read_text() == 'precious'

    def test_two_runs_do_not_share_a_folder(self, bag, tmp_path, capsys):
        with run_lock(tmp_path, 0):
            assert rival(bag, tmp_path) == 1
        assert str(tmp_path) in capsys.readouterr().err

    @staticmethod
    def numbers(result: Result) -> str:
        """Give all numbers as text, so that NaN equals NaN."""
        return repr((result.frames, result.predictors))


@pytest.fixture(scope='module')
def results(bag: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with two evaluations."""
    folder = tmp_path_factory.mktemp('results')
    for name, topic in (('rival', RIVAL), ('shaky', SHAKY)):
        assert evaluate(bag, '--pred-topic', topic, '--out', folder / name) == 0
    return folder


class TestCompare:
    """Paired differences, on the frames that both have."""

    @pytest.fixture(autouse=True)
    def inside(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """Let each test have its own comparison_output."""
        monkeypatch.chdir(tmp_path)

    def test_on_seven_frames_wins_are_counted_and_no_verdict_is_given(self, results, capsys):
        files = [str(results / name / 'result.json') for name in ('rival', 'shaky')]

        assert main(['compare', *files]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f'Too few frames to tell {RIVAL} and {SHAKY} apart: off by 9.9 %')
        assert 'plain: ' in out
        assert 'warning: no verdict is given on fewer than 10 independent frames' in out
        line = next(line for line in out.splitlines() if line.startswith('  abs_rel'))
        assert line.endswith('   100%     0% too few frames to tell')
        assert 'better' not in out

    def test_nothing_is_shown_between_a_result_and_itself(self, results, tmp_path):
        file = str(results / 'rival' / 'result.json')
        assert main(['compare', file, file, '--json', str(tmp_path / 'c.json')]) == 0

        text = (tmp_path / 'c.json').read_text()
        assert '"difference": {' in text
        assert '"A better"' not in text
        assert '"B better"' not in text

    def test_one_file_stands_for_all_of_its_predictors_and_a_folder_for_its_file(
        self, results, capsys
    ):
        assert main(['compare', str(results / 'rival')]) == 0
        out = capsys.readouterr().out
        assert 'B: constant' in out
        assert 'B: random' in out

    def test_of_one_file_all_are_compared_with_the_one_that_is_named(self, results, capsys):
        assert main(['compare', f'{results / "rival" / "result.json"}:random']) == 0
        out = capsys.readouterr().out
        assert out.count('A: random') == 2
        assert f'B: {RIVAL}' in out

    def test_another_predictor_is_named_behind_a_colon(self, results, capsys):
        file = results / 'rival' / 'result.json'
        assert main(['compare', f'{file}:constant', f'{file}:random']) == 0
        assert f'B: {file}: random' in capsys.readouterr().out

        assert main(['compare', f'{file}:nobody', str(file), '--force']) == 1
        assert f"no predictor 'nobody'; it has ['{RIVAL}', 'constant'" in capsys.readouterr().err

    def test_other_protocols_do_not_compare(self, results, out, capsys):
        files = [str(results / 'rival' / 'result.json'), str(out / 'result.json')]

        assert main(['compare', *files]) == 1
        assert 'different protocols' in capsys.readouterr().err
        assert main(['compare', *files, '--allow-different']) == 0

    def test_files_are_not_overwritten_unless_asked(self, results, tmp_path, capsys):
        file, target = str(results / 'rival' / 'result.json'), tmp_path / 'c.md'
        target.write_text('precious')

        assert main(['compare', file, '--markdown', str(target)]) == 1
        assert target.read_text() == 'precious'
        assert main(['compare', file, '--markdown', str(target), '--force']) == 0
        assert '| abs_rel |' in target.read_text()

    def test_a_page_is_written_with_the_pictures_that_the_runs_keep(
        self, results, tmp_path, capsys
    ):
        files, page = [str(results / name) for name in ('rival', 'shaky')], tmp_path / 'c'
        command = ['compare', *files, '--out', str(page)]
        assert main(command) == 0
        assert capsys.readouterr().out.endswith(f'report: {page / "report.html"}\n')
        text = (page / 'report.html').read_text()
        assert 'Too few frames to tell' in text.partition('</h1>')[0]
        assert shlex.join(['clip-depth', *command]) in text
        assert shlex.join(['clip-depth', 'evaluate']) in text
        assert '>B: error<' in text

        assert main(command) == 1
        assert 'report.html' in (error := capsys.readouterr().err)
        assert 'add --force' in error
        assert main([*command, '--force']) == 0
