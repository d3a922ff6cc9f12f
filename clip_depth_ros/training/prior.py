# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The mean depth of each pixel over the training frames: what can be said without looking.

A camera that is fixed to a robot sees floor below and far things above; a model that does not
beat this prior has learned nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable

from clip_depth_ros.core.baselines import DepthSums, prior_of
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.training.distributed import Ranks
from clip_depth_ros.training.frames import Batch
from clip_depth_ros.types import Depth


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
    What is done about pixels without any target: see :func:`prior_of`.

    """
    sums = DepthSums(size)
    for batch in batches:
        for target_m in batch.targets_m:
            target = target_m.numpy()
            sums.add(target, (target >= min_depth_m) & (target <= max_depth_m))
    return prior_of(ranks.sum_array(sums.sums, device), fallback_m=max_depth_m)
