# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera without a driver: frames published as one publishes them, and the depth they get."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
from dataclasses import dataclass
import time
from typing import Any, Final

from clip_depth_ros.core.camera import Calibration
from clip_depth_ros.core.depth_images import decode_depth
from clip_depth_ros.core.stamps import stamp_ns_of
from clip_depth_ros.errors import ClipDepthError
from clip_depth_ros.ros.node.messages import info_message, rgb_message
from clip_depth_ros.ros.publishers import make_publisher, node_apart, reliable_qos
from clip_depth_ros.ros.recorder import RecordingSession
from clip_depth_ros.settings.node import OUTPUTS
from clip_depth_ros.types import Depth, RecordedMessage, Rgb
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

NODE_NAME: Final = '/depth_node'

_KEPT: Final = 100
"""Images that wait for their depth, to be shown beside it; a node drops most of what it misses."""

_START_TIMEOUT_S: Final = 180.0
_LAST_TIMEOUT_S: Final = 10.0

Show = Callable[[Rgb, Depth], bool]
"""Shows an image beside its depth; says whether more is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTopics:
    """The names under which a camera is published, and the frame that its images are of."""

    image: str
    camera_info: str
    frame_id: str
    depth: str = f'/{OUTPUTS["depth"].topic}'


@dataclass(slots=True)
class LiveCounts:
    """How many images were published, and how many of them came back with depth, to be shown."""

    published: int = 0
    answered: int = 0


class LiveCamera:
    """
    A camera in ROS, and the depth node beside it.

    Parameters
    ----------
    topics : LiveTopics
        Where to publish, and where depth comes from.
    calibration : Calibration, optional
        Is published with each image; no camera_info without.
    show : callable, optional
        Gets each image that depth has come for; without, nobody asks for depth here.

    Raises
    ------
    TopicError
        On entering, if a name is no topic name.

    """

    def __init__(
        self, topics: LiveTopics, calibration: Calibration | None, show: Show | None = None
    ) -> None:
        self.counts = LiveCounts()
        self._topics, self._calibration, self._show = topics, calibration, show
        self._images: dict[int, Rgb] = {}
        self._last_ns = self._answered_ns = 0
        self._is_wanted = True

    def __enter__(self) -> LiveCamera:
        with contextlib.ExitStack() as stack:
            node: Node = stack.enter_context(node_apart('clip_depth_camera'))
            self._clock = node.get_clock()
            qos = reliable_qos(1, is_latched=False)
            self._image = make_publisher(node, Image, self._topics.image, qos)
            if self._calibration is not None:
                self._info = make_publisher(node, CameraInfo, self._topics.camera_info, qos)
            watched = {self._topics.depth: 'sensor_msgs/msg/Image'} if self._show else {}
            self._session = stack.enter_context(RecordingSession(watched, self._on_depth))
            self._closing = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closing.close()

    def wait_for_node(self, check_alive: Callable[[], None]) -> None:
        """
        Wait until the depth node listens to the camera; ClipDepthError if it does not start.

        ``check_alive`` raises if its process has ended.
        """
        def check() -> None:
            check_alive()
            said = self._session.said_by(NODE_NAME)
            if said.get('state') == 'unconfigured' and said.get('last_error'):
                raise ClipDepthError(f'the depth node did not start: {said["last_error"]}')

        def is_active() -> bool:
            is_heard = self._session.count_subscribers(self._topics.image) > 0
            return is_heard and self._session.said_by(NODE_NAME).get('state') == 'active'

        if not self._session.spin_until(is_active, _START_TIMEOUT_S, check):
            raise ClipDepthError(
                f'the depth node was not ready within {_START_TIMEOUT_S:.0f} s: its log may say '
                'why'
            )

    def publish(self, frames: Iterator[Rgb], hz: float | None) -> Iterator[LiveCounts]:
        """
        Publish frames until they end, or what is shown is no longer wanted.

        Parameters
        ----------
        frames : iterator of uint8 (H, W, 3)
            RGB.
        hz : float, optional
            How many a second; None: as they come.

        Yields
        ------
        LiveCounts
            After each image.

        """
        began_s = time.monotonic()
        for index, rgb in enumerate(frames):
            if hz is not None:
                self._session.spin_for(began_s + index / hz - time.monotonic())
            self._publish(rgb)
            self._session.spin_for(0.0)
            yield self.counts
            if not self._is_wanted:
                return

    def wait_for_last_depth(self) -> None:
        """Wait for the depth of the last image, which a node drops none of; not for long."""
        if self._show and self._is_wanted:
            self._session.spin_until(self._is_answered, _LAST_TIMEOUT_S)

    def _is_answered(self) -> bool:
        return self._answered_ns >= self._last_ns or not self._is_wanted

    def _publish(self, rgb: Rgb) -> None:
        now: Time = self._clock.now()
        header = Header(stamp=now.to_msg(), frame_id=self._topics.frame_id)
        self._last_ns = stamp_ns_of(header)
        if self._show:
            self._images[self._last_ns] = rgb
            while len(self._images) > _KEPT:
                self._images.pop(next(iter(self._images)))
        # The camera first: the first image waits for it.
        if self._calibration is not None:
            self._info.publish(info_message(header, self._calibration))
        self._image.publish(rgb_message(header, rgb))
        self.counts.published += 1

    def _on_depth(self, recorded: RecordedMessage) -> None:
        message: Any = deserialize_message(recorded.cdr, Image)
        stamp_ns = stamp_ns_of(message.header)
        rgb = self._images.pop(stamp_ns, None)
        self._answered_ns = max(self._answered_ns, stamp_ns)
        if rgb is None or self._show is None:
            return  # of another camera
        self.counts.answered += 1
        self._is_wanted = self._show(rgb, decode_depth(message))
