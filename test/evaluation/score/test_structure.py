# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""iBims-1's errors of edges and planes: by hand, against their formulas, laws, what counts."""

from __future__ import annotations

from typing import Any

from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.evaluation.score.score import (
    is_judged,
    is_more_better,
    score_frame,
    value_range,
)
from clip_depth_ros.evaluation.score.structure import canny
from clip_depth_ros.sources.samples import DepthSample, Plane, Structure
from clip_depth_ros.types import DepthMap, Intrinsics
import numpy as np
import pytest
from scipy import ndimage

H, W = 40, 50
CAMERA = Intrinsics(40, 40, 24.5, 19.5, W, H)
AHEAD, DOWN = np.array([0, 0, 1.0]), np.array([0, 1.0, 0])
EVERYWHERE = np.ones((H, W), bool)


def scored(pred, gt, structure, camera=CAMERA, **protocol) -> dict[str, float]:
    """Return what is known of edges and planes."""
    gt = np.asarray(gt, np.float32)
    sample = DepthSample(
        'a room', np.zeros((*gt.shape, 3), np.uint8), gt, camera, structure=structure
    )
    answer = DepthMap(np.asarray(pred, np.float32))
    values = score_frame(answer, sample, EvaluationProtocol(**protocol)).values
    return {k: v for k, v in values.items() if k.startswith(('dbe/', 'pe/', 'dde '))}


def step(column: int = 20) -> Any:
    """Return depth that goes from 1 to 3 m at a column, where its slope is largest."""
    depth_m = np.full((H, W), 3.0)
    depth_m[:, :column] = 1
    depth_m[:, column] = 2
    return depth_m


def line(column: int) -> Structure:
    edges = np.zeros((H, W), bool)
    edges[1:-1, column] = True  # the border of a picture has no edges
    return Structure(edges)


def surface(normal: Any, distance_m: float) -> Any:
    """Return the depth of a plane n X = d in the camera's frame."""
    rows, columns = np.indices((H, W))
    rays = np.stack([(columns - 24.5) / 40, (rows - 19.5) / 40, np.ones((H, W))], axis=-1)
    return distance_m / (rays @ np.asarray(normal))


def wall(mask: Any = EVERYWHERE, normal: Any = AHEAD) -> Structure:
    return Structure(planes=(Plane(mask, np.asarray(normal, float)),))


def room() -> Any:
    """Return rough depth whose slopes are in all directions, none equal to another."""
    rough = ndimage.gaussian_filter(np.random.default_rng(5).normal(size=(H, W)), 2)
    return (8 + 12 * rough).astype(np.float32)


class TestBoundaries:
    def test_an_edge_where_it_is_marked(self):
        found = scored(step(), step(), line(20))
        assert (found['dbe/acc'], found['dbe/comp']) == (0, 0)

    def test_an_edge_three_pixels_beside(self):
        found = scored(step(23), step(), line(20))
        assert found['dbe/acc'] == pytest.approx(3)
        assert found['dbe/comp'] == pytest.approx(3)

    def test_one_of_two_edges_is_found(self):
        """What is answered is right; of what is marked, half is 20 px away, which counts as 10."""
        marked = Structure(line(20).edges | line(40).edges)
        found = scored(step(), step(), marked)
        assert (found['dbe/acc'], found['dbe/comp']) == (0, 5)

    def test_an_edge_that_is_not_there(self):
        """It is 15 px from any that is: only edges near a marked one say how accurate they are."""
        two = np.minimum(step(20), 5 - step(35))
        found = scored(two, two, line(20))
        assert (found['dbe/acc'], found['dbe/comp']) == (0, 0)

    @pytest.mark.parametrize('pred', [
        np.full((H, W), 7.0), step(31), np.linspace(1, 3, W) * np.ones((H, 1))
    ])
    def test_no_edge_near_the_marked_ones(self, pred):
        """A constant, an edge 11 px away, and a slope that is too gentle all over."""
        found = scored(pred, step(), line(20))
        assert (found['dbe/acc'], found['dbe/comp']) == (10, 10)

    @pytest.mark.parametrize('change', [lambda d: 3 * d, lambda d: 0.5 * d + 4])
    def test_law_scale_and_shift_leave_edges_where_they_are(self, change):
        marked = Structure(canny(((room() - room().min()) / np.ptp(room())).astype(np.float32)))
        assert marked.edges is not None
        assert marked.edges.sum() > 100
        found = scored(change(room()), room(), marked)
        assert (found['dbe/acc'], found['dbe/comp']) == (0, 0)

    def test_where_nothing_is_answered_there_is_no_edge(self):
        """The half of the rows that is unknown has none, nor have the 8 beside it."""
        pred = step()
        pred[20:] = np.nan
        found = scored(pred, step(), line(20))
        away = np.minimum(np.arange(1, 39) - 11.0, 10).clip(0)  # the last row with an edge is 11
        assert found['dbe/acc'] == 0
        assert found['dbe/comp'] == pytest.approx(away.mean())

    def test_without_a_marked_edge_nothing_is_said(self):
        nothing = Structure(np.zeros((H, W), bool))
        assert not any(name.startswith('dbe') for name in scored(step(), step(), nothing))

    def test_edges_beyond_the_window_do_not_count(self):
        gt = np.pad(step(), [(0, 440), (0, 590)], constant_values=3)
        marked = Structure(np.pad(line(20).edges, [(0, 440), (0, 590)]))
        assert 'dbe/acc' in scored(gt, gt, marked)
        assert 'dbe/acc' not in scored(gt, gt, marked, eval_crop='nyu-eigen')

    def test_canny_is_that_of_scikit_image(self):
        """
        Take its steps in words: neighbours are met where the slope leaves the 3 x 3 pixels.

        There it lies between two of them, and linear interpolation is what goes from one to the
        other.
        """
        image = (room() - room().min()) / np.ptp(room())
        weight = ndimage.gaussian_filter(np.ones((H, W)), np.sqrt(2), mode='constant')
        smooth = ndimage.gaussian_filter(image, np.sqrt(2), mode='constant') / weight
        slopes = np.stack([ndimage.sobel(smooth, axis) for axis in (0, 1)])
        size = np.sqrt((slopes**2).sum(axis=0))
        way, places = slopes / np.abs(slopes).max(axis=0), np.indices((H, W))
        beside = [ndimage.map_coordinates(size, places + s * way, order=1) for s in (1, -1)]
        ridge = (size >= np.maximum(*beside)) & (size >= 0.1)
        ridge[[0, -1]] = ridge[:, [0, -1]] = False
        labels, _ = ndimage.label(ridge, np.ones((3, 3)))
        wanted = np.isin(labels, np.unique(labels[ridge & (size >= 0.2)])) & ridge
        assert wanted.sum() > 100
        assert (ridge & ~wanted).any()  # there are lines that are too weak
        np.testing.assert_array_equal(canny(image), wanted)


class TestPlanes:
    def test_a_wall_answered_as_rough(self):
        """Pixels are 5 cm too near and too far in turn: so far they are from the plane."""
        rough = np.where(np.indices((H, W)).sum(axis=0) % 2, 5.05, 4.95)
        found = scored(rough, np.full((H, W), 5.0), wall())
        assert found['pe/plan'] == pytest.approx(5, abs=1e-3)
        assert found['pe/ori'] == pytest.approx(0, abs=1e-4)
        assert found['pe/n'] == 1

    @pytest.mark.parametrize('angle_deg', [0, 1, 30, 80])
    def test_a_wall_answered_as_turned(self, angle_deg):
        turned = [np.sin(np.radians(angle_deg)) / 4, 0, np.cos(np.radians(angle_deg))]
        turned /= np.linalg.norm(turned)
        found = scored(surface(turned, 3), np.full((H, W), 5.0), wall())
        wanted = np.degrees(np.arccos(turned[2]))
        assert found['pe/ori'] == pytest.approx(wanted, abs=1e-3)
        assert found['pe/plan'] == pytest.approx(0, abs=1e-3)

    @pytest.mark.parametrize('normal', [AHEAD, -AHEAD, 7 * AHEAD])
    def test_law_length_and_sign_of_a_normal_mean_nothing(self, normal):
        found = scored(surface([0.6, 0, 0.8], 4), np.full((H, W), 5.0), wall(normal=normal))
        assert found['pe/ori'] == pytest.approx(np.degrees(np.arccos(0.8)), abs=1e-3)

    def test_law_scale_means_nothing(self):
        gt = surface([0.2, -0.1, 1], 4)
        one, other = (scored(k * gt * room() / 4, gt, wall()) for k in (1, 2.5))
        assert one['pe/plan'] == pytest.approx(other['pe/plan'], rel=1e-5)
        assert one['pe/ori'] == pytest.approx(other['pe/ori'], rel=1e-5)
        assert one['pe/plan'] > 1

    def test_it_is_what_the_paper_writes(self):
        """Points are right, ahead and up of the camera, as its authors have them."""
        mask = np.zeros((H, W), bool)
        mask[5:30, 8:44] = True
        gt, pred = surface([0.2, -0.1, 1], 4), surface([0.1, -0.3, 1], 4) * room() / 4
        pred = pred.astype(np.float32).astype(float)
        z = (pred * np.median(gt[mask]) / np.median(pred[mask]))[mask]
        rows, columns = (each[mask] for each in np.indices((H, W)))
        points = np.stack([(columns - 24.5) / 40 * z, z, -(rows - 19.5) / 40 * z])
        middle = points.mean(axis=1, keepdims=True)
        normal = np.linalg.svd(points - middle)[0][:, 2]
        true = np.array([0.2, 1, 0.1])
        cosine = abs(normal @ true) / np.linalg.norm(true)
        found = scored(pred, gt, wall(mask, [0.2, -0.1, 1]))
        assert found['pe/plan'] == pytest.approx(100 * np.std(normal @ (points - middle)))
        assert found['pe/ori'] == pytest.approx(np.degrees(np.arccos(cosine)), rel=1e-5)

    def test_the_mean_over_planes_of_five_percent(self):
        """Two walls, one of them turned by 30 degrees, and a picture of 4 % of the image."""
        left, right, small = (np.zeros((H, W), bool) for _ in range(3))
        left[:, :25], right[:, 25:], small[:8, :10] = True, True, True
        turned = [0.5, 0, np.sqrt(0.75)]
        marked = Structure(planes=(
            Plane(left, AHEAD), Plane(right, np.array(turned)), Plane(small, DOWN)
        ))
        found = scored(np.full((H, W), 5.0), np.full((H, W), 5.0), marked)
        assert found['pe/n'] == 2
        assert found['pe/ori'] == pytest.approx(15, abs=1e-3)

    def test_pixels_that_count_make_a_plane(self):
        """Half of the wall has no truth, so that what is answered there is not looked at."""
        gt, pred = np.full((H, W), 5.0), np.full((H, W), 5.0)
        gt[:, :25], pred[:, :25] = 0, 1
        assert scored(pred, gt, wall())['pe/plan'] == pytest.approx(0, abs=1e-3)
        gt[:, 27:] = 0  # two columns are 4 % of the image
        assert 'pe/plan' not in scored(pred, gt, wall())

    @pytest.mark.parametrize('camera', [None, Intrinsics(8, 8, 4, 3, 16, 12)])
    def test_without_a_camera_there_is_no_plane(self, camera):
        gt = np.full((H, W), 5.0)
        assert not any(name.startswith('pe') for name in scored(gt, gt, wall(), camera))


class TestDirectedDepth:
    def test_by_hand(self):
        """Of four pixels one is wrongly before 3 m, and one wrongly behind; 3 m is before."""
        marked = Structure(np.zeros((1, 4), bool))
        found = scored([[1, 2.9, 3.1, 3]], [[2, 4, 2, 3]], marked, None)
        assert found == {
            'dde 3 m/correct': 0.5, 'dde 3 m/too_near': 0.25, 'dde 3 m/too_far': 0.25
        }


def test_frames_where_nothing_is_marked_have_none_of_it():
    assert scored(step(), step(), None) == {}


def test_what_is_marked_is_of_the_size_of_the_truth():
    for marked in (Structure(np.zeros((3, 4), bool)), wall(np.zeros((3, 4), bool))):
        with pytest.raises(DataError, match=r'size of the ground truth, 50x40, got 4x3'):
            scored(step(), step(), marked)


def test_what_is_better():
    assert is_more_better('dde 3 m/correct')
    for name in ('dbe/acc', 'dbe/comp', 'pe/plan', 'pe/ori', 'dde 3 m/too_near'):
        assert is_judged(name)
        assert not is_more_better(name)
    assert not is_judged('pe/n')
    assert value_range('dde 3 m/too_far') == (0, 1)
    assert value_range('dbe/acc')[1] == np.inf
