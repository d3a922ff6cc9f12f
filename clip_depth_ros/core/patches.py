# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
From probabilities over depth bins to depth, and from the patch grid to image size.

And how sure that is: what can be seen of it in an answer, and how often such answers are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.types import Depth
import cv2
import numpy as np
from numpy.typing import NDArray

LOGIT_FACTOR: Final = 100.0
"""What DepthCLIP's released code multiplies cosines with, whatever scale CLIP was trained to."""


def bin_probabilities(
    cosines: NDArray[np.float32], temperature: float
) -> NDArray[np.float32]:
    """
    Return the probability of each distance word at each patch.

    Parameters
    ----------
    cosines : float32 (B, K, grid_h, grid_w)
        Of patches and words.
    temperature : float
        Divides 100 x cosine (released code: 0.1).

    Returns
    -------
    float32 (B, K, grid_h, grid_w)
        Sums to 1 over K.

    """
    return softmax(cosines * np.float32(LOGIT_FACTOR / temperature), axis=1)


def softmax(logits: NDArray[np.float32], *, axis: int) -> NDArray[np.float32]:
    """Return e to the logits, brought to a sum of 1 along an axis."""
    powers: NDArray[np.float32] = np.exp(logits - logits.max(axis=axis, keepdims=True))
    powers /= powers.sum(axis=axis, keepdims=True)
    return powers


def expected_depth(bin_probs: NDArray[np.float32], bins_m: Sequence[float]) -> Depth:
    """
    Return the mean depth under the bin probabilities.

    Parameters
    ----------
    bin_probs : float32 (K, H, W)
        Probability of each bin; sums to 1 over K.
    bins_m : sequence of K floats
        Depth of each bin, metres.

    Returns
    -------
    float32 (H, W)
        Sum over K of ``bin_probs * bins_m``, metres; never beyond the nearest or farthest bin,
        as rounding could make it.

    Raises
    ------
    ConfigError
        If there are not as many bins as probabilities.

    Notes
    -----
    Source: DepthCLIP (Zhang et al., ACM Multimedia 2022, arXiv 2207.01077): the softmax over
    distance sentences weights the bins.

    """
    if len(bins_m) != len(bin_probs):
        raise ConfigError(
            f'there must be one depth bin for each probability, got {len(bins_m)} bins '
            f'{list(bins_m)} and {len(bin_probs)} probabilities'
        )
    bins = np.asarray(bins_m, np.float32)
    depth_m: Depth = np.tensordot(bins, bin_probs, axes=1)
    return np.clip(depth_m, bins.min(), bins.max(), out=depth_m)


def bin_confidence(bin_probs: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Return how decided the bin probabilities are, float32 (H, W) in [0, 1].

    Our choice: 1 minus the entropy divided by its largest value, log K. All weight on one bin is
    1, equal weights are 0. It says how clear the answer is, not how right. One bin alone gives 1.
    """
    n_bins = len(bin_probs)
    if n_bins == 1:
        return np.ones(bin_probs.shape[1:], np.float32)
    safe = np.maximum(bin_probs, np.finfo(np.float32).tiny)  # 0 log 0 = 0
    entropy = -np.sum(bin_probs * np.log(safe), axis=0)
    confidence: NDArray[np.float32] = np.clip(1 - entropy / np.log(n_bins), 0, 1)
    return confidence.astype(np.float32, copy=False)


def upsample(
    maps: NDArray[np.float32], size: Size, *, align_corners: bool = False
) -> NDArray[np.float32]:
    """
    Return maps (..., grid_h, grid_w) at image size, float32 (..., height, width).

    Parameters
    ----------
    maps : float32 (..., grid_h, grid_w)
        One number for each patch.
    size : Size
        Of the image.
    align_corners : bool
        False: each patch's number stands at the centre of the patch, and beyond the outer centres
        nothing changes any more. True: those of the corner patches stand on the corner pixels, as
        in the released DepthCLIP code; all others are then off by up to half a patch.

    Notes
    -----
    Both are PyTorch's ``interpolate(mode='bilinear', align_corners=...)``. One axis after the
    other, in rows, is several times faster than that on the cpu.

    """
    wide = _stretch(maps, size.width, -1, align_corners)
    return _stretch(wide, size.height, -2, align_corners)


def _stretch(
    maps: NDArray[np.float32], length: int, axis: int, align_corners: bool
) -> NDArray[np.float32]:
    last = maps.shape[axis] - 1
    if align_corners:
        positions = np.linspace(0, last, length) if length > 1 else np.zeros(1)
    else:
        positions = ((np.arange(length) + 0.5) * (last + 1) / length - 0.5).clip(0, last)
    lower = np.minimum(positions.astype(np.intp), max(last - 1, 0))
    weights = (positions - lower).astype(np.float32)
    before = maps.take(lower, axis)
    stretched: NDArray[np.float32] = maps.take(np.minimum(lower + 1, last), axis)
    stretched -= before
    stretched *= weights if axis == -1 else weights[:, np.newaxis]
    stretched += before
    return stretched


def evenness(depth_m: Depth, patch: Size) -> tuple[NDArray[np.float32], Depth]:
    """
    Return how little depth changes across the image in each patch, and how deep the patch is.

    Parameters
    ----------
    depth_m : float32 (H, W)
        Finite and positive, at the size of the network's input: whole patches.
    patch : Size
        Of the network, pixels; at least 3 wide.

    Returns
    -------
    evenness : float32 (grid_h, grid_w)
        In (0, 1]: the typical ratio of the depths one width of a patch apart. 1: the depth is the
        same along each row.
    typical_m : float32 (grid_h, grid_w)
        Geometric mean of the depths.

    Notes
    -----
    Our choice, of what costs nothing and needs no training, by how well it tells right from wrong
    on rendered streets (docs/confidence.md). Depth changes down the image wherever there is
    ground, so that direction says less. One number for each patch, and not for each pixel: the
    network knows no more, and it takes a twentieth of the time.

    """
    logs = np.asarray(cv2.log(depth_m), np.float32)
    slopes = np.empty_like(logs)
    np.subtract(logs[:, 2:], logs[:, :-2], out=slopes[:, 1:-1])
    slopes[:, 0], slopes[:, -1] = slopes[:, 1], slopes[:, -2]
    np.abs(slopes, out=slopes)
    grid = (depth_m.shape[1] // patch.width, depth_m.shape[0] // patch.height)
    mean, typical = (cv2.resize(each, grid, interpolation=cv2.INTER_AREA)
                     for each in (slopes, logs))
    return np.exp(mean * np.float32(-0.5 * patch.width)), np.exp(typical)


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
