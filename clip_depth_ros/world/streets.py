# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which frames of which synthetic streets: their numbers, seeds and times."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

_FIRST_FRAME: Final = 7
_FRAME_STEP: Final = 53


@dataclass(frozen=True, slots=True)
class Streets:
    """
    Which frames of which synthetic streets.

    Attributes
    ----------
    first_seed, n_seeds : int
        The streets.
    frames_per_seed : int
        Frames of each.
    width, height : int
        Image size, pixels.
    frame_step : int
        Steps of 0.1 s between frames; by default 5.3 s, so that they show different stretches of
        a street; 1 makes them a film.

    """

    first_seed: int
    n_seeds: int
    frames_per_seed: int
    width: int = 320
    height: int = 96
    frame_step: int = _FRAME_STEP

    def __len__(self) -> int:
        return self.n_seeds * self.frames_per_seed

    @property
    def seeds(self) -> range:
        """Give the seeds of the streets."""
        return range(self.first_seed, self.first_seed + self.n_seeds)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Give (frames, height, width)."""
        return (len(self), self.height, self.width)

    def frame_of(self, index: int) -> tuple[int, int]:
        """Give the seed, and the number within its drive, of a frame."""
        street, number = divmod(index, self.frames_per_seed)
        return self.first_seed + street, _FIRST_FRAME + self.frame_step * number

    def facts(self) -> dict[str, int]:
        """
        Give all fields by name; the step only where it is not the usual one.

        What was kept, rendered or tokens, before the step could be chosen is still found.
        """
        facts = asdict(self)
        if self.frame_step == _FRAME_STEP:
            del facts['frame_step']
        return facts
