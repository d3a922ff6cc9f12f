# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What to bear in mind of a comparison: few frames, missing answers, twins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from clip_depth_ros.evaluation.results.result import Estimate
from clip_depth_ros.evaluation.score.independence import ENOUGH_INDEPENDENT
from clip_depth_ros.evaluation.score.intervals import ENOUGH_FRAMES
import numpy as np
from numpy.typing import NDArray


def unanswered(answered: Mapping[str, NDArray[np.bool_]]) -> Iterator[str]:
    """Warn of frames that one has not answered, bool (N,) by name."""
    for name, is_there in answered.items():
        if not is_there.all():
            yield (
                f'{name} has answered {np.count_nonzero(is_there)} of {len(is_there)} frames: all '
                'but the coverage is over those that both have answered'
            )


def dependent(differences: Sequence[Estimate]) -> Iterator[str]:
    """Warn of what so many, or so few, independent frames can tell."""
    if not differences:
        return
    n_frames = max(each.n_frames for each in differences)
    least = min(differences, key=lambda each: each.n_effective)
    if least.is_of_film:
        yield (
            f'neighbouring frames score alike: {n_frames} frames are worth as few as '
            f'{least.n_effective:.0f} independent ones (column "indep."), and intervals are '
            'as wide as those of so many'
        )
    if least.n_effective < ENOUGH_INDEPENDENT:
        yield (
            f'no verdict is given on fewer than {ENOUGH_INDEPENDENT} independent frames: more of '
            'them, from other places, would tell'
        )
    elif least.n_effective < ENOUGH_FRAMES:
        yield (
            f'few independent frames: below about {ENOUGH_FRAMES}, intervals are too narrow and '
            'show differences more often than they should'
        )


def alike(a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[str]:
    """Warn of what was probably not meant to be compared with itself."""
    unequal = differing(a, b)
    weights = [name for name in {**a, **b} if 'weights' in name or 'sha256' in name]
    if not unequal:
        yield 'A and B say the same of themselves: nothing was changed between them'
    elif weights and not {*weights} & {*unequal}:
        yield f'A and B have the same weights; they differ in {", ".join(unequal)}'


def differing(a: Mapping[str, str], b: Mapping[str, str]) -> list[str]:
    """Return the names by which two say different things, or one alone says anything."""
    return [name for name in {**a, **b} if a.get(name) != b.get(name)]
