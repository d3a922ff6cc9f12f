# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Continuity of an answer in space: smooth where the truth is smooth, and a step where it steps.

Pairs are pixels beside or below each other that both count; d is the difference of ln depth within
a pair, so that a common scale plays no part.

``roughness`` (our definition)
    Mean of |d pred - d gt| over pairs with |d gt| < 0.03: ripples and blocks that are not there.
``lost_edges`` (our definition)
    Of pairs with |d gt| > 0.25 (one is 28 % farther), the share whose prediction steps less than
    half as far, or the other way: borders of things that are smeared or not seen.
``boundary_f1``
    That of Depth Pro (Bochkovskii et al., ICLR 2025, ``SI_boundary_F1``). In each of four
    directions (which pixel of a pair beside or below each other is nearer), pairs whose depths
    have a ratio above t are a boundary; recall and precision are means over the directions, F1
    their harmonic mean, and the score the mean of F1 weighted by t, over ten t from 1.05 to 1.25.

Each is left out where it has fewer than 50 pairs; the boundary score where fewer than 50 pairs of
the truth are a boundary at 1.05. What is about steps is left out, too, where the truth is sparse,
so that less than three quarters of its pixels have their neighbours. Of neighbours in a LiDAR's
sweep that step, one is seen past the border of the other, from where the LiDAR stands: of those
below each other in frames of KITTI, four in five step. No picture shows that, and all methods
lose nearly all of these steps. Truth that was accumulated has had its borders removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.metrics import blocks
import numpy as np
from numpy.typing import NDArray

_SMOOTH: Final = 0.03
_STEP: Final = 0.25
_FEWEST_PAIRS: Final = 50
_DENSE: Final = 0.75

_RATIOS: Final = np.linspace(1.05, 1.25, 10)
_LOG_RATIOS: Final = np.log(_RATIOS)
_N_LEVELS: Final = len(_RATIOS) + 1
_N_DIRECTIONS: Final = 4

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Numbers = NDArray[np.integer[Any]]


def continuity(
    log_error: Floats, log_gt: Floats, pixels: NDArray[np.intp], size: Size
) -> dict[str, float]:
    """
    Return roughness, lost edges and the boundary score, as far as there are enough pairs.

    Errors, ln pred - ln gt, and ln gt are float64 (N,); the pixels are their places in an image of
    this size, ascending, counted row by row.
    """
    n_pairs, n_smooth, rough, n_steps, n_lost = 0, 0, 0.0, 0, 0
    boundaries = np.zeros((3, _N_DIRECTIONS * _N_LEVELS), np.int64)
    for pairs in _pairs(pixels, size):
        d_gt = log_gt[pairs.second] - log_gt[pairs.first]
        change = log_error[pairs.second] - log_error[pairs.first]
        jump = np.abs(d_gt)
        is_smooth, is_step = jump < _SMOOTH, jump > _STEP
        n_pairs += len(jump)
        n_smooth += int(np.count_nonzero(is_smooth))
        rough += float(np.abs(change).sum(where=is_smooth))
        n_steps += int(np.count_nonzero(is_step))
        seen = jump + change * np.sign(d_gt)  # d pred, in the direction of d gt
        n_lost += int(np.count_nonzero(is_step & (seen < 0.5 * jump)))
        boundaries += _boundaries(d_gt, jump, d_gt + change, pairs.is_below)
    found = {}
    if n_smooth >= _FEWEST_PAIRS:
        found['roughness'] = rough / n_smooth
    if n_pairs < _DENSE * 2 * len(pixels):
        return found
    if n_steps >= _FEWEST_PAIRS:
        found['lost_edges'] = n_lost / n_steps
    reached = _reached(boundaries)
    if reached[0, :, 0].sum() >= _FEWEST_PAIRS:
        found['boundary_f1'] = _f1(reached)
    return found


class _PairsOfPixels(NamedTuple):
    """Numbers of pixels, (N,): the second ones lie beside the first, or below them."""

    first: Numbers
    second: Numbers
    is_below: bool


def _pairs(pixels: NDArray[np.intp], size: Size) -> Iterator[_PairsOfPixels]:
    """Yield the pairs beside and below each other, in pieces."""
    number = np.full((size.height + 1) * size.width, -1, np.int32)
    number[pixels] = np.arange(len(pixels), dtype=np.int32)
    for block in blocks(len(pixels)):
        own, here = np.arange(block.start, block.stop), pixels[block]
        for step in (1, size.width):
            other = number[here + step]
            is_pair = other >= 0
            if step == 1:
                is_pair &= (here + 1) % size.width != 0  # the next pixel is in the next row
            yield _PairsOfPixels(own[is_pair], other[is_pair], step != 1)


def _boundaries(d_gt: Floats, jump: Floats, d_pred: Floats, is_below: bool) -> Counts:
    """
    Count pairs by direction and by how many of the ratios they are above, int64 (3, n).

    In rows: of the truth, of the prediction, and of both in the same direction, at the lower level
    of the two. ``jump`` is that of the truth without its sign.
    """
    least, n = _LOG_RATIOS[0], _N_DIRECTIONS * _N_LEVELS
    marked = np.flatnonzero((jump > least) | (np.abs(d_pred) > least))
    of_gt, of_pred = d_gt[marked], d_pred[marked]
    level_gt, level_pred = (np.searchsorted(_LOG_RATIOS, np.abs(d)) for d in (of_gt, of_pred))
    cells_gt, cells_pred = ((2 * is_below + (d > 0)) * _N_LEVELS for d in (of_gt, of_pred))
    both = (cells_gt + np.minimum(level_gt, level_pred))[cells_gt == cells_pred]
    counted = (cells_gt + level_gt, cells_pred + level_pred, both)
    return np.stack([np.bincount(cells, minlength=n) for cells in counted])


def _reached(boundaries: Counts) -> Counts:
    """Return how many pairs of each row and direction are above each ratio, (3, 4, n)."""
    by_level = boundaries.reshape(3, _N_DIRECTIONS, _N_LEVELS)[..., ::-1]
    above: Counts = np.cumsum(by_level, axis=-1)[..., -2::-1]
    return above


def _f1(reached: Counts) -> float:
    """Return the boundary score; a direction without any boundary counts as none found."""
    of_gt, of_pred, both = reached
    recall, precision = ((both / np.maximum(of, 1)).mean(axis=0) for of in (of_gt, of_pred))
    total = recall + precision
    f1 = np.divide(2 * recall * precision, total, out=np.zeros_like(total), where=total > 0)
    return float(np.average(f1, weights=_RATIOS))
