# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Prompts and depth bins by name: data, no behaviour.

Unless marked as our choice, words and bins are the ablations of the paper (Zhang, Zeng, Guo, Li:
"Can Language Understand Depth?", ACM Multimedia 2022, arXiv 2207.01077) as its released code
holds them.
"""

from __future__ import annotations

from collections.abc import Mapping
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
