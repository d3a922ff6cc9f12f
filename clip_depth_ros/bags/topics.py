# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Names of topics, here and in recordings of others, and which of them frames are made of."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from clip_depth_ros.bags.damage import Damage, readable_messages
from clip_depth_ros.bags.foreign import other_lidars
from clip_depth_ros.bags.message_types import COMPRESSED_IMAGE_TYPE, IMAGE_TYPE
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.errors import ConfigError, did_you_mean, RecordingError, TopicError

IMAGE: Final = '/camera/image_rect_color'
CAMERA_INFO: Final = '/camera/camera_info'
CLOUD: Final = '/velodyne_points'
TF: Final = '/tf'
TF_STATIC: Final = '/tf_static'

TRUE_DEPTH: Final = '/ground_truth/depth'
"""32FC1: metres along the optical axis, +Inf for the sky."""

TRUE_CLASS_IDS: Final = '/ground_truth/class_ids'
"""mono8: one class id for each pixel."""

CAMERA_FRAME: Final = 'camera_color_left_optical_frame'
"""Optical frame: x right, y down, z forward (REP 103)."""

LIDAR_FRAME: Final = 'velodyne'
"""x forward, y left, z up (REP 103)."""

WORLD_FRAME: Final = 'world'


TOPIC_SETTINGS: Final = (
    'image_topic', 'camera_info_topic', 'depth_topic', 'lidar_topic', 'class_topic'
)
"""Settings that name topics of a recording."""

TOPIC_SETS: Final[Mapping[str, Mapping[str, str]]] = {
    # What `clip-depth bag` writes: from the synthetic drive with true depth and classes, from
    # KITTI folders with the LiDAR alone.
    'ours': {
        'image_topic': IMAGE,
        'camera_info_topic': CAMERA_INFO,
        'depth_topic': TRUE_DEPTH,
        'lidar_topic': CLOUD,
        'class_topic': TRUE_CLASS_IDS,
    },
    'kitti2bag': {
        'image_topic': '/kitti/camera_color_left/image_raw',
        'camera_info_topic': '/kitti/camera_color_left/camera_info',
        'lidar_topic': '/kitti/velo/pointcloud',
    },
    'kitti_to_ros2bag': {
        'image_topic': '/kitti/camera/color/left/image_raw',
        'camera_info_topic': '/kitti/camera/color/left/camera_info',
        'lidar_topic': '/kitti/velo',
    },
}
"""Topics by the settings that name them, by whose recordings they are of."""

_OPTIONAL: Final = ('depth_topic', 'class_topic')
"""Not every recording of a set has them."""

_DEPTHS: Final = frozenset(('depth_topic', 'lidar_topic'))


def topic_set(bag: BagReader, name: str) -> Mapping[str, str]:
    """
    Return the topics of a set, by setting; where there is true depth, no LiDAR.

    ``none``: no topics; ``auto``: the set whose image or true depth is in the recording, less
    what the recording has not; the name of a set: all of it but depth and classes that are not
    there, so that a camera or LiDAR that is missing gets noticed. ConfigError for other names.
    """
    there = bag.topics.keys()
    if name == 'none':
        return {}
    if name == 'auto':
        there_are = (
            each
            for each in TOPIC_SETS.values()
            if each['image_topic'] in there or each.get('depth_topic') in there
        )
        found: Mapping[str, str] = next(there_are, {})
        wanted = {key: topic for key, topic in found.items() if topic in there}
    elif name in TOPIC_SETS:
        wanted = {
            key: topic
            for key, topic in TOPIC_SETS[name].items()
            if topic in there or key not in _OPTIONAL
        }
    else:
        raise ConfigError(
            f'topics should be auto, none or one of {[*TOPIC_SETS]}, got {name!r}'
            f'{did_you_mean(name, ("auto", "none", *TOPIC_SETS))}'
        )
    if 'depth_topic' in wanted:
        wanted.pop('lidar_topic', None)
    return wanted


def with_topic_set(bag: BagReader, name: str, named: Mapping[str, str]) -> dict[str, str]:
    """
    Complete topics by those of a set.

    Parameters
    ----------
    bag : BagReader
        Open.
    name : str
        See :func:`topic_set`.
    named : mapping
        From settings to topics, or to nothing where none is named. Those that are named win:
        another camera goes without the set's camera_info, another depth without its LiDAR.

    """
    chosen = {key: topic for key, topic in named.items() if topic}
    usual = dict(topic_set(bag, name))
    if chosen.get('image_topic', usual.get('image_topic')) != usual.get('image_topic'):
        usual.pop('camera_info_topic', None)
    if not chosen.keys().isdisjoint(_DEPTHS):
        usual = {key: topic for key, topic in usual.items() if key not in _DEPTHS}
    return {**named, **usual, **chosen}


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
    depth_info : str
        The camera_info of depth images of another frame than the pictures; empty: there is none.

    """

    image: str
    depth: str
    camera_info: str
    is_lidar: bool
    class_ids: str = ''
    depth_info: str = ''


def check_topic(bag: BagReader, topic: str, msgtypes: set[str]) -> str:
    """
    Return a topic that the recording has, with one of these types.

    Raises
    ------
    TopicError
        If it is not; the message lists what is.

    """
    there = bag.topics
    if topic not in there:
        raise TopicError(
            f'no topic {topic!r} in {str(bag.path)!r}; it has {sorted(there)}'
            f'{did_you_mean(topic, there)}'
        )
    if there[topic].msgtype not in msgtypes:
        raise TopicError(
            f'topic {topic!r} of {str(bag.path)!r} should be {" or ".join(sorted(msgtypes))}, is '
            f'{there[topic].msgtype}{other_lidars({topic: there[topic].msgtype})}'
        )
    return topic


def check_depth_topic(bag: BagReader, topic: str) -> str:
    """Return a topic of images, maybe compressed; TopicError if it is of another type."""
    there = bag.topics
    is_compressed = topic in there and COMPRESSED_IMAGE_TYPE in there[topic].msgtypes
    return check_topic(bag, topic, {COMPRESSED_IMAGE_TYPE if is_compressed else IMAGE_TYPE})


def first_message(bag: BagReader, topic: str) -> Any:
    """Return the first readable message of a topic; None if there is none."""
    for message in readable_messages(bag, [topic], Damage()):
        with suppress(RecordingError):
            return bag.decode(message)
    return None
