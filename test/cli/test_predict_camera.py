# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which camera ``clip-depth predict`` takes an image to be of, and what it says of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clip_depth_ros.cli.main import main
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.pictures import PictureSettings
from clip_depth_ros.types import Intrinsics
import numpy as np
from PIL import Image
import pytest
from small_clips import blobs, SMALL_VIT, write_json

CAMERA = Intrinsics(fx=80.0, fy=80.0, cx=45.0, cy=31.0, width=100, height=60)

SETTINGS: dict[str, Any] = {'bins_focal_px': 50.0, 'bins': 'outdoor', 'max_depth_m': 1000.0}


@pytest.fixture
def backbone(tmp_path: Path) -> str:
    return write_json(tmp_path, SMALL_VIT)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / 'street.png'
    Image.fromarray(blobs(60, 100)).save(path)
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Give one whose EXIF says 22 mm in 35 mm film, 80 degrees across."""
    path = tmp_path / 'photo.png'
    exif = Image.Exif()
    exif[0x010F] = 'a maker'  # else Pillow leaves all out of a PNG
    exif.get_ifd(0x8769)[0xA405] = 22
    Image.fromarray(blobs(60, 100)).save(path, exif=exif)
    return path


def camera_info(folder: Path, camera: Intrinsics = CAMERA, *, d: str = '0, 0, 0, 0, 0') -> str:
    path = folder / 'camera.yaml'
    c = camera
    path.write_text(
        f'image_width: {c.width}\nimage_height: {c.height}\n'
        f'camera_matrix: {{data: [{c.fx}, 0, {c.cx}, 0, {c.fy}, {c.cy}, 0, 0, 1]}}\n'
        f'distortion_coefficients: {{data: [{d}]}}\n'
        f'projection_matrix: {{data: [{c.fx}, 0, {c.cx}, 0, 0, {c.fy}, {c.cy}, 0, 0, 0, 1, 0]}}\n'
    )
    return str(path)


def predict(image: Path, backbone: str, *flags: str) -> int:
    return main([
        'predict', str(image), '--out', str(image.parent / 'out'), '--pretrained', 'random',
        '--backbone', backbone, '--bins-focal-px', '50', '--bins', 'outdoor', '--max-depth-m',
        '1000', *flags,
    ])


def check_depth(image: Path, backbone: str, camera: Intrinsics, **changes: Any) -> None:
    """Check what was written against the predictor with a camera."""
    settings = PictureSettings(backbone=backbone, pretrained='random', **SETTINGS)
    rgb = changes.get('rgb', blobs(60, 100))
    expected_m = build_predictor(settings).predict(rgb, camera).depth_m
    depth_m = np.load(image.parent / 'out' / f'{image.stem}_depth.npy')
    np.testing.assert_array_equal(depth_m, expected_m)


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what was said of the camera."""
    lines = capsys.readouterr().out.splitlines()
    return [line.removeprefix('camera: ') for line in lines if line.startswith('camera: ')]


def test_a_camera_info_file_says_it(image, backbone, capsys):
    path = camera_info(image.parent)
    assert predict(image, backbone, '--camera-info', path) == 0

    assert said(capsys) == [f'{path} (P): 63.9 degrees across']
    check_depth(image, backbone, CAMERA)


def test_a_field_of_view_says_it(image, backbone, capsys):
    assert predict(image, backbone, '--hfov-deg', '90') == 0

    assert said(capsys) == ['--hfov-deg: 90.0 degrees across']
    check_depth(image, backbone, Intrinsics.of_hfov(90, 100, 60))


def test_else_exif_says_it(photo, backbone, capsys):
    assert predict(photo, backbone) == 0

    assert said(capsys) == ['EXIF, 22 mm in 35 mm film: 80.3 degrees across']
    focal = 22 * np.hypot(100, 60) / np.hypot(36, 24)
    check_depth(photo, backbone, Intrinsics(focal, focal, 49.5, 29.5, 100, 60))


def test_else_it_is_assumed_and_that_is_said(image, backbone, capsys):
    assert predict(image, backbone, '--assumed-hfov-deg', '70') == 0

    assert said(capsys) == [
        'not known, 70.0 degrees across are assumed: name it with --camera-info or --hfov-deg'
    ]
    check_depth(image, backbone, Intrinsics.of_hfov(70, 100, 60))


def test_a_flag_that_exif_contradicts_is_taken_and_the_contradiction_said(
    photo, backbone, capsys
):
    assert predict(photo, backbone, '--hfov-deg', '60') == 0
    assert said(capsys) == [
        '--hfov-deg: 60.0 degrees across',
        'EXIF contradicts it and is not used: 22 mm in 35 mm film, 80.3 degrees across',
    ]
    assert predict(photo, backbone, '--hfov-deg', '76', '--force') == 0
    assert said(capsys) == ['--hfov-deg: 76.0 degrees across']


def test_a_crop_is_a_window_of_the_camera(image, backbone):
    path = camera_info(image.parent)
    predict(image, backbone, '--camera-info', path, '--crop', '10,5,64,48')

    rgb = blobs(60, 100)[5:53, 10:74]
    check_depth(image, backbone, CAMERA.cropped(10, 5, 64, 48), rgb=rgb)


def test_a_field_of_view_is_that_before_the_crop_assumed_or_not(image, backbone):
    rgb, whole = blobs(60, 100)[:, :50], Intrinsics.of_hfov(60, 100, 60)
    for flags in (['--hfov-deg', '60'], []):
        predict(image, backbone, '--crop', '0,0,50,60', '--force', *flags)
        check_depth(image, backbone, whole.cropped(0, 0, 50, 60), rgb=rgb)


def test_a_camera_info_of_other_images_is_refused_or_scaled_when_asked(image, backbone, capsys):
    path = camera_info(image.parent, CAMERA.scaled_to(200, 120))
    assert predict(image, backbone, '--camera-info', path) == 1
    assert 'is for 200x120 images, got 100x60' in capsys.readouterr().err

    assert predict(image, backbone, '--camera-info', path, '--calibration-scaling') == 0
    assert said(capsys)[1] == 'camera_info is for 200x120 images, got 100x60: scaled'


def test_an_image_that_is_not_rectified_is_said(image, backbone, capsys):
    path = camera_info(image.parent, d='0.1, 0, 0, 0, 0')
    assert predict(image, backbone, '--camera-info', path) == 0

    lines = said(capsys)
    assert lines[0].startswith(f'{path} (K): 63.9 degrees across')
    assert 'not rectified, K with distortion D is used' in lines[1]
    assert lines[2] == 'images that are not rectified are metric near the centre only'


def test_where_the_camera_is_ignored_flags_that_name_it_are_said_to_be_idle(
    image, backbone, capsys
):
    assert predict(image, backbone, '--camera', 'ignore', '--hfov-deg', '60') == 0
    assert said(capsys) == ['ignored (as set)', '--hfov-deg is not used']


@pytest.mark.parametrize('text', ['0', '171', 'nan', 'wide'])
def test_a_field_of_view_that_cannot_be_is_a_wrong_flag(image, backbone, capsys, text):
    with pytest.raises(SystemExit, match='2'):
        predict(image, backbone, '--hfov-deg', text)
    assert f"must be degrees from 1 to 170, got '{text}'" in capsys.readouterr().err


def test_two_cameras_at_once_are_a_wrong_flag(image, backbone, capsys):
    with pytest.raises(SystemExit, match='2'):
        predict(image, backbone, '--hfov-deg', '60', '--camera-info', 'x.yaml')
    assert 'not allowed with argument' in capsys.readouterr().err


def test_a_broken_camera_info_writes_nothing(image, backbone, capsys):
    (image.parent / 'broken.yaml').write_text('a: [')
    assert predict(image, backbone, '--camera-info', str(image.parent / 'broken.yaml')) == 1
    assert 'a camera_info YAML is wanted' in capsys.readouterr().err
    assert not (image.parent / 'out').exists()


def test_settings_of_a_camera_info_that_is_not_named_are_refused(image, backbone, capsys):
    assert predict(image, backbone, '--intrinsics-source', 'K') == 1
    assert '--intrinsics-source would not be used, without --camera' in capsys.readouterr().err
