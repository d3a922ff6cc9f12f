# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How images and depth were brought together, in numbers and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_GAP_S: Final = 0.01
"""Our choice: at 10 m/s and more, what is 10 ms apart shows in near depth (0.1 m)."""


@dataclass(frozen=True, slots=True)
class Matching:
    """
    What became of the images of a source.

    Attributes
    ----------
    n_images : int
        All of them.
    n_without_depth : int
        Have no depth, or none that is near enough.
    n_shared : int
        Are left out as the depth nearest to each is nearer to another image.
    n_repeated : int
        Have a stamp that another image has, too.
    tolerance_s : float, optional
        Largest difference of stamps that was allowed; None where names say what belongs together.
    stamp_gap_max_s : float, optional
        Largest difference of stamps of an image and its depth that is used, where that is told.

    """

    n_images: int
    n_without_depth: int = 0
    n_shared: int = 0
    n_repeated: int = 0
    tolerance_s: float | None = None
    stamp_gap_max_s: float | None = None

    def describe(self) -> dict[str, str]:
        """Give what of it decides the frames, for the descriptions of sources."""
        facts = {}
        if self.n_repeated:
            facts['repeated_stamps'] = str(self.n_repeated)
        if self.stamp_gap_max_s is not None:
            facts['stamp_gap_max_s'] = f'{self.stamp_gap_max_s:.4g}'
        return facts


def notes_on(matchings: Sequence[Matching]) -> list[str]:
    """Give the sentences that should stand beside numbers from all of these sources together."""
    n_images = sum(each.n_images for each in matchings)
    n_without = sum(each.n_without_depth for each in matchings)
    n_shared = sum(each.n_shared for each in matchings)
    n_repeated = sum(each.n_repeated for each in matchings)
    tolerance_s = max((each.tolerance_s or 0 for each in matchings), default=0)
    gap_s = max((each.stamp_gap_max_s or 0 for each in matchings), default=0)
    by_stamp = any(each.tolerance_s is not None for each in matchings)
    notes = []
    if n_without:
        within = f' within {tolerance_s:g} s' if by_stamp else ''
        has = 'has' if n_without == 1 else 'have'
        notes.append(f'{n_without} of {n_images} images {has} no depth{within}')
    if n_shared:
        are = 'is' if n_shared == 1 else 'are'
        notes.append(
            f'{n_shared} of {n_images} images {are} left out: the depth nearest to each is nearer '
            'to another image'
        )
    if n_repeated:
        how = (
            'matched by receive time'
            if by_stamp
            else 'those of one stamp share a depth map, unless it is 0'
        )
        notes.append(f'{n_repeated} images have a stamp that another one has, too: {how}')
    if gap_s > _GAP_S:
        notes.append(f'images and their depth are up to {gap_s:.3g} s apart')
    return notes
