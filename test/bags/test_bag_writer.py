# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings are written wholly or not at all, in a form that others read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
import contextlib
from pathlib import Path
import resource
from typing import Any

from bag_files import drive, START_NS, STEP_NS
from clip_depth_ros.bags.message_types import ros2_types
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.writer import BagWriter, recorded
from clip_depth_ros.errors import OutputError, RecordingError
from clip_depth_ros.types import RecordedMessage
import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Reader
from rosbags.rosbag2.storage_mcap import McapReader


def write(path: Path, messages: Iterable[RecordedMessage], **options: Any) -> None:
    """Write a recording."""
    with BagWriter(path, **options) as writer:
        for message in messages:
            writer.write(message)


def failing_source() -> Iterator[RecordedMessage]:
    """Return a message, then fail."""
    yield drive()[0]
    raise KeyError


@contextlib.contextmanager
def file_size_limit(n_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a size: as a full disk, without filling one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize('name', ['drive.mcap', 'drive', 'new/folders/drive.mcap'])
def test_reads_back_as_written(name: str, tmp_path: Path) -> None:
    """As one file or as a folder; nothing else is left beside it."""
    write(tmp_path / name, drive())
    with BagReader(tmp_path / name) as bag:
        assert list(bag.messages()) == drive()
        assert bag.topics['/tf_static'].latched
        assert not bag.topics['/camera/image'].latched
    assert [p.name for p in (tmp_path / name).parent.iterdir()] == [Path(name).name]


@pytest.mark.parametrize('name', ['drive.mcap', 'drive'])
def test_others_read_it(name: str, tmp_path: Path) -> None:
    """It says itself what its types are; rosbags needs nothing of ours."""
    write(tmp_path / name, drive())
    with AnyReader([tmp_path / name]) as reader:
        images: Any = [
            reader.deserialize(raw, connection.msgtype)
            for connection, _, raw in reader.messages()
            if connection.topic == '/camera/image'
        ]
        span_ns = reader.start_time, reader.end_time
    assert [image.encoding for image in images] == ['rgb8'] * 4
    assert span_ns == (START_NS, START_NS + 3 * STEP_NS + 3)


def test_chunks_are_compressed_and_messages_are_not(tmp_path: Path) -> None:
    """Foxglove reads zstd chunks and not zstd messages."""
    write(tmp_path / 'a.mcap', drive())
    with Reader(tmp_path / 'a.mcap') as reader:
        assert isinstance(reader.storage, McapReader)
        assert {chunk.compression for chunk in reader.storage.chunks} == {'zstd'}
        assert not reader.compression_mode


def test_a_folder_describes_the_file_in_it(tmp_path: Path) -> None:
    """By the name that it has in the end."""
    write(tmp_path / 'drive', drive())
    names = sorted(p.name for p in (tmp_path / 'drive').iterdir())
    assert names == ['drive.mcap', 'metadata.yaml']
    text = (tmp_path / 'drive' / 'metadata.yaml').read_text()
    assert '- drive.mcap' in text
    assert 'message_count: 9' in text


@pytest.mark.parametrize('name', ['drive.mcap', 'drive'])
def test_nothing_is_left_when_the_body_fails(name: str, tmp_path: Path) -> None:
    """The error goes on as it is."""
    with pytest.raises(KeyError):
        write(tmp_path / name, failing_source())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('limit', [100, 20_000], ids=['at the first chunk', 'later'])
@pytest.mark.parametrize('name', ['drive.mcap', 'drive'])
def test_nothing_is_left_when_the_disk_is_full(name: str, limit: int, tmp_path: Path) -> None:
    """The error names the target and what the system said."""
    rng = np.random.default_rng(0)
    noise = RecordedMessage('/x', 'std_msgs/msg/String', b'\0\1\0\0' + rng.bytes(600_000), 1)
    refused = pytest.raises(OutputError, match=f'cannot write .*{name}.*File too large')
    with refused, file_size_limit(limit):
        write(tmp_path / name, [noise] * 4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('name', ['drive.mcap', 'drive'])
def test_what_is_there_is_not_replaced_unasked(name: str, tmp_path: Path) -> None:
    """It is refused before anything is written, and allowed when forced."""
    write(tmp_path / name, drive(1))
    with pytest.raises(OutputError, match='is there already'):
        write(tmp_path / name, drive(2))
    write(tmp_path / name, drive(3), force=True)
    with BagReader(tmp_path / name) as bag:
        assert list(bag.messages()) == drive(3)
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize('name', ['drive.mcap', 'drive'])
def test_a_failed_replacement_keeps_the_old_one(name: str, tmp_path: Path) -> None:
    """Forced or not."""
    write(tmp_path / name, drive(1))
    with pytest.raises(KeyError):
        write(tmp_path / name, failing_source(), force=True)
    with BagReader(tmp_path / name) as bag:
        assert list(bag.messages()) == drive(1)


def test_force_replaces_no_folder_that_is_no_recording(tmp_path: Path) -> None:
    """A mistyped --out must not cost somebody's folder."""
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'photos' / 'one.jpg').write_bytes(b'x')
    (tmp_path / 'folder.mcap').mkdir()
    with pytest.raises(OutputError, match='no rosbag2 folder'):
        write(tmp_path / 'photos', drive(), force=True)
    with pytest.raises(OutputError, match='is a folder'):
        write(tmp_path / 'folder.mcap', drive(), force=True)
    assert (tmp_path / 'photos' / 'one.jpg').exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Here: a file where a folder would have to be."""
    (tmp_path / 'file').write_bytes(b'')
    with pytest.raises(OutputError, match=r'cannot write .*drive\.mcap'):
        write(tmp_path / 'file' / 'drive.mcap', drive())


def test_use_outside_of_with_is_explained(tmp_path: Path) -> None:
    """Rather than failing somewhere inside."""
    with pytest.raises(OutputError, match='with statement'):
        BagWriter(tmp_path / 'drive.mcap').write(drive()[0])


@pytest.mark.parametrize(
    ('message', 'reason'),
    [
        (RecordedMessage('/x', 'my_msgs/msg/New', b'\0\1\0\0', 0), 'my_msgs/msg/New'),
        (RecordedMessage('/x', 'std_msgs/msg/String', b'\7\1\0\0', 0), 'should be CDR'),
        (RecordedMessage('/x', 'std_msgs/msg/String', b'\0\1', 0), 'should be CDR'),
        (RecordedMessage('/x', 'std_msgs/msg/String', b'\0\1\0\0', -1), 'receive time'),
        (RecordedMessage('/x', 'std_msgs/msg/String', b'\0\1\0\0', 2**63), 'receive time'),
    ],
)
def test_a_message_that_cannot_be_written_is_refused(
    message: RecordedMessage, reason: str, tmp_path: Path
) -> None:
    """With the reason."""
    with (
        pytest.raises(RecordingError, match=reason),
        BagWriter(tmp_path / 'a.mcap') as writer,
    ):
        writer.write(message)


def test_objects_are_serialised(tmp_path: Path) -> None:
    """By the type that they carry."""
    text: Any = ros2_types().types['std_msgs/msg/String']
    with BagWriter(tmp_path / 'a.mcap') as writer:
        writer.write(recorded('/text', text('hello'), 5))
    with BagReader(tmp_path / 'a.mcap') as bag:
        (message,) = bag.messages()
        assert message == recorded('/text', text('hello'), 5)
        assert bag.decode(message) == text('hello')


def test_objects_that_are_no_messages_are_refused() -> None:
    """As are messages with wrong fields."""
    text: Any = ros2_types().types['std_msgs/msg/String']
    with pytest.raises(RecordingError, match="got <class 'dict'>"):
        recorded('/x', {}, 0)
    with pytest.raises(RecordingError, match=r'std_msgs/msg/String for .* does not fit'):
        recorded('/x', text(5), 0)
