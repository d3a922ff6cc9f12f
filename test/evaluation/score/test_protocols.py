# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Protocols are data: those that come with the package, a user's own, and their titles."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.core.image_plan import Size, Window
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.evaluation.run.answers import input_window
from clip_depth_ros.evaluation.score.prepare import evaluated_window
from clip_depth_ros.evaluation.score.protocols import (
    differences,
    EvaluationProtocol,
    for_relative,
    load_protocol,
    PROTOCOL_NAMES,
    protocol_title,
)
import pytest
from source_tree import ROOT

KITTI, NYU = Size(375, 1242), Size(480, 640)


def own(folder: Path, text: str, name: str = 'mine') -> EvaluationProtocol:
    path = folder / f'{name}.yaml'
    path.write_text(text, encoding='utf-8')
    return load_protocol(str(path))


def test_every_file_is_a_protocol_and_has_a_name():
    files = (ROOT / 'config/protocols').glob('*.yaml')
    assert sorted(path.stem for path in files) == sorted(PROTOCOL_NAMES)


@pytest.mark.parametrize('name', PROTOCOL_NAMES)
def test_every_protocol_says_who_made_it_and_is_called_like_its_file(name):
    protocol = load_protocol(name)
    assert protocol.name == name
    assert protocol.source
    assert protocol_title(protocol).startswith(f'{name}: ')


@pytest.mark.parametrize(('name', 'size', 'window'), [
    ('kitti-eigen-garg', KITTI, Window(44, 153, 1153, 218)),
    ('kitti-eigen-garg-kb', KITTI, Window(13 + 43, 23 + 143, 1129, 206)),
    ('kitti-eigen-eigen', KITTI, Window(44, 124, 1153, 218)),
    ('monodepth2', KITTI, Window(44, 153, 1153, 218)),
    ('kitti-benchmark', Size(352, 1216), Window(0, 0, 1216, 352)),
    ('nyu-eigen', NYU, Window(41, 45, 560, 426)),
    ('nyu-depthclip', NYU, Window(46, 45, 555, 426)),
    ('zoedepth-kitti', KITTI, Window(13 + 43, 23 + 143, 1129, 206)),
    ('zoedepth-nyu', NYU, Window(41, 45, 560, 426)),
    ('depth-anything-v2', KITTI, Window(0, 0, 1242, 375)),
    ('marigold-kitti', KITTI, Window(13 + 43, 23 + 117, 1129, 204)),
    ('moge', NYU, Window(0, 0, 640, 480)),
    ('plain', Size(96, 320), Window(0, 0, 320, 96)),
    ('raw-lidar', KITTI, Window(0, 0, 1242, 375)),
])
def test_the_evaluated_window(name, size, window):
    assert evaluated_window(size, load_protocol(name)) == window


@pytest.mark.parametrize('name', PROTOCOL_NAMES)
def test_only_monodepth2_has_rules_of_its_own_for_lidar_points(name):
    """Frames are read before it is known which protocol is usual for them."""
    protocol = load_protocol(name)
    rules = (protocol.lidar_value, protocol.lidar_pixel)
    assert (rules == ('z', 'nearest')) == (not name.startswith('monodepth2'))


def test_only_the_kb_variant_crops_what_is_seen():
    assert input_window(KITTI, load_protocol('kitti-eigen-garg-kb')) == Window(13, 23, 1216, 352)
    assert input_window(KITTI, load_protocol('kitti-eigen-garg')) is None


@pytest.mark.parametrize(('name', 'title'), [
    (
        'kitti-eigen-garg',
        'annotated gt, Eigen split (652), Garg crop of the full frame, 0.001 to 80 m, depth '
        'resampled, no alignment, no flip, mean over images',
    ),
    (
        'kitti-eigen-garg-kb',
        'annotated gt, Eigen split (652), Garg crop of the KB crop, predictor sees the KB crop, '
        '0.001 to 80 m, depth resampled, no alignment, no flip, mean over images',
    ),
    (
        'monodepth2-pp',
        'raw LiDAR gt (forward coordinate of the LiDAR, pixel round(u) - 1), Eigen split (697), '
        'Garg crop of the full frame, 0.001 to 80 m, inverse depth resampled, median scaling, '
        'flip averaging with ramps, mean over images',
    ),
    (
        'nyu-eigen',
        'depth images gt, official test split (654), NYU Eigen crop, 0.001 to 10 m, depth '
        'resampled, no alignment, no flip, mean over images',
    ),
    (
        'depth-anything-v2',
        'any gt, any frames, no crop, 0.001 to 80 m inclusive, depth resampled with aligned '
        'corners, no alignment, answers not clamped, silog sqrt(mean d^2 - mean^2 d / 2), no '
        'flip, mean over images',
    ),
    (
        'moge-disparity',
        'any gt, any frames, no crop, 0.001 to 1000 m, depth resampled, scale and shift of '
        'inverse depth fitted, answers up to the farthest truth, no flip, mean over images',
    ),
    (
        'plain',
        'any gt, any frames, no crop, 0.001 to 80 m, depth resampled, no alignment, no flip, mean '
        'over images',
    ),
])
def test_titles_say_every_choice(name, title):
    assert protocol_title(load_protocol(name)) == f'{name}: {title}'


def test_a_protocol_for_any_truth_says_which_it_was():
    """Against rendered depth and against a LiDAR are two numbers."""
    title = protocol_title(load_protocol('plain'), gt_kind='raw-lidar')
    assert title.startswith('plain: raw LiDAR gt, ')

    of_a_kind = load_protocol('nyu-eigen')
    assert protocol_title(of_a_kind, gt_kind='exact') == protocol_title(of_a_kind)


class TestOverrides:
    def test_a_changed_protocol_has_another_name(self):
        """Its numbers are not those of the one that is known by the plain name."""
        changed = load_protocol('kitti-eigen-garg', {'depth_cap_m': '50', 'alignment': 'median'})
        assert changed.name == 'kitti-eigen-garg, depth_cap_m=50, alignment=median'
        assert changed.depth_cap_m == 50

    def test_what_changes_nothing_is_not_in_the_name(self):
        assert load_protocol('monodepth2', {'alignment': 'median'}) == load_protocol('monodepth2')

    def test_the_name_itself_cannot_be_set(self):
        with pytest.raises(ConfigError, match='name of a protocol says what it is and cannot be'):
            load_protocol('plain', {'name': 'kitti-eigen-garg'})

    def test_half_of_the_squared_mean_is_of_an_image(self):
        with pytest.raises(ConfigError, match='it goes with aggregation=image alone'):
            load_protocol('depth-anything-v2', {'aggregation': 'pixel'})

    def test_relative_answers_get_the_alignment_that_they_need(self):
        """Unless the protocol has one, or the user wants another."""
        changed = for_relative(load_protocol('kitti-eigen-garg'), '/rival')
        assert changed.name == 'kitti-eigen-garg, alignment=disparity-scale-shift'
        midas = load_protocol('midas')
        assert for_relative(midas, '/rival') is midas
        with pytest.raises(ConfigError, match=r'/rival is inverse depth .* alignment=median: ch'):
            for_relative(load_protocol('monodepth2'), '/rival', is_named=True)

    def test_a_range_without_depth(self):
        with pytest.raises(ConfigError, match=r'min_depth_m < depth_cap_m, got min_depth_m=0.001'):
            load_protocol('plain', {'depth_cap_m': 0.0005})


class TestOwnFile:
    def test_it_is_called_like_the_file_unless_it_says_otherwise(self, tmp_path: Path):
        assert own(tmp_path, 'depth_cap_m: 30').name == 'mine'
        assert own(tmp_path, 'name: yard').name == 'yard'

    def test_it_may_extend_one_of_this_package(self, tmp_path: Path):
        mine = own(tmp_path, 'extends: monodepth2\ndepth_cap_m: 50')
        theirs = load_protocol('monodepth2')
        assert mine == theirs.changed(name='mine', depth_cap_m=50.0)

    def test_unknown_fields_are_refused_by_name(self, tmp_path: Path):
        with pytest.raises(ConfigError, match=r"unknown setting 'x'; known are name, source"):
            own(tmp_path, 'x: 50')

    def test_a_wrong_value_is_named(self, tmp_path: Path):
        with pytest.raises(ConfigError, match=r"eval_crop: .*'garg', .* got 'grag'"):
            own(tmp_path, 'eval_crop: grag')

    def test_it_cannot_extend_what_is_not_there(self, tmp_path: Path):
        with pytest.raises(ConfigError, match=r"extends must name .*plain, .* got 'other.yaml'"):
            own(tmp_path, 'extends: other.yaml')

    def test_it_cannot_pass_for_one_of_this_package(self, tmp_path: Path):
        with pytest.raises(ConfigError, match='is another one than that of this package'):
            own(tmp_path, 'depth_cap_m: 200', name='plain')

    @pytest.mark.parametrize('text', ['- a list', 'just words', ''])
    def test_what_is_no_mapping_is_refused(self, tmp_path: Path, text: str):
        with pytest.raises(ConfigError, match='must be lines "name: value"'):
            own(tmp_path, text)

    def test_a_name_that_is_neither(self):
        with pytest.raises(ConfigError, match=r"is one of plain, .*'kitti', which is neither"):
            load_protocol('kitti')


class TestDifferences:
    def test_none_where_frames_are_those_of_the_protocol(self):
        garg = load_protocol('kitti-eigen-garg')
        assert differences(garg, gt_kind='annotated', n_frames=652) == []

    def test_another_truth_and_fewer_frames(self):
        garg = load_protocol('kitti-eigen-garg')
        assert differences(garg, gt_kind='raw-lidar', n_frames=3) == [
            'against raw LiDAR instead of annotated depth', '3 frames instead of 652',
        ]

    def test_a_protocol_for_anything_has_none(self):
        assert differences(load_protocol('plain'), gt_kind='exact', n_frames=1) == []
