# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How good depth is on streets that nobody trained on, beside what can be had without looking.

The protocol is in every result: frames of the synthetic drive from unseen seeds, 1 to 80 m, no
sky, no crop, no scaling, predictions clamped to the same range, metrics per image and their mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.metrics import (
    clamp_depth,
    depth_metrics,
    DepthMetrics,
    mean_metrics,
    valid_pixels,
)
from clip_depth_ros.core.patches import upsample
from clip_depth_ros.evaluation.score.baselines import BestConstant, DepthSums
from clip_depth_ros.types import Depth, DepthPredictor
from clip_depth_ros.world.rendered_streets import Frames
import numpy as np
from numpy.typing import NDArray
from weights.captions import Vocabulary

MIN_DEPTH_M: Final = 1.0
DEPTH_CAP_M: Final = 80.0
_BATCH: Final = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what predicted, and how well."""

    name: str
    metrics: DepthMetrics


def protocol_of(frames: Frames, seeds: range) -> str:
    """Return the protocol in words."""
    height, width = frames.rgb.shape[1:3]
    return (
        f'synthetic drive, held-out seeds {seeds.start} to {seeds.stop - 1}, {len(frames)} frames '
        f'of {width}x{height}, {MIN_DEPTH_M:g} to {DEPTH_CAP_M:g} m, no sky, no crop, no scaling, '
        'mean over images of per-image values'
    )


def score(predictions: NDArray[np.float32], frames: Frames) -> DepthMetrics:
    """Return the mean of the per-image metrics of predictions (N, H, W) in metres."""
    each = []
    for pred, gt in zip(predictions, frames.depth_m, strict=True):
        target = gt.astype(np.float32)
        clamped = clamp_depth(pred, MIN_DEPTH_M, DEPTH_CAP_M)
        each.append(depth_metrics(clamped, target, _counts(gt)))
    return mean_metrics(each)


def predict_all(predictor: DepthPredictor, frames: Frames) -> NDArray[np.float32]:
    """Return the depth of all frames, (N, H, W)."""
    answers = [
        answer.depth_m
        for i in range(0, len(frames), _BATCH)
        for answer in predictor.predict_batch([*np.asarray(frames.rgb[i:i + _BATCH])])
    ]
    return np.stack(answers)


def shuffled(predictions: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Return each frame the prediction for another one: what is left is not seen in the image.

    Frames are moved on by half of all, so none keeps its own and, with several frames of a street
    in a row, none gets another's of its street.
    """
    return np.roll(predictions, len(predictions) // 2, axis=0)


def baseline_rows(
    frames: Frames, train_depth_m: NDArray[Any], vocabulary: Vocabulary, *, seed: int = 0
) -> Iterator[Row]:
    """
    Return what needs no network.

    Parameters
    ----------
    frames : Frames
        The held-out frames.
    train_depth_m : float (M, H, W)
        Depth of training frames, for the priors.
    vocabulary : Vocabulary
        Words and their depths, for the oracle.
    seed : int
        Of the random answers.

    """
    shape = frames.depth_m.shape
    rng = np.random.default_rng(seed)
    uniform = rng.uniform(MIN_DEPTH_M, DEPTH_CAP_M, shape).astype(np.float32)
    yield Row('uniform random', score(uniform, frames))
    logs = rng.uniform(np.log(MIN_DEPTH_M), np.log(DEPTH_CAP_M), shape)
    yield Row('log-uniform random', score(np.exp(logs).astype(np.float32), frames))
    yield _best_constant(frames)
    for name, prior in pixel_priors(train_depth_m).items():
        yield Row(f'per-pixel prior, {name}', score(_everywhere(prior, shape), frames))
    yield Row(
        f'oracle: true {len(vocabulary.words)}-class histogram of each 16x16 patch',
        score(oracle(frames, vocabulary, (16, 16)), frames),
    )


def pixel_priors(train_depth_m: NDArray[Any]) -> dict[str, Depth]:
    """Return the mean and the geometric mean of each pixel's valid depths, (H, W)."""
    sums, log_sums = (DepthSums(Size(*train_depth_m.shape[1:])) for _ in range(2))
    for gt in train_depth_m:
        depth, counts = gt.astype(np.float64), _counts(gt)
        sums.add(depth, counts)
        log_sums.add(np.log(np.where(counts, depth, 1.0)), counts)
    priors = {'mean': sums.means(), 'geometric mean': np.exp(log_sums.means())}
    # A pixel that was sky in every frame answers the farthest.
    return {
        name: np.where(np.isnan(means), DEPTH_CAP_M, means).astype(np.float32)
        for name, means in priors.items()
    }


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
        seen = valid_pixels(gt.astype(np.float32), min_depth_m=0.0, depth_cap_m=DEPTH_CAP_M)
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


def _best_constant(frames: Frames) -> Row:
    """Choose a constant on the held-out frames themselves: no fair prediction, a bound."""
    best = BestConstant(MIN_DEPTH_M, DEPTH_CAP_M)
    for gt in frames.depth_m:
        best.add(gt[_counts(gt)])
    row = score(np.full(frames.depth_m.shape, best.depth_m(), np.float32), frames)
    return Row('best constant (chosen on these frames)', row)


def _counts(gt: NDArray[Any]) -> NDArray[np.bool_]:
    target = gt.astype(np.float32)
    return valid_pixels(target, min_depth_m=MIN_DEPTH_M, depth_cap_m=DEPTH_CAP_M)


def _everywhere(depth_m: Depth, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.broadcast_to(depth_m, shape)


def _patches(maps: NDArray[Any], patch: tuple[int, int]) -> NDArray[Any]:
    """Return (grid_h, patch height, grid_w, patch width, C) of maps (H, W, C)."""
    height, width, channels = maps.shape
    return maps.reshape(height // patch[0], patch[0], width // patch[1], patch[1], channels)
