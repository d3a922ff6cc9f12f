# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Spatial continuity: smooth where the truth is smooth, and a step where it steps.

Our definitions. Pairs are pixels beside or below each other that both count; d is the difference
of ln depth within a pair, so that a common scale plays no part.

``roughness``
    Mean of |d pred - d gt| over pairs with |d gt| < 0.03: ripples and blocks that are not there.
``lost_edges``
    Of pairs with |d gt| > 0.25 (one is 28 % farther), the share whose prediction steps less than
    half as far, or the other way: borders of things that are smeared or not seen.

Each is left out where it has fewer than 50 pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.metrics import blocks
import numpy as np
from numpy.typing import NDArray

_SMOOTH: Final = 0.03
_STEP: Final = 0.25
_FEWEST: Final = 50

Floats = NDArray[np.float64]
Numbers = NDArray[np.integer[Any]]


def continuity(
    log_error: Floats, log_gt: Floats, pixels: NDArray[np.intp], size: Size
) -> dict[str, float]:
    """
    Return roughness and lost edges, as far as there are enough pairs.

    Parameters
    ----------
    log_error, log_gt : float64 (N,)
        ln pred - ln gt, and ln gt.
    pixels : int (N,)
        Places of these pixels, ascending, counted row by row.
    size : Size
        Of the image.

    """
    n_smooth, rough, n_steps, n_lost = 0, 0.0, 0, 0
    for first, second in _pairs(pixels, size):
        d_gt, change = log_gt[second] - log_gt[first], log_error[second] - log_error[first]
        jump = np.abs(d_gt)
        is_smooth, is_step = jump < _SMOOTH, jump > _STEP
        n_smooth += int(np.count_nonzero(is_smooth))
        rough += float(np.abs(change).sum(where=is_smooth))
        n_steps += int(np.count_nonzero(is_step))
        seen = jump + change * np.sign(d_gt)  # d pred, in the direction of d gt
        n_lost += int(np.count_nonzero(is_step & (seen < 0.5 * jump)))
    found = {}
    if n_smooth >= _FEWEST:
        found['roughness'] = rough / n_smooth
    if n_steps >= _FEWEST:
        found['lost_edges'] = n_lost / n_steps
    return found


def _pairs(pixels: NDArray[np.intp], size: Size) -> Iterator[tuple[Numbers, Numbers]]:
    """Yield the pairs beside and below each other, as numbers of pixels, in pieces."""
    number = np.full((size.height + 1) * size.width, -1, np.int32)
    number[pixels] = np.arange(len(pixels), dtype=np.int32)
    for block in blocks(len(pixels)):
        own, here = np.arange(block.start, block.stop), pixels[block]
        for step in (1, size.width):
            other = number[here + step]
            is_pair = other >= 0
            if step == 1:
                is_pair &= (here + 1) % size.width != 0  # the next pixel is in the next row
            yield own[is_pair], other[is_pair]
