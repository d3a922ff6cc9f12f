# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the bundled weights are made: the whole way in small, and what comes out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

from clip_depth_ros.errors import DataError, OutputError
from clip_depth_ros.world.rendered_streets import Streets
import numpy as np
import pytest
import safetensors
from weights import __main__ as command
from weights.learner import ContrastSettings
from weights.recipe import check_bands, FULL, SHORT, VOCABULARY
from weights.report import BEGIN, END, markdown, text
from weights.streets import KeptStreets
from weights.workshop import Workshop

MINI = dataclasses.replace(
    FULL,
    train=(
        Streets(0, 2, 2, 160, 64, cameras='windows'), Streets(2, 1, 2, 96, 96, cameras='windows')
    ),
    validation=(Streets(900_000, 1, 2, 160, 64, cameras='windows'),),
    held_out=Streets(1_000_000, 1, 2, 160, 48),
    cameras=Streets(1_000_001, 2, 1, 128, 96, cameras='varied'),
    corners=Streets(1_000_003, 1, 1, 128, 96, cameras='corners'),
    prior=Streets(910_000, 1, 1, 160, 48),
    contrast=ContrastSettings(steps=2, batch=2),
    decoder_share=0.5,
    decoder_steps=2,
    study_steps=1,
    bands={'kitti: CLIP2Depth': (0, 10), 'cameras: DepthCLIP': (0, 10)},
    most_in_a_bucket=10.0,
)


@pytest.mark.timeout(300)
def test_the_whole_way_in_small(tmp_path: Path, monkeypatch, capsys):
    """Rendering, small CLIP, CLIP2Depth, tables; what is there is not made again."""
    monkeypatch.setattr(command, 'SHORT', MINI)
    assert command.main(['--short', '--out', str(tmp_path), '--workers', '1']) == 0
    printed = capsys.readouterr().out
    results = json.loads((tmp_path / 'tiny_results.json').read_text())

    assert "2 rendered frames of 160x48 behind KITTI's camera" in printed
    assert 'exact rendered gt, any frames, no crop, 1 to 80 m, depth resampled' in printed
    for name in ('best constant (chosen on these frames)', 'DepthCLIP', 'CLIP2Depth',
                 'CLIP2Depth, shuffled over frames'):
        assert name in printed
        assert 0 < results['tables']['kitti']['rows'][name]['abs_rel'] < 10
    assert [*results['buckets']] == [
        'field of view', 'shape', 'height', 'pitch, down is positive', 'lens',
    ]
    for kind in ('field of view', 'shape', 'height', 'pitch, down is positive'):
        frames = [rows['CLIP2Depth']['frames'] for rows in results['buckets'][kind].values()]
        assert sum(frames) == len(MINI.cameras)
    assert text(results) in printed
    with safetensors.safe_open(tmp_path / 'tiny_clip.safetensors', 'np') as file:
        assert json.loads(file.metadata()['vocabulary'])['words'] == list(
            VOCABULARY.words
        )
        table = file.get_tensor('token_embedding.weight')
    assert table.dtype == np.float16
    assert 10 < len(table) < 100  # only rows of words in captions
    assert not (tmp_path / 'tiny_clip_checkpoint.safetensors').exists()

    workshop = Workshop(MINI, tmp_path)
    assert workshop.hashes() == results['sha256']
    for path in (workshop.make_clip(), workshop.make_clip2depth()):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == results['sha256'][path.name]


@pytest.mark.parametrize('recipe', [FULL, SHORT])
def test_streets_of_training_choosing_and_proof_are_disjoint(recipe):
    parts = (
        *recipe.train, *recipe.validation, recipe.held_out, recipe.cameras, recipe.corners,
        recipe.prior,
    )
    seeds = [set(part.seeds) for part in parts]
    assert sum(map(len, seeds)) == len(set.union(*seeds))


def test_frames_of_any_size_are_rendered_once_and_kept(tmp_path: Path):
    streets = Streets(1_000_000, 1, 2, 64, 48, cameras='varied')
    source = KeptStreets(streets, tmp_path)
    first = source[1]
    assert source.path(1).is_file()
    assert not source.path(0).exists()
    source.path(1).touch()
    again = KeptStreets(streets, tmp_path)[1]
    np.testing.assert_array_equal(first.rgb, again.rgb)
    np.testing.assert_array_equal(first.target_m, again.target_m)
    assert first.intrinsics == again.intrinsics
    other = KeptStreets(dataclasses.replace(streets, lens=2.0), tmp_path)
    assert not other.path(1).exists()


def _row(abs_rel: float) -> dict[str, float]:
    return {
        'abs_rel': abs_rel, 'low': abs_rel - 0.01, 'high': abs_rel + 0.01, 'rmse': 5.0,
        'delta1': 0.9, 'delta2': 0.95, 'delta3': 0.99, 'silog': 20.0, 'scale': 1.01,
        'frames': 400,
    }


def _results(abs_rel: float = 0.08, in_bucket: float = 0.12) -> dict:
    rows = {'DepthCLIP': _row(0.2), 'CLIP2Depth': _row(abs_rel)}
    return {
        'protocol': 'rendered streets: 1 to 80 m',
        'tables': {
            'kitti': {'title': "400 rendered frames behind KITTI's camera", 'rows': rows},
            'cameras': {'title': '400 rendered frames behind cameras', 'rows': rows},
        },
        'buckets': {'height': {'0.3 to 0.6 m': {**rows, 'CLIP2Depth': _row(in_bucket)}}},
        'temperature': 3.5,
        'seam_ratios_rows_columns': {'CLIP2Depth': (1.05, 1.2)},
    }


def test_weights_that_came_out_otherwise_are_refused():
    recipe = dataclasses.replace(
        FULL,
        bands={'kitti: CLIP2Depth': (0.04, 0.10), 'cameras: CLIP2Depth': (0.06, 0.15)},
        most_in_a_bucket=0.22,
    )
    check_bands(_results(), recipe)
    with pytest.raises(DataError, match=r'kitti: CLIP2Depth came out as 0.310, and this recipe'):
        check_bands(_results(0.31), recipe)
    with pytest.raises(DataError, match=r'came out as 0.300 where height is 0.3 to 0.6 m, and'):
        check_bands(_results(in_bucket=0.3), recipe)


def test_tables_for_the_terminal_and_the_document_have_the_same_numbers():
    shown, written = text(_results()), markdown(_results())
    for words in (
        "400 rendered frames behind KITTI's camera", '0.080', '[0.070, 0.090]', '0.3 to 0.6 m',
        '0.120', 'temperature 3.5', '1.05 (down) and 1.20',
    ):
        assert words in shown
        assert words in written


def test_they_are_put_between_the_marks_of_the_document(tmp_path: Path):
    path = tmp_path / 'document.md'
    path.write_text(f'above\n\n{BEGIN}\nold\n{END}\n\nbelow\n')
    command.write_docs(path, _results())
    found = path.read_text()
    assert found.startswith('above\n\n')
    assert found.endswith(f'{END}\n\nbelow\n')
    assert markdown(_results()) in found
    assert 'old' not in found
    path.write_text('no marks')
    with pytest.raises(OutputError, match='has no place for tables'):
        command.write_docs(path, _results())
