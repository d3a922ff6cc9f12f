# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Names of topics, here and in recordings of others, and which of them frames are made of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from clip_depth_ros.bags.damage import Damage, readable_messages
from clip_depth_ros.bags.foreign import other_lidars
from clip_depth_ros.bags.message_types import (
    CAMERA_INFO_TYPE,
    CLOUD_TYPE,
    COMPRESSED_IMAGE_TYPE,
    IMAGE_TYPE,
)
from clip_depth_ros.bags.places import place_of
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.core.images import encoding_of, is_depth
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


PRESETS: Final[Mapping[str, Mapping[str, str]]] = {
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
"""Topics by the settings that name them."""

_OPTIONAL: Final = ('depth_topic', 'class_topic')
"""Not every recording of a preset has them."""

_DEPTHS: Final = frozenset(('depth_topic', 'lidar_topic'))


def topic_preset(bag: BagReader, name: str) -> Mapping[str, str]:
    """
    Return the topics that a preset names, by setting; where there is true depth, no LiDAR.

    ``none``: no topics; ``auto``: the preset whose image or true depth is in the recording, less
    what the recording has not; the name of a preset: all of it but depth and classes that are not
    there, so that a camera or LiDAR that is missing gets noticed. ConfigError for other names.
    """
    there = bag.topics.keys()
    if name == 'none':
        return {}
    if name == 'auto':
        presets = (
            preset
            for preset in PRESETS.values()
            if preset['image_topic'] in there or preset.get('depth_topic') in there
        )
        preset: Mapping[str, str] = next(presets, {})
        wanted = {key: topic for key, topic in preset.items() if topic in there}
    elif name in PRESETS:
        wanted = {
            key: topic
            for key, topic in PRESETS[name].items()
            if topic in there or key not in _OPTIONAL
        }
    else:
        raise ConfigError(
            f'topics should be auto, none or one of {[*PRESETS]}, got {name!r}'
            f'{did_you_mean(name, ("auto", "none", *PRESETS))}'
        )
    if 'depth_topic' in wanted:
        wanted.pop('lidar_topic', None)
    return wanted


def with_preset(bag: BagReader, name: str, named: Mapping[str, str]) -> dict[str, str]:
    """
    Complete topics by those of a preset.

    Parameters
    ----------
    bag : BagReader
        Open.
    name : str
        See :func:`topic_preset`.
    named : mapping
        From settings to topics, or to nothing where none is named. Those that are named win:
        another camera goes without the preset's camera_info, another depth without its LiDAR.

    """
    chosen = {key: topic for key, topic in named.items() if topic}
    preset = dict(topic_preset(bag, name))
    if chosen.get('image_topic', preset.get('image_topic')) != preset.get('image_topic'):
        preset.pop('camera_info_topic', None)
    if not chosen.keys().isdisjoint(_DEPTHS):
        preset = {key: topic for key, topic in preset.items() if key not in _DEPTHS}
    return {**named, **preset, **chosen}


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
    depth_info : str
        The camera_info of depth images of another frame than the pictures; empty: there is none.

    """

    image: str
    depth: str
    camera_info: str
    is_lidar: bool
    class_ids: str = ''
    depth_info: str = ''


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
        What other nodes have made of the camera's images: neither the camera nor its depth, if
        there is another.
    has_depth : bool
        Whether depth is to come from the recording at all.
    image_may_be_depth : bool
        Whether depth images may stand for the camera's, where they are named so or it has none.

    Raises
    ------
    TopicError
        If a topic is missing or of another type, or there are several to choose from.

    """
    is_lidar = has_depth and not depth_topic and bool(lidar_topic or _of_type(bag, {CLOUD_TYPE}))
    depth = ''
    if has_depth and is_lidar:
        depth = _cloud_topic(bag, lidar_topic)
    elif has_depth:
        depth = _depth_topic(bag, depth_topic, pred_topics)
    stand_in = depth if image_may_be_depth and not is_lidar else ''
    image = (
        check_topic(bag, image_topic, {IMAGE_TYPE, COMPRESSED_IMAGE_TYPE})
        if image_topic
        else _only_camera(bag, class_topic, pred_topics, stand_in, may_be_depth=image_may_be_depth)
    )
    if image == depth != stand_in:
        raise TopicError(
            f'{image!r} cannot be both the camera and its depth: name another image_topic or '
            f'depth_topic. All topics of {str(bag.path)!r}: {sorted(bag.topics)}'
        )
    info = check_topic(bag, camera_info_topic, {CAMERA_INFO_TYPE}) if camera_info_topic else ''
    depth_info = _depth_info(bag, image, depth) if depth and not is_lidar else ''
    return BagTopics(
        image=image,
        depth=depth,
        camera_info=info or _info_beside(bag, image, but=depth_info),
        is_lidar=is_lidar,
        class_ids=check_topic(bag, class_topic, {IMAGE_TYPE}) if class_topic else '',
        depth_info=depth_info,
    )


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
            f'{there[topic].msgtype}{_other_lidars(bag, topic)}'
        )
    return topic


def check_depth_topic(bag: BagReader, topic: str) -> str:
    """Return a topic of images, maybe compressed; TopicError if it is of another type."""
    is_compressed = topic in _of_type(bag, {COMPRESSED_IMAGE_TYPE})
    return check_topic(bag, topic, {COMPRESSED_IMAGE_TYPE if is_compressed else IMAGE_TYPE})


def _of_type(bag: BagReader, msgtypes: set[str]) -> list[str]:
    return [name for name, topic in bag.topics.items() if msgtypes & {*topic.msgtypes}]


def _only(bag: BagReader, found: list[str], what: str, setting: str) -> str:
    if len(found) != 1:
        for topic in [] if found else _of_type(bag, {IMAGE_TYPE, CLOUD_TYPE}):
            for message in islice(readable_messages(bag, [topic], Damage()), 1):
                place_of(message)  # says why nothing of this kind was found, if it is no CDR
        raise TopicError(
            f'{str(bag.path)!r} has {len(found)} topics that could be {what}: {found}; name one '
            f'with {setting}. All topics: {sorted(bag.topics)}'
            f'{_other_lidars(bag) if "LiDAR" in what else ""}'
        )
    return found[0]


def _other_lidars(bag: BagReader, *names: str) -> str:
    """Return what is said of topics, by default of all, that a LiDAR sends besides clouds."""
    there = bag.topics
    return other_lidars({name: kind for name in names or there for kind in there[name].msgtypes})


def holds_depth(bag: BagReader, topic: str) -> bool:
    """Say whether a topic of images, maybe compressed, is one of depth; it may be empty."""
    image = first_image(bag, topic)
    return image is not None and is_depth(image)


def _cloud_topic(bag: BagReader, lidar: str) -> str:
    if lidar:
        return check_topic(bag, lidar, {CLOUD_TYPE})
    return _only(bag, _of_type(bag, {CLOUD_TYPE}), 'the LiDAR', 'lidar_topic (or a depth_topic)')


def _depth_topic(bag: BagReader, depth: str, pred_topics: Collection[str]) -> str:
    if depth:
        return check_depth_topic(bag, depth)
    # The same depth is often there compressed, too, with less in it.
    found: list[str] = []
    for msgtype in (IMAGE_TYPE, COMPRESSED_IMAGE_TYPE):
        there = [topic for topic in _of_type(bag, {msgtype}) if topic not in pred_topics]
        found = found or [topic for topic in there if holds_depth(bag, topic)]
    images = _of_type(bag, {IMAGE_TYPE, COMPRESSED_IMAGE_TYPE})
    found = found or [t for t in images if t in pred_topics and holds_depth(bag, t)]
    return _only(bag, found, 'depth (and no LiDAR)', 'depth_topic')


def _only_camera(
    bag: BagReader,
    class_topic: str,
    pred_topics: Collection[str],
    stand_in: str,
    *,
    may_be_depth: bool,
) -> str:
    """Return the only colour camera, or the only grey one where there is no colour."""
    there = [t for t in _of_type(bag, {IMAGE_TYPE, COMPRESSED_IMAGE_TYPE}) if t != class_topic]
    images = {topic: first_image(bag, topic) for topic in there}
    pictures = [t for t in there if images[t] is None or not is_depth(images[t])]
    cameras = [topic for topic in pictures if topic not in pred_topics] or pictures
    if not cameras and may_be_depth:
        return stand_in or _only(bag, there, 'the camera', 'image_topic')
    colour = [t for t in cameras if images[t] is None or encoding_of(images[t]) not in _GREY]
    return _only(bag, colour or cameras, 'the camera', 'image_topic')


def first_image(bag: BagReader, topic: str) -> Any:
    """Return the first readable message of a topic; None if there is none."""
    for message in readable_messages(bag, [topic], Damage()):
        with suppress(RecordingError):
            return bag.decode(message)
    return None


def _depth_info(bag: BagReader, image: str, depth: str) -> str:
    """Return the camera_info of a depth camera, by its frame, else by its namespace."""
    frame, image_frame = _frame_of(bag, depth), _frame_of(bag, image)
    if not frame or frame == image_frame:
        return ''
    frames = {info: _frame_of(bag, info) for info in _of_type(bag, {CAMERA_INFO_TYPE})}
    found = [info for info in frames if frames[info] == frame]
    beside = _in_namespace(depth, [info for info in frames if frames[info] != image_frame])
    return beside if beside in found or not found else found[0]


def _frame_of(bag: BagReader, topic: str) -> str:
    """Return the frame of the first readable message of a topic."""
    for message in readable_messages(bag, [topic], Damage()):
        with suppress(RecordingError):
            return place_of(message).frame_id.lstrip('/')
    return ''


def _in_namespace(topic: str, infos: Sequence[str]) -> str:
    """Return the camera_info in the namespace of a topic, or in the nearest one above."""
    name = topic
    while name := name.rpartition('/')[0]:
        if f'{name}/camera_info' in infos:
            return f'{name}/camera_info'
    return ''


def _info_beside(bag: BagReader, image_topic: str, *, but: str = '') -> str:
    """Return the camera_info in the image's namespace, else the only other one of its frame."""
    infos = [info for info in _of_type(bag, {CAMERA_INFO_TYPE}) if info != but]
    if beside := _in_namespace(image_topic, infos):
        return beside
    if len(infos) > 1 and (frame := _frame_of(bag, image_topic)):
        infos = [info for info in infos if _frame_of(bag, info) == frame]
    return infos[0] if len(infos) == 1 else ''
