# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How good depth is on streets that nobody trained on, beside what can be had without looking.

The numbers are those of the scorer that ``clip-depth evaluate`` has, and what they mean is the
title of its protocol.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.metrics import DepthMetrics, mean_metrics
from clip_depth_ros.core.patches import upsample
from clip_depth_ros.evaluation.run.baselines import UniformRandom
from clip_depth_ros.evaluation.score.baselines import fit_constant, fit_prior
from clip_depth_ros.evaluation.score.prepare import valid_gt
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol, protocol_title
from clip_depth_ros.evaluation.score.score import score_frame
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Depth, DepthMap, DepthPredictor
from clip_depth_ros.world.rendered_streets import Frames
import numpy as np
from numpy.typing import NDArray
from weights.captions import Vocabulary

MIN_DEPTH_M: Final = 1.0
DEPTH_CAP_M: Final = 80.0
PROTOCOL: Final = EvaluationProtocol(
    name='rendered streets', gt='exact', min_depth_m=MIN_DEPTH_M, depth_cap_m=DEPTH_CAP_M
)
_UP_TO_CAP: Final = EvaluationProtocol(min_depth_m=1e-9, depth_cap_m=DEPTH_CAP_M)
_BATCH: Final = 20

Depths = NDArray[np.float32]
"""Depth of several frames, (N, H, W), metres."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what predicted, and how well."""

    name: str
    metrics: DepthMetrics


def caption(frames: Frames, seeds: range) -> str:
    """Say in words which frames the numbers are of, and by which protocol."""
    height, width = frames.rgb.shape[1:3]
    return (
        f'synthetic drive, held-out seeds {seeds.start} to {seeds.stop - 1}, {len(frames)} frames '
        f'of {width}x{height}; {protocol_title(PROTOCOL)}'
    )


def score(predictions: Depths, frames: Frames) -> DepthMetrics:
    """Return the mean over frames of the metrics of each."""
    return mean_metrics([
        score_frame(DepthMap(pred), sample, PROTOCOL, details=False).metrics()
        for pred, sample in zip(predictions, _samples(frames), strict=True)
    ])


def predict_all(predictor: DepthPredictor, frames: Frames) -> Depths:
    """Return the depth of all frames, (N, H, W)."""
    answers = [
        answer.depth_m
        for i in range(0, len(frames), _BATCH)
        for answer in predictor.predict_batch([*np.asarray(frames.rgb[i:i + _BATCH])])
    ]
    return np.stack(answers)


def baseline_rows(
    frames: Frames, priors_m: Mapping[str, Depth], vocabulary: Vocabulary, *, seed: int = 0
) -> Iterator[Row]:
    """
    Yield what needs no network.

    Parameters
    ----------
    frames : Frames
        The held-out frames.
    priors_m : mapping of str to float32 (H, W)
        See :func:`pixel_priors`.
    vocabulary : Vocabulary
        Words and their depths, for the oracle.
    seed : int
        Of the random answers.

    """
    shape = frames.depth_m.shape
    uniform = _random(frames, MIN_DEPTH_M, DEPTH_CAP_M, seed)
    yield Row('uniform random', score(uniform, frames))
    logs = _random(frames, np.log(MIN_DEPTH_M), np.log(DEPTH_CAP_M), seed)
    yield Row('log-uniform random', score(np.exp(logs), frames))
    constant_m = fit_constant((each.target_m for each in _samples(frames)), PROTOCOL)
    constants = np.full(shape, constant_m, np.float32)
    yield Row('best constant (chosen on these frames)', score(constants, frames))
    for name, prior_m in priors_m.items():
        yield Row(f'per-pixel prior, {name}', score(np.broadcast_to(prior_m, shape), frames))
    yield Row(
        f'oracle: true {len(vocabulary.words)}-class histogram of each 16x16 patch',
        score(oracle(frames, vocabulary, (16, 16)), frames),
    )


def pixel_priors(train_depth_m: NDArray[Any]) -> dict[str, Depth]:
    """Return the mean and the geometric mean of each pixel's depth over training frames."""
    return {
        name: fit_prior(
            (gt.astype(np.float32) for gt in train_depth_m),
            PROTOCOL,
            'the training streets',
            geometric=name == 'geometric mean',
        )
        for name in ('mean', 'geometric mean')
    }


def _samples(frames: Frames) -> Iterator[DepthSample]:
    for number, (rgb, gt) in enumerate(zip(frames.rgb, frames.depth_m, strict=True)):
        yield DepthSample(f'frame {number}', rgb, gt.astype(np.float32))


def _random(frames: Frames, low: float, high: float, seed: int) -> Depths:
    answers = UniformRandom(low, high, seed).answer([*_samples(frames)])
    return np.stack([answer.depth_m for answer in answers])


def oracle(
    frames: Frames, vocabulary: Vocabulary, patch: tuple[int, int]
) -> NDArray[np.float32]:
    """
    Return what DepthCLIP would answer if it knew the nearest word of every pixel.

    Patches without any depth (all sky) answer the farthest word; between patches it interpolates
    as DepthCLIP does.
    """
    bins_m = np.asarray(vocabulary.bins_m)
    answers = []
    for gt in frames.depth_m:
        depth = gt.astype(np.float64)
        seen = valid_gt(gt.astype(np.float32), _UP_TO_CAP)
        logs = np.log(np.where(seen, depth, DEPTH_CAP_M))
        nearest = np.abs(logs[..., np.newaxis] - np.log(bins_m)).argmin(axis=-1)
        said = np.eye(len(bins_m))[nearest] * seen[..., np.newaxis]  # (H, W, K)
        counts = _patches(said, patch).sum(axis=(1, 3))
        counts[..., -1] += counts.sum(axis=-1) == 0
        grid = (counts @ bins_m / counts.sum(axis=-1)).astype(np.float32)
        answers.append(upsample(grid, Size(*depth.shape)))
    return np.stack(answers)


def seam_ratios(
    predictions: NDArray[np.float32], frames: Frames, patch: tuple[int, int]
) -> tuple[float, float]:
    """
    Return how much more depth jumps across the borders of patches than elsewhere.

    Returns
    -------
    (float, float)
        Down the rows and along the columns: mean absolute difference of log depth between
        neighbouring pixels of different patches, by that of neighbours in one patch, where the
        true depth is smooth (neighbours differ by less than 3 %). 1: no seams.

    """
    first, second = (
        _seam_ratio(predictions, frames.depth_m, axis, side)
        for axis, side in zip((1, 2), patch, strict=True)
    )
    return first, second


def _seam_ratio(
    predictions: NDArray[np.float32], gt: NDArray[Any], axis: int, side: int
) -> float:
    with np.errstate(invalid='ignore'):  # the difference of two infinities
        is_smooth = np.abs(np.diff(np.log(gt.astype(np.float32)), axis=axis)) < 0.03
    jumps = np.abs(np.diff(np.log(predictions), axis=axis))
    is_border = np.moveaxis(np.zeros(jumps.shape, bool), axis, -1)
    is_border[..., side - 1::side] = True
    is_border = np.moveaxis(is_border, -1, axis)
    return float(jumps[is_smooth & is_border].mean() / jumps[is_smooth & ~is_border].mean())


def table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Return metrics by name (see :func:`as_json`) as a table of text."""
    width = max(map(len, rows))
    lines = [f'{"":{width}}  abs_rel   rmse  delta1  delta2  delta3  silog']
    for name, m in rows.items():
        lines.append(
            f'{name:{width}}  {m["abs_rel"]:7.3f} {m["rmse"]:6.2f}  {m["delta1"]:6.3f}  '
            f'{m["delta2"]:6.3f}  {m["delta3"]:6.3f} {m["silog"]:6.1f}'
        )
    return '\n'.join(lines)


def as_json(rows: Sequence[Row]) -> Mapping[str, Mapping[str, float]]:
    """Return the metrics by name, for JSON."""
    return {
        row.name: {key: round(float(value), 5) for key, value in asdict(row.metrics).items()}
        for row in rows
    }


def _patches(maps: NDArray[Any], patch: tuple[int, int]) -> NDArray[Any]:
    """Return (grid_h, patch height, grid_w, patch width, C) of maps (H, W, C)."""
    height, width, channels = maps.shape
    return maps.reshape(height // patch[0], patch[0], width // patch[1], patch[1], channels)
