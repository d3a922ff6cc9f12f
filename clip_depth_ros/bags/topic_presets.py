# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Names of the topics in recordings that well-known converters make, and in our own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from clip_depth_ros.bags import topics
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.errors import ConfigError

PRESETS: Final[Mapping[str, Mapping[str, str]]] = {
    # What `clip-depth bag` writes: from the synthetic drive with true depth and classes, from
    # KITTI folders with the LiDAR alone.
    'ours': {
        'image_topic': topics.IMAGE,
        'camera_info_topic': topics.CAMERA_INFO,
        'depth_topic': topics.TRUE_DEPTH,
        'lidar_topic': topics.CLOUD,
        'class_topic': topics.TRUE_CLASS_IDS,
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
    Give the topics that a preset names.

    Parameters
    ----------
    bag : BagReader
        Open.
    name : str
        ``none``: no topics; ``auto``: the preset whose image or true depth is in the recording,
        less what the recording has not; the name of a preset: all of it but depth and classes
        that are not there, so that a camera or LiDAR that is missing gets noticed.

    Returns
    -------
    mapping
        From ``image_topic``, ``camera_info_topic``, ``depth_topic``, ``lidar_topic`` and
        ``class_topic`` to topics. Where there is true depth, no LiDAR.

    Raises
    ------
    ConfigError
        If there is no such preset.

    """
    there = bag.topics.keys()
    if name == 'none':
        return {}
    if name == 'auto':
        preset = PRESETS.get(_recognised(there), {})
        wanted = {key: topic for key, topic in preset.items() if topic in there}
    elif name in PRESETS:
        wanted = {
            key: topic
            for key, topic in PRESETS[name].items()
            if topic in there or key not in _OPTIONAL
        }
    else:
        raise ConfigError(f'topics should be auto, none or one of {[*PRESETS]}, got {name!r}')
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


def _recognised(there: Collection[str]) -> str:
    """Give the preset whose image or true depth is there, empty if that is none of them."""
    for name, preset in PRESETS.items():
        if preset['image_topic'] in there or preset.get('depth_topic') in there:
            return name
    return ''
