# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Whether an answer knows what is farther: order within pairs of pixels.

Pairs are drawn from all pixels that count, 50,000 an image, always the same for the same number of
pixels. One of a pair is farther if its depth is at least 1.03 times that of the other, otherwise
both are as far.

``ordinal``
    Share of pairs where the answer has another one of these three relations than the truth: ORD of
    Xian et al. (CVPR 2020, weights of 1). WKDR (Zoran et al., ICCV 2015; Chen et al., NIPS 2016)
    is the same, but the latter choose the threshold for each method.
``ordinal_unequal``
    Of pairs where one truly is farther, the share whose order the answer has the wrong way round
    or not at all, however little one differs from the other: WKDR of unequal pairs. Blind to all
    that keeps the order: scale, shift, gamma.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_N_PAIRS: Final = 50_000
_RATIO: Final = 1.03
_FEWEST_PAIRS: Final = 50

_SAME: Final = 1e-9
"""Logarithms that differ by less are those of one number, rounded."""

Floats = NDArray[np.float64]


def ordinal(log_error: Floats, log_gt: Floats) -> dict[str, float]:
    """
    Return the errors of order of pixels, as far as there are enough pairs.

    Errors, ln pred - ln gt, and ln gt are float64 (N,).
    """
    if len(log_gt) < 2:
        return {}
    first, second = _drawn(len(log_gt))
    d_gt = log_gt[second] - log_gt[first]
    d_pred = d_gt + (log_error[second] - log_error[first])
    of_gt, of_pred = _relation(d_gt), _relation(d_pred)
    found = {'ordinal': float(np.mean(of_gt != of_pred))}
    is_unequal = of_gt != 0
    if (n_unequal := int(np.count_nonzero(is_unequal))) >= _FEWEST_PAIRS:
        is_wrong = is_unequal & (d_pred * of_gt < _SAME)
        found['ordinal_unequal'] = int(np.count_nonzero(is_wrong)) / n_unequal
    return found


@functools.lru_cache(maxsize=4)
def _drawn(n: int) -> NDArray[np.int64]:
    """Return pairs of numbers below n, int64 (2, n_pairs), none of a number with itself."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, n, _N_PAIRS)
    return np.stack([first, (first + rng.integers(1, n, _N_PAIRS)) % n])


def _relation(d: Floats) -> NDArray[Any]:
    """Return 1 where the second is farther, -1 where it is nearer, else 0."""
    is_farther: NDArray[np.bool_] = np.abs(d) >= np.log(_RATIO)
    return np.asarray(np.sign(d) * is_farther)
