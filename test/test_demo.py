# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo as users run it: real processes over DDS, and what it leaves behind."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
import signal
import subprocess
import sys
import time

from clip_depth_ros.cli.demo_summary import CLOUD, COLOR, DEPTH, INFO
from clip_depth_ros.data.bag_writer import BagWriter
from clip_depth_ros.data.bags import BagReader
from clip_depth_ros.data.messages import camera_info_message, image_message
from clip_depth_ros.data.topics import CAMERA_FRAME, CAMERA_INFO, IMAGE
from clip_depth_ros.types import Intrinsics
import numpy as np
import pytest

pytestmark = pytest.mark.ros

SIZES = [(1242, 375), (1242, 375), (1224, 370), (1242, 375)]
START_NS = 1_000 * 10**9


def kitti_sized_bag(path: Path) -> Path:
    """Write noise in the sizes that KITTI mixes: 1.4 MB images make 7.5 MB clouds."""
    generator = np.random.default_rng(0)
    with BagWriter(path) as writer:
        for i, (width, height) in enumerate(SIZES):
            stamp_ns = START_NS + i * 10**8
            where = {'stamp_ns': stamp_ns, 'frame_id': CAMERA_FRAME}
            rgb = generator.integers(0, 256, (height, width, 3), np.uint8)
            camera = Intrinsics(721.5, 721.5, 609.6, 172.9, width, height)
            writer.write_message(IMAGE, image_message(rgb, 'rgb8', **where), stamp_ns)
            writer.write_message(CAMERA_INFO, camera_info_message(camera, **where), stamp_ns)
    return path


def demo(*flags: str, timeout_s: float = 100.0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-m', 'clip_depth_ros.cli.main', 'demo', *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


def wait_for(condition) -> None:
    deadline_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline_s, 'timed out waiting'
        time.sleep(0.05)


def processes_with(*texts: str) -> list[str]:
    """Give the command lines of running processes that hold one of these texts."""
    lines = []
    for path in Path('/proc').glob('[0-9]*/cmdline'):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes().replace(b'\0', b' ').decode())
    return [line for line in lines if any(text in line for text in texts)]


def test_big_images_of_changing_size_are_each_answered_once_across_processes(
    tmp_path, ros_domain
):
    bag = kitti_sized_bag(tmp_path / 'in.mcap')
    small = ['--input-width-px', '64', '--input-height-px', '32', '--no-flip']
    done = demo('--bag', str(bag), '--hz', '1', '--out', str(tmp_path / 'out'), *small)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())
    assert summary['frames'] == {
        'published': 4, 'received': 4, 'processed': 4, 'dropped': 0, 'failed': 0,
    }
    assert summary['messages'] == {DEPTH: 4, INFO: 4, CLOUD: 4, COLOR: 4}
    assert summary['every_frame_answered_once'] is True
    assert summary['max_reprojection_error_px'] < 0.01
    assert summary['exit_codes'] == {'depth_node': 0, 'player': 0}
    assert summary['mismatched'] == []
    with BagReader(tmp_path / 'out' / 'depth.mcap') as recording:
        clouds = [recording.decode(m) for m in recording.messages([CLOUD])]
    assert [(cloud.width, cloud.height) for cloud in clouds] == SIZES


def test_the_synthetic_drive_leaves_everything_a_person_looks_at(tmp_path, ros_domain):
    done = demo('--frames', '3', '--out', str(tmp_path), '--input-width-px', '160')
    assert done.returncode == 0, done.stderr
    first, *_ = done.stdout.splitlines()
    assert first.startswith('NOTE: the depth values mean nothing yet')
    summary = json.loads((tmp_path / 'summary.json').read_text())
    assert summary['note'] == first
    assert summary['latency_ms']['p50'] > 0
    assert (tmp_path / 'preview.png').read_bytes().startswith(b'\x89PNG')
    assert (tmp_path / 'cloud.ply').read_bytes().startswith(b'ply\n')
    page = (tmp_path / 'report.html').read_text()
    assert '3 camera images went through the real node' in page
    assert 'mean nothing yet' in page
    assert 'http' not in page.replace('http-equiv', '')
    assert not list(tmp_path.glob('.*')), 'half-written files are left'


@pytest.mark.parametrize(('flags', 'message'), [
    (['--bag', 'nowhere.mcap'], 'nowhere.mcap'),
    (['--frames', '0'], '--frames must be 1 or more, got 0'),
    (['--frames', '2', '--backbone', 'no-such-model'], 'no-such-model'),
    (['--temperature', '-1'], 'temperature'),
    (['--frames', '2', '--hz', '0'], '--hz must be a positive number, got 0'),
])
def test_what_cannot_be_played_is_said_in_one_line(tmp_path, ros_domain, flags, message):
    done = demo(*flags, '--out', str(tmp_path))
    assert done.returncode == 1
    assert message in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'depth.mcap').exists()


def test_a_recording_of_an_earlier_run_plays_and_its_answers_are_not_mixed_with_new_ones(
    tmp_path, ros_domain
):
    """Also: depth of half the size has its own right size, and receive times are of today."""
    first = demo('--frames', '3', '--out', str(tmp_path / 'a'), '--input-width-px', '64')
    assert first.returncode == 0, first.stdout
    again = demo(
        '--bag', str(tmp_path / 'a' / 'depth.mcap'), '--depth-scale', '0.5', '--hz', '3',
        '--input-width-px', '64', '--out', str(tmp_path / 'b'),
    )
    assert again.returncode == 0, again.stdout
    summary = json.loads((tmp_path / 'b' / 'summary.json').read_text())
    assert summary['messages'] == {DEPTH: 3, INFO: 3, CLOUD: 3, COLOR: 3}
    assert summary['max_reprojection_error_px'] < 0.01
    with BagReader(tmp_path / 'b' / 'depth.mcap') as recording:
        start_ns, end_ns = recording.time_span_ns
        assert '/tf_static' in recording.topics
    assert end_ns - start_ns < 120 * 10**9


@pytest.mark.parametrize('signal_name', ['SIGTERM', 'SIGHUP', 'SIGINT'])
def test_a_demo_that_is_ended_leaves_no_process_and_no_half_written_file(
    tmp_path, ros_domain, signal_name
):
    bag = kitti_sized_bag(tmp_path / 'in.mcap')
    out = tmp_path / 'out'
    command = [sys.executable, '-m', 'clip_depth_ros.cli.main', 'demo', '--bag', str(bag)]
    with subprocess.Popen([*command, '--out', str(out)], stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: (out / 'player.log').exists())
        process.send_signal(getattr(signal, signal_name))
        code = process.wait(60)
    assert code == 128 + getattr(signal, signal_name)
    assert sorted(path.name for path in out.iterdir()) == ['depth_node.log', 'player.log']
    assert processes_with(str(out), str(bag)) == []


@pytest.mark.parametrize('domain', ['abc', '500', '-1'])
def test_a_domain_that_is_none_is_refused(tmp_path, monkeypatch, domain):
    monkeypatch.setenv('ROS_DOMAIN_ID', domain)
    done = demo('--frames', '1', '--out', str(tmp_path))
    assert done.returncode == 1
    assert f'ROS_DOMAIN_ID must be a whole number from 0 to 232, got {domain!r}' in done.stderr
    assert not list(tmp_path.glob('.*'))


def test_a_folder_that_cannot_be_made_is_named(tmp_path, ros_domain):
    (tmp_path / 'file').write_text('in the way')
    done = demo('--frames', '1', '--out', str(tmp_path / 'file' / 'x'))
    assert done.returncode == 1
    assert 'file/x' in done.stderr
    assert 'name another place' in done.stderr
    assert 'Traceback' not in done.stderr


def test_a_failed_run_leaves_no_results_of_an_earlier_one(tmp_path, ros_domain):
    for name in ('summary.json', 'report.html'):
        (tmp_path / name).write_text('old')
    assert demo('--bag', 'nowhere.mcap', '--out', str(tmp_path)).returncode == 1
    assert not (tmp_path / 'summary.json').exists()
    assert not (tmp_path / 'report.html').exists()


def test_a_recording_of_the_user_s_own_is_not_written_over(tmp_path, ros_domain):
    bag = kitti_sized_bag(tmp_path / 'input.mcap')
    before = bag.read_bytes()
    done = demo('--bag', str(bag), '--frames', '1', '--out', str(tmp_path))
    assert done.returncode == 1
    assert 'name another folder with --out' in done.stderr
    assert bag.read_bytes() == before


def test_weights_of_the_user_s_own_are_not_mixed_with_the_demo_s(tmp_path, ros_domain):
    """``--allow-download`` and the like ask for real weights: nothing random then."""
    done = demo('--frames', '1', '--no-allow-download', '--out', str(tmp_path))
    assert done.returncode == 1
    assert not done.stdout.startswith('NOTE')
    assert 'RN50-quickgelu' in done.stderr
    assert 'clip_weights' in done.stderr


def test_a_bag_without_the_named_topic_lists_what_there_is(tmp_path, ros_domain):
    bag = kitti_sized_bag(tmp_path / 'in.mcap')
    done = demo('--bag', str(bag), '--image', '/nope', '--out', str(tmp_path / 'out'))
    assert done.returncode == 1
    assert IMAGE in done.stderr
    assert '--image' in done.stderr
