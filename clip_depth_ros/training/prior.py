# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The mean depth of each pixel over the training frames: what can be said without looking.

A camera that is fixed to a robot sees floor below and far things above; a model that does not
beat this prior has learned nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.training.distributed import Ranks
from clip_depth_ros.training.frames import Batch
from clip_depth_ros.types import Depth
import cv2
import numpy as np
from numpy.typing import NDArray


def fit_prior(
    batches: Iterable[Batch],
    size: Size,
    *,
    min_depth_m: float,
    max_depth_m: float,
    ranks: Ranks,
    device: str,
) -> Depth:
    """
    Give the mean depth of each pixel, float32 (H, W), metres.

    Parameters
    ----------
    batches : iterable of Batch
        This process's part of the training frames, with targets at ``size``.
    size : Size
        Pixels.
    min_depth_m, max_depth_m : float
        Targets beyond do not count.
    ranks : Ranks
        The processes that share the work.
    device : str
        Where they exchange numbers.

    Notes
    -----
    Pixels without any target (sparse LiDAR) take the mean of their row; rows without any take
    that of the nearest row that has one (our choice).

    """
    sums: NDArray[np.float64] = np.zeros((2, *size))
    for batch in batches:
        for target_m in batch.targets_m:
            target = target_m.numpy()
            counts = (target >= min_depth_m) & (target <= max_depth_m)
            sums += np.stack([np.where(counts, target, 0), counts])
    total, count = ranks.sum_array(sums, device)
    rows = _fill(total.sum(axis=1), count.sum(axis=1), fallback=max_depth_m)
    means = np.where(count > 0, total / np.maximum(count, 1), rows[:, np.newaxis])
    return means.astype(np.float32)


def prior_at(prior_m: Depth, shape: tuple[int, ...]) -> Depth:
    """Give the prior for frames of another size, bilinear."""
    height, width = shape
    resized = cv2.resize(prior_m, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.float32)


def _fill(
    total: NDArray[np.float64], count: NDArray[np.float64], fallback: float
) -> NDArray[np.float64]:
    """Give the mean of each row, from the nearest row where there is none."""
    known = np.flatnonzero(count)
    if not known.size:
        return np.full(len(count), fallback)
    nearest = known[np.abs(np.arange(len(count))[:, np.newaxis] - known).argmin(axis=1)]
    return np.asarray(total[nearest] / count[nearest], np.float64)
