# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's subscriptions to what the scale of depth is measured by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from clip_depth_ros.core.clouds import points_of, points_of_scan
from clip_depth_ros.core.depth_images import decode_depth, range_end_m
from clip_depth_ros.core.plain_text import brief
from clip_depth_ros.core.stamps import stamp_ns_of
from clip_depth_ros.errors import ClipDepthError
from clip_depth_ros.ros.node.endpoints import below, subscribe
from clip_depth_ros.ros.node.scale.aligner import Aligner, limited, SensorDepth
from clip_depth_ros.ros.node.scale.transforms import TfTransforms
from clip_depth_ros.ros.node.silence import Silence
from clip_depth_ros.settings.node import ALIGN_INPUTS, NodeSettings
import numpy as np
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image, LaserScan, PointCloud2

_QUEUE: Final = 5
_LARGEST_PX: Final = 160
"""Rows and columns of a depth camera's image that are looked at."""


class AlignInputs:
    """
    Subscriptions as the parameter ``align`` asks for them; all on the executor's thread.

    What comes is read at once, made small and given to an aligner: clouds are large, and many
    wait for the depth of their image. ``camera`` is the name that topics are below, or none.
    """

    def __init__(
        self, node: LifecycleNode, aligner: Aligner, transforms: TfTransforms, camera: str = ''
    ) -> None:
        self._camera = camera
        self._node, self._aligner, self._transforms = node, aligner, transforms
        self._align = 'none'
        self._max_pixels = 0
        self._subscriptions: list[Any] = []
        self._silence: Silence | None = None

    def follow(self, settings: NodeSettings) -> None:
        """Listen to what the settings ask for, and to nothing else; to be called often."""
        self._max_pixels = settings.max_image_pixels
        if settings.needs_transforms():
            self._transforms.listen()
        if settings.align != self._align:
            self.destroy()
            self._align = settings.align
            self._subscribe()
        if self._silence:
            self._silence.look()

    def destroy(self) -> None:
        """Destroy the subscriptions."""
        self._align, self._silence, self._aligner.listening = 'none', None, ''
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            self._node.destroy_subscription(subscription)

    def _subscribe(self) -> None:
        topics = [topic for topic in ALIGN_INPUTS if topic.align == self._align]
        reads: dict[str, tuple[type, Callable[[Any], None]]] = {
            'sensor_msgs/msg/PointCloud2': (PointCloud2, self._on_cloud),
            'sensor_msgs/msg/LaserScan': (LaserScan, self._on_scan),
            'sensor_msgs/msg/Image': (Image, self._on_depth),
        }
        for topic in topics:
            kind, read = reads[topic.msgtype]
            heard = self._heard(read)
            name = below(self._camera, topic.topic)
            self._subscriptions.append(subscribe(self._node, kind, name, heard, _QUEUE))
        names = [str(subscription.topic_name) for subscription in self._subscriptions]
        self._aligner.listening = ' or '.join(names)
        if names:
            self._silence = Silence(
                self._node, names[0], topics[0].msgtype, below(self._camera, topics[0].topic)
            )

    def _heard(self, read: Callable[[Any], None]) -> Callable[[Any], None]:
        def hear(message: Any) -> None:
            if self._silence:
                self._silence.end()
            try:
                read(message)
            except ClipDepthError as error:
                self._aligner.refuse(brief(str(error)))

        return hear

    def _on_cloud(self, cloud: PointCloud2) -> None:
        points = limited(points_of(cloud), cloud.header.frame_id)
        self._aligner.put(stamp_ns_of(cloud.header), points)

    def _on_scan(self, scan: LaserScan) -> None:
        points = limited(points_of_scan(scan), scan.header.frame_id)
        self._aligner.put(stamp_ns_of(scan.header), points)

    def _on_depth(self, image: Image) -> None:
        depth_m = decode_depth(image, self._max_pixels)
        step = -(-max(depth_m.shape) // _LARGEST_PX)
        small = np.array(depth_m[::step, ::step])
        small[small >= range_end_m(small)] = np.nan
        self._aligner.put(stamp_ns_of(image.header), SensorDepth(small, step, depth_m.shape))
