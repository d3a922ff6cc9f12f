# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One scale out of many looks at it: smoothed, bounded, and held for a while."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
import math
from typing import Final

from clip_depth_ros.scale.correction import AS_PREDICTED, Correction, Measure
import numpy as np
from numpy.typing import NDArray

_N_RECENT: Final = 5
_N_NEEDED: Final = 3
_AGREE: Final = 0.25
"""Of the first looks, three must be within this of their median, in log scale (our choice)."""

_MAX_RATE: Final = 0.5
"""Change of the log scale a second that is followed at most (our choice)."""

_MAX_STEP_S: Final = 1.0
_REMEMBERED: Final = 2.0  # looks have a say for so many times as long as a scale is held


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    How a scale is kept.

    Attributes
    ----------
    time_s : float
        Time constant of smoothing; 0: none.
    hold_s : float
        After so long without a look at it, the scale is old.
    min_scale, max_scale : float
        Scales beyond these are not believed.

    """

    time_s: float = 1.0
    hold_s: float = 5.0
    min_scale: float = 0.25
    max_scale: float = 4.0


@dataclass(frozen=True, slots=True)
class ScaleState:
    """
    The scale at a moment.

    Attributes
    ----------
    correction : Correction
        What is applied; that of no scale, 1, before there is one.
    is_known : bool
        Whether there is a scale.
    is_old : bool
        Whether the newest look at it is longer ago than it is held.
    spread, n_points
        Of the newest look that counted; NaN and 0 before.
    age_s : float
        Since that look; infinite before.
    why : str
        Why there is no scale, or no newer one; empty if there is nothing to say.

    """

    correction: Correction = AS_PREDICTED
    is_known: bool = False
    is_old: bool = False
    spread: float = math.nan
    n_points: int = 0
    age_s: float = math.inf
    why: str = ''


NO_SCALE: Final = ScaleState()
"""The state before there was anything to measure by."""


class ScaleKeeper:
    """
    Keeps the scale of one camera.

    The first scale takes three looks that agree. Then it follows the median of the five newest
    ones, exponentially (the mean, until that is slower), never faster than by half a log unit a
    second: one wrong cloud changes nothing, and wrong clouds that go on change it in sight of all.

    Old, the scale stays in force, and is called so: what it makes up for (a lens, the height of
    other cameras) seldom goes away, and a jump back to 1 would move everything on the map.

    Times are those of images, nanoseconds. Call ``reset`` where they jump back.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._recent: deque[tuple[int, Measure]] = deque(maxlen=_N_RECENT)
        self._newest: tuple[int, Measure] | None = None
        self._kept: NDArray[np.float64] | None = None
        self._n_looks = 0
        self._why = ''

    def reset(self, why: str = '') -> None:
        """Forget everything; say why."""
        self._recent.clear()
        self._newest = self._kept = None
        self._n_looks = 0
        self._why = why

    def refuse(self, why: str) -> None:
        """Note that there was no look at the scale, and why."""
        self._why = why

    def add(self, stamp_ns: int, measure: Measure) -> bool:
        """Take in a look at the scale; return whether it was believed."""
        scale, limits = measure.correction.scale, self.limits
        if not limits.min_scale <= scale <= limits.max_scale:
            name = 'align_min_scale' if scale < 1 else 'align_max_scale'
            self._why = (
                f'a scale of {scale:.3g} is not believed, {name} is '
                f'{limits.min_scale if scale < 1 else limits.max_scale:g}'
            )
            return False
        oldest_ns = stamp_ns - _REMEMBERED * limits.hold_s * 1e9
        while self._recent and self._recent[0][0] < oldest_ns:
            self._recent.popleft()
        self._recent.append((stamp_ns, measure))
        looks = np.array([_vector(look.correction) for _, look in self._recent])
        middle = np.asarray(np.median(looks, axis=0), np.float64)
        n_agree = np.count_nonzero(np.abs(looks[:, 0] - middle[0]) <= _AGREE)
        if len(looks) < _N_NEEDED or n_agree < _N_NEEDED:
            self._why = (
                'the newest looks at the scale disagree' if len(looks) >= _N_NEEDED
                else f'{len(looks)} of {_N_NEEDED} looks at the scale so far'
            )
            return True
        self._follow(stamp_ns, middle)
        newest_ns = self._newest[0] if self._newest else stamp_ns
        self._newest = (max(stamp_ns, newest_ns), measure)
        self._why = ''
        return True

    def _follow(self, stamp_ns: int, middle: NDArray[np.float64]) -> None:
        self._n_looks += 1
        if self._kept is None or self._newest is None:
            self._kept = middle
            return
        passed_s = min(max(0.0, (stamp_ns - self._newest[0]) / 1e9), _MAX_STEP_S)
        time_s = self.limits.time_s
        share = -math.expm1(-passed_s / time_s) if time_s else 1.0
        step = max(share, 1 / (self._n_looks + 1)) * (middle - self._kept)
        most = _MAX_RATE * passed_s
        if abs(step[0]) > most:
            step *= most / abs(step[0])
        self._kept = self._kept + step

    def at(self, stamp_ns: int) -> ScaleState:
        """Return the scale at a moment."""
        if self._kept is None or self._newest is None:
            return ScaleState(why=self._why)
        newest_ns, measure = self._newest
        age_s = max(0.0, (stamp_ns - newest_ns) / 1e9)
        state = ScaleState(
            Correction(*map(float, self._kept)), is_known=True, spread=measure.spread,
            n_points=measure.n_points, age_s=age_s, why=self._why,
        )
        if age_s <= self.limits.hold_s:
            return state
        why = f'the scale is {age_s:.1f} s old' + (f': {self._why}' if self._why else '')
        return replace(state, is_old=True, why=why)


def _vector(correction: Correction) -> tuple[float, float, float, float]:
    return correction.log_scale, correction.slope, correction.log_near, correction.log_far
