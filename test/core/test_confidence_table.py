# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How sure an answer is: what is seen in it, and the share of right ones by a table."""

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.patches import ConfidenceTable, evenness
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
import numpy as np
import pytest

PATCH = Size(4, 8)
TABLE = ConfidenceTable(
    measure=np.array([0.2, 0.6]), depth_m=np.array([1.0, 100.0]),
    share=np.array([[0.1, 0.0], [0.9, 0.4]]),
)


def looked_up(measure, depth_m):
    return TABLE.of(np.array([[measure]], np.float32), np.array([[depth_m]], np.float32)).item()


def test_a_wall_and_a_floor_are_even():
    floor = np.repeat(np.linspace(2, 40, 16, dtype=np.float32)[:, None], 20, axis=1)
    even, typical_m = evenness(floor, PATCH)
    assert even.shape == typical_m.shape == (4, 2)
    np.testing.assert_array_equal(even, 1)
    assert (np.diff(typical_m, axis=0) > 0).all()


def test_depth_that_halves_over_each_patch_is_half_even_and_its_middle_is_typical():
    across = np.exp2(-np.arange(48, dtype=np.float32) / PATCH.width)
    even, typical_m = evenness(np.tile(across, (12, 1)), PATCH)
    np.testing.assert_allclose(even, 0.5, rtol=1e-5)
    middles = np.exp2(-(np.arange(6) + 0.5) + 0.5 / PATCH.width)
    np.testing.assert_allclose(typical_m[0], middles, rtol=1e-5)


@given(arrays(np.float32, (8, 16), elements=st.floats(0.5, 80, width=32)), st.floats(0.5, 2))
def test_evenness_is_a_share_and_knows_no_unit(depth_m, factor):
    even, typical_m = evenness(depth_m, PATCH)
    assert even.dtype == typical_m.dtype == np.float32
    assert ((even > 0) & (even <= 1)).all()
    other, other_m = evenness(depth_m * np.float32(factor), PATCH)
    np.testing.assert_allclose(other, even, atol=1e-4)
    np.testing.assert_allclose(other_m, typical_m * factor, rtol=1e-4)


@pytest.mark.parametrize(('measure', 'depth_m', 'share'), [
    (0.2, 1, 0.1), (0.6, 100, 0.4), (0.4, 1, 0.5), (0.6, 10, 0.65),
    (0.0, 0.5, 0.1), (1.0, 1000, 0.4),
])
def test_shares_by_hand_between_the_knots_and_beyond(measure, depth_m, share):
    assert looked_up(measure, depth_m) == pytest.approx(share, abs=1e-6)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.1, 500))
def test_surer_by_measure_is_never_less_sure_by_a_table_that_rises(one, other, depth_m):
    low, high = sorted((one, other))
    assert looked_up(low, depth_m) <= looked_up(high, depth_m) + 1e-6
