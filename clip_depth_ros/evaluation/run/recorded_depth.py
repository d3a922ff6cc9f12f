# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth that something else has predicted, on a topic beside the images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
import math
from pathlib import Path
from typing import Any

from clip_depth_ros.bags.clocks import remedy
from clip_depth_ros.bags.damage import Damage, readable_messages
from clip_depth_ros.bags.message_types import DISPARITY_TYPE
from clip_depth_ros.bags.places import message_at, open_per_process, Place, place_of
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.topics import check_depth_topic, check_topic, first_message
from clip_depth_ros.core.depth_images import decode_depth, MM_PER_METRE
from clip_depth_ros.core.files import PerProcess
from clip_depth_ros.core.images import encoding_of, is_depth
from clip_depth_ros.core.stamps import ByStamp, PairBy
from clip_depth_ros.errors import ConfigError, DataError, ImageError, RecordingError, TopicError
from clip_depth_ros.sources.frame_reader import named_in_errors
from clip_depth_ros.sources.predicted import answer_of
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import DepthMap, MAX_IMAGE_PIXELS, PRED_KIND, PredKind
import numpy as np


class RecordedDepth:
    """
    The depth images of a topic as answers for images of the same recordings.

    Parameters
    ----------
    paths : mapping of str to Path
        The recording of each ``DepthSample.recording``.
    topic : str
        Depth images, 32FC1 metres or 16UC1 millimetres, of any size, maybe compressed; or
        ``stereo_msgs/DisparityImage``.
    tolerance_s : float
        Largest difference in time of an image and its depth; of what is equally near the one
        counts that was received nearest to the image.
    max_pixels : int
        Larger images are refused.
    pair_by : {'header', 'receive'}
        Whether their stamps are compared, or when they were received.
    per_metre : float
        What 16 bits store for each metre, 1 / m or pixel.
    kind : {'depth', 'disparity', 'inverse-depth', 'relative'}, optional
        What images hold, see :func:`answer_of`; of none, depth, and of ``DisparityImage``
        disparity, which becomes metres by the focal length and baseline that each has with it.

    Raises
    ------
    ConfigError
        If a ``DisparityImage`` is said to hold depth or inverse depth.
    TopicError
        If the topic is in none of the recordings that can be opened, or holds no depth images.

    Notes
    -----
    A recording is read through once, when the first of its frames is asked for; one at a time is
    open. What is damaged is left out: its frames have no depth then. One thread at a time may ask.

    """

    def __init__(
        self,
        paths: Mapping[str, Path],
        topic: str,
        tolerance_s: float,
        max_pixels: int = MAX_IMAGE_PIXELS,
        pair_by: PairBy = 'header',
        per_metre: float = MM_PER_METRE,
        kind: PredKind | None = None,
    ) -> None:
        self._paths, self._topic, self._tolerance_s = dict(paths), topic, tolerance_s
        self._max_pixels, self._per_metre = max_pixels, per_metre
        self._pair_by: PairBy = pair_by
        self._by_stamp: dict[str, ByStamp[Place]] = {}
        self._open: tuple[str, PerProcess[BagReader]] | None = None
        first = _first_somewhere(topic, self._paths)
        self._is_disparity = first is not None and _is_disparity(first)
        self._kind: PredKind = kind or ('disparity' if self._is_disparity else 'depth')
        self._is_16_bit = (
            first is not None and not self._is_disparity and encoding_of(first) == '16UC1'
        )
        if self._is_disparity:
            _check_disparity(topic, first, self._kind)

    def depth_of(self, sample: DepthSample) -> DepthMap:
        """
        Return the depth of a frame: of the message that was taken nearest to it.

        Raises
        ------
        DataError
            If the frame is of none of the recordings, the topic has no depth near enough, or that
            does not decode; it names the frame.

        """
        with named_in_errors(sample.name):
            return self._depth_of(sample)

    def describe(self) -> Mapping[str, str]:
        """Return what decides the answers."""
        by_receipt = {'pair_by': 'receive'} if self._pair_by == 'receive' else {}
        per_metre = {'per_metre': f'{self._per_metre:g}'} if self._is_16_bit else {}
        return {
            'pred_topic': self._topic, 'tolerance_s': f'{self._tolerance_s:g}', **by_receipt,
            **per_metre, **self._described_kind(),
        }

    def _described_kind(self) -> Mapping[str, str]:
        if self._kind == 'depth':
            return {}
        is_metric = self._is_disparity and self._kind == 'disparity'
        return {PRED_KIND: 'disparity with focal length and baseline' if is_metric else self._kind}

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
            _check_type(bag, self._topic)
            places = _readable_places(bag, self._topic, self._pair_by)
            self._by_stamp[sample.recording] = ByStamp(places)
        received_ns = sample.received_ns or 0
        time_ns = sample.stamp_ns if self._pair_by == 'header' else received_ns
        nearest = self._by_stamp[sample.recording].nearest(time_ns, received_ns)
        if nearest is None:
            raise DataError(f'{self._topic!r} has no messages')
        apart_s = abs(nearest.time_ns - time_ns) / 1e9
        if apart_s > self._tolerance_s:
            raise DataError(
                f'{self._topic!r} has no depth within sync_tolerance_s={self._tolerance_s:g}, the '
                f'nearest is {apart_s:.3f} s away{remedy(apart_s, self._pair_by)}'
            )
        message = message_at(bag, nearest)
        if _is_disparity(message):
            return _of_disparity(message, self._max_pixels, self._kind)
        if not is_depth(message):
            raise DataError(_no_depth(self._topic, encoding_of(message)))
        values = decode_depth(message, self._max_pixels, self._per_metre)
        if self._kind == 'relative' and encoding_of(message) != '32FC1':
            values = np.nan_to_num(values)  # 0 is what is farthest
        return answer_of(values, self._kind)

    def _bag(self, recording: str) -> BagReader:
        """Return an open recording; the one before it is closed."""
        if self._open is None or self._open[0] != recording:
            self.close()
            self._open = (recording, open_per_process(self._paths[recording]))
        return self._open[1].get()


def _readable_places(bag: BagReader, topic: str, pair_by: PairBy) -> Iterator[Place]:
    for message in readable_messages(bag, [topic], Damage()):
        with suppress(RecordingError):
            yield place_of(message, pair_by)


def _check_type(bag: BagReader, topic: str) -> None:
    """Refuse, with TopicError, what is neither images nor disparity."""
    if topic in bag.topics and DISPARITY_TYPE in bag.topics[topic].msgtypes:
        check_topic(bag, topic, {DISPARITY_TYPE})
    else:
        check_depth_topic(bag, topic)


def _first_somewhere(topic: str, paths: Mapping[str, Path]) -> Any:
    """
    Return the first message of a topic in the first recording that has it; None without messages.

    TopicError, before anything is computed, if it is in none, or is no depth.
    """
    reasons = []
    for path in paths.values():
        try:
            with BagReader(path) as bag:
                _check_type(bag, topic)
                message = first_message(bag, topic)
        except RecordingError as error:
            reasons.append(error)
            continue
        if message is not None and not (_is_disparity(message) or is_depth(message)):
            raise TopicError(f'pred_topic: {_no_depth(topic, encoding_of(message))}')
        return message
    if reasons:
        raise TopicError(f'pred_topic: {reasons[0]}') from reasons[0]
    return None


def _is_disparity(message: Any) -> bool:
    """Return whether this is a ``stereo_msgs/DisparityImage``."""
    return hasattr(message, 'min_disparity')


def _check_disparity(topic: str, message: Any, kind: PredKind) -> None:
    """Refuse a ``DisparityImage`` as something else, or without what makes metres of it."""
    if kind not in ('disparity', 'relative'):
        raise ConfigError(
            f'{topic!r} is stereo_msgs/DisparityImage, which is disparity, not pred_kind={kind}: '
            'leave pred_kind out'
        )
    if kind == 'disparity':
        try:
            _metres_px(message)
        except ImageError as error:
            raise TopicError(f'pred_topic: {topic!r}: {error}') from error


def _metres_px(message: Any) -> float:
    """Return depth times disparity, m px, of a ``DisparityImage``; ImageError if it has none."""
    product = abs(float(message.f) * float(message.t))
    if not (math.isfinite(product) and product > 0):
        raise ImageError(
            f'disparity needs a focal length and a baseline to become metres, and these are '
            f'f={message.f:g} px and T={message.t:g} m: to score its shape alone, set '
            'pred_kind=relative'
        )
    return product


def _of_disparity(message: Any, max_pixels: int, kind: PredKind) -> DepthMap:
    """
    Return the depth f T / d of a ``DisparityImage``, or relative inverse depth if that is asked.

    What is below ``min_disparity`` is unknown (stereo_msgs/DisparityImage.msg), and so is what is
    0 or below: no pair of pixels that see one point has that.
    """
    disparity_px = decode_depth(message.image, max_pixels)
    known = (disparity_px >= message.min_disparity) & (disparity_px > 0)
    disparity_px = np.where(known, disparity_px, np.float32(np.nan))
    if kind == 'relative':
        return answer_of(disparity_px, 'relative')
    return DepthMap(np.float32(_metres_px(message)) / disparity_px)


def _no_depth(topic: str, encoding: str) -> str:
    return (
        f"{topic!r} has images of encoding {encoding!r}, depth should be '32FC1' or '16UC1': name "
        'the topic on which the depth itself was published'
    )
