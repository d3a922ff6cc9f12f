# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tokens on disk are those of the frames; what is half-written, damaged or foreign is not used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import OutputError
from clip_depth_ros.training.frames import tokens as tokens_module
from clip_depth_ros.training.frames.frames import FrameSet, in_chunks, load_batches
from clip_depth_ros.training.frames.inputs import plan_inputs
from clip_depth_ros.training.frames.order import one_group, Order
from clip_depth_ros.training.frames.tokens import (
    open_tokens,
    TokenCache,
    TokenKey,
    TokenSet,
    write_tokens,
)
import numpy as np
from numpy.typing import NDArray
import pytest
from ramps import HEIGHT, Ramps, WIDTH
from small_training import small_settings

SIZE, STRIDE = Size(HEIGHT, WIDTH), Size(8, 16)
KEY = TokenKey({'backbone_hash': 'abc', 'size': [HEIGHT, WIDTH]}, n_frames=5, has_flipped=True)


def encode(rgbs: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Stand in for a CLIP: one tap, one token for each quarter of the width, two channels."""
    means = rgbs.reshape(len(rgbs), HEIGHT, 4, WIDTH // 4, 3).mean(axis=(1, 3))
    return means[:, np.newaxis, :, :2].astype(np.float16)


def ramps(**options: Any) -> FrameSet:
    source, settings = Ramps(5, **options), small_settings('')
    return FrameSet(source, plan_inputs(source, settings, STRIDE, 0.0), settings)


def places(*frames: int) -> NDArray[np.intp]:
    return np.array([(0, frame) for frame in frames])


def written(folder: Path, key: TokenKey = KEY, **options: Any) -> TokenCache:
    batches = load_batches(ramps(bad=options.pop('bad', ())), in_chunks(range(5), 2), 0)
    return write_tokens(
        folder, key, batches, encode, stride=STRIDE,
        **{'target_dtype': np.float16, **options},
    )


def test_they_are_those_of_the_frames_in_both_views(tmp_path: Path):
    written(tmp_path)
    cache = open_tokens(tmp_path, KEY)
    assert cache is not None
    for index in range(5):
        sample = Ramps(5)[index]
        assert cache.names[index] == sample.name
        np.testing.assert_array_equal(cache.tokens[index, 0], encode(sample.rgb[np.newaxis])[0])
        np.testing.assert_array_equal(
            cache.tokens[index, 1], encode(sample.rgb[np.newaxis, :, ::-1])[0]
        )
        np.testing.assert_allclose(cache.target_m(index), sample.target_m, rtol=5e-4)


def test_full_targets_are_exact(tmp_path: Path):
    cache = written(tmp_path, target_dtype=np.float32)
    np.testing.assert_array_equal(cache.target_m(3), Ramps(5)[3].target_m)


def test_batches_are_flipped_with_their_targets(tmp_path: Path):
    order = Order(one_group(5), seed=1)
    batches = TokenSet([written(tmp_path)], places(*range(5)), order, may_flip=True)
    seen = set()
    for position in range(20):
        batch = batches.batch([position])
        frame, view = order.frame_at(position), int(order.rng_at(position).random() < 0.5)
        seen.add(view)
        target_m = Ramps(5)[frame].target_m[:, ::-1 if view else 1]
        np.testing.assert_allclose(batch.targets_m[0], target_m, rtol=5e-4)
        np.testing.assert_array_equal(batch.tokens[0], batches.caches[0].tokens[frame, view])
    assert seen == {0, 1}


def test_a_part_of_the_frames_keeps_their_numbers(tmp_path: Path):
    batch = TokenSet([written(tmp_path)], places(4, 2)).batch([0, 1])
    assert batch.names == [Ramps(5)[4].name, Ramps(5)[2].name]
    assert batch.size == SIZE


def test_frames_that_cannot_be_read_are_remembered(tmp_path: Path):
    cache = written(tmp_path, bad=(1,))
    assert cache.problems == {'frame 1': 'frame 1 of ramps 0 is truncated'}
    assert not cache.target_m(1).any()
    assert TokenSet([cache], places(*range(5))).problems() == cache.problems
    assert TokenSet([cache], places(*range(5))).batch([1, 2]).problems == cache.problems
    assert TokenSet([cache], places(0, 2)).problems() == {}


@pytest.mark.parametrize('other', [
    replace(KEY, facts={'backbone_hash': 'def', 'size': [HEIGHT, WIDTH]}),
    replace(KEY, n_frames=6),
    replace(KEY, has_flipped=False),
])
def test_those_of_other_content_are_not_taken(tmp_path: Path, other: TokenKey):
    written(tmp_path)
    assert open_tokens(tmp_path, other) is None


@pytest.mark.parametrize('name', ['manifest.json', 'tokens.bin', 'targets.bin'])
@pytest.mark.parametrize('damage', ['gone', 'shorter', 'empty'])
def test_damaged_ones_are_written_anew(tmp_path: Path, name: str, damage: str):
    written(tmp_path)
    path = tmp_path / KEY.name() / name
    if damage == 'gone':
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-10] if damage == 'shorter' else b'')
    assert open_tokens(tmp_path, KEY) is None
    written(tmp_path)
    assert open_tokens(tmp_path, KEY) is not None


def test_half_written_ones_leave_nothing_that_could_be_used(tmp_path: Path):
    calls = 0

    def failing(rgbs: NDArray[np.uint8]) -> NDArray[np.float16]:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise KeyboardInterrupt
        return encode(rgbs)

    batches = load_batches(ramps(), in_chunks(range(5), 2), 0)
    with pytest.raises(KeyboardInterrupt):
        write_tokens(
            tmp_path, KEY, batches, failing, stride=STRIDE, target_dtype=np.float16
        )
    assert open_tokens(tmp_path, KEY) is None
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path):
    leftover = tmp_path / f'.{KEY.name()}.0123abcd.tmp'
    leftover.mkdir()
    (leftover / 'tokens.bin').write_bytes(b'many gigabytes')
    written(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [KEY.name()]


def test_a_full_disk_is_told_before_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    usage = tokens_module.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(tokens_module.shutil, 'disk_usage', lambda folder: usage)
    with pytest.raises(OutputError, match=r'token cache needs .* GB .* another cache_dir'):
        written(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told(tmp_path: Path):
    told: list[tuple[int, int]] = []
    written(tmp_path, on_frames=lambda done, total: told.append((done, total)))
    assert told == [(2, 5), (4, 5), (5, 5)]
