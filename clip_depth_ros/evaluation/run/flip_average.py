# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Left-right flip averaging of whole answers, as evaluation codes do it."""

from __future__ import annotations

from typing import Final, Literal

from clip_depth_ros.errors import ImageError
from clip_depth_ros.types import Depth, DepthMap
import numpy as np
from numpy.typing import NDArray

_RAMP_FROM: Final = 0.05
_RAMP_STEEPNESS: Final = 20.0


def flip_averaged(
    answer: DepthMap, of_flipped: DepthMap, *, rule: Literal['average', 'ramps']
) -> DepthMap:
    """
    Combine the answer for an image with that for the flipped image.

    Parameters
    ----------
    answer : DepthMap
        Of the image.
    of_flipped : DepthMap
        Of the left-right flipped image, as it came.
    rule : str
        ``average``: the mean of both depths (AdaBins). ``ramps``: inverse depth; the mean, but at
        the left border (10 % of the width, fading from 5 % on) that of the flipped image alone,
        at the right border that of the image alone (Godard et al., CVPR 2017, section 3;
        monodepth2 does the same for models that were trained on stereo pairs).

    Returns
    -------
    DepthMap
        Depth and confidence (mean); unknown where one of both is.

    Raises
    ------
    ImageError
        If the two differ in size.

    """
    first, second = answer.depth_m, of_flipped.depth_m[:, ::-1]
    if first.shape != second.shape:
        raise ImageError(
            f'an image and its flipped one should get answers of one size, got {first.shape} and '
            f'{second.shape}'
        )
    combined = _mean(first, second) if rule == 'average' else _with_ramps(first, second)
    confidence = None
    if answer.confidence is not None and of_flipped.confidence is not None:
        confidence = _mean(answer.confidence, of_flipped.confidence[:, ::-1])
    return DepthMap(combined, confidence=confidence, scene=answer.scene)


def _mean(first: Depth, second: Depth) -> Depth:
    with np.errstate(invalid='ignore'):  # +Inf and -Inf: nobody knows
        return ((first + second) / 2).astype(np.float32)


def _with_ramps(first: Depth, second: Depth) -> Depth:
    with np.errstate(divide='ignore', invalid='ignore'):
        near, other = 1 / first.astype(np.float64), 1 / second.astype(np.float64)
        left = _left_ramp(first.shape[1])
        right = left[::-1]
        inverse = right * near + left * other + (1 - left - right) * (near + other) / 2
        return (1 / inverse).astype(np.float32)


def _left_ramp(width: int) -> NDArray[np.float64]:
    """Give 1 over the first twentieth of the width, falling to 0 at its tenth."""
    across = np.linspace(0, 1, width)
    return 1 - np.clip(_RAMP_STEEPNESS * (across - _RAMP_FROM), 0, 1)
