# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How sure an answer is: what can be seen of that in the answer, and how often such are right."""

from __future__ import annotations

from dataclasses import dataclass

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.types import Depth
import cv2
import numpy as np
from numpy.typing import NDArray


def evenness(depth_m: Depth, patch: Size) -> NDArray[np.float32]:
    """
    Return how little depth changes across the image around each pixel, float32 (H, W) in (0, 1].

    Parameters
    ----------
    depth_m : float32 (H, W)
        Finite and positive, at the size of the network's input.
    patch : Size
        Of the network, pixels.

    Returns
    -------
    float32 (H, W)
        The typical ratio of the depths one width of a patch apart, in a window of about one
        patch. 1: the depth is the same along each row.

    Notes
    -----
    Our choice, of what costs nothing and needs no training, by how well it tells right from wrong
    on rendered streets (docs/confidence.md). Depth changes down the image wherever there is
    ground, so that direction says less.

    """
    logs = np.log(depth_m)
    slopes = np.zeros_like(logs)
    slopes[:, 1:-1] = np.abs(logs[:, 2:] - logs[:, :-2]) * np.float32(0.5)
    window = (patch.width | 1, patch.height | 1)  # odd, so that it has a middle
    mean = cv2.blur(slopes, window, borderType=cv2.BORDER_REFLECT)
    even: NDArray[np.float32] = np.exp(mean * np.float32(-patch.width))
    return even


@dataclass(frozen=True, slots=True)
class ConfidenceTable:
    """
    Which share of pixels is right, by a raw measure of confidence and by the answered depth.

    Attributes
    ----------
    measure : float64 (K,)
        Ascending; larger is surer.
    depth_m : float64 (M,)
        Ascending; in the metres that the network answers, of the camera of its training.
    share : float64 (K, M)
        In [0, 1]. Between the knots it is linear in the measure and in log depth, beyond the
        outer ones it is theirs.

    """

    measure: NDArray[np.float64]
    depth_m: NDArray[np.float64]
    share: NDArray[np.float64]

    def of(self, measure: NDArray[np.float32], depth_m: Depth) -> NDArray[np.float32]:
        """Return the share that is right of pixels like each of these, float32 in [0, 1]."""
        row, below = _place(measure, self.measure)
        column, left = _place(np.log(depth_m), np.log(self.depth_m))
        share = self.share.astype(np.float32)
        near = share[row, column] * (1 - below) + share[row + 1, column] * below
        far = share[row, column + 1] * (1 - below) + share[row + 1, column + 1] * below
        confidence: NDArray[np.float32] = np.clip(near * (1 - left) + far * left, 0, 1)
        return confidence


def _place(
    values: NDArray[np.float32], knots: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the knot below each value, and how far towards the next one it lies, 0 to 1."""
    places = np.interp(values, knots, np.arange(len(knots)))
    lower = np.minimum(places.astype(np.intp), len(knots) - 2)
    return lower, (places - lower).astype(np.float32)
