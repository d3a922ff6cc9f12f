# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What looks like a recording, or like a LiDAR, and cannot be read as one: what it is, what to do.

Whoever reads it as what it is not finds damage, and advises to repair it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
import struct
from typing import Any, Final

from clip_depth_ros.errors import RecordingError
from clip_depth_ros.settings.plain_yaml import read_yaml
import yaml

STORAGES: Final = {'.mcap': 'mcap', '.db3': 'sqlite3'}
"""Storages of rosbag2 that can be read, by the suffix of their files."""

_FROM_ROS1: Final = (
    'name the .bag that they come from, which is read as it is, or convert that to ROS 2 '
    '(rosbags-convert --src X.bag --dst X)'
)
_LONGEST_FRAME_ID: Final = 200

_LIDARS: Final[Mapping[str, str]] = {
    'CustomMsg': "set xfer_format to 0 in Livox' driver and record again, or convert",
    'VelodyneScan': "record what velodyne_pointcloud's node makes of it",
    'PacketMsg': "record what Ouster's cloud node makes of it",
    'UdpFrame': "record what Hesai's driver makes of it",
    'RslidarPacket': "record what RoboSense's driver makes of it",
    'PointCloud': 'convert it (point_cloud_converter)',
    'LaserScan': 'it is one line of depth, laser_geometry makes a cloud of it',
}
"""What to do with what LiDARs send besides clouds, by the last part of the type."""


def check_metadata(folder: Path) -> None:
    """Refuse, with RecordingError, a rosbag2 folder of another storage, or of ROS 1 messages."""
    try:
        facts: Any = read_yaml(folder / 'metadata.yaml')['rosbag2_bagfile_information']
        storage, names = facts['storage_identifier'], facts['relative_file_paths']
        formats = {
            topic['topic_metadata']['serialization_format']
            for topic in facts['topics_with_message_count']
        }
    except (OSError, ValueError, TypeError, KeyError, LookupError, yaml.YAMLError):
        return  # the reader says what is missing
    if formats & {'ros1', 'ros1msg'}:
        raise RecordingError(f'{str(folder)!r} holds messages of ROS 1: {_FROM_ROS1}')
    if storage in STORAGES.values():
        return
    found = {STORAGES.get(PurePath(str(name).removesuffix('.zstd')).suffix) for name in names}
    right = found.pop() if len(found) == 1 else None
    remedy = (
        f'its files are of {right}, so write storage_identifier: {right} into it'
        if right else 'convert it (ros2 bag convert)'
    )
    raise RecordingError(
        f'metadata.yaml of {str(folder)!r} names the storage (storage_identifier) {storage!r}, it '
        f'should be {" or ".join(STORAGES.values())}: {remedy}'
    )


def check_mcap(path: Path) -> None:
    """Refuse, with RecordingError, an MCAP file that says to hold messages of ROS 1."""
    with path.open('rb') as file:
        start = file.read(64)
    # MCAP's specification: magic, then a header record (0x01, uint64 length) with its profile.
    length = int.from_bytes(start[17:21], 'little')
    if start[:9] == b'\x89MCAP0\r\n\x01' and start[21:21 + length] == b'ros1':
        raise RecordingError(f'{str(path)!r} holds messages of ROS 1: {_FROM_ROS1}')


def why_no_cdr(topic: str, data: bytes) -> str:
    """Return what is wrong with a message that should be CDR and begin with a header."""
    if _begins_as_ros1(data):
        return f'the messages of {topic!r} are those of ROS 1, not CDR: {_FROM_ROS1}'
    if data[:1] not in (b'\x00', b''):
        return (
            f'a message of {topic!r} should be CDR, which starts with a zero, maybe compressed '
            f'with zstd, and starts with {bytes(data[:4])!r}: the recording is damaged'
        )
    return (
        f'a message of {topic!r} ends within its header ({len(data)} bytes): the recording is '
        'damaged'
    )


def _begins_as_ros1(data: bytes) -> bool:
    """Say whether data begin with ROS 1's header: uint32 number, time, and text without zero."""
    try:
        _, _, nanoseconds, length = struct.unpack_from('<4I', data)
        (name,) = struct.unpack_from(f'{min(length, _LONGEST_FRAME_ID)}s', data, 16)
    except struct.error:
        return False
    is_text = 0 < length <= _LONGEST_FRAME_ID and name.isascii() and name.decode().isprintable()
    return bool(nanoseconds < 10**9 and is_text)


def other_lidars(types: Mapping[str, str]) -> str:
    """Return what to add where a LiDAR is looked for, of topics by type that are no clouds."""
    found = {topic: _LIDARS.get(kind.rpartition('/')[2]) for topic, kind in types.items()}
    return ''.join(
        f'. {topic!r} may be the LiDAR, and {types[topic]} is not read, but '
        f'sensor_msgs/msg/PointCloud2 is: {remedy}'
        for topic, remedy in found.items() if remedy
    )
