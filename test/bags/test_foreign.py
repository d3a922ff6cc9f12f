# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What cannot be read as a recording or a LiDAR is called what it is, and nothing else."""

from __future__ import annotations

from pathlib import Path

from bag_drives import image, RGB
from bag_files import drive, START_NS, write_bare, write_old_sqlite, write_ros2
from clip_depth_ros.bags.foreign import other_lidars, why_no_cdr
from clip_depth_ros.bags.message_types import ros2_types
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.errors import RecordingError, TopicError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.frames import open_for_evaluation
from clip_depth_ros.types import RecordedMessage
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import get_types_from_msg, get_typestore, Stores


def rewritten(folder: Path, old: str, new: str) -> Path:
    """Change the metadata of a recording."""
    path = folder / 'metadata.yaml'
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return folder


def of_ros1(path: Path, messages: list[RecordedMessage]) -> Path:
    """Write messages of ROS 1 where those of ROS 2 belong."""
    raw = [
        RecordedMessage(m.topic, m.msgtype, bytes(ros2_types().cdr_to_ros1(m.cdr, m.msgtype)),
                        m.bag_time_ns)
        for m in messages if m.topic != '/tf_static'
    ]
    return write_ros2(path, raw)


def opened(path: Path) -> None:
    """Open a recording."""
    with BagReader(path):
        pass


class TestStorage:
    @pytest.mark.parametrize(('storage', 'named'), [
        (StoragePlugin.MCAP, 'mcap'), (StoragePlugin.SQLITE3, 'sqlite3'),
    ])
    def test_that_is_not_named(self, tmp_path: Path, storage: StoragePlugin, named: str):
        folder = write_ros2(tmp_path / 'bag', drive(1), storage)
        rewritten(folder, f'storage_identifier: {named}', "storage_identifier: ''")
        with pytest.raises(RecordingError, match=f'so write storage_identifier: {named}') as told:
            opened(folder)
        assert 'repair' not in str(told.value)

    def test_of_another_kind(self, tmp_path: Path):
        folder = write_ros2(tmp_path / 'bag', drive(1))
        rewritten(folder, 'storage_identifier: mcap', 'storage_identifier: rosbag_v2')
        with pytest.raises(RecordingError, match="'rosbag_v2', it should be mcap or sqlite3"):
            opened(folder)


class TestRos1:
    def test_in_the_metadata(self, tmp_path: Path):
        folder = write_ros2(tmp_path / 'bag', drive(1))
        rewritten(folder, 'serialization_format: cdr', 'serialization_format: ros1')
        with pytest.raises(RecordingError, match=r'messages of ROS 1: name the \.bag'):
            opened(folder)

    @pytest.mark.parametrize('bare', [True, False])
    def test_in_the_profile(self, tmp_path: Path, bare: bool):
        write = write_bare if bare else write_ros2
        path = write(tmp_path / 'bag', drive(1), StoragePlugin.MCAP)
        file = path if bare else next(path.glob('*.mcap'))
        file.write_bytes(file.read_bytes().replace(b'ros2', b'ros1', 1))
        with pytest.raises(RecordingError, match=r'holds messages of ROS 1: name the \.bag'):
            opened(path)

    @pytest.mark.parametrize('named', [{}, {'image_topic': '/cam/image', 'depth_topic': '/gt'}])
    def test_in_the_messages_alone(self, tmp_path: Path, named: dict[str, str]):
        frames = [m for i in range(2) for m in (
            image(i, RGB), image(i, RGB[..., 0].astype('float32'), '32FC1', '/gt'),
        )]
        folder = of_ros1(tmp_path / 'bag', frames)
        with pytest.raises(RecordingError, match='are those of ROS 1, not CDR: name the'):
            open_for_evaluation([str(folder)], SourceSettings.from_mapping(named))

    def test_what_is_damaged_is_not_taken_for_it(self):
        assert 'ends within its header' in why_no_cdr('/a', b'\0\1\0\0')
        assert 'should be CDR' in why_no_cdr('/a', b'nonsense of any kind whatsoever, no header')


class TestLidars:
    def livox(self, path: Path) -> Path:
        """Write a recording whose only LiDAR sends no clouds."""
        store = get_typestore(Stores.ROS2_JAZZY)
        name = 'livox_ros_driver2/msg/CustomMsg'
        store.register(get_types_from_msg('std_msgs/Header header\nuint32 point_num', name))
        head = store.types['std_msgs/msg/Header'](
            store.types['builtin_interfaces/msg/Time'](1, 0), 'livox'
        )
        with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            lidar = writer.add_connection('/livox/lidar', name, typestore=store)
            message = store.types[name](head, 0)
            writer.write(lidar, START_NS, store.serialize_cdr(message, name))
            camera = image(0, RGB)
            topic = writer.add_connection(camera.topic, camera.msgtype, typestore=store)
            writer.write(topic, START_NS, camera.cdr)
        return path

    @pytest.mark.parametrize('named', [{}, {'lidar_topic': '/livox/lidar'}])
    def test_that_send_no_clouds(self, tmp_path: Path, named: dict[str, str]):
        wanted = "'/livox/lidar' may be .* CustomMsg is not read, .* PointCloud2 is: set xfer"
        with pytest.raises(TopicError, match=wanted.replace(' .* ', '.*')):
            open_for_evaluation(
                [str(self.livox(tmp_path / 'bag'))], SourceSettings.from_mapping(named)
            )

    @pytest.mark.parametrize('kind', [
        'livox_ros_driver/msg/CustomMsg', 'velodyne_msgs/msg/VelodyneScan',
        'ouster_ros/msg/PacketMsg', 'sensor_msgs/msg/LaserScan', 'sensor_msgs/msg/PointCloud',
    ])
    def test_each_with_its_remedy(self, kind: str):
        assert other_lidars({'/a': kind}).startswith(f". '/a' may be the LiDAR, and {kind} is not")

    def test_nothing_is_said_of_what_is_none(self):
        assert other_lidars({'/a': 'sensor_msgs/msg/Image', '/b': 'std_msgs/msg/String'}) == ''


def test_old_recordings_are_still_read(tmp_path: Path):
    opened(write_old_sqlite(tmp_path / 'old', drive(1)))
