# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Results of evaluations that never were: one frame by hand, and a drive of any length."""

from __future__ import annotations

import math
from typing import Any

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.projection import projection_matrix, sparse_depth
from clip_depth_ros.evaluation.report.frames import (
    frame_caption,
    report_frames,
    ReportFrame,
)
from clip_depth_ros.evaluation.results.result import (
    Estimate,
    FrameTable,
    PredictorResult,
    Problem,
    Result,
)
from clip_depth_ros.evaluation.score.score import CONFIDENCE_EDGES, DEPTH_EDGES_M, ERROR_EDGES
from clip_depth_ros.world.drive import Drive
import cv2
import numpy as np

TITLE = 'plain: true depth 0.001 to 80 m, no crop, nothing fitted, mean over images'

PREDICTORS = {'ours': 0.09, 'constant': 0.45, 'random': 1.7}
"""Typical abs_rel of each."""

_OF_ABS_REL = {
    'abs_rel': 1.0, 'sq_rel': 4.0, 'rmse': 42.0, 'rmse_log': 1.5, 'log10': 0.45, 'silog': 140.0,
    'delta1': -0.6, 'delta2': -0.1, 'delta3': -0.03, 'log_bias': 0.3,
}
_PARTS = {
    'none': 1.0, 'median': 0.8, 'scale-shift': 0.6,
    'depth 0-10 m': 0.6, 'depth 10-20 m': 0.9, 'depth 20-40 m': 1.3, 'depth 40-80 m': 2.1,
    **{
        f'region {row} {column}': 1.0 + 0.3 * i - 0.25 * j
        for i, row in enumerate(('top', 'middle', 'bottom'))
        for j, column in enumerate(('left', 'centre', 'right'))
    },
    'class road': 0.5, 'class car': 1.2, 'class person': 2.4,
}


def hand_made_result(**changes: Any) -> Result:
    """Return two predictors over two of three frames, with round numbers."""
    values: dict[str, Any] = {
        'title': TITLE,
        'protocol': {'name': 'plain', 'alignment': 'none'},
        'source': {'name': 'two frames'},
        'settings': {'seed': '0'},
        'versions': {'clip_depth_ros': '0'},
        'n_frames': 3,
        'problems': (Problem('frame c', 'no ground truth counts'),),
        'predictors': {'ours': _predictor(0.060), 'constant': _predictor(0.250)},
        'frames': FrameTable(
            indices=(0, 2), names=('a', 'b,"x"'), recordings=('drive', 'drive'),
            stamps_ns=(1_000, None),
            values={
                'ours': {'none/abs_rel': (0.05, 0.07), 'coverage': (1.0, 1.0)},
                'constant': {'none/abs_rel': (0.25, math.nan), 'scale': (1.5, math.nan)},
            },
        ),
    }
    return Result(**{**values, **changes})


def _predictor(abs_rel: float) -> PredictorResult:
    def known(mean: float) -> Estimate:
        return Estimate(mean, 0.9 * mean, 1.1 * mean, 2)

    return PredictorResult(
        describe={'method': 'made up', 'weights_sha256': '0123abcd'},
        n_frames=2,
        estimates={
            'none/abs_rel': known(abs_rel), 'none/rmse': known(2.798),
            'none/delta1': Estimate(0.955, 0.95, 0.96, 2), 'none/log_bias': known(0.1),
            'median/abs_rel': known(abs_rel / 2), 'coverage': known(1.0),
            'depth 0-10 m/abs_rel': known(0.03), 'depth 0-10 m/delta1': known(0.99),
        },
        scale_spread=0.05,
        sums={},
    )


def drive_result(n_frames: int = 200, n_problems: int = 3) -> Result:
    """Return a result of two recordings with three predictors and everything a report can show."""
    values = {
        name: _values(typical, n_frames, seed) for seed, (name, typical) in
        enumerate(PREDICTORS.items())
    }
    return Result(
        title=TITLE,
        protocol={'name': 'plain', 'gt': 'exact', 'depth_cap_m': '80.0', 'alignment': 'none',
                  'aggregation': 'image'},
        source={'name': 'synthetic drive', 'kind': 'synthetic', 'gt': 'exact',
                'notes': 'ground truth is exact, the protocol says annotated'},
        settings={'predict': 'ours constant random', 'bootstrap_samples': '1000', 'seed': '0'},
        versions={'clip_depth_ros': '0.1', 'numpy': np.__version__},
        n_frames=n_frames + n_problems,
        problems=[Problem(f'frame {i}', 'cannot be read') for i in range(n_problems)],
        predictors={name: _of_drive(name, found) for name, found in values.items()},
        frames=FrameTable(
            indices=range(n_frames), names=[f'frame {i}' for i in range(n_frames)],
            recordings=['2011_09_26_drive_0002'] * (n_frames * 2 // 3)
            + ['2011_09_28_drive_0001'] * (n_frames - n_frames * 2 // 3),
            stamps_ns=[10**8 * i for i in range(n_frames)],
            values=values,
        ),
    )


def drive_frames(result: Result, size: Size, *, is_sparse: bool = False) -> list[ReportFrame]:
    """Return the frames that a report of the drive shows, rendered."""
    drive = Drive(7, width=size.width, height=size.height)
    return [
        _drive_frame(drive, 53 * index, frame_caption(result, kind, index), is_sparse)
        for kind, index in report_frames(result)
    ]


def _drive_frame(drive: Drive, index: int, caption: str, is_sparse: bool) -> ReportFrame:
    frame = drive.frame(index, lidar=is_sparse)
    exact = np.minimum(frame.depth_m, 80)
    gt = np.where(frame.depth_m < 80, frame.depth_m, np.nan)
    if is_sparse:
        P = projection_matrix(frame.intrinsics, frame.T_cam_lidar)
        seen = sparse_depth(frame.lidar_points, P, Size(*gt.shape))
        gt = np.where((seen > 0) & (seen < 80), seen, np.nan)
    rng = np.random.default_rng(index)
    noise = cv2.resize(rng.normal(0, 0.15, (6, 12)), gt.shape[::-1])
    preds = {
        'ours': cv2.GaussianBlur(exact, (0, 0), 3) * np.exp(noise),
        'constant': np.full(gt.shape, 12.0),
        'random': rng.uniform(1, 80, gt.shape),
    }
    return ReportFrame(
        caption=caption, rgb=frame.rgb, gt_m=gt.astype(np.float32),
        preds={name: pred.astype(np.float32) for name, pred in preds.items()},
        intrinsics=frame.intrinsics,
    )


def _values(typical: float, n_frames: int, seed: int) -> dict[str, list[float]]:
    """Return a predictor's values by frame: an error that wanders, all else in proportion."""
    rng = np.random.default_rng(seed)
    smooth = np.convolve(rng.normal(0, 1, n_frames + 29), np.full(30, 1 / 30), 'valid')
    wander = 1.5 * smooth + rng.normal(0, 0.15, n_frames)
    abs_rel = typical * np.exp(wander - wander.mean())
    values = {
        f'{part}/{metric}': (factor * abs_rel * share if share > 0 else
                             np.exp(factor * abs_rel * share)).tolist()
        for part, factor in _PARTS.items()
        for metric, share in _OF_ABS_REL.items()
    }
    return {
        **values,
        'scale': np.exp(wander / 2 + rng.normal(0, 0.03, n_frames)).tolist(),
        'coverage': np.full(n_frames, 0.993).tolist(),
        'flicker': (0.02 * abs_rel).tolist(),
        'roughness': (0.1 * abs_rel).tolist(),
        'lost_edges': (abs_rel / 2).clip(0, 1).tolist(),
    }


def _of_drive(name: str, values: dict[str, list[float]]) -> PredictorResult:
    return PredictorResult(
        describe={'method': name, 'weights_sha256': '5f' * 32, 'device': 'cpu'},
        n_frames=len(values['scale']),
        estimates={key: _estimate(each) for key, each in values.items()},
        scale_spread=float(np.std(np.log(values['scale']))),
        sums=_sums(PREDICTORS[name], has_confidence=name == 'ours'),
    )


def _estimate(values: list[float]) -> Estimate:
    mean, half = float(np.mean(values)), 2 * float(np.std(values)) / math.sqrt(len(values))
    return Estimate(mean, mean - half, mean + half, len(values))


def _sums(typical: float, *, has_confidence: bool) -> dict[str, tuple[float, ...]]:
    depth_m = np.sqrt(np.multiply(DEPTH_EDGES_M[:-1], DEPTH_EDGES_M[1:]))
    n = 1e6 * np.exp(-np.log(depth_m / 12) ** 2) * (depth_m > 3) * (depth_m < 80)
    error = np.add(ERROR_EDGES[:-1], 0.025)
    confidence = np.add(CONFIDENCE_EDGES[:-1], 0.05) if has_confidence else np.zeros(0)
    sums = {
        'depth/n': n,
        'depth/abs_rel': n * typical * (0.5 + depth_m / 40),
        'depth/bias': n * typical * (0.4 - depth_m / 50),
        'error_histogram': 1e6 * np.exp(-(error / typical) ** 2 / 2),
        'confidence/n': 1e5 * confidence,
        'confidence/said': 1e5 * confidence**2,
        'confidence/abs_rel': 1e5 * confidence * (0.3 - 0.25 * confidence),
        'confidence/delta1': 1e5 * confidence * (0.5 + 0.5 * confidence),
    }
    return {name: tuple(values.tolist()) for name, values in sums.items() if len(values)}
