# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Captions of regions: which words are true of a patch, and how true."""

from __future__ import annotations

from hypothesis import given, strategies as st
import numpy as np
import pytest
import torch
from weights.captions import patch_histograms, Vocabulary, word_shares

WORDS = Vocabulary(('sky', 'road', 'car'), ('near', 'middle', 'far'), (1.0, 2.0, 6.0))


def test_captions_name_each_kind_with_each_word_and_then_anything():
    captions = WORDS.captions('This {} is {}')
    assert captions[:4] == [
        'This sky is near', 'This sky is middle', 'This sky is far', 'This road is near',
    ]
    assert captions[-1] == 'This object is far'
    assert len(captions) == 4 * 3


@pytest.mark.parametrize(('depth_m', 'nearer', 'share'), [
    (1.0, 0, 0.0),
    (1.5, 0, 0.5),
    (2.0, 1, 0.0),
    (3.0, 1, 0.25),
    (6.0, 1, 1.0),
    (0.2, 0, 0.0),  # nearer than all words
    (50.0, 1, 1.0),  # farther than all words
    (np.inf, 1, 1.0),
])
def test_a_depth_between_two_words_is_called_by_both(depth_m: float, nearer: int, share: float):
    found = word_shares(torch.tensor([depth_m]), WORDS.bins_m)
    assert (found[0][0], found[1][0]) == (nearer, pytest.approx(share))


@given(depth_m=st.floats(1.0, 80.0), n=st.integers(2, 12))
def test_words_weighted_by_their_shares_give_the_depth_itself(depth_m: float, n: int):
    bins_m = np.geomspace(1, 80, n)
    nearer, share = (each.numpy() for each in word_shares(torch.tensor([depth_m]), bins_m))
    said = (1 - share) * bins_m[nearer] + share * bins_m[nearer + 1]
    assert said[0] == pytest.approx(depth_m, rel=1e-6)


def test_a_patch_counts_its_pixels():
    depth_m = torch.tensor([[[1.0, 3.0, 6.0, 6.0], [1.0, 1.0, np.inf, 9.0]]])
    class_ids = torch.tensor([[[1, 1, 2, 2], [2, 2, 0, 2]]])
    shares = patch_histograms(depth_m, class_ids, (2, 2), WORDS)
    assert shares.shape == (1, 1, 2, 3, 3)
    np.testing.assert_allclose(
        shares[0, 0, 0], [[0, 0, 0], [0.25, 0.1875, 0.0625], [0.5, 0, 0]], atol=1e-4
    )
    np.testing.assert_allclose(
        shares[0, 0, 1], [[0, 0, 0.25], [0, 0, 0], [0, 0, 0.75]], atol=1e-4
    )


def test_shares_of_a_patch_sum_to_one():
    rng = np.random.default_rng(0)
    depth_m = torch.from_numpy(rng.uniform(0.1, 100, (3, 16, 32)).astype(np.float16))
    class_ids = torch.from_numpy(rng.integers(0, 3, (3, 16, 32)))
    shares = patch_histograms(depth_m, class_ids, (8, 16), WORDS)
    assert shares.shape == (3, 2, 2, 3, 3)
    np.testing.assert_allclose(shares.sum(axis=(-1, -2)), 1, atol=1e-6)
