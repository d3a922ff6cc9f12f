# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings of every kind, written with rosbags' own writers, for tests that read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
import sqlite3
from types import MappingProxyType

from clip_depth_ros.bags.message_types import ros2_types
from clip_depth_ros.bags.messages import camera_info_message, image_message, tf_message
from clip_depth_ros.bags.writer import recorded
from clip_depth_ros.types import Intrinsics, RecordedMessage
import numpy as np
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import get_types_from_msg, get_typestore, Stores
import yaml

START_NS = 1_600_000_000_123_456_789
STEP_NS = 100_000_000

MakeBag = Callable[[Path, Sequence[RecordedMessage]], Path]


def drive(n_frames: int = 4, *, width: int = 6, height: int = 4) -> list[RecordedMessage]:
    """Give a little recording: tf_static once, then camera_info and image of each frame."""
    pixels = np.arange(width * height * 3, dtype=np.uint8).reshape(height, width, 3)
    intrinsics = Intrinsics(5.0, 6.0, 2.5, 1.5, width, height)
    static = tf_message(np.eye(4), parent='velodyne', child='camera', stamp_ns=START_NS)
    messages = [recorded('/tf_static', static, START_NS)]
    for index in range(n_frames):
        stamp_ns = START_NS + index * STEP_NS
        info = camera_info_message(intrinsics, stamp_ns=stamp_ns, frame_id='camera')
        image = image_message(pixels + index, 'rgb8', stamp_ns=stamp_ns, frame_id='camera')
        messages.append(recorded('/camera/camera_info', info, stamp_ns + 1))
        messages.append(recorded('/camera/image', image, stamp_ns + 2))
    return messages


def write_ros1(
    path: Path,
    messages: Sequence[RecordedMessage],
    compression: Ros1Writer.CompressionFormat | None = None,
    announced: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Write a ROS 1 bag; ``announced`` are topics by type on which nothing was sent."""
    ros1 = get_typestore(Stores.ROS1_NOETIC)
    transforms = 'geometry_msgs/TransformStamped[] transforms'
    ros1.register(get_types_from_msg(transforms, 'tf2_msgs/msg/TFMessage'))
    writer = Ros1Writer(path.with_suffix('.bag'))
    if compression is not None:
        writer.set_compression(compression)
    with writer:
        connections = {
            topic: writer.add_connection(topic, msgtype, typestore=ros1)
            for topic, msgtype in {**announced, **{m.topic: m.msgtype for m in messages}}.items()
        }
        for message in messages:
            raw = ros2_types().cdr_to_ros1(message.cdr, message.msgtype)
            writer.write(connections[message.topic], message.bag_time_ns, raw)
    return writer.path


def write_ros2(
    path: Path,
    messages: Sequence[RecordedMessage],
    storage: StoragePlugin = StoragePlugin.MCAP,
    compression: CompressionMode = CompressionMode.NONE,
) -> Path:
    """Write a rosbag2 folder."""
    writer = Writer(path, version=9, storage_plugin=storage)
    writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        connections = {
            topic: writer.add_connection(topic, msgtype, typestore=ros2_types())
            for topic, msgtype in {m.topic: m.msgtype for m in messages}.items()
        }
        for message in messages:
            writer.write(connections[message.topic], message.bag_time_ns, message.cdr)
    return path


def write_bare(
    path: Path,
    messages: Sequence[RecordedMessage],
    storage: StoragePlugin,
    compression: CompressionMode = CompressionMode.NONE,
) -> Path:
    """Write the file inside a rosbag2 folder, without its metadata.yaml."""
    folder = write_ros2(path, messages, storage, compression)
    (folder / 'metadata.yaml').unlink()
    (only,) = folder.iterdir()
    return only


def write_old_sqlite(path: Path, messages: Sequence[RecordedMessage]) -> Path:
    """Write a file as rosbag2 did up to Humble: SQLite without message definitions."""
    file = path.with_suffix('.db3')
    with sqlite3.connect(file) as connection:
        connection.executescript(
            'CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, '
            'serialization_format TEXT, offered_qos_profiles TEXT);'
            'CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, '
            'data BLOB);'
        )
        types = {message.topic: message.msgtype for message in messages}
        ids = {topic: number for number, topic in enumerate(types, start=1)}
        for topic, msgtype in types.items():
            row = (ids[topic], topic, msgtype, 'cdr', '')
            connection.execute('INSERT INTO topics VALUES(?, ?, ?, ?, ?)', row)
        for m in messages:
            row2 = (ids[m.topic], m.bag_time_ns, m.cdr)
            connection.execute(
                'INSERT INTO messages(topic_id, timestamp, data) VALUES(?, ?, ?)', row2
            )
    connection.close()
    return file


def write_wild(path: Path, messages: Sequence[RecordedMessage], *, bare: bool) -> Path:
    """Write MCAP as seen in the wild: ``sensor_msgs/Image``, each message zstd-compressed."""
    writer = Writer(path, version=8, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.MESSAGE, CompressionFormat.ZSTD)
    with writer:
        connections = {}
        for topic, msgtype in {m.topic: m.msgtype for m in messages}.items():
            definition, _ = ros2_types().generate_msgdef(msgtype, ros_version=2)
            connections[topic] = writer.add_connection(
                topic, msgtype.replace('/msg/', '/'), msgdef=definition, rihs01='unknown'
            )
        for message in messages:
            writer.write(connections[message.topic], message.bag_time_ns, message.cdr)
    return path / f'{path.name}.mcap' if bare else path


def write_split(
    path: Path,
    parts: Sequence[Sequence[RecordedMessage]],
    storage: StoragePlugin = StoragePlugin.MCAP,
    compression: CompressionMode = CompressionMode.NONE,
) -> Path:
    """Write a rosbag2 folder of several files, each with its part of the messages."""
    everything = sorted((m for part in parts for m in part), key=lambda m: m.bag_time_ns)
    write_ros2(path, everything, storage, compression)
    metadata = yaml.safe_load((path / 'metadata.yaml').read_text())
    facts = metadata['rosbag2_bagfile_information']
    (whole,) = facts['relative_file_paths']
    (path / whole).unlink()
    facts['relative_file_paths'] = []
    for number, part in enumerate(parts):
        folder = write_ros2(path.with_name(f'{path.name}_{number}'), part, storage, compression)
        (folder / 'metadata.yaml').unlink()
        (file,) = folder.iterdir()
        facts['relative_file_paths'].append(file.name)
        file.rename(path / file.name)
    (path / 'metadata.yaml').write_text(yaml.safe_dump(metadata))
    return path


def _ros2_kind(storage: StoragePlugin, mode: CompressionMode, *, bare: bool) -> MakeBag:
    write = write_bare if bare else write_ros2
    return lambda path, messages: write(path, messages, storage, mode)


_ROS2_MODES = [
    (storage, mode)
    for storage in StoragePlugin
    for mode in CompressionMode
    # rosbags' SQLite storage has no compression of its own.
    if (storage, mode) != (StoragePlugin.SQLITE3, CompressionMode.STORAGE)
]

KINDS: dict[str, MakeBag] = {
    'ros1': write_ros1,
    **{
        f'ros1-{compression.name.lower()}': (
            lambda path, messages, compression=compression: write_ros1(path, messages, compression)
        )
        for compression in Ros1Writer.CompressionFormat
    },
    **{
        f'{storage.name}-{mode.name}'.lower(): _ros2_kind(storage, mode, bare=False)
        for storage, mode in _ROS2_MODES
    },
    **{
        f'bare-{storage.name}-{mode.name}'.lower(): _ros2_kind(storage, mode, bare=True)
        for storage, mode in _ROS2_MODES
        if mode is not CompressionMode.FILE
    },
    'old-sqlite3': write_old_sqlite,
}
"""How to write each kind of recording there is; each gives the path to read."""

_SPLITS: dict[str, Callable[[Sequence[RecordedMessage]], list[Sequence[RecordedMessage]]]] = {
    'split': lambda messages: [messages[:5], messages[5:8], messages[8:]],
    # Both files reach over the whole time.
    'overlapping': lambda messages: [messages[1::2], messages[::2]],
}

UNUSUAL_KINDS: dict[str, MakeBag] = {
    **{
        f'{name}-{storage.name}-{mode.name}'.lower(): (
            lambda path, messages, cut=cut, storage=storage, mode=mode: write_split(
                path, cut(messages), storage, mode
            )
        )
        for name, cut in _SPLITS.items()
        for storage, mode in _ROS2_MODES
    },
    'wild-folder': lambda path, messages: write_wild(path, messages, bare=False),
    'wild-bare': lambda path, messages: write_wild(path, messages, bare=True),
}
"""Recordings of several files, and as other tools write them."""
