# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How good depth is on frames that nobody trained on, beside what can be had without looking.

The numbers are those of ``clip-depth evaluate``, and what they mean is the title of its protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.patches import upsample
from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.score.prepare import valid_gt
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Depth, DepthMap, DepthPredictor, Intrinsics
from clip_depth_ros.world.rendered_streets import Frames
from clip_depth_ros.world.rig import Rig, SHAPES
import cv2
import numpy as np
from numpy.typing import NDArray

MIN_DEPTH_M: Final = 1.0
DEPTH_CAP_M: Final = 80.0
PROTOCOL: Final = EvaluationProtocol(
    name='rendered streets', gt='exact', min_depth_m=MIN_DEPTH_M, depth_cap_m=DEPTH_CAP_M
)
CONSTANT: Final = 'best constant (chosen on these frames)'
ORACLE: Final = 'oracle: true 7-class histogram of each 16x16 patch'
_UP_TO_CAP: Final = EvaluationProtocol(min_depth_m=1e-9, depth_cap_m=DEPTH_CAP_M)
METRICS: Final = ('abs_rel', 'rmse', 'delta1', 'delta2', 'delta3', 'silog')
_ORACLE_PX: Final = 16

Row = dict[str, float]
"""Numbers by name: METRICS, ``low`` and ``high`` of abs_rel, ``scale``, ``frames``."""

Rows = dict[str, Row]
"""By predictor."""


class Bucket(NamedTuple):
    """Frames that belong together: their place in a table, and what it calls them."""

    number: int
    name: str


class Oracle:
    """
    What DepthCLIP would answer if it knew the nearest word of every pixel, as ``Answers``.

    The network's input is cut into patches of 16 x 16 pixels; each answers the mean depth of its
    pixels' words. Patches without any depth (all sky) answer the farthest word; between patches it
    interpolates as DepthCLIP does.

    Parameters
    ----------
    bins_m : sequence of float
        Depth that each word stands for, ascending.
    focal_px : float
        Focal length of the network's input, whose metres the words are.

    """

    def __init__(self, bins_m: Sequence[float], focal_px: float) -> None:
        self.bins_m, self.focal_px = np.asarray(bins_m), focal_px

    def answer(self, samples: Sequence[DepthSample]) -> list[DepthMap]:
        """Return the best answer for each frame."""
        return [DepthMap(self._depth_m(sample)) for sample in samples]

    def describe(self) -> Mapping[str, str]:
        """Return what it is."""
        return {'method': f'oracle: true {len(self.bins_m)}-class histogram of each patch'}

    def close(self) -> None:
        """Do nothing."""

    def _depth_m(self, sample: DepthSample) -> Depth:
        size = Size(*sample.target_m.shape)
        focal = sample.intrinsics.focal_px if sample.intrinsics else self.focal_px
        rows, columns = (
            max(1, round(side * self.focal_px / focal / _ORACLE_PX)) for side in size
        )
        seen = cv2.resize(
            sample.target_m, (columns * _ORACLE_PX, rows * _ORACLE_PX),
            interpolation=cv2.INTER_NEAREST_EXACT,
        )
        ratio = focal * columns * _ORACLE_PX / size.width / self.focal_px
        grid = self._grid(np.asarray(seen, np.float32) / np.float32(ratio))
        return upsample((grid * ratio).astype(np.float32), size)

    def _grid(self, depth_m: Depth) -> Depth:
        known = valid_gt(depth_m, _UP_TO_CAP)
        logs = np.log(np.where(known, depth_m, DEPTH_CAP_M))
        nearest = np.abs(logs[..., np.newaxis] - np.log(self.bins_m)).argmin(axis=-1)
        said = np.eye(len(self.bins_m))[nearest] * known[..., np.newaxis]  # (H, W, K)
        height, width, words = said.shape
        side = _ORACLE_PX
        counts = said.reshape(height // side, side, width // side, side, words).sum(axis=(1, 3))
        counts[..., -1] += counts.sum(axis=-1) == 0
        return np.asarray(counts @ self.bins_m / counts.sum(axis=-1), np.float32)


def rows_of(result: Result) -> Rows:
    """Return the numbers of each predictor over all frames."""
    return {name: _row(result, name) for name in result.predictors}


def _row(result: Result, name: str) -> Row:
    found = result.predictors[name]
    abs_rel = found.estimates['none/abs_rel']
    return _rounded({
        **{metric: found.estimates[f'none/{metric}'].mean for metric in METRICS},
        'low': abs_rel.low,
        'high': abs_rel.high,
        'scale': float(np.median(_scales(result, name))),
        'frames': found.n_frames,
    })


def buckets_of(result: Result, bucket_of: Sequence[Bucket]) -> dict[str, Rows]:
    """Return the numbers of each predictor over the frames of each bucket, one for each frame."""
    numbers = np.array([bucket.number for bucket in bucket_of])
    return {
        bucket.name: {
            name: _part(result, name, numbers == bucket.number) for name in result.predictors
        }
        for bucket in sorted({*bucket_of})
    }


def _part(result: Result, name: str, picked: NDArray[np.bool_]) -> Row:
    values = result.frames.values[name]
    return _rounded({
        **{
            metric: float(np.mean(np.asarray(values[f'none/{metric}'])[picked]))
            for metric in METRICS
        },
        'scale': float(np.median(_scales(result, name)[picked])),
        'frames': int(picked.sum()),
    })


def _scales(result: Result, name: str) -> NDArray[np.float64]:
    """Return by how much each frame is seen too far: median answer / median truth, (N,)."""
    return 1 / np.asarray(result.frames.values[name]['scale'], np.float64)


def _rounded(row: Mapping[str, float]) -> Row:
    return {name: round(value, 4) for name, value in row.items()}


def camera_buckets(rigs: Sequence[Rig]) -> dict[str, list[Bucket]]:
    """Return the bucket of each camera, by what they are sorted by."""
    return {
        'field of view': [
            _between(rig.intrinsics.hfov_deg, (45, 60, 75, 90, 100), 'deg') for rig in rigs
        ],
        'shape': [_shape(rig.intrinsics) for rig in rigs],
        'height': [_between(rig.height_m, (0.3, 0.6, 1.2, 1.7, 2.2), 'm') for rig in rigs],
        'pitch, down is positive': [
            _between(np.degrees(rig.pitch_rad), (-12, -6, -2, 2, 6, 12), 'deg') for rig in rigs
        ],
    }


def _between(value: float, edges: Sequence[float], unit: str) -> Bucket:
    place = int(np.searchsorted(edges[1:-1], value, side='right'))
    return Bucket(place, f'{edges[place]:g} to {edges[place + 1]:g} {unit}')


def _shape(camera: Intrinsics) -> Bucket:
    names = ('1:1', '4:3', '3:2', '16:10', '16:9', '2:1', '3.3:1')
    own = camera.width / camera.height
    place = int(np.abs(np.log(np.array(SHAPES) / own)).argmin())
    return Bucket(place, names[place])


def predict_all(predictor: DepthPredictor, frames: Frames, camera: Intrinsics) -> Depth:
    """Return the depth of frames that one camera has taken, float32 (N, H, W)."""
    return np.stack([
        predictor.predict(np.asarray(rgb), camera).depth_m for rgb in frames.rgb
    ])


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
    is_smooth &= np.isfinite(jumps)
    is_border = np.moveaxis(np.zeros(jumps.shape, bool), axis, -1)
    is_border[..., side - 1::side] = True
    is_border = np.moveaxis(is_border, -1, axis)
    return float(jumps[is_smooth & is_border].mean() / jumps[is_smooth & ~is_border].mean())
