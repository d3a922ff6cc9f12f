# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which camera the frames of a recording were taken with: lens, matrix, size."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from bag_drives import cloud, depth_drive, image, info, lidar_drive, T_CAMERA_LIDAR
from bag_files import write_ros2
from clip_depth_ros.core.camera import Calibration
from clip_depth_ros.errors import CalibrationError, ConfigError
from clip_depth_ros.sources.kitti_calibration import KittiCalibration
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Intrinsics
import numpy as np
from open_sources import open_bag
import pytest

BENT = (-0.3, 0.1, 0.001, -0.002, 0.0)
FISHEYE = (0.05, -0.01, 0.002, 0.0)
WIDE = Intrinsics(12.0, 12.0, 9.5, 5.5, 20, 12)
POINTS = np.array(
    [[10, -6, 1, 1], [10, 7, -3, 1], [8, 0.1, 2.6, 1], [9, -5.3, -2.4, 1]], np.float32
)
"""In the LiDAR's frame: x forward, y left, z up; and an intensity."""

LENSES = [('plumb_bob', BENT), ('plumb_bob', (*BENT, 0.0, 0.0, 0.0)), ('equidistant', FISHEYE),
          ('equidistant', (*FISHEYE, 0.0))]


def drive(tmp_path: Path, camera: Intrinsics = WIDE, **camera_info: Any) -> Path:
    """Write a recording of one image and cloud, its camera_info changed."""
    messages = [info(0, camera, **camera_info), image(0), cloud(0, points=POINTS)]
    tmp_path.mkdir(exist_ok=True)
    return write_ros2(tmp_path / 'bag', [lidar_drive()[0], *messages])


def where(sample: DepthSample) -> dict[tuple[int, int], float]:
    """Return the depth of the pixels (row, column) that have any."""
    rows, columns = np.nonzero(sample.target_m)
    depth_m = sample.target_m[rows, columns].tolist()
    return dict(zip(zip(rows.tolist(), columns.tolist(), strict=True), depth_m, strict=True))


def looked_up(model: str, d: tuple[float, ...]) -> dict[tuple[int, int], float]:
    """Return where a lens shows the points, found the other way: pixels' rays, nearest to them."""
    k = tuple(WIDE.matrix().ravel())
    calibration = Calibration(20, 12, model, d, k, (0.0,) * 9, (0.0,) * 12)
    rays = calibration.camera('K', 20, 12).rays(20, 12)
    seen = POINTS[:, :3].astype(np.float64) @ T_CAMERA_LIDAR[:3, :3].T + T_CAMERA_LIDAR[:3, 3]
    found = {}
    for x, y, z in seen:
        off = np.hypot(rays[..., 0] - x / z, rays[..., 1] - y / z)
        row, column = np.unravel_index(np.nanargmin(off), off.shape)
        found[int(row), int(column)] = pytest.approx(z, rel=1e-6)
    return found


class TestLens:
    @pytest.mark.parametrize(('model', 'd'), LENSES)
    @pytest.mark.parametrize('p', ['none', 'as K', 'with a baseline'])
    def test_points_fall_where_it_shows_them(
        self, tmp_path: Path, model: str, d: tuple[float, ...], p: str
    ):
        changes: dict[str, Any] = {'distortion_model': model, 'd': np.array(d)}
        matrix = np.hstack([WIDE.matrix(), [[-40.0 * (p == 'with a baseline')], [0], [0]]])
        changes['p'] = np.zeros(12) if p == 'none' else matrix.ravel()
        sample = open_bag(drive(tmp_path, **changes))[0]
        assert where(sample) == looked_up(model, d)
        assert len(where(sample)) == 4
        assert (sample.intrinsics, sample.is_bent) == (WIDE, True)
        note, of_predictors = sample.notes
        assert 'K with distortion D' in note
        assert 'holds in the middle' in of_predictors

    @pytest.mark.parametrize(('source', 'is_bent'), [('P', False), ('K', True), ('auto', False)])
    def test_the_matrix_may_be_chosen(self, tmp_path: Path, source: str, is_bent: bool):
        """As in recordings from KITTI: K and D are those of the image before it was rectified."""
        path = drive(tmp_path, k=1.1 * WIDE.matrix().ravel(), d=np.array(BENT))
        opened = open_bag(path, intrinsics_source=source)
        sample = opened[0]
        assert sample.is_bent == is_bent
        assert len(sample.notes) == (source != 'P')
        assert any('taken as rectified' in note for note in sample.notes) == (source == 'auto')
        assert opened.describe().get('intrinsics_source') == (None if source == 'auto' else source)

    def test_a_model_that_nobody_knows_is_refused(self, tmp_path: Path):
        path = drive(tmp_path, distortion_model='omnidirectional', d=np.array(BENT))
        with pytest.raises(CalibrationError, match=r"bag /cam/image.*'omnidirectional'.*set intr"):
            open_bag(path)[0]
        assert open_bag(path, intrinsics_source='P')[0].intrinsics == WIDE

    def test_depth_images_need_no_camera(self, tmp_path: Path):
        bent = info(0, distortion_model='omnidirectional', d=np.array(BENT))
        path = write_ros2(tmp_path / 'bag', [*depth_drive(), bent])
        sample = open_bag(path, depth_topic='/cam/depth')[0]
        assert sample.intrinsics is None
        (note,) = sample.notes
        assert note.startswith('the camera is taken as unknown: camera_info has distortion model')


class TestSize:
    TWICE: Final[dict[str, Any]] = {
        'width': 40, 'height': 24, 'k': WIDE.scaled_to(40, 24).matrix().ravel()
    }

    def twice(self, tmp_path: Path) -> Path:
        """Write a recording whose camera_info is for images of twice the size."""
        p = np.hstack([WIDE.scaled_to(40, 24).matrix(), np.zeros((3, 1))]).ravel()
        return drive(tmp_path / 'twice', p=p, **self.TWICE)

    def test_a_camera_info_of_another_is_refused_where_a_lidar_needs_it(self, tmp_path: Path):
        wanted = 'bag /cam/image .* for 40x24 images, got 20x12: .* or set calibration_scaling'
        with pytest.raises(CalibrationError, match=wanted):
            open_bag(self.twice(tmp_path))[0]

    def test_it_is_scaled_when_asked(self, tmp_path: Path):
        plain = open_bag(drive(tmp_path))[0]
        scaled = open_bag(self.twice(tmp_path), calibration_scaling=True)[0]
        assert scaled.intrinsics == plain.intrinsics == WIDE
        assert where(scaled) == where(plain)
        assert scaled.notes == {'camera_info is for 40x24 images, got 20x12: scaled': 0}

    def test_else_the_camera_is_unknown_and_that_is_said(self, tmp_path: Path):
        path = write_ros2(tmp_path / 'bag', [*depth_drive(), info(0, **self.TWICE)])
        sample = open_bag(path, depth_topic='/cam/depth')[0]
        assert sample.intrinsics is None
        (note,) = sample.notes
        assert 'camera is taken as unknown: camera_info is for 40x24 images, got 20x12' in note

    def test_a_folder_of_calibration_is_compared_too(self, tmp_path: Path):
        K = WIDE.scaled_to(40, 24).matrix()
        path = drive(tmp_path)
        given = {'calibration': KittiCalibration(K, T_CAMERA_LIDAR, (40, 24))}
        with pytest.raises(CalibrationError, match=r'bag /cam/image .*images of 40x24, got 20x12'):
            open_bag(path, **given)[0]
        sample = open_bag(path, calibration_scaling=True, **given)[0]
        assert sample.intrinsics == WIDE
        assert where(sample) == where(open_bag(drive(tmp_path / 'plain'))[0])

    @pytest.mark.parametrize('given', [{'intrinsics_source': 'K'}, {'calibration_scaling': True}])
    def test_settings_of_a_calibration_that_is_not_there(
        self, tmp_path: Path, given: dict[str, Any]
    ):
        path = write_ros2(tmp_path / 'bag', depth_drive())
        with pytest.raises(ConfigError, match='would not be used, as there is no camera_info'):
            open_bag(path, depth_topic='/cam/depth', **given)
