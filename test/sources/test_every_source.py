# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A perfect predictor scores perfectly from every kind of source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import pickle
from typing import Any

from clip_depth_ros.bags.writer import write_recording
from clip_depth_ros.core.metrics import depth_metrics
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.as_messages import drive_messages
from clip_depth_ros.sources.frames import open_for_evaluation, SourceFrames
from clip_depth_ros.sources.kitti_files import OBJECT_START_NS
from clip_depth_ros.world.drive import Drive, SyntheticFrame
import data_folders as folders
import numpy as np
import pytest

SIZE = {'width': 96, 'height': 32}
SEED = 1_000_003

Write = Callable[[Path, folders.Frames], Path]


@pytest.fixture(scope='module')
def frames() -> list[SyntheticFrame]:
    """Give the frames that the rendered drive has for this seed."""
    drive = Drive(SEED, **SIZE)
    return [drive.frame(number) for number in (7, 60)]


def write_bag(root: Path, frames: folders.Frames) -> Path:
    """Write a recording with true depth."""
    write_recording(drive_messages(frames), root / 'drive.mcap')
    return root / 'drive.mcap'


def write_split(root: Path, frames: folders.Frames) -> Path:
    """Write raw and annotated depth into one folder."""
    folders.write_annotated(root, frames)
    return folders.write_raw(root, frames)


PATTERN = {'kind': 'pattern', 'images': 'rgb/*.png'}

SOURCES: dict[str, tuple[Write, dict[str, Any], str, str, float]] = {
    'recording': (write_bag, {}, 'bag', 'exact', 0),
    'KITTI annotated': (
        write_split, {'split': '{}/bts.txt', 'gt_dir': '{}'}, 'kitti', 'annotated', 1 / 512
    ),
    'KITTI raw LiDAR': (folders.write_raw, {}, 'kitti', 'raw-lidar', 1e-4),
    'KITTI raw LiDAR by list': (
        write_split, {'split': '{}/bts.txt'}, 'kitti', 'raw-lidar', 1e-4
    ),
    'KITTI object': (folders.write_object, {}, 'kitti-object', 'raw-lidar', 1e-4),
    'KITTI odometry': (folders.write_odometry, {}, 'kitti-odometry', 'raw-lidar', 1e-4),
    'KITTI selection': (folders.write_selection, {}, 'kitti-selection', 'annotated', 1 / 512),
    'NYU labelled': (folders.write_nyu_mat, {}, 'nyu', 'depth-images', 0),
    'NYU folder': (folders.write_nyu_folder, {}, 'nyu', 'depth-images', 0.0005),
    'TUM': (folders.write_tum, {}, 'tum', 'depth-images', 0.0001),
    'iBims-1': (folders.write_ibims, {}, 'ibims', 'depth-images', 25 / 65535),
    'SUN RGB-D': (
        folders.write_sun_rgbd, {'gt_max_range_m': 60}, 'sun-rgbd', 'depth-images', 0.0005
    ),
    'ScanNet': (
        folders.write_scannet, {'calibration_scaling': True}, 'scannet', 'depth-images', 0.0005
    ),
    'nuScenes': (folders.write_nuscenes, {}, 'nuscenes', 'raw-lidar', 1e-4),
    'DDAD': (folders.write_ddad, {}, 'ddad', 'raw-lidar', 1e-4),
    'ETH3D': (folders.write_eth3d, {}, 'eth3d', 'depth-images', 0),
    'PNGs': (
        folders.write_pngs, {**PATTERN, 'gt_images': 'depth/*.png', 'gt_per_metre': 256},
        'pattern', 'depth-images', 1 / 512,
    ),
    'arrays': (
        folders.write_arrays, {**PATTERN, 'gt_images': 'depth/*.npy'}, 'pattern', 'depth-images',
        0,
    ),
}
"""How each is written, its settings ({} is the folder), kind, ground truth, and rounding (m)."""


@pytest.fixture(params=SOURCES)
def opened(
    request: pytest.FixtureRequest, tmp_path: Path, frames: list[SyntheticFrame]
) -> SourceFrames:
    """Give the frames as they are read back from a source."""
    write, settings, *_ = SOURCES[request.param]
    source = write(tmp_path / 'data', frames)
    values = {
        name: value.format(tmp_path / 'data') if isinstance(value, str) else value
        for name, value in settings.items()
    }
    return open_for_evaluation([str(source)], SourceSettings.from_mapping(values))


@pytest.fixture
def expected(request: pytest.FixtureRequest) -> tuple[str, str, float]:
    """Give kind, kind of ground truth and rounding of the source."""
    return SOURCES[request.node.callspec.params['opened']][2:]


def test_it_is_recognised(opened: SourceFrames, expected: tuple[str, str, float]) -> None:
    assert (opened.kind, opened.gt_kind) == expected[:2]
    assert opened.problems == []
    assert len(opened) == 2


def test_a_perfect_predictor_scores_perfectly(
    opened: SourceFrames, frames: list[SyntheticFrame], expected: tuple[str, str, float]
) -> None:
    for index, frame in enumerate(frames):
        target_m = opened[index].target_m
        counts = target_m > 0
        metrics = depth_metrics(folders.known(frame), target_m, counts)
        assert counts.sum() > 500
        assert metrics.abs_rel < 1e-3
        assert metrics.delta1 == 1
        error_m = np.abs(target_m[counts] - frame.depth_m[counts])
        assert error_m.max() <= expected[2] + 1e-5  # float32 of 140 m


def test_images_and_intrinsics_are_those_of_the_drive(
    opened: SourceFrames, frames: list[SyntheticFrame]
) -> None:
    sample = opened[1]
    np.testing.assert_array_equal(sample.rgb, frames[1].rgb)
    if sample.intrinsics is not None:
        np.testing.assert_allclose(
            sample.intrinsics.matrix(), frames[1].intrinsics.matrix(), rtol=1e-6
        )


def test_times_are_those_of_the_drive_where_they_are_known(
    opened: SourceFrames, frames: list[SyntheticFrame]
) -> None:
    if opened.kind == 'kitti-odometry':  # since the first frame
        stamps = [frame.stamp_ns - frames[0].stamp_ns + OBJECT_START_NS for frame in frames]
    else:
        has_stamps = opened.kind in ('bag', 'kitti', 'tum', 'ddad', 'nuscenes')
        stamps = [frame.stamp_ns if has_stamps else None for frame in frames]
        if opened.kind == 'nuscenes':  # in microseconds
            stamps = [frame.stamp_ns // 1000 * 1000 for frame in frames]
    assert [opened[index].stamp_ns for index in range(2)] == stamps


def test_names_are_known_without_reading(opened: SourceFrames) -> None:
    assert opened.names == [opened[0].name, opened[1].name]
    assert len(set(opened.names)) == 2


def test_its_files_are_all_that_it_reads(
    opened: SourceFrames, tmp_path: Path
) -> None:
    """All there is, but what is a matter of the whole (scans' times), or not of this use."""
    written = {path for path in (tmp_path / 'data').rglob('*') if path.is_file()}
    others = ('velodyne_points', 'depth_bfx', 'CAM_BACK', 'CAMERA_05')
    unused = {path for path in written if path.parent.name in others}
    if 'list' not in opened.describe():
        unused |= {path for path in written if path.name == 'bts.txt'}
    if opened.gt_kind == 'raw-lidar':
        unused |= {path for path in written if 'proj_depth' in path.parts}
    else:
        unused |= {path for path in written if path.suffix == '.bin'}
    assert sorted(opened.files) == sorted(written - unused)


def test_nothing_need_be_said_of_it(opened: SourceFrames) -> None:
    assert opened.notes == []


def test_a_copy_opens_its_own_files(opened: SourceFrames) -> None:
    before = opened[1]
    copy = pickle.loads(pickle.dumps(opened))
    opened.close()
    np.testing.assert_array_equal(copy[1].target_m, before.target_m)
    assert (copy[1].name, len(copy), copy.names) == (before.name, 2, opened.names)
    copy.close()


def test_the_rendered_drive_itself(frames: list[SyntheticFrame]) -> None:
    settings = SourceSettings(frames_per_seed=2, width_px=96, height_px=32)
    opened = open_for_evaluation([str(SEED)], settings)
    assert (opened.kind, opened.gt_kind, opened.default_protocol) == (
        'synthetic', 'exact', 'plain'
    )
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(opened[index].target_m, folders.known(frame))


def test_what_the_lidar_of_the_drive_sees_agrees_with_its_depth(
    tmp_path: Path, frames: list[SyntheticFrame]
) -> None:
    """A real scan is noisy and between pixels: most points agree to 3 %, edges need not."""
    folders.write_object(tmp_path, frames)
    for number, frame in enumerate(frames):
        scan = frame.lidar_points.astype('<f4').tobytes()
        (tmp_path / f'training/velodyne/{number:06}.bin').write_bytes(scan)
    opened = open_for_evaluation([str(tmp_path)], SourceSettings())
    for index, frame in enumerate(frames):
        target_m = opened[index].target_m
        both = (target_m > 0) & np.isfinite(frame.depth_m)
        off = np.abs(target_m[both] / frame.depth_m[both] - 1)
        assert both.sum() > 100
        assert np.median(off) < 0.03
