# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One word for one thing in every command; old words are answered with today's."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.cli.main import build_parser, main
import pytest

WITH_PRESETS = ('predict', 'live', 'demo', 'evaluate')
WITH_OUT = (*WITH_PRESETS, 'train')
WITH_TOPICS = ('live', 'demo', 'evaluate', 'train')

NEEDED = {'predict': ['x.png', '--out', 'o'], 'evaluate': ['x.mcap'], 'live': ['--device', '0']}
"""What a command wants besides the flag in question."""

OLD = [
    *((command, '--params-file', 'kitti', '--params-file is now --preset')
      for command in WITH_PRESETS),
    ('evaluate', '--topic-preset', 'ours', '--topic-preset is now --topics'),
    ('evaluate', '--preset', 'kitti2bag', "'kitti2bag' is now --topics kitti2bag"),
    ('evaluate', '--preset', 'auto', "'auto' is now --topics auto"),
    ('train', '--topic-preset', 'ours', '--topic-preset is now --topics'),
    ('train', '--preset', 'bag', '--preset is now --recipe'),
    ('train', '--out-dir', 'run', '--out-dir is now --out'),
    ('demo', '--image', '/camera', '--image is now --image-topic'),
    ('demo', '--camera-info', '/info', '--camera-info is now --camera-info-topic'),
]


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        build_parser().parse_args([command, '--help'])
    return capsys.readouterr().out


@pytest.mark.parametrize(('flag', 'commands'), [
    ('--preset NAME', WITH_PRESETS), ('--out DIR', WITH_OUT),
    ('--topics {auto,', ('evaluate', 'train')), ('--recipe {', ('train',)),
    ('--image-topic ', WITH_TOPICS), ('--camera-info-topic ', WITH_TOPICS),
    ('--depth-topic ', ('demo', 'evaluate', 'train')),
])
def test_what_is_the_same_is_called_the_same(
    flag: str, commands: tuple[str, ...], capsys: pytest.CaptureFixture[str]
):
    assert [name for name in commands if flag not in help_of(name, capsys)] == []


@pytest.mark.parametrize(('command', 'flag', 'value', 'answer'), OLD)
def test_what_it_was_called_before_is_answered_with_what_it_is_called_now(
    command: str, flag: str, value: str, answer: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        main([command, *NEEDED.get(command, []), flag, value])
    assert ended.value.code == 2
    assert answer in capsys.readouterr().err


@pytest.mark.parametrize('command', WITH_OUT)
def test_old_words_are_not_in_the_help(command: str, capsys: pytest.CaptureFixture[str]):
    shown = help_of(command, capsys)
    old = {flag for name, flag, *_ in OLD if name == command} - {'--preset'}
    assert [flag for flag in old if f'  {flag} ' in shown] == []


@pytest.mark.parametrize('command', WITH_PRESETS)
def test_a_preset_of_nearly_that_name_is_suggested(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    source = tmp_path / 'x.png'
    source.touch()
    needed = {'predict': ['x.png', '--out', 'o'], 'evaluate': ['0'], 'live': ['--video', 'x.png']}
    assert main([command, *needed.get(command, []), '--preset', 'kiti']) == 1
    told = capsys.readouterr().err
    assert "no preset 'kiti' in this package" in told
    assert "did you mean 'kitti'?" in told


@pytest.mark.parametrize(('words', 'near'), [
    (['train', '--recipe', 'kiti'], 'kitti'),
    (['train', '--topics', 'kitti2bg'], 'kitti2bag'),
    (['evaluate', 'x.mcap', '--topics', 'kitti2bg'], 'kitti2bag'),
    (['evaluate', 'x.mcap', '--presett', 'kitti'], '--preset'),
])
def test_a_near_name_is_suggested_where_names_are_few(
    words: list[str], near: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit):
        main(words)
    assert f"did you mean '{near}'?" in capsys.readouterr().err
