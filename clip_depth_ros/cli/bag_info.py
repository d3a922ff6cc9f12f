# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``clip-depth bag info``: what a recording holds."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
import time

from clip_depth_ros.bags.reader import BagReader, BagTopic


def print_info(args: argparse.Namespace) -> int:
    """Print times and topics of a recording."""
    with BagReader(args.bag) as bag:
        for line in info_lines(bag):
            print(line)
    return 0


def info_lines(bag: BagReader) -> Iterator[str]:
    """Give the lines that tell what a recording holds."""
    yield f'recording  {bag.path}'
    span_ns = bag.time_span_ns
    if span_ns is not None:
        yield f'start      {_utc(span_ns[0])}'
        yield f'duration   {(span_ns[1] - span_ns[0]) / 1e9:.3f} s'
    topics = list(bag.topics.values())
    yield f'messages   {sum(topic.count for topic in topics)}'
    name_width = max((len(topic.name) for topic in topics), default=0)
    type_width = max((len(_types(topic)) for topic in topics), default=0)
    for topic in topics:
        latched = '  latched' if topic.latched else ''
        yield f'{topic.count:9d}  {topic.name:{name_width}}  {_types(topic):{type_width}}{latched}'


def _types(topic: BagTopic) -> str:
    return ', '.join(topic.msgtypes)


def _utc(time_ns: int) -> str:
    # Whole seconds and the rest apart: float seconds cannot hold nanoseconds.
    seconds, nanoseconds = divmod(time_ns, 10**9)
    try:
        moment = time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(seconds))
    except (OverflowError, OSError, ValueError):  # damaged times
        return f'{time_ns} ns'
    return f'{moment}.{nanoseconds:09d} UTC'
