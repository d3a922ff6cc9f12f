# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``clip-depth train``: recipes and flags in, weights and a report out."""

from __future__ import annotations

from pathlib import Path
import re
import shlex
import signal
import subprocess
import sys
import time
from typing import Any

from clip_depth_ros.cli.main import main
from clip_depth_ros.cli.train import how_to_go_on, result_lines
from clip_depth_ros.errors import OutputError
from clip_depth_ros.model.clip2depth_weights import read_clip2depth
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.training import keeper
from clip_depth_ros.training.run import settings_of_run
import pytest
import yaml

SMALL = {
    'backbone': 'tiny', 'pretrained': 'random', 'device': 'cpu', 'amp': 'off', 'taps': [0, 1],
    'mirror_length': 4, 'reduce_dim': 16, 'n_heads': 2, 'mlp_dim': 32, 'head': 'simple',
    'min_depth_m': 1.0, 'steps': 2, 'batch_size': 2, 'validation_interval': 2, 'n_workers': 0,
    'n_sheet_frames': 1, 'log_interval': 1,
}
STREETS = {
    'data': '0-1', 'validation_data': '900000', 'frames_per_seed': 2, 'width_px': 64,
    'height_px': 32,
}


@pytest.fixture(scope='module')
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give the setting that keeps rendered streets, for all trainings."""
    return {'rendered_dir': str(tmp_path_factory.mktemp('rendered'))}


@pytest.fixture
def config(tmp_path: Path, rendered: dict[str, str]) -> Path:
    path = tmp_path / 'small.yaml'
    path.write_text(yaml.safe_dump({**SMALL, **STREETS, **rendered}))
    return path


def trained(config: Path, out_dir: Path, *flags: str) -> int:
    return main(['train', '--config', str(config), '--out', str(out_dir), *flags])


def test_it_trains_on_the_synthetic_world_and_says_what_came_out(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
):
    assert trained(config, tmp_path / 'run', '--compare-prior', '--seed', '3') == 0
    out = capsys.readouterr().out
    assert 'step 0: abs_rel' in out
    for name in ('before', 'last', 'best', 'best constant', 'prior', 'protocol', 'no alignment'):
        assert name in out
    file = read_clip2depth(tmp_path / 'run' / 'best.safetensors')
    assert file.provenance['seed'] == 3
    assert file.settings.taps == (0, 1)


def test_flags_win_over_the_file_and_the_file_over_the_recipe(tmp_path: Path, config: Path):
    trained(config, tmp_path / 'run', '--recipe', 'synthetic', '--steps', '1', '--taps', '0', '2')
    settings = read_clip2depth(tmp_path / 'run' / 'last.safetensors').provenance['settings']
    assert settings['steps'] == 1
    assert settings['taps'] == [0, 2]
    assert settings['head'] == 'simple'
    assert settings['sky_depth_m'] == 80.0


def test_it_goes_on_and_does_not_overwrite(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
):
    assert trained(config, tmp_path / 'run') == 0
    assert trained(config, tmp_path / 'run') == 1
    assert 'add --resume to go on' in capsys.readouterr().err
    assert trained(config, tmp_path / 'run', '--resume') == 0
    assert trained(config, tmp_path / 'run', '--force') == 0


def test_to_go_on_the_folder_is_enough(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
):
    """Whatever was named when it was begun; what changes what is learned stays refused."""
    run = tmp_path / 'my run'
    assert trained(config, run, '--steps', '3', '--seed', '5') == 0
    whole = (run / 'train.csv').read_text()
    (run / 'checkpoint.safetensors').unlink()
    assert main(['train', '--resume', str(run), '--save-interval', '1']) == 0
    assert [row.rpartition(',')[0] for row in (run / 'train.csv').read_text().splitlines()] == [
        row.rpartition(',')[0] for row in whole.splitlines()
    ]
    assert main(['train', '--resume', '--out', str(run)]) == 0
    capsys.readouterr()
    assert main(['train', '--resume', str(run), '--steps', '4']) == 1
    assert 'steps was 3, is 4' in capsys.readouterr().err


@pytest.mark.parametrize(('content', 'message'), [
    (None, "run.json' cannot be read"), ('[', 'cannot be read'), ('[1]', 'cannot be read'),
    ('{"steps": "many"}', 'steps'), ('{"no_such": 1}', 'no_such'),
])
def test_a_folder_without_its_settings_is_refused(
    tmp_path: Path, content: str | None, message: str, capsys: pytest.CaptureFixture[str]
):
    if content is not None:
        (tmp_path / 'run.json').write_text(content)
    assert main(['train', '--resume', str(tmp_path)]) == 1
    assert message in capsys.readouterr().err


def test_a_run_that_an_earlier_version_began_goes_on(tmp_path: Path, config: Path):
    run = tmp_path / 'run'
    assert trained(config, run, '--steps', '1') == 0
    path = run / 'run.json'
    path.write_text(path.read_text().replace('"topics"', '"topic_preset"'))
    assert main(['train', '--resume', str(run)]) == 0


def test_two_folders_to_go_on_in_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(['train', '--resume', str(tmp_path), '--out', 'other']) == 1
    assert 'are two folders: name one' in capsys.readouterr().err


@pytest.mark.parametrize('wrong', [
    ['--data', 'nowhere'], ['--clipseg-weights', 'absent.bin', '--pixels', 'imagenet'],
    ['--clip-weights', 'absent.pt'],
])
def test_a_refused_run_leaves_nothing_that_the_next_try_stumbles_over(
    tmp_path: Path, config: Path, wrong: list[str]
):
    run = tmp_path / 'run'
    assert trained(config, run, '--steps', '1', *wrong) == 1
    assert not run.exists()
    assert trained(config, run, '--steps', '1') == 0


def test_a_refused_run_does_not_cost_the_one_before(tmp_path: Path, config: Path):
    run = tmp_path / 'run'
    assert trained(config, run, '--steps', '1') == 0
    assert trained(config, run, '--force', '--data', 'nowhere') == 1
    assert (run / 'best.safetensors').is_file()


def test_ctrl_c_says_how_to_go_on_and_that_does(tmp_path: Path, config: Path):
    run, log = tmp_path / 'my run', tmp_path / 'log'
    values = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**values, 'steps': 100_000, 'save_interval': 2}))
    command = [
        sys.executable, '-m', 'clip_depth_ros', 'train',
        '--config', str(config), '--out', str(run),
    ]
    with log.open('wb') as output, subprocess.Popen(command, stderr=output) as process:
        until = time.monotonic() + 120
        while not (run / 'checkpoint.safetensors').exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    line = log.read_text().splitlines()[-1]
    told = re.fullmatch(
        r'interrupted: (clip-depth train --resume .*) goes on from step (\d+) of 100000', line
    )
    assert told, log.read_text()
    assert shlex.split(told[1])[1:] == ['train', '--resume', str(run)]
    assert int(told[2]) % 2 == 0
    assert settings_of_run(run)['steps'] == 100_000


def test_an_error_on_the_way_says_how_to_go_on_and_that_does(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    real, calls = keeper.save_checkpoint, 0

    def full(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OutputError('no space left')
        real(*arguments)

    monkeypatch.setattr(keeper, 'save_checkpoint', full)
    run = tmp_path / 'run'
    assert trained(config, run, '--steps', '3', '--save-interval', '1') == 1
    assert capsys.readouterr().err.splitlines()[-2:] == [
        f'stopped: clip-depth train --resume {run} goes on from step 1 of 3',
        'clip-depth train: error: no space left',
    ]
    assert main(['train', '--resume', str(run)]) == 0


def test_a_run_that_was_refused_does_not_speak_of_the_one_before(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
):
    run = tmp_path / 'run'
    assert trained(config, run) == 0
    assert f'if it stops, clip-depth train --resume {run} goes on' in capsys.readouterr().err
    assert trained(config, run, '--force', '--data', 'nowhere') == 1
    assert 'goes on' not in capsys.readouterr().err


def test_before_anything_has_begun_there_is_nothing_to_go_on_with(tmp_path: Path):
    settings = TrainSettings(out_dir=str(tmp_path))
    assert how_to_go_on(settings) == 'nothing has begun yet, the same command begins it'


def test_leave_one_out_prints_a_row_for_each_frame(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
):
    flags = ('--leave-one-out', '--data', '0', '--frames-per-seed', '1')
    assert trained(config, tmp_path / 'run', *flags) == 0
    out = capsys.readouterr().out
    assert out.count(' frame 7 ') == 2
    assert 'each of 2 frames held out once' in out


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Give a recording with LiDAR and true depth."""
    path = tmp_path / 'drive.mcap'
    size = ['--width', '64', '--height', '32']
    assert main(['bag', 'synth', '--frames', '5', *size, '--out', str(path)]) == 0
    return path


@pytest.mark.parametrize('depth', [[], ['--depth-topic', '/ground_truth/depth']])
def test_weights_are_adapted_to_a_robot_s_own_recording(
    tmp_path: Path, config: Path, bag: Path, depth: list[str], capsys: pytest.CaptureFixture[str]
):
    """The LiDAR of the recording teaches, or its depth camera."""
    assert trained(config, tmp_path / 'first') == 0
    capsys.readouterr()
    config.write_text(yaml.safe_dump(SMALL))
    flags = [
        '--recipe', 'bag', '--data', str(bag), *depth, '--validation-gap', '0',
        '--test-share', '0.2',
        '--init-weights', str(tmp_path / 'first' / 'last.safetensors'),
    ]
    assert trained(config, tmp_path / 'run', *flags) == 0
    out = capsys.readouterr().out
    assert 'protocol  bag, 1 held-out frames' in out
    for name in ('prior', 'test: best', 'test: prior', 'test: constant'):
        assert name in out


@pytest.mark.parametrize(('flags', 'message'), [
    (['--recipe', 'kitti'], '--kind kitti needs --data'),
    (['--config', 'absent.yaml'], "cannot read settings 'absent.yaml'"),
    ([], '--out is needed'),
])
def test_errors_are_sentences(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    assert main(['train', *flags]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(('flag', 'message'), [
    ('--depth-dir', '--depth-dir is now --gt-dir'),
    ('--bag', '--bag is now --data'),
    ('--preset', '--preset is now --recipe'),
    ('--out-dir', '--out-dir is now --out'),
    ('--topic-preset', '--topic-preset is now --topics'),
    ('--world-n-seeds', '--world-n-seeds is now --data, a range of seeds such as 0-3999'),
])
def test_flags_of_earlier_versions_are_refused_with_the_new_one(
    flag: str, message: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit):
        main(['train', flag, '7', '--out', 'run'])
    assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(['train', '--help'])
    assert flag not in capsys.readouterr().out


@pytest.mark.parametrize('content', ['- a list', 'a: [', '3: 4'])
def test_settings_that_are_none_are_refused(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / 'bad.yaml'
    path.write_text(content)
    assert main(['train', '--config', str(path)]) == 1
    assert 'bad.yaml' in capsys.readouterr().err


def test_frames_that_were_skipped_are_named(tmp_path: Path):
    from clip_depth_ros.core.metrics import DepthMetrics
    from clip_depth_ros.training.keeper import TrainResult

    metrics = DepthMetrics(*[0.5] * 9, n=10)  # type: ignore[arg-type]
    facts: dict[str, Any] = {'out_dir': tmp_path, 'best_path': tmp_path, 'last_path': tmp_path}
    result = TrainResult(
        **facts, best_step=3, before=metrics, metrics=metrics, last=metrics, prior=None,
        protocol='none', bad_frames={'frame 3': 'truncated'},
    )
    assert 'skipped   1 frames that could not be read: frame 3' in list(result_lines(result))
