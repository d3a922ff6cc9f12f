# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two cameras at once, of other sizes and lenses: live depth is that of the images offline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.evaluation.score.score import score_frame
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.ros.node.messages import rgb_message
from clip_depth_ros.settings.node import NodeSettings
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import DepthMap, Intrinsics
from clip_depth_ros.world.drive import Drive
from clip_depth_ros.world.rig import kitti_like, Rig
import numpy as np
import pytest
from rclpy.serialization import deserialize_message
import ros_harness
from ros_harness import camera_info, Harness
from sensor_msgs.msg import Image
from small_clip2depth import deep_backbone, write_clip2depth
from std_msgs.msg import Header

pytestmark = pytest.mark.ros

RIGS = {
    'robot': Rig(Intrinsics(480.0, 480.0, 330.0, 226.0, 640, 480), height_m=0.8),
    'car': Rig(kitti_like(1242, 375)),
}


@pytest.fixture(scope='module')
def samples() -> dict[str, DepthSample]:
    """Give what each camera sees of a street, with its truth."""
    frames = {name: Drive(7, rig=rig).frame(0, lidar=False) for name, rig in RIGS.items()}
    return {
        name: DepthSample(name=name, rgb=f.rgb, target_m=f.depth_m, intrinsics=f.intrinsics)
        for name, f in frames.items()
    }


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """Give the parameters of both nodes: small weights that know cameras and are told rays."""
    backbone = deep_backbone(tmp_path)
    weights = write_clip2depth(tmp_path / 'w.safetensors', backbone, focal_px=60.0, rays=True)
    return {
        'backbone': backbone, 'pretrained': 'random', 'device': 'cpu',
        'clip2depth_weights': str(weights), 'depth_scale': 0.5,
    }


Camera = tuple[Harness, str]
"""A node, and the name of its camera."""


@pytest.fixture(params=['two nodes', 'one node'])
def cameras(
    request: pytest.FixtureRequest, ros_domain: int, settings: dict[str, Any]
) -> Iterator[dict[str, Camera]]:
    """Give each camera a node in a namespace of its own, or both one node."""
    settings = {**settings, 'sync_wait_s': 5.0}
    if request.param == 'one node':
        node = ros_harness.make_harness(
            ros_domain, build_predictor, cameras=list(RIGS), **settings
        )
        made = {name: (node, f'{name}/') for name in RIGS}
    else:
        made = {
            name: (
                ros_harness.make_harness(ros_domain, build_predictor, namespace=name, **settings),
                '',
            )
            for name in RIGS
        }
    yield made
    for harness in {id(harness): harness for harness, _ in made.values()}.values():
        harness.close()


def info_of(intrinsics: Intrinsics) -> Any:
    info = camera_info(intrinsics.width, intrinsics.height, fx=intrinsics.fx)
    info.k[2] = info.p[2] = intrinsics.cx
    info.k[5] = info.p[6] = intrinsics.cy
    return info


def test_what_is_published_of_both_is_what_the_predictor_answers_offline(
    cameras: dict[str, Camera], settings: dict[str, Any], samples: dict[str, DepthSample]
):
    """In pixels and so in metrics."""
    for harness in {id(harness): harness for harness, _ in cameras.values()}.values():
        assert harness.node.start()
    answers: dict[str, list[Image]] = {name: [] for name in cameras}
    for name, (harness, below) in cameras.items():
        harness.world.create_subscription(
            Image, f'{below}depth/image_rect', answers[name].append, 10
        )
        outputs = harness.node._streams[below.rstrip('/')].outputs
        assert outputs
        harness.wait_for(lambda outputs=outputs: outputs.is_wanted('depth'))
        sample = samples[name]
        image = deserialize_message(rgb_message(Header(), sample.rgb), Image)
        for message, topic in ((info_of(sample.intrinsics), 'camera_info'), (image, 'image')):
            publisher = harness.world.create_publisher(type(message), below + topic, 10)
            harness.wait_for(lambda p=publisher: p.get_subscription_count() > 0)
            message.header.stamp.sec = 1
            publisher.publish(message)
    for name, (harness, _) in cameras.items():
        harness.wait_for(lambda name=name: answers[name])

    predictor = build_predictor(NodeSettings(**settings))
    for name, (message,) in answers.items():
        sample = samples[name]
        offline = predictor.predict(sample.rgb, sample.intrinsics)
        live_m = np.frombuffer(message.data, np.float32).reshape(message.height, message.width)
        assert offline.camera == 'used'
        np.testing.assert_array_equal(live_m, offline.depth_m)
        live, wanted = (
            score_frame(answer, sample, EvaluationProtocol()).values
            for answer in (DepthMap(live_m), offline)
        )
        assert live == pytest.approx(wanted, rel=0, abs=0, nan_ok=True)
        ignored = predictor.predict(sample.rgb).depth_m
        assert np.abs(ignored - live_m).max() > 0.01  # the camera matters
