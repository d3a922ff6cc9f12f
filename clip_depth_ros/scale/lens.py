# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether points of a LiDAR speak against the focal length that they are projected with."""

from __future__ import annotations

from collections.abc import Callable
import math
from typing import Final

from clip_depth_ros.errors import DataError

_FACTORS: Final = (0.6, 0.77, 1.3, 1.67)
_LEAST_LOOKS: Final = 10
_MEMORY: Final = 50
_BETTER: Final = 0.8
"""Spread through another lens, as a share of the own one's, that is a reason for doubt."""


class LensCheck:
    """
    Compares how well points agree with depth through other lenses, one at each look.

    Through a wrong lens points fall on the wrong pixels. On a road and along walls depth there is
    wrong by one factor, which a scale makes up for; on all that stands on the road it is not. So
    the scale cannot tell, but its spread can, on average.

    All numbers are our choice. On rendered drives other than those of docs/scale.md, none of 20
    cameras that were right was doubted, and 5 of 10 that were 1.3 times too long.
    """

    def __init__(self) -> None:
        self._n_looks = 0
        self._ratios = dict.fromkeys(_FACTORS, 0.0)

    def look(self, own_spread: float, spread_through: Callable[[float], float]) -> None:
        """
        Take in one comparison.

        Parameters
        ----------
        own_spread : float
            With the camera as it is.
        spread_through : callable
            Returns it with focal lengths times a factor; DataError where points disagree.

        """
        factor = _FACTORS[self._n_looks % len(_FACTORS)]
        try:
            ratio = math.log(max(spread_through(factor), 1e-3) / max(own_spread, 1e-3))
        except DataError:
            ratio = math.log(2)
        n_before = min(self._n_looks // len(_FACTORS), _MEMORY)
        self._ratios[factor] += (ratio - self._ratios[factor]) / (n_before + 1)
        self._n_looks += 1

    @property
    def doubt(self) -> str:
        """Return why the focal length may be wrong; empty if nothing speaks for that."""
        factor = min(self._ratios, key=lambda each: self._ratios[each])
        share = math.exp(self._ratios[factor])
        if self._n_looks < _LEAST_LOOKS * len(_FACTORS) or share > _BETTER:
            return ''
        return (
            f'points of the LiDAR agree better with depth through a lens about {factor:g} times '
            f'as long ({1 - share:.0%} less spread): if camera_info, or the pose of the LiDAR, '
            'is wrong, so is the scale'
        )
