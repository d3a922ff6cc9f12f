# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The node's subscriptions and publishers: their quality of service, and a word where it fits nobody.

Users may override the quality of service of each topic by parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from clip_depth_ros.ros.node.silence import CAMERA_INFO, COMPRESSED, IMAGE, Silence
from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    qos_policy_name_from_kind,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
)
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble keeps them elsewhere
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

_IMAGE_QUEUE: Final = 1
"""An old image is of no use."""

_INFO_QUEUE: Final = 10
"""A few deep: these are small, and one that is dropped costs an exact match."""

_MAX_PUBLISHERS: Final = 16
"""Publishers of images that are remembered; drivers that start again and again are new ones."""

_IMAGE_TOPICS: Final[dict[str, tuple[type, str]]] = {
    'raw': (Image, 'image'),
    'compressed': (CompressedImage, 'image/compressed'),
}


def below(camera: str, topic: str) -> str:
    """Return a relative topic of a camera by its name, empty for a node's only one."""
    return f'{camera}/{topic}' if camera else topic


class Inputs:
    """
    Subscriptions to a camera, the image by its transport, ``raw`` or ``compressed``.

    ``camera`` is its name, below which its topics are; without one they are the node's own.
    ``on_image`` and ``on_info`` are called with each message, on the executor's thread; images
    come as bytes, and with how many were missed before each, as :class:`Gaps` has it.
    """

    def __init__(
        self,
        node: LifecycleNode,
        image_transport: str,
        on_image: Callable[[bytes, int | None], None],
        on_info: Callable[[CameraInfo], None],
        camera: str = '',
    ) -> None:
        self._node = node
        msgtype, topic = _IMAGE_TOPICS[image_transport]
        self._silences: dict[str, Silence] = {}

        def hear_image(cdr: bytes, n_unseen: int | None) -> None:
            self._silences['image'].end()
            on_image(cdr, n_unseen)

        def hear_info(message: CameraInfo) -> None:
            self._silences['camera_info'].end()
            on_info(message)

        self._image = subscribe(
            node, msgtype, below(camera, topic), _with_gaps(hear_image), _IMAGE_QUEUE, raw=True
        )
        try:
            self._info = subscribe(
                node, CameraInfo, below(camera, 'camera_info'), hear_info, _INFO_QUEUE
            )
        except BaseException:
            node.destroy_subscription(self._image)
            raise
        kind = IMAGE if msgtype is Image else COMPRESSED
        for name, wanted, topic in (
            ('image', kind, self.image_topic), ('camera_info', CAMERA_INFO, self._info.topic_name)
        ):
            self._silences[name] = Silence(node, topic, wanted, below(camera, name))

    @property
    def image_topic(self) -> str:
        """Return the resolved name of the image topic."""
        return str(self._image.topic_name)

    def warn_of_silence(self) -> None:
        """Say what there is instead, where nothing has come for a while; to be called often."""
        for silence in self._silences.values():
            silence.look()

    def destroy(self) -> None:
        """Destroy the subscriptions."""
        self._node.destroy_subscription(self._image)
        self._node.destroy_subscription(self._info)


class Gaps:
    """
    Counts messages that were published and cannot be taken any more.

    They were overwritten by newer ones in the queue of the middleware, or lost on their way. The
    middleware's own event of lost messages does not tell of the first, Fast DDS' at least; the
    numbers that publishers give their messages tell of all.
    """

    def __init__(self) -> None:
        self._newest: dict[bytes, int] = {}

    def before(self, info: Mapping[str, Any]) -> int | None:
        """
        Return how many messages of its publisher are missing before one, rclpy's ``MessageInfo``.

        None where the middleware does not tell: it numbers no messages or names no publishers.
        """
        number, publisher = info.get('publication_sequence_number'), info.get('publisher_gid')
        if number is None or publisher is None:
            return None
        key = bytes(publisher['data'])
        previous = self._newest.pop(key, number - 1)
        self._newest[key] = number
        if len(self._newest) > _MAX_PUBLISHERS:
            del self._newest[next(iter(self._newest))]
        return max(0, int(number - previous) - 1)


def _with_gaps(on_image: Callable[[bytes, int | None], None]) -> Callable[..., None]:
    """Return the callback of a subscription that also tells how many images were missed."""
    if not hasattr(Subscription, 'CallbackType'):  # Humble gives the message alone
        return lambda message: on_image(message, None)
    gaps = Gaps()
    return lambda message, info: on_image(message, gaps.before(info))


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
        qos_overriding_options=qos_overrides(_check_published),
    )
    return publisher


def is_kept(publisher: Any) -> bool:
    """Return whether what a publisher has sent is kept for subscribers that come later."""
    return bool(publisher.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL)


def _check_published(profile: QoSProfile) -> SetParametersResult:
    """Refuse overrides that contradict each other."""
    is_kept = profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    if is_kept and profile.reliability == ReliabilityPolicy.BEST_EFFORT:
        reason = (
            'durability transient_local needs reliability reliable: what is kept for later '
            'subscribers is sent to reliable ones only'
        )
        return SetParametersResult(successful=False, reason=reason)
    return SetParametersResult(successful=True)


def qos_overrides(
    check: Callable[[QoSProfile], SetParametersResult] | None = None
) -> QoSOverridingOptions:
    """Return the usual policies (history, depth, reliability) and durability."""
    usual = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY)
    return QoSOverridingOptions(
        policy_kinds=[*usual, QoSPolicyKind.DURABILITY], callback=check
    )


def subscribe(
    node: LifecycleNode, msgtype: type, topic: str, callback: Callable[..., None], queue: int,
    *, raw: bool = False,
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
        raw=raw,
    )
    return subscription


def _keep_last(depth: int, reliability: ReliabilityPolicy) -> QoSProfile:
    """Return a profile of its own each time, since rclpy writes overrides into it."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability)


def _policy_name(event: Any) -> str:
    """Return the name, as parameters spell it, of the policy that an event complains about."""
    return str(qos_policy_name_from_kind(event.last_policy_kind)).lower()
