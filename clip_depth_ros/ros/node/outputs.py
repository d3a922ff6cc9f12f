# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The topics that the node publishes: who listens, and what each of them gets for a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from clip_depth_ros.core.camera import Calibration, Camera
from clip_depth_ros.core.clouds import CloudBuilder, Crop
from clip_depth_ros.core.depth_images import colorize
from clip_depth_ros.ros.node.endpoints import advertise, below, is_kept
from clip_depth_ros.ros.node.messages import (
    cloud_message,
    depth_message,
    info_message,
    rgb_message,
    scale_message,
    scan_message,
)
from clip_depth_ros.ros.node.scan import ScanBuilder
from clip_depth_ros.scale.keeper import NO_SCALE, ScaleState
from clip_depth_ros.settings.node import NodeSettings, OUTPUTS
from clip_depth_ros.types import Depth, Rgb
import cv2
from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2
from std_msgs.msg import Header

_MESSAGES: Final = {
    'diagnostic_msgs/msg/DiagnosticArray': DiagnosticArray,
    'sensor_msgs/msg/Image': Image,
    'sensor_msgs/msg/CameraInfo': CameraInfo,
    'sensor_msgs/msg/LaserScan': LaserScan,
    'sensor_msgs/msg/PointCloud2': PointCloud2,
}
"""Classes of the types that ``OUTPUTS`` names."""

_NEEDS_CAMERA: Final = ('info', 'cloud', 'scan')


@dataclass(frozen=True, slots=True)
class Result:
    """A frame whose depth is ready; every output takes over the header as it is."""

    header: Header
    rgb: Rgb  # the camera image, uint8 (H, W, 3)
    depth_m: Depth  # float32 (h, w), metres, with REP 117 marks
    confidence: Depth | None = None  # float32 (h, w), 0 to 1; None: the predictor has none
    scale: ScaleState = NO_SCALE  # what ``depth_m`` was multiplied by


class Outputs:
    """
    The publishers of a camera, made on configure and destroyed on cleanup.

    ``camera`` is its name, below which its topics are; without one they are the node's own.

    Nothing is built for a topic that nobody subscribes to, unless its quality of service was
    overridden to keep the last message for subscribers that come later.
    """

    def __init__(self, node: LifecycleNode, camera: str = '') -> None:
        self._node = node
        self._name = camera
        self._publishers: dict[str, Any] = {}
        try:
            for name, (topic, msgtype, _) in OUTPUTS.items():
                self._publishers[name] = advertise(node, _MESSAGES[msgtype], below(camera, topic))
        except BaseException:
            self.destroy()
            raise
        self._cloud_key: tuple[Any, ...] = ()
        self._cloud: CloudBuilder | None = None
        self._scan_key: tuple[Any, ...] = ()
        self._scan: ScanBuilder | None = None

    def destroy(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

    def listened(self) -> tuple[str, ...]:
        """Return the outputs that somebody subscribes to, or that are kept for later."""
        return tuple(name for name in self._publishers if self.is_wanted(name))

    def needs_camera(self) -> bool:
        """Return whether anybody subscribes to what needs a camera_info."""
        return any(self.is_wanted(name) for name in _NEEDS_CAMERA)

    def publish_depth(self, result: Result, settings: NodeSettings) -> None:
        """Publish the depth image and its scale, if subscribed to."""
        if self.is_wanted('depth'):
            message = depth_message(result.header, result.depth_m, settings.depth_encoding)
            self._publishers['depth'].publish(message)
        if self.is_wanted('scale'):
            message = scale_message(result.header, settings.align, result.scale)
            self._publishers['scale'].publish(message)

    def publish_confidence(self, result: Result) -> None:
        """Publish how sure depth is, if subscribed to and if the predictor says."""
        if result.confidence is not None and self.is_wanted('confidence'):
            message = depth_message(result.header, result.confidence, '32FC1')
            self._publishers['confidence'].publish(message)

    def publish_color(self, result: Result, settings: NodeSettings) -> None:
        """Publish the colour image, if subscribed to."""
        if self.is_wanted('color'):
            colored = colorize(result.depth_m, **settings.colors())
            self._publishers['color'].publish(rgb_message(result.header, colored))

    def publish_geometry(
        self, result: Result, calibration: Calibration, camera: Camera, settings: NodeSettings
    ) -> None:
        """
        Publish what needs camera_info, if subscribed to: the depth's own camera_info and cloud.

        ``camera`` is what ``calibration``, the camera_info of the image, says of images of this
        size. CalibrationError if its distortion cannot be undone; nothing is published then.
        """
        wants_cloud = self.is_wanted('cloud')
        cloud = self._cloud_message(result, camera, settings) if wants_cloud else None
        if self.is_wanted('info'):
            height, width = result.depth_m.shape
            resampled = calibration.resampled(camera, width, height)
            self._publishers['info'].publish(info_message(result.header, resampled))
        if cloud is not None:
            self._publishers['cloud'].publish(cloud)

    def publish_scan(self, result: Result, camera: Camera, settings: NodeSettings) -> None:
        """
        Publish the laser scan, if subscribed to.

        ConfigError or CalibrationError if settings or camera allow none.
        """
        if self.is_wanted('scan'):
            self._publishers['scan'].publish(self._scan_message(result, camera, settings))

    def is_wanted(self, name: str) -> bool:
        """Return whether an output, by its name in ``OUTPUTS``, is for anybody, now or later."""
        publisher = self._publishers[name]
        return is_kept(publisher) or int(publisher.get_subscription_count()) > 0

    def _cloud_message(self, result: Result, camera: Camera, settings: NodeSettings) -> bytes:
        height, width = result.depth_m.shape
        crop = Crop(**settings.cloud_crop())
        key = (camera, width, height, settings.cloud_stride, settings.cloud_rgb, crop)
        if key != self._cloud_key or self._cloud is None:
            rays = camera.rays(width, height)
            self._cloud = CloudBuilder(
                rays, stride=settings.cloud_stride, with_rgb=settings.cloud_rgb, crop=crop
            )
            self._cloud_key = key
        rgb = _resized(result.rgb, width, height) if settings.cloud_rgb else None
        return cloud_message(result.header, self._cloud.build(result.depth_m, rgb))

    def _scan_message(self, result: Result, camera: Camera, settings: NodeSettings) -> LaserScan:
        frame_id = settings.scan_frame_of(result.header.frame_id, self._name)
        height, width = result.depth_m.shape
        band = Crop(**settings.scan_band())
        key = (camera, width, height, band)
        if key != self._scan_key or self._scan is None:
            self._scan = ScanBuilder(camera.rays(width, height), band)
            self._scan_key = key
        return scan_message(result.header, frame_id, self._scan.build(result.depth_m))


def _resized(rgb: Rgb, width: int, height: int) -> Rgb:
    if rgb.shape[:2] == (height, width):
        return rgb
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
