# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Errors name flags to who typed flags, and settings to who wrote settings into a file."""

from __future__ import annotations

from clip_depth_ros.cli.flags import flags_by_setting
from clip_depth_ros.cli.main import main
from clip_depth_ros.cli.wording import as_flags
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.evaluation import EvaluateSettings
from clip_depth_ros.settings.predictor import PredictorSettings
import pytest

FLAGS = {**flags_by_setting(EvaluateSettings), **flags_by_setting(PredictorSettings)}


@pytest.mark.parametrize(('message', 'expected'), [
    ("set bins='outdoor', or your own bins_m", 'set --bins outdoor, or your own --bins-m'),
    ('got min_depth_m=5.0, max_depth_m=2.0.', 'got --min-depth-m 5.0, --max-depth-m 2.0.'),
    ('from a file (clip_weights:=FILE)', 'from a file (--clip-weights FILE)'),
    ('by download (allow_download:=true)', 'by download (--allow-download)'),
    ('scene_aware=False', '--no-scene-aware'),
    ('or set calibration_scaling to false', 'or set --no-calibration-scaling'),
    ("prompt_objects=['a b', 'c'] is", "--prompt-objects ['a b', 'c'] is"),
    ("got backbone='my model.json': no", "got --backbone 'my model.json': no"),
    ("method: input should be 'a', got 'b'; bins: no", "--method: input should be 'a', got 'b'; "
     '--bins: no'),
    ('bins and images would not be used, as', '--bins and --images would not be used, as'),
    ('needs `split`, or gt_dir', 'needs --split, or --gt-dir'),
    ('set `backbone`, `pretrained` and clip_weights.', 'set --backbone, --pretrained and '
     '--clip-weights.'),
])
def test_settings_become_flags(message: str, expected: str):
    assert as_flags(message, FLAGS) == expected


@pytest.mark.parametrize('message', [
    'the camera and its images: no method in kind or split',
    "cannot read 'clip_weights.pt'; '/data/gt_dir/a.png' is not there",
    "there is no preset 'gt_dir' in this package",
    'no topic /depth_topic; it has /depth_topic/info, bins_mm and pred_topics',
    '--min-depth-m and --camera=use',
    'add --override flip=none',
    'there is no camera_info for /image',
])
def test_what_is_no_setting_stays(message: str):
    assert as_flags(message, FLAGS) == message


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words]) == 1
    return capsys.readouterr().err


class TestFlagsWereTyped:
    def test_settings_that_clash(self, capsys):
        told = said(
            capsys, 'evaluate', '0', '--backbone', 'tiny', '--min-depth-m', '9',
            '--max-depth-m', '2',
        )
        assert '0 < --min-depth-m < --max-depth-m, got --min-depth-m 9.0, --max-depth-m ' in told

    def test_a_value_out_of_its_range_and_nothing_is_cleared_away(
        self, tmp_path, capsys, monkeypatch
    ):
        monkeypatch.chdir(tmp_path)
        earlier = tmp_path / 'demo_output' / 'summary.json'
        earlier.parent.mkdir()
        earlier.touch()
        told = said(capsys, 'demo', '--force', '--scene-smoothing', '2')
        assert earlier.exists()
        assert told.startswith('clip-depth demo: error: --scene-smoothing: input should be less')

    def test_something_that_is_needed(self, capsys):
        told = said(capsys, 'train', '--recipe', 'kitti')
        assert '--kind kitti needs --data: say where the frames are' in told
        assert '--out is needed' in said(capsys, 'train', '--kind', 'synthetic')

    def test_weights_that_are_not_there(self, tmp_path, capsys):
        told = said(
            capsys, 'train', '--out', str(tmp_path / 'run'), '--clip-weights', 'absent.pt',
            '--data', '0', '--validation-data', '1', '--frames-per-seed', '1',
        )
        for way in ('--backbone tiny --pretrained bundled', '--clip-weights FILE',
                    '(--allow-download)'):
            assert way in told


class TestAFileWasWritten:
    @pytest.mark.parametrize('command', ['evaluate', 'train'])
    def test_what_is_wrong_in_it_is_named_as_in_it(self, command, tmp_path, capsys):
        path = tmp_path / 'mine.yaml'
        path.write_text('gt_max_range_m: -1\nimages_: x\n')
        source = ['0'] if command == 'evaluate' else []
        told = said(capsys, command, *source, '--config', str(path), '--seed', '3')
        assert f"'{path}': gt_max_range_m: input should be greater than or equal to 0" in told
        assert "unknown setting 'images_'; did you mean 'images'?" in told

    def test_what_clashes_in_it_is_too(self, tmp_path, capsys):
        path = tmp_path / 'mine.yaml'
        path.write_text('min_depth_m: 9\nmax_depth_m: 2\n')
        told = said(capsys, 'train', '--config', str(path), '--out', str(tmp_path / 'run'))
        assert f"'{path}': depth range must satisfy 0 < min_depth_m < max_depth_m, got min" in told

    def test_what_clashes_with_a_flag_can_be_said_by_flags(self, tmp_path, capsys):
        path = tmp_path / 'mine.yaml'
        path.write_text('min_depth_m: 9\n')
        told = said(capsys, 'train', '--config', str(path), '--max-depth-m', '2')
        assert 'got --min-depth-m 9.0, --max-depth-m 2.0' in told

    def test_a_preset_of_one_s_own(self, tmp_path, capsys):
        path = tmp_path / 'mine.yaml'
        path.write_text('/**: {ros__parameters: {min_depth_m: 9.0, max_depth_m: 2.0}}')
        told = said(capsys, 'evaluate', '0', '--preset', str(path))
        assert f"'{path}': depth range must satisfy 0 < min_depth_m < max_depth_m" in told

    def test_choices_of_a_protocol_are_no_flags(self, capsys):
        told = said(
            capsys, 'evaluate', '0', '--predict', 'constant', '--override', 'min_depth_m=90',
        )
        assert 'min_depth_m < depth_cap_m, got min_depth_m=90, depth_cap_m=80' in told


def test_without_the_command_line_settings_keep_their_names():
    with pytest.raises(ConfigError, match=r'0 < min_depth_m < max_depth_m, got min_depth_m=9.0'):
        PredictorSettings.from_mapping({'min_depth_m': 9, 'max_depth_m': 2})
