# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""When the messages of a recording are due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from clip_depth_ros.types import RecordedMessage

IMAGE_TYPES: Final = frozenset({'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'})

_LOOP_PAUSE_S: Final = 0.1  # between the last message and the first one of the next round


class DueMessage(NamedTuple):
    """A message and when it is due, seconds after the first one."""

    due_s: float
    message: RecordedMessage


def schedule(
    messages: Iterable[RecordedMessage],
    *,
    rate: float = 1.0,
    hz: float | None = None,
    loop: bool = False,
) -> Iterator[DueMessage]:
    """
    Yield messages with their due times: at a fixed image rate if ``hz`` is given, else ``rate``.

    To loop, ``messages`` must be something that can be gone through again; an empty recording ends
    the loop.
    """
    start_s = 0.0
    while True:
        last_s: float | None = None
        n_images: Counter[str] = Counter()
        for due in at_image_rate(messages, hz) if hz else at_rate(messages, rate):
            last_s = start_s + due.due_s
            n_images[due.message.topic] += due.message.msgtype in IMAGE_TYPES
            yield due._replace(due_s=last_s)
        if last_s is None or not loop:
            return
        # The first topic that shows an image sets the pace, see at_image_rate.
        n_paced = next((n for n in n_images.values() if n), 1)
        start_s = start_s + n_paced / hz if hz else last_s + _LOOP_PAUSE_S


def at_rate(messages: Iterable[RecordedMessage], rate: float) -> Iterator[DueMessage]:
    """Yield messages as they were received, ``rate`` times as fast."""
    start_ns: int | None = None
    for message in messages:
        start_ns = message.bag_time_ns if start_ns is None else start_ns
        yield DueMessage((message.bag_time_ns - start_ns) / 1e9 / rate, message)


def at_image_rate(messages: Iterable[RecordedMessage], hz: float) -> Iterator[DueMessage]:
    """
    Yield image number n at n / ``hz`` seconds, and what lies between two images between them.

    Images of the first topic that shows one are counted; messages are in the order of their
    receive times. To read no further than needed, the time to the next image is taken to be that
    to the one before; a message never comes before its predecessor, nor after the next image.
    """
    topic: str | None = None
    n_images, image_ns, interval_ns = 0, 0, 0
    for message in messages:
        if topic is None and message.msgtype in IMAGE_TYPES:
            topic = message.topic
        if message.topic == topic:
            interval_ns = message.bag_time_ns - image_ns if n_images else 0
            image_ns = message.bag_time_ns
            n_images += 1
        is_measured = n_images > 1 and interval_ns > 0
        share = min((message.bag_time_ns - image_ns) / interval_ns, 1.0) if is_measured else 0.0
        yield DueMessage((max(n_images - 1, 0) + share) / hz, message)


def bag_time_at(elapsed_s: float, before: DueMessage, after: DueMessage) -> int:
    """
    Return the recording's time in nanoseconds, ``elapsed_s`` seconds after the first message.

    It runs evenly from one message to the next, and stands still where a new round begins.
    """
    start_ns = before.message.bag_time_ns
    span_ns = after.message.bag_time_ns - start_ns
    span_s = after.due_s - before.due_s
    if span_ns <= 0 or span_s <= 0:
        return start_ns
    share = (elapsed_s - before.due_s) / span_s
    return start_ns + int(span_ns * min(max(share, 0.0), 1.0))
