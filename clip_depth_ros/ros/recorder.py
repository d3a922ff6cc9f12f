# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Receiving topics as serialised messages, for a recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
import time
from typing import Any, Final

from clip_depth_ros.errors import MissingDependencyError, TopicError
from clip_depth_ros.ros.message_types import installed_types
from clip_depth_ros.types import RecordedMessage
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo

Sink = Callable[[RecordedMessage], None]

QUEUE_DEPTH: Final = 100
"""Messages that may wait for a slow sink before the oldest is lost."""

_MATCH_PERIOD_S: Final = 0.2


class Recorder:
    """
    Subscribes to topics and hands each message, as it came off the wire, to a sink.

    Parameters
    ----------
    node : Node
        Owns the subscriptions; whoever spins it calls the sink, and gets the sink's exceptions.
    topics : mapping of str to str
        Type by topic. Types that are not installed are left out with a warning.
    sink : callable
        Takes each message; its receive time is the system's time.
    latched : collection of str
        Topics to subscribe to as transient local, to get what was published before.

    Attributes
    ----------
    counts : Counter
        Messages received, by topic.

    Raises
    ------
    MissingDependencyError
        If no message type at all is installed.

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
        self._classes = self._installed()
        self._qos = {topic: _asked_for(is_latched=topic in latched) for topic in self._classes}
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

    def _installed(self) -> dict[str, Any]:
        classes, left_out = installed_types(self._topics)
        for topic, msgtype in left_out.items():
            self._node.get_logger().warning(f'not recording {topic}: {msgtype} is not installed')
        if self._topics and not classes:
            raise MissingDependencyError(
                f'no message type of {sorted(self._topics)} is installed: install their packages'
            )
        return classes

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


def _asked_for(*, is_latched: bool) -> QoSProfile:
    return QoSProfile(
        depth=QUEUE_DEPTH,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if is_latched else DurabilityPolicy.VOLATILE,
    )


def _at_most(qos: QoSProfile, publishers: Collection[TopicEndpointInfo]) -> QoSProfile:
    """Give the profile lowered to what every publisher offers."""
    offers = [publisher.qos_profile for publisher in publishers]
    best_effort = any(offer.reliability == ReliabilityPolicy.BEST_EFFORT for offer in offers)
    volatile = any(offer.durability == DurabilityPolicy.VOLATILE for offer in offers)
    return QoSProfile(
        depth=qos.depth,
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else qos.reliability,
        durability=DurabilityPolicy.VOLATILE if volatile else qos.durability,
    )
