# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a recording training frames are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from clip_depth_ros.core.images import DEPTH_ENCODINGS
from clip_depth_ros.data.bags import BagReader
from clip_depth_ros.data.recorded_data import CAMERA_INFO, CLOUD, COMPRESSED_IMAGE, IMAGE
from clip_depth_ros.errors import TopicError

_GREY: Final = ('mono8', 'mono16', '8UC1')


@dataclass(frozen=True, slots=True)
class BagTopics:
    """
    The topics that frames are made of.

    Attributes
    ----------
    image, depth : str
        Pictures, and depth images or clouds.
    camera_info : str
        Empty: there is none.
    is_lidar : bool
        Whether ``depth`` holds clouds.

    """

    image: str
    depth: str
    camera_info: str
    is_lidar: bool


def choose_topics(
    bag: BagReader, *, image: str, camera_info: str, depth: str, lidar: str
) -> BagTopics:
    """
    Complete topics that are not named.

    Parameters
    ----------
    bag : BagReader
        Open.
    image, camera_info, depth, lidar : str
        Topics; empty ones are found: the only colour camera, the camera_info beside it, the only
        cloud. Without ``depth`` the LiDAR is used, or the only depth images if there is none.

    Raises
    ------
    TopicError
        If a topic is missing or of another type, or there are several to choose from.

    """
    is_lidar = not depth and bool(lidar or _of_type(bag, {CLOUD}))
    depth_topic = _depth_topic(bag, depth) if not is_lidar else _cloud_topic(bag, lidar)
    image_topic = _check(bag, image, {IMAGE, COMPRESSED_IMAGE}) if image else _only_camera(bag)
    if image_topic == depth_topic:
        raise TopicError(
            f'{image_topic!r} cannot be both the camera and its depth: name another image_topic '
            f'or depth_topic. All topics of {str(bag.path)!r}: {sorted(bag.topics)}'
        )
    info_topic = _check(bag, camera_info, {CAMERA_INFO}) if camera_info else ''
    return BagTopics(
        image=image_topic,
        depth=depth_topic,
        camera_info=info_topic or _info_beside(bag, image_topic),
        is_lidar=is_lidar,
    )


def _of_type(bag: BagReader, msgtypes: set[str]) -> list[str]:
    return [name for name, topic in bag.topics.items() if msgtypes & {*topic.msgtypes}]


def _check(bag: BagReader, topic: str, msgtypes: set[str]) -> str:
    """Refuse a topic that is not there or of another type."""
    there = bag.topics
    if topic not in there:
        raise TopicError(f'no topic {topic!r} in {str(bag.path)!r}; it has {sorted(there)}')
    if there[topic].msgtype not in msgtypes:
        raise TopicError(
            f'topic {topic!r} of {str(bag.path)!r} should be {" or ".join(sorted(msgtypes))}, is '
            f'{there[topic].msgtype}'
        )
    return topic


def _only(bag: BagReader, found: list[str], what: str, setting: str) -> str:
    if len(found) != 1:
        raise TopicError(
            f'{str(bag.path)!r} has {len(found)} topics that could be {what}: {found}; name one '
            f'with {setting}. All topics: {sorted(bag.topics)}'
        )
    return found[0]


def _cloud_topic(bag: BagReader, lidar: str) -> str:
    if lidar:
        return _check(bag, lidar, {CLOUD})
    return _only(bag, _of_type(bag, {CLOUD}), 'the LiDAR', 'lidar_topic (or a depth_topic)')


def _depth_topic(bag: BagReader, depth: str) -> str:
    if depth:
        return _check(bag, depth, {IMAGE})
    images = _of_type(bag, {IMAGE})
    found = [topic for topic in images if _encoding(bag, topic) in DEPTH_ENCODINGS]
    return _only(bag, found, 'depth (and no LiDAR)', 'depth_topic')


def _only_camera(bag: BagReader) -> str:
    """Give the only colour camera, or the only grey one where there is no colour."""
    candidates = _of_type(bag, {IMAGE, COMPRESSED_IMAGE})
    if len(candidates) > 1:
        encodings = {topic: _encoding(bag, topic) for topic in candidates}
        pictures = [topic for topic in candidates if encodings[topic] not in DEPTH_ENCODINGS]
        candidates = [t for t in pictures if encodings[t] not in _GREY] or pictures
    return _only(bag, candidates, 'the camera', 'image_topic')


def _encoding(bag: BagReader, topic: str) -> str:
    first = next(bag.messages([topic]), None)
    return str(getattr(bag.decode(first), 'encoding', '')) if first else ''


def _info_beside(bag: BagReader, image_topic: str) -> str:
    """Give the camera_info in the image's namespace, else the only one there is."""
    infos = _of_type(bag, {CAMERA_INFO})
    name = image_topic
    while name := name.rpartition('/')[0]:
        if f'{name}/camera_info' in infos:
            return f'{name}/camera_info'
    return infos[0] if len(infos) == 1 else ''
