# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checks of single settings, and the bins that follow from a range; raise ValueError in words."""

from __future__ import annotations

import itertools
import re

MAX_DEPTH_M = 1000.0
"""Farther than anything that a camera on a robot looks at."""


def log_spaced(first_m: float, last_m: float, count: int) -> tuple[float, ...]:
    """Give ``count`` depths from ``first_m`` to ``last_m``, evenly spaced in log depth."""
    if count == 1:
        return (first_m,)
    ratio = last_m / first_m
    inner = tuple(first_m * ratio ** (i / (count - 1)) for i in range(1, count - 1))
    return (first_m, *inner, last_m)


def check_gaps(template: str, count: int) -> str:
    """Give a template back if it has exactly ``count`` gaps ``{}`` and no other brace."""
    if template.count('{}') != count or len(re.findall('[{}]', template)) != 2 * count:
        raise ValueError(f'a template must hold exactly {count} "{{}}" and no other brace')
    return template


def check_ascending(bins_m: tuple[float, ...]) -> tuple[float, ...]:
    """Give depth bins back if they are depths, metres, that ascend strictly."""
    if not all(0 < depth_m <= MAX_DEPTH_M for depth_m in bins_m):
        raise ValueError(f'depth bins must be positive and at most {MAX_DEPTH_M:g} m')
    if any(near >= far for near, far in itertools.pairwise(bins_m)):
        raise ValueError('depth bins must ascend strictly')
    return bins_m


def check_as_many(words: tuple[str, ...], bins_m: tuple[float, ...], source: str) -> None:
    """Make sure that there is one depth bin for each word for distance."""
    if len(words) != len(bins_m):
        raise ValueError(
            'there must be one depth bin for each word for distance, got '
            f'{len(words)} words {list(words)} and {len(bins_m)} bins {list(bins_m)} ({source})'
        )
