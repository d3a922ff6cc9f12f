# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth that another node has recorded beside the images: one of the topics of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from clip_depth_ros.bags.damage import Damage, readable_messages
from clip_depth_ros.bags.message_types import IMAGE_TYPE
from clip_depth_ros.bags.places import message_at, open_per_process, Place, place_of
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.topics import check_topic, encoding_of
from clip_depth_ros.core.depth_images import decode_depth
from clip_depth_ros.core.files import PerProcess
from clip_depth_ros.core.images import DEPTH_ENCODINGS
from clip_depth_ros.core.stamps import ByStamp
from clip_depth_ros.errors import DataError, RecordingError, TopicError
from clip_depth_ros.sources.frame_reader import named_in_errors
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import DepthMap


class RecordedDepth:
    """
    The depth images of a topic as answers for images of the same recordings.

    Parameters
    ----------
    paths : mapping of str to Path
        The recording of each ``DepthSample.recording``.
    topic : str
        Depth images, 32FC1 metres or 16UC1 millimetres, of any size.
    tolerance_s : float
        Largest difference of the header stamps of an image and its depth; of what is equally near
        the one counts that was received nearest to the image.

    Raises
    ------
    TopicError
        If the topic is in none of the recordings that can be opened, or holds no depth images.

    Notes
    -----
    A recording is read through once, when the first of its frames is asked for; one at a time is
    open. What is damaged is left out: its frames have no depth then. One thread at a time may ask.

    """

    def __init__(self, paths: Mapping[str, Path], topic: str, tolerance_s: float) -> None:
        self._paths, self._topic, self._tolerance_s = dict(paths), topic, tolerance_s
        self._by_stamp: dict[str, ByStamp[Place]] = {}
        self._open: tuple[str, PerProcess[BagReader]] | None = None
        _check_is_somewhere(topic, self._paths)

    def depth_of(self, sample: DepthSample) -> DepthMap:
        """
        Give the depth of a frame: of the message that was taken nearest to it.

        Raises
        ------
        DataError
            If the frame is of none of the recordings, the topic has no depth near enough, or that
            does not decode; it names the frame.

        """
        with named_in_errors(sample.name):
            return self._depth_of(sample)

    def describe(self) -> Mapping[str, str]:
        """Give what decides the answers."""
        return {'pred_topic': self._topic, 'tolerance_s': f'{self._tolerance_s:g}'}

    def close(self) -> None:
        """Close the recording; it is opened again when a frame is asked for."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _depth_of(self, sample: DepthSample) -> DepthMap:
        if sample.recording not in self._paths or sample.stamp_ns is None:
            raise DataError(
                f'a frame with a stamp, of one of the recordings {[*self._paths]}, can have depth '
                f'on {self._topic!r}; this one is of {sample.recording!r}'
            )
        bag = self._bag(sample.recording)
        if sample.recording not in self._by_stamp:
            check_topic(bag, self._topic, {IMAGE_TYPE})
            self._by_stamp[sample.recording] = ByStamp(_readable_places(bag, self._topic))
        nearest = self._by_stamp[sample.recording].nearest(
            sample.stamp_ns, sample.received_ns or 0
        )
        if nearest is None:
            raise DataError(f'{self._topic!r} has no messages')
        apart_s = abs(nearest.stamp_ns - sample.stamp_ns) / 1e9
        if apart_s > self._tolerance_s:
            raise DataError(
                f'{self._topic!r} has no depth within sync_tolerance_s={self._tolerance_s:g}, the '
                f'nearest is {apart_s:.3f} s away'
            )
        message = message_at(bag, nearest)
        if message.encoding not in DEPTH_ENCODINGS:
            raise DataError(_no_depth(self._topic, message.encoding))
        return DepthMap(decode_depth(message))

    def _bag(self, recording: str) -> BagReader:
        """Give an open recording; the one before it is closed."""
        if self._open is None or self._open[0] != recording:
            self.close()
            self._open = (recording, open_per_process(self._paths[recording]))
        return self._open[1].get()


def _readable_places(bag: BagReader, topic: str) -> Iterator[Place]:
    for message in readable_messages(bag, [topic], Damage()):
        with suppress(RecordingError):
            yield place_of(message)


def _check_is_somewhere(topic: str, paths: Mapping[str, Path]) -> None:
    """Refuse a topic that is nowhere, or no depth, before anything is computed."""
    reasons = []
    for path in paths.values():
        try:
            with BagReader(path) as bag:
                check_topic(bag, topic, {IMAGE_TYPE})
                encoding = encoding_of(bag, topic)
                if encoding and encoding not in DEPTH_ENCODINGS:
                    raise TopicError(_no_depth(topic, encoding))
                return
        except RecordingError as error:
            reasons.append(error)
    if reasons:
        raise TopicError(f'pred_topic: {reasons[0]}') from reasons[0]


def _no_depth(topic: str, encoding: str) -> str:
    return (
        f"{topic!r} has images of encoding {encoding!r}, depth should be '32FC1' or '16UC1': name "
        'the topic on which the depth itself was published'
    )
