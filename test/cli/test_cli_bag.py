# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``clip-depth bag``: what a person types, what it prints, what it leaves behind."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys
from typing import Any

from bag_files import drive, write_ros1
from clip_depth_ros.bags import topics
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.writer import BagWriter
from clip_depth_ros.cli.main import main
from clip_depth_ros.core.stamps import stamp_ns_of
from clip_depth_ros.core.transforms import matrix_from
from clip_depth_ros.ros.environment import PROFILE_VARIABLES
from clip_depth_ros.world.rig import rig_of
import numpy as np
import pytest


def decoded(path: Path, topic: str) -> list[Any]:
    """Give the messages of a topic, decoded."""
    with BagReader(path) as bag:
        return [bag.decode(message) for message in bag.messages([topic])]


def write_drive(path: Path) -> Path:
    """Write a little recording."""
    with BagWriter(path) as writer:
        for message in drive():
            writer.write(message)
    return path


@pytest.mark.samples
class TestKitti:
    def test_makes_a_recording(
        self, samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Four frames of two sizes, each with cloud and camera_info; one line says so."""
        out = tmp_path / 'kitti.mcap'
        assert main(['bag', 'kitti', str(samples / 'kitti_object'), '--out', str(out)]) == 0
        assert capsys.readouterr().out == f'{out}: 4 frames\n'
        with BagReader(out) as bag:
            counts = {topic.name: topic.count for topic in bag.topics.values()}
        assert counts[topics.IMAGE] == counts[topics.CAMERA_INFO] == counts[topics.CLOUD] == 4
        widths = [image.width for image in decoded(out, topics.IMAGE)]
        assert widths == [1224, 1242, 1242, 1242]

    def test_names_the_recording_after_the_folder(
        self, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In the current folder, with as many frames as asked for."""
        monkeypatch.chdir(tmp_path)
        assert main(['bag', 'kitti', str(samples / 'kitti_object'), '--frames', '1']) == 0
        assert len(decoded(tmp_path / 'kitti_object.mcap', topics.IMAGE)) == 1

    def test_replaces_nothing_unasked(
        self, samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Exit code 1 and a line; --force does."""
        out = write_drive(tmp_path / 'kitti.mcap')
        command = ['bag', 'kitti', str(samples / 'kitti_object'), '--frames', '1']
        assert main([*command, '--out', str(out)]) == 1
        assert 'is there already' in capsys.readouterr().err
        assert main([*command, '--out', str(out), '--force']) == 0
        assert len(decoded(out, topics.IMAGE)) == 1


def test_kitti_refuses_another_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And leaves nothing."""
    (tmp_path / 'empty').mkdir()
    out = tmp_path / 'a.mcap'
    assert main(['bag', 'kitti', str(tmp_path / 'empty'), '--out', str(out)]) == 1
    assert 'is no KITTI folder: looked for' in capsys.readouterr().err
    assert not out.exists()


def render(out: Path, seed: int) -> Path:
    """Render a small drive of three frames."""
    size = ['--frames', '3', '--width', '80', '--height', '48', '--rate', '5']
    assert main(['bag', 'synth', '--out', str(out), *size, '--seed', str(seed)]) == 0
    return out


@pytest.fixture(scope='module')
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a synthetic recording."""
    return render(tmp_path_factory.mktemp('synth') / 'drive.mcap', seed=3)


class TestSynth:
    def test_holds_everything(self, recording: Path) -> None:
        """Images, truth, LiDAR and poses of each frame; the calibration once."""
        with BagReader(recording) as bag:
            counts = {topic.name: topic.count for topic in bag.topics.values()}
        of_each_frame = (
            topics.IMAGE, topics.CAMERA_INFO, topics.TRUE_DEPTH, topics.TRUE_CLASS_IDS,
            topics.CLOUD, topics.TF,
        )
        assert counts == {**dict.fromkeys(of_each_frame, 3), topics.TF_STATIC: 1}

    def test_stamps_keep_the_rate(self, recording: Path) -> None:
        """Equal for all messages of a frame, which is how they are matched."""
        stamps = {
            topic: [stamp_ns_of(message.header) for message in decoded(recording, topic)]
            for topic in (topics.IMAGE, topics.CAMERA_INFO, topics.TRUE_DEPTH, topics.CLOUD)
        }
        assert len({tuple(found) for found in stamps.values()}) == 1
        assert np.diff(stamps[topics.IMAGE]).tolist() == [200_000_000, 200_000_000]

    def test_lidar_agrees_with_the_true_depth(self, recording: Path) -> None:
        """Through tf and P: at most pixels that a LiDAR point hits, its depth is the image's."""
        (static,) = decoded(recording, topics.TF_STATIC)
        transform = static.transforms[0]
        assert transform.header.frame_id == topics.LIDAR_FRAME
        assert transform.child_frame_id == topics.CAMERA_FRAME
        T_cam_velo = np.linalg.inv(matrix_from(transform.transform))
        info, depth, cloud = (
            decoded(recording, topic)[0]
            for topic in (topics.CAMERA_INFO, topics.TRUE_DEPTH, topics.CLOUD)
        )
        depth_m = depth.data.view(np.float32).reshape(depth.height, depth.width)
        xyz = cloud.data.view(np.float32).reshape(-1, 4)[:, :3].astype(np.float64)
        xyz_cam = T_cam_velo[:3, :3] @ xyz.T + T_cam_velo[:3, 3:]
        u, v, z = info.p.reshape(3, 4)[:, :3] @ xyz_cam
        ahead = z > 1
        u, v, z = u[ahead] / z[ahead], v[ahead] / z[ahead], z[ahead]
        columns, rows = np.rint(u).astype(int), np.rint(v).astype(int)
        inside = (columns >= 0) & (columns < depth.width) & (rows >= 0) & (rows < depth.height)
        seen_m, z = depth_m[rows[inside], columns[inside]], z[inside]
        assert len(z) > 500
        # Not all: the LiDAR sits elsewhere and looks behind edges, and pixels are wide here.
        assert np.mean(abs(seen_m - z) < 0.1 * z) > 0.7

    def test_world_is_the_root_of_the_transforms(self, recording: Path) -> None:
        """The car moves, and has one parent."""
        poses = [m.transforms[0] for m in decoded(recording, topics.TF)]
        frames = {(pose.header.frame_id, pose.child_frame_id) for pose in poses}
        assert frames == {('world', 'velodyne')}
        xs = [matrix_from(pose.transform)[:2, 3] for pose in poses]
        assert np.linalg.norm(xs[2] - xs[0]) > 0.1

    def test_the_same_seed_gives_the_same_recording(self, recording: Path, tmp_path: Path) -> None:
        """Message by message; another seed gives another one."""
        again = render(tmp_path / 'again.mcap', seed=3)
        other = render(tmp_path / 'other.mcap', seed=4)
        with BagReader(recording) as a, BagReader(again) as b, BagReader(other) as c:
            first = list(a.messages())
            assert first == list(b.messages())
            assert first != list(c.messages())


class TestInfo:
    def test_lists_topics_and_times(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Of any kind of recording; nanoseconds are not rounded away."""
        path = write_ros1(tmp_path / 'drive', drive())
        assert main(['bag', 'info', str(path)]) == 0
        assert capsys.readouterr().out.splitlines() == [
            f'recording  {path}',
            'start      2020-09-13 12:26:40.123456789 UTC',
            'duration   0.300 s',
            'messages   9',
            '        4  /camera/camera_info  sensor_msgs/msg/CameraInfo',
            '        4  /camera/image        sensor_msgs/msg/Image     ',
            '        1  /tf_static           tf2_msgs/msg/TFMessage    ',
        ]

    def test_marks_latched_topics(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Those that late subscribers get, too."""
        assert main(['bag', 'info', str(write_drive(tmp_path / 'drive'))]) == 0
        assert 'tf2_msgs/msg/TFMessage      latched' in capsys.readouterr().out

    def test_explains_a_damaged_recording(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """In one line, with what to do."""
        path = write_drive(tmp_path / 'drive.mcap')
        path.write_bytes(path.read_bytes()[:-100])
        assert main(['bag', 'info', str(path)]) == 1
        said = capsys.readouterr().err
        assert said.startswith('clip-depth bag: error: cannot open')
        assert 'mcap recover' in said


@pytest.mark.ros
class TestPlay:
    @pytest.fixture(autouse=True)
    def dds_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Undo after each test what playing sets for its own process."""
        for name in PROFILE_VARIABLES:
            monkeypatch.setenv(name, '')

    def test_plays_what_is_asked_for(
        self, tmp_path: Path, ros_domain: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Prints how many messages went out, under which names."""
        path = write_drive(tmp_path / 'drive.mcap')
        chosen = ['--topics', '/camera/image', '--remap', '/camera/image:=/front/image']
        assert main(['bag', 'play', str(path), '--hz', '100', *chosen]) == 0
        assert capsys.readouterr().out == '        4  /front/image\n'

    @pytest.mark.parametrize(
        ('flags', 'reason'),
        [
            (['--topics', '/imagee'], "no topic ['/imagee']"),
            (['--remap', '/imagee:=/x'], "cannot remap ['/imagee']"),
            (['--wait-for', '/camera/image', '--wait-timeout', '0.1'], 'too few subscribers'),
        ],
    )
    def test_refuses_with_a_reason(
        self, flags: list[str], reason: str, tmp_path: Path, ros_domain: int,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Exit code 1."""
        path = write_drive(tmp_path / 'drive.mcap')
        assert main(['bag', 'play', str(path), '--rate', '50', *flags]) == 1
        assert reason in capsys.readouterr().err

    def test_ctrl_c_ends_a_loop(self, tmp_path: Path, ros_domain: int) -> None:
        """Quietly, with the exit code that shells expect."""
        path = write_drive(tmp_path / 'drive.mcap')
        code = (
            'import signal, sys, threading, os, time\n'
            'import clip_depth_ros.cli.bag, clip_depth_ros.bags.reader\n'
            'import clip_depth_ros.ros.player  # a signal while importing may get lost\n'
            'from clip_depth_ros.cli.main import main\n'
            'threading.Timer(1.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n'
            f'sys.exit(main(["bag", "play", {str(path)!r}, "--loop", "--rate", "10"]))\n'
        )
        ended = subprocess.run(
            [sys.executable, '-c', code], capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 130, ended.stderr
        assert 'Traceback' not in ended.stderr


@pytest.mark.parametrize(
    'flags',
    [
        ['bag'],
        ['bag', 'kitti'],
        ['bag', 'kitti', 'x', '--frames', '0'],
        ['bag', 'kitti', 'x', '--rate', 'nan'],
        ['bag', 'synth', '--width', '-3'],
        ['bag', 'play', 'x', '--rate', '1', '--hz', '2'],
        ['bag', 'play', 'x', '--remap', 'a=b'],
    ],
)
def test_wrong_flags_are_refused(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """By argparse, before anything is read: exit code 2."""
    with pytest.raises(SystemExit, match='2'):
        main(flags)
    assert 'error:' in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    """So that it answers at once; numpy comes with settings, whose flags all commands share."""
    code = (
        'import argparse, sys\n'
        'from clip_depth_ros.cli import bag\n'
        'bag.add_arguments(argparse.ArgumentParser())\n'
        'print({"cv2", "torch", "rosbags", "rclpy"} & sys.modules.keys())\n'
    )
    ended = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == 'set()\n'


def test_synth_takes_another_camera_by_seed_behind_a_longer_lens(tmp_path: Path) -> None:
    """The camera_info is that of the camera, and the images have its shape."""
    out = tmp_path / 'a.mcap'
    flags = ['--cameras', 'varied', '--lens-factor', '1.5', '--width', '64', '--height', '48']
    assert main(['bag', 'synth', '--frames', '1', '--seed', '104', *flags, '--out', str(out)]) == 0
    (info,), (image,) = decoded(out, topics.CAMERA_INFO), decoded(out, topics.IMAGE)
    wanted = rig_of('varied', 104, 64, 48).intrinsics
    assert (image.width, image.height) == (info.width, info.height)
    assert (info.width, info.height) == (wanted.width, wanted.height) != (64, 48)
    assert info.k[0] == pytest.approx(1.5 * wanted.fx)
    assert info.k[2] == pytest.approx(wanted.cx)


def test_synth_refuses_a_camera_of_a_negative_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['bag', 'synth', '--cameras', 'varied', '--seed', '-4']) == 1
    assert 'a camera needs a seed of 0 or more, got -4' in capsys.readouterr().err
