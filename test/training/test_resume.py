# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run goes on exactly where it stopped, however it stopped, and overwrites no other."""

from __future__ import annotations

import json
from pathlib import Path
import signal
import time
from typing import Any

from clip_depth_ros.errors import ConfigError, OutputError, WeightsError
from clip_depth_ros.model.clip2depth_weights import read_clip2depth
from clip_depth_ros.sources.samples import Joined
from clip_depth_ros.training.loop import Progress
from clip_depth_ros.training.run import read_log
from clip_depth_ros.types import Intrinsics
import pytest
from seen_cameras import Slope
from small_training import losses, started, trained
import torch


@pytest.fixture(scope='module')
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that nothing has disturbed."""
    out_dir = tmp_path_factory.mktemp('run') / 'whole'
    trained(out_dir)
    return out_dir


class Stopped(Exception):  # noqa: N818
    """Stands in for whatever ends a process."""


@pytest.mark.parametrize('changes', [{}, {'cache_tokens': True}, {'amp': 'bf16'}])
def test_a_stopped_run_goes_on_as_if_it_had_not_been(tmp_path: Path, changes: dict[str, Any]):
    def stop(progress: Progress) -> None:
        if progress.stage == 'train' and progress.done == 5:
            raise Stopped

    whole, broken = tmp_path / 'whole', tmp_path / 'broken'
    trained(whole, **changes)
    with pytest.raises(Stopped):
        trained(broken, options={'on_progress': stop}, **changes)
    result = trained(broken, options={'resume': True}, **changes)

    assert losses(broken) == losses(whole)
    assert read_log(broken / 'validation.csv') == read_log(whole / 'validation.csv')
    state = read_clip2depth(whole / 'last.safetensors').state
    resumed = read_clip2depth(broken / 'last.safetensors').state
    assert all(torch.equal(resumed[name], tensor) for name, tensor in state.items())
    assert json.loads((broken / 'report.json').read_text())['best'] == json.loads(
        (whole / 'report.json').read_text()
    )['best']
    assert result.best_path == broken / 'best.safetensors'


@pytest.mark.parametrize('cache_tokens', [False, True])
def test_so_does_one_on_frames_of_two_cameras(tmp_path: Path, cache_tokens: bool):
    def stop(progress: Progress) -> None:
        if progress.stage == 'train' and progress.done == 5:
            raise Stopped

    changes = {} if cache_tokens else {'augment_window': 0.5, 'augment_zoom': 1.5}
    changes |= {'rays': True, 'cache_tokens': cache_tokens, 'n_sheet_frames': 0}
    wide, long = (Intrinsics(f, f, 30.0, 15.0, 64, 32) for f in (40.0, 80.0))
    sources = (Joined(Slope(wide, 5), Slope(long, 4)), Slope(wide, 2))
    whole, broken = tmp_path / 'whole', tmp_path / 'broken'
    trained(whole, sources=sources, **changes)
    with pytest.raises(Stopped):
        trained(broken, sources=sources, options={'on_progress': stop}, **changes)
    trained(broken, sources=sources, options={'resume': True}, **changes)
    assert losses(broken) == losses(whole)


def test_one_that_has_stopped_learning_stops(tmp_path: Path):
    """Nothing is better than before the first step: 2 validations, 2 steps each."""
    changes = {'learning_rate': 1e-9, 'start_divisor': 1.0, 'ema_decay': 0.9, 'patience': 2}
    changes |= {'validation_interval': 2, 'steps': 40, 'save_interval': 40}
    result = trained(tmp_path / 'run', **changes)
    done = len(losses(tmp_path / 'run'))
    assert done == result.best_step + 4 < 40
    again = trained(tmp_path / 'run', options={'resume': True}, **changes)
    assert (len(losses(tmp_path / 'run')), again.last) == (done, result.last)


def test_a_killed_process_loses_at_most_the_interval(whole: Path, tmp_path: Path):
    out_dir = tmp_path / 'killed'
    with started(out_dir, pause_s=0.2) as process:
        until = time.monotonic() + 90
        while len(losses(out_dir)) < 5 and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert 5 <= len(losses(out_dir)) < 8
    first: list[int] = []

    def note(progress: Progress) -> None:
        if progress.stage == 'train':
            first.append(progress.done)

    trained(out_dir, options={'resume': True, 'on_progress': note})
    assert first[0] >= 5  # the checkpoint of step 4 was there
    assert losses(out_dir) == losses(whole)
    assert not list(out_dir.glob('.*'))


def test_a_run_stopped_before_its_first_checkpoint_begins_again(whole: Path, tmp_path: Path):
    def stop(progress: Progress) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        trained(tmp_path / 'run', options={'on_progress': stop})
    trained(tmp_path / 'run', options={'resume': True})
    assert losses(tmp_path / 'run') == losses(whole)


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path):
    first = trained(tmp_path / 'run')
    told: list[Progress] = []
    again = trained(tmp_path / 'run', options={'resume': True, 'on_progress': told.append})
    assert told == []
    assert again == first


def test_resuming_with_other_settings_is_refused(tmp_path: Path):
    trained(tmp_path / 'run', steps=2)
    before = (tmp_path / 'run' / 'checkpoint.safetensors').read_bytes()
    with pytest.raises(ConfigError, match=r'other settings: learning_rate was 0.003, is 0.5'):
        trained(tmp_path / 'run', steps=2, learning_rate=0.5, options={'resume': True})
    assert (tmp_path / 'run' / 'checkpoint.safetensors').read_bytes() == before


def test_what_does_not_change_the_result_may_change(tmp_path: Path):
    trained(tmp_path / 'run', steps=2)
    trained(tmp_path / 'run', steps=2, n_workers=1, log_interval=2, options={'resume': True})


def test_resuming_where_there_is_no_run_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match='--resume needs the folder of a run'):
        trained(tmp_path / 'nowhere', options={'resume': True})


def test_a_damaged_checkpoint_is_named(tmp_path: Path):
    trained(tmp_path / 'run', steps=2)
    path = tmp_path / 'run' / 'checkpoint.safetensors'
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match='cannot read checkpoint'):
        trained(tmp_path / 'run', steps=2, options={'resume': True})


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path):
    (tmp_path / 'precious.txt').write_text('mine')
    with pytest.raises(OutputError, match=r'not empty \(precious.txt\): add --resume .*--force'):
        trained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['precious.txt']


def test_force_replaces_a_run_and_nothing_else(whole: Path, tmp_path: Path):
    (tmp_path / 'precious.txt').write_text('mine')
    trained(tmp_path, options={'force': True}, seed=3)
    trained(tmp_path, options={'force': True})
    assert losses(tmp_path) == losses(whole)
    assert (tmp_path / 'precious.txt').read_text() == 'mine'
