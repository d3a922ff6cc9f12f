# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The real node with a real CLIP2Depth: weights that are broken, corrected and switched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from clip_depth_ros.core.images import rgb_of
from clip_depth_ros.predictor.build import build_predictor
from lifecycle_msgs.msg import State
import numpy as np
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
import ros_harness
from ros_harness import camera_info, Harness, rgb_image
from small_clip2depth import BREAKS, deep_backbone, write_clip2depth

pytestmark = pytest.mark.ros

SECOND = 1_000_000_000
SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE
StartNode = Callable[..., Harness]


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('clip2depth_node')


@pytest.fixture(scope='module')
def backbone(folder: Path) -> str:
    return deep_backbone(folder)


@pytest.fixture(scope='module')
def good(folder: Path, backbone: str) -> Path:
    return write_clip2depth(folder / 'good.safetensors', backbone)


@pytest.fixture
def node_with(ros_domain: int, backbone: str) -> Iterator[StartNode]:
    """Return a function that makes a node for the small backbone, with our predictors."""
    made: list[Harness] = []

    def make(**parameters: Any) -> Harness:
        given = {'backbone': backbone, 'pretrained': 'random', 'device': 'cpu', **parameters}
        made.append(ros_harness.make_harness(ros_domain, build_predictor, **given))
        return made[-1]

    yield make
    for harness in made:
        harness.close()


def depth_of_one_image(harness: Harness, stamp_ns: int, *, with_info: bool = True) -> Any:
    """Send an image to an active node and give the depth image that comes back."""
    harness.listen('depth')
    harness.wait_until_connected()
    info = camera_info(48, 32) if with_info else None
    harness.send(stamp_ns, rgb_image(48, 32), info)

    def answers() -> list[Any]:
        return [m for m in harness.received['depth'] if m.header.stamp.sec == stamp_ns // SECOND]

    harness.wait_for(answers)
    message = answers()[0]
    return np.frombuffer(message.data, np.float32).reshape(message.height, message.width)


def clean_up(harness: Harness) -> None:
    assert harness.node.trigger_deactivate() == SUCCESS
    assert harness.node.trigger_cleanup() == SUCCESS


@pytest.mark.parametrize('name', BREAKS)
def test_broken_weights_fail_to_configure_and_good_ones_go_on_in_the_same_process(
    node_with: StartNode, backbone: str, good: Path, tmp_path: Path, name: str
):
    broken = write_clip2depth(tmp_path / 'broken.safetensors', backbone)
    BREAKS[name](broken)
    harness = node_with(clip2depth_weights=str(broken))

    assert harness.node.trigger_configure() == FAILURE
    assert harness.state() == State.PRIMARY_STATE_UNCONFIGURED
    assert 'broken.safetensors' in harness.node._health().transition_error

    assert harness.change(clip2depth_weights=str(good)).successful
    assert harness.node.start()
    depth_m = depth_of_one_image(harness, SECOND)
    assert depth_m.shape == (32, 48)
    assert np.isfinite(depth_m).all()
    assert harness.node._health().transition_error == ''


def test_weights_of_another_backbone_are_refused_and_the_right_backbone_takes_them(
    node_with: StartNode, backbone: str, good: Path, tmp_path: Path
):
    harness = node_with(
        backbone=deep_backbone(tmp_path, layers=6), clip2depth_weights=str(good)
    )
    assert harness.node.trigger_configure() == FAILURE
    assert str(good) in harness.node._health().transition_error
    assert harness.change(backbone=backbone).successful
    assert harness.node.trigger_configure() == SUCCESS


def test_weights_and_method_are_switched_through_the_lifecycle(
    node_with: StartNode, backbone: str, good: Path, tmp_path: Path
):
    other = write_clip2depth(tmp_path / 'other.safetensors', backbone, seed=5)
    harness = node_with(clip2depth_weights=str(good))
    assert harness.node.start()
    first = depth_of_one_image(harness, SECOND)
    result = harness.change(clip2depth_weights=str(other))
    assert not result.successful
    assert 'clean it up' in result.reason

    clean_up(harness)
    assert harness.change(clip2depth_weights=str(other)).successful
    assert harness.node.start()
    assert np.abs(depth_of_one_image(harness, 2 * SECOND) - first).max() > 0.1

    clean_up(harness)
    assert harness.change(method='depthclip').successful
    assert harness.node.start()
    assert depth_of_one_image(harness, 3 * SECOND).max() <= 3.0


def test_clip2depth_without_weights_is_refused_with_the_way_to_get_them(node_with: StartNode):
    harness = node_with(method='clip2depth')
    assert harness.node.trigger_configure() == FAILURE
    assert 'clip-depth train' in harness.node._health().transition_error
    assert harness.change(method='auto').successful
    assert harness.node.trigger_configure() == SUCCESS


def test_the_method_and_why_are_logged_once_and_in_diagnostics(
    node_with: StartNode, good: Path, capfd: pytest.CaptureFixture[str]
):
    why = 'clip2depth, trained (auto: clip2depth_weights names trained weights)'
    harness = node_with(clip2depth_weights=str(good))
    assert harness.node.start()
    depth_of_one_image(harness, SECOND)
    depth_of_one_image(harness, 2 * SECOND)

    def said() -> dict[str, str]:
        newest = harness.received['diagnostics'][-1:]
        return {v.key: v.value for array in newest for v in array.status[0].values}

    harness.wait_for(lambda: said().get('method') == why)
    assert said()['clip2depth_weights'].startswith('good.safetensors (sha256 ')
    assert said()['trained_metrics'] == 'abs_rel 0.123, rmse 5.68, delta1 0.9'
    assert capfd.readouterr().err.count(why) == 1


def test_settings_that_matter_change_while_it_runs(node_with: StartNode, good: Path):
    harness = node_with(clip2depth_weights=str(good))
    assert harness.node.start()
    before = depth_of_one_image(harness, SECOND)
    middle = float(np.median(before))
    assert harness.change(max_depth_m=middle, flip=False, temperature=1.0).successful
    after = depth_of_one_image(harness, 2 * SECOND)
    np.testing.assert_array_equal(np.isposinf(after), before > np.float32(middle))


def test_what_is_set_of_cameras_counts_from_the_next_image(
    node_with: StartNode, backbone: str, tmp_path: Path
):
    weights = write_clip2depth(tmp_path / 'w.safetensors', backbone, focal_px=40.0)
    harness = node_with(clip2depth_weights=str(weights), sync_wait_s=0.0)
    assert harness.node.start()
    answers = []
    for stamp, changed in enumerate([{}, {'assumed_hfov_deg': 90.0}, {'camera': 'ignore'}], 1):
        assert harness.change(**changed).successful
        answers.append(depth_of_one_image(harness, stamp * SECOND, with_info=False))
        settings = harness.node._predicting.settings
        offline = build_predictor(settings).predict(rgb_of(rgb_image(48, 32), 10**6))
        np.testing.assert_array_equal(answers[-1], offline.depth_m)
        assert harness.node._health().cameras[''].depth_camera.startswith(offline.camera)
    assert answers[0].shape == answers[1].shape == answers[2].shape
    assert np.abs(answers[0] - answers[1]).max() > 0.1
    assert np.abs(answers[1] - answers[2]).max() > 0.1


def test_a_camera_cannot_be_used_by_weights_that_do_not_say_theirs(
    node_with: StartNode, good: Path
):
    harness = node_with(clip2depth_weights=str(good))
    assert harness.node.start()
    before = depth_of_one_image(harness, SECOND)
    assert harness.node._health().cameras[''].depth_camera == 'ignored'
    assert harness.change(camera='use').successful
    told = harness.wait_for_diagnostics('parameters', 'not in force')
    assert "camera is 'auto' and not 'use'" in told
    assert 'at which focal length they were trained' in harness.node._health().change_error
    np.testing.assert_array_equal(depth_of_one_image(harness, 2 * SECOND), before)


def test_a_change_that_only_clip_can_refuse_is_told_and_the_node_goes_on(node_with: StartNode):
    """Whether a backbone is a ResNet shows when it is there: no setting says so."""
    harness = node_with(method='depthclip')
    assert harness.node.start()
    before = depth_of_one_image(harness, SECOND)
    assert harness.change(features='official', temperature=1.0).successful
    told = harness.wait_for_diagnostics('parameters', 'not in force')
    assert "features is 'auto' and not 'official'" in told
    assert "set features='dense'" in harness.node._health().change_error
    np.testing.assert_array_equal(depth_of_one_image(harness, 2 * SECOND), before)

    assert harness.change(features='dense').successful
    assert np.abs(depth_of_one_image(harness, 3 * SECOND) - before).max() > 1e-3
    harness.wait_for_diagnostics('parameters', 'in force')


def test_what_does_not_fit_is_warned_of_and_stays_in_diagnostics(
    node_with: StartNode, good: Path, capfd: pytest.CaptureFixture[str]
):
    harness = node_with(clip2depth_weights=str(good), input_width_px=64, camera='ignore')
    assert harness.node.start()
    note = 'images of 64x32 pixels go into a network that was trained at 48x32'
    assert harness.wait_for_diagnostics('notes', note).startswith(note)
    assert capfd.readouterr().err.count(note) == 1

    assert harness.change(input_width_px=0).successful
    harness.wait_for(lambda: 'notes' not in harness.node._health().predictor)
