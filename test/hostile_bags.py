# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings of a few kilobytes that ask for gigabytes, or for files of others."""

from __future__ import annotations

from pathlib import Path
import sqlite3
import struct

from bag_files import drive, write_bare
from rosbags.rosbag2 import StoragePlugin
import yaml

MCAP_MAGIC = b'\x89MCAP0\r\n'


def zstd_of_zeros(n_bytes: int) -> bytes:
    """Return a zstd frame without its size, four bytes for each 128 KiB of zeros (RFC 8878)."""
    n_blocks = n_bytes >> 17
    blocks = [(1 << 17) << 3 | 1 << 1 | (index == n_blocks - 1) for index in range(n_blocks)]
    body = b''.join(block.to_bytes(3, 'little') + b'\0' for block in blocks)
    return b'\x28\xb5\x2f\xfd' + b'\x00\x40' + body


def write_chunk(path: Path, data: bytes, n_bytes: int, compression: str = 'zstd') -> Path:
    """Write an MCAP file without an index and with one chunk, said to unpack to some bytes."""
    name = compression.encode()
    chunk = struct.pack('<QQQII', 0, 1, n_bytes, 0, len(name)) + name
    records = [
        (1, struct.pack('<I', 4) + b'ros2' + struct.pack('<I', 0)),
        (6, chunk + struct.pack('<Q', len(data)) + data),
        (2, bytes(20)),
    ]
    content = b''.join(struct.pack('<BQ', op, len(body)) + body for op, body in records)
    path.write_bytes(MCAP_MAGIC + content + MCAP_MAGIC)
    return path


def write_generated(path: Path, n_bytes: int) -> Path:
    """Write an SQLite recording whose message is a column that is made of nothing when read."""
    file = path.with_suffix('.db3')
    with sqlite3.connect(file) as connection:
        connection.executescript(
            'CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, '
            'serialization_format TEXT, offered_qos_profiles TEXT);'
            'CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, '
            f'data BLOB GENERATED ALWAYS AS (zeroblob({n_bytes})));'
            "INSERT INTO topics VALUES(1, '/image', 'sensor_msgs/msg/Image', 'cdr', '');"
            'INSERT INTO messages VALUES(1, 1, 5);'
        )
    connection.close()
    return file


def with_metadata(folder: Path, **facts: object) -> Path:
    """Change what the metadata of a rosbag2 folder say."""
    path = folder / 'metadata.yaml'
    document = yaml.safe_load(path.read_text())
    document['rosbag2_bagfile_information'].update(facts)
    path.write_text(yaml.safe_dump(document))
    return folder


def laughs(n_levels: int, *, merged: bool = False) -> str:
    """Return YAML lines that each mean ten times as much as the one before; merged: twice."""
    lines = ['a0: &a0 {x: 1}' if merged else 'a0: &a0 [1, 2]']
    for level in range(1, n_levels):
        before = ', '.join([f'*a{level - 1}'] * (2 if merged else 10))
        value = f'{{<<: [{before}]}}' if merged else f'[{before}]'
        lines.append(f'a{level}: &a{level} {value}')
    return '\n'.join(lines) + '\n'


def write_secret(folder: Path) -> Path:
    """Write a recording, of somebody else, that a folder beside it might lead to."""
    secret = folder / 'secret.db3'
    write_bare(folder / 'made', drive(1), StoragePlugin.SQLITE3).rename(secret)
    return secret
