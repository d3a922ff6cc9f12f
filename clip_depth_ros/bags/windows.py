# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Reading a moment of a long MCAP recording without looking at all of its chunks.

rosbags asks each chunk whether it reaches into a window of time. An hour of camera images has tens
of thousands: milliseconds for each message that is looked up, in which no other thread runs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Generator
import copy
from functools import cached_property
from itertools import accumulate

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader
from rosbags.rosbag2.reader import DirectoryReader
from rosbags.rosbag2.storage_mcap import ChunkInfo, McapReader


class QuickMcapReader(McapReader):
    """rosbags' reader of MCAP files, which finds the chunks of a window by bisection."""

    def messages(
        self,
        connections: Collection[Connection],
        start: int | None = None,
        stop: int | None = None,
    ) -> Generator[tuple[Connection, int, bytes], None, None]:
        """Give what rosbags gives, without asking chunks that are out of the question."""
        if not self.chunks or start is None or stop is None:
            yield from super().messages(connections, start, stop)
        elif chunks := self._between(start, stop):
            narrowed = copy.copy(self)
            narrowed.chunks = chunks
            yield from McapReader.messages(narrowed, connections, start, stop)

    def _between(self, start_ns: int, stop_ns: int) -> list[ChunkInfo]:
        """Give the chunks from the first that ends late enough to the last that starts in time."""
        chunks, starts_ns, latest_ends_ns = self._in_order
        first = bisect_left(latest_ends_ns, start_ns)
        return chunks[first:bisect_left(starts_ns, stop_ns)]

    @cached_property
    def _in_order(self) -> tuple[list[ChunkInfo], list[int], list[int]]:
        """Give the chunks by their starts, these, and the latest end up to each of them."""
        chunks = sorted(self.chunks, key=lambda chunk: chunk.message_start_time)
        starts_ns = [chunk.message_start_time for chunk in chunks]
        ends_ns = (chunk.message_end_time for chunk in chunks)
        return chunks, starts_ns, list(accumulate(ends_ns, max))


class _QuickDirectoryReader(DirectoryReader):
    STORAGE_PLUGINS = {**DirectoryReader.STORAGE_PLUGINS, 'mcap': QuickMcapReader}  # noqa: RUF012


class QuickReader(Reader):
    """rosbags' reader of all that rosbag2 writes, with :class:`QuickMcapReader`."""

    STORAGE_PLUGINS = {  # noqa: RUF012
        **Reader.STORAGE_PLUGINS,
        'dir': _QuickDirectoryReader,
        '.mcap': QuickMcapReader,
    }
