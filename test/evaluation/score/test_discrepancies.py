# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One prediction under the field's protocols: the numbers differ as the definitions imply."""

from __future__ import annotations

from collections.abc import Mapping
import functools
from typing import Any

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.projection import projection_matrix, sparse_depth
from clip_depth_ros.evaluation.score.protocols import load_protocol
from clip_depth_ros.evaluation.score.score import score_frame
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Depth, DepthMap, Intrinsics
import numpy as np
import pytest
from source_tree import ROOT

PAGE = ROOT / 'docs/protocols.md'
FRAME, ANSWER = Size(375, 1242), Size(192, 640)
CAMERA = Intrinsics(721.5377, 721.5377, 609.5593, 172.854, FRAME.width, FRAME.height)
T_CAM_VELO = np.array([[0, -1, 0, 0], [0, 0, -1, -0.08], [1, 0, 0, -0.27], [0, 0, 0, 1.0]])
"""KITTI's LiDAR, rounded: x forward; 0.27 m behind the camera and 0.08 m above."""

SHOWN = ('abs_rel', 'sq_rel', 'rmse', 'silog', 'delta1')
FULL_TO_MONODEPTH2: Mapping[str, Mapping[str, Any]] = {
    'as kitti-eigen-garg': {'resize': 'depth', 'alignment': 'none'},
    'and inverse depth resampled': {'alignment': 'none'},
    'and forward coordinate': {'alignment': 'none', 'lidar_value': 'forward'},
    'and pixel round(u) - 1': {
        'alignment': 'none', 'lidar_value': 'forward', 'lidar_pixel': 'minus-one',
    },
    'and median scaling: monodepth2': {'lidar_value': 'forward', 'lidar_pixel': 'minus-one'},
}


@functools.cache
def scene(size: Size) -> Depth:
    """Give the exact depth of a road, a wall 60 m away and a car 9 m away, at a size."""
    camera = CAMERA.scaled_to(size.width, size.height)
    x, y = np.meshgrid(
        (np.arange(size.width) - camera.cx) / camera.fx,
        (np.arange(size.height) - camera.cy) / camera.fy,
    )
    depth = np.minimum(60.0, np.where(y > 0, 1.65 / np.maximum(y, 1e-9), np.inf))
    on_car = (np.abs(9 * x + 2) < 0.9) & (9 * y > 0.15)
    return np.where(on_car, np.minimum(depth, 9.0), depth).astype(np.float32)


@functools.cache
def lidar_gt(value: Any = 'z', pixel: Any = 'nearest') -> Depth:
    """Every 24th pixel of the scene as a LiDAR point, projected again."""
    rows, columns = np.mgrid[2:FRAME.height:6, 1:FRAME.width:4].reshape(2, -1)
    z = scene(FRAME)[rows, columns].astype(np.float64)
    in_camera = np.stack([
        (columns - CAMERA.cx) / CAMERA.fx * z, (rows - CAMERA.cy) / CAMERA.fy * z, z,
        np.ones_like(z),
    ])
    points = (np.linalg.inv(T_CAM_VELO) @ in_camera).T
    return sparse_depth(
        points, projection_matrix(CAMERA, T_CAM_VELO), FRAME, value=value, pixel=pixel
    )


def prediction() -> Depth:
    """10 % too near at 20 m, more so farther away, and slanted: better to the right."""
    exact = scene(ANSWER)
    slant = np.linspace(0.95, 1.05, ANSWER.width, dtype=np.float32)
    return 0.9 * slant * exact * (exact / 20) ** np.float32(-0.1)


def score(pred: Depth, gt: Depth, protocol: str, **overrides: Any) -> dict[str, float]:
    chosen = load_protocol(protocol, overrides)
    sample = DepthSample('scene', np.zeros((*FRAME, 3), np.uint8), gt)
    values = score_frame(DepthMap(pred), sample, chosen).values
    return {name: values[f'{chosen.alignment}/{name}'] for name in (*SHOWN, 'n')}


def rows() -> dict[str, dict[str, float]]:
    """Give the lines of the page's table: what is compared how, and the metrics."""
    named = {
        name: score(prediction(), lidar_gt(), name)
        for name in ('kitti-eigen-garg', 'kitti-eigen-garg-kb', 'kitti-eigen-eigen')
    }
    steps = {}
    for words, changes in FULL_TO_MONODEPTH2.items():
        gt = lidar_gt(changes.get('lidar_value', 'z'), changes.get('lidar_pixel', 'nearest'))
        overrides = {name: value for name, value in changes.items() if 'lidar' not in name}
        steps[words] = score(prediction(), gt, 'monodepth2', **overrides)
    return named | steps


def line(name: str, values: Mapping[str, float]) -> str:
    return ' | '.join([name, *(f'{values[metric]:.3f}' for metric in SHOWN), f'{values["n"]:.0f}'])


def test_the_page_shows_what_comes_out():
    """Its table is computed here again, to the digits shown."""
    table = [
        text.strip('| ').replace('`', '')
        for text in PAGE.read_text(encoding='utf-8').splitlines()
        if text.startswith('|') and text.count('|') == len(SHOWN) + 3
    ]
    head = ' | '.join(['the same prediction', *SHOWN, 'pixels'])
    separator = ' | '.join(['---'] * (len(SHOWN) + 2))
    assert table == [head, separator, *(line(name, values) for name, values in rows().items())]


def test_the_first_step_to_monodepth2_is_no_step():
    """Without what is its own, it is the full-frame protocol."""
    found = rows()
    assert found['as kitti-eigen-garg'] == found['kitti-eigen-garg']


def test_rows_above_the_kb_window_count_in_the_full_frame_alone():
    """Twice too far in rows 153 to 165: 13 of 218 rows there, none of the other window."""
    gt = np.full(FRAME, 20, np.float32)
    pred = gt.copy()
    pred[153:166] *= 2
    assert score(pred, gt, 'kitti-eigen-garg')['abs_rel'] == pytest.approx(13 / 218)
    assert score(pred, gt, 'kitti-eigen-garg-kb')['abs_rel'] == 0


def test_the_window_of_the_kb_variant_is_smaller():
    gt = np.full(FRAME, 20, np.float32)
    sizes = {
        name: score(gt, gt, name)['n'] for name in ('kitti-eigen-garg', 'kitti-eigen-garg-kb')
    }
    assert sizes == {'kitti-eigen-garg': 218 * 1153, 'kitti-eigen-garg-kb': 206 * 1129}


def test_against_the_forward_coordinate_who_is_right_is_0_27_m_too_near():
    gt = lidar_gt()
    forward = lidar_gt('forward')
    known = gt > 0
    np.testing.assert_allclose(forward[known] - gt[known], 0.27, atol=1e-4)
    window = (slice(153, 371), slice(44, 1197))
    wanted = (0.27 / forward[window][known[window]]).mean()
    found = score(scene(FRAME), forward, 'monodepth2', alignment='none')
    assert found['abs_rel'] == pytest.approx(wanted, rel=1e-4)


def test_one_pixel_off_nobody_is_right():
    """At the borders of things, and on the road, whose depth changes from row to row."""
    right = score(scene(FRAME), lidar_gt(), 'kitti-eigen-garg')
    off = score(scene(FRAME), lidar_gt(pixel='minus-one'), 'kitti-eigen-garg')
    assert right['abs_rel'] < 1e-6 < 1e-3 < off['abs_rel']


def test_a_factor_costs_nothing_under_median_scaling():
    gt = lidar_gt()
    scaled, exact = (
        score(k * scene(FRAME), gt, 'monodepth2') for k in (np.float32(0.5), np.float32(1))
    )
    assert scaled['abs_rel'] == pytest.approx(exact['abs_rel'], abs=1e-6)
    assert score(np.float32(0.5) * scene(FRAME), gt, 'kitti-eigen-garg')['abs_rel'] == 0.5


def test_inverse_depth_is_nearer_between_near_and_far():
    """Half way between 10 and 60 m: 35 m in depth, 17 m in inverse depth."""
    pred = np.where(np.arange(ANSWER.width) < 320, np.float32(10), np.float32(60))
    pred = np.tile(pred, (ANSWER.height, 1))
    gt = np.full(FRAME, 10, np.float32)
    depth, inverse = (
        score(pred, gt, 'monodepth2', alignment='none', resize=resize)['abs_rel']
        for resize in ('depth', 'inverse-depth')
    )
    assert inverse < depth
