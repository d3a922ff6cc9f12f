# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A topic on which nothing comes is noticed in the log, with what there is instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from clip_depth_ros.ros.node import silence
from clip_depth_ros.ros.node.silence import CAMERA_INFO, COMPRESSED, IMAGE, Silence
import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from ros_harness import camera_info, FakePredictor, Harness, make_harness, rgb_image, TIMEOUT_S
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

pytestmark = pytest.mark.ros

CLASSES = {IMAGE: Image, COMPRESSED: CompressedImage, CAMERA_INFO: CameraInfo}

Warnings = Callable[..., list[str]]


class Log:
    """A logger that keeps what it is told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        """Keep a warning."""
        self.warnings.append(text)


@pytest.fixture
def said(ros_domain: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warnings]:
    """Give a function that tells what is said of a silent input while topics are published."""
    monkeypatch.setattr(silence, 'SILENT_S', 0.0)
    context = Context()
    rclpy.init(args=[], context=context, domain_id=ros_domain)
    node, world = (Node(name, context=context) for name in ('depth_node', 'world'))
    log = Log()
    monkeypatch.setattr(node, 'get_logger', lambda: log)

    def run(topic: str, msgtype: str, published: dict[str, str], n_looks: int = 2) -> list[str]:
        for name, kind in published.items():
            world.create_publisher(CLASSES[kind], name, 1)
        for _ in range(1000):
            if all(node.count_publishers(name) for name in published):
                break
            rclpy.spin_once(node, timeout_sec=0.01, executor=executor)
        silent = Silence(node, topic, msgtype, topic.strip('/').partition('/')[0])
        for _ in range(n_looks):
            silent.look()
        return log.warnings

    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    yield run
    executor.shutdown()
    world.destroy_node()
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_nothing_is_published_at_all(said: Warnings):
    (text,) = said('/image', IMAGE, {'/cam/camera_info': CAMERA_INFO})
    assert text == (
        'nothing has come on /image for 0 s: nobody publishes it; no topic could be meant; name '
        'one by a remapping (image_transport raw (-r image:=NAME))'
    )


def test_topics_that_could_be_meant_are_named(said: Warnings):
    """With their types, since those decide on the transport; the node's own are none."""
    published = {'/cam/image_raw': IMAGE, '/cam/image_raw/compressed': COMPRESSED}
    (text,) = said('/image', IMAGE, published)
    assert f"{{'/cam/image_raw': '{IMAGE}', '/cam/image_raw/compressed': '{COMPRESSED}'}}" in text
    assert 'image_transport raw (-r image:=NAME)' in text
    assert 'image_transport compressed (-r image/compressed:=NAME)' in text


@pytest.mark.parametrize(('topic', 'wanted', 'offered', 'advice'), [
    ('/image', IMAGE, COMPRESSED, 'image_transport to compressed (-r image/compressed:=NAME)'),
    ('/image/compressed', COMPRESSED, IMAGE, 'image_transport to raw (-r image:=NAME)'),
])
def test_another_type_means_another_transport(
    said: Warnings, topic: str, wanted: str, offered: str, advice: str
):
    (text,) = said(topic, wanted, {topic: offered})
    assert f'it is published as {offered}, this node listens to {wanted}: set {advice}' in text


def test_camera_info_is_looked_for_too(said: Warnings):
    (text,) = said('/camera_info', CAMERA_INFO, {'/cam/camera_info': CAMERA_INFO, '/x': IMAGE})
    assert "could be meant: {'/cam/camera_info'" in text
    assert '/x' not in text
    assert '-r camera_info:=NAME' in text


def test_a_camera_that_says_nothing(said: Warnings):
    (text,) = said('/image', IMAGE, {'/image': IMAGE})
    assert 'it is published, but no message has arrived' in text


@pytest.fixture
def node(ros_domain: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    """Give a running node that waits no longer than a moment for its inputs."""
    monkeypatch.setattr(silence, 'SILENT_S', 0.1)
    harness = make_harness(ros_domain, lambda settings, _: FakePredictor())
    try:
        assert harness.node.start()
        yield harness
    finally:
        harness.close()


def test_the_node_looks_every_second(node: Harness, capfd: Any):
    said = ''

    def is_said() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return said.count('nothing has come on') == 2

    node.wait_for(is_said, TIMEOUT_S)
    assert 'nothing has come on /image for' in said
    assert 'nothing has come on /camera_info for' in said
    # The harness' own camera is there, and says nothing.
    assert said.count('it is published, but no message has arrived') == 2


def test_the_node_says_nothing_of_what_has_come(node: Harness, capfd: Any):
    node.wait_until_connected()
    node.send(1, rgb_image(), camera_info())
    node.wait_for(lambda: node.counts().get('received'))
    inputs, pipeline = node.stream.inputs, node.stream.pipeline
    assert inputs is not None
    assert pipeline is not None
    node.wait_for(pipeline._infos.newest)
    capfd.readouterr()
    inputs.warn_of_silence()
    assert 'nothing has come' not in capfd.readouterr().err
