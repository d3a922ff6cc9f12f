# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far the looks of a drive may stray."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

Manner = Literal['plain', 'varied', 'wild']
"""
plain: a fair day, tidy surfaces, a faultless camera. varied: all that streets and cameras do.
wild: varied, and things have any colour at all (domain randomisation: Tobin et al., IROS 2017).
"""

SHARES: Final[dict[Manner, float]] = {'plain': 0.35, 'varied': 0.60, 'wild': 0.05}
"""Of all seeds."""


def manner_of(seed: int) -> Manner:
    """Draw the manner of a seed."""
    luck = np.random.default_rng((seed, 32)).random()
    plain, varied, _ = np.cumsum([*SHARES.values()])
    return 'plain' if luck < plain else 'varied' if luck < varied else 'wild'
