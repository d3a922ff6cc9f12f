# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How good the model is on held-out frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Final

from clip_depth_ros.core.metrics import (
    clamp_depth,
    depth_metrics,
    DepthMetrics,
    valid_pixels,
)
from clip_depth_ros.errors import DataError
from clip_depth_ros.model.clip2depth import Clip2Depth
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.training.distributed import Ranks
from clip_depth_ros.training.frames import Batch
from clip_depth_ros.training.frozen import FrozenClip
from clip_depth_ros.types import Depth
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
from torch.nn import functional

METRIC_NAMES: Final = tuple(field.name for field in fields(DepthMetrics))
CHOSEN_BY: Final = 'abs_rel'
"""The metric by which the best weights are chosen (our choice)."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """
    The protocol of validation.

    Attributes
    ----------
    min_depth_m, depth_cap_m : float
        Pixels whose ground truth lies between count; predictions are clamped to them.

    """

    min_depth_m: float
    depth_cap_m: float

    def score(self, pred_m: Depth, gt_m: Depth) -> DepthMetrics | None:
        """Give the metrics of one frame, both float32 (H, W); None without ground truth."""
        valid = valid_pixels(gt_m, min_depth_m=self.min_depth_m, depth_cap_m=self.depth_cap_m)
        if not valid.any():
            return None
        return depth_metrics(clamp_depth(pred_m, self.min_depth_m, self.depth_cap_m), gt_m, valid)

    def describe(self, settings: TrainSettings, n_frames: int) -> str:
        """Say in words what the numbers mean; it goes with them wherever they are written."""
        return (
            f'{settings.source}, {n_frames} held-out frames, crop {settings.crop}, ground truth '
            f'{self.min_depth_m:g} to {self.depth_cap_m:g} m at its own size, prediction '
            'bilinear and clamped, no scaling, no flip averaging, mean over frames'
        )


def predict(model: Clip2Depth, clip: FrozenClip, batch: Batch) -> list[Depth]:
    """Give depth at the size of each target, float32 (H, W), metres; the model is frozen."""
    with torch.no_grad(), clip.arithmetic():
        depth_m = model(clip.taps(batch), clip.grid(batch))
    return [
        np.asarray(_at_size(one_m, target_m.shape).cpu().numpy(), np.float32)
        for one_m, target_m in zip(depth_m.float(), batch.targets_m, strict=True)
    ]


def validate(
    model: Clip2Depth,
    clip: FrozenClip,
    batches: Iterable[Batch],
    scorer: Scorer,
    ranks: Ranks,
) -> DepthMetrics:
    """
    Give the mean over frames of each frame's metrics.

    Parameters
    ----------
    model : Clip2Depth
        Any; its condition is frozen for the time.
    clip : FrozenClip
        What it reads.
    batches : iterable of Batch
        This process's part of the held-out frames, with targets at their own size.
    scorer : Scorer
        The protocol.
    ranks : Ranks
        The processes that share the work.

    Raises
    ------
    DataError
        If no frame has a ground truth in the range.

    """
    model.eval()
    model.freeze_condition(clip.backbone)
    scores = [
        scorer.score(pred_m, target_m.numpy())
        for batch in batches
        for pred_m, target_m in zip(predict(model, clip, batch), batch.targets_m, strict=True)
    ]
    return mean_over_ranks([score for score in scores if score], ranks, clip.backbone.device)


def mean_over_ranks(scores: Sequence[DepthMetrics], ranks: Ranks, device: str) -> DepthMetrics:
    """
    Give the mean of the scores of all processes, by frame; n is the sum.

    Raises
    ------
    DataError
        If there are none.

    """
    own = np.array([[*asdict(score).values()] for score in scores], np.float64)
    sums: NDArray[np.float64] = own.reshape(-1, len(METRIC_NAMES)).sum(axis=0)
    totals = ranks.sum_array(np.append(sums, float(len(scores))), device)
    n_frames = totals[-1]
    if n_frames == 0:
        raise DataError(
            'no held-out frame has ground truth between min_depth_m and max_depth_m: check '
            'these two, and the unit of the depth'
        )
    means = dict(zip(METRIC_NAMES, totals[:-1] / n_frames, strict=True))
    return DepthMetrics(**{**means, 'n': round(totals[METRIC_NAMES.index('n')])})


def _at_size(depth_m: Tensor, size: Sequence[int]) -> Tensor:
    """Give depth (H, W) at another size: bilinear, pixel centres as OpenCV has them."""
    if tuple(depth_m.shape) == tuple(size):
        return depth_m
    resized = functional.interpolate(
        depth_m[None, None], size=tuple(size), mode='bilinear', align_corners=False
    )
    return resized[0, 0]
