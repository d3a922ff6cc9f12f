# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``clip-depth bag play``: a recording into ROS."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator

from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.errors import MissingDependencyError
from clip_depth_ros.types import RecordedMessage


class BagMessages:
    """The messages of an open recording, to be gone through any number of times."""

    def __init__(self, bag: BagReader, topics: Collection[str]) -> None:
        self._bag = bag
        self._topics = topics

    def __iter__(self) -> Iterator[RecordedMessage]:
        return self._bag.messages(self._topics)


def play_bag(args: argparse.Namespace) -> int:
    """Publish a recording through rclpy."""
    from clip_depth_ros.ros.environment import use_shipped_dds_profile

    use_shipped_dds_profile()
    with BagReader(args.bag) as bag:
        counts = _play(bag, args)
    for topic, count in sorted(counts.items()):
        print(f'{count:9d}  {topic}')
    return 0


def _play(bag: BagReader, args: argparse.Namespace) -> dict[str, int]:
    try:
        from clip_depth_ros.ros.player import play, PlayOptions
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f'playing needs ROS 2 ({error}): pip install "clip_depth_ros[ros]", or source a distro'
        ) from error
    from tqdm import tqdm

    names = list(bag.topics) if args.topics is None else args.topics
    bag.messages(names)  # refuses an unknown topic before anything starts
    chosen = {name: bag.topics[name] for name in names}
    options = PlayOptions(
        rate=args.rate,
        hz=args.hz,
        loop=args.loop,
        clock=args.clock,
        remaps=dict(args.remap),
        latched={'/tf_static', *(name for name, topic in chosen.items() if topic.latched)},
        wait_for=args.wait_for,
        wait_timeout_s=args.wait_timeout,
    )
    total = None if args.loop else sum(topic.count for topic in chosen.values())
    with tqdm(total=total, unit='message', disable=None) as bar:
        return play(
            BagMessages(bag, names),
            {name: topic.msgtype for name, topic in chosen.items()},
            options,
            on_published=lambda _: bar.update(),
        )
