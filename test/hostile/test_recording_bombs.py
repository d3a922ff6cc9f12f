# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small recordings that mean gigabytes, or files elsewhere: refused, in bounded memory."""

from __future__ import annotations

import bz2
from collections.abc import Callable
import dataclasses
import os
from pathlib import Path
import shutil
import tracemalloc
from typing import Any

from bag_files import drive, write_bare, write_ros1, write_ros2
from clip_depth_ros.bags.bounds import check_concurrent, most_bytes, unpacked
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.errors import ConfigError, RecordingError
from clip_depth_ros.settings.base import read_settings
from clip_depth_ros.settings.plain_yaml import checked_yaml, read_yaml
from hostile_bags import (
    laughs,
    with_metadata,
    write_chunk,
    write_generated,
    write_secret,
    zstd_of_zeros,
)
import lz4.frame
import pytest
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionMode, StoragePlugin
from rosbags.rosbag2.storage_mcap import ChunkInfo
import yaml

MB = 1 << 20
GB = 1 << 30
ZEROS = bytes(8 * MB)
BZ2_GB = bz2.compress(ZEROS) * 128
LZ4_GB = lz4.frame.compress(ZEROS) * 128


def read_all(path: Path) -> int:
    """Return the number of messages of a recording that can be read."""
    with BagReader(path) as bag:
        return len(list(bag.messages()))


def peak_bytes(path: Path, match: str) -> int:
    """Return how much memory it takes to refuse a recording."""
    tracemalloc.start()
    try:
        with pytest.raises(RecordingError, match=match):
            read_all(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class TestCompressed:
    """What is compressed unpacks to a bound, whatever it says of itself."""

    @pytest.mark.parametrize('kind', ['zstd', 'lz4'])
    @pytest.mark.parametrize('stated', [100, GB])
    def test_a_chunk_of_an_mcap_file(self, tmp_path: Path, kind: str, stated: int) -> None:
        data = {'zstd': zstd_of_zeros(GB), 'lz4': LZ4_GB}[kind]
        bag = write_chunk(tmp_path / 'x.mcap', data, stated, kind)
        assert peak_bytes(bag, r'x.mcap.*should unpack to at most') < 64 * len(data) + 300 * MB

    def test_a_message_that_is_compressed_by_itself(self, tmp_path: Path) -> None:
        messages = [dataclasses.replace(drive(1)[-1], cdr=zstd_of_zeros(GB))]
        bag = write_bare(tmp_path / 'x', messages, StoragePlugin.SQLITE3)
        assert peak_bytes(bag, 'should unpack to at most 134217728') < 400 * MB

    def test_a_folder_whose_messages_are_compressed(self, tmp_path: Path) -> None:
        messages = [dataclasses.replace(drive(1)[-1], cdr=zstd_of_zeros(GB))]
        bag = write_ros2(tmp_path / 'x', messages, StoragePlugin.SQLITE3)
        with_metadata(bag, compression_mode='message', compression_format='zstd')
        assert peak_bytes(bag, 'should unpack to at most 134217728') < 400 * MB

    def test_a_file_leaves_nothing_on_the_disk(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr('clip_depth_ros.bags.bounds._FILE_ANYWAY', 4 * MB)
        (tmp_path / 'tmp').mkdir()
        monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'tmp'))
        bag = write_ros2(tmp_path / 'x', drive(1), StoragePlugin.MCAP, CompressionMode.FILE)
        assert read_all(bag) == 3
        (bag / 'x.mcap.zstd').write_bytes(zstd_of_zeros(GB))
        peak_bytes(bag, "'x.mcap.zstd' should unpack to at most 4194304")
        assert os.listdir(tmp_path / 'tmp') == []

    @pytest.mark.parametrize(('mode', 'bomb'), [
        (Ros1Writer.CompressionFormat.BZ2, BZ2_GB), (Ros1Writer.CompressionFormat.LZ4, LZ4_GB),
    ])
    def test_a_chunk_of_a_ros1_bag(
        self, tmp_path: Path, mode: Any, bomb: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = f'rosbags.rosbag1.writer.{mode.name.lower()}_compress'
        monkeypatch.setattr(name, lambda *_: bomb)
        bag = write_ros1(tmp_path / 'x', drive(1), mode)
        assert bag.stat().st_size < 2 * len(bomb) + 50_000
        assert peak_bytes(bag, 'should unpack to at most') < 64 * len(bomb) + 400 * MB

    @pytest.mark.parametrize(('make', 'pack'), [
        (bz2.BZ2Decompressor, bz2.compress),
        (lz4.frame.LZ4FrameDecompressor, lz4.frame.compress),
    ])
    def test_what_is_no_bomb_is_unpacked_whole(
        self, make: Callable[[], Any], pack: Callable[[bytes], bytes]
    ) -> None:
        data = os.urandom(1000) + bytes(100_000)
        assert unpacked(pack(data), make, len(data)) == data
        assert unpacked(pack(data[:500]) + pack(data[500:]), make, len(data)) == data
        with pytest.raises(ValueError, match='at most 100999 bytes'):
            unpacked(pack(data), make, len(data) - 1)
        with pytest.raises(ValueError, match='end early'):
            unpacked(pack(data)[:-8], make, len(data))

    def test_much_may_come_of_little_and_more_of_much(self) -> None:
        assert most_bytes(10) == 128 * MB
        assert most_bytes(100 * MB) == 6400 * MB


def chunk(start: int, end: int, n_bytes: int, n_packed: int) -> ChunkInfo:
    return ChunkInfo(start, end, 8, n_packed, {}, 0, 'zstd', n_packed, n_bytes, {})


class TestIndexes:
    """An index can name the same bytes over and over."""

    def test_chunks_of_one_time_are_held_at_once(self) -> None:
        check_concurrent([chunk(i, i, 100 * MB, 4000) for i in range(1000)])
        check_concurrent([chunk(0, 9, 100 * MB, 10 * MB)] * 1000)
        with pytest.raises(ValueError, match='44000 bytes of one time should unpack to at most'):
            check_concurrent([chunk(i, 1000, 100 * MB, 4000) for i in range(1000)])

    def test_a_ros1_index_is_a_part_of_its_file(self, tmp_path: Path) -> None:
        path = write_ros1(tmp_path / 'x', drive(100))
        bag = path.read_bytes()
        count = b'chunk_count='
        at = bag.index(count) + len(count)
        # The record about the only chunk stands last: it is said, and written, many times.
        start = last_record(bag)
        path.write_bytes(bag[:at] + (50).to_bytes(4, 'little') + bag[at + 4:] + bag[start:] * 49)
        with pytest.raises(RecordingError, match='the index should be a part of the file'):
            read_all(path)


def last_record(bag: bytes) -> int:
    """Return where the last record of a ROS 1 bag begins: the one about its last chunk."""
    at = bag.index(b'\n') + 1
    start = at
    while at < len(bag):
        start = at
        for _ in range(2):  # header and data
            at += 4 + int.from_bytes(bag[at:at + 4], 'little')
    return start


class TestSqlite:
    def test_a_column_that_is_made_when_it_is_read(self, tmp_path: Path) -> None:
        bag = write_generated(tmp_path / 'x', 900 * MB)
        assert bag.stat().st_size < 20_000
        assert peak_bytes(bag, 'too big') < 10 * MB

    @pytest.mark.parametrize('name', ['a %2e?#b', 'Straße', 'x?mode=rwc', "it's"])
    def test_names_of_files_are_no_addresses(self, tmp_path: Path, name: str) -> None:
        bag = write_ros2(tmp_path / 'x', drive(2), StoragePlugin.SQLITE3).rename(tmp_path / name)
        (bag / 'x.db3').rename(bag / f'{name}.db3')
        assert read_all(with_metadata(bag, relative_file_paths=[f'{name}.db3'])) == 5

    def test_a_file_cannot_be_named_as_an_address_of_another(self, tmp_path: Path) -> None:
        """``..%2fsecret.db3`` is there, so that it was let through, and another was opened."""
        secret = write_secret(tmp_path)
        bag = write_ros2(tmp_path / 'x', drive(2), StoragePlugin.SQLITE3)
        (bag / 'x.db3').rename(bag / '..%2fsecret.db3')
        with_metadata(bag, relative_file_paths=['..%2fsecret.db3'])
        assert read_all(secret) == 3
        assert read_all(bag) == 5


class TestMetadata:
    @pytest.fixture
    def bag(self, tmp_path: Path) -> Path:
        """Give a folder, beside a recording that it has no business with."""
        write_secret(tmp_path)
        return write_ros2(tmp_path / 'x', drive(2), StoragePlugin.SQLITE3)

    @pytest.mark.parametrize('name', ['../secret.db3', '/etc/passwd', '..', '.', '', 'x/..', 7])
    def test_only_files_of_the_folder_are_read(self, bag: Path, name: object) -> None:
        with_metadata(bag, relative_file_paths=[name])
        with pytest.raises(RecordingError, match='no such files in the folder'):
            read_all(bag)

    @pytest.mark.parametrize('name', ['x/x.db3', '/recorded/on/a/robot/x.db3'])
    def test_what_early_rosbag2_wrote_is_found(self, bag: Path, name: str) -> None:
        assert read_all(with_metadata(bag, relative_file_paths=[name])) == 5

    def test_files_on_another_disk_are_found_by_links(self, bag: Path, tmp_path: Path) -> None:
        shutil.move(bag / 'x.db3', tmp_path / 'disk.db3')
        (bag / 'x.db3').symlink_to(tmp_path / 'disk.db3')
        assert read_all(bag) == 5

    def test_what_is_no_regular_file(self, bag: Path, tmp_path: Path) -> None:
        (bag / 'x.db3').unlink()
        os.mkfifo(bag / 'x.db3')
        with pytest.raises(RecordingError, match='no such files'):
            read_all(bag)
        os.mkfifo(tmp_path / 'x.mcap')
        with pytest.raises(RecordingError, match='should be a file or a folder'):
            read_all(tmp_path / 'x.mcap')

    def test_yaml_that_means_more_than_it_says(self, bag: Path) -> None:
        path = bag / 'metadata.yaml'
        path.write_text(laughs(30, merged=True) + path.read_text())
        with pytest.raises(RecordingError, match='YAML should mean at most 500000 values'):
            read_all(bag)

    def test_yaml_within_a_recording(self, tmp_path: Path) -> None:
        """The quality of service of a topic is YAML in a text."""
        import sqlite3

        bag = write_bare(tmp_path / 'x', drive(1), StoragePlugin.SQLITE3)
        with sqlite3.connect(bag) as connection:
            profiles = laughs(30, merged=True)
            connection.execute('UPDATE topics SET offered_qos_profiles = ?', (profiles,))
        connection.close()
        with pytest.raises(RecordingError, match='YAML should mean at most'):
            read_all(bag)


class TestYaml:
    """Settings, protocols and parameter files are read by the same reader."""

    @pytest.mark.parametrize(('text', 'message'), [
        (laughs(12), 'at most 500000 values'),
        (laughs(30, merged=True), 'at most 500000 values'),
        ('a: ' + '[' * 5000, 'nesting depth|50 levels|recursion'),
        ('a: ' + '[' * 60 + ']' * 60, '50 levels'),
        ('a: &a [*a]', 'holds itself'),
        ('a: "' + 'x' * (5 * MB) + '"', 'at most 4194304 bytes'),
        ('a: 2001-99-99', 'a value of YAML is none'),
        ('a: !!python/object/apply:os.getcwd []', 'could not determine a constructor'),
        ('a: *nowhere', 'undefined alias'),
    ])
    def test_what_is_refused(self, tmp_path: Path, text: str, message: str) -> None:
        path = tmp_path / 'x.yaml'
        path.write_text(text)
        with pytest.raises(ConfigError, match=rf'(?s)x.yaml.*({message})'):
            read_settings(path)

    def test_a_file_without_an_end(self) -> None:
        with pytest.raises(yaml.YAMLError, match='at most 4194304 bytes'):
            read_yaml(Path('/dev/zero'))

    def test_aliases_are_understood(self, tmp_path: Path) -> None:
        text = 'a: &a [1, 2]\nb: &b {c: *a, d: &e x}\nf: {<<: *b, g: *e}\n'
        assert checked_yaml(text) == text
        path = tmp_path / 'x.yaml'
        path.write_text(text)
        assert read_yaml(path)['f'] == {'c': [1, 2], 'd': 'x', 'g': 'x'}

    def test_a_wrong_value_is_not_shown_whole(self) -> None:
        from clip_depth_ros.settings.node import NodeSettings

        with pytest.raises(ConfigError) as caught:
            NodeSettings.from_mapping({'device': ['x'] * 100_000})
        assert len(str(caught.value)) < 500


class TestDefinitions:
    def test_long_arrays_of_what_is_no_number(self, tmp_path: Path) -> None:
        """Code is written for each element before a message is read."""
        path = write_ros1(tmp_path / 'x', drive(1)[-1:])
        bag = path.read_bytes()
        old, new = b'string encoding', b'string[99999] e'
        assert bag.count(old) == 2  # in the chunk, and behind it
        path.write_bytes(bag.replace(old, new))
        with pytest.raises(RecordingError, match='99999 elements that are no numbers'):
            read_all(path)
