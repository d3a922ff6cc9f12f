# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Playing a recording into ROS, at the pace it was made or another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
import time
from types import MappingProxyType
from typing import Final

from clip_depth_ros.errors import ConfigError, TopicError
from clip_depth_ros.ros.pacing import bag_time_at, DueMessage, IMAGE_TYPES, schedule
from clip_depth_ros.ros.publishers import node_apart, TopicPublishers
from clip_depth_ros.types import RecordedMessage
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from rosgraph_msgs.msg import Clock

_CLOCK_TOPIC: Final = '/clock'
_CLOCK_PERIOD_S: Final = 0.025  # 40 Hz, as ros2 bag play does
_DELIVERY_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOptions:
    """
    How to play a recording.

    Attributes
    ----------
    rate : float
        Speed: 2 plays twice as fast as recorded.
    hz : float, optional
        Instead of ``rate``: publish this many images per second, whatever their receive times;
        what lies between two images comes between them.
    loop : bool
        Start again at the end, until interrupted.
    clock : bool
        Publish ``/clock`` with the recording's receive times, for nodes with use_sim_time.
    remaps : mapping of str to str
        New topic names by recorded ones.
    latched : collection of str
        Recorded topics whose last message late subscribers shall get (transient local).
    wait_for : collection of str
        Topics, by their new names, to wait for a subscriber of before starting; named n times,
        for n subscribers.
    wait_timeout_s : float
        How long to wait for subscribers, seconds.

    Raises
    ------
    ConfigError
        If rate, hz or the time-out is not a positive number.

    """

    rate: float = 1.0
    hz: float | None = None
    loop: bool = False
    clock: bool = False
    remaps: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    latched: Collection[str] = ('/tf_static',)
    wait_for: Collection[str] = ()
    wait_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        for name in ('rate', 'hz', 'wait_timeout_s'):
            value = getattr(self, name)
            if value is not None and not 0 < value < float('inf'):
                raise ConfigError(f'{name} must be a positive number, got {value!r}')


def play(
    messages: Iterable[RecordedMessage],
    topics: Mapping[str, str],
    options: PlayOptions | None = None,
    *,
    on_published: Callable[[RecordedMessage], None] | None = None,
) -> dict[str, int]:
    """
    Publish messages until they end (or, looping, until interrupted).

    Parameters
    ----------
    messages : iterable of RecordedMessage
        In the order of their receive times; to loop, something that can be gone through again.
    topics : mapping of str to str
        Type by topic of what ``messages`` will give; all publishers are there before the first
        message. Types that are not installed are left out with a warning.
    options : PlayOptions, optional
        Pace, names, waiting.
    on_published : callable, optional
        Told of each message when its turn is over.

    Returns
    -------
    dict of str to int
        Number of messages published, by new topic name.

    Raises
    ------
    ConfigError
        If messages that can be gone through only once are to be looped.
    TopicError
        If a remapped topic is not among ``topics``, a new name is no topic name, too few
        subscribe in time, or images are to be counted and there are none.
    MissingDependencyError
        If no message type at all is installed.

    """
    options = options or PlayOptions()
    if options.loop and iter(messages) is messages:
        raise ConfigError('to loop, messages must be a collection, got an iterator that ends')
    if options.hz and IMAGE_TYPES.isdisjoint(topics.values()):
        raise TopicError(f'images per second need an image topic, the recording has {topics}')
    # The recording's own clock is left out where we make one.
    kept = {name: topics[name] for name in topics if not options.clock or name != _CLOCK_TOPIC}
    with node_apart('clip_depth_player') as node:
        publishers = TopicPublishers(node, kept, remaps=options.remaps, latched=options.latched)
        publishers.wait_for_subscribers(options.wait_for, options.wait_timeout_s)
        clock = _Clock(node if options.clock else None)
        for due in schedule(messages, rate=options.rate, hz=options.hz, loop=options.loop):
            clock.run_until(due)
            publishers.publish(due.message)
            if on_published is not None:
                on_published(due.message)
        publishers.wait_until_delivered(_DELIVERY_TIMEOUT_S)
        clock.wait_until_delivered(_DELIVERY_TIMEOUT_S)
        return dict(publishers.counts)


class _Clock:
    """Waits for messages to be due, telling the recording's time on ``/clock`` meanwhile."""

    def __init__(self, node: Node | None) -> None:
        self._publisher = None if node is None else node.create_publisher(Clock, _CLOCK_TOPIC, 10)
        self._start_s: float | None = None
        self._before: DueMessage | None = None

    def run_until(self, due: DueMessage) -> None:
        """Return when the message is due; at once when that is over."""
        if self._start_s is None:
            self._start_s = time.monotonic()
        while (remaining_s := self._start_s + due.due_s - time.monotonic()) > 0:
            time.sleep(min(remaining_s, _CLOCK_PERIOD_S) if self._publisher else remaining_s)
            if self._before is not None:
                self._tell(bag_time_at(time.monotonic() - self._start_s, self._before, due))
        self._tell(due.message.bag_time_ns)
        self._before = due

    def wait_until_delivered(self, timeout_s: float) -> None:
        """Wait until reliable subscribers know the last time."""
        if self._publisher is not None:
            self._publisher.wait_for_all_acked(Duration(nanoseconds=int(timeout_s * 1e9)))

    def _tell(self, bag_time_ns: int) -> None:
        if self._publisher is not None:
            self._publisher.publish(Clock(clock=Time(nanoseconds=bag_time_ns).to_msg()))
