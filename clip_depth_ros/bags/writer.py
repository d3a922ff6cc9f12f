# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Writing recordings without ROS: MCAP with compressed chunks, as one file or a rosbag2 folder.

Chunks are compressed, not messages: Foxglove cannot read the latter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
import contextlib
import os
from pathlib import Path
import shutil
import tempfile

from clip_depth_ros.bags.checksums import RecordingWriter
from clip_depth_ros.bags.message_types import ros2_types
from clip_depth_ros.bags.storage import is_rosbag2_folder
from clip_depth_ros.errors import ClipDepthError, OutputError, RecordingError
from clip_depth_ros.types import RecordedMessage
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, WriterError

_UNLIMITED = QosTime(9223372036, 854775807)  # as rosbag2 writes rmw's infinite duration
_LATCHED = Qos(
    history=QosHistory.KEEP_LAST,
    depth=1,
    reliability=QosReliability.RELIABLE,
    durability=QosDurability.TRANSIENT_LOCAL,
    deadline=_UNLIMITED,
    lifespan=_UNLIMITED,
    liveliness=QosLiveliness.AUTOMATIC,
    liveliness_lease_duration=_UNLIMITED,
    avoid_ros_namespace_conventions=False,
)


class BagWriter:
    """
    A recording being written; to be used in a ``with`` statement.

    Nothing appears at ``path`` before the statement ends well: until then the recording grows in
    a hidden folder beside it, which is removed when something fails.

    Parameters
    ----------
    path : str or Path
        ``NAME.mcap`` for a single file, anything else for a rosbag2 folder. Missing parent folders
        are made.
    force : bool
        Replace what is there: a file, or a folder that is a rosbag2 recording.

    Raises
    ------
    OutputError
        If the target exists and may not be replaced, or cannot be written (no space left ...).

    Notes
    -----
    Format: rosbag2 metadata version 8, the newest that Humble's tools read too; MCAP profile
    ``ros2``, zstd, with checksums of chunks and index. Late subscribers get the last
    ``/tf_static`` (transient local).

    """

    def __init__(self, path: str | Path, *, force: bool = False) -> None:
        self.path = Path(path)
        self._is_file = self.path.suffix == '.mcap'
        self._force = force
        self._connections: dict[tuple[str, str], Connection] = {}
        self._writer: RecordingWriter | None = None
        self._staging_dir: Path | None = None

    def __enter__(self) -> BagWriter:
        if self.path.suffix in ('.bag', '.db3'):
            raise OutputError(
                f'{str(self.path)!r} would be taken for another format: name the recording '
                'NAME.mcap, or NAME for a rosbag2 folder'
            )
        self._check_target()
        prefix, folder = f'.{self.path.name}.', self.path.parent
        try:
            with self._explained():
                folder.mkdir(parents=True, exist_ok=True)
                self._staging_dir = Path(tempfile.mkdtemp('.part', prefix, folder))
                self._writer = self._start(self._staging_dir)
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *rest: object) -> None:
        try:
            if exc_type is None:
                with self._explained():
                    self._check_target()
                    self._opened().close()
                    self._move_into_place(self._opened().path)
        finally:
            self._discard()

    def write(self, message: RecordedMessage) -> None:
        """
        Write a serialised message.

        Raises
        ------
        RecordingError
            If its type is no standard one, its bytes are no CDR or its time is negative.
        OutputError
            If it cannot be written.

        """
        if message.cdr[:2] not in (b'\x00\x00', b'\x00\x01') or len(message.cdr) < 4:
            raise RecordingError(
                f'a message of {message.topic!r} should be CDR, which starts with 0x0000 or '
                f'0x0001, got {bytes(message.cdr[:4])!r}'
            )
        if not 0 <= message.bag_time_ns < 2**63:
            raise RecordingError(
                f'receive time of a message of {message.topic!r} must be in [0, 2^63) ns, got '
                f'{message.bag_time_ns}'
            )
        with self._explained():
            connection = self._connection(message.topic, message.msgtype)
            self._opened().write(connection, message.bag_time_ns, message.cdr)

    def _connection(self, topic: str, msgtype: str) -> Connection:
        if (topic, msgtype) not in self._connections:
            if msgtype not in ros2_types().fielddefs:
                raise RecordingError(
                    f'cannot write {topic!r}: {msgtype!r} is no standard message type; leave the '
                    'topic out'
                )
            self._connections[topic, msgtype] = self._opened().add_connection(
                topic,
                msgtype,
                typestore=ros2_types(),
                offered_qos_profiles=[_LATCHED] if topic == '/tf_static' else [],
            )
        return self._connections[topic, msgtype]

    def _opened(self) -> RecordingWriter:
        if self._writer is None:
            raise OutputError(f'{str(self.path)!r} is not open: use it in a with statement')
        return self._writer

    def _start(self, staging_dir: Path) -> RecordingWriter:
        # rosbags names the file inside after the folder, so the folder has its final name here.
        folder = staging_dir / (self.path.stem if self._is_file else self.path.name)
        writer = RecordingWriter(folder, version=8, storage_plugin=StoragePlugin.MCAP)
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        writer.open()
        return writer

    def _move_into_place(self, folder: Path) -> None:
        if self._is_file:
            os.replace(folder / f'{folder.name}.mcap', self.path)
            return
        replaced = folder.with_name('.replaced')  # goes with the hidden folder
        if self.path.exists():
            os.replace(self.path, replaced)
        try:
            os.replace(folder, self.path)
        except OSError:
            if replaced.exists():
                os.replace(replaced, self.path)
            raise

    def _discard(self) -> None:
        """Close what is open and remove the hidden folder."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(Exception):  # the first error is the one to report
                writer.abort()
        if self._staging_dir is not None:
            shutil.rmtree(self._staging_dir, ignore_errors=True)
            self._staging_dir = None

    def _check_target(self) -> None:
        if not os.path.lexists(self.path):
            return
        target = str(self.path)
        if not self._force:
            raise OutputError(
                f'{target!r} is there already: name another with --out, or add --force'
            )
        if self._is_file and self.path.is_dir():
            raise OutputError(f'{target!r} is a folder and will not be replaced by a file')
        if not self._is_file and not is_rosbag2_folder(self.path):
            raise OutputError(
                f'{target!r} is no rosbag2 folder (it has no metadata.yaml) and will not be '
                'replaced by one'
            )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ClipDepthError:
            raise
        except (OSError, WriterError) as error:
            reason = getattr(error, 'strerror', None) or str(error)
            raise OutputError(
                f'cannot write {str(self.path)!r}: {reason}; free some space there or name '
                'another place'
            ) from error


def write_recording(
    messages: Iterable[RecordedMessage], path: str | Path, *, force: bool = False
) -> None:
    """Write a whole recording; see :class:`BagWriter`."""
    with BagWriter(path, force=force) as writer:
        for message in messages:
            writer.write(message)


def recorded(topic: str, message: object, bag_time_ns: int) -> RecordedMessage:
    """
    Serialise a message given as an object of rosbags' type for it.

    Raises
    ------
    RecordingError
        If the object is no message, or its fields do not fit its type.

    """
    msgtype = getattr(message, '__msgtype__', None)
    if msgtype not in ros2_types().fielddefs:
        raise RecordingError(
            f'only objects of the standard message types can be written, got {type(message)!r}'
        )
    try:
        cdr = bytes(ros2_types().serialize_cdr(message, msgtype))
    # Broad on purpose: the generated serialisers check nothing themselves.
    except Exception as error:
        raise RecordingError(f'{msgtype} for {topic!r} does not fit its type: {error}') from error
    return RecordedMessage(topic, msgtype, cdr, bag_time_ns)
