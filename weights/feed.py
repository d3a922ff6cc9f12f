# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Which frames each step of the contrastive training sees, and what is said of them.

All of it follows from the seed and the number of the step alone, so that training goes on from
any step as if it had never stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
import math
from typing import Final, NamedTuple

from clip_depth_ros.world.rendered_streets import Frames
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
from weights.augment import draw_windows, look_through, relit
from weights.captions import patch_histograms, Vocabulary

_BATCH_PIXELS: Final = 320 * 96
"""A step sees ``batch`` frames of so many pixels; of larger ones fewer, of smaller ones more."""
_ORDER, _CHANGES = 1, 2
"""What random numbers are for."""


class Batch(NamedTuple):
    """
    What a step learns from.

    Attributes
    ----------
    rgb : float32 (B, H, W, 3)
        In [0, 1].
    shares : float32 (B, grid_h, grid_w, C)
        To what share each caption is true of each patch; sums to 1 over C.
    rng : numpy.random.Generator
        For what else the step draws.

    """

    rgb: Tensor
    shares: Tensor
    rng: np.random.Generator


class Feed:
    """
    The batches of a training, by the number of the step.

    Each step sees frames of one size. Every frame comes once before any comes again, but for the
    few that are left over where they do not fill a batch.

    Parameters
    ----------
    frames : sequence of Frames
        Each of one size, whole patches.
    vocabulary : Vocabulary
        What is said of them.
    batch : int
        Frames of 320 x 96 pixels in a step; of other sizes as many as have as many pixels.
    patch : (int, int)
        Height and width, pixels.
    seed : int
        Of the order and of all that is varied.
    device : str
        Gets the batches.

    """

    def __init__(
        self,
        frames: Sequence[Frames],
        vocabulary: Vocabulary,
        *,
        batch: int,
        patch: tuple[int, int],
        seed: int,
        device: str,
    ) -> None:
        self._frames, self._vocabulary, self._patch = frames, vocabulary, patch
        self._seed, self._device = seed, device
        self._batch = [
            max(1, round(batch * _BATCH_PIXELS / math.prod(each.depth_m.shape[1:])))
            for each in frames
        ]
        self._order: tuple[int, list[tuple[int, NDArray[np.int64]]]] = (-1, [])

    def batch(self, step: int) -> Batch:
        """Return what a step, from 0 on, learns from."""
        which, indices = self.frames_of(step)
        frames, device = self._frames[which], self._device
        rng = np.random.default_rng((self._seed, _CHANGES, step))
        noise = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
        rgb, depth_m, class_ids = (
            torch.from_numpy(np.asarray(part[indices])).to(device)
            for part in (frames.rgb, frames.depth_m, frames.class_ids)
        )
        size = (depth_m.shape[1], depth_m.shape[2])
        windows = draw_windows(rng, len(indices), size, self._patch)
        seen = look_through(windows, rgb, depth_m, class_ids)
        kinds = patch_histograms(seen.depth_m, seen.class_ids, self._patch, self._vocabulary)
        # ``object`` is said as often as the kind.
        shares = torch.cat([kinds.flatten(3), kinds.sum(dim=3)], dim=-1) / 2
        return Batch(relit(seen.rgb, rng, noise), shares, rng)

    def frames_of(self, step: int) -> tuple[int, NDArray[np.int64]]:
        """Return which of the ``frames``, and the indices in them, ascending, a step sees."""
        n_batches = [
            max(1, len(each) // batch)
            for each, batch in zip(self._frames, self._batch, strict=True)
        ]
        epoch, number = divmod(step, sum(n_batches))
        if self._order[0] != epoch:
            rng = np.random.default_rng((self._seed, _ORDER, epoch))
            batches = [
                (which, np.sort(indices))  # in the order of the file
                for which, n in enumerate(n_batches)
                for indices in self._shuffled(which, n, rng)
            ]
            self._order = (epoch, [batches[i] for i in rng.permutation(len(batches))])
        return self._order[1][number]

    def _shuffled(
        self, which: int, n_batches: int, rng: np.random.Generator
    ) -> list[NDArray[np.int64]]:
        n_frames, batch = len(self._frames[which]), self._batch[which]
        order = rng.permutation(n_frames)
        return [order[i * batch:(i + 1) * batch] for i in range(n_batches)]
