# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The topics that the node listens to, from activation to deactivation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from clip_depth_ros.ros.node.qos import policy_name, qos_overrides
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import (
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
)
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble keeps it elsewhere
    from rclpy.qos_event import SubscriptionEventCallbacks

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
    Subscriptions to the camera.

    Parameters
    ----------
    node : LifecycleNode
        Owner of the subscriptions.
    image_transport : {'raw', 'compressed'}
        Which image topic.
    on_image, on_info : callable
        Called with each message, on the executor's thread.

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
        self._image = self._subscribe(msgtype, topic, on_image, _IMAGE_QUEUE)
        try:
            self._info = self._subscribe(CameraInfo, 'camera_info', on_info, _INFO_QUEUE)
        except BaseException:
            node.destroy_subscription(self._image)
            raise

    @property
    def image_topic(self) -> str:
        """Give the resolved name of the image topic."""
        return str(self._image.topic_name)

    @property
    def info_topic(self) -> str:
        """Give the resolved name of the camera_info topic."""
        return str(self._info.topic_name)

    def destroy(self) -> None:
        """Give the subscriptions back."""
        self._node.destroy_subscription(self._image)
        self._node.destroy_subscription(self._info)

    def _subscribe(
        self, msgtype: type, topic: str, callback: Callable[[Any], None], queue: int
    ) -> Any:
        def warn_incompatible(event: Any) -> None:
            self._node.get_logger().warning(
                f'a publisher on {subscription.topic_name} offers a quality of service that this '
                'node does not accept; no messages will come from it: start this node with '
                f'qos_overrides.{subscription.topic_name}.subscription.{policy_name(event)} set '
                'to what it offers'
            )

        subscription = self._node.create_subscription(
            msgtype,
            topic,
            callback,
            _input_qos(queue),
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=warn_incompatible),
            qos_overriding_options=qos_overrides(),
        )
        return subscription


def _input_qos(queue: int) -> QoSProfile:
    """
    Give best effort, which matches reliable and best-effort cameras alike.

    Made anew each time, since rclpy writes overrides into the profile that it is given.
    """
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=queue, reliability=ReliabilityPolicy.BEST_EFFORT
    )
