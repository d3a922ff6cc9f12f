# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is used of the inside of rosbags is there; a new version that lacks it is named."""

from __future__ import annotations

import configparser
from importlib import import_module
from importlib.metadata import version
import inspect
from pathlib import Path
from typing import Any
import zlib

from bag_files import drive, KINDS
from clip_depth_ros.bags.bounds import unpacked_zstd
from clip_depth_ros.bags.storage import BoundedSqliteReader, QuickMcapReader, QuickReader
from clip_depth_ros.bags.writer import write_recording
import pytest
from rosbags.rosbag1 import Reader as Ros1Reader
from source_tree import ROOT


def changed(what: str) -> str:
    """Return what to say when rosbags is no longer as this package needs it."""
    return (
        f'rosbags {version("rosbags")} has changed inside: {what}. Adapt clip_depth_ros/bags, or '
        'lower the upper bound of rosbags in setup.cfg'
    )


@pytest.mark.parametrize(('module', 'names'), [
    ('convert.converter', ['is_same_wireformat', 'migrate_bytes', 'STATIC_MSGTYPE_RENAMES']),
    ('rosbag2.reader', ['DirectoryReader', 'parse_qos']),
    ('rosbag2.storage_mcap', ['ChunkInfo', 'DECOMPRESSORS', 'McapReader', 'parse_qos']),
    ('rosbag2.storage_mcap', ['McapWriter']),
    ('rosbag1.reader', ['Chunk', 'decompressors', 'IndexData']),
    ('rosbag2.metadata', ['parse_qos']),
    ('rosbag2.storage_sqlite3', ['parse_qos', 'Sqlite3Reader']),
    ('typesys.store', ['Typestore']),
])
def test_names(module: str, names: list[str]):
    there: Any = import_module(f'rosbags.{module}')
    missing = [name for name in names if not hasattr(there, name)]
    assert missing == [], changed(f'rosbags.{module} has no {missing}')


def test_readers_are_chosen_from_a_table():
    from rosbags.rosbag2.reader import DirectoryReader, Reader

    used = ((Reader, {'dir', '.mcap', '.db3'}), (DirectoryReader, {'mcap', 'sqlite3'}))
    for reader, keys in used:
        found = getattr(reader, 'STORAGE_PLUGINS', {})
        assert keys <= found.keys(), changed(f'{reader.__name__}.STORAGE_PLUGINS lacks {keys}')


def test_an_mcap_file_lists_its_chunks_and_asks_each(tmp_path: Path):
    from rosbags.rosbag2.storage_mcap import ChunkInfo, McapReader

    times = {'message_start_time', 'message_end_time'}
    assert times <= {*ChunkInfo._fields}, changed(f'ChunkInfo has no {times}')
    wanted = ['self', 'connections', 'start', 'stop']
    found = [*inspect.signature(McapReader.messages).parameters]
    assert found == wanted, changed(f'McapReader.messages takes {found}, not {wanted}')
    with QuickReader(KINDS['bare-mcap-storage'](tmp_path / 'drive', drive())) as reader:
        storage = reader.storage
        assert isinstance(storage, QuickMcapReader), changed('STORAGE_PLUGINS is not used')
        chunks = getattr(storage, 'chunks', [])
        assert [*map(type, chunks)] == [ChunkInfo], changed('McapReader.chunks are not its chunks')


def test_an_mcap_file_is_written_in_chunks_whose_checksum_is_filled_in(tmp_path: Path):
    writer = import_module('rosbags.rosbag2').Writer
    assert getattr(writer, 'STORAGE_PLUGINS', {}), changed('Writer.STORAGE_PLUGINS is no table')
    write_recording(drive(), tmp_path / 'drive.mcap')
    data = (tmp_path / 'drive.mcap').read_bytes()
    with QuickReader(tmp_path / 'drive.mcap') as reader:
        (chunk,) = getattr(reader.storage, 'chunks', [])
    start = chunk.chunk_start_offset + 9
    stated = int.from_bytes(data[start + 24:start + 28], 'little')
    compressed = data[start + 40 + len('zstd'):][:chunk.compressed_size]
    records = unpacked_zstd(compressed)
    assert stated == zlib.crc32(records) != 0, changed('chunks are no longer written as they were')


def test_a_ros1_bag_holds_one_chunk(tmp_path: Path):
    with Ros1Reader(KINDS['ros1'](tmp_path / 'drive', drive())) as reader:
        next(reader.messages())
        place, chunk = getattr(reader, 'current_chunk', (None, None))
        assert isinstance(place, int), changed('rosbag1.Reader.current_chunk is no (place, chunk)')
        assert hasattr(chunk, 'close'), changed('rosbag1.Reader.current_chunk holds no file')


@pytest.mark.parametrize(('reader', 'names'), [
    (Ros1Reader, ['read_chunk', 'read_index_data', 'bio']), (QuickMcapReader, ['_open', 'chunks']),
    (BoundedSqliteReader, ['_open', 'dbconn']),
])
def test_methods_that_are_bounded(reader: type, names: list[str]):
    made = reader(Path(__file__))
    missing = [name for name in names if not hasattr(made, name)]
    assert missing == [], changed(f'{reader.__name__} has no {missing}')


def test_the_next_minor_version_is_not_installed_unseen():
    setup = configparser.ConfigParser()
    setup.read(ROOT / 'setup.cfg', encoding='utf-8')
    requirements = setup['options']['install_requires'].splitlines()
    (bounds,) = (line for line in requirements if line.startswith('rosbags'))
    least, below = bounds.removeprefix('rosbags>=').split(',<')
    installed, lower, upper = (
        tuple(map(int, text.split('.'))) for text in (version('rosbags'), least, below)
    )
    assert lower <= installed < upper
    assert upper == (0, lower[1] + 1)
