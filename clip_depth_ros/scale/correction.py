# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is measured of the scale of depth, and what is done to depth by it."""

from __future__ import annotations

from dataclasses import dataclass
import math
from typing import Final

from clip_depth_ros.core.depth_images import mark_range
from clip_depth_ros.types import Depth
import numpy as np

PIVOT_M: Final = 10.0
"""Depth at which a correction that depends on depth is the scale alone (our choice)."""


@dataclass(frozen=True, slots=True)
class Correction:
    """
    Depth d becomes ``scale * d * (d / PIVOT_M) ** slope``: a line in log depth.

    Attributes
    ----------
    log_scale : float
        Natural logarithm of the scale, at ``PIVOT_M`` if there is a slope.
    slope : float
        How the logarithm of the scale grows with that of depth; 0: one scale for all.
    log_near, log_far : float
        Logarithms of the depths, metres before correction, between which the slope was seen. It
        goes on to neither side: what is nearer or farther has the scale of that end.

    """

    log_scale: float = 0.0
    slope: float = 0.0
    log_near: float = 0.0
    log_far: float = 0.0

    @property
    def scale(self) -> float:
        """Return the scale, at ``PIVOT_M`` if there is a slope."""
        return math.exp(self.log_scale)

    def factor(self, depth_m: Depth) -> Depth:
        """Return what depths, metres, are multiplied by; float32, of their shape."""
        if not self.slope:
            return np.full(depth_m.shape, self.scale, np.float32)
        with np.errstate(invalid='ignore', divide='ignore'):
            log_depth = np.clip(np.log(depth_m), self.log_near, self.log_far)
        factor = np.exp(self.log_scale + self.slope * (log_depth - math.log(PIVOT_M)))
        return np.asarray(factor, np.float32)

    def apply(self, depth_m: Depth, *, min_depth_m: float, max_depth_m: float) -> Depth:
        """
        Return corrected depth, float32 (H, W), marked anew (REP 117); its argument is not changed.

        -Inf stays. +Inf meant beyond ``max_depth_m`` before correction: where that has become
        less, it is unknown, NaN, as what is there may be in range.
        """
        if self == AS_PREDICTED:
            return depth_m
        factor = self.factor(depth_m) if self.slope else np.float32(self.scale)
        corrected = depth_m * factor
        end_m = np.array([max_depth_m], np.float32)
        if self.factor(end_m)[0] < 1:
            corrected[np.isposinf(depth_m)] = np.nan
        return mark_range(corrected, min_depth_m=min_depth_m, max_depth_m=max_depth_m)


AS_PREDICTED: Final = Correction()
"""That of no scale."""


@dataclass(frozen=True, slots=True)
class Measure:
    """
    One look at the scale: the correction that it asks for, and how sure it is.

    Attributes
    ----------
    correction : Correction
    spread : float
        Median distance of the log ratios from it: 0.1 is 10 % of depth.
    n_points : int
        Points that had a say.

    """

    correction: Correction
    spread: float
    n_points: int
