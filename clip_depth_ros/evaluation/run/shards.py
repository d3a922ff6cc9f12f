# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
One evaluation shared by processes, of one machine or several that see the same folder.

Each does a contiguous part of the batches. They need not talk: what is done is in the journals.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
import os
import time
from typing import Any

from clip_depth_ros.errors import ConfigError, OutputError
from clip_depth_ros.evaluation.run.journal import JournalWatch


@dataclass(frozen=True, slots=True)
class Shard:
    """
    Which of how many processes this is.

    Raises
    ------
    ConfigError
        If there is no such process.

    """

    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world_size:
            raise ConfigError(
                f'RANK must be from 0 to WORLD_SIZE - 1, got RANK={self.rank}, '
                f'WORLD_SIZE={self.world_size}: start with torchrun, or set neither'
            )

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that puts the results together."""
        return self.rank == 0

    def part_of(self, n_batches: int) -> range:
        """
        Give the numbers of this process's batches.

        They are a part of all batches, whatever is done already: when work goes on, processes
        that started at different times still agree on who does what.
        """
        first, end = (n_batches * rank // self.world_size for rank in (self.rank, self.rank + 1))
        return range(first, end)


def shard_from(environ: Mapping[str, str]) -> Shard:
    """
    Give the part that torchrun has meant for a process; all without torchrun.

    Raises
    ------
    ConfigError
        If RANK or WORLD_SIZE is no number, or they do not go together.

    """
    try:
        return Shard(int(environ.get('RANK', '0')), int(environ.get('WORLD_SIZE', '1')))
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(
            f'RANK and WORLD_SIZE must be whole numbers, got {environ.get("RANK")!r} and '
            f'{environ.get("WORLD_SIZE")!r}: start with torchrun, or set neither'
        ) from error


def wait_for_all(
    out_dir: str | os.PathLike[str],
    n_frames: int,
    identity: Mapping[str, Any],
    *,
    patience_s: float = 600.0,
    poll_s: float = 0.2,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """
    Return when all frames are in the journals.

    Parameters
    ----------
    out_dir : str or Path
        Folder of the evaluation.
    n_frames : int
        How many there are.
    identity : mapping
        Of the evaluation.
    patience_s : float
        How long no new frame may come.
    poll_s : float
        How often to look.
    on_progress : callable
        Gets the number of frames that are done, and ``n_frames``.

    Raises
    ------
    OutputError
        If no frame came for so long: a process has ended, or hangs.

    """
    watch, n_done, since_s = JournalWatch(out_dir, identity), -1, time.monotonic()
    while len(done := watch.look()) < n_frames:
        if len(done) > n_done:
            n_done, since_s = len(done), time.monotonic()
            on_progress(n_done, n_frames)
        elif time.monotonic() - since_s > patience_s:
            raise OutputError(
                f'{n_frames - n_done} of {n_frames} frames are missing ({_first(done, n_frames)} '
                f'is the first), and none came for {patience_s:g} s: another process has failed '
                'or hangs; start all of them again, they go on from there'
            )
        time.sleep(poll_s)
    on_progress(n_frames, n_frames)


def _first(done: Collection[int], n_frames: int) -> int:
    return next(index for index in range(n_frames) if index not in done)
