# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which methods a demo runs, with which weights, and what it says of them."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from bag_drives import cloud, compressed, image, info, RGB
from bag_files import write_ros2
from clip_depth_ros.demo import plan as module
from clip_depth_ros.demo.plan import (
    BUNDLED_NOTE,
    demo_methods,
    DemoPlan,
    make_plan,
    note_of,
    RANDOM_NOTE,
)
from clip_depth_ros.demo.run import shared_cores
from clip_depth_ros.errors import SettingsFileError, TopicError, WeightsError
from clip_depth_ros.settings.installation import BUNDLED_CLIP, BUNDLED_CLIP2DEPTH
from clip_depth_ros.settings.node import NodeSettings
from clip_depth_ros.settings.predictor import TINY
import numpy as np
import pytest

RANDOM = {'backbone': TINY, 'pretrained': 'random'}


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of assets with both bundled files, empty."""
    for name in (BUNDLED_CLIP, BUNDLED_CLIP2DEPTH):
        (tmp_path / name).touch()
    monkeypatch.setattr(module, 'assets_dir', lambda: tmp_path)
    monkeypatch.setattr('clip_depth_ros.predictor.choice.assets_dir', lambda: tmp_path)
    return tmp_path


def names(**given: object) -> list[str]:
    return [method.name for method in demo_methods(given)]


def test_without_flags_both_methods_run_with_the_bundled_weights(assets: Path):
    trained, zero_shot = demo_methods({})
    assert (trained.name, zero_shot.name) == ('clip2depth', 'depthclip')
    for method in (trained, zero_shot):
        settings = method.settings
        assert settings.uses_bundled()
        assert (settings.min_depth_m, settings.max_depth_m) == (1.0, 80.0)
        assert settings.method == method.parameters['method'] == method.name
        assert note_of(settings) == BUNDLED_NOTE
    assert zero_shot.settings.bins == 'outdoor'


def test_the_preset_of_the_bundled_weights_is_in_force_and_flags_win(assets: Path):
    preset = module.bundled_parameters()
    zero_shot = demo_methods({})[1]
    assert zero_shot.settings.temperature == preset['temperature']
    assert demo_methods({'temperature': 0.7})[1].settings.temperature == 0.7


def test_a_preset_takes_the_place_of_what_suits_a_street(assets: Path):
    [room] = demo_methods({}, 'indoor')
    assert (room.name, room.settings.bins, room.settings.max_depth_m) == ('depthclip', 'auto', 10)
    assert not room.settings.uses_bundled()
    trained, _ = demo_methods({'min_depth_m': 2.0}, 'synthetic')
    assert trained.settings.uses_bundled()
    assert trained.settings.min_depth_m == 2.0


def test_a_preset_that_is_wrong_by_itself_is_named(assets: Path, tmp_path: Path):
    path = tmp_path / 'mine.yaml'
    path.write_text('/**: {ros__parameters: {cloud_stride: 99}}')
    with pytest.raises(SettingsFileError, match=r'mine.yaml.*cloud_stride: input should be'):
        demo_methods({}, str(path))


def test_one_method_can_be_asked_for(assets: Path):
    assert names(method='depthclip') == ['depthclip']
    assert names(method='clip2depth') == ['clip2depth']


def test_weights_of_the_user_s_own_bring_the_methods_that_they_make_possible(assets: Path):
    assert names(clip_weights='RN50.pt') == ['depthclip']
    assert names(allow_download=True) == ['depthclip']
    assert names(**RANDOM) == ['depthclip']
    assert names(**RANDOM, clip2depth_weights='mine.safetensors') == ['clip2depth', 'depthclip']


def test_trained_weights_alone_stay_on_the_bundled_clip(assets: Path):
    trained, _ = demo_methods({'clip2depth_weights': 'mine.safetensors'})
    assert trained.settings.uses_bundled()


@pytest.mark.parametrize('name', [BUNDLED_CLIP, BUNDLED_CLIP2DEPTH])
def test_missing_bundled_weights_are_named_before_anything_is_rendered(assets: Path, name: str):
    (assets / name).unlink()
    with pytest.raises(WeightsError, match=f'{name}.* install clip_depth_ros again'):
        demo_methods({})


def test_only_the_weights_that_are_used_must_be_there(assets: Path):
    (assets / BUNDLED_CLIP2DEPTH).unlink()
    assert names(method='depthclip') == ['depthclip']
    assert names(clip2depth_weights='mine.safetensors') == ['clip2depth', 'depthclip']


def test_the_note_says_what_the_weights_are_worth():
    assert 'they are off by nearly a quarter on real ones' in BUNDLED_NOTE
    assert note_of(NodeSettings.from_mapping(RANDOM)) == RANDOM_NOTE
    assert note_of(NodeSettings.from_mapping({**RANDOM, 'clip_weights': 'x.pt'})) == ''
    assert note_of(NodeSettings()) == ''


def test_topics_are_those_of_a_node_in_the_namespace_of_its_method(assets: Path):
    trained = demo_methods({})[0]
    assert trained.node_name == '/clip2depth/depth_node'
    assert trained.topic('cloud') == '/clip2depth/depth/points'


@pytest.mark.parametrize(('n_processes', 'cores', 'threads'), [(2, 2, '1'), (2, 8, '4')])
def test_nodes_share_the_cores(n_processes: int, cores: int, threads: str):
    assert shared_cores({}, n_processes, cores) == {'OMP_NUM_THREADS': threads}


def test_one_node_takes_what_it_likes_and_the_user_has_the_last_word():
    assert shared_cores({}, 1, 8) == {}
    assert shared_cores({'OMP_NUM_THREADS': '3'}, 2, 8) == {'OMP_NUM_THREADS': '3'}


class TestCamera:
    """Which topic of a bag is played as the camera: pictures, compressed or not, never depth."""

    RAW = image(0, RGB, 'rgb8', '/cam/image')
    COMPRESSED = compressed(0, RGB, 'bgr8; png compressed bgr8', '/cam/image/compressed')
    DEPTH = image(0, np.ones(RGB.shape[:2], np.float32), '32FC1', '/cam/depth')
    COMPRESSED_DEPTH = compressed(
        0, np.ones(RGB.shape[:2], np.uint16), '16UC1; compressedDepth png', '/cam/depth/c',
        prefix=bytes(12),
    )

    def plan(self, tmp_path: Path, *messages: Any, image: str | None = None) -> DemoPlan:
        bag = write_ros2(tmp_path / 'bag', [*messages, info()])
        named = {'image_topic': image} if image else {}
        args = Namespace(frames=None, hz=None, bag=bag, out=tmp_path, seed=0, **named)
        return make_plan(args, demo_methods({'method': 'depthclip'}))

    def test_depth_is_passed_over(self, tmp_path: Path):
        plan = self.plan(tmp_path, self.DEPTH, self.COMPRESSED_DEPTH, self.RAW)
        assert (plan.image_topic, plan.info_topic) == ('/cam/image', '/cam/camera_info')
        assert plan.truth == {'depth_topic': '/cam/depth'}
        assert plan.methods[0].settings.image_transport == 'raw'

    def test_compressed_images_are_listened_to_as_such(self, tmp_path: Path):
        plan = self.plan(tmp_path, self.DEPTH, self.COMPRESSED_DEPTH, self.COMPRESSED)
        assert plan.image_topic == '/cam/image/compressed'
        (method,) = plan.methods
        assert method.settings.image_transport == 'compressed'
        assert method.parameters['image_transport'] == 'compressed'

    @pytest.mark.parametrize('named', [None, '/cam/image', '/cam/image/compressed'])
    def test_of_both_the_raw_one_is_played_unless_the_other_is_named(
        self, tmp_path: Path, named: str | None
    ):
        plan = self.plan(tmp_path, self.RAW, self.COMPRESSED, image=named)
        assert plan.image_topic == (named or '/cam/image')

    @pytest.mark.parametrize('named', ['/cam/depth', '/cam/depth/c'])
    def test_depth_that_is_named_is_refused(self, tmp_path: Path, named: str):
        wanted = rf"'{named}' (holds depth|cannot be both).*images: /cam/image"
        with pytest.raises(TopicError, match=wanted):
            self.plan(tmp_path, self.DEPTH, self.COMPRESSED_DEPTH, self.RAW, image=named)

    def test_depth_alone_is_no_camera(self, tmp_path: Path):
        wanted = '0 topics that could be the camera; record.*It has depth images: /cam/depth, '
        with pytest.raises(TopicError, match=wanted):
            self.plan(tmp_path, self.DEPTH, self.COMPRESSED_DEPTH)

    def test_neither_truth_nor_camera_info_is_needed(self, tmp_path: Path):
        bag = write_ros2(tmp_path / 'bag', [self.RAW])
        args = Namespace(frames=None, hz=None, bag=bag, out=tmp_path, seed=0)
        plan = make_plan(args, demo_methods({'method': 'depthclip'}))
        assert (plan.camera_topics, plan.truth) == (('/cam/image',), {})

    def test_what_has_no_name_in_ros_2_is_not_played(self, tmp_path: Path):
        nameless = image(0, RGB, 'rgb8', '/cam/tf/0')
        assert [*self.plan(tmp_path, self.RAW, nameless).topics] == [
            '/cam/camera_info', '/cam/image',
        ]

    def test_a_lidar_is_the_truth_and_what_a_node_answered_before_is_not(self, tmp_path: Path):
        answers = [
            image(0, np.ones(RGB.shape[:2], np.float32), '32FC1', '/depth/image_rect'),
            image(0, RGB, 'rgb8', '/clip2depth/depth/image_color'),
        ]
        plan = self.plan(tmp_path, self.RAW, cloud(0), *answers)
        assert (plan.image_topic, plan.truth) == ('/cam/image', {'lidar_topic': '/points'})
