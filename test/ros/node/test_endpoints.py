# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Quality of service: what the user overrides is served or refused, what is missed is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from clip_depth_ros.ros.node.endpoints import Gaps
from hypothesis import given, strategies as st
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
import ros_harness
from ros_harness import camera_info, FakePredictor, Harness, rgb_image
from sensor_msgs.msg import Image

pytestmark = pytest.mark.ros

SECOND = 1_000_000_000
SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
KEPT = {'qos_overrides./depth/image_rect.publisher.durability': 'transient_local'}
MakeHarness = Callable[..., Harness]


@pytest.fixture
def make(ros_domain: int) -> Iterator[MakeHarness]:
    made: list[Harness] = []

    def factory(**parameters: Any) -> Harness:
        predictor = FakePredictor()
        made.append(ros_harness.make_harness(
            ros_domain, lambda settings, previous: predictor, **parameters
        ))
        return made[-1]

    yield factory
    for harness in made:
        harness.close()


def is_said(harness: Harness, capfd: pytest.CaptureFixture[str], text: str) -> str:
    """Wait until a text is in the log; return all that was there."""
    said = ''

    def has_come() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return text in said

    harness.wait_for(has_come)
    return said


# --------------------------------------------------------------------------- overrides


def test_best_effort_listeners_and_qos_overrides_are_served(make):
    override = {'qos_overrides./depth/image_rect.publisher.reliability': 'best_effort'}
    harness = make(**override)
    assert harness.node.start()
    harness.listen('depth', qos=QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
    (info,) = harness.world.get_publishers_info_by_topic('/depth/image_rect')
    assert info.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT


def test_a_camera_that_offers_less_than_asked_for_is_reported_in_words(make, capfd):
    override = {'qos_overrides./image.subscription.reliability': 'reliable'}
    harness = make(**override)
    harness.world.create_publisher(
        Image, 'image', QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    )
    assert harness.node.start()
    said = ''

    def is_said() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return 'no messages will come from it' in said

    harness.wait_for(is_said)
    assert 'start this node with qos_overrides./image.subscription.reliability' in said


def test_a_listener_that_asks_for_more_than_is_offered_is_reported_in_words(make, capfd):
    harness = make()
    assert harness.node.start()
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    harness.world.create_subscription(Image, 'depth/image_rect', print, latched)
    said = ''

    def is_said() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return 'qos_overrides./depth/image_rect.publisher.durability' in said

    harness.wait_for(is_said)


@pytest.mark.parametrize('turns', [1, 2])
def test_an_output_that_is_kept_serves_its_newest_to_who_comes_later(make, turns):
    """Nobody listens while the images come; also when the node is configured once more."""
    harness = make(**KEPT)
    for _ in range(turns - 1):
        assert harness.node.start()
        assert harness.node.trigger_deactivate() == SUCCESS
        assert harness.node.trigger_cleanup() == SUCCESS
    assert harness.node.start()
    harness.wait_until_connected()
    for n in (1, 2):
        harness.send(n * SECOND, rgb_image())
        harness.wait_for(lambda n=n: harness.counts().get('processed') == n)
    harness.listen('depth', qos=LATCHED)
    harness.wait_for(lambda: harness.received['depth'])
    assert [message.header.stamp.sec for message in harness.received['depth']] == [2]
    harness.wait_for_diagnostics('outputs_subscribed', 'depth')


def test_a_cloud_that_is_kept_is_built_for_nobody_yet_and_the_rest_is_not(make):
    harness = make(**{'qos_overrides./depth/points.publisher.durability': 'transient_local'})
    assert harness.node.start()
    harness.wait_until_connected()
    harness.send(SECOND, rgb_image(), camera_info())
    harness.wait_for(lambda: harness.counts().get('processed') == 1)
    assert harness.stream.outputs.listened() == ('cloud',)
    harness.listen('cloud', qos=LATCHED)
    harness.wait_for(lambda: harness.received['cloud'])


def test_what_is_kept_cannot_be_sent_with_best_effort(make):
    """DDS would take the two and serve nobody who comes later."""
    harness = make(
        **KEPT, **{'qos_overrides./depth/image_rect.publisher.reliability': 'best_effort'}
    )
    assert harness.node.trigger_configure() == FAILURE
    assert 'needs reliability reliable' in harness.node._health().transition_error


@pytest.mark.parametrize(('name', 'hint'), [
    (
        'qos_overrides./depth/image_rect.publisher.durabilty',
        'qos_overrides./depth/image_rect.publisher.durability',
    ),
    (
        'qos_overrides.depth/points.publisher.depth',
        'qos_overrides./depth/points.publisher.depth',
    ),
])
def test_an_override_for_no_topic_of_the_node_is_reported(make, capfd, name, hint):
    harness = make(**{name: 'transient_local'})
    assert harness.node.start()
    said = is_said(harness, capfd, 'active; waiting')
    assert f'{name!r} is unknown here and has no effect; did you mean {hint!r}?' in said


def test_overrides_that_are_known_are_not_reported(make, capfd):
    harness = make(**KEPT)
    assert harness.node.start()
    assert 'unknown' not in is_said(harness, capfd, 'active; waiting')


# --------------------------------------------------------------------------- what is missed


def test_images_that_are_overwritten_before_they_can_be_taken_are_counted(make):
    harness = make()
    assert harness.node.start()
    harness.wait_until_connected()
    harness.send(1 * SECOND, rgb_image())
    harness.wait_for(lambda: harness.counts().get('received') == 1)

    def burst() -> None:
        """Send ten while the executor is busy: with this."""
        timer.cancel()
        for i in range(10):
            harness.send((2 + i) * SECOND, rgb_image())

    timer = harness.world.create_timer(0.0, burst)
    harness.wait_for(lambda: harness.counts()['received'] == 2)
    assert harness.counts()['unseen'] == 9
    harness.wait_for_diagnostics('images_unseen', '9')


def test_where_the_middleware_does_not_number_messages_diagnostics_say_so(make):
    harness = make()
    harness.wait_for_diagnostics('images_unseen', '0')
    assert harness.node.start()
    harness.stream.on_image(serialize_message(rgb_image()), None)
    harness.wait_for_diagnostics('images_unseen', 'unknown')


def info(number: int | None, publisher: int | None = 0) -> dict[str, Any]:
    gid = None if publisher is None else {'data': bytes([publisher])}
    return {'publication_sequence_number': number, 'publisher_gid': gid}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=50))
def test_what_each_publisher_sent_between_its_first_and_last_message_is_seen_or_counted(steps):
    gaps, seen, n_missed = Gaps(), {publisher: [100] for publisher in range(4)}, 0
    for publisher in seen:
        assert gaps.before(info(100, publisher)) == 0
    for publisher, step in steps:
        seen[publisher].append(seen[publisher][-1] + step)
        n_missed += gaps.before(info(seen[publisher][-1], publisher))
    n_sent = sum(numbers[-1] - numbers[0] + 1 for numbers in seen.values())
    assert n_sent == n_missed + sum(map(len, seen.values()))


@pytest.mark.parametrize('unknown', [info(None), info(1, None), {}])
def test_what_is_not_numbered_is_not_known(unknown):
    assert Gaps().before(unknown) is None


def test_a_publisher_that_starts_again_and_many_of_them_are_no_gap():
    gaps = Gaps()
    assert [gaps.before(info(number)) for number in (5, 6, 1, 2)] == [0, 0, 0, 0]
    assert [gaps.before(info(7, publisher)) for publisher in range(1, 201)] == [0] * 200
    assert len(gaps._newest) == 16
