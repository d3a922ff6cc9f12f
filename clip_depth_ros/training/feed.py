# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batches for training and validation: images from a source, or tokens from a cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import DataError
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.samples import Joined, SampleSource, Subset
from clip_depth_ros.training.clip import FrozenClip
from clip_depth_ros.training.distributed import Ranks
from clip_depth_ros.training.frames import (
    Batch,
    FrameSet,
    in_chunks,
    load_batches,
    Order,
    positions_of,
)
from clip_depth_ros.training.tokens import (
    OnFrames,
    open_tokens,
    TokenCache,
    TokenKey,
    TokenSet,
    write_tokens,
)
import numpy as np


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
    plain : FrameSet or TokenSet
        The same one after the other, unchanged.
    held_out : FrameSet or TokenSet
        Frames of validation, one after the other, with targets at their own size.

    """

    settings: TrainSettings
    ranks: Ranks
    train: FrameSet | TokenSet
    plain: FrameSet | TokenSet
    held_out: FrameSet | TokenSet

    def train_batches(self, steps: range) -> Iterator[Batch]:
        """Return this process's batches of some steps, ``accumulate`` for each."""
        settings = self.settings
        positions = positions_of(steps, settings.batch_size, settings.accumulate, self.ranks)
        return _batches(self.train, positions, settings.n_workers)

    def held_out_batches(self) -> Iterator[Batch]:
        """Return this process's part of the held-out frames."""
        return self._each_once(self.held_out)

    def plain_batches(self) -> Iterator[Batch]:
        """Return this process's part of the training frames, each once and unchanged."""
        return self._each_once(self.plain)

    def _each_once(self, frames: FrameSet | TokenSet) -> Iterator[Batch]:
        chunks = in_chunks(len(frames), part_size(self.settings))
        mine = chunks[self.ranks.rank::self.ranks.world_size]
        return _batches(frames, mine, self.settings.n_workers)


def part_size(settings: TrainSettings) -> int:
    """Return how many frames go through the network at once."""
    return settings.batch_size // settings.accumulate


def open_feeds(
    settings: TrainSettings,
    sources: tuple[SampleSource, SampleSource],
    size: Size,
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
    train_source, held_out_source = sources
    order = Order(len(train_source), settings.seed)
    plain = FrameSet(train_source, size, settings)
    held_out = FrameSet(held_out_source, size, settings, keep_target_size=True)
    if not settings.cache_tokens:
        return Feeds(settings, ranks, replace(plain, order=order), plain, held_out)
    flips = settings.augment_flip
    kept = _cached(plain, clip, ranks, flips, on_tokens)
    bad_frames.add(kept.problems())
    kept_held_out = _cached(held_out, clip, ranks, False, on_tokens)
    return Feeds(
        settings, ranks, replace(kept, order=order, may_flip=flips), kept, kept_held_out
    )


def _cached(
    frames: FrameSet, clip: FrozenClip, ranks: Ranks, has_flipped: bool, on_tokens: OnFrames
) -> TokenSet:
    """Return the tokens of some frames; the first process writes them if they are not there."""
    settings, source, picks = frames.settings, frames.source, tuple(range(len(frames)))
    folder = user_path(settings.cache_dir or Path(settings.out_dir) / 'tokens')
    # Parts of joined sources come in great numbers (leave-one-out): one cache serves them all.
    if isinstance(source, Subset) and isinstance(source.source, Joined):
        picks, source = source.indices, source.source
        frames = replace(frames, source=source)
    facts = {
        'backbone_hash': clip.hash,
        'taps': list(settings.taps),
        'pixels': settings.pixels,
        'size': list(frames.size),
        'arithmetic': str(clip.dtype),
        'source': {'name': source.name, **source.describe()},
        'crop': settings.crop,
        'keeps_target_size': frames.keep_target_size,
    }
    key = TokenKey(facts, len(frames), has_flipped)

    def write() -> TokenCache:
        chunks = in_chunks(len(frames), part_size(settings))
        return write_tokens(
            folder,
            key,
            _batches(frames, chunks, settings.n_workers),
            clip.encode,
            target_dtype=np.float32 if frames.keep_target_size else np.float16,
            on_frames=on_tokens,
        )

    return TokenSet(ranks.in_turn(lambda: open_tokens(folder, key) or write()), picks)


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
