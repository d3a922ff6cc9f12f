# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How good the model is on held-out frames: in numbers, and side by side in a picture sheet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Final, NamedTuple

from clip_depth_ros.core.depth_images import colorize, legend
from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.core.metrics import DepthMetrics, relative_error
from clip_depth_ros.core.projection import on_truth
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.score.prepare import valid_gt
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol, protocol_title
from clip_depth_ros.evaluation.score.score import score_frame
from clip_depth_ros.model.clip2depth import Clip2Depth
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.samples import DepthSample, SampleSource
from clip_depth_ros.training.clip import FrozenClip
from clip_depth_ros.training.distributed import Ranks
from clip_depth_ros.training.frames.frames import Batch
from clip_depth_ros.types import Depth, DepthMap, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray
import torch

METRIC_NAMES: Final = tuple(field.name for field in fields(DepthMetrics))
CHOSEN_BY: Final = 'abs_rel'
"""The metric by which the best weights are chosen (our choice)."""

_WIDTH_PX: Final = 416
_GAP_PX: Final = 4
_TITLE_PX: Final = 22
_WORST_ERROR: Final = 0.5
_WHITE: Final = (255, 255, 255)
_NO_IMAGE: Final = np.zeros((0, 0, 3), np.uint8)


def validation_protocol(settings: TrainSettings) -> EvaluationProtocol:
    """Return the protocol of validation: the range of depth that counts, all of each frame."""
    return EvaluationProtocol(
        name='validation',
        min_depth_m=settings.score_min_depth_m or settings.min_depth_m,
        depth_cap_m=settings.score_max_depth_m or settings.max_depth_m,
    )


def caption(settings: TrainSettings, source: SampleSource) -> str:
    """Say what the numbers of a validation mean; it goes with them wherever they are written."""
    kind = source.describe().get('kind', settings.kind)
    crop = '' if settings.crop == 'none' else f' (crop {settings.crop})'
    title = protocol_title(validation_protocol(settings))
    camera = f'used, at {settings.focal_px:.4g} px' if settings.focal_px else 'ignored'
    return f'{kind}, {len(source)} held-out frames{crop}; {title}; camera {camera}'


def predict(model: Clip2Depth, clip: FrozenClip, batch: Batch) -> list[Depth]:
    """Return the depth of each frame, float32 (H, W) at the network's size, true metres."""
    with torch.no_grad(), clip.autocast():
        depth_m = model(clip.taps(batch), clip.grid(batch), rays=clip.rays(batch))
    return [*(depth_m.float().cpu() * batch.focal_ratios.view(-1, 1, 1)).numpy()]


def scores(
    depths_m: Sequence[Depth], batch: Batch, protocol: EvaluationProtocol
) -> Iterator[DepthMetrics]:
    """
    Yield the metrics of each frame of a batch that has truth in the range.

    ``depths_m``, float32 (H, W), is what was predicted for each frame, at any size, metres; the
    targets of the batch are at their own size.
    """
    for name, depth_m, target_m in zip(batch.names, depths_m, batch.targets_m, strict=True):
        height, width = target_m.shape
        # To whole pixels of the image, as the predictor does it.
        answer = cv2.resize(depth_m, (width, height), interpolation=cv2.INTER_LINEAR)
        yield from score_one(np.asarray(answer, np.float32), target_m.numpy(), protocol, name)


def score_one(
    depth_m: Depth, gt: Depth, protocol: EvaluationProtocol, name: str = ''
) -> list[DepthMetrics]:
    """Return the metrics of one frame, or none if it has no truth in the range."""
    if not valid_gt(gt, protocol).any():
        return []
    sample = DepthSample(name, _NO_IMAGE, gt)
    return [score_frame(DepthMap(depth_m), sample, protocol, details=False).metrics()]


def validate(
    model: Clip2Depth,
    clip: FrozenClip,
    batches: Iterable[Batch],
    protocol: EvaluationProtocol,
    ranks: Ranks,
) -> DepthMetrics:
    """
    Return the mean over frames of each frame's metrics.

    ``batches`` are this process's part of the held-out frames, with targets at their own size.
    The model's condition is frozen for the time. DataError if no frame has truth in the range.
    """
    model.eval()
    model.freeze_condition(clip.backbone)
    metrics = [
        each
        for batch in batches
        for each in scores(predict(model, clip, batch), batch, protocol)
    ]
    return mean_over_ranks(metrics, ranks, clip.backbone.device)


def mean_over_ranks(each: Sequence[DepthMetrics], ranks: Ranks, device: str) -> DepthMetrics:
    """Return the mean over the frames of all processes, n the sum; DataError without any."""
    own = np.array([[*asdict(metrics).values()] for metrics in each], np.float64)
    sums: NDArray[np.float64] = own.reshape(-1, len(METRIC_NAMES)).sum(axis=0)
    totals = ranks.sum_array(np.append(sums, float(len(each))), device)
    n_frames = totals[-1]
    if n_frames == 0:
        raise DataError(
            'no held-out frame has ground truth between min_depth_m and max_depth_m: check '
            'these two, and the unit of the depth'
        )
    means = dict(zip(METRIC_NAMES, totals[:-1] / n_frames, strict=True))
    return DepthMetrics(**{**means, 'n': round(totals[METRIC_NAMES.index('n')])})


class SheetRow(NamedTuple):
    """One frame of a sheet: uint8 (H, W, 3), float32 (H, W) and (h, w), metres."""

    rgb: Rgb
    gt_m: Depth
    pred_m: Depth


def write_sheet(
    path: Path, rows: Sequence[SheetRow], *, min_depth_m: float, max_depth_m: float
) -> None:
    """
    Write a sheet as PNG, one row for each frame, and which colour means which depth.

    Depth is coloured by its logarithm, near is red, without ground truth is grey; the error is
    abs(pred - gt) / gt, from black (none) to yellow (half and more). Points of a LiDAR are dots on
    the image in grey. OutputError if it cannot be written.
    """
    pictures = [_row(row, min_depth_m, max_depth_m) for row in rows]
    blank = np.zeros((_GAP_PX, pictures[0].shape[1], 3), np.uint8)
    title = _title(min_depth_m, max_depth_m, pictures[0].shape[1])
    colors = legend(2 * _WIDTH_PX + _GAP_PX, near_m=min_depth_m, far_m=max_depth_m, scale='log')
    # Below truth and prediction.
    sides = ((0, 0), (_WIDTH_PX + _GAP_PX, _WIDTH_PX + 2 * _GAP_PX), (0, 0))
    stacked = [title, *(part for picture in pictures for part in (picture, blank))]
    stacked.append(np.pad(colors, sides))
    _, png = cv2.imencode('.png', np.concatenate(stacked)[..., ::-1])
    atomic_write_bytes(path, png.tobytes())


def _row(row: SheetRow, min_depth_m: float, max_depth_m: float) -> Rgb:
    height, width = row.gt_m.shape
    resized = cv2.resize(row.pred_m, (width, height), interpolation=cv2.INTER_LINEAR)
    pred_m = np.asarray(resized, np.float32)
    gt_m = np.where(np.isfinite(row.gt_m) & (row.gt_m > 0), row.gt_m, np.nan).astype(np.float32)
    error = np.abs(relative_error(pred_m, gt_m)).astype(np.float32)

    def in_colors(depth_m: Depth) -> Rgb:
        return colorize(depth_m, near_m=min_depth_m, far_m=max_depth_m, scale='log')

    # The map's upper end is near: minus the error, so that a large error is bright.
    wrong = colorize(_WORST_ERROR - error, near_m=0.0, far_m=_WORST_ERROR, color_map='inferno')
    # All at the shape of the ground truth: the image may have been squeezed for the network.
    shown_height = max(1, round(height * _WIDTH_PX / width))
    seen = np.asarray(cv2.resize(row.rgb, (width, height)), np.uint8)
    pictures = (
        row.rgb,
        on_truth(seen, in_colors(gt_m), gt_m, _WIDTH_PX),
        in_colors(pred_m),
        on_truth(seen, wrong, gt_m, _WIDTH_PX),
    )
    return np.concatenate([_shown(picture, shown_height) for picture in pictures], axis=1)


def _shown(picture: Rgb, height: int) -> Rgb:
    """Return a picture at the sheet's width, with the gap to the next."""
    shown = cv2.resize(picture, (_WIDTH_PX, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(
        cv2.copyMakeBorder(shown, 0, 0, 0, _GAP_PX, cv2.BORDER_CONSTANT), np.uint8
    )


def _title(min_depth_m: float, max_depth_m: float, width: int) -> Rgb:
    depth = f'(log, {min_depth_m:g} to {max_depth_m:g} m)'
    names = ('image', f'ground truth {depth}', f'prediction {depth}', 'abs error / gt, 0 to 0.5')
    title = np.zeros((_TITLE_PX, width, 3), np.uint8)
    for i, name in enumerate(names):
        where = (i * (_WIDTH_PX + _GAP_PX) + 4, _TITLE_PX - 7)
        cv2.putText(title, name, where, cv2.FONT_HERSHEY_SIMPLEX, 0.42, _WHITE, 1, cv2.LINE_AA)
    return title
