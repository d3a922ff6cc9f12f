# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo as users run it: real processes over DDS, and what it leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
import subprocess
import sys

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
])
def test_what_cannot_be_played_is_said_in_one_line(tmp_path, ros_domain, flags, message):
    done = demo(*flags, '--out', str(tmp_path))
    assert done.returncode == 1
    assert message in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'depth.mcap').exists()


def test_a_bag_without_the_named_topic_lists_what_there_is(tmp_path, ros_domain):
    bag = kitti_sized_bag(tmp_path / 'in.mcap')
    done = demo('--bag', str(bag), '--image', '/nope', '--out', str(tmp_path / 'out'))
    assert done.returncode == 1
    assert IMAGE in done.stderr
    assert '--image' in done.stderr
