# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``~`` in paths: one place expands it, and says what is wrong with a user that is not there."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.cli.main import main
from clip_depth_ros.errors import ClipDepthError, ConfigError
from clip_depth_ros.settings.node import read_parameters
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.registry import kind_of, path_or_none
from clip_depth_ros.training.run import RunFolder
import pytest
from source_tree import PACKAGE_DIR, python_files

NOBODY = '~nobody-of-this-name/file'


def test_a_path_stays_as_it_is():
    assert user_path('a/~b.txt') == Path('a/~b.txt')
    assert user_path(Path('/a')) == Path('/a')


def test_the_home_folder(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv('HOME', '/home/robot')
    assert user_path('~') == Path('/home/robot')
    assert user_path('~/a.yaml') == Path('/home/robot/a.yaml')


def test_a_user_who_is_not_there():
    with pytest.raises(ConfigError, match="no home folder of a user 'nobody-of-this-name'"):
        user_path(NOBODY)


def test_a_file_may_be_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path('~backup.bag').touch()
    assert user_path('~backup.bag') == Path('~backup.bag')


@pytest.mark.parametrize('call', [
    lambda: kind_of(NOBODY),
    lambda: path_or_none(NOBODY),
    lambda: read_parameters(NOBODY),
    lambda: RunFolder(TrainSettings(out_dir=NOBODY)),
], ids=['source', 'setting of a source', 'parameter file', 'run folder'])
def test_every_place_says_so(call):
    with pytest.raises(ConfigError, match='no home folder of a user'):
        call()


@pytest.mark.parametrize('name', ['clip_weights', 'clip2depth_weights'])
def test_weights_say_so(name: str):
    from clip_depth_ros.predictor.build import build_predictor

    settings = PredictorSettings.from_mapping({name: NOBODY})
    with pytest.raises(ClipDepthError, match='no home folder of a user'):
        build_predictor(settings)


@pytest.mark.parametrize('words', [
    ['evaluate', '1', '--out', NOBODY], ['evaluate', '1', '--json', NOBODY],
    ['train', '--config', NOBODY], ['compare', 'a.json', '--markdown', NOBODY],
    ['bag', 'info', NOBODY], ['demo', '--bag', NOBODY], ['predict', 'x', '--out', NOBODY],
])
def test_flags_say_so(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match='2'):
        main(words)
    assert "no home folder of a user 'nobody-of-this-name'" in capsys.readouterr().err


def test_pictures_say_so(capsys: pytest.CaptureFixture[str]):
    """They may be webcams and streams, too, which flags cannot tell."""
    assert main(['predict', NOBODY, '--out', 'x']) == 1
    assert "no home folder of a user 'nobody-of-this-name'" in capsys.readouterr().err


def test_nobody_else_expands_paths():
    """Path.expanduser raises a bare RuntimeError where a user is not there."""
    others = [
        file.name for file in python_files(PACKAGE_DIR)
        if 'expanduser' in file.read_text(encoding='utf-8') and file.name != 'paths.py'
    ]
    assert others == ['pretrained.py']  # of torch's cache, a constant
