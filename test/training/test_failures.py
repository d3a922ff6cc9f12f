# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in a training is told in words, and nothing is lost."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

from clip_depth_ros.errors import ConfigError, DataError, DeviceError, OutputError, TrainingError
from clip_depth_ros.model.backbone import build_backbone
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.training import keeper as keeper_module, learner as learner_module
from clip_depth_ros.training.clip import FrozenClip
from clip_depth_ros.training.leave_one_out import leave_one_out
from clip_depth_ros.training.loop import train
import numpy as np
import pytest
from ramps import Ramps
from small_training import losses, small_settings, small_sources, trained
import torch


def test_a_run_needs_a_folder():
    with pytest.raises(ConfigError, match='out_dir is needed'):
        train(small_settings(''), sources=small_sources())


def test_a_few_frames_that_cannot_be_read_are_named_and_skipped(tmp_path: Path):
    sources = (Ramps(10, bad=(3,)), Ramps(4, seed=1))
    result = trained(tmp_path / 'run', sources=sources, bad_frame_share=0.1)
    assert result.bad_frames == {'frame 3': 'frame 3 of ramps 0 is truncated'}
    report = json.loads((tmp_path / 'run' / 'report.json').read_text())
    assert report['bad_frames'] == result.bad_frames


@pytest.mark.parametrize('changes', [{}, {'cache_tokens': True}])
def test_held_out_frames_that_cannot_be_read_are_named_too(
    tmp_path: Path, changes: dict[str, Any]
):
    sources = (Ramps(4), Ramps(5, seed=1, bad=(2,)))
    result = trained(
        tmp_path / 'run', sources=sources, steps=1, bad_frame_share=0.2, **changes
    )
    assert result.bad_frames == {'held-out frame 2': 'frame 2 of ramps 1 is truncated'}
    assert result.last.n == sum(
        np.count_nonzero(Ramps(5, seed=1)[i].target_m > 1) for i in (0, 1, 3, 4)
    )


class Deadly(Ramps):
    """Frames that end the process that loads them."""

    def __getitem__(self, index: int) -> DepthSample:
        """Return a frame, or end it all."""
        if multiprocessing.parent_process() is not None:
            os._exit(9)
        return super().__getitem__(index)


def test_a_loading_process_that_dies_says_what_to_lower(tmp_path: Path):
    with pytest.raises(DataError, match=r'loads frames has died .*lower n_workers'):
        trained(tmp_path / 'run', sources=(Ramps(4), Deadly(4)), n_workers=1)


@pytest.mark.parametrize('changes', [{}, {'cache_tokens': True}])
def test_too_many_of_them_end_the_training(tmp_path: Path, changes: dict[str, Any]):
    with pytest.raises(DataError, match=r'1 of 10 frames could not be read, more than '
                       r'bad_frame_share=0.01 allows; the first, frame 3: .*truncated'):
        trained(tmp_path / 'run', sources=(Ramps(10, bad=(3,)), Ramps(4)), **changes)


class Broken(Ramps):
    """Frames with something wrong."""

    def __init__(self, n_frames: int, scale: float) -> None:
        super().__init__(n_frames)
        self._scale = scale

    def __getitem__(self, index: int) -> DepthSample:
        """Return a frame in another unit."""
        sample = super().__getitem__(index)
        return DepthSample(sample.name, sample.rgb, sample.target_m * np.float32(self._scale))


@pytest.mark.parametrize(('sources', 'message'), [
    ((Ramps(0), Ramps(2)), 'has no frames'),
    ((Ramps(2), Ramps(0)), 'has no frames'),
    ((Broken(3, 1000.0), Ramps(2)), 'unit is not metres'),
    ((Broken(3, 0.0), Ramps(2)), 'has any depth'),
])
def test_frames_that_cannot_be_right_are_found_before_the_first_step(
    tmp_path: Path, sources: Any, message: str
):
    with pytest.raises(DataError, match=message):
        trained(tmp_path / 'run', sources=sources)
    assert not (tmp_path / 'run' / 'train.csv').exists()


def test_a_loss_that_is_no_number_ends_it_and_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real, calls = learner_module.total_loss, 0

    def broken(depth_m: Any, *rest: Any) -> Any:
        nonlocal calls
        calls += 1
        return real(depth_m, *rest) * (float('nan') if calls == 4 else 1)

    monkeypatch.setattr(learner_module, 'total_loss', broken)
    with pytest.raises(TrainingError, match=r'loss of step 3 .* at frames ramps 0 frame \d'):
        trained(tmp_path / 'run')
    monkeypatch.undo()
    assert [step for step, _ in losses(tmp_path / 'run')] == [1, 2, 3]
    trained(tmp_path / 'run', options={'resume': True})  # from the checkpoint of step 2


def test_running_out_of_memory_says_what_to_lower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError('CUDA out of memory')

    monkeypatch.setattr(learner_module, 'total_loss', full)
    with pytest.raises(DeviceError, match=r'ran out of memory .*lower batch_size, raise accum'):
        trained(tmp_path / 'run')


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real, calls = keeper_module.save_checkpoint, 0

    def full(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OutputError('cannot write: ' + os.strerror(errno.ENOSPC))
        real(*arguments)

    monkeypatch.setattr(keeper_module, 'save_checkpoint', full)
    with pytest.raises(OutputError, match='No space left'):
        trained(tmp_path / 'run')
    monkeypatch.undo()
    trained(tmp_path / 'run', options={'resume': True})
    assert [step for step, _ in losses(tmp_path / 'run')] == list(range(1, 9))


def test_the_batch_must_fit_the_processes(tmp_path: Path):
    with pytest.raises(ConfigError, match='batch_size must be a multiple of accumulate'):
        trained(tmp_path, accumulate=3)


@pytest.mark.parametrize('has_bf16', [True, False])
def test_the_cpu_computes_in_what_it_has_instructions_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_bf16: bool
):
    monkeypatch.setattr(torch.cpu, '_is_avx512_bf16_supported', lambda: has_bf16, raising=False)
    settings = small_settings(tmp_path, amp='auto')
    backbone = build_backbone(settings.backbone_settings(), 'cpu', 'fp32')
    wanted = torch.bfloat16 if has_bf16 else torch.float32
    assert FrozenClip(backbone, settings).dtype == wanted


def test_too_many_frames_to_leave_each_out(tmp_path: Path):
    with pytest.raises(ConfigError, match='for 2 to 200 frames, got 201'):
        leave_one_out(small_settings(tmp_path), sources=(Ramps(200), Ramps(1)))
