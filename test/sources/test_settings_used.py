# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A setting that is named is used, or refused by its name: every setting, for every kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.bags.messages import camera_info_message, image_message
from clip_depth_ros.bags.writer import recorded, write_recording
from clip_depth_ros.cli.main import main
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.base import setting_specs
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.as_messages import drive_messages
from clip_depth_ros.sources.frames import open_for_evaluation
from clip_depth_ros.sources.registry import known_kinds
from clip_depth_ros.world.drive import Drive, SyntheticFrame
import data_folders as folders
import numpy as np
import pytest

SEED: Final = 1_000_003
OTHERS: Final = {name: f'/other/{name}' for name in ('image', 'camera_info', 'depth', 'classes')}

Values = dict[str, Any]
Opened = tuple[str, Callable[[Values], Mapping[str, str]]]


@pytest.fixture(scope='module')
def frames() -> list[SyntheticFrame]:
    """Give a few frames of a rendered street."""
    drive = Drive(SEED, width=64, height=32)
    return [drive.frame(number) for number in (7, 60)]


def write_bag(root: Path, frames: folders.Frames) -> Path:
    """Write a recording with another camera and other depth, in millimetres, beside our own."""
    messages = [*drive_messages(frames)]
    for frame in frames:
        head: Values = {'stamp_ns': frame.stamp_ns, 'frame_id': 'other'}
        stored = np.round(np.minimum(folders.known(frame), 65) * 1000).astype(np.uint16)
        bodies = {
            'image': image_message(frame.rgb[::-1], 'rgb8', **head),
            'camera_info': camera_info_message(frame.intrinsics, **head),
            'depth': image_message(stored, '16UC1', **head),
            'classes': image_message(frame.class_ids, 'mono8', **head),
        }
        messages += [recorded(OTHERS[name], body, frame.stamp_ns) for name, body in bodies.items()]
    write_recording(messages, root / 'drive.mcap')
    folders.write_raw(root, frames)
    folders.write_annotated(root, frames)
    np.savetxt(root / 'T.txt', frames[0].T_cam_lidar)
    (root / 'numbers.txt').write_text('1\n')
    return root / 'drive.mcap'


def write_split(root: Path, frames: folders.Frames) -> Path:
    """Write raw and annotated depth into one folder, and a list with one frame of two."""
    folders.write_annotated(root, frames)
    first = (root / 'bts.txt').read_text().splitlines()[0]
    (root / 'first.txt').write_text(f'{first}\n')
    return folders.write_raw(root, frames)


def with_list(write: Callable[..., Path], line: str) -> Callable[[Path, folders.Frames], Path]:
    """Give what also writes a list with one frame of two."""
    def written(root: Path, frames: folders.Frames) -> Path:
        path = write(root, frames)
        (root / 'first.txt').write_text(f'{line}\n')
        return path

    return written


def write_pngs(root: Path, frames: folders.Frames) -> Path:
    """Write images and depth maps, with a mask and a camera for all of them."""
    folders.write_png(root / 'hood.png', np.ones(frames[0].depth_m.shape, np.uint8))
    folders.write_text(root / 'K.txt', '50 50 32 16')
    return folders.write_pngs(root, frames)


IMAGE_NAME: Final = f'{folders.DRIVE}_image_0000000000_image_02.png'
GT: Final = f'{{}}/{folders.DRIVE}/proj_depth/groundtruth/image_02'
LIDAR: Final = {'lidar_topic': '/velodyne_points'}
MILLIMETRES: Final = {'depth_topic': OTHERS['depth']}

Used = Mapping[str, tuple[Any, Values]]

OWN_CAMERA: Final[Used] = {
    'intrinsics': ((50.0, 50.0, 32.0, 16.0), {}),
    'calibration_scaling': (True, {'intrinsics': (50.0, 50.0, 32.0, 16.0, 64.0, 32.0)}),
}
"""The camera of folders that do not say it."""

KINDS: Final[Mapping[str, tuple[Callable[..., Path], Values, Used]]] = {
    'bag': (write_bag, {}, {
        'topics': ('none', {'image_topic': '/camera/image_rect_color'}),
        'image_topic': (OTHERS['image'], {}),
        'camera_info_topic': (OTHERS['camera_info'], {}),
        'depth_topic': (OTHERS['depth'], {}),
        'lidar_topic': ('/velodyne_points', {}),
        'class_topic': (OTHERS['classes'], {}),
        'fixed_frame': ('world', {}),
        'lidar_extrinsics': ('{}/T.txt', LIDAR),
        'calib_dir': (f'{{}}/{folders.DATE}', {}),
        'sync_tolerance_s': (0.5, {}),
        'gt_dir': (GT, {}),
        'gt_first': (1, {'gt_dir': GT}),
        'gt_kind': ('annotated', {}),
        'pair_by': ('receive', {}),
        'intrinsics_source': ('K', {}),
        'calibration_scaling': (True, {}),
        'gt_per_metre': (256.0, MILLIMETRES),
        'gt_max_range_m': (20.0, {}),
        'lidar_min_range_m': (20.0, LIDAR),
    }),
    'ddad': (with_list(folders.write_ddad, '000150'), {}, {
        'camera_name': ('CAMERA_05', {}), 'split': ('{}/first.txt', {}),
        'calibration_scaling': (True, {}), 'lidar_min_range_m': (20.0, {}),
    }),
    'diode': (folders.write_diode, {}, OWN_CAMERA),
    'eth3d': (folders.write_eth3d, {}, OWN_CAMERA),
    'ibims': (folders.write_ibims, {}, OWN_CAMERA),
    'kitti': (write_split, {}, {
        'split': ('{}/first.txt', {}), 'gt_dir': ('{}', {'split': '{}/bts.txt'}),
        'calibration_scaling': (True, {}), 'lidar_min_range_m': (20.0, {}),
    }),
    'kitti-object': (with_list(folders.write_object, '000000'), {}, {
        'split': ('{}/first.txt', {}), 'calibration_scaling': (True, {}),
        'lidar_min_range_m': (20.0, {}),
    }),
    'kitti-odometry': (with_list(folders.write_odometry, '03/000000'), {}, {
        'split': ('{}/first.txt', {}), 'calibration_scaling': (True, {}),
        'lidar_min_range_m': (20.0, {}),
    }),
    'kitti-selection': (with_list(folders.write_selection, IMAGE_NAME), {}, {
        'split': ('{}/first.txt', {}), 'calibration_scaling': (True, {}),
    }),
    'nuscenes': (with_list(folders.write_nuscenes, 'scene-0061'), {}, {
        'camera_name': ('all', {}), 'split': ('{}/first.txt', {}),
        'calibration_scaling': (True, {}), 'lidar_min_range_m': (20.0, {}),
    }),
    'nyu': (
        with_list(folders.write_nyu_folder, 'rgb/rgb_00000.png depth/sync_depth_00000.png'), {},
        {'split': ('{}/first.txt', {}), **OWN_CAMERA},
    ),
    'pattern': (
        write_pngs,
        {'kind': 'pattern', 'images': 'rgb/*.png', 'gt_images': 'depth/*.png'},
        {
            'images': ('rgb/*0.png', {}),
            'gt_images': ('depth/*0.png', {'images': 'rgb/*0.png'}),
            'masks': ('hood.png', {}),
            'intrinsics_files': ('K.txt', {}),
            'gt_per_metre': (256.0, {}),
            **OWN_CAMERA,
            'gt_kind': ('annotated', {}),
            'gt_max_range_m': (20.0, {}),
        },
    ),
    'scannet': (folders.write_scannet, {}, {
        **OWN_CAMERA, 'gt_max_range_m': (20.0, {}),
    }),
    'sun-rgbd': (folders.write_sun_rgbd, {}, {**OWN_CAMERA, 'gt_max_range_m': (20.0, {})}),
    'synthetic': (lambda root, frames: Path(str(SEED)), {}, {
        'frames_per_seed': (2, {}), 'frame_step': (1, {}), 'width_px': (96, {}),
        'cameras': ('varied', {}), 'lens_factor': (2.0, {}),
        'height_px': (48, {}),
    }),
    'tum': (folders.write_tum, {}, {
        'sync_tolerance_s': (0.5, {}), 'gt_per_metre': (256.0, {}),
        'gt_max_range_m': (20.0, {}), **OWN_CAMERA,
    }),
}
"""How each is written and opened, and other values of what it uses ({}: the folder)."""

EACH_KIND: Final = {'frame_stride': (2, {})}
"""What all kinds use; ``kind`` says which."""

LIMITS: Final = ('max_image_pixels', 'frame_rate_hz')
"""What decides whether frames are read at all."""

SPECS: Final = setting_specs(SourceSettings)
NOTHING: Final = ('', [])
OF_A_KIND: Final[Mapping[str, tuple[Any, ...]]] = {
    'str': ('a.txt',), 'bool': (True,), 'int': (9,), 'float': (9.0,),
    'float_list': ((5.0, 5.0, 3.0, 2.0),),
}
FIELDS: Final = [name for name in SourceSettings.model_fields if name not in ('kind', *LIMITS)]


@pytest.fixture(scope='module', params=KINDS)
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, frames: Any
) -> Opened:
    """Give a kind, and what a source of it says of itself with more settings than it needs."""
    write, needed, _ = KINDS[request.param]
    root = tmp_path_factory.mktemp(request.param)
    source = str(write(root, frames))

    def describe(values: Values) -> Mapping[str, str]:
        given = {
            name: value.format(root) if isinstance(value, str) else value
            for name, value in {**needed, **values}.items()
        }
        return open_for_evaluation([source], SourceSettings.from_mapping(given)).describe()

    return request.param, describe


def test_every_kind_is_tried() -> None:
    assert KINDS.keys() == known_kinds().keys()
    for name, kind in known_kinds().items():
        assert {*kind.uses} & {*FIELDS} == KINDS[name][2].keys(), name


@pytest.mark.parametrize('name', FIELDS)
def test_it_is_used_or_refused_by_name(opened: Opened, name: str) -> None:
    kind, described = opened
    used = {**EACH_KIND, **KINDS[kind][2]}
    spec = SPECS[name]
    if name in used:
        value, beside = used[name]
        before, after = described(beside), described({**beside, name: value})
        assert before != after
        if spec.default not in NOTHING:
            described({**beside, name: spec.default})  # is as good when it is spelled out
        return
    for value in spec.choices or (spec.default, *OF_A_KIND[spec.kind]):
        if value in NOTHING:
            continue
        with pytest.raises(ConfigError, match=f'^{name} is not for kind'):
            described({name: value})


def test_a_default_that_is_named_is_meant(tmp_path: Path, frames: Any) -> None:
    """1000 is the default of gt_per_metre, and five times what a TUM-style folder holds."""
    root = str(folders.write_tum(tmp_path, frames))
    usual = open_for_evaluation([root], SourceSettings())[0].target_m
    named = open_for_evaluation([root], SourceSettings(gt_per_metre=1000.0))[0].target_m
    np.testing.assert_allclose(named, usual * 5, rtol=1e-6)


@pytest.mark.parametrize(('values', 'message'), [
    ({'lidar_topic': '/velodyne_points', **MILLIMETRES}, 'lidar_topic would .* as depth_topic is'),
    ({'lidar_extrinsics': '{}/T.txt'}, 'lidar_extrinsics would not be used, as the truth is no L'),
    ({'gt_first': 0}, 'gt_first would not be used, as it numbers the depth maps of gt_dir'),
    ({'gt_per_metre': 1000.0}, "gt_per_metre would .*'/ground_truth/depth' is 32FC1"),
    ({'gt_per_metre': 1000.0, **LIDAR}, "gt_per_metre would .* the LiDAR on '/velodyne_points'"),
    (
        {'camera_info_topic': OTHERS['camera_info'], 'calib_dir': f'{{}}/{folders.DATE}'},
        'camera_info_topic would not be used, as calib_dir has the intrinsics',
    ),
    (
        {'intrinsics_source': 'K', 'calib_dir': f'{{}}/{folders.DATE}'},
        'intrinsics_source would not be used, as calib_dir has the intrinsics',
    ),
    ({'fixed_frame': 'nowhere'}, "fixed_frame 'nowhere' is not on /tf"),
])
def test_what_another_setting_overrules_is_refused(
    tmp_path: Path, frames: Any, values: Values, message: str
) -> None:
    source = write_bag(tmp_path, frames)
    given = {
        name: value.format(tmp_path) if isinstance(value, str) else value
        for name, value in values.items()
    }
    with pytest.raises(ValueError, match=message):
        open_for_evaluation([str(source)], SourceSettings.from_mapping(given))


def test_arrays_are_metres_whatever_is_named(tmp_path: Path, frames: Any) -> None:
    root = folders.write_arrays(tmp_path, frames)
    values = {'kind': 'pattern', 'images': 'rgb/*.png', 'gt_images': 'depth/*.npy'}
    settings = SourceSettings.from_mapping({**values, 'gt_per_metre': 1000.0})
    with pytest.raises(ConfigError, match='gt_per_metre would not be used, as all depth maps'):
        open_for_evaluation([str(root)], settings)


@pytest.mark.parametrize(('flags', 'message'), [
    (['--pred-topic', '/x'], "--pred-topic would not be used, as --predict leaves 'topic' out"),
    (['--pred-dir', 'x'], "--pred-dir would not be used, as --predict leaves 'dir' out"),
    (['--prior-from', 'x'], "--prior-from would not be used, as --predict leaves 'prior' out"),
    (['--pred-per-metre', '256'], '--pred-per-metre would not be used, as no answer is stored in'),
    (['--backbone', 'tiny'], '--backbone would not be used, as no predictor of this package'),
    (['--min-depth-m', '0.5'], '--min-depth-m would not be used'),
    (['--preset', 'synthetic'], '--preset would not be used'),
])
def test_settings_of_answers_that_are_not_asked_for(
    tmp_path: Path, frames: Any, flags: list[str], message: str, capsys: Any
) -> None:
    root = folders.write_tum(tmp_path / 'tum', frames)
    out = ['--out', str(tmp_path / 'out'), '--n-workers', '1']
    assert main(['evaluate', str(root), '--predict', 'constant', *out, *flags]) == 1
    assert message in capsys.readouterr().err
