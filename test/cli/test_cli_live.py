# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What clip-depth live refuses before anything is published."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.cli.main import main
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.sources.video import written_video
import numpy as np
import pytest

CAMERA_INFO = """
image_width: 640
image_height: 480
camera_matrix: {rows: 3, cols: 3, data: [500, 0, 320, 0, 500, 240, 0, 0, 1]}
"""


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / 'film.mp4'
    with written_video(path, Size(48, 64), 15.0) as add:
        add(np.zeros((48, 64, 3), np.uint8))
    return path


@pytest.mark.parametrize(('flags', 'said'), [
    (['--device', '0', '--hz', '5'], '--hz and --loop are for --video'),
    (['--video', 'nowhere.mp4', '--view', '--no-depth'], 'leave one out'),
    (['--video', 'nowhere.mp4', '--preset', 'synthetic'], 'nowhere.mp4'),
    (['--video', 'nowhere.mp4', '--preset', 'synthetik'], "did you mean 'synthetic'"),
    (['--rtsp', 'rtsp://127.0.0.1:9/none', '--preset', 'synthetic'], 'check the address'),
])
def test_what_cannot_be_is_said_in_one_line(capsys, flags: list[str], said: str):
    assert main(['live', *flags]) == 1
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count('\n') == 1


def test_parameters_of_several_cameras_are_refused(tmp_path: Path, capsys):
    preset = tmp_path / 'rig.yaml'
    preset.write_text('/**:\n  ros__parameters:\n    cameras: [front, left]\n')
    assert main(['live', '--video', 'nowhere.mp4', '--preset', str(preset)]) == 1
    assert 'cameras would not be used, clip-depth live is one camera' in capsys.readouterr().err


@pytest.mark.parametrize(('flags', 'said'), [
    ([], 'one of the arguments --device --video --rtsp is required'),
    (['--device', 'cuda'], 'should be the number of a webcam, from 0 to 63'),
    (['--rtsp', 'camera.local/stream'], 'should be a URL such as rtsp://'),
    (['--device', '0', '--frames', '0'], 'should be a whole number above 0'),
    (['--device', '0', '--camera-info', 'a.yaml', '--hfov-deg', '60'], 'not allowed with'),
])
def test_wrong_flags_are_explained(capsys, flags: list[str], said: str):
    with pytest.raises(SystemExit):
        main(['live', *flags])
    assert said in capsys.readouterr().err


def test_a_camera_info_of_other_images_is_refused(tmp_path: Path, video: Path, capsys):
    path = tmp_path / 'camera.yaml'
    path.write_text(CAMERA_INFO)
    flags = ['--video', str(video), '--camera-info', str(path), '--no-depth']
    assert main(['live', *flags]) == 1
    assert 'camera_info is for 640x480 images, got 64x48' in capsys.readouterr().err


def test_pictures_of_an_earlier_run_are_not_overwritten(
    tmp_path: Path, video: Path, capsys, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr('clip_depth_ros.ros.view.why_no_window', lambda: 'there is no display')
    (tmp_path / 'view_000000.png').touch()
    flags = ['--video', str(video), '--view', '--preset', 'synthetic', '--out', str(tmp_path)]
    assert main(['live', *flags]) == 1
    assert 'view_000000.png exists already' in capsys.readouterr().err
