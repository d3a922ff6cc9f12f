# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ground truth of all kinds says the same: annotated PNGs, projected LiDAR, dense depth."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.projection import projection_matrix, sparse_depth
from clip_depth_ros.evaluation.score.protocols import load_protocol
from clip_depth_ros.evaluation.score.score import score_frame
from clip_depth_ros.sources.files import KITTI_PER_METRE, read_depth_png
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Depth, DepthMap
from clip_depth_ros.world.drive import Drive, SyntheticFrame
import cv2
import numpy as np
import pytest

SIZE = Size(96, 320)


@pytest.mark.samples
def test_annotated_depth_is_value_by_256_exactly(samples: Path):
    """Sums of powers of two: float32 holds each of the 65 536 values as it is."""
    paths = sorted((samples / 'kitti_depth/depth').glob('*.png'))
    assert paths
    for path in paths:
        stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(
            read_depth_png(path, KITTI_PER_METRE).astype(np.float64) * 256, stored
        )


@pytest.fixture(scope='module')
def frame() -> SyntheticFrame:
    return Drive(3, width=SIZE.width, height=SIZE.height).frame(20)


@pytest.fixture(scope='module')
def lidar_gt(frame: SyntheticFrame) -> Depth:
    projection = projection_matrix(frame.intrinsics, frame.T_cam_lidar)
    return sparse_depth(frame.lidar_points, projection, SIZE)


def values_of(pred: Depth, gt: Depth, frame: SyntheticFrame, protocol: str) -> dict[str, float]:
    sample = DepthSample('', frame.rgb, gt)
    return dict(score_frame(DepthMap(pred), sample, load_protocol(protocol)).values)


def spread_in_pixel(depth_m: Depth) -> Depth:
    """Give how far depth within a pixel and its neighbours goes, relative to the nearest."""
    kernel = np.ones((3, 3), np.uint8)
    known = np.where(np.isfinite(depth_m), depth_m, np.float32(1e4))
    nearest, farthest = cv2.erode(known, kernel), cv2.dilate(known, kernel)
    return (farthest - nearest) / nearest


def test_lidar_and_dense_depth_agree_within_the_sampling_error(
    frame: SyntheticFrame, lidar_gt: Depth
):
    """
    A point is somewhere in its pixel, and has noise.

    On surfaces whose depth varies by less than 5 % between neighbouring pixels, 99 % of points are
    within 5 % of the depth in the middle of their pixel, half within 1 %.
    """
    smooth = (lidar_gt > 0) & np.isfinite(frame.depth_m) & (spread_in_pixel(frame.depth_m) < 0.05)
    error = np.abs(lidar_gt[smooth] / frame.depth_m[smooth] - 1)
    assert smooth.sum() > 1000
    assert np.median(error) < 0.01
    assert np.mean(error < 0.05) > 0.99


def test_the_perfect_answer_scores_perfectly_against_dense_depth(frame: SyntheticFrame):
    """The sky is not known, and does not count."""
    values = values_of(frame.depth_m, frame.depth_m, frame, 'plain')
    assert (values['none/abs_rel'], values['none/delta1'], values['coverage']) == (0, 1, 1)


def test_the_perfect_answer_scores_well_against_lidar(frame: SyntheticFrame, lidar_gt: Depth):
    """All that is left is what one sweep is worth: noise, sampling, points behind borders."""
    values = values_of(frame.depth_m, lidar_gt, frame, 'raw-lidar')
    assert values['none/abs_rel'] < 0.04
    assert values['none/delta1'] > 0.96
    assert values['scale'] == pytest.approx(1, abs=0.01)


def test_both_truths_judge_an_answer_alike(frame: SyntheticFrame, lidar_gt: Depth):
    """Where the LiDAR has points: 20 % too far is 20 % too far against either."""
    pred = 1.2 * frame.depth_m
    where_lidar = np.where(lidar_gt > 0, frame.depth_m, np.float32(0))
    dense = values_of(pred, where_lidar, frame, 'plain')
    sparse = values_of(pred, lidar_gt, frame, 'raw-lidar')
    assert dense['median/abs_rel'] < 0.03
    assert sparse['none/abs_rel'] == pytest.approx(dense['none/abs_rel'], abs=0.03)
