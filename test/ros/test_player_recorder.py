# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording goes out through ROS at its pace and comes in again byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import itertools
import threading
import time
from typing import Any

from bag_files import drive, START_NS, STEP_NS
from clip_depth_ros.bags.messages import image_message
from clip_depth_ros.bags.writer import recorded
from clip_depth_ros.errors import ConfigError, MissingDependencyError, TopicError
from clip_depth_ros.ros.pacing import at_image_rate, at_rate, bag_time_at, DueMessage, schedule
from clip_depth_ros.types import RecordedMessage
from hypothesis import given, strategies as st
import numpy as np
import pytest

TOPICS = {message.topic: message.msgtype for message in drive()}
INSTALLED = {name: kind for name, kind in TOPICS.items() if not kind.startswith('tf2')}
TIMEOUT_S = 10.0


def message(bag_time_ns: int, *, is_image: bool = False, topic: str = '') -> RecordedMessage:
    """Return an image or something else of a time."""
    kind = 'Image' if is_image else 'PointCloud2'
    return RecordedMessage(
        topic or f'/{kind}', f'sensor_msgs/msg/{kind}', b'\0\1\0\0', bag_time_ns
    )


def recording(steps: list[tuple[int, bool]]) -> list[RecordedMessage]:
    """Return messages at growing times, some of them images."""
    times_ns = itertools.accumulate(step for step, _ in steps)
    return [
        message(time_ns, is_image=is_image)
        for time_ns, (_, is_image) in zip(times_ns, steps, strict=True)
    ]


recordings = st.lists(st.tuples(st.integers(0, 10**9), st.booleans()), min_size=1).map(recording)


class TestPacing:
    def test_rate_keeps_the_gaps(self) -> None:
        """Twice as fast: half the time."""
        messages = [message(START_NS + t) for t in (0, 100_000_000, 400_000_000)]
        assert [due.due_s for due in at_rate(messages, 2.0)] == [0.0, 0.05, 0.2]

    def test_image_rate_spreads_the_images_evenly(self) -> None:
        """Gaps of 1 s and 3 s become 0.5 s; a cloud half-way stays half-way, one late waits."""
        times_s = [(0, True), (1, True), (1.5, False), (4, True), (20, False)]
        messages = [message(int(t * 1e9), is_image=i) for t, i in times_s]
        dues = [due.due_s for due in at_image_rate(messages, 2.0)]
        assert dues == [0.0, 0.5, 0.75, 1.0, 1.5]

    def test_image_rate_counts_one_camera(self) -> None:
        """Two image topics are one tick: the second camera comes with the first."""
        messages = [
            message(t * 10**9 + offset, is_image=True, topic=topic)
            for t in (0, 1, 2)
            for offset, topic in ((0, '/left'), (0, '/right'))
        ]
        dues = [due.due_s for due in at_image_rate(messages, 10.0)]
        assert dues == pytest.approx([0.0, 0.0, 0.1, 0.1, 0.2, 0.2])

    @given(recordings, st.floats(0.1, 100))
    def test_image_n_comes_at_n_over_hz(self, messages: list[RecordedMessage], hz: float) -> None:
        """And nothing overtakes anything."""
        dues = list(at_image_rate(messages, hz))
        assert [due.message for due in dues] == messages
        images_s = [due.due_s for due in dues if due.message.topic == '/Image']
        assert images_s == pytest.approx([n / hz for n in range(len(images_s))])
        assert all(a.due_s <= b.due_s for a, b in itertools.pairwise(dues))

    @given(recordings, st.floats(0.1, 100))
    def test_rounds_follow_each_other(self, messages: list[RecordedMessage], hz: float) -> None:
        """A loop never steps back in waiting time, though the recording's time does."""
        dues = list(itertools.islice(schedule(messages, hz=hz, loop=True), 3 * len(messages)))
        assert [due.message for due in dues] == messages * 3
        assert all(a.due_s <= b.due_s for a, b in itertools.pairwise(dues))

    def test_an_empty_recording_does_not_loop_for_ever(self) -> None:
        """There is nothing to wait for."""
        assert list(schedule([], loop=True)) == []

    def test_the_clock_runs_evenly_between_messages(self) -> None:
        """And stands still where a new round begins."""
        before, after = DueMessage(1.0, message(1000)), DueMessage(3.0, message(5000))
        assert [bag_time_at(s, before, after) for s in (0.5, 1.0, 2.0, 3.0, 9.0)] == [
            1000, 1000, 3000, 5000, 5000,
        ]
        assert bag_time_at(1.5, before, DueMessage(2.0, message(0))) == 1000


class World:
    """A recorder that spins in the background, in the domain of the test."""

    def __init__(self, topics: dict[str, str], **options: Any) -> None:
        from clip_depth_ros.ros.recorder import Recorder
        import rclpy
        from rclpy.context import Context
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.node import Node

        self.received: list[RecordedMessage] = []
        self._context = Context()
        rclpy.init(args=[], context=self._context)
        self._node: Any = Node('recorder', context=self._context)
        # Not the recorder's: adding to a node while another thread spins it is a race in rclpy.
        self.other_node: Any = Node('other', context=self._context)
        self.recorder = Recorder(self._node, topics, self.received.append, **options)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def _spin(self) -> None:
        while not self._is_over.is_set():
            self._executor.spin_once(timeout_sec=0.02)

    def close(self) -> None:
        """Take everything down."""
        import rclpy

        self._is_over.set()
        self._thread.join()
        self.recorder.close()
        self._executor.shutdown()
        self._node.destroy_node()
        self.other_node.destroy_node()
        rclpy.shutdown(context=self._context)

    def wait_for(self, condition: Callable[[], Any]) -> None:
        """Wait for something to become true; fail when it does not."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < deadline_s, 'timed out waiting'
            time.sleep(0.005)


MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(ros_domain: int) -> Iterator[MakeWorld]:
    """Return a maker of worlds that are taken down after the test."""
    worlds: list[World] = []

    def make(topics: dict[str, str], **options: Any) -> World:
        worlds.append(World(topics, **options))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


def play(
    messages: list[RecordedMessage], topics: dict[str, str], **options: Any
) -> dict[str, int]:
    """Play with options, waiting for a subscriber of every topic that can be published."""
    from clip_depth_ros.ros.message_classes import message_class
    from clip_depth_ros.ros.player import play as play_messages, PlayOptions

    remaps = options.get('remaps', {})
    names = [remaps.get(topic, topic) for topic in topics if message_class(topics[topic])]
    return play_messages(messages, topics, PlayOptions(**{'wait_for': names, **options}))


def is_same(arrived: RecordedMessage, sent: RecordedMessage) -> bool:
    """Return whether a message arrived as sent; RTPS may pad it to a multiple of four bytes."""
    return arrived.cdr in [sent.cdr + bytes(padding) for padding in range(4)]


@pytest.mark.ros
class TestRoundTrip:
    def test_every_message_arrives_as_it_was(self, make_world: MakeWorld) -> None:
        """Bytes (RTPS may pad), types and order within a topic; the receive time is now."""
        world = make_world(INSTALLED)
        sent = [m for m in drive(10) if m.topic in INSTALLED]
        started_ns = time.time_ns()
        counts = play(sent, INSTALLED, rate=20.0)
        world.wait_for(lambda: len(world.received) == len(sent))
        assert counts == world.recorder.counts == dict.fromkeys(INSTALLED, 10)
        for topic in INSTALLED:
            arrived = [m for m in world.received if m.topic == topic]
            wanted = [m for m in sent if m.topic == topic]
            assert [m.msgtype for m in arrived] == [m.msgtype for m in wanted]
            assert all(map(is_same, arrived, wanted))
        assert all(started_ns <= m.bag_time_ns <= time.time_ns() for m in world.received)

    def test_big_images_arrive(self, make_world: MakeWorld) -> None:
        """1.4 MB each, at 20 a second; reliable means all of them."""
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 255, (375, 1242, 3), np.uint8)
        images = [
            recorded(
                '/image', image_message(pixels, 'rgb8', stamp_ns=n, frame_id='camera'), n
            )
            for n in range(12)
        ]
        topics = {'/image': 'sensor_msgs/msg/Image'}
        world = make_world(topics)
        play(images, topics, hz=20.0)
        world.wait_for(lambda: len(world.received) == 12)
        assert all(map(is_same, world.received, images))

    def test_other_names(self, make_world: MakeWorld) -> None:
        """Counted by the new name."""
        new = {'/camera/image': '/front/image'}
        topics = {'/camera/image': 'sensor_msgs/msg/Image'}
        world = make_world({'/front/image': 'sensor_msgs/msg/Image'})
        sent = [m for m in drive() if m.topic in topics]
        assert play(sent, topics, rate=50.0, remaps=new) == {'/front/image': 4}
        world.wait_for(lambda: len(world.received) == 4)

    def test_hz_takes_its_time(self, make_world: MakeWorld) -> None:
        """Four images at 20 Hz take 150 ms, whatever was recorded."""
        make_world(INSTALLED)
        sent = [m for m in drive() if m.topic in INSTALLED]
        started_s = time.monotonic()
        moments_s = []
        from clip_depth_ros.ros.player import play as play_messages, PlayOptions

        play_messages(
            sent,
            INSTALLED,
            PlayOptions(hz=20.0, wait_for=list(INSTALLED)),
            on_published=lambda m: moments_s.append((m.topic, time.monotonic() - started_s)),
        )
        images_s = np.array([at_s for topic, at_s in moments_s if topic == '/camera/image'])
        assert len(images_s) == 4
        # Never early; late only as far as a busy machine makes it.
        assert np.all(images_s - images_s[0] >= np.arange(4) * 0.05 - 0.02)

    def test_latched_topics_reach_late_subscribers(self, make_world: MakeWorld) -> None:
        """The player is still there when the recorder comes."""
        from clip_depth_ros.ros.player import play as play_messages, PlayOptions

        text = RecordedMessage('/map', 'std_msgs/msg/String', b'\0\1\0\0\2\0\0\0a\0', 0)
        topics = {'/map': text.msgtype}
        is_out, is_heard = threading.Event(), threading.Event()

        def recording_that_goes_on() -> Iterator[RecordedMessage]:
            yield text
            is_out.set()
            is_heard.wait(TIMEOUT_S)

        options = PlayOptions(latched=['/map'])
        player = threading.Thread(
            target=lambda: play_messages(recording_that_goes_on(), topics, options)
        )
        player.start()
        assert is_out.wait(TIMEOUT_S)
        world = make_world(topics, latched=['/map'])
        world.wait_for(lambda: world.recorder.counts['/map'] == 1)
        is_heard.set()
        player.join()

    def test_best_effort_publishers_are_heard_too(self, make_world: MakeWorld) -> None:
        """The recorder asks for reliable, and for less when that is all there is."""
        from rclpy.qos import QoSProfile, ReliabilityPolicy
        from std_msgs.msg import String

        world = make_world({'/chatter': 'std_msgs/msg/String'})
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        publisher = world.other_node.create_publisher(String, '/chatter', qos)

        def heard() -> bool:
            publisher.publish(String(data='hello'))
            time.sleep(0.02)
            return bool(world.received)

        world.wait_for(heard)
        assert world.received[0].cdr[8:14] == b'hello\0'

    def test_clock_tells_the_time_of_the_recording(self, make_world: MakeWorld) -> None:
        """From the first message to the last, never backwards, and between messages too."""
        from rclpy.serialization import deserialize_message
        from rosgraph_msgs.msg import Clock

        world = make_world({**INSTALLED, '/clock': 'rosgraph_msgs/msg/Clock'})
        sent = [m for m in drive() if m.topic in INSTALLED]
        play(sent, INSTALLED, clock=True)
        times_ns: list[int] = []

        def has_ended() -> bool:
            told = [m.cdr for m in world.received if m.topic == '/clock']
            clocks = [deserialize_message(cdr, Clock).clock for cdr in told]
            times_ns[:] = [clock.sec * 10**9 + clock.nanosec for clock in clocks]
            return bool(times_ns) and times_ns[-1] == START_NS + 3 * STEP_NS + 2

        world.wait_for(has_ended)
        assert times_ns == sorted(times_ns)
        assert times_ns[0] > START_NS
        assert len(times_ns) > len(sent)


@pytest.mark.ros
@pytest.mark.usefixtures('ros_domain')
class TestRefusals:
    def test_types_that_are_not_installed_are_left_out(self, capfd: Any) -> None:
        """Aloud; the rest is published."""
        topics = {**INSTALLED, '/strange': 'strange_msgs/msg/Strange'}
        strange = RecordedMessage('/strange', topics['/strange'], b'\0\1\0\0', START_NS)
        sent = [strange, *drive()[1:]]
        counts = play(sent, topics, rate=100.0, wait_for=[])
        assert counts == dict.fromkeys(INSTALLED, 4)
        said = capfd.readouterr().err
        assert "leaving out '/strange': 'strange_msgs/msg/Strange' is not installed" in said

    @pytest.mark.parametrize(
        'msgtype', ['os/msg/path', 'json/msg/decoder', 'sensor_msgs/Image', 'a.b/msg/c', '']
    )
    def test_a_recording_without_any_known_type(self, msgtype: str) -> None:
        """Names of Python modules that are no message packages are no types either."""
        with pytest.raises(MissingDependencyError, match='no message type'):
            play([], {'/x': msgtype}, wait_for=[])

    def test_nobody_listens(self) -> None:
        """After the time-out it says to which topic, and how many lack."""
        with pytest.raises(TopicError, match=r"too few subscribers.*'/camera/image': 2"):
            play([], INSTALLED, wait_for=['/camera/image'] * 2, wait_timeout_s=0.1)

    def test_waiting_for_what_is_not_published(self) -> None:
        """A mistyped name would wait in vain."""
        with pytest.raises(TopicError, match=r"cannot wait for \['/imagee'\]"):
            play([], INSTALLED, wait_for=['/imagee'])

    def test_remapping_what_is_not_there(self) -> None:
        """It says what there is."""
        with pytest.raises(TopicError, match=r"cannot remap \['/imagee'\].*/camera/image"):
            play([], INSTALLED, remaps={'/imagee': '/x'}, wait_for=[])

    def test_a_name_that_is_none(self) -> None:
        """ROS 1 allowed more characters."""
        with pytest.raises(TopicError, match=r"'/a b' is no topic name"):
            play([], INSTALLED, remaps={'/camera/image': '/a b'}, wait_for=[])

    def test_images_per_second_without_images(self) -> None:
        """Before anything is published."""
        with pytest.raises(TopicError, match='need an image topic'):
            play([], {'/x': 'std_msgs/msg/String'}, hz=5.0, wait_for=[])

    def test_looping_over_what_ends(self) -> None:
        """A generator is empty in the second round."""
        with pytest.raises(ConfigError, match='to loop'):
            play(iter(drive()), INSTALLED, loop=True, wait_for=[])  # type: ignore[arg-type]

    @pytest.mark.parametrize('options', [{'rate': 0.0}, {'hz': -1.0}, {'wait_timeout_s': 0.0}])
    def test_numbers_out_of_range(self, options: dict[str, float]) -> None:
        """With their names."""
        (name,) = options
        with pytest.raises(ConfigError, match=f'{name} must be a positive number'):
            play([], INSTALLED, **options)
