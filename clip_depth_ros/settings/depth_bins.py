# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The words for distance and the depth bins of DepthCLIP, by name.

Unless marked as our choice, they are the ablations of the paper (Zhang, Zeng, Guo, Li: "Can
Language Understand Depth?", ACM Multimedia 2022, arXiv 2207.01077) as its released code holds
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import itertools
from types import MappingProxyType
from typing import Final

DEPTH_WORDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    'original': (
        'giant', 'extremely close', 'close', 'not in distance', 'a little remote', 'far', 'unseen',
    ),
    'prompt1': (
        'extremely close', 'close', 'middle', 'a little far', 'far', 'quite far', 'unseen',
    ),
    'prompt2': (
        'extremely close', 'very close', 'close', 'a little close', 'a little far', 'far',
        'unseen',
    ),
    'prompt3': (
        'giant', 'close', 'a little close', 'not in distance', 'a bit remote', 'far', 'unseen',
    ),
})
"""Words for distance, nearest first."""

BINS_M: Final[Mapping[str, tuple[float, ...]]] = MappingProxyType({
    'original': (1.00, 1.50, 2.00, 2.25, 2.50, 2.75, 3.00),
    'scene1': (1.00, 2.00, 2.25, 2.50, 2.75, 3.00, 4.00),
    'scene2': (1.00, 1.50, 2.00, 2.50, 3.00, 3.50, 4.00),
    'scene3': (1.00, 1.25, 1.50, 1.75, 2.00, 2.25, 2.50),
    'scene4': (2.00, 2.50, 3.00, 3.25, 3.50, 3.75, 4.00),
})
"""Depth of each class, metres, nearest first."""

OUTDOOR: Final = 'outdoor'
"""Our choice: bins spaced evenly in log depth over the configured range, one for each word."""

MAX_DEPTH_M = 1000.0
"""Farther than anything that a camera on a robot looks at."""


def log_spaced(first_m: float, last_m: float, count: int) -> tuple[float, ...]:
    """Return ``count`` depths from ``first_m`` to ``last_m``, evenly spaced in log depth."""
    if count == 1:
        return (first_m,)
    ratio = last_m / first_m
    inner = tuple(first_m * ratio ** (i / (count - 1)) for i in range(1, count - 1))
    return (first_m, *inner, last_m)


def check_ascending(bins_m: tuple[float, ...]) -> tuple[float, ...]:
    """Return depth bins that are valid: depths in metres, strictly ascending."""
    if not all(0 < depth_m <= MAX_DEPTH_M for depth_m in bins_m):
        raise ValueError(f'depth bins must be positive and at most {MAX_DEPTH_M:g} m')
    if any(near >= far for near, far in itertools.pairwise(bins_m)):
        raise ValueError('depth bins must ascend strictly')
    return bins_m


def count_clash(words: tuple[str, ...], bins_m: tuple[float, ...], source: str) -> Iterator[str]:
    """Yield what is wrong with bins that are not one for each word for distance."""
    if len(words) != len(bins_m):
        yield (
            'there must be one depth bin for each word for distance, got '
            f'{len(words)} words {list(words)} and {len(bins_m)} bins {list(bins_m)} ({source})'
        )
