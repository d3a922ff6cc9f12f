# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Temperature and bins from cosines and true depth: laws of the fit, on made-up cosines."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.patches import bin_probabilities, expected_depth, upsample
from clip_depth_ros.training.place.bins import error_on, fit_bins, Fitted, learn_words, Range
from clip_depth_ros.training.place.seen import places_of, Seen
from hypothesis import given, settings, strategies as st
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

SIZE = Size(48, 96)
LIMITS = Range(0.5, 80.0, 80.0, False)
BINS_M = (1.0, 2.0, 4.0, 8.0, 16.0)
ZERO_SHOT = Fitted(3.0, {None: BINS_M})


def seen(
    truth: Fitted, seed: int = 0, scene: str | None = None, *, are_aligned: bool = False
) -> Seen:
    """Return a frame whose depth is just what these bins and this temperature make of it."""
    random = np.random.default_rng(seed)
    cosines = random.normal(0, 0.05, (2, len(truth.bins_m[scene]), 3, 6)).astype(np.float32)
    grid = expected_depth(
        bin_probabilities(cosines, truth.temperature).mean(axis=0), truth.bins_m[scene]
    )
    depth_m = upsample(grid, SIZE, align_corners=are_aligned)
    pixels = random.integers(0, depth_m.size, 500)
    places = places_of(pixels, SIZE, are_aligned=are_aligned)
    return Seen(cosines, places, depth_m.ravel()[pixels], np.zeros((3, 6), bool), scene)


@pytest.mark.parametrize('are_aligned', [False, True])
def test_depth_at_a_pixel_is_what_the_predictor_answers_there(are_aligned: bool):
    frame = seen(ZERO_SHOT, are_aligned=are_aligned)
    limits = LIMITS._replace(are_corners_aligned=are_aligned)
    assert error_on([frame], ZERO_SHOT, limits) < 1e-5


def test_answers_beyond_what_is_scored_count_as_its_end():
    frame = seen(Fitted(3.0, {None: (1.0, 2.0, 4.0, 5.0, 6.0)}))
    far = Fitted(3.0, {None: (50.0, 60.0, 70.0, 75.0, 79.0)})
    assert error_on([frame], far, LIMITS._replace(cap_m=10.0)) == pytest.approx(
        float((np.abs(10 - frame.target_m) / frame.target_m).mean()), rel=1e-5
    )


def test_bins_and_temperature_that_made_the_depth_are_found():
    truth = Fitted(5.0, {None: (1.5, 2.5, 6.0, 9.0, 30.0)})
    frames = [seen(truth, seed) for seed in range(4)]
    found = fit_bins(frames, ZERO_SHOT, LIMITS)
    assert error_on(frames, ZERO_SHOT, LIMITS) > 0.3
    assert error_on(frames, found, LIMITS) < 0.03
    assert found.bins_m[None] == pytest.approx(truth.bins_m[None], rel=0.15)


def test_each_scene_has_the_bins_that_made_its_depth():
    truths: Mapping[str | None, tuple[float, ...]] = {
        'kitchen': (1.0, 1.5, 2.0, 2.5, 3.0), 'street': (3.0, 8.0, 15.0, 30.0, 60.0),
    }
    frames = [
        seen(Fitted(3.0, {name: bins_m}), seed, name)
        for name, bins_m in truths.items() for seed in range(3)
    ]
    together = fit_bins(frames, ZERO_SHOT, LIMITS)
    bins_m = dict.fromkeys([None, *truths], together.bins_m[None])
    each = fit_bins(frames, Fitted(together.temperature, bins_m), LIMITS)
    assert error_on(frames, together, LIMITS) > 5 * error_on(frames, each, LIMITS)
    assert each.bins_m['kitchen'][-1] < each.bins_m['street'][1]


@settings(max_examples=8)
@given(
    st.lists(st.floats(0.6, 70), min_size=5, max_size=5, unique_by=lambda m: round(m, 2)),
    st.floats(0.5, 20), st.integers(0, 1000),
)
def test_a_fit_is_never_worse_than_its_start_and_its_bins_ascend(
    bins_m: list[float], temperature: float, seed: int
):
    frames = [seen(Fitted(temperature, {None: tuple(sorted(bins_m))}), seed)]
    found = fit_bins(frames, ZERO_SHOT, LIMITS)
    assert error_on(frames, found, LIMITS) <= error_on(frames, ZERO_SHOT, LIMITS)
    assert all(near < far for near, far in pairwise(found.bins_m[None]))
    assert found.bins_m[None][0] > LIMITS.near_m
    assert found.bins_m[None][-1] < LIMITS.far_m


def test_the_bin_of_a_word_that_no_patch_answers_to_stays_where_it_was():
    truth = Fitted(3.0, {None: (1.0, 3.0, 5.0, 9.0, 16.0)})
    frame = seen(truth)
    frame.maps[:, 0] = -1
    assert fit_bins([frame], ZERO_SHOT, LIMITS).bins_m[None][0] == pytest.approx(1.0, rel=0.02)


class Directions(nn.Module):
    """Words that may turn anywhere."""

    def __init__(self, vectors: np.ndarray) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.as_tensor(vectors))

    def forward(self) -> torch.Tensor:
        return functional.normalize(self.vectors, dim=-1)


def test_learned_words_are_better_on_their_frames_and_stay_unit_vectors():
    random = np.random.default_rng(2)
    words = random.normal(size=(5, 8)).astype(np.float32)
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    frame = seen(ZERO_SHOT)
    vectors = random.normal(0, 0.1, (2, 8, 3, 6)).astype(np.float32)
    frames = [Seen(vectors, frame.places, frame.target_m, np.zeros((3, 6), bool), None)]
    start = Fitted(3.0, {None: BINS_M}, words)
    learned = learn_words(frames, start, Directions(words), LIMITS)
    assert error_on(frames, learned, LIMITS) < 0.9 * error_on(frames, start, LIMITS)
    assert np.linalg.norm(learned.words, axis=1) == pytest.approx(1, abs=1e-5)


def test_depth_stays_where_it_was_while_words_are_learned_and_nobody_has_measured_any():
    random = np.random.default_rng(3)
    words = np.eye(5, 8, dtype=np.float32)
    vectors = random.normal(0, 0.05, (1, 8, 3, 6)).astype(np.float32)
    vectors[0, 4, 0], vectors[0, 7, 0] = 0.3, 0.3  # the sky answers to the last word
    frame = seen(ZERO_SHOT)
    places, target_m = np.abs(frame.places), np.full_like(frame.target_m, 4)  # all of it low
    unmeasured = np.zeros((3, 6), bool)
    unmeasured[0] = True
    start = Fitted(3.0, {None: BINS_M}, words)

    def sky_m(is_held: bool) -> float:
        frames = [Seen(vectors, places, target_m, unmeasured & is_held, None)]
        learned = learn_words(frames, start, Directions(words), LIMITS)
        probs = bin_probabilities(
            np.einsum('fdhw,kd->fkhw', vectors, learned.words), learned.temperature
        )
        return float(expected_depth(probs[0], learned.bins_m[None])[0].mean())

    assert sky_m(True) > 14
    assert sky_m(True) > sky_m(False)
