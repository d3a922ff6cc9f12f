# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Which files and folders are recordings, and what is used of the inside of rosbags' readers.

rosbags asks each chunk of an MCAP file whether it reaches into a window of time. An hour of camera
images has tens of thousands of chunks: milliseconds for each message that is looked up, in which
no other thread runs. Nothing promises that this inside stays: setup.cfg bounds the version, and
``test/bags/test_storage.py`` says what has changed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Generator
import copy
from functools import cached_property
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import Final
from urllib.parse import quote

import apsw
from clip_depth_ros.bags.bounds import check_concurrent, most_bytes, ROS1_DECOMPRESSORS
from clip_depth_ros.bags.checksums import check_summary
from clip_depth_ros.bags.foreign import check_mcap, check_metadata
from clip_depth_ros.errors import RecordingError
from rosbags.interfaces import Connection
from rosbags.rosbag1 import Reader as Ros1Reader
from rosbags.rosbag1.reader import Chunk, IndexData
from rosbags.rosbag2 import Reader
from rosbags.rosbag2.reader import DirectoryReader
from rosbags.rosbag2.storage_mcap import ChunkInfo, McapReader
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader

RECORDING_SUFFIXES: Final = ('.bag', '.mcap', '.db3')

_METADATA: Final = 'metadata.yaml'

REPAIR: Final = (
    'if the recording was cut off, repair it first (ROS 1: rosbag reindex; rosbag2 folder: '
    'ros2 bag reindex; MCAP file: mcap recover)'
)


def is_rosbag2_folder(folder: Path) -> bool:
    """Return whether a folder is a recording as rosbag2 writes it."""
    return (folder / _METADATA).is_file()


def files_of_recording(path: Path) -> list[Path]:
    """Return the files of a recording: itself, or those in its folder."""
    if not path.is_dir():
        return [path]
    return sorted(
        file
        for file in path.iterdir()
        if file.name == _METADATA or file.name.removesuffix('.zstd').endswith(RECORDING_SUFFIXES)
    )


def check_is_recording(path: Path) -> None:
    """
    Refuse what is no recording, or was cut off where a reader would not notice.

    The RecordingError says what to do.
    """
    if not path.exists():
        raise RecordingError(f'no recording at {str(path)!r}: it does not exist')
    if path.is_dir() and not is_rosbag2_folder(path):
        inside = sorted(p.name for p in path.iterdir() if p.suffix in RECORDING_SUFFIXES)
        advice = f'name one of its files instead: {inside}' if inside else 'nor any bag file'
        raise RecordingError(
            f'{str(path)!r} is no rosbag2 folder, it has no metadata.yaml; {advice}'
        )
    if path.is_file() and path.suffix not in RECORDING_SUFFIXES:
        raise RecordingError(
            f'a recording is a .bag, .mcap or .db3 file or a rosbag2 folder, got {str(path)!r} '
            '(a .bag.active file needs rosbag reindex, a compressed .zstd file its folder)'
        )
    if not (path.is_dir() or path.is_file()):
        raise RecordingError(f'{str(path)!r} should be a file or a folder, is neither')
    if path.is_dir():
        check_metadata(path)
    for file in filter(Path.is_file, [path] if path.suffix == '.mcap' else path.glob('*.mcap')):
        check_mcap(file)
    databases = [path] if path.suffix == '.db3' else sorted(path.glob('*.db3'))
    for database in filter(Path.is_file, databases):
        _check_is_whole_sqlite(database)


def _check_is_whole_sqlite(path: Path) -> None:
    """Refuse a file that ends within a page: SQLite would read zeros there and say nothing."""
    with path.open('rb') as file:
        header = file.read(100)  # 'Database File Format', sqlite.org/fileformat.html, 1.3
    page_bytes = int.from_bytes(header[16:18], 'big')
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    size = path.stat().st_size
    if not size:
        raise RecordingError(
            f'{str(path)!r} is empty, it has 0 bytes: nothing was recorded or copied; record or '
            'copy it again'
        )
    if len(header) < 100 or page_bytes == 0 or size % page_bytes:
        raise RecordingError(
            f'{str(path)!r} should be whole pages of {page_bytes} bytes, has {size} bytes: it is '
            f'no SQLite file or was cut off; {REPAIR}'
        )


class QuickMcapReader(McapReader):
    """rosbags' reader of MCAP files, which finds the chunks of a window by bisection."""

    def _open(self) -> None:
        """Read the index; refuse a damaged one, or one that takes memory out of all proportion."""
        if self.bio:
            check_summary(self.bio)
        super()._open()
        check_concurrent(self.chunks)

    def messages(
        self,
        connections: Collection[Connection],
        start: int | None = None,
        stop: int | None = None,
    ) -> Generator[tuple[Connection, int, bytes], None, None]:
        """Return what rosbags returns, without asking chunks outside of the window."""
        if not self.chunks or start is None or stop is None:
            yield from super().messages(connections, start, stop)
            return
        chunks, starts_ns, latest_ends_ns = self._in_order
        narrowed = copy.copy(self)
        narrowed.chunks = chunks[bisect_left(latest_ends_ns, start):bisect_left(starts_ns, stop)]
        if narrowed.chunks:
            yield from McapReader.messages(narrowed, connections, start, stop)

    @cached_property
    def _in_order(self) -> tuple[list[ChunkInfo], list[int], list[int]]:
        """Return the chunks by their starts, these, and the latest end up to each of them."""
        chunks = sorted(self.chunks, key=lambda chunk: chunk.message_start_time)
        starts_ns = [chunk.message_start_time for chunk in chunks]
        ends_ns = (chunk.message_end_time for chunk in chunks)
        return chunks, starts_ns, list(accumulate(ends_ns, max))


class BoundedSqliteReader(Sqlite3Reader):
    """rosbags' reader of SQLite files, of values that are not out of all proportion."""

    def __init__(self, path: Path) -> None:
        # It becomes a part of a URI, where "%2e%2e" and "?" would lead to another file.
        super().__init__(Path(quote(str(path))))
        self._most_bytes = most_bytes(path.stat().st_size)

    def _open(self) -> None:
        """Read the topics; what a generated column makes of nothing stays within bounds."""
        assert self.dbconn is not None
        self._bound(self.dbconn)
        apsw.connection_hooks.append(self._bound)  # rosbags opens another for the topics
        try:
            super()._open()
        finally:
            apsw.connection_hooks.remove(self._bound)

    def _bound(self, connection: apsw.Connection) -> None:
        connection.limit(apsw.SQLITE_LIMIT_LENGTH, self._most_bytes)
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)


class _QuickDirectoryReader(DirectoryReader):
    STORAGE_PLUGINS = {  # noqa: RUF012
        **DirectoryReader.STORAGE_PLUGINS,
        'mcap': QuickMcapReader,
        'sqlite3': BoundedSqliteReader,
    }

    def messages(
        self,
        connections: Collection[Connection],
        start: int | None = None,
        stop: int | None = None,
    ) -> Generator[tuple[Connection, int, bytes], None, None]:
        """Return the messages; those that are compressed one by one stay so."""
        self.metadata = self.metadata._replace(compression_mode=None)
        yield from super().messages(connections, start, stop)


class QuickReader(Reader):
    """rosbags' reader of all that rosbag2 writes, with :class:`QuickMcapReader`."""

    STORAGE_PLUGINS = {  # noqa: RUF012
        **Reader.STORAGE_PLUGINS,
        'dir': _QuickDirectoryReader,
        '.mcap': QuickMcapReader,
        '.db3': BoundedSqliteReader,
    }


class BoundedRos1Reader(Ros1Reader):
    """rosbags' reader of ROS 1 bags, of chunks and an index that fit the size of the file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._n_indexed = 0

    def read_chunk(self) -> Chunk:
        """Return a chunk, to be unpacked within bounds."""
        chunk = super().read_chunk()
        bounded = ROS1_DECOMPRESSORS.get(chunk.decompressor, chunk.decompressor)
        return chunk._replace(decompressor=bounded)

    def read_index_data(self, pos: int, indexes: dict[int, list[IndexData]]) -> None:
        """Read a part of the index; refuse to read the same part over and over."""
        assert self.bio is not None
        before = self.bio.tell()
        super().read_index_data(pos, indexes)
        self._n_indexed += self.bio.tell() - before
        if self._n_indexed > self.path.stat().st_size:
            raise ValueError('the index should be a part of the file, is larger')


def forget_chunk(reader: Ros1Reader) -> None:
    """Let other chunks of a ROS 1 bag be read after one that is damaged."""
    # rosbags closes the chunk it holds before it reads another; if that fails, it goes on taking
    # the closed one for what it holds.
    reader.current_chunk = (-1, BytesIO())
