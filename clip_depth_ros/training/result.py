# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a run has led to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clip_depth_ros.core.metrics import DepthMetrics
from clip_depth_ros.errors import TrainingError


@dataclass(frozen=True, slots=True)
class TrainResult:
    """
    What a run has led to.

    Attributes
    ----------
    out_dir, best_path, last_path : Path
        The run's folder; weights of the best validation and of the end.
    best_step : int
        Steps after which the best weights were there.
    before, metrics, last : DepthMetrics
        On the held-out frames: before the first step, of the best weights, and of the last.
        ``metrics`` is flattered a little: the held-out frames have chosen those weights.
    prior : DepthMetrics or None
        Of the mean depth of each pixel over the training frames, with ``compare_prior``.
    protocol : str
        What these numbers mean.
    bad_frames : mapping of str by str
        Why frames could not be read, by name.

    """

    out_dir: Path
    best_path: Path
    last_path: Path
    best_step: int
    before: DepthMetrics
    metrics: DepthMetrics
    last: DepthMetrics
    prior: DepthMetrics | None
    protocol: str
    bad_frames: Mapping[str, str]


def metrics_of(values: Mapping[str, Any]) -> DepthMetrics:
    """
    Give metrics as a checkpoint holds them.

    Raises
    ------
    TrainingError
        If it is that of a release with other metrics.

    """
    try:
        return DepthMetrics(**values)
    except TypeError as error:
        raise TrainingError(
            f'the checkpoint has other metrics than this release ({error}): begin another run'
        ) from error
