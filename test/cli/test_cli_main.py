# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command line: help, exit codes, flags from settings."""

from __future__ import annotations

import argparse
import subprocess
import sys

from clip_depth_ros import __version__
from clip_depth_ros.cli import settings as settings_command
from clip_depth_ros.cli.flags import add_setting_flags, given_settings
from clip_depth_ros.cli.main import build_parser, COMMANDS, main
from clip_depth_ros.errors import ConfigError, OutputError
from clip_depth_ros.settings.base import setting_specs
from clip_depth_ros.settings.predictor import PredictorSettings
import pytest
from source_tree import ROOT


def parse(*argv: str) -> dict[str, object]:
    """Give the settings that flags name."""
    parser = argparse.ArgumentParser()
    add_setting_flags(parser)
    return given_settings(parser.parse_args(argv))


@pytest.mark.parametrize('command', COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main([command, '--help'])
    assert caught.value.code == 0
    assert f'clip-depth {command}' in capsys.readouterr().out


def test_a_command_that_is_mistyped(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(['predct', 'photo.jpg'])
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert "there is no command 'predct' (it is one of predict, live, " in told
    assert told.endswith("; did you mean 'predict'?\n")


def test_version(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(['--version'])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f'{__version__}\n'


@pytest.mark.parametrize('argv', [[], ['dept'], ['settings', '--format', 'toml'], ['--sped']])
def test_wrong_flags_exit_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert 'usage: clip-depth' in capsys.readouterr().err


@pytest.mark.parametrize('error', [ConfigError('no such thing'), OutputError('no such thing')])
def test_known_errors_print_one_line_and_exit_with_1(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(args: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(settings_command, 'run', fail)
    assert main(['settings']) == 1
    assert capsys.readouterr().err == 'clip-depth settings: error: no such thing\n'


def test_ctrl_c_exits_with_130_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def interrupt(args: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(settings_command, 'run', interrupt)
    assert main(['settings']) == 130
    assert capsys.readouterr().err == ''


def test_unforeseen_errors_keep_their_traceback(monkeypatch: pytest.MonkeyPatch):
    def fail(args: argparse.Namespace) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(settings_command, 'run', fail)
    with pytest.raises(ZeroDivisionError):
        main(['settings'])


def test_it_runs_as_a_module():
    process = subprocess.run(
        [sys.executable, '-m', 'clip_depth_ros', '--version'],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )
    assert process.stdout == f'{__version__}\n'


def test_flags_not_given_leave_no_trace():
    """So that a file may set them: flag > file > default."""
    assert parse() == {}


def test_flags_of_every_kind():
    given = parse(
        '--min-depth-m', '2', '--input-width-px', '704', '--no-flip', '--bins', 'outdoor',
        '--depth-words', 'near', 'not so far', 'far', '--bins-m', '1', '2.5', '9',
    )
    assert given == {
        'min_depth_m': 2.0, 'input_width_px': 704, 'flip': False, 'bins': 'outdoor',
        'depth_words': ['near', 'not so far', 'far'], 'bins_m': [1.0, 2.5, 9.0],
    }
    assert PredictorSettings.from_mapping(given).resolved_bins_m() == (1.0, 2.5, 9.0)


@pytest.mark.parametrize('name', setting_specs(PredictorSettings))
def test_every_setting_of_the_predictor_is_a_flag(name: str):
    parser = argparse.ArgumentParser()
    add_setting_flags(parser)
    assert f'--{name.replace("_", "-")}' in parser.format_help()


def test_a_wrong_choice_names_the_right_ones(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        parse('--bins', 'scene9')
    message = capsys.readouterr().err
    assert all(choice in message for choice in ('scene9', 'scene4', 'outdoor'))


def test_building_the_parser_twice_gives_equal_help():
    """Nothing is kept between calls."""
    assert build_parser().format_help() == build_parser().format_help()
