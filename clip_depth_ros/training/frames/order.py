# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The order of training's frames: which one comes when, and with which random numbers.

It is a function of the seed and the position alone: position p is the p-th frame that training
sees, over all epochs and processes. So the order is the same for any number of workers and
processes, and a resumed run needs nothing but its step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_SHUFFLE, _AUGMENT, _TURNS, _WINDOW = 1, 2, 3, 4  # streams of random numbers

Numbers = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """
    The order of frames by seed: epochs of all frames, each shuffled, one after the other.

    Frames of several sizes cannot go through the network together. Those of one group then come
    ``n_together`` at a time; groups take turns by chance, about as often as they have frames, and
    each has its own epochs.

    Attributes
    ----------
    groups : sequence of intp (n,)
        The numbers of the frames of each group; one group is the usual case.
    seed : int
        Of everything.
    n_together : int
        Frames that go through the network at once, over all processes.

    """

    groups: Sequence[Numbers]
    seed: int
    n_together: int = 1

    def frame_at(self, position: int) -> int:
        """Return the number of the frame that comes at a position."""
        group, place = 0, position
        if len(self.groups) > 1:
            turn, within = divmod(position, self.n_together)
            counts = tuple(max(1, round(len(each) / self.n_together)) for each in self.groups)
            period, number = divmod(turn, sum(counts))
            group, earlier = _turns(counts, self.seed, period)[number]
            place = (period * counts[group] + earlier) * self.n_together + within
        frames = self.groups[group]
        epoch, place = divmod(place, len(frames))
        return int(frames[_shuffled(len(frames), self.seed, epoch, group)[place]])

    def rng_at(self, position: int) -> np.random.Generator:
        """Return the random generator for the augmentation of the frame at a position."""
        return np.random.default_rng((self.seed, _AUGMENT, position))

    def rng_together(self, position: int) -> np.random.Generator:
        """Return the random generator of all frames that go through the network with this one."""
        return np.random.default_rng((self.seed, _WINDOW, position // self.n_together))


def one_group(n_frames: int) -> tuple[Numbers]:
    """Return the group of all frames: they have one size."""
    return (np.arange(n_frames),)


@lru_cache(maxsize=64)
def _shuffled(n_frames: int, seed: int, epoch: int, group: int) -> Numbers:
    # The first group as it was when there was but one: the order of those runs stays.
    stream = (seed, _SHUFFLE, epoch, group) if group else (seed, _SHUFFLE, epoch)
    return np.random.default_rng(stream).permutation(n_frames)


@lru_cache(maxsize=4)
def _turns(counts: tuple[int, ...], seed: int, period: int) -> list[tuple[int, int]]:
    """Return whose turn it is, and how many turns it has had before in this period."""
    rng = np.random.default_rng((seed, _TURNS, period))
    groups = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    had = [0] * len(counts)
    turns = []
    for group in map(int, groups):
        turns.append((group, had[group]))
        had[group] += 1
    return turns
