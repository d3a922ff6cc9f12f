# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The windows of depth evaluations, to the pixel."""

from __future__ import annotations

from clip_depth_ros.core.image_plan import Size, Window
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.score.crops import WINDOWS
from hypothesis import given, strategies as st
import pytest

KITTI_SIZES = [
    # height, width, Garg's rows and columns, Eigen's rows
    (375, 1242, (153, 371, 44, 1197), (124, 342)),
    (370, 1224, (151, 366, 43, 1180), (122, 337)),
    (370, 1226, (151, 366, 44, 1181), (122, 337)),
    (374, 1238, (152, 370, 44, 1193), (124, 341)),
    (376, 1241, (153, 372, 44, 1196), (124, 343)),
    (352, 1216, (143, 349, 43, 1172), (117, 321)),
]


def edges(window: Window) -> tuple[int, int, int, int]:
    """Return first and last row (not included), first and last column."""
    return window.y, window.y + window.height, window.x, window.x + window.width


@pytest.mark.parametrize(('height', 'width', 'garg', 'eigen_rows'), KITTI_SIZES)
def test_windows_of_all_kitti_sizes(height, width, garg, eigen_rows):
    """As the known codes have them: cut off to whole pixels, not rounded."""
    assert edges(WINDOWS['garg'](Size(height, width))) == garg
    assert edges(WINDOWS['eigen'](Size(height, width))) == (*eigen_rows, *garg[2:])


@pytest.mark.parametrize(('size', 'corner'), [
    ((375, 1242), (13, 23)), ((370, 1224), (4, 18)), ((370, 1226), (5, 18)),
    ((374, 1238), (11, 22)), ((376, 1241), (12, 24)), ((352, 1216), (0, 0)),
])
def test_the_benchmark_crop_is_at_the_bottom_and_centred(size, corner):
    """Where half a pixel is left over, it is nearer to the left."""
    assert WINDOWS['kb'](Size(*size)) == Window(*corner, 1216, 352)


def test_nyu_windows():
    """The code of DepthCLIP starts five columns later than all others."""
    assert edges(WINDOWS['nyu-eigen'](Size(480, 640))) == (45, 471, 41, 601)
    assert edges(WINDOWS['nyu-depthclip'](Size(480, 640))) == (45, 471, 46, 601)


@given(st.sampled_from(['none', 'garg', 'eigen']), st.integers(50, 2000), st.integers(50, 2000))
def test_windows_lie_in_the_image(name, height, width):
    top, bottom, left, right = edges(WINDOWS[name](Size(height, width)))
    assert 0 <= top < bottom <= height
    assert 0 <= left < right <= width


@pytest.mark.parametrize('size', [(351, 1216), (352, 1215), (96, 320)])
def test_an_image_smaller_than_the_benchmark_crop_is_refused(size):
    with pytest.raises(DataError, match=r'at least 1216x352 pixels, got .* without the kb crop'):
        WINDOWS['kb'](Size(*size))


@pytest.mark.parametrize('name', ['nyu-eigen', 'nyu-depthclip'])
def test_nyu_windows_are_for_nyu_frames(name):
    with pytest.raises(DataError, match='of 640x480 ground truth, got 304x228: evaluate at'):
        WINDOWS[name](Size(228, 304))
