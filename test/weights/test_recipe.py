# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the bundled weights are made: the whole way in small, and what its table means."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from clip_depth_ros.errors import DataError
from clip_depth_ros.world.rendered_streets import Frames, Streets
import numpy as np
import pytest
import safetensors
from weights import __main__ as command
from weights.captions import Vocabulary
from weights.learner import ContrastSettings
from weights.recipe import check_bands, FULL, SHORT, VOCABULARY
from weights.table import (
    baseline_rows,
    oracle,
    pixel_priors,
    score,
    seam_ratios,
)

MINI = dataclasses.replace(
    FULL,
    train=Streets(0, 2, 2),
    validation=Streets(900_000, 1, 2),
    held_out=Streets(1_000_000, 1, 2),
    contrast=ContrastSettings(steps=2, batch=2),
    n_decoder_streets=1,
    decoder_steps=2,
    study_steps=1,
    depthclip_band=(0, 10),
    clip2depth_band=(0, 10),
)
WORDS = Vocabulary(('thing',), ('close', 'far'), (2.0, 20.0))


def _frames(depth_m) -> Frames:
    depth_m = np.asarray(depth_m, np.float32)
    return Frames(
        np.zeros((*depth_m.shape, 3), np.uint8), depth_m, np.zeros(depth_m.shape, np.uint8)
    )


@pytest.mark.timeout(300)
def test_the_whole_way_in_small(tmp_path: Path, monkeypatch, capsys):
    """Rendering, small CLIP, CLIP2Depth, table; what is there is not made again."""
    monkeypatch.setattr(command, 'SHORT', MINI)
    assert command.main(['--short', '--out', str(tmp_path), '--workers', '1']) == 0
    printed = capsys.readouterr().out
    results = json.loads((tmp_path / 'tiny_results.json').read_text())

    assert 'held-out seeds 1000000 to 1000000, 2 frames of 320x96; rendered streets' in printed
    assert 'exact rendered gt, any frames, no crop, 1 to 80 m, depth resampled' in printed
    for name in ('best constant (chosen on these frames)', 'DepthCLIP', 'CLIP2Depth',
                 'CLIP2Depth, shuffled over frames'):
        assert name in printed
        assert 0 < results['table'][name]['abs_rel'] < 10
    with safetensors.safe_open(tmp_path / 'tiny_clip.safetensors', 'np') as file:
        assert json.loads(file.metadata()['vocabulary'])['words'] == list(
            VOCABULARY.words
        )
        table = file.get_tensor('token_embedding.weight')
    assert table.dtype == np.float16
    assert 10 < len(table) < 100  # only rows of words in captions
    assert not (tmp_path / 'tiny_clip_checkpoint.safetensors').exists()

    before = (tmp_path / 'tiny_clip2depth.safetensors').stat().st_mtime_ns
    assert command.main(['table', '--short', '--out', str(tmp_path)]) == 0
    assert (tmp_path / 'tiny_clip2depth.safetensors').stat().st_mtime_ns == before
    assert json.loads((tmp_path / 'tiny_results.json').read_text()) == results


@pytest.mark.parametrize('recipe', [FULL, SHORT])
def test_streets_of_training_choosing_and_proof_are_disjoint(recipe):
    seeds = [set(part.seeds) for part in (recipe.train, recipe.validation, recipe.held_out)]
    assert sum(map(len, seeds)) == len(set.union(*seeds))
    assert recipe.n_decoder_streets <= recipe.train.n_seeds


def test_a_perfect_prediction_scores_perfectly():
    frames = _frames(np.random.default_rng(0).uniform(2, 70, (3, 8, 8)))
    metrics = score(frames.depth_m, frames)
    assert (metrics.abs_rel, metrics.delta1) == (0, 1)


def test_sky_and_what_lies_beyond_the_range_does_not_count():
    frames = _frames([[[10.0, np.inf, 0.5, 90.0]]])
    assert score(np.full((1, 1, 4), 5, np.float32), frames).abs_rel == pytest.approx(0.5)


def test_priors_are_means_over_frames_pixel_by_pixel_without_gaps():
    train = np.array([[[2.0, 4.0, np.inf]], [[8.0, np.inf, np.inf]]], np.float16)
    priors = pixel_priors(train)
    np.testing.assert_allclose(priors['mean'], [[5, 4, 14 / 3]])
    np.testing.assert_allclose(priors['geometric mean'], [[4, 4, 4]], rtol=1e-6)


def test_the_oracle_mixes_the_nearest_words_of_each_patch():
    depth_m = np.full((1, 4, 8), 2.0)
    depth_m[0, :, 4:] = np.inf
    depth_m[0, :2, 4:] = 20.0  # half a patch far, half sky: sky has no say
    depth_m[0, 0, 0] = 30.0
    answer = oracle(_frames(depth_m), WORDS, (4, 4))[0]
    assert answer[0, 0] == pytest.approx(2 + 18 / 16)
    assert answer[-1, -1] == pytest.approx(20)


def test_the_best_constant_is_at_least_as_good_as_any_depth_in_the_frames():
    frames = _frames(np.random.default_rng(5).uniform(2, 70, (3, 16, 32)))
    rows = {
        row.name: row.metrics
        for row in baseline_rows(frames, pixel_priors(frames.depth_m), WORDS)
    }
    best = rows['best constant (chosen on these frames)'].abs_rel
    every = [score(np.full((3, 16, 32), c, np.float32), frames).abs_rel for c in range(2, 70, 4)]
    # It is looked for on a sixteenth of the pixels.
    assert best < 1.1 * min(every)
    assert best < rows['uniform random'].abs_rel


def test_seams_show_as_a_ratio_above_one():
    rows = np.linspace(0, 1, 32)
    smooth = np.exp(0.3 * (rows[None, :, None] + rows[None, None, :])).astype(np.float32)
    seams = smooth * np.exp(0.05 * (np.arange(32) // 8 % 2))[None, :, None].astype(np.float32)
    frames = _frames(np.full((1, 32, 32), 10.0))
    assert seam_ratios(smooth, frames, (8, 8))[0] == pytest.approx(1, rel=1e-3)
    assert seam_ratios(seams, frames, (8, 8))[0] > 3


def test_weights_that_came_out_otherwise_are_refused():
    good = {'table': {'DepthCLIP': {'abs_rel': 0.2}, 'CLIP2Depth': {'abs_rel': 0.08}}}
    check_bands(good, FULL)
    bad = {'table': {**good['table'], 'CLIP2Depth': {'abs_rel': 0.31}}}
    with pytest.raises(DataError, match=r'CLIP2Depth came out as 0.310, and this recipe should'):
        check_bands(bad, FULL)
