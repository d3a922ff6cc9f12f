# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``clip-depth train``: presets and flags in, weights and a report out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clip_depth_ros.cli.main import main
from clip_depth_ros.cli.train import result_lines
from clip_depth_ros.model.clip2depth_weights import read_clip2depth
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


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / 'small.yaml'
    path.write_text(yaml.safe_dump({**SMALL, **STREETS}))
    return path


def trained(config: Path, out_dir: Path, *flags: str) -> int:
    return main(['train', '--config', str(config), '--out-dir', str(out_dir), *flags])


def test_it_trains_on_the_synthetic_world_and_says_what_came_out(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
):
    assert trained(config, tmp_path / 'run', '--compare-prior', '--seed', '3') == 0
    out = capsys.readouterr().out
    assert 'step 0: abs_rel' in out
    for name in ('before', 'last', 'best', 'mean depth per pixel', 'protocol', 'no alignment'):
        assert name in out
    file = read_clip2depth(tmp_path / 'run' / 'best.safetensors')
    assert file.provenance['seed'] == 3
    assert file.settings.taps == (0, 1)


def test_flags_win_over_the_file_and_the_file_over_the_preset(tmp_path: Path, config: Path):
    trained(config, tmp_path / 'run', '--preset', 'synthetic', '--steps', '1', '--taps', '0', '2')
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
        '--preset', 'bag', '--data', str(bag), *depth,
        '--init-weights', str(tmp_path / 'first' / 'last.safetensors'),
    ]
    assert trained(config, tmp_path / 'run', *flags) == 0
    out = capsys.readouterr().out
    assert 'protocol  bag, 1 held-out frames' in out
    assert 'mean depth per pixel' in out


@pytest.mark.parametrize(('flags', 'message'), [
    (['--preset', 'kitti'], "kind='kitti' needs data"),
    (['--config', 'absent.yaml'], "cannot read settings 'absent.yaml'"),
    ([], 'out_dir is needed'),
])
def test_errors_are_sentences(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    assert main(['train', *flags]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(('flag', 'message'), [
    ('--depth-dir', '--depth-dir is now --gt-dir'),
    ('--bag', '--bag is now --data'),
    ('--world-n-seeds', '--world-n-seeds is now --data, a range of seeds such as 0-3999'),
])
def test_flags_of_earlier_versions_are_refused_with_the_new_one(
    flag: str, message: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit):
        main(['train', flag, '7', '--out-dir', 'run'])
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
