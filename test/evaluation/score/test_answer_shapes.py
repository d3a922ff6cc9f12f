# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which shapes an answer may have: any scale of its image, and nothing that would be stretched."""

from __future__ import annotations

import math

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ImageError
from clip_depth_ros.evaluation.score.prepare import check_shape, squeezing
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.evaluation.score.score import score_frame
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import DepthMap
from hypothesis import assume, given, strategies as st
import numpy as np
import pytest

KITTI, VGA, SMALL = Size(375, 1242), Size(480, 640), Size(48, 64)


@given(st.integers(1, 400), st.integers(1, 400), st.floats(0.02, 4), st.sampled_from('frc'))
def test_any_scale_fits_however_it_is_rounded(height, width, scale, how):
    rounded = {'f': math.floor, 'r': round, 'c': math.ceil}[how]
    own = Size(*(max(1, rounded(side * scale)) for side in (height, width)))
    assume(min(height, width) * scale >= 1)
    check_shape(own, Size(height, width))


@pytest.mark.parametrize(('whole', 'own'), [
    (KITTI, Size(320, 1024)),  # monodepth2
    (KITTI, Size(192, 640)),
    (KITTI, Size(128, 416)),
    (Size(370, 1224), Size(384, 1216)),  # whole patches of 32
    (VGA, Size(476, 644)),  # of 14
    (VGA, Size(34, 46)),  # a grid of such patches
    (KITTI, Size(12, 39)),
    (SMALL, Size(3, 4)),
    (SMALL, Size(1, 1)),
])
def test_what_networks_round_their_input_to_fits(whole: Size, own: Size):
    check_shape(own, whole)


@pytest.mark.parametrize(('whole', 'own'), [
    (VGA, Size(480, 480)),  # the middle, or squeezed: who knows
    (VGA, Size(352, 352)),
    (VGA, Size(640, 480)),  # lies on its side
    (SMALL, Size(24, 64)),
    (SMALL, Size(12, 12)),
    (SMALL, Size(32, 64)),
    (KITTI, Size(384, 384)),
    (KITTI, Size(375, 621)),
])
def test_another_shape_is_refused_with_both_sizes(whole: Size, own: Size):
    with pytest.raises(ImageError, match=rf'{whole.text}, at any scale, and has {own.text}:'):
        check_shape(own, whole)


def test_an_answer_is_never_stretched():
    """Half of the rows, which would be compared with rows twice as far down."""
    gt = np.tile(np.arange(1, 49, dtype=np.float32)[:, np.newaxis], 64)
    frame = DepthSample('a frame', np.zeros((48, 64, 3), np.uint8), gt)
    with pytest.raises(ImageError, match='64x48, at any scale, and has 64x24'):
        score_frame(DepthMap(gt[:24]), frame, EvaluationProtocol())
    half = score_frame(DepthMap(gt[::2, ::2]), frame, EvaluationProtocol())
    assert half.metrics().delta1 > 0.9


@pytest.mark.parametrize(('whole', 'own', 'percent'), [
    (KITTI, Size(320, 1024), '3.5'),
    (KITTI, Size(192, 640), ''),  # less than a pixel
    (VGA, Size(476, 644), '1.5'),
    (VGA, Size(240, 320), ''),
    (VGA, Size(34, 46), ''),  # rounding alone
])
def test_what_is_stretched_a_little_is_said(whole: Size, own: Size, percent: str):
    said = squeezing(own, whole)
    assert said == (percent and (
        f'answers of {own.text} for images of {whole.text} are stretched by {percent} %: no plain '
        'scale of them'
    ))
