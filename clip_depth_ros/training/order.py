# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Which frame comes when, and with which dice: functions of the seed and the position alone.

Position p is the p-th frame that training sees, over all epochs and processes. So the order is the
same for any number of workers and processes, and a resumed run needs nothing but its step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from clip_depth_ros.training.distributed import Ranks
import numpy as np
from numpy.typing import NDArray

_SHUFFLE, _AUGMENT = 1, 2  # different dice


@dataclass(frozen=True, slots=True)
class Order:
    """
    The order of frames: each epoch shuffled, one after the other.

    Attributes
    ----------
    n_frames : int
        Frames of one epoch.
    seed : int
        Another seed, another order.

    """

    n_frames: int
    seed: int

    def frame_at(self, position: int) -> int:
        """Give the number of the frame that comes at a position."""
        epoch, place = divmod(position, self.n_frames)
        return int(_shuffled(self.n_frames, self.seed, epoch)[place])

    def dice_at(self, position: int) -> np.random.Generator:
        """Give the random generator for the augmentation of the frame at a position."""
        return np.random.default_rng((self.seed, _AUGMENT, position))


@dataclass(frozen=True, slots=True)
class Positions:
    """
    The positions that one process loads, one list for each forward pass.

    Attributes
    ----------
    steps : range
        Optimiser steps to do.
    batch_size : int
        Frames of a step, over all processes and accumulations.
    accumulate : int
        Forward passes of a step.
    ranks : Ranks
        This process among the others.

    """

    steps: range
    batch_size: int
    accumulate: int
    ranks: Ranks

    def __len__(self) -> int:
        return len(self.steps) * self.accumulate

    def __iter__(self) -> Iterator[list[int]]:
        n_each = self.batch_size // self.accumulate
        for step in self.steps:
            for part in range(self.accumulate):
                first = step * self.batch_size + part * n_each
                yield self.ranks.part_of(range(first, first + n_each))


@lru_cache(maxsize=2)
def _shuffled(n_frames: int, seed: int, epoch: int) -> NDArray[np.intp]:
    return np.random.default_rng((seed, _SHUFFLE, epoch)).permutation(n_frames)
