# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera of each image: what settings or the data set say, never one of another size."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from clip_depth_ros.errors import CalibrationError, ConfigError, RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.cameras import folder_camera
from clip_depth_ros.types import Intrinsics
import cv2
import data_folders as folders
import numpy as np
from open_sources import open_kind, open_kitti
import pytest

KINECT: Final = Intrinsics(518.8579, 519.46961, 325.58245, 253.73617, 640, 480)
KITTI: Final = Intrinsics(721.5377, 721.5377, 609.5593, 172.854, 1242, 375)
OF_A_CROP: Final = KITTI.cropped(13, 23, 1216, 352)


def write_nyu(root: Path, width: int, height: int) -> Path:
    write_pair(root / 'rgb/rgb_00001.png', root / 'depth/sync_depth_00001.png', width, height)
    return root


def write_tum(root: Path, width: int, height: int) -> Path:
    root = root / 'rgbd_dataset_freiburg3_office'
    write_pair(root / 'rgb/1.png', root / 'depth/1.png', width, height)
    for name in ('rgb', 'depth'):
        (root / f'{name}.txt').write_text(f'1.0 {name}/1.png\n')
    return root


def write_diode(root: Path, width: int, height: int) -> Path:
    write_pair(root / '1.png', root / 'unused.png', width, height)
    np.save(root / '1_depth.npy', np.ones((height, width), np.float32))
    np.save(root / '1_depth_mask.npy', np.ones((height, width), np.float32))
    return root


def write_selection(root: Path, width: int, height: int) -> Path:
    name = f'{folders.DRIVE}_{{}}_0000000001_image_02.png'
    write_pair(
        root / 'image' / name.format('image'),
        root / 'groundtruth_depth' / name.format('groundtruth_depth'), width, height,
    )
    return root


def write_pair(image: Path, depth: Path, width: int, height: int) -> None:
    for path, pixels in (
        (image, np.zeros((height, width, 3), np.uint8)),
        (depth, np.full((height, width), 1000, np.uint16)),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), pixels)


PUBLISHED: Final = {
    'nyu': (write_nyu, KINECT),
    'tum': (write_tum, Intrinsics(535.4, 539.2, 320.1, 247.6, 640, 480)),
    'diode': (write_diode, Intrinsics(886.81, 927.06, 512.0, 384.0, 1024, 768)),
    'kitti-selection': (write_selection, OF_A_CROP),
}


@pytest.mark.parametrize('kind', PUBLISHED)
class TestPublished:
    def test_images_as_they_were_published_have_it(self, tmp_path: Path, kind: str) -> None:
        write, camera = PUBLISHED[kind]
        source = open_kind(kind, write(tmp_path, camera.width, camera.height))
        assert source[0].intrinsics == camera
        assert not source[0].notes
        assert ('intrinsics' in source.describe()) == (kind != 'kitti-selection')

    def test_of_others_it_is_unknown_and_that_is_said(self, tmp_path: Path, kind: str) -> None:
        write, camera = PUBLISHED[kind]
        sample = open_kind(kind, write(tmp_path, 320, 96))[0]
        assert sample.intrinsics is None
        [note] = sample.notes
        wanted = f'is for images of {camera.width}x{camera.height}, got 320x96: '
        assert note.startswith('the camera is taken as unknown: ')
        assert wanted in note

    def test_those_that_were_resized_have_it_scaled_when_asked(
        self, tmp_path: Path, kind: str
    ) -> None:
        write, camera = PUBLISHED[kind]
        root = write(tmp_path, 320, 96)
        sample = open_kind(kind, root, calibration_scaling=True)[0]
        assert sample.intrinsics == camera.scaled_to(320, 96)
        is_squeezed = kind != 'kitti-selection'
        assert [note[:24] for note in sample.notes] == ['pixels are not square (f'] * is_squeezed


@pytest.mark.parametrize('kind', ['nyu', 'tum', 'diode'])
class TestNamed:
    def test_what_settings_name_counts(self, tmp_path: Path, kind: str) -> None:
        root = PUBLISHED[kind][0](tmp_path, 64, 48)
        source = open_kind(kind, root, intrinsics=(50.0, 51.0, 30.0, 20.0))
        assert source[0].intrinsics == Intrinsics(50.0, 51.0, 30.0, 20.0, 64, 48)
        assert source.describe()['intrinsics'] == '50.0 51.0 30.0 20.0'

    def test_for_another_size_it_is_refused_or_scaled(self, tmp_path: Path, kind: str) -> None:
        root = PUBLISHED[kind][0](tmp_path, 64, 48)
        numbers = (100.0, 100.0, 63.5, 47.5, 128.0, 96.0)
        with pytest.raises(CalibrationError, match='intrinsics is for images of 128x96, got 64x'):
            open_kind(kind, root, intrinsics=numbers)[0]
        sample = open_kind(kind, root, intrinsics=numbers, calibration_scaling=True)[0]
        assert sample.intrinsics == Intrinsics(50.0, 50.0, 31.5, 23.5, 64, 48)


class TestSettings:
    def camera(self, **values: Any) -> Intrinsics | None:
        return folder_camera(SourceSettings.from_mapping(values))(64, 48)[0]

    def test_nothing_named_is_nothing_known(self) -> None:
        assert self.camera() is None

    @pytest.mark.parametrize(('values', 'message'), [
        ({'intrinsics': (1.0, 2.0, 3.0)}, r'fx fy cx cy, or .* width height .*, got \[1.0, 2.0'),
        ({'intrinsics': (50.0, 50.0, 31.5, 23.5, 64.5, 48.0)}, 'should be whole, got .64.5, 48.0'),
        ({'calibration_scaling': True}, 'would not be used, as no calibration is known'),
        (
            {'intrinsics': (50.0, 50.0, 31.5, 23.5), 'calibration_scaling': True},
            'would not be used, as intrinsics say no size: write fx fy cx cy width height',
        ),
    ])
    def test_what_cannot_be_used_is_refused(self, values: Any, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            self.camera(**values)

    @pytest.mark.parametrize('fx', [0.0, -50.0, np.nan])
    def test_what_is_no_camera_is_refused(self, fx: float) -> None:
        with pytest.raises((CalibrationError, ConfigError)):
            self.camera(intrinsics=(fx, 50.0, 31.5, 23.5))

    def test_numbers_of_larger_images_are_doubted(self) -> None:
        """The camera of KITTI, of 1242x375, for images that were resized to 640x192."""
        settings = SourceSettings(intrinsics=(721.5, 721.5, 609.6, 172.9))
        assert not folder_camera(settings)(1242, 375)[1]
        [note] = folder_camera(settings)(640, 192)[1]
        assert 'the principal point (610, 173) is far from the middle of images of 640x192' in note


@pytest.mark.parametrize('date', ['2011_09_26', 'mine'])
def test_the_camera_of_a_date_is_known_without_its_file(tmp_path: Path, date: str) -> None:
    """Annotated depth does not need the files, and many do not have them."""
    drive = f'{date}_drive_0002_sync'
    image = Path(date, drive, 'image_02/data/0000000001.png')
    gt = Path(drive, 'proj_depth/groundtruth/image_02/0000000001.png')
    write_pair(tmp_path / image, tmp_path / gt, KITTI.width, KITTI.height)
    (tmp_path / 'list.txt').write_text(f'{image} {gt} 721.5377\n')
    sample = open_kitti(tmp_path, tmp_path / 'list.txt')[0]
    assert sample.intrinsics == (KITTI if date == folders.DATE else None)


@pytest.mark.parametrize('is_listed', [False, True])
def test_a_drive_that_is_not_rectified_is_refused(tmp_path: Path, is_listed: bool) -> None:
    """Its images may have been resized, and its size says nothing then."""
    drive = f'{folders.DATE}_drive_0002_extract'
    image = Path(folders.DATE, drive, 'image_02/data/0000000001.png')
    scan = Path(folders.DATE, drive, 'velodyne_points/data/0000000001.bin')
    write_pair(tmp_path / image, tmp_path / 'depth.png', 64, 48)
    folders.write_text(tmp_path / scan, '')
    (tmp_path / 'list.txt').write_text(f'{image} depth.png\n')
    with pytest.raises((CalibrationError, RecordingError), match='name that one'):
        open_kind('kitti', tmp_path, split=tmp_path / 'list.txt' if is_listed else None)
