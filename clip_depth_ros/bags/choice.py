# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Which topics of a recording are the camera, its camera_info and its true depth, where none says so.

Drivers record a camera many times over: raw and compressed, rectified or not, beside infrared,
depth seen from two places, confidence and clouds made of that depth. What the messages say of
themselves (encoding, frame, fields) comes first, names of topics only where that leaves several.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import islice
import re
from typing import Any, Final, Literal

from clip_depth_ros.bags.damage import Damage, readable_messages
from clip_depth_ros.bags.foreign import other_lidars
from clip_depth_ros.bags.frames import REGISTERED
from clip_depth_ros.bags.message_types import (
    CAMERA_INFO_TYPE,
    CLOUD_TYPE,
    COMPRESSED_IMAGE_TYPE,
    IMAGE_TYPE,
)
from clip_depth_ros.bags.places import place_of
from clip_depth_ros.bags.poses import plain_frame
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.topics import (
    BagTopics,
    check_depth_topic,
    check_topic,
    first_message,
)
from clip_depth_ros.core.images import encoding_of, is_depth
from clip_depth_ros.errors import RecordingError, TopicError

_REMEDIES: Final = {
    'depth_topic': (
        'without true depth nothing can be scored or learned: record that of a depth camera or '
        'LiDAR with the images, or name a folder of depth maps with gt_dir; to see what the depth '
        'of your images looks like, clip-depth demo --bag needs none'
    ),
    'image_topic': 'record the images of the camera, too',
}
"""What to do where nothing is found, by the setting that would name it."""

WhetherDepth = Literal['needed', 'if there', 'none']

_IMAGES: Final = {IMAGE_TYPE, COMPRESSED_IMAGE_TYPE}

_GREY: Final = ('mono8', 'mono16', '8UC1')

_TRANSPORT: Final = re.compile(r'/(compressed|compressedDepth|theora|zstd|ffmpeg)$')
"""What image_transport adds to the name of the topic that it sends in another form, too."""

_NO_DEPTH: Final = re.compile('confidence|disparity|variance|uncertainty')
"""In names of topics of one number for each pixel, encoded as depth is, that hold none."""

_DEPTH_NAME: Final = re.compile('depth', re.IGNORECASE)
"""In names of topics of 16-bit grey that holds depth: so realsense-viewer records it."""

_RECTIFIED: Final = re.compile('rect(?!angle)')
_COLOUR_NAME: Final = re.compile('/(rgb|colou?r)/')


def choose_topics(
    bag: BagReader,
    *,
    image_topic: str = '',
    camera_info_topic: str = '',
    depth_topic: str = '',
    lidar_topic: str = '',
    class_topic: str = '',
    pred_topics: Collection[str] = (),
    ignored: Collection[str] = (),
    depth: WhetherDepth = 'needed',
    image_may_be_depth: bool = False,
) -> BagTopics:
    """
    Complete topics that are not named.

    Parameters
    ----------
    bag : BagReader
        Open.
    image_topic, camera_info_topic, depth_topic, lidar_topic : str
        Empty ones are found: the camera, in colour where there is one, of which the depth is; the
        camera_info beside it; its depth. That is the LiDAR's, else that of depth images, which
        clouds made of depth images are no LiDAR beside.
    class_topic : str
        Images of class ids; empty: none.
    pred_topics : collection of str
        What other nodes have made of the camera's images: neither the camera nor its depth, if
        there is another.
    ignored : collection of str
        Topics that count as not there.
    depth : {'needed', 'if there', 'none'}
        Whether depth is to come from the recording.
    image_may_be_depth : bool
        Whether depth images may stand for the camera's, where they are named so or it has none.

    Raises
    ------
    TopicError
        If a topic is missing or of another type, or there are several to choose from; the message
        lists what there is, by kind.

    """
    found = _Found(bag, {*ignored, class_topic}, frozenset(pred_topics))
    truth, is_lidar = '', bool(lidar_topic) and not depth_topic
    if depth != 'none':
        is_lidar = is_lidar or (not depth_topic and found.has_lidar)
        if is_lidar:
            truth = found.lidar(lidar_topic)
        elif depth == 'needed' or depth_topic or found.depths:
            truth = found.depth(depth_topic, image_topic)
    own = truth if not is_lidar else ''
    stand_in = own if image_may_be_depth else ''
    image = found.camera(image_topic, own, stand_in, may_be_depth=image_may_be_depth)
    if image == truth != stand_in:
        raise TopicError(
            f'{image!r} cannot be both the camera and its depth: name another image_topic or '
            f'depth_topic. {found.by_kind()}'
        )
    if found.holds_depth(image) and not image_may_be_depth:
        raise TopicError(
            f'{image!r} holds depth, and the images of the camera are wanted: name another '
            f'image_topic. {found.by_kind()}'
        )
    info = check_topic(bag, camera_info_topic, {CAMERA_INFO_TYPE}) if camera_info_topic else ''
    depth_info = found.depth_info(image, own) if own else ''
    return BagTopics(
        image=image,
        depth=truth,
        camera_info=info or found.info_beside(image, but=depth_info),
        is_lidar=is_lidar,
        class_ids=check_topic(bag, class_topic, {IMAGE_TYPE}) if class_topic else '',
        depth_info=depth_info,
    )


def recorded_per_metre(bag: BagReader, depth: str) -> float | None:
    """Return what depth in 16 bits stores for each metre, where realsense-viewer recorded it."""
    for name in _namespaces(depth):
        units = f'{name}/option/Depth_Units/value'
        if units in bag.topics and (message := first_message(bag, units)) is not None:
            return float(f'{1 / message.data:.6g}') if message.data > 0 else None
    return None


class _Found:
    """What the first messages of a recording say of its topics; each is read but once."""

    def __init__(self, bag: BagReader, ignored: set[str], preds: frozenset[str]) -> None:
        self._bag = bag
        self._preds = preds
        self._firsts: dict[str, Any] = {}
        self._topics = {name: each for name, each in bag.topics.items() if name not in ignored}
        images = self._of_type(*_IMAGES)
        # image_transport announces what nobody asks for, and recorders note it down: empty topics.
        self._images = [topic for topic in images if self._topics[topic].count] or images

    @cached_property
    def depths(self) -> list[str]:
        """Return topics of depth images, those of predictions only if there are no others."""
        all_of_them = [topic for topic in self._images if self.holds_depth(topic)]
        named_else = [topic for topic in all_of_them if not _NO_DEPTH.search(topic)]
        found = named_else or all_of_them
        return [topic for topic in found if topic not in self._preds] or found

    @cached_property
    def cameras(self) -> list[str]:
        """Return topics of pictures, in colour if there are any, each in one form."""
        there = [topic for topic in self._images if not self.holds_depth(topic)]
        there = [topic for topic in there if topic not in self._preds] or there
        return self._once_each(_those(there, self._is_colour))

    @cached_property
    def has_lidar(self) -> bool:
        """Say whether there are clouds that are no depth images in another form."""
        return bool(self._lidars)

    @cached_property
    def _lidars(self) -> list[str]:
        clouds = self._of_type(CLOUD_TYPE)
        if not clouds or not self.depths:
            return clouds
        return [topic for topic in clouds if not self._is_made_of_depth(topic)]

    def lidar(self, named: str) -> str:
        """Return the topic of the LiDAR."""
        if named:
            return check_topic(self._bag, named, {CLOUD_TYPE})
        return self._only(self._lidars, 'the LiDAR', 'lidar_topic (or a depth_topic)')

    def depth(self, named: str, image: str) -> str:
        """Return the topic of depth images: that of the camera where there are several."""
        if named:
            return check_depth_topic(self._bag, named)
        found = self._once_each(self.depths)
        if len(found) > 1:
            frames = {self._frame(topic) for topic in ([image] if image else self.cameras)}
            found = _those(found, lambda topic: self._frame(topic) in frames - {''})
            found = _those(found, lambda topic: bool(REGISTERED.search(topic)))
        return self._only(self._same_view(found), 'depth (and no LiDAR)', 'depth_topic')

    def camera(self, named: str, depth: str, stand_in: str, *, may_be_depth: bool) -> str:
        """Return the topic of the camera: that which the depth is of where there are several."""
        if named:
            return check_topic(self._bag, named, _IMAGES)
        found = self.cameras
        if not found and may_be_depth:
            return stand_in or self._only(self._images, 'the camera', 'image_topic')
        if len(found) > 1 and depth:
            found = _those(found, lambda topic: self._frame(topic) == self._frame(depth) != '')
        return self._only(self._same_view(found), 'the camera', 'image_topic')

    def depth_info(self, image: str, depth: str) -> str:
        """
        Return the camera_info of a depth camera, by its frame, else by its namespace.

        Nothing if that is the camera's own, by its frame, or where frames are left empty or are
        numbers (realsense-viewer calls all of them 0), by its namespace.
        """
        infos = self._of_type(CAMERA_INFO_TYPE)
        frame, image_frame = self._frame(depth), self._frame(image)
        if frame == image_frame and not frame.strip('0123456789'):
            beside = _in_namespace(depth, infos)
            return beside if beside != _in_namespace(image, infos) else ''
        if not frame or frame == image_frame:
            return ''
        found = [info for info in infos if self._frame(info) == frame]
        beside = _in_namespace(depth, [i for i in infos if self._frame(i) != image_frame])
        return beside if beside in found or not found else found[0]

    def info_beside(self, image: str, *, but: str) -> str:
        """
        Return the camera_info in the image's namespace, else the only other of its frame.

        Of several, the only one in the folder of the image.
        """
        infos = [i for i in self._of_type(CAMERA_INFO_TYPE) if i != but]
        if beside := _in_namespace(image, infos):
            return beside
        if len(infos) > 1 and (frame := self._frame(image)):
            infos = [info for info in infos if self._frame(info) == frame]
        if len(infos) > 1:
            infos = [info for info in infos if _folder(info) == _folder(image)]
        return infos[0] if len(infos) == 1 else ''

    def holds_depth(self, topic: str) -> bool:
        """Say whether a topic of images is one of depth, or of numbers like it."""
        image = self._first(topic)
        if image is None:
            return False
        is_named = bool(_DEPTH_NAME.search(topic))
        return is_depth(image) or (is_named and encoding_of(image) == 'mono16')

    def by_kind(self) -> str:
        """Return what the recording has, topics by what they are."""
        depths = [topic for topic in self._images if self.holds_depth(topic)]
        kinds = {
            'camera images': [topic for topic in self._images if topic not in depths],
            'depth images': depths,
            'clouds': self._of_type(CLOUD_TYPE),
            'camera_info': self._of_type(CAMERA_INFO_TYPE),
        }
        kinds['others'] = sorted(self._topics.keys() - set().union(*kinds.values()))
        listed = (f'{kind}: {", ".join(topics)}' for kind, topics in kinds.items() if topics)
        return f'It has {"; ".join(listed) or "no topics"}'

    def _only(self, found: Sequence[str], what: str, setting: str) -> str:
        """Return the only one; TopicError that says what there is."""
        if len(found) == 1:
            return found[0]
        for topic in [] if found else self._of_type(IMAGE_TYPE, CLOUD_TYPE):
            for message in islice(readable_messages(self._bag, [topic], Damage()), 1):
                place_of(message)  # says why nothing of this kind was found, if it is no CDR
        lidars = other_lidars({t: kind for t in self._topics for kind in self._topics[t].msgtypes})
        listed = f': {", ".join(found)}' if found else ''
        remedy = f'name one with {setting}' if found else _REMEDIES.get(setting, 'record some')
        raise TopicError(
            f'{str(self._bag.path)!r} has {len(found)} topics that could be {what}{listed}; '
            f'{remedy}. {self.by_kind()}{lidars if "LiDAR" in what else ""}'
        )

    def _of_type(self, *msgtypes: str) -> list[str]:
        return [name for name, topic in self._topics.items() if {*msgtypes} & {*topic.msgtypes}]

    def _first(self, topic: str) -> Any:
        if topic not in self._firsts:
            self._firsts[topic] = first_message(self._bag, topic)
        return self._firsts[topic]

    def _frame(self, topic: str) -> str:
        """Return the frame of the first readable message of a topic."""
        for message in readable_messages(self._bag, [topic], Damage()):
            with suppress(RecordingError):
                return plain_frame(place_of(message).frame_id)
        return ''

    def _is_colour(self, topic: str) -> bool:
        image = self._first(topic)
        return image is None or encoding_of(image) not in _GREY

    def _is_made_of_depth(self, cloud: str) -> bool:
        """Say whether a cloud is depth images in another form: coloured, or of their frame."""
        first = self._first(cloud)
        fields = {field.name for field in first.fields} if first is not None else set()
        frames = {self._frame(topic) for topic in self.depths}
        return not fields.isdisjoint(('rgb', 'rgba')) or self._frame(cloud) in frames - {''}

    def _once_each(self, topics: Sequence[str]) -> list[str]:
        """Return each topic in one form, raw where it is there so."""
        forms: dict[str, str] = {}
        for topic in sorted(topics, key=lambda each: (bool(_TRANSPORT.search(each)), each)):
            forms.setdefault(_TRANSPORT.sub('', topic), topic)
        return sorted(forms.values())

    def _same_view(self, topics: Sequence[str]) -> list[str]:
        """Return the better ones of topics of one frame: raw, rectified, by names of colour."""
        if len({self._frame(topic) for topic in topics}) == 1:
            topics = _those(topics, lambda topic: topic in self._of_type(IMAGE_TYPE))
            for name in (_RECTIFIED, _COLOUR_NAME):
                topics = [topic for topic in topics if name.search(topic)] or topics
        return [*topics]


def _those(topics: Sequence[str], fit: Callable[[str], bool]) -> list[str]:
    """Return the topics that fit; all of them if none does."""
    return [topic for topic in topics if fit(topic)] or [*topics]


def _in_namespace(topic: str, infos: Sequence[str]) -> str:
    """Return the camera_info in the namespace of a topic, or in the nearest one above."""
    for name in _namespaces(topic):
        for own in (f'{name}/camera_info', f'{name}/info/camera_info'):
            if own in infos:
                return own
    return ''


def _namespaces(topic: str) -> Iterator[str]:
    while topic := _folder(topic):
        yield topic


def _folder(topic: str) -> str:
    return topic.rpartition('/')[0]
