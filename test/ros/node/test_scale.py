# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The scale of depth, held over real topics by a LiDAR, a depth camera or the camera's height."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import re
from typing import Any

from clip_depth_ros.core.camera import pinhole_rays
from clip_depth_ros.core.clouds import points_of
from clip_depth_ros.core.images import pixels_of
from clip_depth_ros.ros.node.diagnostics import statuses_of
from clip_depth_ros.ros.node.messages import cloud_message, depth_message
from clip_depth_ros.types import DepthMap, Intrinsics
from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest
from rclpy.time import Time
import ros_harness
from ros_harness import camera_info, FakePredictor, Harness, rgb_image
from sensor_msgs.msg import Image, LaserScan, PointCloud2
from std_msgs.msg import Header

pytestmark = pytest.mark.ros

STEP_NS = 100_000_000
AT_CAMERA = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
FORWARD_IS_Z = [0.0, 0.0, 0.0, 0.5, -0.5, 0.5, 0.5]
"""The pose of a LiDAR at the camera, x forward, y left, z up, in the optical frame."""

Start = Callable[..., 'World']


class World:
    """A node whose depth is 2 m everywhere, and sensors that know better."""

    OUTPUTS = ('depth', 'scale', 'cloud')

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.node = harness.node
        self.stamp_ns = 10 * STEP_NS
        self.publishers: dict[str, Any] = {}
        self.name = ''  # of the camera that is told of

    def see(self, n: int = 1) -> None:
        """Send images, one by one, and wait for their depth."""
        for _ in range(n):
            self.stamp_ns += STEP_NS
            self.harness.send(self.stamp_ns, rgb_image(), camera_info())
            self.harness.wait_for(self.has_answered)

    def has_answered(self) -> bool:
        """Return whether all of the newest image has come."""
        came = self.harness.received
        return all(
            stamps and stamps[-1] == self.stamp_ns
            for stamps in (
                [Time.from_msg(each.header.stamp).nanoseconds for each in came[name]]
                for name in self.OUTPUTS
            )
        )

    def tell(self, topic: str, kind: type, message: Any, *, ahead_ns: int = STEP_NS) -> None:
        """Send what a sensor measures at the time of the next image, and wait until it is in."""
        if topic not in self.publishers:
            self.publishers[topic] = self.harness.world.create_publisher(kind, topic, 10)
            publisher = self.publishers[topic]
            self.harness.wait_for(lambda: publisher.get_subscription_count() > 0)
        stream = self.node._streams[self.name]
        aligner, counts = stream._aligner, stream.statistics.counts
        before = len(aligner._pairing._waiting) + counts().get('scale_refused', 0)
        header = Header(frame_id='sensor')
        header.stamp = Time(nanoseconds=self.stamp_ns + ahead_ns).to_msg()
        self.publishers[topic].publish(message(header))
        self.harness.wait_for(
            lambda: len(aligner._pairing._waiting) + counts().get('scale_refused', 0) > before
        )

    def lidar(self, z_m: float, *, ahead_ns: int = STEP_NS) -> None:
        """Send a wall of points before the camera."""
        x, y = np.meshgrid(np.linspace(-0.4, 0.4, 20), np.linspace(-0.3, 0.3, 10))
        points = np.dstack([x * z_m, y * z_m, np.full_like(x, z_m)]).astype(np.float32)
        self.tell(
            'align/points', PointCloud2, lambda header: cloud_message(header, points),
            ahead_ns=ahead_ns,
        )

    def depth(self) -> Any:
        """Return the newest depth image, float32 (H, W)."""
        return pixels_of(self.harness.received['depth'][-1], np.float32, 1)

    def scale(self) -> dict[str, str]:
        """Return the newest message on depth/scale, its sentence as ``message``."""
        array = self.harness.received['scale'][-1]
        (status,) = array.status
        assert status.name == 'scale'
        assert Time.from_msg(array.header.stamp).nanoseconds == self.stamp_ns
        return {'message': status.message} | {each.key: each.value for each in status.values}

    def status(self) -> tuple[int, str, dict[str, str]]:
        """Return what diagnostics would say now."""
        status = statuses_of(self.node._health())[0]
        return status.level, status.message, {each.key: each.value for each in status.values}


class Ground(FakePredictor):
    """Ground 1 m below the camera, at half of its depth."""

    def predict(self, rgb: Any, camera: Any = None) -> DepthMap:
        """Answer with ground up to the horizon."""
        answer = super().predict(rgb)
        height, width = rgb.shape[:2]
        down = pinhole_rays(camera or Intrinsics.of_hfov(60, width, height))[..., 1]
        with np.errstate(divide='ignore'):
            depth_m = np.where(down > 0, 0.5 / down, np.inf)
        return DepthMap(depth_m.astype(np.float32), camera=answer.camera)


@pytest.fixture
def start(ros_domain: int) -> Iterator[Start]:
    """Return a function that gives an active node with listeners, and its sensors."""
    made: list[Harness] = []

    def factory(
        predictor: Any = FakePredictor, *, outputs: Any = World.OUTPUTS, **parameters: Any
    ) -> World:
        harness = ros_harness.make_harness(ros_domain, lambda *_: predictor(), **parameters)
        made.append(harness)
        assert harness.node.start()
        if outputs:
            harness.listen(*outputs)
            harness.wait_until_connected()
        return World(harness)

    yield factory
    for harness in made:
        harness.close()


def test_a_lidar_holds_the_scale_of_all_that_is_published(start):
    """Points at 3 m where depth is 2 m: after three of them, everything is at 3 m."""
    world = start(align='lidar', lidar_extrinsics=AT_CAMERA)
    world.see()
    assert world.depth() == pytest.approx(2.0)
    assert 'nothing has come on /align/points or /align/scan' in world.scale()['message']
    for _ in range(3):
        world.lidar(3.0)
        world.see()
    assert world.depth() == pytest.approx(3.0)
    said = world.scale()
    assert said['message'] == 'measured'
    assert float(said['scale']) == pytest.approx(1.5, abs=1e-3)
    assert int(said['scale_points']) == 200
    world.harness.wait_for(lambda: len(world.harness.received['cloud']) == 4)
    assert points_of(world.harness.received['cloud'][-1])[:, 2] == pytest.approx(3.0)
    level, message, values = world.status()
    assert (level, message) == (DiagnosticStatus.OK, 'running')
    assert values['scale'] == said['scale']
    assert values['scale_measured'] == '3'


def test_depth_that_ignores_the_camera_is_aligned_by_it(start):
    """That is what weights need most that know no focal length."""
    world = start(align='lidar', lidar_extrinsics=AT_CAMERA, camera='ignore')
    for _ in range(4):
        world.lidar(3.0)
        world.see()
    assert world.depth() == pytest.approx(3.0)


def test_each_of_several_cameras_has_its_own_scale(start):
    """Below its name, as all of its topics: the depth camera of one says nothing of the other."""
    world = start(cameras=['front', 'rear'], align='depth', outputs=())
    world.name = 'front'
    depth = np.full((24, 32), 5.0, np.float32) + np.linspace(0, 0.01, 32, dtype=np.float32)
    states = {name: stream._aligner for name, stream in world.node._streams.items()}
    harness = world.harness
    images = {
        name: harness.world.create_publisher(Image, f'{name}/image', 10) for name in states
    }
    for name in states:
        harness.world.create_subscription(Image, f'{name}/depth/image_rect', lambda _: None, 10)
    harness.wait_for(
        lambda: all(stream.outputs.is_wanted('depth') for stream in world.node._streams.values())
        and all(each.get_subscription_count() for each in images.values())
    )
    for _ in range(3):
        world.tell(
            'front/align/depth', Image, lambda header: depth_message(header, depth, '32FC1')
        )
        world.stamp_ns += STEP_NS
        for name, publisher in images.items():
            image = rgb_image()
            image.header.stamp = Time(nanoseconds=world.stamp_ns).to_msg()
            done = world.node._streams[name].statistics.counts().get('processed', 0)
            publisher.publish(image)
            counts = world.node._streams[name].statistics.counts
            harness.wait_for(lambda done=done, counts=counts: counts().get('processed', 0) > done)
    assert states['front'].state.correction.scale == pytest.approx(2.5, rel=0.01)
    assert states['rear'].state.why == 'nothing has come on /rear/align/depth yet'


def test_time_that_jumps_back_is_measured_anew(start):
    """A recording that loops: what was scaled at its end is not what is seen at its beginning."""
    world = start(align='lidar', lidar_extrinsics=AT_CAMERA)
    for _ in range(3):
        world.lidar(3.0)
        world.see()
    world.stamp_ns = 0
    world.see()
    assert world.depth() == pytest.approx(2.0)
    assert world.scale()['message'] == 'measured anew: time jumped back'


def test_a_cloud_that_comes_late_is_for_the_image_of_its_time(start):
    world = start(align='lidar', lidar_extrinsics=AT_CAMERA)
    for _ in range(4):
        world.see(2)
        world.lidar(3.0, ahead_ns=-STEP_NS)
    world.see()
    assert world.depth() == pytest.approx(3.0)
    assert world.status()[2]['scale_unpaired'] == '0'


def test_an_outlier_changes_nothing_and_silence_is_said(start):
    world = start(align='lidar', lidar_extrinsics=AT_CAMERA, align_hold_s=0.5)
    for z_m in (3.0, 3.0, 3.0, 3.0, 7.9, 3.0):
        world.lidar(z_m)
        world.see()
    assert world.depth() == pytest.approx(3.0)
    world.see(7)
    assert world.depth() == pytest.approx(3.0)  # held, and then said to be old
    level, message, values = world.status()
    assert level == DiagnosticStatus.WARN
    assert message == 'scale of depth, by lidar: the scale is 0.7 s old'
    assert world.harness.received['scale'][-1].status[0].level == DiagnosticStatus.WARN
    assert float(values['scale_age_s']) == pytest.approx(0.7)


def test_a_depth_camera_of_another_size_holds_the_scale(start):
    """16UC1, 4 m in its left half, nothing in the other: its range ends there."""
    world = start(align='depth')
    depth = np.full((120, 160), np.nan, np.float32)
    depth[:, :80] = 4.0 + 0.001 * np.arange(80, dtype=np.float32)
    for _ in range(3):
        world.tell('align/depth', Image, lambda header: depth_message(header, depth, '16UC1'))
        world.see()
    assert world.depth() == pytest.approx(4.04, abs=0.01)


def test_a_planar_scan_holds_the_scale(start):
    """Its frame is the usual one: x forward, y left."""
    world = start(align='lidar', lidar_extrinsics=FORWARD_IS_Z, align_min_points=20)
    angles = np.linspace(-0.45, 0.45, 61)

    def scan(header: Header) -> LaserScan:
        return LaserScan(
            header=header, angle_min=-0.45, angle_max=0.45, angle_increment=0.015,
            range_min=0.1, range_max=30.0, ranges=list(5 / np.cos(angles)),
        )

    for _ in range(3):
        world.tell('align/scan', LaserScan, scan)
        world.see()
    assert world.depth() == pytest.approx(5.0, rel=1e-3)


def test_the_height_of_the_camera_holds_the_scale(start):
    world = start(Ground, align='height', camera_height_m=1.0)
    world.harness.send(world.stamp_ns, info=camera_info())
    world.see(4)
    assert float(world.scale()['scale']) == pytest.approx(2.0, rel=0.01)
    assert world.depth()[-1, 0] == pytest.approx(30 / 11.5, rel=0.01)
    assert np.isnan(world.depth()[0, 0]) or np.isposinf(world.depth()[0, 0])


@pytest.mark.parametrize(('z_m', 'said'), [
    (-3.0, 'all 200 points of the LiDAR are behind the camera.*lidar_extrinsics'),
    (100.0, 'a scale of 50 is not believed, align_max_scale is 4'),
])
def test_what_is_not_safe_is_not_applied_and_said(start, z_m, said):
    world = start(align='lidar', lidar_extrinsics=AT_CAMERA)
    for _ in range(3):
        world.lidar(z_m)
        world.see()
    assert world.depth() == pytest.approx(2.0)
    level, message, values = world.status()
    assert level == DiagnosticStatus.WARN
    assert re.search(said, message)
    assert values['scale_refused'] == '3'


def test_a_damaged_cloud_is_counted_and_the_node_goes_on(start):
    world = start(align='lidar', lidar_extrinsics=AT_CAMERA)
    world.tell('align/points', PointCloud2, lambda header: PointCloud2(header=header, width=9))
    world.see()
    assert world.depth() == pytest.approx(2.0)
    assert 'a cloud needs fields x, y, z' in world.status()[1]


def test_align_can_change_while_the_node_runs(start):
    world = start()
    world.see()
    assert world.scale()['message'] == 'align is none'
    assert world.harness.change(align='lidar', lidar_extrinsics=AT_CAMERA).successful
    for _ in range(4):
        world.lidar(3.0)
        world.see()
    assert world.depth() == pytest.approx(3.0)
    assert world.harness.change(align='none').successful
    world.harness.wait_for(lambda: world.node._predicting.settings.align == 'none')
    world.see()
    assert world.depth() == pytest.approx(2.0)


@pytest.mark.parametrize(('values', 'said'), [
    ({'align': 'height'}, 'camera_height_m'),
    ({'lidar_extrinsics': [0.0] * 7}, 'lidar_extrinsics: must end in a rotation'),
    ({'lidar_extrinsics': [1.0, 2.0]}, 'lidar_extrinsics: must be 7 numbers'),
    ({'camera_height_m': -1.0}, 'camera_height_m'),
])
def test_bad_settings_are_refused_by_name(start, values, said):
    world = start()
    result = world.harness.change(**values)
    assert not result.successful
    assert said in result.reason
    world.see()


def test_a_transform_that_is_missing_is_said(start):
    world = start(align='lidar')
    world.lidar(3.0)
    world.see()
    message = world.status()[1]
    assert 'tf2_ros' in message or 'no transform from' in message
    assert 'set `lidar_extrinsics`' in message


def test_another_lens_is_measured_anew(start):
    world = start(align='lidar', lidar_extrinsics=AT_CAMERA)
    for _ in range(3):
        world.lidar(3.0)
        world.see()
    world.harness.send(world.stamp_ns + STEP_NS, info=camera_info(fx=45.0))
    world.harness.wait_for(lambda: world.node._streams[''].pipeline._infos.newest().k[0] == 45)
    world.stamp_ns += STEP_NS
    world.harness.send(world.stamp_ns, rgb_image())
    world.harness.wait_for(world.has_answered)
    assert world.depth() == pytest.approx(2.0)
    assert 'measured anew: another camera' in world.status()[1]
