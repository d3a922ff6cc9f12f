# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth that can be had without looking: the best constant, the mean depth of each pixel."""

from __future__ import annotations

from typing import Final

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.patches import upsample
from clip_depth_ros.errors import DataError
from clip_depth_ros.types import Depth
import numpy as np
from numpy.typing import NDArray

_BIN: Final = 1e-3
"""Width of the bins of ln depth: the best constant is known to 0.1 %."""


class BestConstant:
    """
    The constant with the least mean abs_rel over images, which come one by one.

    Parameters
    ----------
    min_depth_m, depth_cap_m : float
        What counts lies in between, metres.
    over_pixels : bool
        Whether the mean is over all pixels together: by default each image weighs the same.

    Notes
    -----
    The sum of w |c - g| is least at the weighted median of g; here w is 1/g. It is tuned on the
    images that it is judged on: no constant does better.

    """

    def __init__(
        self, min_depth_m: float, depth_cap_m: float, *, over_pixels: bool = False
    ) -> None:
        self._over_pixels = over_pixels
        self._low = float(np.log(min_depth_m))
        n_bins = int(np.ceil((np.log(depth_cap_m) - self._low) / _BIN)) + 1
        self._weights, self._shares = np.zeros(n_bins), np.zeros(n_bins)

    def add(self, known_m: NDArray[np.floating]) -> None:
        """Count an image: the true depths that count, (N,), metres."""
        if not known_m.size:
            return
        depths = known_m.astype(np.float64)
        last = len(self._weights) - 1
        bins = ((np.log(depths) - self._low) / _BIN).astype(np.intp).clip(0, last)
        share = 1 if self._over_pixels else 1 / depths.size
        self._weights += np.bincount(bins, 1 / depths, last + 1) * share
        self._shares += np.bincount(bins, minlength=last + 1) * share

    def depth_m(self) -> float:
        """
        Give the constant, metres.

        Raises
        ------
        DataError
            If no image has any depth that counts.

        """
        running = np.cumsum(self._weights)
        if not running[-1]:
            raise DataError('there is no best constant: the ground truth is empty in every frame')
        median = np.searchsorted(running, running[-1] / 2)
        # The sum of w g over the sum of w: the mean of what is in the bin, not its middle.
        return float(self._shares[median] / self._weights[median])


class DepthSums:
    """
    Depth added up pixel by pixel, over images that come one by one.

    Parameters
    ----------
    size : Size
        Of the sums, pixels.

    Attributes
    ----------
    sums : float64 (2, H, W)
        Total and count; those of several processes may be added up.

    """

    def __init__(self, size: Size) -> None:
        self.sums: NDArray[np.float64] = np.zeros((2, *size))

    def add(self, values: NDArray[np.floating], counts: NDArray[np.bool_]) -> None:
        """
        Add an image, (h, w), where ``counts`` says so.

        Of another size than the sums: each pixel goes to the one that its place falls into, so
        that depths of different surfaces are not mixed.
        """
        size = self.sums.shape[1:]
        if values.shape == size:
            self.sums += np.stack([np.where(counts, values, 0), counts])
            return
        rows, columns = np.nonzero(counts)
        into = (rows * size[0] // values.shape[0], columns * size[1] // values.shape[1])
        np.add.at(self.sums[0], into, values[rows, columns])
        np.add.at(self.sums[1], into, 1)

    def means(self) -> NDArray[np.float64]:
        """Give the mean of each pixel, (H, W); NaN where nothing was counted."""
        return _means_of(self.sums)


def _means_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the mean of each pixel, (H, W), of :attr:`DepthSums.sums`; NaN where there is none."""
    total, count = sums
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def prior_of(sums: NDArray[np.float64], *, fallback_m: float) -> Depth:
    """
    Give the mean depth of each pixel, float32 (H, W), metres, with no gaps.

    Parameters
    ----------
    sums : float64 (2, H, W)
        :attr:`DepthSums.sums`.
    fallback_m : float
        The answer if nothing was counted at all.

    Notes
    -----
    Pixels without any depth (sparse LiDAR) take the mean of their row; rows without any take
    that of the nearest row that has one (our choice).

    """
    means = _means_of(sums)
    rows = _row_means(sums, fallback_m)
    return np.where(np.isnan(means), rows[:, np.newaxis], means).astype(np.float32)


def prior_at(prior_m: Depth, shape: tuple[int, ...]) -> Depth:
    """Give the prior for images of another size, bilinear."""
    return prior_m if prior_m.shape == shape else upsample(prior_m, Size(*shape))


def _row_means(sums: NDArray[np.float64], fallback_m: float) -> NDArray[np.float64]:
    """Give the mean of each row, from the nearest row where there is none."""
    total, count = sums.sum(axis=2)
    known = np.flatnonzero(count)
    if not known.size:
        return np.full(len(count), fallback_m)
    nearest = known[np.abs(np.arange(len(count))[:, np.newaxis] - known).argmin(axis=1)]
    return np.asarray(total[nearest] / count[nearest], np.float64)
