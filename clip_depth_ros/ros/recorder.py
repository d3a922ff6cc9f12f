# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Receiving topics as serialised messages, for a recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
import contextlib
import time
from typing import Any, Final

from clip_depth_ros.errors import TopicError
from clip_depth_ros.ros.message_classes import installed_classes
from clip_depth_ros.ros.publishers import node_apart, reliable_qos
from clip_depth_ros.settings.node import DIAGNOSTICS
from clip_depth_ros.types import RecordedMessage
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.exceptions import InvalidTopicNameException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo

Sink = Callable[[RecordedMessage], None]

_QUEUE_DEPTH: Final = 100
"""Messages that may wait for a slow sink before the oldest is lost."""

_MATCH_PERIOD_S: Final = 0.2
_TICK_S: Final = 0.1


class Recorder:
    """
    Subscribes to topics and hands each message, as it came off the wire, to a sink.

    Parameters
    ----------
    node : Node
        Owns the subscriptions; whoever spins it calls the sink, and gets the sink's exceptions.
    topics : mapping of str to str
        Type by topic. Types that are not installed are left out with a warning;
        MissingDependencyError if none is installed.
    sink : callable
        Takes each message; its receive time is the system's time.
    latched : collection of str
        Topics to subscribe to as transient local, to get what was published before.

    Attributes
    ----------
    counts : Counter
        Messages received, by topic.

    Notes
    -----
    Subscriptions are reliable from the start. Where a publisher turns up that is not (or is
    volatile on a latched topic), its topic is subscribed to again with what that publisher offers:
    before, nothing would have come from it.

    The middleware may append up to three zero bytes to a message: RTPS pads to multiples of four.

    """

    def __init__(
        self,
        node: Node,
        topics: Mapping[str, str],
        sink: Sink,
        *,
        latched: Collection[str] = ('/tf_static',),
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._node = node
        self._sink = sink
        self._topics = dict(topics)
        self._classes = installed_classes(node, self._topics)
        self._qos = {
            topic: reliable_qos(_QUEUE_DEPTH, is_latched=topic in latched)
            for topic in self._classes
        }
        self._subscriptions = {topic: self._subscribe(topic) for topic in self._classes}
        self._timer = node.create_timer(_MATCH_PERIOD_S, self.match_publishers)

    def match_publishers(self) -> None:
        """Ask for no more than the publishers seen by now offer; a timer calls this too."""
        for topic, qos in self._qos.items():
            offered = _at_most(qos, self._node.get_publishers_info_by_topic(topic))
            if offered != qos:
                self._qos[topic] = offered
                self._node.destroy_subscription(self._subscriptions[topic])
                self._subscriptions[topic] = self._subscribe(topic)

    def close(self) -> None:
        """Stop receiving."""
        self._node.destroy_timer(self._timer)
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def _subscribe(self, topic: str) -> Any:
        def receive(cdr: bytes) -> None:
            self.counts[topic] += 1
            self._sink(RecordedMessage(topic, self._topics[topic], cdr, time.time_ns()))

        try:
            return self._node.create_subscription(
                self._classes[topic], topic, receive, self._qos[topic], raw=True
            )
        except InvalidTopicNameException as error:
            raise TopicError(f'{topic!r} cannot be recorded: it is no ROS topic name') from error


class RecordingSession:
    """
    Records topics while the caller waits for things to happen; to be used in a ``with`` statement.

    ``topics`` has the type by topic; ``sink`` takes each message, while :meth:`spin_until` runs.
    """

    def __init__(self, topics: Mapping[str, str], sink: Sink) -> None:
        self._topics = dict(topics)
        self._sink = sink
        self._values: dict[str, dict[str, str]] = {}
        self._n_said: Counter[str] = Counter()

    def __enter__(self) -> RecordingSession:
        with contextlib.ExitStack() as stack:
            self._node = stack.enter_context(node_apart('clip_depth_recorder'))
            self._recorder = Recorder(self._node, self._topics, self._sink)
            self._node.create_subscription(DiagnosticArray, DIAGNOSTICS, self._on_diagnostics, 10)
            self._executor = SingleThreadedExecutor(context=self._node.context)
            stack.callback(self._executor.shutdown)
            stack.callback(self._recorder.close)
            self._executor.add_node(self._node)
            self._closing = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closing.close()

    @property
    def counts(self) -> Mapping[str, int]:
        """Return the number of messages recorded so far, by topic."""
        return self._recorder.counts

    def said_by(self, node_name: str) -> Mapping[str, str]:
        """Return the newest diagnostics of the depth node of that full name; empty before any."""
        return self._values.get(node_name, {})

    def n_said_by(self, node_name: str) -> int:
        """Return how often the depth node of that full name has sent diagnostics so far."""
        return self._n_said[node_name]

    def count_subscribers(self, topic: str) -> int:
        """Return how many subscriptions to a topic there are, the recorder's own included."""
        return int(self._node.count_subscribers(topic))

    def spin_until(
        self,
        condition: Callable[[], bool],
        timeout_s: float,
        on_tick: Callable[[], None] = lambda: None,
    ) -> bool:
        """
        Record until a condition holds or the time is over; return whether it holds.

        The condition is looked at after each message. ``on_tick`` is called about ten times a
        second; what it raises ends the waiting.
        """
        deadline_s = time.monotonic() + timeout_s
        next_tick_s = 0.0
        while not condition():
            now_s = time.monotonic()
            if now_s > deadline_s:
                return False
            if now_s > next_tick_s:
                on_tick()
                next_tick_s = now_s + _TICK_S
            self._executor.spin_once(timeout_sec=_TICK_S)
        return True

    def spin_for(self, seconds: float) -> None:
        """Record for that long, at least what has come by now."""
        deadline_s = time.monotonic() + seconds
        self._executor.spin_once(timeout_sec=0)
        while (left_s := deadline_s - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left_s)

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        for status in array.status:
            node_name, _, part = status.name.rpartition(': ')
            if part == 'depth':
                self._values[node_name] = {value.key: value.value for value in status.values}
                self._n_said[node_name] += 1


def _at_most(qos: QoSProfile, publishers: Collection[TopicEndpointInfo]) -> QoSProfile:
    """Return the profile lowered to what every publisher offers."""
    offers = [publisher.qos_profile for publisher in publishers]
    best_effort = any(offer.reliability == ReliabilityPolicy.BEST_EFFORT for offer in offers)
    volatile = any(offer.durability == DurabilityPolicy.VOLATILE for offer in offers)
    return QoSProfile(
        depth=qos.depth,
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else qos.reliability,
        durability=DurabilityPolicy.VOLATILE if volatile else qos.durability,
    )
