# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Protocols of papers against the steps and formulas of the evaluation codes that came with them.

Each function of the first part names the file whose steps it takes, in its order. Numbers are
compared twice: computed in float32 as there, where delta must be equal to the pixel, and in
float64, where all others must be equal to seven digits. Fits are in float64 alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.evaluation.run.answers import ImageAnswers, RecordedAnswers
from clip_depth_ros.evaluation.score.prepare import resized
from clip_depth_ros.evaluation.score.protocols import load_protocol
from clip_depth_ros.evaluation.score.score import score_frame
from clip_depth_ros.predictor.constant import ConstantPredictor
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import DepthMap, Intrinsics, Rgb
import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog
import torch
from torch.nn import functional

KITTI, KB, NYU = Size(375, 1242), Size(352, 1216), Size(480, 640)
DELTAS = {'delta1', 'delta2', 'delta3'}
Numbers = Mapping[str, float]


def numbers(p: Any, g: Any) -> dict[str, float]:
    """Give what all of them report, by the formulas of Eigen et al., in the numbers' own type."""
    ratio, d = np.maximum(p / g, g / p), np.log(p) - np.log(g)
    return {
        'abs_rel': np.mean(np.abs(p - g) / g),
        'sq_rel': np.mean((p - g) ** 2 / g),
        'rmse': np.sqrt(np.mean((p - g) ** 2)),
        'rmse_log': np.sqrt(np.mean(d**2)),
        'log10': np.mean(np.abs(np.log10(p) - np.log10(g))),
        'silog': 100 * np.sqrt(np.mean(d**2) - np.mean(d) ** 2),
        **{f'delta{k}': np.mean(ratio < 1.25**k) for k in (1, 2, 3)},
    }


def aligned_corners(pred: Any, size: Size) -> Any:
    """Give an answer enlarged as ZoeDepth and Depth Anything V2 do it."""
    tensor = torch.from_numpy(pred)[None, None]
    return functional.interpolate(tensor, size, mode='bilinear', align_corners=True)[0, 0].numpy()


def kb_crop(image: Any) -> Any:
    """Give the bottom centre of 1216x352, as all have it."""
    top, left = image.shape[0] - 352, int((image.shape[1] - 1216) / 2)
    return image[top:top + 352, left:left + 1216]


def window(size: Size, name: str) -> Any:
    """Give the pixels of a crop."""
    (height, width), found = size, np.zeros(size, bool)
    top, bottom, left, right = {
        'garg': (0.40810811, 0.99189189, 0.03594771, 0.96405229),
        'eigen': (0.3324324, 0.91351351, 0.0359477, 0.96405229),
        'nyu': (45 / height, 471 / height, 41 / width, 601 / width),
    }[name]
    found[int(top * height + 1e-9):int(bottom * height + 1e-9),
          int(left * width + 1e-9):int(right * width + 1e-9)] = True
    return found


def line(x: Any, y: Any) -> tuple[float, float]:
    """Give scale and shift by least squares."""
    return tuple(np.linalg.lstsq(np.stack([x, np.ones_like(x)], 1), y, rcond=None)[0].tolist())


def least_absolute_line(x: Any, y: Any, weights: Any) -> tuple[float, float]:
    """Give scale and shift with the least sum of w |scale x + shift - y|, as a linear program."""
    one, n = np.ones_like(x), len(x)
    slack = -sparse.identity(n)
    above = sparse.hstack([sparse.csr_matrix(np.stack([x, one], 1)), slack])
    below = sparse.hstack([sparse.csr_matrix(np.stack([-x, -one], 1)), slack])
    found = linprog(
        np.concatenate([[0, 0], weights]), A_ub=sparse.vstack([above, below]),
        b_ub=np.concatenate([y, -y]), bounds=[(None, None)] * 2 + [(0, None)] * n,
    )
    return tuple(found.x[:2].tolist())


def zoedepth(gt: Any, first: Any, of_flipped: Any, crop: str, far_m: float) -> Numbers:
    """evaluate.py (infer) and zoedepth/utils/misc.py (compute_metrics)."""
    pred = aligned_corners((first + of_flipped[:, ::-1]) / 2, Size(*gt.shape))
    pred = np.clip(pred, gt.dtype.type(1e-3), gt.dtype.type(far_m))
    valid = (gt > 1e-3) & (gt < far_m) & window(Size(*gt.shape), crop)
    return numbers(pred[valid], gt[valid])


def depth_anything_v2(gt: Any, pred: Any) -> Numbers:
    """metric_depth/train.py (the loop over valloader) and metric_depth/util/metric.py."""
    pred = aligned_corners(pred, Size(*gt.shape))
    valid = (gt > 0) & (gt >= 0.001) & (gt <= 80)
    p, g = pred[valid], gt[valid]
    d = np.log(p) - np.log(g)
    return {**numbers(p, g), 'silog': np.sqrt(np.mean(d**2) - np.mean(d) ** 2 / 2)}


def midas(gt: Any, pred: Any, far_m: float) -> Numbers:
    """Take the steps of the metric that its authors publish."""
    valid = (gt > 1e-3) & (gt < far_m)
    scale, shift = line(pred[valid], 1 / gt[valid])
    disparity = np.maximum(scale * pred[valid] + shift, 1 / far_m)
    return numbers(1 / disparity, gt[valid])


def marigold(gt: Any, pred: Any, valid: Any, *, is_inverse: bool, limits: Any) -> Numbers:
    """script/depth/eval.py: least_square and least_square_disparity."""
    if is_inverse:
        fitted = valid & (pred > 0)
        scale, shift = line(pred[fitted], 1 / gt[fitted])
        depth = 1 / np.maximum(scale * pred + shift, 1e-3)
    else:
        scale, shift = line(pred[valid], gt[valid])
        depth = scale * pred + shift
    depth = np.maximum(np.clip(depth, *limits), 1e-6)
    return numbers(depth[valid], gt[valid])


def moge(gt: Any, pred: Any, name: str) -> Numbers:
    """
    moge/test/metrics.py (compute_metrics), whose fits are those of moge/utils/alignment.py.

    The image is one of the 64 x 64 pixels to which it samples images for the fit.
    """
    p, g = pred[gt > 0], gt[gt > 0]
    if name == 'moge-scale':
        ratios = g / p
        losses = (np.abs(ratios[:, None] * p - g) / g).sum(axis=1)
        depth = ratios[np.argmin(losses)] * p
    elif name == 'moge':
        scale, shift = least_absolute_line(p, g, 1 / g)
        depth = scale * p + shift
    else:
        scale, shift = line(p, 1 / g)
        depth = 1 / np.maximum(scale * p + shift, 1 / g.max())
    found = numbers(depth, g)
    return {'abs_rel': np.mean(np.abs(depth - g) / (g + 1e-6)), 'delta1': found['delta1']}


class Answered(ConstantPredictor):
    """Answers what it was given, for one image after the other."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(1.0)
        self._answers = iter(answers)

    def predict_batch(
        self, rgbs: Sequence[Rgb], cameras: Sequence[Intrinsics | None] | None = None
    ) -> list[DepthMap]:
        return [DepthMap(next(self._answers)) for _ in rgbs]


class Recorded:
    """Has one answer, for any frame."""

    def __init__(self, answer: DepthMap) -> None:
        self._answer = answer

    def depth_of(self, sample: DepthSample) -> DepthMap:
        return self._answer

    def describe(self) -> Mapping[str, str]:
        return {}

    def close(self) -> None:
        pass


def truth(size: Size, far_m: float, share: float = 0.3) -> Any:
    """Give depth in 1 / 256 m as PNGs have it, where it is known; also at both ends."""
    rng = np.random.default_rng(size.height)
    stored = np.exp(rng.uniform(np.log(1), np.log(1.05 * far_m), size)) * 256
    gt = (stored.astype(np.uint16) / 256).astype(np.float32)
    gt[rng.random(size) > share] = 0
    gt[::50, ::50] = far_m
    return gt


def seen(gt: Any, size: Size, seed: int = 1) -> Any:
    """Give an answer of any size that has something of the truth, and ties of delta."""
    rng = np.random.default_rng(seed)
    rows, columns = (
        np.arange(n) * n_gt // n for n, n_gt in zip(size, gt.shape, strict=True)
    )
    there = gt[rows[:, None], columns]
    answer = np.where(there > 0, there, 10) * np.exp(rng.normal(0.05, 0.25, size))
    answer[::3] = 0.8 * np.where(there > 0, there, 10)[::3]
    return answer.astype(np.float32)


def ours(
    name: str, gt: Any, answer: DepthMap, overrides: Mapping[str, Any] | None = None
) -> Numbers:
    protocol = load_protocol(name, overrides)
    sample = DepthSample('a', np.zeros((*gt.shape, 3), np.uint8), gt)
    [answer] = RecordedAnswers(Recorded(answer), protocol).answer([sample])
    values = score_frame(answer, sample, protocol).values
    group = f'{protocol.alignment}/'
    return {
        key.removeprefix(group): value for key, value in values.items() if key.startswith(group)
    }


def check(found: Numbers, code: Callable[[Any], Numbers]) -> None:
    """Compare with a code that takes the kind of its numbers."""
    single, double = code(np.float32), code(np.float64)
    assert single.keys() & DELTAS
    for name in single.keys() & DELTAS:
        assert found[name] == pytest.approx(single[name], abs=1e-7), name
    for name in single.keys() - DELTAS:
        assert found[name] == pytest.approx(double[name], rel=3e-7), name
        assert found[name] == pytest.approx(single[name], rel=1e-4), name


@pytest.mark.parametrize(('name', 'size', 'far_m'), [
    ('zoedepth-kitti', KITTI, 80.0), ('zoedepth-nyu', NYU, 10.0),
])
def test_zoedepth(name, size, far_m):
    """Of half the size, averaged with the flipped image; KITTI's is cropped before all else."""
    gt = truth(size, far_m)
    seen_gt = kb_crop(gt) if size == KITTI else gt
    half = Size(seen_gt.shape[0] // 2, seen_gt.shape[1] // 2)
    answers = [seen(seen_gt, half, 1), seen(seen_gt[:, ::-1], half, 2)]
    protocol = load_protocol(name)
    sample = DepthSample('a', np.zeros((*gt.shape, 3), np.uint8), gt)
    [answer] = ImageAnswers(Answered(*answers), protocol).answer([sample])
    values = score_frame(answer, sample, protocol).values
    found = {key.removeprefix('none/'): value for key, value in values.items()}
    crop = 'garg' if size == KITTI else 'nyu'
    check(found, lambda dtype: zoedepth(
        seen_gt.astype(dtype), *(each.astype(dtype) for each in answers), crop, far_m
    ))


def test_depth_anything_v2():
    """Pixels of exactly 80 m count, answers beyond it are not clamped, corners are aligned."""
    gt = truth(KITTI, 80.0)
    answer = seen(gt, Size(187, 621))
    assert answer.max() > 100
    assert (gt == 80).sum() > 100
    check(
        ours('depth-anything-v2', gt, DepthMap(answer)),
        lambda dtype: depth_anything_v2(gt.astype(dtype), answer.astype(dtype)),
    )


@pytest.mark.parametrize(('size', 'far_m'), [(KITTI, 80.0), (NYU, 10.0)])
def test_midas(size, far_m):
    gt = truth(size, far_m)
    answer = 900 / seen(gt, size) - 30
    found = ours('midas', gt, DepthMap(answer, is_relative=True), {'depth_cap_m': far_m})
    check(found, lambda _: midas(gt.astype(float), answer.astype(float), far_m))


@pytest.mark.parametrize('is_inverse', [False, True])
@pytest.mark.parametrize(('name', 'size', 'limits'), [
    ('marigold-kitti', KITTI, (1e-5, 80.0)), ('marigold-nyu', NYU, (1e-3, 10.0)),
])
def test_marigold(name, size, limits, is_inverse):
    """Its own answers are from 0 to 1; those of relative models it aligns in inverse depth."""
    gt = truth(size, limits[1])
    seen_gt = kb_crop(gt) if size == KITTI else gt
    depth = seen(seen_gt, Size(*seen_gt.shape))
    answer = 0.9 / depth + 0.1 if is_inverse else depth / depth.max()
    crop = window(Size(*seen_gt.shape), 'eigen' if size == KITTI else 'nyu')
    valid = (seen_gt > limits[0]) & (seen_gt < limits[1]) & crop
    changed = {'alignment': 'disparity-scale-shift'} if is_inverse else {}
    found = ours(name, gt, DepthMap(answer, is_relative=is_inverse), changed)
    check(found, lambda _: marigold(
        seen_gt.astype(float), answer.astype(float), valid, is_inverse=is_inverse, limits=limits
    ))


@pytest.mark.parametrize('name', ['moge-scale', 'moge', 'moge-disparity'])
def test_moge(name):
    """A hundredth of its answers is nonsense, as the fits are made for that."""
    gt = truth(Size(64, 64), 80.0)
    depth = seen(gt, Size(64, 64))
    depth[::10, ::10] = np.random.default_rng(0).uniform(0.9, 1.1, (7, 7))
    answer = {
        'moge-scale': 0.3 * depth, 'moge': 0.3 * depth + 2, 'moge-disparity': 0.9 / depth + 0.1,
    }[name]
    found = ours(name, gt, DepthMap(answer, is_relative=name == 'moge-disparity'))
    check(found, lambda _: moge(gt.astype(float), answer.astype(float), name))


class TestAlignedCorners:
    @pytest.mark.parametrize(('small', 'large'), [
        (Size(188, 621), KITTI), (Size(7, 5), Size(64, 3)), (Size(1, 4), Size(3, 9)),
        (Size(5, 5), Size(1, 1)), (Size(4, 4), Size(4, 9)),
    ])
    def test_as_torch_has_them(self, small, large):
        values = np.random.default_rng(0).uniform(1, 80, small).astype(np.float32)
        wanted = aligned_corners(values.astype(float), large)
        np.testing.assert_allclose(resized(values, large, align_corners=True), wanted, rtol=1e-5)

    def test_unknown_and_infinite_values_spread_no_farther_than_they_are_mixed(self):
        values = np.array([[1, np.nan, 3, np.inf, 5]], np.float32)
        found = resized(values, Size(1, 9), align_corners=True)
        nan, inf = np.nan, np.inf
        np.testing.assert_array_equal(found, [[1, nan, nan, nan, 3, inf, inf, 5, 5]])

    def test_they_make_a_difference(self):
        """At half the size, on a slope: half a pixel at the borders, none in the middle."""
        values = np.arange(1, 11, dtype=np.float32)[np.newaxis]
        by_area, by_corner = (
            resized(values, Size(1, 20), align_corners=each)[0] for each in (False, True)
        )
        np.testing.assert_allclose((by_area - by_corner)[[1, 18]], [-0.2237, 0.2237], atol=1e-3)
