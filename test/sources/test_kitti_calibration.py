# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""KITTI's calibration belongs to images of a size: others are refused, or scaled when asked."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.sources.kitti_calibration import (
    KittiCalibration,
    read_object_calibration,
    read_raw_calibration,
)
from clip_depth_ros.types import Intrinsics
import cv2
import numpy as np
from open_sources import open_kind
import pytest

ROTATION = '1 0 0 0 1 0 0 0 1'
FX, CX, CY = 721.5377, 609.5593, 172.854
REAL = Intrinsics(FX, FX, CX, CY, 1242, 375)


def projection(fx: float = FX) -> str:
    return f'{fx} 0 {CX} 44.85728 0 {fx} {CY} 0.2163791 0 0 1 0.002745884'


def raw(folder: Path, *lines: str) -> KittiCalibration:
    """Write and read the files of a date, with some lines more."""
    camera = [f'P_rect_02: {projection()}', f'R_rect_00: {ROTATION}', *lines]
    (folder / 'calib_cam_to_cam.txt').write_text('\n'.join(camera))
    (folder / 'calib_velo_to_cam.txt').write_text('R: 0 -1 0 0 0 -1 1 0 0\nT: 0 0.3 0')
    return read_raw_calibration(folder)


def of_object(path: Path, fx: float = FX) -> KittiCalibration:
    """Write and read a file of the object data."""
    lines = [f'P2: {projection(fx)}', f'R0_rect: {ROTATION}', 'Tr_velo_to_cam: 0 -1 0 0 '
             '0 0 -1 0.3 1 0 0 0']
    path.write_text('\n'.join(lines))
    return read_object_calibration(path)


SIZES = ('S_02: 1.392000e+03 5.120000e+02', 'S_rect_02: 1.242000e+03 3.750000e+02')


def test_images_of_the_size_that_the_file_says(tmp_path: Path):
    assert raw(tmp_path, *SIZES).intrinsics(1242, 375) == REAL


@pytest.mark.parametrize('size', [(640, 192), (1241, 376), (375, 1242), (1242, 376)])
def test_images_of_another_size_are_refused(tmp_path: Path, size: tuple[int, int]):
    wanted = 'for images of 1242x375, got {}x{}: .* set calibration_scaling if'.format(*size)
    with pytest.raises(CalibrationError, match=wanted):
        raw(tmp_path, *SIZES).intrinsics(*size)


def test_images_that_were_resized_are_scaled_when_asked(tmp_path: Path):
    scaled = raw(tmp_path, *SIZES).intrinsics(640, 192, is_scaled=True)
    assert scaled == REAL.scaled_to(640, 192)
    assert scaled.fx == pytest.approx(371.8, abs=0.1)


@pytest.mark.parametrize('is_scaled', [False, True])
def test_images_before_rectifying_are_refused_in_any_case(tmp_path: Path, is_scaled: bool):
    wanted = r'rectified images of 1242x375, got 1392x512, .*_sync drive rather than .*_extract'
    with pytest.raises(CalibrationError, match=wanted):
        raw(tmp_path, *SIZES).intrinsics(1392, 512, is_scaled=is_scaled)


@pytest.mark.parametrize(('fx', 'size'), [
    (721.5377, (1242, 375)), (707.0493, (1224, 370)), (718.3351, (1238, 374)),
    (707.0912, (1226, 370)), (718.856, (1241, 376)),
])
def test_where_no_size_is_written_the_camera_is_known(
    tmp_path: Path, fx: float, size: tuple[int, int]
):
    """The object data says none; each recording date has its own focal length and size."""
    calibration = of_object(tmp_path / '000000.txt', fx)
    assert calibration.intrinsics(*size) == Intrinsics(fx, fx, CX, CY, *size)
    for other in ((640, 192), (1392, 512)):
        with pytest.raises(CalibrationError, match='of {}x{}, got {}x{}'.format(*size, *other)):
            calibration.intrinsics(*other)
    assert calibration.intrinsics(640, 192, is_scaled=True).width == 640


def test_other_cameras_in_the_same_format_are_taken_at_their_word(tmp_path: Path):
    calibration = of_object(tmp_path / '000000.txt', 1266.4)
    assert calibration.intrinsics(1600, 900) == Intrinsics(1266.4, 1266.4, CX, CY, 1600, 900)


@pytest.mark.parametrize('kind', ['kitti', 'kitti-object', 'kitti-selection'])
def test_every_kind_of_folder_compares(tmp_path: Path, kind: str):
    """A frame of 640 x 192 behind KITTI's camera: refused, and scaled when asked."""
    root = _folder(tmp_path, kind)
    with pytest.raises(CalibrationError, match=r'of 1\d{3}x3\d\d, got 640x192'):
        open_kind(kind, root)[0]
    sample = open_kind(kind, root, calibration_scaling=True)[0]
    assert sample.intrinsics is not None
    assert sample.intrinsics.width == 640
    assert sample.intrinsics.fx == pytest.approx(FX * 640 / 1242, rel=0.03)
    assert sample.target_m.any()


def _folder(root: Path, kind: str) -> Path:
    """Write one frame of 640 x 192."""
    if kind == 'kitti-selection':
        _write_png(root / 'image/d_image_0000000001_image_02.png', np.uint8, 3)
        _write_png(
            root / 'groundtruth_depth/d_groundtruth_depth_0000000001_image_02.png', np.uint16, 1
        )
        (root / 'intrinsics').mkdir()
        (root / 'intrinsics/d_image_0000000001_image_02.txt').write_text(
            f'{FX} 0 {CX} 0 {FX} {CY} 0 0 1'
        )
        return root
    if kind == 'kitti-object':
        _write_png(root / 'training/image_2/000001.png', np.uint8, 3)
        (root / 'training/calib').mkdir()
        of_object(root / 'training/calib/000001.txt')
        scan = root / 'training/velodyne/000001.bin'
    else:
        drive = root / '2011_09_26/2011_09_26_drive_0001_sync'
        _write_png(drive / 'image_02/data/0000000001.png', np.uint8, 3)
        raw(root / '2011_09_26', *SIZES)
        scan = drive / 'velodyne_points/data/0000000001.bin'
        for folder in ('image_02', 'velodyne_points'):
            (drive / folder).mkdir(exist_ok=True)
            (drive / folder / 'timestamps.txt').write_text('2011-09-26 13:02:25.96\n' * 2)
    scan.parent.mkdir(parents=True)
    scan.write_bytes(np.array([[10, 1, 0, 0.5]], '<f4').tobytes())
    return root


def _write_png(path: Path, dtype: type, channels: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (192, 640, channels) if channels > 1 else (192, 640)
    assert cv2.imwrite(str(path), np.full(shape, 250, dtype))
