# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera of live images reaches the predictor: at once, newest first, and never for free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import math
import time
from typing import Any

from clip_depth_ros.core.camera import Calibration
from clip_depth_ros.core.stamps import StampMatcher
from clip_depth_ros.ros.node.depth_camera import DepthCamera
from clip_depth_ros.ros.node.diagnostics import Statistics, statuses_of
from clip_depth_ros.settings.node import NodeSettings
from clip_depth_ros.settings.predictor import ASSUMED_HFOV_DEG
from clip_depth_ros.types import DepthMap, Intrinsics
from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
import ros_harness
from ros_harness import camera_info, FakePredictor, Harness, rgb_image
from sensor_msgs.msg import CameraInfo

pytestmark = pytest.mark.ros

SECOND = 1_000_000_000
LONG_S = 4.0
"""Longer than anything here takes on a busy machine, and as long as an image may wait."""

Start = Callable[..., tuple[Harness, 'Seeing']]


class Seeing(FakePredictor):
    """Note the camera of each image; it uses what it is told, unless it is set to ignore it."""

    def __init__(self, settings: Any, cameras: list[Any]) -> None:
        super().__init__()
        self.settings = settings
        self.cameras = cameras  # also of those that were built before

    def predict(self, rgb: Any, camera: Any = None) -> DepthMap:
        """Answer as a predictor that uses cameras does."""
        self.cameras.append(camera)
        use: Any = 'used' if camera else 'assumed'
        answer = super().predict(rgb)
        if self.settings.camera == 'ignore':
            return DepthMap(answer.depth_m, camera='ignored')
        height, width = rgb.shape[:2]
        assumed = Intrinsics.of_hfov(self._assumed_hfov_deg, width, height)
        seen_by = (camera or assumed).scaled_to(2 * width, 2 * height)
        return DepthMap(answer.depth_m, camera=use, seen_by=seen_by)

    def describe(self) -> dict[str, str]:
        """Say what is assumed."""
        return {'method': 'seeing', 'assumed_hfov_deg': f'{self._assumed_hfov_deg:g}'}

    @property
    def _assumed_hfov_deg(self) -> float:
        return float(self.settings.assumed_hfov_deg or ASSUMED_HFOV_DEG)


@pytest.fixture
def start(ros_domain: int) -> Iterator[Start]:
    """Return a function that gives an active node with listeners, and its first predictor."""
    made: list[Harness] = []
    predictors: list[Seeing] = []
    cameras: list[Any] = []

    def build(settings: Any, previous: Any) -> Seeing:
        predictors.append(Seeing(settings, cameras))
        return predictors[-1]

    def factory(*outputs: str, **parameters: Any) -> tuple[Harness, Seeing]:
        harness = ros_harness.make_harness(ros_domain, build, **parameters)
        made.append(harness)
        assert harness.node.start()
        harness.listen(*(outputs or ('depth',)))
        harness.wait_until_connected()
        cameras.clear()  # the warm-up had none
        return harness, predictors[0]

    yield factory
    for harness in made:
        harness.close()


def is_done(harness: Harness, n: int) -> None:
    harness.wait_for(lambda: harness.counts().get('processed') == n)


def know(harness: Harness, stamp_ns: int, info: Any) -> None:
    """Send a camera_info alone, and wait until the node has it."""
    harness.send(stamp_ns, info=info)
    infos = harness.stream.pipeline._infos
    harness.wait_for(lambda: infos.newest() and infos._items[-1][0] == stamp_ns)


def broken(**changes: Any) -> Any:
    """Return a camera_info with other numbers in K and P."""
    info = camera_info()
    for name, value in changes.items():
        of_k, of_p = {'f': ((0, 4), (0, 5)), 'cx': ((2,), (2,))}[name]
        for place in of_k:
            info.k[place] = value
        for place in of_p:
            info.p[place] = value
    return info


def status(harness: Harness) -> Any:
    """Return what diagnostics would say now."""
    return statuses_of(harness.node._health())[0]


def said(harness: Harness, key: str) -> str:
    """Return a value of the diagnostics."""
    (value,) = (each.value for each in status(harness).values if each.key == key)
    return str(value)


def fxs(predictor: Seeing) -> list[float | None]:
    return [camera and camera.fx for camera in predictor.cameras]


# --------------------------------------------------------------------------- when it is known


def test_the_first_image_waits_for_its_camera_info(start: Start):
    harness, predictor = start(sync_wait_s=LONG_S)
    harness.send(SECOND, rgb_image())
    harness.wait_for(lambda: harness.counts().get('received') == 1)
    time.sleep(0.05)
    assert predictor.cameras == []
    harness.send(SECOND, info=camera_info(fx=33.0))
    harness.wait_for(lambda: harness.received['depth'])
    assert fxs(predictor) == [33.0]


def test_it_waits_no_longer_than_asked_for_and_no_image_after_it_waits(start: Start):
    harness, predictor = start(sync_wait_s=0.5)
    begun_s = time.monotonic()
    harness.send(1 * SECOND, rgb_image())
    is_done(harness, 1)
    assert time.monotonic() - begun_s >= 0.5
    assert harness.change(sync_wait_s=5.0).successful
    begun_s = time.monotonic()
    for n in (2, 3):
        harness.send(n * SECOND, rgb_image())
        is_done(harness, n)
    assert time.monotonic() - begun_s < LONG_S
    assert fxs(predictor) == [None] * 3


def test_later_the_last_known_serves_at_once_and_a_change_counts_from_the_next_image(
    start: Start, capfd: Any
):
    """Each camera_info comes after its image: nothing is waited for, whatever is matched later."""
    harness, predictor = start(sync_wait_s=5.0, sync_mode='exact')
    know(harness, 0, camera_info(fx=30.0))
    begun_s = time.monotonic()
    for n, fx in enumerate([30.0, 45.0, 45.0], start=1):
        harness.send(n * SECOND, rgb_image())
        is_done(harness, n)
        know(harness, n * SECOND, camera_info(fx=fx))
    assert time.monotonic() - begun_s < LONG_S
    assert fxs(predictor) == [30.0, 30.0, 45.0]
    assert said(harness, 'depth_camera') == 'used'
    assert said(harness, 'images_camera_used') == '3'
    assert said(harness, 'camera_changes') == '1'
    assert said(harness, 'image_fx_px') == '45.00'
    assert said(harness, 'network_fx_px') == '90.00'
    log = capfd.readouterr().err
    assert 'another camera from this image on: 32x24, fx=45, fy=45, cx=15.5, cy=11.5' in log
    assert 'it was 32x24, fx=30' in log


def test_an_image_that_waits_keeps_no_transition(start: Start):
    harness, _ = start(sync_wait_s=5.0)
    harness.send(SECOND, rgb_image())
    harness.wait_for(lambda: harness.counts().get('received') == 1)
    begun_s = time.monotonic()
    assert harness.node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    assert time.monotonic() - begun_s < LONG_S


def test_a_camera_that_is_to_be_ignored_is_not_waited_for(start: Start):
    harness, predictor = start(camera='ignore', sync_wait_s=5.0)
    begun_s = time.monotonic()
    harness.send(1 * SECOND, rgb_image())
    is_done(harness, 1)
    assert time.monotonic() - begun_s < LONG_S
    know(harness, 2 * SECOND, camera_info())
    harness.send(2 * SECOND, rgb_image())
    is_done(harness, 2)
    assert predictor.cameras == [None, None]
    assert said(harness, 'depth_camera') == 'ignored'


def test_what_is_set_of_cameras_changes_while_it_runs(start: Start):
    harness, predictor = start()
    assert harness.change(camera='ignore', assumed_hfov_deg=75.0).successful
    know(harness, SECOND, camera_info())
    harness.send(SECOND, rgb_image())
    is_done(harness, 1)
    assert said(harness, 'depth_camera') == 'ignored'
    assert said(harness, 'assumed_hfov_deg') == '75'
    assert predictor.cameras == [None]


# --------------------------------------------------------------------------- what is assumed


def test_without_camera_info_depth_flows_and_what_is_assumed_is_said_once(
    start: Start, capfd: Any
):
    harness, _ = start(sync_wait_s=0.0)
    for n in (1, 2, 3):
        harness.send(n * SECOND, rgb_image())
        is_done(harness, n)
    harness.wait_for(lambda: len(harness.received['depth']) == 3)
    why = 'no camera_info has come'
    assert said(harness, 'depth_camera') == f'assumed: {why}'
    assert said(harness, 'images_camera_assumed') == '3'
    assert status(harness).level == DiagnosticStatus.WARN
    assert status(harness).message == f'depth by an assumed camera: {why}'
    assert capfd.readouterr().err.count('assumed horizontal field of view') == 1

    know(harness, 4 * SECOND, camera_info())
    harness.send(4 * SECOND, rgb_image())
    is_done(harness, 4)
    assert said(harness, 'depth_camera') == 'used'
    assert status(harness).level == DiagnosticStatus.OK
    assert status(harness).message == 'running'


def test_what_the_user_says_to_assume_is_no_warning(start: Start, capfd: Any):
    harness, _ = start(sync_wait_s=0.0, assumed_hfov_deg=75.0)
    harness.send(1 * SECOND, rgb_image())
    is_done(harness, 1)
    assert said(harness, 'depth_camera').startswith('assumed')
    assert status(harness).level == DiagnosticStatus.OK
    assert 'an assumed horizontal field of view of 75 degrees' in capfd.readouterr().err


def test_a_camera_that_cannot_be_is_not_used_and_depth_flows(start: Start):
    harness, predictor = start('depth', 'cloud', sync_wait_s=0.0)
    know(harness, SECOND, broken(f=math.nan))
    harness.send(SECOND, rgb_image())
    is_done(harness, 1)
    assert predictor.cameras == [None]
    reason = 'camera_info P has fx=nan, fy=nan, cx=15.5, cy=11.5; it must be finite'
    assert said(harness, 'depth_camera').startswith(f'assumed: {reason}')
    assert said(harness, 'camera_problem').startswith(reason)
    harness.wait_for(lambda: len(harness.received['depth']) == 1)
    assert harness.received['cloud'] == []
    assert harness.counts().get('failed', 0) == 0


def test_what_cannot_be_in_mid_stream_leaves_depth_by_the_camera_that_was_known(
    start: Start, capfd: Any
):
    harness, predictor = start()
    for n, info in enumerate([camera_info(fx=30.0), *[broken(f=0.0)] * 2], start=1):
        know(harness, n * SECOND, info)
        harness.send(n * SECOND, rgb_image())
        is_done(harness, n)
    assert fxs(predictor) == [30.0] * 3
    assert said(harness, 'depth_camera').startswith('used: camera_info K has fx=0.0')
    assert status(harness).level == DiagnosticStatus.WARN
    text = 'depth by the camera that was known before: camera_info K has fx=0.0'
    assert status(harness).message.startswith(text)
    assert capfd.readouterr().err.count(text) == 1


# --------------------------------------------------------------------------- without a node


class Alone:
    """The finder of cameras, with its sources and sinks."""

    def __init__(self, **settings: Any) -> None:
        self.settings = NodeSettings(**settings)
        self.infos: StampMatcher[Calibration] = StampMatcher(
            mode=self.settings.sync_mode, tolerance_ns=0
        )
        self.statistics, self.log = Statistics(), []
        self.finder = DepthCamera(self, self.infos, self.statistics)

    def info(self, text: str) -> None:
        """Keep what is logged."""
        self.log.append(text)

    def add(self, stamp_ns: int, info: Any) -> None:
        """Let a camera_info come."""
        self.infos.add(stamp_ns, Calibration.of(info))

    def camera(self, stamp_ns: int, width: int = 32, height: int = 24) -> Intrinsics | None:
        """Return the camera of an image that has just come; None if it is not known."""
        camera = self.finder.of(
            np.zeros((height, width, 3), np.uint8), stamp_ns, time.monotonic(), image_topic='',
            settings=self.settings,
        )
        return camera and camera.intrinsics

    def fx(self, stamp_ns: int, width: int = 32, height: int = 24) -> float | None:
        """Return its focal length."""
        camera = self.camera(stamp_ns, width, height)
        return camera and camera.fx


@pytest.mark.parametrize(('mode', 'wanted'), [
    ('auto', 40.0), ('exact', 40.0), ('nearest', 40.0), ('last', 50.0),
])
def test_a_camera_info_of_the_very_image_comes_before_newer_ones(mode: str, wanted: float):
    """They are there already where the node is behind."""
    alone = Alone(sync_mode=mode)
    for stamp_ns, fx in ((1, 30.0), (2, 40.0), (3, 50.0)):
        alone.add(stamp_ns, camera_info(fx=fx))
    assert alone.fx(2) == wanted
    assert alone.fx(9) == 50.0


def test_the_same_numbers_under_new_stamps_are_no_change():
    alone = Alone()
    for stamp_ns in range(5):
        alone.add(stamp_ns, camera_info(fx=30.0))
        assert alone.fx(stamp_ns) == 30.0
    assert alone.statistics.counts() == {}
    assert alone.log == []


def test_two_sizes_by_turns_have_each_its_own_camera_and_nothing_waits():
    alone, begun_s = Alone(sync_wait_s=LONG_S), time.monotonic()
    alone.add(1, camera_info(32, 24, fx=30.0))
    alone.add(2, camera_info(64, 48, fx=70.0))
    for stamp_ns in range(3, 9):
        assert alone.fx(stamp_ns) == 30.0
        assert alone.fx(stamp_ns, 64, 48) == 70.0
    assert time.monotonic() - begun_s < LONG_S


def test_of_a_distorted_image_the_pinhole_part_counts():
    info = camera_info()
    info.p, info.d = [0.0] * 12, [-0.2, 0.05, 0.0, 0.0, 0.0]
    info.k[0], info.k[4] = 28.0, 29.0
    alone = Alone()
    alone.add(0, info)
    assert alone.camera(0) == Intrinsics(28.0, 29.0, 15.5, 11.5, 32, 24)


def test_binning_counts():
    info = camera_info(64, 48, fx=60.0)
    info.binning_x = info.binning_y = 2
    alone = Alone()
    alone.add(0, info)
    assert alone.camera(0) == Intrinsics(30.0, 30.0, 15.5, 11.5, 32, 24)


@pytest.mark.parametrize(('info', 'reason'), [
    (broken(f=0.0), 'must be finite with fx, fy > 0'),
    (broken(f=math.nan), 'must be finite with fx, fy > 0'),
    (broken(cx=math.inf), 'must be finite with fx, fy > 0'),
    (camera_info(64, 48), 'camera_info is for 64x48 images, got 32x24'),
    (broken(f=0.5), 'a field of view of 176.4 degrees across'),
    (broken(f=1e9), 'a field of view of'),
    (broken(cx=900.0), 'a principal point at 900 across'),
    (CameraInfo(), 'must be finite with fx, fy > 0'),
    (None, 'no camera_info has come'),
])
def test_what_is_no_camera_of_the_image_is_named(info: Any, reason: str):
    alone = Alone(sync_wait_s=0.0)
    if info:
        alone.add(0, info)
    assert alone.camera(0) is None
    assert reason in alone.finder.problem


@pytest.mark.parametrize('bad', [
    broken(f=0.0), broken(f=math.nan), broken(f=0.5), camera_info(64, 48), CameraInfo(),
])
def test_a_flood_of_what_is_no_camera_makes_the_known_one_not_forgotten(bad: Any):
    alone = Alone(sync_wait_s=0.0)
    alone.add(0, camera_info(fx=30.0))
    assert (alone.fx(0), alone.finder.problem) == (30.0, '')
    for stamp_ns in range(1, 250):
        alone.add(stamp_ns, bad)
        assert alone.fx(stamp_ns) == 30.0
    assert alone.finder.problem
    alone.add(250, camera_info(fx=40.0))
    assert (alone.fx(250), alone.finder.problem) == (40.0, '')
    assert alone.statistics.counts() == {'camera_changes': 1}


def test_a_lens_that_breathes_is_counted_and_the_log_stays_short():
    alone = Alone()
    for stamp_ns in range(100):
        alone.add(stamp_ns, camera_info(fx=30.0 + stamp_ns))
        assert alone.fx(stamp_ns) == 30.0 + stamp_ns
    assert alone.statistics.counts() == {'camera_changes': 99}
    assert len(alone.log) == 10
    assert alone.log[-1].endswith('further changes are only counted')


def test_another_matrix_that_is_asked_for_counts_for_what_was_known_too():
    alone = Alone(sync_wait_s=0.0)
    info = camera_info(fx=30.0)
    info.k[0] = info.k[4] = 25.0
    alone.add(0, info)
    alone.add(1, broken(f=0.0))
    assert alone.fx(0) == 30.0
    assert alone.fx(1) == 30.0
    alone.settings = NodeSettings(sync_wait_s=0.0, intrinsics_source='K')
    assert alone.fx(1) == 25.0


def test_any_number_of_sizes_is_waited_for_some_times_alone():
    """A driver that sends noise would slow the node down, and grow its memory."""
    alone, begun_s = Alone(sync_wait_s=0.01), time.monotonic()
    assert [alone.fx(width, width) for width in range(1, 500)] == [None] * 499
    assert time.monotonic() - begun_s < 499 * 0.01
    assert len(alone.finder._good) == 16
