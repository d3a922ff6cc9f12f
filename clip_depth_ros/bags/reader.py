# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Reading recordings without ROS: ROS 1 bags, rosbag2 folders, bare MCAP and SQLite files.

Whatever the recording is, its messages come out in ROS 2's wire format, in time order, one at a
time::

    with BagReader('drive.bag') as bag:
        for message in bag.messages(['/camera/image_raw']):
            image = bag.decode(message)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
import contextlib
from dataclasses import dataclass
from pathlib import Path

from clip_depth_ros.bags.bounds import plain_recording
from clip_depth_ros.bags.message_types import BagTypes, normalized_msgtype
from clip_depth_ros.bags.storage import (
    BoundedRos1Reader,
    check_is_recording,
    forget_chunk,
    QuickReader,
    REPAIR,
)
from clip_depth_ros.errors import ClipDepthError, did_you_mean, RecordingError, TopicError
from clip_depth_ros.types import RecordedMessage
from rosbags.interfaces import Connection, ConnectionExtRosbag2, QosDurability


@dataclass(frozen=True, slots=True)
class BagTopic:
    """
    A topic of a recording.

    Attributes
    ----------
    name : str
        As recorded.
    msgtypes : tuple of str
        Types recorded under this name, nearly always one, ``sensor_msgs/msg/Image``.
    count : int
        Messages that the recording states to hold.
    latched : bool
        Whether late subscribers got the last message (latched in ROS 1, transient local in ROS 2).

    """

    name: str
    msgtypes: tuple[str, ...]
    count: int
    latched: bool

    @property
    def msgtype(self) -> str:
        """Type of a topic that has one; else :class:`RecordingError`."""
        if len(self.msgtypes) != 1:
            raise RecordingError(
                f'topic {self.name!r} should have one type, has {list(self.msgtypes)}: filter '
                'the recording so that one is left'
            )
        return self.msgtypes[0]


class BagReader:
    """
    A recording, open for reading; to be used in a ``with`` statement.

    Parameters
    ----------
    path : str or Path
        A ROS 1 ``.bag``, a rosbag2 folder (MCAP or SQLite; files or messages may be compressed
        with zstd), or a bare ``.mcap`` or ``.db3`` file.

    Raises
    ------
    RecordingError
        On entering, if this is no recording, or one without its index or with a damaged one.

    Notes
    -----
    Message definitions come from the recording; where it has none (SQLite before ROS 2 Iron),
    ROS 2's standard types are used. The files of a split recording are read one after the other,
    as they are listed.

    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._reader: BoundedRos1Reader | QuickReader | None = None

    def __enter__(self) -> BagReader:
        with self._explained('cannot open'), contextlib.ExitStack() as unpacked:
            check_is_recording(self.path)
            is_ros1 = self.path.suffix == '.bag'
            path = self.path
            if path.is_dir():
                path = unpacked.enter_context(plain_recording(path))
            reader = BoundedRos1Reader(path) if is_ros1 else QuickReader(path)
            reader.open()
            # SQLite gives whatever a damaged file holds: a topic without a name is none.
            self._connections = [
                each
                for each in reader.connections
                if isinstance(each.topic, str) and isinstance(each.msgtype, str)
            ]
            self._types = BagTypes(self._connections, is_ros1=is_ros1)
            self._reader = reader
            self._unpacked = unpacked.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            with self._explained('cannot close'), self._unpacked:
                reader.close()

    @property
    def topics(self) -> dict[str, BagTopic]:
        """Topics by name."""
        by_name: dict[str, list[Connection]] = {}
        for connection in self._open_connections():
            by_name.setdefault(connection.topic, []).append(connection)
        return {
            name: BagTopic(
                name,
                msgtypes=tuple(sorted({normalized_msgtype(c.msgtype) for c in connections})),
                count=sum(c.msgcount for c in connections),
                latched=any(map(_is_latched, connections)),
            )
            for name, connections in sorted(by_name.items())
        }

    @property
    def time_span_ns(self) -> tuple[int, int] | None:
        """Receive times of the first and the last message; None if there are no messages."""
        self._open_connections()
        assert self._reader is not None
        with self._explained('cannot read the times of'):
            if not self._reader.message_count:
                return None
            return self._reader.start_time, self._reader.end_time - 1

    def messages(
        self,
        topics: Collection[str] | None = None,
        *,
        start_ns: int | None = None,
        stop_ns: int | None = None,
    ) -> Iterator[RecordedMessage]:
        """
        Return the messages in the order of their receive times, reading as they are asked for.

        Parameters
        ----------
        topics : collection of str, optional
            Topics to read; None: all.
        start_ns, stop_ns : int, optional
            Only what was received from the one until before the other, nanoseconds; recordings
            with an index are not read through for that.

        Raises
        ------
        TopicError
            At once, if the recording has no such topic.
        RecordingError
            While iterating, if a message cannot be read, or there are fewer than the recording
            states; it says how many were read before.

        """
        return self._read(self._select(topics), start_ns, stop_ns)

    def decode(self, message: RecordedMessage) -> object:
        """
        Return a message as an object with the fields of its ROS 2 type.

        Raises
        ------
        RecordingError
            If the type is unknown or the bytes do not fit it.

        """
        with self._explained(f'cannot decode a message of {message.topic!r} in'):
            return self._types.decode(message.cdr, message.msgtype)

    def _open_connections(self) -> list[Connection]:
        if self._reader is None:
            raise RecordingError(f'{str(self.path)!r} is not open: use it in a with statement')
        return self._connections

    def _select(self, topics: Collection[str] | None) -> list[Connection]:
        connections = self._open_connections()
        names = {connection.topic for connection in connections}
        missing = sorted(set(topics or ()) - names)
        if missing:
            near = ''.join(did_you_mean(name, names) for name in missing)
            raise TopicError(
                f'no topic {missing} in {str(self.path)!r}; it has {sorted(names)}{near}'
            )
        chosen = [c for c in connections if topics is None or c.topic in topics]
        for connection in chosen:
            extra = connection.ext
            if isinstance(extra, ConnectionExtRosbag2) and extra.serialization_format != 'cdr':
                raise RecordingError(
                    f'topic {connection.topic!r} is serialised as {extra.serialization_format!r}, '
                    'only cdr can be read: name the topics to read and leave this one out'
                )
        return chosen

    def _read(
        self, connections: list[Connection], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[RecordedMessage]:
        if not connections:  # rosbags would take an empty selection for everything
            return
        assert self._reader is not None
        raw_messages = self._reader.messages(connections, start_ns, stop_ns)
        n_stated = sum(connection.msgcount for connection in connections)
        n_read = 0
        while True:
            with self._explained(f'after {n_read} of {n_stated} messages, cannot read on in'):
                item = next(raw_messages, None)
                message = None if item is None else self._message(*item)
            if message is None:
                break
            yield message
            n_read += 1
        if start_ns is None and stop_ns is None and n_read < n_stated:
            raise RecordingError(
                f'{str(self.path)!r} states {n_stated} messages and ends after {n_read}; {REPAIR}'
            )

    def _message(self, connection: Connection, bag_time_ns: int, raw: bytes) -> RecordedMessage:
        if not (isinstance(bag_time_ns, int) and isinstance(raw, bytes)):
            raise RecordingError(
                f'a message of {connection.topic!r} in {str(self.path)!r} should be bytes with a '
                f'time, is {type(raw).__name__} at {bag_time_ns!r}: the recording is damaged'
            )
        msgtype = normalized_msgtype(connection.msgtype)
        cdr = self._types.to_cdr(raw, msgtype)
        return RecordedMessage(connection.topic, msgtype, cdr, bag_time_ns)

    @contextlib.contextmanager
    def _explained(self, failure: str) -> Iterator[None]:
        """Turn what goes wrong in the library into this package's error."""
        try:
            yield
        except ClipDepthError:
            raise
        # Broad on purpose: on damaged files rosbags lets through whatever its parsers trip over
        # (assertions, struct.error, KeyError, apsw and zstd errors, MemoryError ...).
        except Exception as error:
            if isinstance(self._reader, BoundedRos1Reader):
                forget_chunk(self._reader)
            reason = str(error) or type(error).__name__
            raise RecordingError(f'{failure} {str(self.path)!r}: {reason}; {REPAIR}') from error


def _is_latched(connection: Connection) -> bool:
    if isinstance(connection.ext, ConnectionExtRosbag2):
        profiles = connection.ext.offered_qos_profiles
        return any(qos.durability is QosDurability.TRANSIENT_LOCAL for qos in profiles)
    return bool(connection.ext.latching)
