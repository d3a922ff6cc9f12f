# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batches for training and validation: images from a source, or tokens from a cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from clip_depth_ros.errors import DataError
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.samples import Joined, SampleSource, Subset
from clip_depth_ros.training.clip import FrozenClip
from clip_depth_ros.training.distributed import Ranks
from clip_depth_ros.training.frames.augment import window_of
from clip_depth_ros.training.frames.frames import Batch, FrameSet, in_chunks, load_batches
from clip_depth_ros.training.frames.inputs import Inputs, plan_inputs
from clip_depth_ros.training.frames.order import Order
from clip_depth_ros.training.frames.tokens import (
    OnFrames,
    open_tokens,
    TokenCache,
    TokenKey,
    TokenSet,
    write_tokens,
)
from clip_depth_ros.types import Depth
import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class BadFrames:
    """Frames of a source that could not be read, each once: why, by name."""

    n_frames: int
    allowed_share: float
    problems: dict[str, str] = field(default_factory=dict)

    def counted(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Return batches on after counting what they could not read."""
        for batch in batches:
            self.add(batch.problems)
            yield batch

    def add(self, problems: Mapping[str, str]) -> None:
        """Count what a batch could not read; DataError if it is more than the allowed share."""
        self.problems.update(problems)
        if len(self.problems) > self.allowed_share * self.n_frames:
            name, reason = next(iter(self.problems.items()))
            raise DataError(
                f'{len(self.problems)} of {self.n_frames} frames could not be read, more than '
                f'bad_frame_share={self.allowed_share:g} allows; the first, {name}: {reason}. '
                'Repair or remove them, or allow more'
            )


@dataclass(frozen=True, slots=True)
class Feeds:
    """
    Where the batches of a run come from.

    Attributes
    ----------
    settings : TrainSettings
        Batch size, accumulation and seed are used.
    ranks : Ranks
        This process among the others.
    train : FrameSet or TokenSet
        Frames of training in their order, changed.
    held_out : FrameSet or TokenSet
        Frames of validation, one after the other, with true targets at their own size.
    truths : sequence of FrameSet
        Frames of training, of validation and of the test, if there is one, one after the other,
        with true targets at their own size.

    """

    settings: TrainSettings
    ranks: Ranks
    train: FrameSet | TokenSet
    held_out: FrameSet | TokenSet
    truths: Sequence[FrameSet]

    def train_batches(self, steps: range) -> Iterator[Batch]:
        """Return this process's batches of some steps, ``accumulate`` for each."""
        settings = self.settings
        positions = positions_of(steps, settings.batch_size, settings.accumulate, self.ranks)
        return _batches(self.train, positions, settings.n_workers)

    def held_out_batches(self) -> Iterator[Batch]:
        """Return this process's part of the held-out frames."""
        return self._each_once(self.held_out, self.truths[1].inputs)

    def test_batches(self) -> Iterator[Batch]:
        """Return this process's part of the frames of the test; none if there is no test."""
        for frames in self.truths[2:]:
            yield from self._each_once(frames, frames.inputs)

    def true_depth(self, frames: FrameSet) -> Iterator[Depth]:
        """Yield the true depth of each of some frames, at its own size, in each process."""
        # One by one: those of a batch need not be of one size, and their order decides a prior's.
        for batch in _batches(frames, in_chunks(range(len(frames)), 1), self.settings.n_workers):
            yield batch.targets_m[0].numpy()

    def _each_once(self, frames: FrameSet | TokenSet, inputs: Inputs) -> Iterator[Batch]:
        size = part_size(self.settings)
        chunks = [chunk for group in inputs.groups() for chunk in in_chunks(group, size)]
        mine = chunks[self.ranks.rank::self.ranks.world_size]
        return _batches(frames, mine, self.settings.n_workers)


def positions_of(
    steps: range, batch_size: int, accumulate: int, ranks: Ranks
) -> Iterator[list[int]]:
    """
    Yield the positions that one process loads, a list for each forward pass.

    A step takes ``batch_size`` frames, over all processes and its ``accumulate`` forward passes.
    ConfigError if they cannot be shared evenly.
    """
    n_each = batch_size // accumulate
    for step in steps:
        for part in range(accumulate):
            first = step * batch_size + part * n_each
            yield ranks.part_of(range(first, first + n_each))


def part_size(settings: TrainSettings) -> int:
    """Return how many frames go through the network at once."""
    return settings.batch_size // settings.accumulate


def open_feeds(
    settings: TrainSettings,
    sources: Sequence[SampleSource],
    inputs: Sequence[Inputs],
    clip: FrozenClip,
    ranks: Ranks,
    bad_frames: BadFrames,
    on_tokens: OnFrames,
) -> Feeds:
    """
    Get frames ready; with ``cache_tokens``, encode all of them first unless that was done.

    DataError if more frames cannot be read than allowed; OutputError if the cache cannot be
    written.
    """
    groups = inputs[0].groups(one_size=window_of(settings) is not None)
    order = Order(groups, settings.seed, part_size(settings))
    plain = FrameSet(sources[0], inputs[0], settings)
    truths = [
        FrameSet(source, its, settings, keep_target_size=True)
        for source, its in zip(sources, inputs, strict=True)
    ]
    if not settings.cache_tokens:
        return Feeds(settings, ranks, replace(plain, order=order), truths[1], truths)
    flips = settings.augment_flip
    kept = _cached(plain, clip, ranks, flips, on_tokens)
    bad_frames.add(kept.problems())
    kept_held_out = _cached(truths[1], clip, ranks, False, on_tokens)
    flipped = replace(kept, order=order, may_flip=flips)
    return Feeds(settings, ranks, flipped, kept_held_out, truths)


def _cached(
    frames: FrameSet, clip: FrozenClip, ranks: Ranks, has_flipped: bool, on_tokens: OnFrames
) -> TokenSet:
    """Return the tokens of some frames, a cache for each size of them."""
    source, picks = frames.source, np.arange(len(frames))
    # Parts of joined sources come in great numbers (leave-one-out): one cache serves them all.
    if isinstance(source, Subset) and isinstance(source.source, Joined):
        picks, source = np.array(source.indices), source.source
        own = frames.inputs
        inputs = plan_inputs(source, frames.settings, own.stride, own.focal_px)
        frames = replace(frames, source=source, inputs=inputs)
    groups = frames.inputs.groups()
    caches, places = [], np.zeros((len(source), 2), np.intp)
    for number, group in enumerate(groups):
        is_all = len(groups) == 1
        part = frames if is_all else _some_of(frames, group)
        caches.append(_cache_of(part, clip, ranks, has_flipped, on_tokens))
        places[group] = np.stack([np.full(len(group), number), np.arange(len(group))], axis=1)
    return TokenSet(caches, places[picks])


def _some_of(frames: FrameSet, numbers: NDArray[np.intp]) -> FrameSet:
    """Return some of the frames of a set."""
    return replace(
        frames,
        source=Subset(frames.source, tuple(map(int, numbers))),
        inputs=replace(frames.inputs, part_of=frames.inputs.part_of[numbers]),
    )


def _cache_of(
    frames: FrameSet, clip: FrozenClip, ranks: Ranks, has_flipped: bool, on_tokens: OnFrames
) -> TokenCache:
    """Return the tokens of frames of one size; the first process writes what is not there."""
    settings, source, inputs = frames.settings, frames.source, frames.inputs
    folder = user_path(settings.cache_dir or Path(settings.out_dir) / 'tokens')
    facts = {
        'backbone_hash': clip.hash,
        'taps': list(settings.taps),
        'pixels': settings.pixels,
        'size': list(inputs.of(0).size),
        'focal_px': inputs.focal_px,
        'arithmetic': str(clip.dtype),
        'source': {'name': source.name, **source.describe()},
        'crop': settings.crop,
        'sky_depth_m': settings.sky_depth_m,
        'keeps_target_size': frames.keep_target_size,
    }
    key = TokenKey(facts, len(frames), has_flipped)

    def write() -> TokenCache:
        chunks = in_chunks(range(len(frames)), part_size(settings))
        return write_tokens(
            folder,
            key,
            _batches(frames, chunks, settings.n_workers),
            clip.encode,
            stride=inputs.stride,
            target_dtype=np.float32 if frames.keep_target_size else np.float16,
            on_frames=on_tokens,
        )

    return ranks.in_turn(lambda: open_tokens(folder, key) or write())


def _batches(
    frames: FrameSet | TokenSet, positions: Iterable[Sequence[int]], n_workers: int
) -> Iterator[Batch]:
    """Yield the batches at some positions; DataError if a process that loads them has died."""
    if isinstance(frames, TokenSet):
        # Copied out of a memory map: handing that over from another process would cost more.
        yield from map(frames.batch, positions)
        return
    try:
        yield from load_batches(frames, positions, n_workers)
    except RuntimeError as error:
        if 'DataLoader worker' not in str(error):
            raise
        raise DataError(
            f'a process that loads frames has died ({error}): mostly it was stopped for its '
            'memory; lower n_workers or batch_size'
        ) from error
