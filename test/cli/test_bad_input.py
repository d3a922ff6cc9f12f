# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Input that is wrong in unusual ways: refused in words, nothing run, nothing left."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

from clip_depth_ros.bags.writer import BagWriter
from clip_depth_ros.errors import ConfigError, ImageError, OutputError
from clip_depth_ros.model.depthclip import check_official
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.ros.pacing import schedule
from clip_depth_ros.settings.node import NodeSettings
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.sources.files import read_rgb
from clip_depth_ros.types import RecordedMessage
import pytest


@pytest.mark.parametrize('bad', ['nan', 'inf', '1e39', '-1'])
def test_scene_bins_must_be_depths(bad):
    with pytest.raises(ConfigError, match='positive and at most 1000 m'):
        NodeSettings.from_mapping({'scene_bins': ['a: 1 2 3', f'b: 1 2 {bad}']})


def test_a_temperature_that_would_overflow_is_refused():
    with pytest.raises(ConfigError, match='temperature'):
        NodeSettings.from_mapping({'temperature': 1e-38})


@pytest.mark.parametrize(('channels', 'embed_dim'), [(512, 1024), (512, 200), (512, 96)])
def test_official_features_need_channels_that_divide(channels, embed_dim):
    with pytest.raises(ConfigError, match=rf'{channels} channels and embed_dim={embed_dim}'):
        check_official(channels, embed_dim)
    check_official(2048, 1024)


@pytest.mark.parametrize(('content', 'message'), [
    ({'embed_dim': 8, 'vision_cfg': 3, 'text_cfg': {}}, 'must be JSON objects'),
    ({'model_cfg': [1]}, 'model_cfg must be a JSON object'),
    ({'embed_dim': 8, 'vision_cfg': {}, 'text_cfg': {}, 'preprocess_cfg': {'mean': 0.5}},
     'three numbers'),
    ({'embed_dim': 8, 'vision_cfg': {}, 'text_cfg': {}, 'preprocess_cfg': {'std': [1, 0, 1]}},
     'three numbers'),
])
def test_a_model_description_that_is_none_is_refused(tmp_path: Path, content, message):
    path = tmp_path / 'model.json'
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=message):
        build_predictor(PredictorSettings(backbone=str(path), pretrained='random'))


def test_an_empty_picture_of_a_kitti_folder_is_named(tmp_path):
    path = tmp_path / '000007.png'
    path.write_bytes(b'')
    with pytest.raises(ImageError, match='000007'):
        read_rgb(path)


@pytest.mark.parametrize('name', ['drive.bag', 'drive.db3'])
def test_a_recording_is_not_written_under_the_name_of_another_format(tmp_path, name):
    with pytest.raises(OutputError, match=r'NAME\.mcap'), BagWriter(tmp_path / name):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_loop_at_a_fixed_rate_keeps_it_whatever_follows_the_last_image():
    kinds = ['Image', 'PointCloud2', 'Image', 'PointCloud2']
    messages = [
        RecordedMessage(f'/{kind}', f'sensor_msgs/msg/{kind}', b'', i * 50_000_000)
        for i, kind in enumerate(kinds)
    ]
    dues = itertools.islice(schedule(messages, hz=10.0, loop=True), 12)
    images_s = [due.due_s for due in dues if due.message.topic == '/Image']
    assert images_s == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
