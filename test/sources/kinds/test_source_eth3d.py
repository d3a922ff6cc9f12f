# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ETH3D: bare float32 as depth, and cameras in COLMAP's text files."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.errors import CalibrationError, ImageError, RecordingError
from clip_depth_ros.sources.registry import kind_of
from clip_depth_ros.types import Intrinsics
from data_folders import write_png, write_text
import numpy as np
from open_sources import open_kind
import pytest

NAME = 'dslr_images/DSC_0286.JPG'
CAMERAS = 'dslr_calibration_jpg/cameras.txt'
LINE = '0 0.9 0.1 0 0 1 2 3 2 dslr_images/DSC_0286.JPG'


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Give an image whose first pixel is unknown, behind a fisheye lens."""
    folder = tmp_path / 'courtyard'
    depth_m = np.full((4, 6), 2.5, '<f4')
    depth_m[0, 0] = np.inf
    write_png(folder / 'a.png', np.zeros((4, 6, 3), np.uint8))
    for place in ('images', 'ground_truth_depth'):
        (folder / place / 'dslr_images').mkdir(parents=True)
    (folder / 'a.png').rename(folder / 'images' / NAME)
    (folder / 'ground_truth_depth' / NAME).write_bytes(depth_m.tobytes())
    write_text(folder / CAMERAS, '# id\n2 THIN_PRISM_FISHEYE 6 4 5 6 3 2 .1 .1 0 0 0 0 0 0')
    write_text(folder / 'dslr_calibration_jpg/images.txt', f'# id\n{LINE}\n')
    return folder


@pytest.mark.parametrize('up', [0, 1])
def test_it_is_recognised_as_scene_and_as_whole(scene: Path, up: int) -> None:
    root = [scene, scene.parent][up]
    assert kind_of(str(root)) == 'eth3d'
    assert open_kind('eth3d', root).names == ['courtyard/DSC_0286.JPG']


def test_depth_and_camera_are_those_of_the_image_as_it_was_taken(scene: Path) -> None:
    sample = open_kind('eth3d', scene)[0]
    assert sample.target_m.ravel().tolist() == [0.0] + [2.5] * 23
    assert sample.intrinsics == Intrinsics(5.0, 6.0, 2.5, 1.5, 6, 4)  # from the pixel's centre
    assert sample.is_bent
    assert sample.pinhole is None


@pytest.mark.parametrize(('camera', 'fy'), [
    ('PINHOLE 6 4 5 6 3 2', 6), ('SIMPLE_PINHOLE 6 4 5 3 2', 5),
])
def test_straight_lenses(scene: Path, camera: str, fy: float) -> None:
    write_text(scene / CAMERAS, f'2 {camera}')
    sample = open_kind('eth3d', scene)[0]
    assert sample.pinhole == Intrinsics(5.0, float(fy), 2.5, 1.5, 6, 4)


def test_without_calibration_the_camera_is_unknown(scene: Path) -> None:
    (scene / CAMERAS).unlink()
    assert open_kind('eth3d', scene)[0].intrinsics is None


def test_depth_of_another_size_is_refused(scene: Path) -> None:
    gt = scene / 'ground_truth_depth' / NAME
    gt.write_bytes(gt.read_bytes()[:-4])
    with pytest.raises(ImageError, match=r'DSC_0286\.JPG.* should be 24 numbers .* has 92 bytes'):
        open_kind('eth3d', scene)[0]


def test_images_without_the_pixel_s_own_depth_say_which_archive(scene: Path) -> None:
    (scene / 'images/dslr_images').rename(scene / 'images/dslr_images_undistorted')
    with pytest.raises(RecordingError, match=r'SCENE_dslr_jpg\.7z.*, not for undistorted'):
        open_kind('eth3d', scene)


@pytest.mark.parametrize(('file', 'text', 'message'), [
    ('cameras.txt', '2 FOV 6 4 5 6 3 2 1', 'FOV is none of SIMPLE_PINHOLE, PINHOLE'),
    ('cameras.txt', '2 PINHOLE 6 4 5', 'a line should be a camera'),
    ('cameras.txt', '2 PINHOLE 6 4 0.001 6 3 2', 'a field of view'),
    ('images.txt', LINE.replace(' 2 dslr', ' 3 dslr'), 'a line should be id, pose, camera and'),
    ('images.txt', '0 1 0', 'a line should be id, pose, camera and name'),
])
def test_damaged_files_are_named(scene: Path, file: str, text: str, message: str) -> None:
    write_text(scene / 'dslr_calibration_jpg' / file, text)
    with pytest.raises(CalibrationError, match=rf'{file}.*{message}'):
        open_kind('eth3d', scene)
