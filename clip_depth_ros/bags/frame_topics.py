# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a recording frames with depth are made of."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from clip_depth_ros.bags.damage import Damage, readable_messages
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.recorded_data import CAMERA_INFO, CLOUD, COMPRESSED_IMAGE, IMAGE
from clip_depth_ros.core.images import DEPTH_ENCODINGS
from clip_depth_ros.errors import RecordingError, TopicError

_GREY: Final = ('mono8', 'mono16', '8UC1')


@dataclass(frozen=True, slots=True)
class BagTopics:
    """
    The topics that frames are made of.

    Attributes
    ----------
    image, depth : str
        Pictures, and depth images or clouds; no depth where it lies beside the recording.
    camera_info, class_ids : str
        Empty: there is none.
    is_lidar : bool
        Whether ``depth`` holds clouds.

    """

    image: str
    depth: str
    camera_info: str
    is_lidar: bool
    class_ids: str = ''


def choose_topics(
    bag: BagReader,
    *,
    image_topic: str,
    camera_info_topic: str,
    depth_topic: str,
    lidar_topic: str,
    class_topic: str,
    pred_topics: Collection[str] = (),
    has_depth: bool = True,
    image_may_be_depth: bool = False,
) -> BagTopics:
    """
    Complete topics that are not named.

    Parameters
    ----------
    bag : BagReader
        Open.
    image_topic, camera_info_topic, depth_topic, lidar_topic : str
        Empty ones are found: the only colour camera, the camera_info beside it, the only cloud.
        Without a depth topic the LiDAR is used, or the only depth images if there is none.
    class_topic : str
        Images of class ids; empty: none.
    pred_topics : collection of str
        What other nodes have made of the camera's images: not the camera, if there is another.
    has_depth : bool
        Whether depth is to come from the recording at all.
    image_may_be_depth : bool
        Whether depth images may stand for the camera's, where they are named so or it has none.

    Raises
    ------
    TopicError
        If a topic is missing or of another type, or there are several to choose from.

    """
    is_lidar = has_depth and not depth_topic and bool(lidar_topic or _of_type(bag, {CLOUD}))
    depth = ''
    if has_depth:
        depth = _cloud_topic(bag, lidar_topic) if is_lidar else _depth_topic(bag, depth_topic)
    stand_in = depth if image_may_be_depth and not is_lidar else ''
    image = (
        check_topic(bag, image_topic, {IMAGE, COMPRESSED_IMAGE})
        if image_topic
        else _only_camera(
            bag, class_topic, pred_topics, stand_in, may_be_depth=image_may_be_depth
        )
    )
    if image == depth != stand_in:
        raise TopicError(
            f'{image!r} cannot be both the camera and its depth: name another image_topic or '
            f'depth_topic. All topics of {str(bag.path)!r}: {sorted(bag.topics)}'
        )
    info = check_topic(bag, camera_info_topic, {CAMERA_INFO}) if camera_info_topic else ''
    return BagTopics(
        image=image,
        depth=depth,
        camera_info=info or _info_beside(bag, image),
        is_lidar=is_lidar,
        class_ids=check_topic(bag, class_topic, {IMAGE}) if class_topic else '',
    )


def check_topic(bag: BagReader, topic: str, msgtypes: set[str]) -> str:
    """
    Give a topic that is there, of one of these types.

    Raises
    ------
    TopicError
        If it is not; the message lists what is.

    """
    there = bag.topics
    if topic not in there:
        raise TopicError(f'no topic {topic!r} in {str(bag.path)!r}; it has {sorted(there)}')
    if there[topic].msgtype not in msgtypes:
        raise TopicError(
            f'topic {topic!r} of {str(bag.path)!r} should be {" or ".join(sorted(msgtypes))}, is '
            f'{there[topic].msgtype}'
        )
    return topic


def _of_type(bag: BagReader, msgtypes: set[str]) -> list[str]:
    return [name for name, topic in bag.topics.items() if msgtypes & {*topic.msgtypes}]


def _only(bag: BagReader, found: list[str], what: str, setting: str) -> str:
    if len(found) != 1:
        raise TopicError(
            f'{str(bag.path)!r} has {len(found)} topics that could be {what}: {found}; name one '
            f'with {setting}. All topics: {sorted(bag.topics)}'
        )
    return found[0]


def _cloud_topic(bag: BagReader, lidar: str) -> str:
    if lidar:
        return check_topic(bag, lidar, {CLOUD})
    return _only(bag, _of_type(bag, {CLOUD}), 'the LiDAR', 'lidar_topic (or a depth_topic)')


def _depth_topic(bag: BagReader, depth: str) -> str:
    if depth:
        return check_topic(bag, depth, {IMAGE})
    images = _of_type(bag, {IMAGE})
    found = [topic for topic in images if encoding_of(bag, topic) in DEPTH_ENCODINGS]
    return _only(bag, found, 'depth (and no LiDAR)', 'depth_topic')


def _only_camera(
    bag: BagReader,
    class_topic: str,
    pred_topics: Collection[str],
    stand_in: str,
    *,
    may_be_depth: bool,
) -> str:
    """Give the only colour camera, or the only grey one where there is no colour."""
    there = [t for t in _of_type(bag, {IMAGE, COMPRESSED_IMAGE}) if t != class_topic]
    encodings = {topic: encoding_of(bag, topic) for topic in there}
    pictures = [topic for topic in there if encodings[topic] not in DEPTH_ENCODINGS]
    cameras = [topic for topic in pictures if topic not in pred_topics] or pictures
    if not cameras and may_be_depth:
        return stand_in or _only(bag, there, 'the camera', 'image_topic')
    colour = [topic for topic in cameras if encodings[topic] not in _GREY]
    return _only(bag, colour or cameras, 'the camera', 'image_topic')


def encoding_of(bag: BagReader, topic: str) -> str:
    """Give the encoding of the first image of a topic that can be read; empty: it has none."""
    for message in readable_messages(bag, [topic], Damage()):
        with suppress(RecordingError):
            return str(getattr(bag.decode(message), 'encoding', ''))
    return ''


def _info_beside(bag: BagReader, image_topic: str) -> str:
    """Give the camera_info in the image's namespace, else the only one there is."""
    infos = _of_type(bag, {CAMERA_INFO})
    name = image_topic
    while name := name.rpartition('/')[0]:
        if f'{name}/camera_info' in infos:
            return f'{name}/camera_info'
    return infos[0] if len(infos) == 1 else ''
