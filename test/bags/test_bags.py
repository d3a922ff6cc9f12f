# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings of every kind read alike; damaged ones say so and raise nothing else."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from bag_files import drive, KINDS, MakeBag, START_NS, STEP_NS, write_bare, write_ros2, write_wild
from clip_depth_ros.bags.message_types import ros2_types
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.core.stamps import stamp_ns_of
from clip_depth_ros.errors import RecordingError, TopicError
from clip_depth_ros.types import RecordedMessage
from hypothesis import given, HealthCheck, settings, strategies as st
import numpy as np
import pytest
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import get_types_from_msg, get_typestore, Stores

ONE_FILE = ['ros1', 'ros1-lz4', 'bare-mcap-none', 'bare-mcap-storage', 'bare-sqlite3-none']


def read_all(path: Path) -> list[RecordedMessage]:
    """Read and decode everything."""
    with BagReader(path) as bag:
        messages = list(bag.messages())
        for message in messages:
            bag.decode(message)
    return messages


def read_into(messages: list[RecordedMessage], path: Path) -> None:
    """Read as much as there is, so that it can be looked at after an error."""
    with BagReader(path) as bag:
        for message in bag.messages():
            messages.append(message)  # keeps what came before an error


@pytest.mark.parametrize('make_bag', KINDS.values(), ids=KINDS.keys())
class TestEveryKind:
    def test_gives_back_what_was_written(self, make_bag: MakeBag, tmp_path: Path) -> None:
        """Topic, type, bytes in ROS 2's format, receive time, in the order of time."""
        written = drive()
        assert read_all(make_bag(tmp_path / 'bag', written)) == written

    def test_sorts_by_time(self, make_bag: MakeBag, tmp_path: Path) -> None:
        """However the messages lie in the file."""
        path = make_bag(tmp_path / 'bag', drive()[::-1])
        with BagReader(path) as bag:
            times_ns = [message.bag_time_ns for message in bag.messages()]
        assert len(times_ns) == 9
        assert times_ns == sorted(times_ns)

    def test_lists_topics(self, make_bag: MakeBag, tmp_path: Path) -> None:
        """With full type names and counts."""
        with BagReader(make_bag(tmp_path / 'bag', drive())) as bag:
            listed = {t.name: (t.msgtype, t.count) for t in bag.topics.values()}
            assert bag.time_span_ns == (START_NS, START_NS + 3 * STEP_NS + 2)
        assert listed == {
            '/camera/camera_info': ('sensor_msgs/msg/CameraInfo', 4),
            '/camera/image': ('sensor_msgs/msg/Image', 4),
            '/tf_static': ('tf2_msgs/msg/TFMessage', 1),
        }

    def test_reads_chosen_topics(self, make_bag: MakeBag, tmp_path: Path) -> None:
        """And only those; none chosen is none, not all."""
        written = drive()
        with BagReader(make_bag(tmp_path / 'bag', written)) as bag:
            chosen = list(bag.messages(['/camera/image']))
            assert list(bag.messages([])) == []
        assert chosen == [m for m in written if m.topic == '/camera/image']

    def test_windows_that_follow_on_each_other_give_all_messages_once(
        self, make_bag: MakeBag, tmp_path: Path
    ) -> None:
        """A window reaches from its start until before its stop, wherever the bounds are."""
        written = drive()
        times_ns = [message.bag_time_ns for message in written]
        with BagReader(make_bag(tmp_path / 'bag', written)) as bag:
            for stops in ([START_NS + 1], times_ns, [0, START_NS + STEP_NS, times_ns[-1] + 1]):
                bounds = [None, *stops, None]
                windows = [
                    list(bag.messages(start_ns=start_ns, stop_ns=stop_ns))
                    for start_ns, stop_ns in pairwise(bounds)
                ]
                assert [message for window in windows for message in window] == written
            for message in written:
                time_ns = message.bag_time_ns
                window = bag.messages([message.topic], start_ns=time_ns, stop_ns=time_ns + 1)
                assert list(window) == [message]
            assert list(bag.messages(start_ns=times_ns[-1] + 1)) == []
            assert list(bag.messages(stop_ns=START_NS)) == []

    def test_decodes_with_ros2_names(self, make_bag: MakeBag, tmp_path: Path) -> None:
        """Values arrive, under ROS 2's field names from ROS 1 too (k, not K)."""
        with BagReader(make_bag(tmp_path / 'bag', drive())) as bag:
            info: Any = bag.decode(next(bag.messages(['/camera/camera_info'])))
        assert stamp_ns_of(info.header) == START_NS
        np.testing.assert_array_equal(info.k, [5, 0, 2.5, 0, 6, 1.5, 0, 0, 1])

    def test_refuses_an_unknown_topic_by_name(self, make_bag: MakeBag, tmp_path: Path) -> None:
        """At the call, not at the first message, and says what there is."""
        with (
            BagReader(make_bag(tmp_path / 'bag', drive())) as bag,
            pytest.raises(TopicError, match=r"no topic \['/imagee'\].*/camera/image"),
        ):
            bag.messages(['/imagee', '/tf_static'])

    def test_an_empty_recording_is_empty(self, make_bag: MakeBag, tmp_path: Path) -> None:
        """No topics, no messages, no time."""
        with BagReader(make_bag(tmp_path / 'bag', [])) as bag:
            assert (bag.topics, bag.time_span_ns, list(bag.messages())) == ({}, None, [])


@pytest.mark.parametrize('order', [slice(None), slice(None, None, -1)])
def test_windows_over_many_chunks(tmp_path: Path, order: slice) -> None:
    """Every message is found by its time, however the chunks lie and overlap in the file."""
    written = drive(8, width=400, height=600)  # more than half a chunk each
    late = [m for m in written if m.topic == '/camera/camera_info']
    others = [m for m in written if m.topic != '/camera/camera_info']
    path = write_bare(tmp_path / 'bag', [*others[order], *late], StoragePlugin.MCAP)
    with BagReader(path) as bag:
        for message in written:
            time_ns = message.bag_time_ns
            assert list(bag.messages(start_ns=time_ns, stop_ns=time_ns + 1)) == [message]
        for first, last in ((0, 5), (3, 9), (7, 16)):
            window = bag.messages(
                start_ns=written[first].bag_time_ns, stop_ns=written[last].bag_time_ns
            )
            assert list(window) == written[first:last]
        assert list(bag.messages(start_ns=0, stop_ns=1)) == []


@pytest.mark.parametrize('kind', ONE_FILE)
@pytest.mark.parametrize('share', [0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.999])
def test_a_truncated_file_is_an_error(kind: str, share: float, tmp_path: Path) -> None:
    """Wherever the cut is; what was read before it was right."""
    written = drive(12)
    path = KINDS[kind](tmp_path / 'bag', written)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    read: list[RecordedMessage] = []
    with pytest.raises(RecordingError, match=path.name):
        read_into(read, path)
    assert read == written[: len(read)]


def whole_file(kind: str, folder: Path) -> bytes:
    """Return the bytes of an undamaged recording, written once for each folder."""
    kept = folder / 'whole'
    if not kept.exists():
        kept.write_bytes(KINDS[kind](folder / 'bag', drive()).read_bytes())
    return kept.read_bytes()


@pytest.mark.parametrize('kind', ONE_FILE)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_flipped_bytes_raise_nothing_foreign(
    kind: str, data: st.DataObject, tmp_path: Path
) -> None:
    """A damaged file either reads or gives this package's error; it never hangs."""
    damaged = bytearray(whole_file(kind, tmp_path))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    suffix = '.bag' if kind.startswith('ros1') else '.mcap' if 'mcap' in kind else '.db3'
    victim = tmp_path / f'damaged{suffix}'
    victim.write_bytes(damaged)
    try:
        read_all(victim)
    except RecordingError as error:
        assert victim.name in str(error) or 'topic' in str(error)  # noqa: PT017


def test_fewer_messages_than_stated_is_an_error(tmp_path: Path) -> None:
    """All that are there are given first."""
    path = write_ros2(tmp_path / 'bag', drive(), StoragePlugin.SQLITE3)
    metadata = path / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace('message_count: 4', 'message_count: 7'))
    read: list[RecordedMessage] = []
    with pytest.raises(RecordingError, match='states 15 messages and ends after 9'):
        read_into(read, path)
    assert read == drive()


def test_a_missing_recording_is_named(tmp_path: Path) -> None:
    """As not there, rather than as damaged."""
    with pytest.raises(RecordingError, match=r'nowhere\.bag.*does not exist'):
        BagReader(tmp_path / 'nowhere.bag').__enter__()


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    """By its extension, saying what would be read."""
    path = tmp_path / 'drive.bag.active'
    path.write_bytes(b'#ROSBAG V2.0\n')
    with pytest.raises(RecordingError, match='rosbag reindex'), BagReader(path):
        pass


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / 'drive.db3').touch()
    with pytest.raises(RecordingError, match=r"drive\.db3' is empty"):
        BagReader(tmp_path / 'drive.db3').__enter__()


def test_a_folder_without_metadata_points_to_its_files(tmp_path: Path) -> None:
    """A recorder that was killed leaves such folders."""
    write_bare(tmp_path / 'bag', drive(), StoragePlugin.SQLITE3)
    with (
        pytest.raises(RecordingError, match=r"no metadata\.yaml.*\['bag\.db3'\]"),
        BagReader(tmp_path / 'bag'),
    ):
        pass


def test_use_outside_of_with_is_explained(tmp_path: Path) -> None:
    """Rather than failing somewhere inside."""
    reader = BagReader(write_ros2(tmp_path / 'bag', drive()))
    with pytest.raises(RecordingError, match='with statement'):
        reader.messages()


def test_short_type_names_and_compressed_messages(tmp_path: Path) -> None:
    """As seen in the wild: ``sensor_msgs/Image``, each message zstd-compressed."""
    written = drive()
    assert read_all(write_wild(tmp_path / 'bag', written, bare=False)) == written
    assert read_all(write_wild(tmp_path / 'bare', written, bare=True)) == written


def test_a_topic_that_is_not_cdr_is_refused_by_name(tmp_path: Path) -> None:
    """The others can still be read."""
    with Writer(tmp_path / 'bag', version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        json = writer.add_connection(
            '/json', 'std_msgs/msg/String', typestore=ros2_types(), serialization_format='json'
        )
        cdr = writer.add_connection('/cdr', 'std_msgs/msg/String', typestore=ros2_types())
        writer.write(json, 1, b'{}')
        writer.write(cdr, 2, b'\x00\x01\x00\x00\x02\x00\x00\x00a\x00')
    with BagReader(tmp_path / 'bag' / 'bag.mcap') as bag:
        assert [m.bag_time_ns for m in bag.messages(['/cdr'])] == [2]
        with pytest.raises(RecordingError, match="'/json' is serialised as 'json'"):
            bag.messages()


class TestRos1:
    def write(self, path: Path, msgtype: str, message: object, store: Any) -> Path:
        """Write one message of a ROS 1 type."""
        with Ros1Writer(path) as writer:
            connection = writer.add_connection('/topic', msgtype, typestore=store, latching=1)
            writer.write(connection, 7, store.serialize_ros1(message, msgtype))
        return path

    def test_a_type_that_has_new_fields_is_converted(self, tmp_path: Path) -> None:
        """ROS 2's Marker has more fields than ROS 1's: its bytes must be made anew."""
        ros1: Any = get_typestore(Stores.ROS1_NOETIC)
        noetic = ros1.types
        zero = noetic['geometry_msgs/msg/Vector3'](1.0, 2.0, 3.0)
        marker = noetic['visualization_msgs/msg/Marker'](
            noetic['std_msgs/msg/Header'](9, noetic['builtin_interfaces/msg/Time'](5, 6), 'map'),
            'lane', 3, 1, 0,
            noetic['geometry_msgs/msg/Pose'](
                noetic['geometry_msgs/msg/Point'](0.0, 0.0, 0.0),
                noetic['geometry_msgs/msg/Quaternion'](0.0, 0.0, 0.0, 1.0),
            ),
            zero,
            noetic['std_msgs/msg/ColorRGBA'](1.0, 0.0, 0.0, 1.0),
            noetic['builtin_interfaces/msg/Duration'](0, 0),
            True, [], [], 'text', '', False,
        )
        path = self.write(tmp_path / 'a.bag', 'visualization_msgs/msg/Marker', marker, ros1)
        with BagReader(path) as bag:
            read: Any = bag.decode(next(bag.messages()))
        assert (read.ns, read.id, read.scale.z, read.text) == ('lane', 3, 3.0, 'text')
        assert read.mesh_file.filename == ''  # new in ROS 2

    def test_a_type_of_its_own_keeps_its_fields(self, tmp_path: Path) -> None:
        """Only the header's sequence number goes."""
        store: Any = get_typestore(Stores.ROS1_NOETIC)
        text = 'Header header\nfloat64 value\nstring name\n'
        store.register(get_types_from_msg(text, 'my_msgs/msg/Thing'))
        stamp = store.types['builtin_interfaces/msg/Time'](5, 6)
        header = store.types['std_msgs/msg/Header'](9, stamp, 'map')
        thing = store.types['my_msgs/msg/Thing'](header, 2.5, 'x')
        path = self.write(tmp_path / 'a.bag', 'my_msgs/msg/Thing', thing, store)
        with BagReader(path) as bag:
            message = next(bag.messages())
            read: Any = bag.decode(message)
        assert message.msgtype == 'my_msgs/msg/Thing'
        assert (stamp_ns_of(read.header), read.value, read.name) == (5_000_000_006, 2.5, 'x')

    def test_latched_topics_are_known(self, tmp_path: Path) -> None:
        """A player must offer them to late subscribers."""
        store: Any = get_typestore(Stores.ROS1_NOETIC)
        text = store.types['std_msgs/msg/String']('hello')
        with BagReader(self.write(tmp_path / 'a.bag', 'std_msgs/msg/String', text, store)) as bag:
            assert bag.topics['/topic'].latched


def test_a_type_nobody_knows_reads_but_does_not_decode(tmp_path: Path) -> None:
    """Old SQLite files say nothing about types; bytes can still be copied or played."""
    strange = RecordedMessage('/x', 'my_msgs/msg/Strange', b'\x00\x01\x00\x00abcd', 5)
    path = KINDS['old-sqlite3'](tmp_path / 'bag', [strange])
    with BagReader(path) as bag:
        (read,) = bag.messages()
        assert read == strange
        with pytest.raises(RecordingError, match=r'my_msgs/msg/Strange.*no standard type'):
            bag.decode(read)


def test_padding_of_the_middleware_is_no_damage(tmp_path: Path) -> None:
    """RTPS pads messages to four bytes, so recorders see up to three zeros more."""
    (static, *_) = drive()
    padded = RecordedMessage(static.topic, static.msgtype, static.cdr + b'\0\0\0', 5)
    with BagReader(write_ros2(tmp_path / 'bag', [padded])) as bag:
        decoded: Any = bag.decode(next(bag.messages()))
    assert decoded.transforms[0].child_frame_id == 'camera'


def test_a_message_that_ends_early_does_not_decode(tmp_path: Path) -> None:
    """The error names topic and recording."""
    (static, *_) = drive()
    cut = RecordedMessage(static.topic, static.msgtype, static.cdr[:20], static.bag_time_ns)
    with (
        BagReader(write_ros2(tmp_path / 'bag', [cut])) as bag,
        pytest.raises(RecordingError, match=r"decode a message of '/tf_static' in .*bag"),
    ):
        bag.decode(next(bag.messages()))
