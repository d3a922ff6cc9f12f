# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which messages of a recording make a training frame: one pass over it, headers only."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from clip_depth_ros.data import topics
from clip_depth_ros.data.bag_topics import BagTopics
from clip_depth_ros.data.bags import BagReader
from clip_depth_ros.data.recorded_camera import recorded_camera, RecordedCamera
from clip_depth_ros.data.recorded_data import header_of
from clip_depth_ros.data.tf_tree import TransformTree
from clip_depth_ros.types import RecordedMessage
import numpy as np

Item = TypeVar('Item')


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message is: its topic, when it was received and taken (ns), and its frame."""

    topic: str
    bag_time_ns: int
    stamp_ns: int
    frame_id: str


@dataclass(frozen=True, slots=True)
class Pair:
    """An image and the depth that belongs to it."""

    image: Place
    depth: Place


@dataclass(slots=True)
class History(Generic[Item]):
    """Values that hold from a time on, until the next one."""

    times_ns: list[int] = field(default_factory=list)
    values: list[Item] = field(default_factory=list)

    def add(self, time_ns: int, value: Item) -> None:
        """Add a value; a time that falls behind counts as the newest there was."""
        if not self.values or self.values[-1] != value:
            self.times_ns.append(max(time_ns, *self.times_ns[-1:], 0))
            self.values.append(value)

    def newest(self, otherwise: Item) -> Item:
        """Give the value that was added last."""
        return self.values[-1] if self.values else otherwise

    def at(self, time_ns: int) -> Item:
        """Give the value in force; before the first one, that."""
        return self.since(time_ns)[0]

    def since(self, time_ns: int) -> Sequence[Item]:
        """Give the value in force and those after it."""
        return self.values[max(0, bisect_right(self.times_ns, time_ns) - 1):]


@dataclass(slots=True)
class BagIndex:
    """
    What one pass over a recording finds.

    Attributes
    ----------
    images, depths : list of Place
        In the order of their receive times.
    cameras : History of RecordedCamera
        By header stamp.
    transforms : History of TransformTree
        By receive time.

    """

    images: list[Place] = field(default_factory=list)
    depths: list[Place] = field(default_factory=list)
    cameras: History[RecordedCamera] = field(default_factory=History)
    transforms: History[TransformTree] = field(default_factory=History)


def index_bag(bag: BagReader, used: BagTopics) -> BagIndex:
    """
    Read through a recording once.

    Raises
    ------
    RecordingError
        If it is damaged.

    """
    index = BagIndex()
    wanted = {used.image, used.depth, used.camera_info, topics.TF_STATIC} & bag.topics.keys()
    for message in bag.messages(wanted):
        if message.topic == used.image:
            index.images.append(_place(message))
        elif message.topic == used.depth:
            index.depths.append(_place(message))
        elif message.topic == topics.TF_STATIC:
            tree = index.transforms.newest(TransformTree()).with_message(bag.decode(message))
            index.transforms.add(message.bag_time_ns, tree)
        else:
            stamp_ns = header_of(message).stamp_ns
            index.cameras.add(stamp_ns, recorded_camera(bag.decode(message)))
    return index


def paired(
    images: Sequence[Place], depths: Sequence[Place], tolerance_ns: int
) -> list[Pair]:
    """
    Give each image with the depth whose header stamp is nearest, where that is near enough.

    Of equally near ones the earlier counts; one depth may serve several images.
    """
    if not depths:
        return []
    ordered = sorted(depths, key=lambda place: place.stamp_ns)
    stamps = np.array([place.stamp_ns for place in ordered], np.int64)
    pairs = []
    for image in images:
        right = int(np.searchsorted(stamps, image.stamp_ns))
        nearest = min(
            ordered[max(0, right - 1):right + 1], key=lambda p: abs(p.stamp_ns - image.stamp_ns)
        )
        if abs(nearest.stamp_ns - image.stamp_ns) <= tolerance_ns:
            pairs.append(Pair(image, nearest))
    return pairs


def _place(message: RecordedMessage) -> Place:
    header = header_of(message)
    return Place(message.topic, message.bag_time_ns, header.stamp_ns, header.frame_id)
