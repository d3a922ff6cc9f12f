# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reading past the gaps of a damaged recording, and a record of what is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.errors import RecordingError
from clip_depth_ros.types import RecordedMessage


@dataclass(slots=True)
class Damage:
    """
    What cannot be read of a recording.

    Attributes
    ----------
    problems : list of (str, str)
        What is damaged, and how.
    since_ns : int, optional
        Receive time before which nothing is missing; None if nothing is missing at all.

    """

    problems: list[tuple[str, str]] = field(default_factory=list)
    since_ns: int | None = None

    def add(self, what: str, why: str, *, since_ns: int | None) -> None:
        """Add a problem, and the time from which messages may be missing because of it."""
        self.problems.append((what, why))
        if since_ns is not None and (self.since_ns is None or since_ns < self.since_ns):
            self.since_ns = since_ns


def readable_messages(
    bag: BagReader, topics: Collection[str], damage: Damage
) -> Iterator[RecordedMessage]:
    """
    Return the readable messages, in the order of :meth:`BagReader.messages`.

    Where the reader ends with an error, this goes on at the next time from which it reads again.
    Messages received within the same nanosecond as the last one before a gap may be lost.
    ``damage`` receives a problem for each gap.
    """
    n_stated = sum(bag.topics[topic].count for topic in topics)
    first_ns, last_ns = bag.time_span_ns or (0, 0)
    n_read, read_until_ns = 0, first_ns - 1
    start_ns: int | None = None
    while True:
        messages = bag.messages(topics, start_ns=start_ns)
        try:
            for message in messages:
                yield message
                n_read, read_until_ns = n_read + 1, message.bag_time_ns
            return
        except RecordingError as error:
            start_ns = _readable_from(bag, topics, read_until_ns, last_ns)
            until = 'the end' if start_ns is None else f'{(start_ns - first_ns) / 1e9:.3f} s'
            why = (
                f'after {n_read} of {n_stated} messages, from '
                f'{(read_until_ns + 1 - first_ns) / 1e9:.3f} s to {until}: '
                f'{error.__cause__ or error}'
            )
            damage.add(bag.path.name, why, since_ns=read_until_ns + 1)
        if start_ns is None:
            return


def _readable_from(
    bag: BagReader, topics: Collection[str], after_ns: int, last_ns: int
) -> int | None:
    """Return the first time from which messages can be read; None if there is none."""
    fails_ns, reads_ns, step_ns = after_ns, after_ns, 1
    while fails_ns < last_ns:
        reads_ns = min(after_ns + step_ns, last_ns)
        if _reads(bag, topics, reads_ns):
            break
        # Not much longer than what is damaged, or the next damage may be taken for this one.
        fails_ns, step_ns = reads_ns, step_ns * 3 // 2 + 1
    else:
        return None
    while reads_ns - fails_ns > 1:
        middle_ns = (fails_ns + reads_ns) // 2
        if _reads(bag, topics, middle_ns):
            reads_ns = middle_ns
        else:
            fails_ns = middle_ns
    return reads_ns


def _reads(bag: BagReader, topics: Collection[str], start_ns: int) -> bool:
    """Return whether there is a message from a time on, and the first one can be read."""
    try:
        return next(bag.messages(topics, start_ns=start_ns), None) is not None
    except RecordingError:
        return False
