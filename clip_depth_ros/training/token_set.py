# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batches out of a token cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clip_depth_ros.training.frames import Batch
from clip_depth_ros.training.order import Order
from clip_depth_ros.training.tokens import TokenCache
import torch
from torch.utils.data import Dataset


@dataclass(frozen=True, slots=True)
class TokenSet(Dataset[Batch]):
    """
    Batches out of a cache by positions.

    Attributes
    ----------
    cache : TokenCache
        Where they come from.
    frames : sequence of int
        Which frames of it.
    order : Order, optional
        Which of these comes at a position, and whether flipped; without, the position says.
    may_flip : bool
        Whether half of them are flipped.

    """

    cache: TokenCache
    frames: Sequence[int]
    order: Order | None = None
    may_flip: bool = False

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, position: int) -> Batch:
        return self.batch([position])

    def problems(self) -> dict[str, str]:
        """Say of those frames that could not be read, why."""
        return self._problems([self.cache.names[frame] for frame in self.frames])

    def batch(self, positions: Sequence[int]) -> Batch:
        """Give the frames at some positions."""
        picks = [self._pick(position) for position in positions]
        frames, views = [frame for frame, _ in picks], [view for _, view in picks]
        names = [self.cache.names[frame] for frame in frames]
        targets_m = [
            self.cache.target_m(frame)[:, ::-1 if view else 1].copy() for frame, view in picks
        ]
        return Batch(
            names=names,
            rgbs=None,
            tokens=torch.from_numpy(self.cache.tokens[frames, views]),
            size=self.cache.size,
            targets_m=[torch.from_numpy(each) for each in targets_m],
            problems=self._problems(names),
        )

    def _pick(self, position: int) -> tuple[int, int]:
        """Give frame and view at a position."""
        if self.order is None:
            return self.frames[position], 0
        view = int(self.may_flip and self.order.dice_at(position).random() < 0.5)
        return self.frames[self.order.frame_at(position)], view

    def _problems(self, names: Sequence[str]) -> dict[str, str]:
        known = self.cache.problems
        return {name: known[name] for name in names if name in known}
