# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ScanNet: depth of a camera with fewer pixels, as the camera of the images sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clip_depth_ros.errors import CalibrationError, RecordingError
from clip_depth_ros.sources.registry import kind_of
from clip_depth_ros.types import Intrinsics
from data_folders import write_png, write_text
import numpy as np
from open_sources import open_kind
import pytest

COLOR = '1170 0 647.5 0  0 1170 483.5 0  0 0 1 0  0 0 0 1'
DEPTH = '585 0 319.5 0  0 585 239.5 0  0 0 1 0  0 0 0 1'


def write_scene(scene: Path, names: tuple[str, ...] = ('0', '10')) -> Path:
    """Write frames that are 2 m away on the left of the axis, and 4 m on the right."""
    stored = np.full((480, 640), 4000, np.uint16)
    stored[:, :320] = 2000
    for name in names:
        write_png(scene / f'color/{name}.png', np.zeros((968, 1296, 3), np.uint8))
        (scene / f'color/{name}.png').rename(scene / f'color/{name}.jpg')
        write_png(scene / f'depth/{name}.png', stored)
        write_text(scene / f'pose/{name}.txt', '1 0 0 5 0 1 0 6 0 0 1 7 0 0 0 1')
    write_text(scene / 'intrinsic/intrinsic_color.txt', COLOR)
    write_text(scene / 'intrinsic/intrinsic_depth.txt', DEPTH)
    return scene


def test_it_is_recognised_as_scene_and_as_whole(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / 'scans/scene0000_00')
    assert {kind_of(str(path)) for path in (tmp_path, scene.parent, scene)} == {'scannet'}
    source = open_kind('scannet', tmp_path)
    assert source.names == ['scene0000_00/0.jpg', 'scene0000_00/10.jpg']


def test_depth_is_where_the_image_shows_it(tmp_path: Path) -> None:
    sample: Any = open_kind('scannet', write_scene(tmp_path / 'scene0000_00'))[0]
    assert sample.intrinsics == Intrinsics(1170.0, 1170.0, 647.5, 483.5, 1296, 968)
    row = sample.target_m[500]
    assert set(row[10:640]) == {2}
    assert set(row[656:1280]) == {4}
    # What the depth camera does not see, the image has no depth for.
    assert row[0] == row[-1] == 0
    assert (sample.target_m > 0).mean() > 0.95
    assert sample.T_world_camera[:3, 3].tolist() == [5, 6, 7]
    assert sample.recording == 'scene0000_00'


def test_the_depth_camera_may_stand_elsewhere(tmp_path: Path) -> None:
    """10 cm to the right: what it has straight ahead is 58.5 pixels right of the image's axis."""
    scene = write_scene(tmp_path / 'scene0000_00', ('0',))
    write_text(scene / 'intrinsic/extrinsic_depth.txt', '1 0 0 0.1 0 1 0 0 0 0 1 0 0 0 0 1')
    row = open_kind('scannet', scene)[0].target_m[500]
    assert set(row[600:700]) == {2}
    assert set(row[712:1280]) == {4}


def test_the_frames_of_25k(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / 'scene0000_00', ('000100',))
    for camera in ('color', 'depth'):
        (scene / f'intrinsic/intrinsic_{camera}.txt').rename(scene / f'intrinsics_{camera}.txt')
    source = open_kind('scannet', tmp_path, frame_rate_hz=30.0)
    assert (source.names, source[0].stamp_ns) == (['scene0000_00/000100.jpg'], 3_333_333_333)
    assert scene / 'intrinsics_color.txt' in source.files
    assert open_kind('scannet', tmp_path)[0].stamp_ns is None


def test_where_the_camera_was_may_be_unknown(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / 'scene0000_00')
    write_text(scene / 'pose/0.txt', '-inf -inf -inf -inf ' * 4)
    source = open_kind('scannet', scene)
    assert source[0].T_world_camera is None
    assert source[1].T_world_camera is not None


def test_what_is_damaged_or_missing_is_named(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / 'scene0000_00', ('0',))
    write_text(scene / 'pose/0.txt', '1 0 0 5')
    with pytest.raises(CalibrationError, match=r'pose/0\.txt.* should hold 16 finite numbers'):
        open_kind('scannet', scene)
    (scene / 'depth/0.png').unlink()
    with pytest.raises(RecordingError, match=r'looked for color/N\.jpg'):
        open_kind('scannet', scene)


def test_resized_images_need_to_be_said(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / 'scene0000_00', ('0',))
    write_png(scene / 'color/0.png', np.zeros((484, 648, 3), np.uint8))
    (scene / 'color/0.png').replace(scene / 'color/0.jpg')
    with pytest.raises(CalibrationError, match='is for images of 1296x968, got 648x484'):
        open_kind('scannet', scene)[0]
    sample = open_kind('scannet', scene, calibration_scaling=True)[0]
    assert set(sample.target_m[250][5:320]) == {2}
