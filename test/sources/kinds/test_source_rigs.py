# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""nuScenes and DDAD: several cameras and a LiDAR on a car that moves between them."""

from __future__ import annotations

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

from clip_depth_ros.errors import ConfigError, DataError, RecordingError
from clip_depth_ros.sources.registry import kind_of
from clip_depth_ros.world.drive import Drive, SyntheticFrame
import data_folders as folders
import numpy as np
from open_sources import open_kind
import pytest

Write = Callable[[Path, folders.Frames], Path]
WRITERS: dict[str, Write] = {'nuscenes': folders.write_nuscenes, 'ddad': folders.write_ddad}
CAMERAS = {'nuscenes': ('CAM_BACK', 'CAM_FRONT'), 'ddad': ('CAMERA_01', 'CAMERA_05')}

each = pytest.mark.parametrize('kind', WRITERS)


@pytest.fixture(scope='module')
def frames() -> list[SyntheticFrame]:
    """Give two frames of a rendered street."""
    drive = Drive(1_000_003, width=64, height=32)
    return [drive.frame(number) for number in (7, 8)]


@pytest.fixture
def write(tmp_path: Path, frames: list[SyntheticFrame]) -> Callable[[str], Path]:
    return lambda kind: WRITERS[kind](tmp_path / 'data', frames)


@pytest.mark.parametrize(('kind', 'place'), [
    ('nuscenes', ''), ('nuscenes', 'v1.0-mini'), ('ddad', ''), ('ddad', '000150'),
])
def test_it_is_recognised_at_every_level(
    write: Callable[[str], Path], kind: str, place: str
) -> None:
    root = write(kind) / place
    assert kind_of(str(root)) == kind
    assert len(open_kind(kind, root)) == 2


@each
def test_frames_know_where_and_when_they_were_taken(
    write: Callable[[str], Path], kind: str, frames: list[SyntheticFrame]
) -> None:
    sample = open_kind(kind, write(kind))[1]
    np.testing.assert_allclose(sample.T_world_camera, frames[1].T_world_cam, atol=1e-9)
    assert abs(sample.stamp_ns - frames[1].stamp_ns) < 1000
    assert sample.recording.endswith({'nuscenes': '/CAM_FRONT', 'ddad': '/CAMERA_01'}[kind])


@each
def test_another_camera_or_all_of_them(write: Callable[[str], Path], kind: str) -> None:
    root = write(kind)
    for camera in CAMERAS[kind]:
        (first, _) = open_kind(kind, root, camera_name=camera).names
        assert f'/{camera}/' in first
    assert len(open_kind(kind, root, camera_name='all')) == 4
    with pytest.raises(ConfigError, match=rf'all or one of {", ".join(CAMERAS[kind])}, got'):
        open_kind(kind, root, camera_name='CAM_FRON')


@each
def test_scenes_are_chosen_by_name(
    write: Callable[[str], Path], kind: str, tmp_path: Path
) -> None:
    root, split = write(kind), tmp_path / 'val.txt'
    split.write_text({'nuscenes': 'scene-0061', 'ddad': '000150'}[kind])
    assert len(open_kind(kind, root, split=split)) == 2
    split.write_text('000999')
    with pytest.raises(RecordingError, match=r"scenes that are not there, such as '000999'"):
        open_kind(kind, root, split=split)


@each
def test_a_protocol_of_kitti_s_own_lidar_is_refused(
    write: Callable[[str], Path], kind: str
) -> None:
    with pytest.raises(ConfigError, match=r'x in the LiDAR .*, which only KITTI'):
        open_kind(kind, write(kind), lidar_value='forward')


@each
def test_a_scan_that_was_cut_off_is_named(write: Callable[[str], Path], kind: str) -> None:
    root = write(kind)
    (scan, *_) = sorted([*root.rglob('0.npz'), *root.rglob('0.pcd.bin')])
    scan.write_bytes(scan.read_bytes()[:-7])
    with pytest.raises(DataError, match=rf'{scan.name}.*copy it again'):
        open_kind(kind, root)[0]


def changed(path: Path, change: Callable[[Any], object]) -> None:
    """Change what a JSON file holds."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(('table', 'change', 'message'), [
    ('ego_pose', lambda rows: rows.clear(), r"do not fit together \(KeyError: 'LIDAR_TOP 0'"),
    ('sensor', lambda rows: rows[0].pop('token'), r'sensor\.json.* list of objects with tokens'),
    ('calibrated_sensor', lambda rows: rows[0].update(rotation=[0, 0, 0, 0]), 'a direction'),
    ('calibrated_sensor', lambda rows: rows[0].update(camera_intrinsic=[]), 'do not fit together'),
    ('sample_data', lambda rows: rows.clear(), 'none of the 0 images of CAM_FRONT'),
])
def test_damaged_tables_are_named(
    write: Callable[[str], Path], table: str, change: Callable[[Any], object], message: str
) -> None:
    root = write('nuscenes')
    changed(root / f'v1.0-mini/{table}.json', change)
    with pytest.raises(ValueError, match=message):
        open_kind('nuscenes', root)


def test_of_two_versions_one_must_be_named(write: Callable[[str], Path]) -> None:
    root = write('nuscenes')
    folders.write_text(root / 'v1.0-trainval/sample_data.json', '[]')
    with pytest.raises(ConfigError, match=r'has .*v1\.0-mini, .*v1\.0-trainval: name the folder'):
        open_kind('nuscenes', root)
    (root / 'v1.0-mini/scene.json').write_text('{')
    with pytest.raises(RecordingError, match=r'scene\.json.* is no JSON'):
        open_kind('nuscenes', root / 'v1.0-mini')


@pytest.mark.parametrize(('change', 'message'), [
    (lambda scene: scene['data'].clear(), "KeyError: 'CAMERA_01 0'"),
    (lambda scene: scene.pop('samples'), "KeyError: 'samples'"),
    (lambda scene: scene['samples'][0].update(calibration_key='no'), r'no\.json.* cannot be read'),
    (lambda scene: scene['data'][0]['id'].update(timestamp='today'), 'ValueError'),
])
def test_a_damaged_scene_is_named(
    write: Callable[[str], Path], change: Callable[[Any], object], message: str
) -> None:
    root = write('ddad')
    changed(root / '000150/scene_abc.json', change)
    with pytest.raises(RecordingError, match=message):
        open_kind('ddad', root)


def test_a_sensor_without_a_pose_is_at_the_origin(write: Callable[[str], Path]) -> None:
    """As dgp takes an empty pose: then the LiDAR's points are the camera's."""
    root = write('ddad')

    def forget(scene: Any) -> None:
        for datum in scene['data']:
            for facts in datum['datum'].values():
                facts['pose'] = {}

    changed(root / '000150/scene_abc.json', forget)
    points = np.array([[0.1, 0.1, 12.0, 1.0]])
    for scan in root.rglob('*.npz'):
        np.savez(scan, data=points)
    assert set(open_kind('ddad', root)[0].target_m.ravel()) == {0, 12}
