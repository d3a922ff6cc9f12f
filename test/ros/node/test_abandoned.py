# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Nobody waits for a slow frame: transitions answer, a process ends, and memory comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
from pathlib import Path
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import clip_depth_ros.ros.node.node as node_module
from lifecycle_msgs.msg import State
import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
import ros_harness
from ros_harness import FakePredictor, Harness, rgb_image
from sensor_msgs.msg import Image

pytestmark = pytest.mark.ros

SECOND = 1_000_000_000
AT_ONCE_S = 2.0
"""A transition takes half a second at most, and a busy machine longer."""
SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE

Slow = tuple[Harness, list[FakePredictor]]

SLOW_NODE = """
import signal
import sys
import threading
import time

signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever started this may ignore it
from clip_depth_ros.predictor.constant import ConstantPredictor
from clip_depth_ros.ros import depth_node
from clip_depth_ros.ros.node import node as node_module

class Slow(ConstantPredictor):
    n_images = -1 if sys.argv[1] == 'a frame' else 0

    def predict(self, rgb, camera=None):
        self.n_images += 1
        if self.n_images:
            print('in hand', flush=True)
            threading.Event().wait(60)  # as native code, it sees no Ctrl-C
        return super().predict(rgb, camera)

make = node_module.DepthNode.__init__
node_module.DepthNode.__init__ = lambda self: make(
    self, build_predictor=lambda settings, previous: Slow(2.0)
)
sys.exit(depth_node.main())
"""


@pytest.fixture
def slow(ros_domain: int) -> Iterator[Slow]:
    """Give an active node that has an image in hand behind a gate, and its predictors."""
    predictors: list[FakePredictor] = []

    def build(settings: Any, previous: Any) -> FakePredictor:
        assert all(predictor.is_closed for predictor in predictors), 'memory of two models'
        predictors.append(FakePredictor())
        return predictors[-1]

    harness = ros_harness.make_harness(ros_domain, build)
    assert harness.node.start()
    harness.listen('depth')
    harness.wait_until_connected()
    predictors[0].gate.clear()
    harness.send(SECOND, rgb_image())
    harness.wait_for(lambda: harness.counts().get('received') == 1)
    yield harness, predictors
    predictors[0].gate.set()
    harness.close()


def at_once(transition: Callable[[], Any]) -> Any:
    """Return the result of what must not take long."""
    began_s = time.monotonic()
    result = transition()
    assert time.monotonic() - began_s < AT_ONCE_S
    return result


def test_deactivate_and_cleanup_do_not_wait_for_the_frame_in_hand(slow: Slow):
    harness, (predictor,) = slow
    assert at_once(harness.node.trigger_deactivate) == SUCCESS
    assert at_once(harness.node.trigger_cleanup) == SUCCESS
    assert harness.state() == State.PRIMARY_STATE_UNCONFIGURED
    harness.wait_for_diagnostics('abandoned', 'work of before cleanup')
    assert not predictor.is_closed

    predictor.gate.set()
    harness.wait_for(lambda: predictor.is_closed)
    harness.wait_for(lambda: harness.counts().get('discarded') == 1)
    assert harness.received['depth'] == []
    assert harness.diagnostics()['last_error'] == ''


def test_shutdown_and_the_end_of_the_node_do_not_wait_either(slow: Slow):
    harness, _ = slow
    assert at_once(harness.node.trigger_shutdown) == SUCCESS
    at_once(harness.node.destroy_node)


def test_configuring_waits_for_the_memory_of_what_was_abandoned(slow: Slow):
    harness, predictors = slow
    assert harness.node.trigger_deactivate() == SUCCESS
    assert harness.node.trigger_cleanup() == SUCCESS
    assert predictors[0].n_images == 1  # the warm-up
    threading.Timer(0.3, predictors[0].gate.set).start()
    assert harness.node.start()
    assert [predictor.is_closed for predictor in predictors] == [True, False]


def test_what_does_not_end_is_said_and_the_node_can_be_configured_when_it_has(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(node_module, '_ABANDONED_S', 0.2)
    harness, predictors = slow
    assert harness.node.trigger_deactivate() == SUCCESS
    assert harness.node.trigger_cleanup() == SUCCESS
    assert harness.node.trigger_configure() == FAILURE
    assert 'still being computed' in harness.node._health().transition_error
    predictors[0].gate.set()
    assert harness.node.start()


def test_a_node_that_is_activated_again_takes_the_newest_image_when_the_slow_one_is_done(
    slow: Slow
):
    harness, predictors = slow
    assert at_once(harness.node.trigger_deactivate) == SUCCESS
    assert at_once(harness.node.trigger_activate) == SUCCESS
    harness.wait_until_connected()
    harness.send(2 * SECOND, rgb_image())
    harness.wait_for(lambda: harness.counts().get('received') == 2)
    predictors[0].gate.set()
    harness.wait_for(lambda: harness.received['depth'])
    assert [message.header.stamp.sec for message in harness.received['depth']] == [2]
    assert len(predictors) == 1


@pytest.mark.parametrize(('number', 'what'), [
    (signal.SIGINT, 'a frame'), (signal.SIGTERM, 'configuring'),
])
def test_a_process_that_is_asked_to_end_ends_whatever_is_in_hand(
    ros_domain: int, number: signal.Signals, what: str
):
    """Quietly, with exit code 0, and it leaves no shared memory behind."""
    command = [sys.executable, '-c', SLOW_NODE, what]
    with camera(ros_domain), subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == 'in hand\n'
            segments = shared_memory_of(process.pid)
            assert segments
            process.send_signal(number)
            _, said = process.communicate(timeout=10)  # of the 60 s that the predictor takes
        finally:
            process.kill()
    assert process.returncode == 0
    assert 'Traceback' not in said
    assert 'rror' not in said
    assert [path for path in segments if path.exists()] == []


@contextlib.contextmanager
def camera(domain: int) -> Iterator[None]:
    """Send images, and listen to their depth."""
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    node, executor = Node('camera', context=context), SingleThreadedExecutor(context=context)
    images = node.create_publisher(Image, 'image', 1)
    node.create_subscription(Image, 'depth/image_rect', lambda message: None, 1)
    node.create_timer(0.05, lambda: images.publish(rgb_image()))
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    yield
    executor.shutdown()
    thread.join()
    node.destroy_node()
    rclpy.shutdown(context=context)


def shared_memory_of(pid: int) -> set[Path]:
    """Return the segments of a process's own participant; ports belong to all."""
    maps = Path(f'/proc/{pid}/maps').read_text(encoding='utf-8')
    return {
        Path(line.split()[-1]) for line in maps.splitlines()
        if '/dev/shm/fastdds_' in line and '_port' not in line
    }
