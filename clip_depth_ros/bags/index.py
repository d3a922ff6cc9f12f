# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a recording holds and where: one pass over it, mostly headers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from clip_depth_ros.bags import topics
from clip_depth_ros.bags.damage import Damage, readable_messages
from clip_depth_ros.bags.message_types import TRANSFORMS_TYPE
from clip_depth_ros.bags.places import Place, place_of
from clip_depth_ros.bags.poses import plain_frame, PoseTree, TransformTree
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.topics import BagTopics
from clip_depth_ros.core.camera import Calibration
from clip_depth_ros.core.stamps import PairBy
from clip_depth_ros.errors import DataError
from clip_depth_ros.types import RecordedMessage

Item = TypeVar('Item')


@dataclass(slots=True)
class History(Generic[Item]):
    """Values, each in force from its time until the next one."""

    times_ns: list[int] = field(default_factory=list)
    values: list[Item] = field(default_factory=list)

    def add(self, time_ns: int, value: Item) -> None:
        """Add a value; a time that falls behind counts as the newest so far."""
        if not self.values or self.values[-1] != value:
            self.times_ns.append(max(time_ns, *self.times_ns[-1:], 0))
            self.values.append(value)

    def at(self, time_ns: int) -> Item:
        """Return the value in force; before the first one, the first."""
        return self.since(time_ns)[0]

    def since(self, time_ns: int) -> Sequence[Item]:
        """Return the value in force and those after it."""
        return self.values[max(0, bisect_right(self.times_ns, time_ns) - 1):]


@dataclass(slots=True)
class BagIndex:
    """
    What one pass over a recording finds.

    Attributes
    ----------
    images, depths, class_ids : list of Place
        In the order of their receive times.
    cameras : History of Calibration
        By the times that images are paired by.
    camera_frames : set of str
        Of which frames they are.
    depth_cameras : History of Calibration
        The same of depth images that are of another frame.
    transforms : History of TransformTree
        The static ones, by receive time.
    poses : PoseTree
        All transforms.
    damage : Damage
        What could not be read.

    """

    images: list[Place] = field(default_factory=list)
    depths: list[Place] = field(default_factory=list)
    class_ids: list[Place] = field(default_factory=list)
    cameras: History[Calibration] = field(default_factory=History)
    camera_frames: set[str] = field(default_factory=set)
    depth_cameras: History[Calibration] = field(default_factory=History)
    transforms: History[TransformTree] = field(default_factory=History)
    poses: PoseTree = field(default_factory=PoseTree)
    damage: Damage = field(default_factory=Damage)


def index_bag(
    bag: BagReader,
    used: BagTopics,
    *,
    allow_damage: bool = False,
    pair_by: PairBy = 'header',
) -> BagIndex:
    """
    Read through a recording once.

    Parameters
    ----------
    bag : BagReader
        Open.
    used : BagTopics
        What is wanted of it, besides transforms.
    allow_damage : bool
        Whether to go on where something cannot be read.
    pair_by : {'header', 'receive'}
        Which times will say what belongs together.

    Raises
    ------
    DataError
        If it is damaged, unless that is allowed.

    """
    index = BagIndex(poses=PoseTree(pair_by))
    wanted = _wanted(bag, used)
    messages = (
        readable_messages(bag, wanted, index.damage) if allow_damage else bag.messages(wanted)
    )
    for message in messages:
        try:
            _take(index, bag, used, message, pair_by)
        except DataError as error:
            if not allow_damage:
                raise
            index.damage.add(
                f'{bag.path.name} {message.topic}',
                str(error),
                since_ns=message.bag_time_ns if message.topic == used.image else None,
            )
    # The files of a split recording come one after the other and may overlap.
    for places in (index.images, index.depths, index.class_ids):
        places[:] = sorted(dict.fromkeys(places), key=lambda place: place.received_ns)
    return index


def _wanted(bag: BagReader, used: BagTopics) -> set[str]:
    there = bag.topics
    wanted = {used.image, used.depth, used.camera_info, used.depth_info, used.class_ids}
    for topic in (topics.TF, topics.TF_STATIC):
        if topic in there and there[topic].msgtypes == (TRANSFORMS_TYPE,):
            wanted.add(topic)
    return wanted & there.keys()


def _take(
    index: BagIndex, bag: BagReader, used: BagTopics, message: RecordedMessage, pair_by: PairBy
) -> None:
    topic, time_ns = message.topic, message.bag_time_ns
    for wanted, places in (
        (used.image, index.images),
        (used.depth, index.depths),  # which may be the images, too
        (used.class_ids, index.class_ids),
    ):
        if topic == wanted:
            places.append(place_of(message, pair_by))
    for wanted, cameras in (
        (used.camera_info, index.cameras),
        (used.depth_info, index.depth_cameras),  # which may be the same
    ):
        if topic == wanted:
            place = place_of(message, pair_by)
            cameras.add(place.time_ns, Calibration.of(bag.decode(message)))
            if topic == used.camera_info:
                index.camera_frames.add(plain_frame(place.frame_id))
    if topic == topics.TF:
        index.poses.add(bag.decode(message), time_ns, is_static=False)
    elif topic == topics.TF_STATIC:
        decoded: Any = bag.decode(message)
        index.poses.add(decoded, time_ns, is_static=True)
        *_, newest = TransformTree(), *index.transforms.values
        index.transforms.add(time_ns, newest.with_message(decoded))
