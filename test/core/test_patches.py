# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From probabilities over depth bins to depth, and from the patch grid to the image."""

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.patches import bin_confidence, expected_depth, upsample
from clip_depth_ros.errors import ConfigError
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
import numpy as np
import pytest

BINS_M = (1.0, 1.5, 2.0, 2.25, 2.5, 2.75, 3.0)


def probabilities(*values):
    """Return probabilities of one pixel, float32 (K, 1, 1)."""
    return np.array(values, np.float32).reshape(-1, 1, 1)


@st.composite
def bin_probs(draw):
    n_bins = draw(st.integers(1, 9))
    logits = draw(arrays(np.float64, (n_bins, 2, 3), elements=st.floats(-800, 800)))
    weights = np.exp(logits - logits.max(axis=0))
    return (weights / weights.sum(axis=0)).astype(np.float32)


def test_depth_is_the_mean_of_the_bins():
    depth_m = expected_depth(probabilities(0.5, 0.25, 0.25), (1, 2, 4))

    assert depth_m.dtype == np.float32
    assert depth_m.item() == 0.5 * 1 + 0.25 * 2 + 0.25 * 4


@pytest.mark.parametrize('index', range(7))
def test_all_weight_on_one_bin_gives_that_bin(index):
    assert expected_depth(probabilities(*np.eye(7)[index]), BINS_M).item() == BINS_M[index]


@given(bin_probs())
def test_depth_stays_within_the_bins(probs):
    bins_m = np.geomspace(0.1, 80, len(probs))
    depth_m = expected_depth(probs, bins_m)

    assert (depth_m >= np.float32(bins_m[0])).all()
    assert (depth_m <= np.float32(bins_m[-1])).all()


def test_a_wrong_number_of_bins_names_both():
    with pytest.raises(ConfigError, match=r'got 2 bins \[1, 2\] and 7 probabilities'):
        expected_depth(np.full((7, 1, 1), 1 / 7, np.float32), (1, 2))


def test_confidence_by_hand():
    """Two of four words share the weight: half of the entropy that four could have."""
    assert bin_confidence(probabilities(0.5, 0.5, 0, 0)).item() == pytest.approx(0.5)
    assert bin_confidence(probabilities(0, 1, 0, 0)).item() == 1
    assert bin_confidence(probabilities(*[0.25] * 4)).item() == pytest.approx(0, abs=1e-6)
    assert bin_confidence(probabilities(1.0)).item() == 1


@given(bin_probs())
def test_confidence_is_a_share(probs):
    confidence = bin_confidence(probs)

    assert confidence.dtype == np.float32
    assert ((confidence >= 0) & (confidence <= 1)).all()


def test_upsampling_by_hand():
    """Patches of two pixels: their numbers stand between the two, and end where patches end."""
    row = np.array([[1, 5]], np.float32)

    assert upsample(row, Size(1, 4)).tolist() == [[1, 2, 4, 5]]
    assert upsample(row.T, Size(4, 1)).T.tolist() == [[1, 2, 4, 5]]


def test_upsampling_with_aligned_corners_by_hand():
    """Corner patches lie on corner pixels, so 2 patches over 3 pixels have their mean between."""
    grid = np.array([[[[1, 3], [5, 7]]]], np.float32)

    expected = [[1, 2, 3], [3, 4, 5], [5, 6, 7]]
    assert upsample(grid, Size(3, 3), align_corners=True)[0, 0].tolist() == expected


@pytest.mark.parametrize('grid', [(13, 17), (12, 39), (1, 1), (1, 5), (30, 40)])
@pytest.mark.parametrize('size', [(416, 544), (375, 1242), (1, 1), (7, 3)])
@pytest.mark.parametrize('align_corners', [True, False])
def test_upsampling_agrees_with_torch(grid, size, align_corners):
    """The released code calls torch; ours takes positions in float64, torch in float32."""
    torch = pytest.importorskip('torch')
    maps = np.random.default_rng(0).uniform(1, 3, (2, 2, *grid)).astype(np.float32)
    reference = torch.nn.functional.interpolate(
        torch.from_numpy(maps), size=size, mode='bilinear', align_corners=align_corners
    )

    answer = upsample(maps, Size(*size), align_corners=align_corners)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, reference.numpy(), atol=2e-5)
