# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What files say of the camera of a picture: camera_info YAML and EXIF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.sources.camera_files import exif_camera, read_camera_info
from clip_depth_ros.types import Intrinsics
from PIL import Image
from PIL.TiffImagePlugin import IFDRational
import pytest
import yaml

CAMERA_INFO = """
image_width: 640
image_height: 480
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [525.,   0., 319.5,
           0., 526., 239.5,
           0.,   0.,   1.]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [0.1, -0.2, 1e-05, 0., 0.]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1., 0., 0., 0., 1., 0., 0., 0., 1.]
projection_matrix:
  rows: 3
  cols: 4
  data: [510.,   0., 318., 0.,
           0., 512., 241., 0.,
           0.,   0.,   1., 0.]
"""
"""As camera_calibration writes ost.yaml, and yaml-cpp a small number."""


def written(folder: Path, text: str = CAMERA_INFO) -> Path:
    path = folder / 'ost.yaml'
    path.write_text(text)
    return path


def edited(**values: Any) -> str:
    found = yaml.safe_load(CAMERA_INFO)
    found.update(values)
    return yaml.safe_dump({name: value for name, value in found.items() if value is not None})


class TestCameraInfo:
    def test_it_is_read_as_the_message_would_be(self, tmp_path):
        calibration = read_camera_info(written(tmp_path))

        assert calibration.image_size == (640, 480)
        assert calibration.distortion_model == 'plumb_bob'
        assert calibration.d == (0.1, -0.2, 1e-05, 0.0, 0.0)
        assert calibration.k[:6] == (525.0, 0.0, 319.5, 0.0, 526.0, 239.5)
        assert calibration.p[:7] == (510.0, 0.0, 318.0, 0.0, 0.0, 512.0, 241.0)
        assert calibration.camera('auto', 640, 480).intrinsics == Intrinsics(
            510.0, 512.0, 318.0, 241.0, 640, 480
        )

    def test_camera_matrix_and_size_are_enough(self, tmp_path):
        text = edited(
            distortion_model=None, distortion_coefficients=None, rectification_matrix=None,
            projection_matrix=None,
        )
        camera = read_camera_info(written(tmp_path, text)).camera('auto', 640, 480)
        assert (camera.source, camera.intrinsics.fx, camera.intrinsics.fy) == ('K', 525.0, 526.0)

    @pytest.mark.parametrize(('text', 'message'), [
        ('[1, 2', r"ost.yaml' is no YAML \(.*a camera_info YAML is wanted"),
        ('just text', r"ost.yaml' has no camera_matrix: a camera_info YAML is wanted"),
        ('camera_matrix: 5', 'image_width should be pixels, a whole number above 0, is None'),
        (edited(image_width=-3), r'image_width should be pixels, .* is -3'),
        (edited(image_height='480'), r"image_height should be pixels, .* is '480'"),
        (edited(camera_matrix={'data': [1, 2]}), 'camera_matrix should have data: .* 9 finite'),
        (edited(camera_matrix={'data': [None] * 9}), 'camera_matrix should have data'),
        (edited(camera_matrix=[1] * 9), 'camera_matrix should have data'),
        (edited(projection_matrix={'data': [float('nan')] * 12}), 'of 12 finite numbers'),
        (edited(distortion_coefficients={'data': 'many'}), 'should have data: .* of finite'),
        (edited(distortion_model=7), 'distortion_model should be a name'),
    ])
    def test_what_is_no_camera_info_is_refused_with_its_reason(self, tmp_path, text, message):
        with pytest.raises(CalibrationError, match=message):
            read_camera_info(written(tmp_path, text))

    def test_a_file_that_is_not_there_or_no_file_is_refused_by_name(self, tmp_path):
        with pytest.raises(CalibrationError, match=r'cannot read camera_info .*: No such'):
            read_camera_info(tmp_path / 'ost.yaml')
        with pytest.raises(CalibrationError, match='directory'):
            read_camera_info(tmp_path)

    @pytest.mark.parametrize(('numbers', 'message'), [
        ([0.0, 0, 320, 0, 500, 240, 0, 0, 1], 'K has fx=0.0.*must be finite with fx, fy > 0'),
        ([20.0, 0, 320, 0, 500, 240, 0, 0, 1], 'a field of view of 172.8 degrees across; calibr'),
        ([500.0, 0, 320, 0, 20, 240, 0, 0, 1], 'a field of view of 170.5 degrees down'),
        ([500.0, 0, 1280, 0, 500, 240, 0, 0, 1], 'a principal point at 1280 across'),
        ([500.0, 0, 320, 0, 500, -481, 0, 0, 1], 'a principal point at -481 down'),
    ])
    def test_a_camera_that_cannot_be_is_refused(self, tmp_path, numbers, message):
        path = written(tmp_path, edited(camera_matrix={'data': numbers}))
        with pytest.raises(CalibrationError, match=message):
            read_camera_info(path).camera('K', 640, 480)


def picture(folder: Path, width: int = 400, height: int = 300, **tags: Any) -> Path:
    """Write a JPEG with EXIF tags by name."""
    numbers = {
        'film_mm': 0xA405, 'lens_mm': 0x920A, 'own_width': 0xA002, 'own_height': 0xA003,
        'resolution': 0xA20E, 'unit': 0xA210, 'orientation': 0x0112,
    }
    exif = Image.Exif()
    for name, value in tags.items():
        (exif if name == 'orientation' else exif.get_ifd(0x8769))[numbers[name]] = value
    path = folder / 'photo.jpg'
    Image.new('RGB', (width, height)).save(path, exif=exif)
    return path


class TestExif:
    def test_film_of_35_mm_by_hand(self, tmp_path):
        """A diagonal of 500 pixels on one of 43.27 mm: 26 mm are 300.4 pixels."""
        camera, said = exif_camera(picture(tmp_path, film_mm=26), 400, 300)
        assert said == '26 mm in 35 mm film'
        assert camera.fx == camera.fy == pytest.approx(26 * 500 / 43.2666, rel=1e-4)
        assert (camera.cx, camera.cy) == (199.5, 149.5)

    @pytest.mark.parametrize(('unit', 'resolution'), [(2, 254.0), (3, 100.0), (4, 10.0)])
    def test_focal_plane_by_hand(self, tmp_path, unit, resolution):
        """50 mm at 10 pixels per mm are 500 pixels; stored at twice the size, 250 of these."""
        path = picture(
            tmp_path, lens_mm=50, resolution=IFDRational(resolution), unit=unit, own_width=800,
            own_height=600,
        )
        camera, said = exif_camera(path, 400, 300)
        assert said == '50 mm at 10 pixels per mm'
        assert camera.fx == pytest.approx(250)

    def test_a_turned_picture_keeps_its_focal_length(self, tmp_path):
        tags = {'film_mm': 26, 'own_width': 400, 'own_height': 300}
        lying, _ = exif_camera(picture(tmp_path, **tags), 400, 300)
        standing, _ = exif_camera(picture(tmp_path, orientation=6, **tags), 300, 400)
        assert (standing.fx, standing.width, standing.height) == (lying.fx, 300, 400)

    def test_a_picture_that_was_cropped_has_no_known_camera(self, tmp_path):
        path = picture(tmp_path, film_mm=26, own_width=4000, own_height=2250)
        assert exif_camera(path, 400, 300) == (
            None, '26 mm in 35 mm film, of 4000x2250 pixels before the picture was cropped'
        )

    @pytest.mark.parametrize('tags', [
        {}, {'lens_mm': 50}, {'film_mm': 0}, {'lens_mm': 50, 'resolution': IFDRational(1, 0)},
        {'lens_mm': 50, 'resolution': 100, 'unit': 77},
    ])
    def test_what_says_nothing_is_nothing(self, tmp_path, tags):
        assert exif_camera(picture(tmp_path, **tags), 400, 300) == (None, '')

    def test_a_focal_length_that_cannot_be_is_said_and_not_used(self, tmp_path):
        camera, said = exif_camera(picture(tmp_path, film_mm=1), 400, 300)
        assert (camera, said) == (None, '1 mm in 35 mm film, which cannot be')

    def test_damaged_data_is_none(self, tmp_path):
        path = picture(tmp_path, film_mm=26)
        data = bytearray(path.read_bytes())
        start = data.index(b'Exif\0\0') + 6
        data[start + 4:start + 30] = b'\xff' * 26
        path.write_bytes(data)
        assert exif_camera(path, 400, 300) == (None, '')
