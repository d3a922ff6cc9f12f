# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A checkpoint holds all that a run needs to go on; what is damaged or foreign is refused."""

from __future__ import annotations

import errno
from pathlib import Path

from clip_depth_ros.core import files
from clip_depth_ros.errors import OutputError, WeightsError
from clip_depth_ros.training.checkpoint import (
    load_checkpoint,
    optimizer_tensors,
    random_tensors,
    restore_module,
    restore_optimizer,
    restore_random,
    save_checkpoint,
)
import pytest
import safetensors.torch
import torch
from torch import nn

FACTS = {'step': 7, 'scores': {'best': {'abs_rel': 0.1}}, 'bad_frames': {'a': 'why'}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / 'checkpoint.safetensors'
    save_checkpoint(path, {'model': {'weight': torch.arange(6.0).reshape(2, 3)}}, FACTS)
    return path


def test_it_reads_back_what_was_written(path: Path):
    checkpoint = load_checkpoint(path)
    assert checkpoint.facts == FACTS
    assert checkpoint.part('model').keys() == {'weight'}
    torch.testing.assert_close(
        checkpoint.part('model')['weight'], torch.arange(6.0).reshape(2, 3)
    )
    assert checkpoint.part('mean') == {}


def test_an_optimiser_goes_on_as_if_it_had_not_stopped(tmp_path: Path):
    def step(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
        inputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed))
        optimizer.zero_grad()
        model(inputs).square().sum().backward()
        optimizer.step()

    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for seed in range(3):
        step(model, optimizer, seed)
    path = tmp_path / 'c.safetensors'
    parts = {'model': model.state_dict(), 'optimizer': optimizer_tensors(optimizer)}
    save_checkpoint(path, parts, {})
    step(model, optimizer, 3)

    other = nn.Linear(3, 2)
    other_optimizer = torch.optim.AdamW(other.parameters(), lr=0.1)
    checkpoint = load_checkpoint(path)
    restore_module(other, checkpoint.part('model'), path)
    restore_optimizer(other_optimizer, checkpoint.part('optimizer'))
    step(other, other_optimizer, 3)
    assert torch.equal(other.weight, model.weight)
    assert torch.equal(other.bias, model.bias)


def test_random_generators_go_on_too():
    states = random_tensors()
    first = torch.randn(3)
    restore_random(states)
    assert torch.equal(torch.randn(3), first)


@pytest.mark.parametrize('place', [9, 60, -1])
def test_a_flipped_byte_is_found(path: Path, place: int):
    data = bytearray(path.read_bytes())
    data[place] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=r'checkpoint|no checkpoint'):
        load_checkpoint(path)


@pytest.mark.parametrize('content', [b'', b'no checkpoint', b'\x00' * 100])
def test_what_is_no_safetensors_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / 'c.safetensors'
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r'cannot read checkpoint .* start anew with --force'):
        load_checkpoint(path)


def test_a_missing_one_is_named(tmp_path: Path):
    with pytest.raises(WeightsError, match='cannot read checkpoint'):
        load_checkpoint(tmp_path / 'absent.safetensors')


def test_weights_are_no_checkpoint(tmp_path: Path):
    path = tmp_path / 'w.safetensors'
    path.write_bytes(safetensors.torch.save({'a': torch.zeros(1)}, {'format': 'clip2depth'}))
    with pytest.raises(WeightsError, match=r'no checkpoint of a training run .*--init-weights'):
        load_checkpoint(path)


def test_one_of_another_model_is_refused(path: Path):
    with pytest.raises(WeightsError, match='is that of another model'):
        restore_module(nn.Linear(5, 5), load_checkpoint(path).part('model'), path)


def test_a_full_disk_leaves_the_last_one_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        self.open('wb').close()
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(files.Path, 'write_bytes', full)
    with pytest.raises(OutputError, match=r'No space left on device; free some space there'):
        save_checkpoint(path, {'model': {'weight': torch.zeros(9)}}, FACTS)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]
