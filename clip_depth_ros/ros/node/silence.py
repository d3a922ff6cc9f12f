# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What to say when nothing comes on an input: most often its name is wrong, or its type."""

from __future__ import annotations

from collections.abc import Collection, Mapping
import time
from typing import Final

from clip_depth_ros.core.plain_text import printable
from rclpy.node import Node

SILENT_S: Final = 10.0
"""Without a message for so long after activation, a topic is looked up in the ROS graph."""

_MAX_NAMED: Final = 20

IMAGE: Final = 'sensor_msgs/msg/Image'
COMPRESSED: Final = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO: Final = 'sensor_msgs/msg/CameraInfo'
CLOUD: Final = 'sensor_msgs/msg/PointCloud2'
SCAN: Final = 'sensor_msgs/msg/LaserScan'

_ALTERNATIVES: Final[Mapping[str, tuple[str, ...]]] = {
    IMAGE: (IMAGE, COMPRESSED),
    COMPRESSED: (IMAGE, COMPRESSED),
    CAMERA_INFO: (CAMERA_INFO,),
    CLOUD: (CLOUD, SCAN),
}
"""Types that could serve, by the type that is listened to."""

_TRANSPORT: Final = {
    IMAGE: 'raw (-r {image}:=NAME)',
    COMPRESSED: 'compressed (-r {image}/compressed:=NAME)',
}
"""What to set image_transport to, and how to remap, by what is published."""


class Silence:
    """Warns once, with what there is instead, if nothing has come on a topic for some seconds."""

    def __init__(self, node: Node, topic: str, msgtype: str, name: str) -> None:
        self._node = node
        self._topic = topic
        self._msgtype = msgtype
        self._name = name
        self._until_s: float | None = time.monotonic() + SILENT_S

    def end(self) -> None:
        """Note that a message has come."""
        self._until_s = None

    def look(self) -> None:
        """Warn if it is time; to be called now and then."""
        if self._until_s is not None and time.monotonic() > self._until_s:
            self.end()
            why = _why(self._node, self._topic, self._msgtype, self._name)
            self._node.get_logger().warning(
                # Names of types come from other machines as they are.
                printable(f'nothing has come on {self._topic} for {SILENT_S:g} s: {why}')
            )


def _why(node: Node, topic: str, msgtype: str, name: str) -> str:
    """Return what the graph says of a topic that is silent, and what to do."""
    offered = {each.topic_type for each in node.get_publishers_info_by_topic(topic)}
    if msgtype in offered:
        return 'it is published, but no message has arrived; is the camera paused, or the network?'
    there = _published(node, _ALTERNATIVES[msgtype])
    choice = f'topics that could be meant: {there}' if there else 'no topic could be meant'
    if offered:
        return (
            f'it is published as {", ".join(sorted(offered))}, this node listens to {msgtype}'
            f'{_transport_of(offered, name)}; {choice}'
        )
    return f'nobody publishes it; {choice}; name one by a remapping ({_hint(name, there)})'


def _transport_of(offered: Collection[str], name: str) -> str:
    known = [kind for kind in sorted(offered) if kind in _TRANSPORT]
    kinds = [_TRANSPORT[kind].format(image=name) for kind in known]
    return f': set image_transport to {kinds[0]}' if kinds else ''


def _hint(name: str, there: Mapping[str, str]) -> str:
    """Return the remapping, and the transport that goes with each type there is."""
    if name.rpartition('/')[2] not in ('image', 'compressed'):
        return f'-r {name}:=NAME'
    kinds = sorted({*there.values()} or {IMAGE})
    return '; '.join(
        f'image_transport {_TRANSPORT[kind].format(image=name)}' for kind in kinds
    )


def _published(node: Node, msgtypes: Collection[str]) -> dict[str, str]:
    """Return the type by name of the topics of some types that other nodes publish."""
    ours = (node.get_name(), node.get_namespace())
    found: dict[str, str] = {}
    for topic, types in sorted(node.get_topic_names_and_types()):
        wanted = [kind for kind in types if kind in msgtypes]
        if wanted and any(
            (each.node_name, each.node_namespace) != ours
            for each in node.get_publishers_info_by_topic(topic)
        ):
            found[topic] = wanted[0]
    return dict(list(found.items())[:_MAX_NAMED])
