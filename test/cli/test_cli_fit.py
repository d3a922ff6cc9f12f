# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``clip-depth fit``: flags in, a table and a parameter file out."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.cli.main import main
import pytest

STREETS = ('--frames-per-seed', '3', '--width-px', '80', '--height-px', '24')
TINY = ('--preset', 'synthetic', '--no-flip')


def test_evaluate_with_the_file_says_what_the_fit_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    place = tmp_path / 'place'
    others = ('--validation-data', '900000')
    assert main(['fit', '5', '--out', str(place), *TINY, *STREETS, *others]) == 0
    lines = capsys.readouterr().out.splitlines()
    fitted = next(line.split() for line in lines if line.startswith('fitted '))
    assert lines[0].startswith('held-out frames')
    assert 'frames    3 fitted to, 3 held out' in lines

    preset = str(place / 'fitted.yaml')
    out = ('--out', str(tmp_path / 'evaluation'))
    assert main(['evaluate', '900000', '--preset', preset, *out, *STREETS]) == 0
    told = capsys.readouterr().out
    assert next(
        line.split()[1] for line in told.splitlines() if line.startswith('  depthclip ')
    ) == fitted[1]
    assert 'trained to mean' not in told


def test_errors_name_flags_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    place = tmp_path / 'place'
    words = ('--depth-words', 'near', 'Near', '--bins-m', '1', '9')
    assert main(['fit', '5', '--out', str(place), *TINY, *STREETS, *words]) == 1
    assert "--depth-words: this CLIP reads 'near' and 'Near' alike" in capsys.readouterr().err
    assert main(['fit', '5', '--out', str(place), *TINY, *STREETS, '--exported-model', 'x']) == 1
    assert not place.exists()
