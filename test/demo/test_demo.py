# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo as users run it: real processes over DDS, and what it leaves behind."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from unittest.mock import patch

from clip_depth_ros.bags.messages import camera_info_message, image_message
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.topics import CAMERA_FRAME, CAMERA_INFO, IMAGE
from clip_depth_ros.bags.writer import BagWriter, recorded
from clip_depth_ros.cli.demo import HELD_OUT_SEED
from clip_depth_ros.cli.main import main
from clip_depth_ros.demo.plan import BUNDLED_NOTE, NEXT_STEPS, output_topics, RANDOM_NOTE
from clip_depth_ros.demo.summary import NO_TRUTH
from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.run.evaluate import evaluate
from clip_depth_ros.evaluation.score.protocols import load_protocol
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.node import NodeSettings
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Intrinsics
from clip_depth_ros.world.drive import Drive
from conftest import new_ros_domain
import numpy as np
import pytest
from small_clip2depth import deep_backbone, write_clip2depth

pytestmark = pytest.mark.ros

SIZES = [(1242, 375), (1224, 370), (1242, 375)]
START_NS = 1_000 * 10**9
BOTH = ['clip2depth', 'depthclip']
EXIT_CODES = {'player': 0, 'clip2depth_node': 0, 'depthclip_node': 0}


def kitti_sized_bag(path: Path) -> Path:
    """Write noise in the sizes that KITTI mixes: 1.4 MB images make 7.5 MB clouds."""
    rng = np.random.default_rng(0)
    with BagWriter(path) as writer:
        for i, (width, height) in enumerate(SIZES):
            stamp_ns = START_NS + i * 10**8
            where = {'stamp_ns': stamp_ns, 'frame_id': CAMERA_FRAME}
            rgb = rng.integers(0, 256, (height, width, 3), np.uint8)
            camera = Intrinsics(721.5, 721.5, 609.6, 172.9, width, height)
            image = image_message(rgb, 'rgb8', **where)
            writer.write(recorded(IMAGE, image, stamp_ns))
            info = camera_info_message(camera, **where)
            writer.write(recorded(CAMERA_INFO, info, stamp_ns))
    return path


@pytest.fixture(scope='module')
def small(tmp_path_factory) -> list[str]:
    """Return flags for a small CLIP and a CLIP2Depth on it, both random and fast."""
    folder = tmp_path_factory.mktemp('small')
    backbone = deep_backbone(folder)
    trained = write_clip2depth(folder / 'clip2depth.safetensors', backbone)
    return [
        '--backbone', backbone, '--pretrained', 'random', '--clip2depth-weights', str(trained),
        '--input-width-px', '64', '--input-height-px', '32', '--no-flip',
    ]


@pytest.fixture(scope='module')
def finished(tmp_path_factory) -> tuple[Path, str]:
    """Return the folder of a finished run without other flags, and what it printed."""
    folder = tmp_path_factory.mktemp('finished')
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv('ROS_DOMAIN_ID', str(new_ros_domain()))
        done = demo('--frames', '3', '--out', str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


@pytest.fixture
def own_environment():
    """Undo what a demo in this process sets for its children."""
    with patch.dict(os.environ):
        yield


def summary_in(folder: Path):
    return json.loads((folder / 'summary.json').read_text())


def demo(*flags: str, timeout_s: float = 300.0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-m', 'clip_depth_ros.cli.main', 'demo', *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


def refused(capsys, *flags: str) -> str:
    """Return what a demo in this process says that it refuses to play: no traceback."""
    assert main(['demo', *flags]) == 1
    said: str = capsys.readouterr().err
    assert 'Traceback' not in said
    return said


def wait_for(condition) -> None:
    deadline_s = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline_s, 'timed out waiting'
        time.sleep(0.05)


def processes_with(*texts: str) -> list[str]:
    """Return the command lines of running processes that hold one of these texts."""
    lines = []
    for path in Path('/proc').glob('[0-9]*/cmdline'):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes().replace(b'\0', b' ').decode())
    return [line for line in lines if any(text in line for text in texts)]


def messages_of(name: str, n: int) -> dict[str, int]:
    """Return n for each topic of a method, but for the scan, which needs a camera_height_m."""
    return {**dict.fromkeys(output_topics(f'/{name}'), n), f'/{name}/depth/scan': 0}


def test_big_images_of_changing_size_are_each_answered_once_by_both_nodes_across_processes(
    tmp_path, ros_domain, small
):
    bag = kitti_sized_bag(tmp_path / 'in.mcap')
    # Slower than DDS repeats (every 3 s) what was lost, as first messages are on busy machines.
    done = demo('--bag', str(bag), '--hz', '0.3', '--out', str(tmp_path / 'out'), *small)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = summary_in(tmp_path / 'out')
    assert [*summary['methods']] == BOTH
    assert summary['images_published'] == 3
    for name, method in summary['methods'].items():
        assert method['frames'] == {'received': 3, 'processed': 3, 'dropped': 0, 'failed': 0}
        assert method['messages'] == messages_of(name, 3)
        assert method['every_frame_answered_once'] is True
        assert method['max_reprojection_error_px'] < 0.01
        assert method['mismatched'] == []
    assert summary['exit_codes'] == EXIT_CODES
    with BagReader(tmp_path / 'out' / 'depth.mcap') as recording:
        for name in BOTH:
            messages = recording.messages([f'/{name}/depth/points'])
            clouds = [recording.decode(message) for message in messages]
            assert [(cloud.width, cloud.height) for cloud in clouds] == SIZES
    # Nor is there a truth in this bag.
    assert summary['metrics'] is None
    assert NO_TRUTH in done.stdout
    assert summary['note'] == RANDOM_NOTE


def test_without_flags_the_bundled_weights_leave_everything_a_person_looks_at(finished):
    folder, printed = finished
    lines = printed.splitlines()
    first = next(i for i, line in enumerate(lines) if 'went through 2 real nodes' in line)
    assert lines[first].startswith('3 camera images')
    assert BUNDLED_NOTE in lines
    for command in NEXT_STEPS.values():
        assert command in printed
    summary = summary_in(folder)
    assert summary['note'] == BUNDLED_NOTE
    assert all(method['latency_ms']['p50'] > 0 for method in summary['methods'].values())
    assert summary['metrics']['protocol'].startswith('synthetic drive seed 1000000, 3 images')
    assert [*summary['metrics']['methods']] == BOTH
    assert (folder / 'preview.png').read_bytes().startswith(b'\x89PNG')
    assert (folder / 'film.gif').read_bytes().startswith(b'GIF89a')
    assert (folder / 'cloud.ply').read_bytes().startswith(b'ply\n')
    page = (folder / 'report.html').read_text()
    assert '3 camera images went through 2 real nodes' in page
    assert BUNDLED_NOTE in page
    assert '://' not in page
    assert not list(folder.glob('.*')), 'half-written files are left'


class SameDrive(list[DepthSample]):
    """The frames of ``finished``, rendered again, as a source."""

    name = 'the same drive'

    def __init__(self) -> None:
        drive = Drive(HELD_OUT_SEED, width=640, height=192)
        super().__init__(
            DepthSample(f'frame {i}', frame.rgb, frame.depth_m, drive.intrinsics)
            for i, frame in enumerate(drive.frames(3))
        )

    def describe(self) -> dict[str, str]:
        return {}


def offline(parameters) -> Result:
    """Return the evaluation of the same frames without ROS, over the range of its answers."""
    settings = NodeSettings.from_mapping(parameters)
    predictor = build_predictor(settings)
    limits = {'min_depth_m': settings.min_depth_m, 'depth_cap_m': settings.max_depth_m}
    return evaluate(SameDrive(), {'it': predictor}, load_protocol('plain', limits))


def test_metrics_of_what_was_published_are_those_without_ros(finished):
    summary = summary_in(finished[0])
    for name in BOTH:
        found = summary['metrics']['methods'][name]
        assert found['images'] == 3
        estimates = offline(summary['methods'][name]['parameters']).predictors['it'].estimates
        for metric in ('abs_rel', 'rmse', 'delta1'):
            assert found[metric] == pytest.approx(estimates[f'none/{metric}'].mean, rel=0.01)
    values = [summary['metrics']['methods'][name]['abs_rel'] for name in BOTH]
    assert values[0] != pytest.approx(values[1], rel=0.05), 'one method would pass for the other'


@pytest.mark.parametrize(('flags', 'message'), [
    (['--bag', 'nowhere.mcap'], 'nowhere.mcap'),
    (['--frames', '0'], '--frames must be 1 or more, got 0'),
    (['--backbone', 'RN50', '--method', 'clip2depth'], 'clip-depth train'),
    (['--temperature', '-1'], 'temperature'),
    (['--frames', '2', '--hz', '0'], '--hz must be a positive number, got 0'),
])
def test_what_cannot_be_played_is_said_in_one_line(
    tmp_path, ros_domain, capsys, flags, message
):
    said = refused(capsys, *flags, '--out', str(tmp_path))
    assert message in said
    assert said.count('\n') == 1
    assert not (tmp_path / 'depth.mcap').exists()


def test_a_node_that_cannot_start_is_said_in_one_line(
    tmp_path, ros_domain, own_environment, capsys
):
    flags = ['--frames', '1', '--method', 'depthclip', '--backbone', 'no-such-model']
    said = refused(capsys, *flags, '--out', str(tmp_path))
    assert 'no-such-model' in said.splitlines()[-1]
    assert not (tmp_path / 'depth.mcap').exists()


def test_a_recording_of_an_earlier_run_plays_and_its_answers_are_not_mixed_with_new_ones(
    tmp_path, ros_domain, own_environment, finished
):
    """Also: one method alone, depth of half the size, and receive times of today."""
    folder, _ = finished
    assert main([
        'demo', '--bag', str(folder / 'depth.mcap'), '--depth-scale', '0.5', '--hz', '1',
        '--preset', 'synthetic', '--method', 'depthclip', '--out', str(tmp_path / 'b'),
    ]) == 0
    before, after = summary_in(folder), summary_in(tmp_path / 'b')
    assert [*after['methods']] == ['depthclip']
    method = after['methods']['depthclip']
    assert method['messages'] == messages_of('depthclip', 3)
    assert method['max_reprojection_error_px'] < 0.01
    metrics = [summary['metrics']['methods']['depthclip'] for summary in (before, after)]
    assert metrics[1]['abs_rel'] == pytest.approx(metrics[0]['abs_rel'], rel=0.02)
    assert after['metrics']['protocol'].startswith('recording depth.mcap, 3 images')
    with BagReader(tmp_path / 'b' / 'depth.mcap') as recording:
        start_ns, end_ns = recording.time_span_ns
        assert {'/tf_static', '/ground_truth/depth'} <= recording.topics.keys()
        assert not [topic for topic in recording.topics if topic.startswith('/clip2depth/')]
    assert end_ns - start_ns < 300 * 10**9


@pytest.mark.parametrize(('signal_name', 'log'), [
    ('SIGTERM', 'player'), ('SIGHUP', 'clip2depth_node'), ('SIGINT', 'depthclip_node'),
])
def test_a_demo_that_is_ended_leaves_no_process_and_no_half_written_file(
    tmp_path, ros_domain, small, signal_name, log
):
    """While it plays, and while its nodes start."""
    bag = kitti_sized_bag(tmp_path / 'in.mcap')
    out = tmp_path / 'out'
    command = [sys.executable, '-m', 'clip_depth_ros.cli.main', 'demo', '--bag', str(bag)]
    command += ['--out', str(out), *small]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: (out / f'{log}.log').exists())
        process.send_signal(getattr(signal, signal_name))
        code = process.wait(60)
    assert code == 128 + getattr(signal, signal_name)
    logs = {'clip2depth_node.log', 'depthclip_node.log', 'player.log'}
    left = {path.name for path in out.iterdir()}
    assert left == logs if log == 'player' else f'{log}.log' in left <= logs
    assert processes_with(str(out), str(bag)) == []


@pytest.mark.parametrize('domain', ['abc', '500', '-1'])
def test_a_domain_that_is_none_is_refused(tmp_path, monkeypatch, capsys, domain):
    monkeypatch.setenv('ROS_DOMAIN_ID', domain)
    said = refused(capsys, '--frames', '1', '--out', str(tmp_path))
    assert f'ROS_DOMAIN_ID must be a whole number from 0 to 232, got {domain!r}' in said
    assert not list(tmp_path.glob('.*'))


def test_a_folder_that_cannot_be_made_is_named(tmp_path, capsys):
    (tmp_path / 'file').write_text('in the way')
    said = refused(capsys, '--frames', '1', '--out', str(tmp_path / 'file' / 'x'))
    assert 'file/x' in said
    assert 'name another place' in said


def test_results_of_an_earlier_run_stay_unless_they_may_go_and_then_go_even_if_it_fails(
    tmp_path, capsys
):
    results = [tmp_path / name for name in ('summary.json', 'report.html')]
    for path in results:
        path.write_text('old')
    flags = ['--bag', 'nowhere.mcap', '--out', str(tmp_path)]
    assert 'report.html exist already: name another place, or add --force' in refused(
        capsys, *flags
    )
    assert [path.read_text() for path in results] == ['old', 'old']
    assert 'nowhere.mcap' in refused(capsys, *flags, '--force')
    assert not any(path.exists() for path in results)


def test_a_recording_of_the_user_s_own_is_not_written_over(tmp_path, capsys):
    bag = kitti_sized_bag(tmp_path / 'input.mcap')
    before = bag.read_bytes()
    said = refused(capsys, '--bag', str(bag), '--frames', '1', '--out', str(tmp_path))
    assert 'name another folder with --out' in said
    assert bag.read_bytes() == before


def test_weights_of_the_user_s_own_are_not_mixed_with_the_demo_s(
    tmp_path, ros_domain, own_environment, capsys
):
    """``--allow-download`` and the like ask for real weights: nothing random then."""
    flags = ['--frames', '1', '--method', 'depthclip', '--no-allow-download']
    assert main(['demo', *flags, '--out', str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert 'NOTE' not in said.out
    assert 'RN50-quickgelu' in said.err
    assert '--clip-weights' in said.err


def test_a_bag_without_the_named_topic_lists_what_there_is(tmp_path, capsys):
    bag = kitti_sized_bag(tmp_path / 'in.mcap')
    flags = ['--bag', str(bag), '--out', str(tmp_path / 'out')]
    assert f"no topic '/nope' in '{bag}'; it has ['{CAMERA_INFO}', '{IMAGE}']" in refused(
        capsys, *flags, '--image-topic', '/nope'
    )
    with pytest.raises(SystemExit):
        main(['demo', *flags, '--image', '/nope'])
    assert '--image is now --image-topic' in capsys.readouterr().err
