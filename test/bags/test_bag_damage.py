# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Damaged recordings give what can be read of them, and say what cannot."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
import sqlite3
from typing import Any

from bag_drives import image, lidar_drive, static
from bag_files import KINDS, START_NS, STEP_NS, write_split
from clip_depth_ros.bags.damage import Damage, readable_messages
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.writer import write_recording
from clip_depth_ros.errors import DataError, RecordingError
from clip_depth_ros.types import RecordedMessage
import cv2
from hypothesis import given, HealthCheck, settings, strategies as st
import numpy as np
from open_sources import open_bag
import pytest

N_FRAMES = 16
TOPICS: dict[str, Any] = {'image_topic': '/cam/image', 'depth_topic': '/cam/depth'}


def big_drive(n_frames: int = N_FRAMES) -> list[RecordedMessage]:
    """Return noise, hard to compress: with 0.5 MB for each frame there are many chunks."""
    rng = np.random.default_rng(0)
    messages = []
    for index in range(n_frames):
        rgb = rng.integers(0, 255, (300, 400, 3), np.uint8)
        depth_m = np.full((300, 400), 2.0 + index, np.float32)
        messages += [image(index, rgb), image(index, depth_m, '32FC1', '/cam/depth')]
    return messages


def places(data: bytes, pattern: bytes) -> list[int]:
    """Return where a pattern is."""
    found = [data.find(pattern)]
    while (following := data.find(pattern, found[-1] + 1)) >= 0:
        found.append(following)
    return found


def flip(path: Path, start: int, n_bytes: int = 4) -> None:
    """Flip all bits of some bytes."""
    data = bytearray(path.read_bytes())
    data[start:start + n_bytes] = bytes(byte ^ 0xFF for byte in data[start:start + n_bytes])
    path.write_bytes(data)


def zstd_frames(data: bytes) -> list[int]:
    """Return where compressed data begins."""
    return places(data, b'\x28\xb5\x2f\xfd')


WEAK_SPOTS: dict[str, Callable[[bytes], list[int]]] = {
    'bare-mcap-storage': zstd_frames,
    'ros1-lz4': lambda data: places(data, b'\x04\x22\x4d\x18'),
    'ros1': lambda data: places(data, b'op=\x02'),
    # Pages of 4096 bytes: in the middle, those that lead to other pages of one long message.
    'bare-sqlite3-none': lambda data: list(range(0, len(data), 4096)),
}
"""Where a flipped byte cannot go unnoticed, as it can within the pixels themselves."""


@pytest.mark.parametrize('kind', WEAK_SPOTS)
class TestFlippedBytesInTheMiddle:
    def opened(self, tmp_path: Path, kind: str) -> Any:
        path = KINDS[kind](tmp_path / 'drive', big_drive())
        spots = WEAK_SPOTS[kind](path.read_bytes())
        flip(path, spots[len(spots) // 2])
        return open_bag(path, **TOPICS, allow_missing=True)

    def test_what_is_before_and_behind_is_read(self, tmp_path: Path, kind: str):
        source = self.opened(tmp_path, kind)
        assert len(source) >= N_FRAMES - 6
        stamps = []
        for index in range(len(source)):
            try:
                sample = source[index]
            except DataError as error:
                assert source.names[index] in str(error)  # noqa: PT017
                continue
            assert sample.stamp_ns is not None
            number = (sample.stamp_ns - START_NS) // STEP_NS
            assert (sample.target_m == 2 + number).all()
            stamps.append(number)
        assert stamps == sorted(set(stamps))
        assert {0, N_FRAMES - 1} < set(stamps)
        assert N_FRAMES - 6 <= len(stamps) < N_FRAMES

    def test_what_is_missing_is_named(self, tmp_path: Path, kind: str):
        source = self.opened(tmp_path, kind)
        (problem,) = source.problems
        assert problem[0] == source.describe()['bag'].split('/')[-1]
        assert f'of {2 * N_FRAMES} messages, from ' in problem[1]

    def test_training_refuses_it(self, tmp_path: Path, kind: str):
        source = self.opened(tmp_path, kind)
        with pytest.raises(RecordingError, match=r'after \d+ of 32 messages, cannot read on'):
            open_bag(Path(source.describe()['bag']), **TOPICS)


@pytest.mark.parametrize('kind', ['bare-mcap-message', 'bare-sqlite3-message'])
def test_one_compressed_message_is_damaged(tmp_path: Path, kind: str):
    """Where its magic number is gone, it is not taken for a message that is not compressed."""
    path = KINDS[kind](tmp_path / 'drive', big_drive())
    flip(path, zstd_frames(path.read_bytes())[8])
    source = open_bag(path, **TOPICS, allow_missing=True)
    assert len(source) == N_FRAMES - 1
    ((what, why),) = source.problems
    assert what.startswith(f'{path.name} /cam/')
    assert 'should be CDR' in why
    with pytest.raises(RecordingError, match='should be CDR'):
        open_bag(path, **TOPICS)


def test_two_damaged_places(tmp_path: Path):
    """What is between them is read, too."""
    path = KINDS['bare-mcap-storage'](tmp_path / 'drive', big_drive())
    chunks = zstd_frames(path.read_bytes())
    for chunk in (chunks[2], chunks[5]):
        flip(path, chunk)
    source = open_bag(path, **TOPICS, allow_missing=True)
    assert [what for what, _ in source.problems] == ['drive.mcap'] * 2
    assert N_FRAMES - 8 <= len(source) < N_FRAMES


def test_a_damaged_file_of_a_split_recording_leaves_the_others(tmp_path: Path):
    messages = big_drive()
    path = write_split(tmp_path / 'drive', [messages[:10], messages[10:20], messages[20:]])
    file = path / 'drive_1.mcap'
    flip(file, places(file.read_bytes(), b'rgb8')[2] - 60, 40)
    source = open_bag(path, **TOPICS, allow_missing=True)
    stamps = {(source[i].stamp_ns or 0) - START_NS for i in (0, len(source) - 1)}
    assert stamps == {0, (N_FRAMES - 1) * STEP_NS}


def test_damage_at_the_end(tmp_path: Path):
    path = KINDS['bare-mcap-storage'](tmp_path / 'drive', big_drive())
    flip(path, zstd_frames(path.read_bytes())[-1])
    source = open_bag(path, **TOPICS, allow_missing=True)
    assert 'to the end: ' in source.problems[0][1]
    assert len(source) >= N_FRAMES - 3


def test_nothing_left(tmp_path: Path):
    path = KINDS['bare-mcap-storage'](tmp_path / 'drive', big_drive(1))
    flip(path, zstd_frames(path.read_bytes())[0])
    with pytest.raises(RecordingError, match=r'no image with depth: .*first of all, after 0 of 2'):
        open_bag(path, **TOPICS, allow_missing=True)


def test_fewer_messages_than_stated(tmp_path: Path):
    path = KINDS['sqlite3-none'](tmp_path / 'drive', lidar_drive(3))
    metadata = path / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace('message_count: 3', 'message_count: 5'))
    source = open_bag(path, allow_missing=True)
    assert len(source) == 3
    ((what, why),) = source.problems
    assert what == 'drive'
    assert 'after 10 of 16 messages, from 0.200 s to the end' in why


@pytest.mark.parametrize('kind', ['bare-mcap-storage', 'ros1', 'bare-sqlite3-none'])
@pytest.mark.parametrize('share', [0.3, 0.95])
def test_a_recording_that_was_cut_off_names_the_repair(tmp_path: Path, kind: str, share: float):
    """Its index is at its end; without that it cannot be opened."""
    path = KINDS[kind](tmp_path / 'drive', big_drive(6))
    data = path.read_bytes()
    path.write_bytes(data[:int(share * len(data))])
    with pytest.raises(RecordingError, match=rf'{path.name}.*(rosbag reindex|mcap recover)'):
        open_bag(path, **TOPICS, allow_missing=True)


def test_a_missing_index(tmp_path: Path):
    """As rosbag leaves it when it is killed: the header says that the index is nowhere."""
    path = KINDS['ros1'](tmp_path / 'drive', lidar_drive())
    place = path.read_bytes().find(b'index_pos=') + len('index_pos=')
    data = bytearray(path.read_bytes())
    data[place:place + 8] = bytes(8)
    path.write_bytes(data)
    with pytest.raises(RecordingError, match=r'drive\.bag.*not indexed.*rosbag reindex'):
        open_bag(path, allow_missing=True)


def test_missing_metadata_names_the_files(tmp_path: Path):
    path = KINDS['mcap-none'](tmp_path / 'drive', lidar_drive())
    (path / 'metadata.yaml').unlink()
    with pytest.raises(RecordingError, match=r"no metadata\.yaml; name .*\['drive\.mcap'\]"):
        open_bag(path, allow_missing=True)
    assert len(open_bag(path / 'drive.mcap')) == 3


class TestMessagesThatSayNothing:
    """Whole recordings, broken messages."""

    def bag(self, tmp_path: Path, broken: RecordedMessage) -> Path:
        messages = [*lidar_drive(), broken]
        return KINDS['mcap-none'](tmp_path / 'drive', messages)

    @pytest.mark.parametrize('like', [static(np.eye(4), 'a', 'b'), image(1), lidar_drive()[1]])
    def test_they_are_named_and_the_others_used(self, tmp_path: Path, like: RecordedMessage):
        broken = RecordedMessage(like.topic, like.msgtype, like.cdr[:14], START_NS + STEP_NS + 1)
        path = self.bag(tmp_path, broken)
        source = open_bag(path, allow_missing=True)
        assert len(source) == 3
        assert [what for what, _ in source.problems] == [f'drive {like.topic}']
        with pytest.raises(RecordingError, match=r'header|decode'):
            open_bag(path)

    def test_an_image_without_its_pixels_is_found_when_it_is_read(self, tmp_path: Path):
        message: Any = image(3)
        broken = RecordedMessage(message.topic, message.msgtype, message.cdr[:60],
                                 message.bag_time_ns)
        depth = [m for m in lidar_drive(4) if m.topic == '/points'][-1]
        path = KINDS['mcap-none'](tmp_path / 'drive', [*lidar_drive(), broken, depth])
        source = open_bag(path, allow_missing=True)
        assert (len(source), source.problems) == (4, [])
        with pytest.raises(DataError, match=r'drive /cam/image at .*cannot decode'):
            source[3]


class TestDamagedTables:
    def test_a_name_in_an_embedded_definition(self, tmp_path: Path):
        """What an image looks like is known without it."""
        path = KINDS['bare-mcap-none'](tmp_path / 'drive', lidar_drive())
        path.write_bytes(path.read_bytes().replace(b'uint32 height', b'uint32 hxight'))
        source = open_bag(path, allow_missing=True)
        assert source[2].target_m[5, 5] == 10

    def damaged(self, tmp_path: Path, change: str) -> Path:
        """Change the tables of an SQLite recording."""
        path = KINDS['bare-sqlite3-none'](tmp_path / 'drive', lidar_drive())
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute('CREATE TABLE spare AS SELECT * FROM topics')
            connection.execute('DROP TABLE topics')
            connection.execute('ALTER TABLE spare RENAME TO topics')
            connection.execute(change)
        return path

    def test_a_topic_without_a_name_is_none(self, tmp_path: Path):
        change = "UPDATE topics SET name = NULL WHERE name = '/points'"
        with BagReader(self.damaged(tmp_path, change)) as bag:
            assert [*bag.topics] == ['/cam/camera_info', '/cam/image', '/tf_static']

    def test_a_message_that_is_no_bytes(self, tmp_path: Path):
        """An image of the second frame."""
        change = "UPDATE messages SET data = 'text' WHERE id = 6"
        source = open_bag(self.damaged(tmp_path, change), allow_missing=True)
        assert (len(source), source.n_missed) == (2, 0)
        assert 'should be bytes with a time, is str at 16000' in source.problems[0][1]


def test_numbered_depth_maps_end_where_an_image_may_be_missing(tmp_path: Path):
    """Behind the gap, nobody knows which number an image has."""
    path = KINDS['bare-mcap-storage'](tmp_path / 'drive', big_drive())
    chunks = zstd_frames(path.read_bytes())
    flip(path, chunks[len(chunks) // 2])
    (tmp_path / 'gt').mkdir()
    for number in range(N_FRAMES):
        stored = np.full((300, 400), 256 * (number + 1), np.uint16)
        cv2.imwrite(str(tmp_path / 'gt' / f'{number}.png'), stored)
    source = open_bag(
        path, image_topic='/cam/image', gt_dir=tmp_path / 'gt', allow_missing=True
    )
    assert 3 < len(source) < N_FRAMES - 3
    for index in range(len(source)):
        stamp_ns = source[index].stamp_ns or 0
        assert source[index].target_m[0, 0] == (stamp_ns - START_NS) // STEP_NS + 1
    assert 'images behind the damage are left out' in source.problems[-1][1]
    assert source.n_matched + source.n_missed > len(source)


@pytest.mark.parametrize('kind', ['ros1', 'ros1-lz4', 'bare-mcap-storage', 'bare-sqlite3-none'])
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_law_frames_or_errors_of_this_package(kind: str, data: st.DataObject, tmp_path: Path):
    """Wherever bytes are flipped: nothing foreign is raised, nothing hangs."""
    path = tmp_path / 'whole'
    if not path.exists():
        KINDS[kind](tmp_path / 'drive', lidar_drive(4)).rename(path)
    suffix = '.bag' if kind.startswith('ros1') else '.mcap' if 'mcap' in kind else '.db3'
    victim = (tmp_path / 'victim').with_suffix(suffix)
    victim.write_bytes(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        flip(victim, data.draw(st.integers(0, path.stat().st_size - 1)), 1)
    with suppress(DataError):
        source = open_bag(victim, allow_missing=True)
        for index in range(len(source)):
            with suppress(DataError):
                source[index]


class TestRecordingsOfOurOwn:
    """They have checksums: nothing that is flipped in them is taken for what was recorded."""

    def test_flipped_pixels_are_named_and_not_used(self, tmp_path: Path):
        path = tmp_path / 'drive.mcap'
        write_recording(big_drive(), path)
        chunks = zstd_frames(path.read_bytes())
        flip(path, chunks[len(chunks) // 2] + 150_000, 1)  # noise, which zstd stores as it is
        source = open_bag(path, **TOPICS, allow_missing=True)
        ((what, why),) = source.problems
        assert what == 'drive.mcap'
        assert 'checksum' in why
        assert N_FRAMES - 6 <= len(source) < N_FRAMES
        frames = [source[index] for index in range(len(source))]
        assert all(
            (frame.target_m == 2 + ((frame.stamp_ns or 0) - START_NS) // STEP_NS).all()
            for frame in frames
        )
        with pytest.raises(RecordingError, match='checksum'):
            open_bag(path, **TOPICS)

    def test_a_damaged_index_is_named(self, tmp_path: Path):
        """With the time of a chunk in it, one would look for images elsewhere."""
        path = tmp_path / 'drive.mcap'
        write_recording(lidar_drive(), path)
        flip(path, path.read_bytes().rfind(START_NS.to_bytes(8, 'little')), 1)
        with pytest.raises(RecordingError, match=r'drive\.mcap.*index.*checksum.*mcap recover'):
            open_bag(path, allow_missing=True)

    @settings(
        max_examples=40, deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data())
    def test_law_a_flipped_byte_changes_no_message(self, data: st.DataObject, tmp_path: Path):
        whole, path = tmp_path / 'whole.mcap', tmp_path / 'drive.mcap'
        if not whole.exists():
            write_recording(lidar_drive(), whole)
        path.write_bytes(whole.read_bytes())
        flip(path, data.draw(st.integers(0, path.stat().st_size - 1)), 1)
        with suppress(DataError), BagReader(path) as bag:
            assert list(bag.messages()) == lidar_drive()


def test_reading_on_gives_no_message_twice(tmp_path: Path):
    written = big_drive()
    path = KINDS['ros1-lz4'](tmp_path / 'drive', written)
    chunks = places(path.read_bytes(), b'\x04\x22\x4d\x18')
    flip(path, chunks[1])
    damage = Damage()
    with BagReader(path) as bag:
        read = list(readable_messages(bag, ['/cam/image', '/cam/depth'], damage))
    kept = {(m.topic, m.bag_time_ns) for m in read}
    assert len(kept) == len(read)
    assert all(message in written for message in read)
    assert damage.since_ns is not None
    assert len([m for m in read if m.bag_time_ns < damage.since_ns]) > 0


def test_an_undamaged_recording_has_no_problems(tmp_path: Path):
    damage = Damage()
    with BagReader(KINDS['ros1'](tmp_path / 'drive', lidar_drive())) as bag:
        messages = list(readable_messages(bag, list(bag.topics), damage))
    assert (len(messages), damage.problems, damage.since_ns) == (10, [], None)


def test_an_empty_recording(tmp_path: Path):
    with BagReader(KINDS['ros1'](tmp_path / 'drive', [])) as bag:
        assert list(readable_messages(bag, [], Damage())) == []
