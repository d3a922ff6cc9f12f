# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A damaged CLIP that loads is noticed: by what is known of the file, or was kept of it."""

from __future__ import annotations

import hashlib
from pathlib import Path
import shutil

from clip_depth_ros.errors import WeightsError
from clip_depth_ros.model import hub
from clip_depth_ros.model.architecture import Architecture
from clip_depth_ros.model.weights import load_weights, read_weights
from clip_depth_ros.settings.installation import assets_dir, BUNDLED_CLIP, BUNDLED_RESULTS
import pytest
from safetensors.torch import save_file
from small_clips import lively, SMALL_RESNET
import torch
from torch import nn, Tensor

State = dict[str, Tensor]


def new_model() -> nn.Module:
    return Architecture('small', SMALL_RESNET).new_model()


@pytest.fixture(scope='module')
def state() -> State:
    return lively(new_model().state_dict())


def written(path: Path, state: State) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == '.safetensors':
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    else:
        torch.save(state, path)
    return path


def used(path: Path) -> None:
    """Use a file as the weights of a frozen CLIP."""
    load_weights(new_model(), read_weights(path), 'small')


def damaged(path: Path) -> Path:
    """Flip a bit of a sign in the middle of a file: weights like any other."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 | 3] ^= 0x80
    path.write_bytes(data)
    return path


class TestKeptBesideAFile:
    def test_what_was_used_once_is_noticed_when_it_changes(self, tmp_path: Path, state: State):
        path = written(tmp_path / 'clip.safetensors', state)
        used(path)
        used(path)
        with pytest.raises(WeightsError, match=(
            r"clip\.safetensors': its SHA-256 is .* should be .* by clip\.safetensors\.sha256: "
            r"the file is damaged, copy it again; if it is another one on purpose, remove '"
        )):
            used(damaged(path))

    def test_it_is_as_sha256sum_writes_it(self, tmp_path: Path, state: State):
        path = written(tmp_path / 'clip.safetensors', state)
        used(path)
        kept = (tmp_path / 'clip.safetensors.sha256').read_text()
        assert kept == f'{hashlib.sha256(path.read_bytes()).hexdigest()}  clip.safetensors\n'

    def test_a_publisher_s_is_believed(self, tmp_path: Path, state: State):
        path = written(tmp_path / 'clip.safetensors', state)
        (tmp_path / 'clip.safetensors.sha256').write_text('AB' * 32 + ' *clip.safetensors\n')
        with pytest.raises(WeightsError, match=r'should be abababababab\.\.\.'):
            read_weights(path)

    @pytest.mark.parametrize('text', ['', 'md5 of it', '\xff', 'ab' * 31])
    def test_what_is_no_checksum_is_named(self, tmp_path: Path, state: State, text: str):
        path = written(tmp_path / 'clip.safetensors', state)
        (tmp_path / 'clip.safetensors.sha256').write_text(text)
        with pytest.raises(WeightsError, match=r'should begin with a SHA-256, as sha256sum'):
            read_weights(path)

    def test_nothing_is_kept_where_nothing_can_be_written(self, tmp_path: Path, state: State):
        # Root may write anywhere, but no name of more than 255 letters.
        path = written(tmp_path / f'{"c" * 240}.safetensors', state)
        used(path)
        assert [*tmp_path.iterdir()] == [path]

    def test_what_does_not_fit_was_not_used(self, tmp_path: Path, state: State):
        path = written(tmp_path / 'clip.safetensors', {**state, 'more': torch.zeros(2)})
        with pytest.raises(WeightsError, match='do not fit'):
            used(path)
        assert [*tmp_path.iterdir()] == [path]


class TestKnown:
    def test_the_cache_of_the_hub_names_files_by_it(self, tmp_path: Path, state: State):
        path = written(tmp_path / 'new.safetensors', state)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        blob = tmp_path / 'models--a--b' / 'blobs' / sha256
        blob.parent.mkdir(parents=True)
        path.rename(blob)
        link = tmp_path / 'models--a--b' / 'snapshots' / '0' / 'open_clip_model.safetensors'
        link.parent.mkdir(parents=True)
        link.symlink_to(blob)
        used(link)
        assert [*link.parent.iterdir()] == [link]
        damaged(blob)
        with pytest.raises(WeightsError, match=r'its name in the cache of the hub.*, remove '):
            used(link)

    def test_open_clip_s_files_have_its_start_in_their_names(self, tmp_path: Path, state: State):
        path = written(tmp_path / 'rn50-quickgelu-yfcc15m-455df137.pt', state)
        with pytest.raises(WeightsError, match=r'should be 455df137\.\.\. by its name'):
            read_weights(path)

    def test_the_bundled_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        for name in (BUNDLED_CLIP, BUNDLED_RESULTS):
            shutil.copy(assets_dir() / name, tmp_path / name)
        monkeypatch.setattr(hub, 'assets_dir', lambda: tmp_path)
        read_weights(tmp_path / BUNDLED_CLIP)
        with pytest.raises(WeightsError, match=r'tiny_results\.json.*install clip_depth'):
            read_weights(damaged(tmp_path / BUNDLED_CLIP))


@pytest.mark.parametrize('with_checksums', [True, False])
def test_archives_of_pytorch_have_checksums_which_it_ignores(
    tmp_path: Path, state: State, with_checksums: bool
):
    try:
        torch.serialization.set_crc32_options(with_checksums)
        path = written(tmp_path / 'clip.pt', state)
    finally:
        torch.serialization.set_crc32_options(True)
    damaged(path)
    assert torch.load(path)
    if with_checksums:
        with pytest.raises(WeightsError, match=r'CRC-32.*clip/data.*it is damaged, fetch it'):
            read_weights(path)
    else:
        used(path)


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32])
def test_a_flipped_exponent_is_out_of_line(tmp_path: Path, state: State, dtype: torch.dtype):
    """Finite, and within what half precision holds: no other weight is nearly as large."""
    name = 'visual.conv1.weight'
    changed = {**state, name: state[name].to(dtype, copy=True)}
    changed[name].view(-1)[5] = 2.0**13
    with pytest.raises(WeightsError, match=r'visual\.conv1\.weight \(8\.19e\+03, the ninth of it'):
        used(written(tmp_path / 'clip.safetensors', changed))


def test_variances_may_differ_by_as_much(tmp_path: Path, state: State):
    name = next(name for name, each in state.items()
                if name.endswith('running_var') and each.numel() >= 64)
    changed = {**state, name: torch.full_like(state[name], 1e-3)}
    changed[name][0] = 150
    used(written(tmp_path / 'clip.safetensors', changed))
