# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Malformed and hostile messages cost a live node nothing: good images between are answered.

``benchmarks/stress_node.py`` sends the same kinds by the thousand to a node in another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
import re
from typing import Any

from benchmarks.hostile_messages import good_image, good_info, KINDS
from clip_depth_ros.core.stamps import stamp_ns_of
import numpy as np
import pytest
import ros_harness
from ros_harness import FakePredictor, Harness
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

pytestmark = pytest.mark.ros

N_EACH = 8


class Camera:
    """Sends any message to an active node with all outputs subscribed; waits until it is taken."""

    def __init__(self, harness: Harness, transport: str) -> None:
        self.harness = harness
        self._transport = transport
        is_raw = transport == 'raw'
        self._images = harness.world.create_publisher(
            Image if is_raw else CompressedImage, 'image' if is_raw else 'image/compressed', 10
        )
        self._infos = harness.world.create_publisher(CameraInfo, 'camera_info', 10)
        assert harness.node.start()
        harness.listen('depth', 'info', 'cloud', 'color')
        ends = (self._images, self._infos)
        harness.wait_for(lambda: all(end.get_subscription_count() for end in ends))
        self._n_sent = 0
        self.answer()

    def send(self, message: Any) -> None:
        """Send an image, or a camera_info with a good image, and wait until it is done with."""
        if isinstance(message, CameraInfo):
            self._infos.publish(message)
            message = good_image(self._transport)
        n_done = self._n_done()
        self._images.publish(message)
        self.harness.wait_for(lambda: self._n_done() > n_done)

    def _n_done(self) -> int:
        counts = self.harness.counts()
        return counts.get('processed', 0) + counts.get('failed', 0)

    def answer(self) -> None:
        """Send a good pair and wait for its depth and cloud, and until it is done with."""
        n_done = self._n_done()
        self._n_sent += 1
        image, info = good_image(self._transport), good_info()
        image.header.stamp.sec = info.header.stamp.sec = 10_000 + self._n_sent
        self._infos.publish(info)
        self._images.publish(image)
        stamp_ns, received = stamp_ns_of(info.header), self.harness.received
        for name in ('depth', 'cloud'):
            self.harness.wait_for(
                lambda name=name: stamp_ns in (stamp_ns_of(m.header) for m in received[name])
            )
        self.harness.wait_for(lambda: self._n_done() > n_done)  # colours come after the cloud


@pytest.fixture
def camera(ros_domain: int) -> Iterator[Callable[[str], Camera]]:
    made: list[Harness] = []

    def make(transport: str) -> Camera:
        predictor = FakePredictor()
        made.append(ros_harness.make_harness(
            ros_domain, lambda settings, previous: predictor, image_transport=transport
        ))
        return Camera(made[-1], transport)

    yield make
    for harness in made:
        harness.close()


@pytest.mark.parametrize('transport', KINDS)
def test_good_images_between_hostile_ones_are_answered_and_the_rest_is_refused_in_words(
    camera, transport: str, capfd: pytest.CaptureFixture[str]
):
    rng = np.random.default_rng(1)
    sender = camera(transport)
    pipeline = sender.harness.stream.pipeline
    for name, make in KINDS[transport].items():
        for _ in range(N_EACH):
            sender.send(make(rng))
            for text in (pipeline.last_error, pipeline.camera_problem):
                # Errors of this package say what was wanted; others come with their type.
                assert not re.match(r'\w+(Error|Warning): ', text), name
                assert text.isprintable(), name
                assert len(text) < 1100, name
        sender.answer()
    counts = sender.harness.counts()
    assert counts['failed'] > N_EACH
    assert counts['received'] == counts['processed'] + counts['failed'] + counts.get('dropped', 0)
    said = capfd.readouterr().err
    assert all(line.isprintable() for line in said.splitlines())
    assert len(said) < 100_000


def test_names_and_lists_of_megabytes_are_passed_over(camera):
    """They would stand in four outputs, in the log, and be kept for matching."""
    sender = camera('raw')
    pipeline = sender.harness.stream.pipeline
    image = good_image()
    image.header.frame_id = 'x' * 10**6
    sender.send(image)
    assert pipeline.last_error == 'a frame_id needs at most 1000 characters, got 1000000'
    for fields in ({'d': [0.1] * 10**5}, {'distortion_model': 'x' * 10**6}):
        info = good_info()
        for name, value in fields.items():
            setattr(info, name, value)
        sender.send(info)
    assert all(len(item.d) < 100 for _, item in pipeline._infos._items)
    assert all(len(item.distortion_model) < 100 for _, item in pipeline._infos._items)
