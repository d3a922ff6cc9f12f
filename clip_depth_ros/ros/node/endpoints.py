# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The node's subscriptions and publishers: their quality of service, and a word where it fits nobody.

Users may override the quality of service of each topic by parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import (
    HistoryPolicy,
    qos_policy_name_from_kind,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
)
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble keeps them elsewhere
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

_IMAGE_QUEUE: Final = 1
"""An old image is of no use."""

_INFO_QUEUE: Final = 10
"""A few deep: these are small, and one that is dropped costs an exact match."""

_IMAGE_TOPICS: Final[dict[str, tuple[type, str]]] = {
    'raw': (Image, 'image'),
    'compressed': (CompressedImage, 'image/compressed'),
}


class Inputs:
    """
    Subscriptions to the camera, the image by its transport, ``raw`` or ``compressed``.

    ``on_image`` and ``on_info`` are called with each message, on the executor's thread.
    """

    def __init__(
        self,
        node: LifecycleNode,
        image_transport: str,
        on_image: Callable[[Any], None],
        on_info: Callable[[CameraInfo], None],
    ) -> None:
        self._node = node
        msgtype, topic = _IMAGE_TOPICS[image_transport]
        self._image = _subscribe(node, msgtype, topic, on_image, _IMAGE_QUEUE)
        try:
            self._info = _subscribe(node, CameraInfo, 'camera_info', on_info, _INFO_QUEUE)
        except BaseException:
            node.destroy_subscription(self._image)
            raise

    @property
    def image_topic(self) -> str:
        """Return the resolved name of the image topic."""
        return str(self._image.topic_name)

    def destroy(self) -> None:
        """Destroy the subscriptions."""
        self._node.destroy_subscription(self._image)
        self._node.destroy_subscription(self._info)


def advertise(node: LifecycleNode, msgtype: type, topic: str) -> Any:
    """
    Return a lifecycle publisher, reliable, keep last 1.

    Reliable matches every subscriber; with a queue of one a slow one never piles up frames.
    """

    def warn_incompatible(event: Any) -> None:
        policy = _policy_name(event)
        node.get_logger().warning(
            f'a subscriber to {publisher.topic_name} asks for a quality of service that this '
            f'node does not offer; it will get nothing: change its {policy}, or start this '
            f'node with qos_overrides.{publisher.topic_name}.publisher.{policy}'
        )

    publisher: Any = node.create_lifecycle_publisher(
        msgtype,
        topic,
        _keep_last(1, ReliabilityPolicy.RELIABLE),
        event_callbacks=PublisherEventCallbacks(incompatible_qos=warn_incompatible),
        qos_overriding_options=qos_overrides(),
    )
    return publisher


def qos_overrides() -> QoSOverridingOptions:
    """Return the usual policies (history, depth, reliability) and durability."""
    usual = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY)
    return QoSOverridingOptions(policy_kinds=[*usual, QoSPolicyKind.DURABILITY])


def _subscribe(
    node: LifecycleNode, msgtype: type, topic: str, callback: Callable[[Any], None], queue: int
) -> Any:
    """Return a best-effort subscription, which matches reliable and best-effort cameras alike."""

    def warn_incompatible(event: Any) -> None:
        node.get_logger().warning(
            f'a publisher on {subscription.topic_name} offers a quality of service that this '
            'node does not accept; no messages will come from it: start this node with '
            f'qos_overrides.{subscription.topic_name}.subscription.{_policy_name(event)} set '
            'to what it offers'
        )

    subscription = node.create_subscription(
        msgtype,
        topic,
        callback,
        _keep_last(queue, ReliabilityPolicy.BEST_EFFORT),
        event_callbacks=SubscriptionEventCallbacks(incompatible_qos=warn_incompatible),
        qos_overriding_options=qos_overrides(),
    )
    return subscription


def _keep_last(depth: int, reliability: ReliabilityPolicy) -> QoSProfile:
    """Return a profile of its own each time, since rclpy writes overrides into it."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability)


def _policy_name(event: Any) -> str:
    """Return the name, as parameters spell it, of the policy that an event complains about."""
    return str(qos_policy_name_from_kind(event.last_policy_kind)).lower()
