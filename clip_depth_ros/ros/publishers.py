# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Topics of a recording in ROS: a publisher for each, on a node apart; messages stay bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
import contextlib
import secrets
import time
from typing import Any, Final

from clip_depth_ros.errors import TopicError
from clip_depth_ros.ros.message_classes import installed_classes
from clip_depth_ros.types import RecordedMessage
import rclpy
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions

_QUEUE_DEPTH: Final = 10
"""A second of images: enough for subscribers to catch up, too little to eat the memory."""

_SETTLE_S: Final = 1.0
"""Discovery is one-sided: a subscriber known here may not know us yet and miss the start."""


class TopicPublishers:
    """
    Publishers by recorded topic: reliable, so that every kind of subscriber matches.

    ``topics`` has the type by recorded topic, ``remaps`` new names; ``latched`` are the topics
    whose last message late subscribers shall get (transient local). Topics whose message type is
    not installed are left out with a warning.

    Raises
    ------
    TopicError
        If a remapped topic is not there or a new name is no topic name.
    MissingDependencyError
        If no message type at all is installed.

    """

    def __init__(
        self,
        node: Node,
        topics: Mapping[str, str],
        *,
        remaps: Mapping[str, str],
        latched: Collection[str],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._node = node
        unknown = sorted(remaps.keys() - topics.keys())
        if unknown:
            raise TopicError(f'cannot remap {unknown}: the recording has {sorted(topics)}')
        self._publishers = {
            topic: self._make(message_type, remaps.get(topic, topic), topic in latched)
            for topic, message_type in installed_classes(node, topics).items()
        }

    def publish(self, message: RecordedMessage) -> None:
        """Publish a message, unless its topic is left out; count it by its new name."""
        publisher = self._publishers.get(message.topic)
        if publisher is not None:
            publisher.publish(message.cdr)
            self.counts[publisher.topic_name] += 1

    def wait_for_subscribers(self, names: Collection[str], timeout_s: float) -> None:
        """
        Wait until each of these topics has its subscribers, and a moment more.

        Topics go by their new names; one that is named n times is waited for until it has n.
        TopicError if one is not published, or lacks subscribers when the time is over.
        """
        by_name = {publisher.topic_name: publisher for publisher in self._publishers.values()}
        unknown = sorted(set(names) - by_name.keys())
        if unknown:
            raise TopicError(f'cannot wait for {unknown}: published are {sorted(by_name)}')
        wanted = Counter(names)
        deadline_s = time.monotonic() + timeout_s
        while lacking := wanted - Counter({
            name: publisher.get_subscription_count() for name, publisher in by_name.items()
        }):
            if time.monotonic() > deadline_s:
                raise TopicError(
                    f'too few subscribers after {timeout_s:g} s, lacking by topic: '
                    f'{dict(lacking)}; start them, or check topic names and ROS_DOMAIN_ID'
                )
            time.sleep(0.01)
        if wanted:
            time.sleep(_SETTLE_S)

    def wait_until_delivered(self, timeout_s: float) -> None:
        """Wait until reliable subscribers have all; the middleware sends in the background."""
        deadline_s = time.monotonic() + timeout_s
        for publisher in self._publishers.values():
            remaining_s = max(deadline_s - time.monotonic(), 0.0)
            if not publisher.wait_for_all_acked(Duration(nanoseconds=int(remaining_s * 1e9))):
                self._node.get_logger().warning(
                    f'a subscriber of {publisher.topic_name} has not taken everything after '
                    f'{timeout_s:g} s'
                )

    def _make(self, message_type: Any, name: str, is_latched: bool) -> Any:
        qos = reliable_qos(_QUEUE_DEPTH, is_latched=is_latched)
        return make_publisher(self._node, message_type, name, qos)


def make_publisher(node: Node, message_type: Any, name: str, qos: QoSProfile) -> Any:
    """Return a publisher; TopicError if its name is no topic name."""
    try:
        return node.create_publisher(message_type, name, qos)
    except (InvalidTopicNameException, ValueError) as error:
        reason = str(error).partition('\n')[0].rstrip(':')  # below, rclpy marks the place
        raise TopicError(f'{name!r} is no topic name, remap it: {reason}') from error


@contextlib.contextmanager
def node_apart(name: str) -> Iterator[Node]:
    """
    Provide a node in a context of its own, which disturbs no other node of the process.

    It is called ``name`` and a few digits: several may run, and a name is for one node. No signal
    handlers either, so that Ctrl-C arrives as KeyboardInterrupt.
    """
    context = Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = Node(
            f'{name}_{secrets.token_hex(4)}', context=context, use_global_arguments=False,
            start_parameter_services=False,
        )
        try:
            yield node
        finally:
            node.destroy_node()
    finally:
        rclpy.shutdown(context=context)


def reliable_qos(depth: int, *, is_latched: bool) -> QoSProfile:
    """Return a reliable profile, transient local where late subscribers shall get the last."""
    durability = DurabilityPolicy.TRANSIENT_LOCAL if is_latched else DurabilityPolicy.VOLATILE
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE, durability=durability)
