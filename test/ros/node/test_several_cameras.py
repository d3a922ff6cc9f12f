# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several cameras in one node: one model, and each camera as if it had a node of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.ros.node.diagnostics import statuses_of
from clip_depth_ros.settings.node import NodeSettings, OUTPUTS
from clip_depth_ros.types import DepthMap
import cv2
from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.time import Time
import ros_harness
from ros_harness import camera_info, FakePredictor, Harness, rgb_image
from rosgraph_msgs.msg import Clock
import sensor_msgs.msg
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

pytestmark = pytest.mark.ros

SECOND = 1_000_000_000
SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE


class Rig:
    """A node with several cameras, what they publish, and who listens."""

    def __init__(self, harness: Harness, names: tuple[str, ...]) -> None:
        self.harness = harness
        self.predictor = FakePredictor()
        world = harness.world
        self.images = {name: world.create_publisher(Image, f'{name}/image', 10) for name in names}
        self.infos = {
            name: world.create_publisher(CameraInfo, f'{name}/camera_info', 10) for name in names
        }
        self.received: dict[tuple[str, str], list[Any]] = defaultdict(list)

    def start(self, listened: Mapping[str, tuple[str, ...]]) -> None:
        """Start the node, with listeners on the named outputs of each camera."""
        assert self.harness.node.start()
        for name, outputs in listened.items():
            for output in outputs:
                msgtype = getattr(sensor_msgs.msg, OUTPUTS[output].msgtype.rpartition('/')[2])
                self.harness.world.create_subscription(
                    msgtype, f'{name}/{OUTPUTS[output].topic}',
                    self.received[name, output].append, 10,
                )
            stream = self.harness.node._streams[name]
            self.harness.wait_for(lambda s=stream, o=outputs: all(map(s.outputs.is_wanted, o)))
        for publisher in (*self.images.values(), *self.infos.values()):
            self.harness.wait_for(lambda p=publisher: p.get_subscription_count() > 0)

    def send(self, name: str, stamp_ns: int, image: Any = None, info: Any = None) -> None:
        """Publish an image of a camera, with its camera_info, and wait until the image is in."""
        n_received = self.counts(name).get('received', 0)
        for publisher, message in ((self.infos[name], info), (self.images[name], image)):
            if message is not None:
                message.header.stamp = Time(nanoseconds=stamp_ns).to_msg()
                publisher.publish(message)
        if image is not None:
            self.harness.wait_for(lambda: self.counts(name).get('received', 0) > n_received)

    def counts(self, name: str) -> dict[str, int]:
        """Return the counters of a camera."""
        return self.harness.node._streams[name].statistics.counts()

    def wait_for_count(self, name: str, what: str, n: int) -> None:
        """Wait until so much was counted of a camera."""
        self.harness.wait_for(lambda: self.counts(name).get(what) == n)

    def statuses(self) -> dict[str, DiagnosticStatus]:
        """Return what diagnostics would say now, by what of the node it is about."""
        statuses = statuses_of(self.harness.node._health())
        return {status.name.rpartition(': ')[2]: status for status in statuses}


MakeRig = Callable[..., Rig]


@pytest.fixture
def make_rig(ros_domain: int) -> Iterator[MakeRig]:
    made: list[Rig] = []

    def factory(*names: str, **parameters: Any) -> Rig:
        harness = ros_harness.make_harness(
            ros_domain, lambda settings, previous: made[-1].predictor, cameras=list(names),
            **parameters,
        )
        made.append(Rig(harness, names))
        return made[-1]

    yield factory
    for rig in made:
        rig.predictor.gate.set()
        rig.harness.close()


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    return {value.key: value.value for value in status.values}


def test_each_camera_is_answered_below_its_name_with_its_own_stamp_frame_and_camera(make_rig):
    """And counted by itself; what the node is, is said once."""
    names, outputs = ('front', 'left', 'rear_2'), ('depth', 'info', 'cloud')
    rig = make_rig(*names)
    rig.start(dict.fromkeys(names, outputs))
    for n, name in enumerate(names, start=1):
        size = (32 * n, 24)
        rig.send(
            name, n * SECOND, rgb_image(*size, frame_id=f'{name}_optical'),
            camera_info(*size, fx=30.0 * n),
        )
    for n, name in enumerate(names, start=1):
        rig.harness.wait_for(lambda name=name: all(rig.received[name, o] for o in outputs))
        (depth,), (info,), (cloud,) = (rig.received[name, output] for output in outputs)
        for message in (depth, info, cloud):
            assert message.header.frame_id == f'{name}_optical'
            assert (message.header.stamp.sec, message.width) == (n, 32 * n)
        assert info.p[0] == 30.0 * n
        x, _, z, _ = np.frombuffer(cloud.data, np.float32)[:4]
        assert x / z == pytest.approx(-(32 * n - 1) / 2 / (30.0 * n), abs=1e-5)
        rig.wait_for_count(name, 'processed', 1)
    statuses = rig.statuses()
    assert [*statuses] == ['depth', 'camera front', 'camera left', 'camera rear_2']
    of_node, *of_cameras = map(values_of, statuses.values())
    assert (of_node['method'], of_node['images_processed']) == ('constant', '3')
    assert 'depth_camera' not in of_node
    for n, values in enumerate(of_cameras, start=1):
        assert (values['images_processed'], values['image_fx_px']) == ('1', f'{30 * n:.2f}')
        assert 'method' not in values
    arrays = rig.harness.received['diagnostics']
    rig.harness.wait_for(lambda: [len(array.status) for array in arrays][-1:] == [4])


def test_a_fast_camera_does_not_starve_a_slow_one_and_what_it_loses_is_its_own_loss(make_rig):
    rig = make_rig('fast', 'slow')
    rig.start({'fast': ('depth',), 'slow': ('depth',)})
    order: list[str] = []
    predict = rig.predictor.predict
    rig.predictor.predict = lambda rgb, camera=None: (
        order.append('fast' if rgb.shape[1] == 40 else 'slow') or predict(rgb, camera)
    )
    rig.predictor.gate.clear()
    rig.send('fast', SECOND, rgb_image(40, 24))
    rig.harness.wait_for(lambda: order == ['fast'])
    for i in range(2, 6):
        rig.send('fast', i * SECOND, rgb_image(40, 24))
    rig.send('slow', SECOND, rgb_image(32, 24))
    rig.send('fast', 6 * SECOND, rgb_image(40, 24))
    rig.predictor.gate.set()
    rig.wait_for_count('fast', 'processed', 2)
    rig.wait_for_count('slow', 'processed', 1)
    assert order == ['fast', 'slow', 'fast']
    assert (rig.counts('fast')['dropped'], rig.counts('slow').get('dropped', 0)) == (4, 0)
    rig.harness.wait_for(lambda: len(rig.received['fast', 'depth']) == 2)
    assert [m.header.stamp.sec for m in rig.received['fast', 'depth']] == [1, 6]


def test_a_change_of_settings_goes_before_the_images_of_all_cameras(make_rig):
    rig = make_rig('front', 'left')
    rig.start({'front': ('depth',), 'left': ('depth',)})
    rig.predictor.gate.clear()
    rig.send('front', SECOND, rgb_image())
    rig.send('front', 2 * SECOND, rgb_image())
    rig.send('left', SECOND, rgb_image())
    assert rig.harness.change(depth_encoding='16UC1').successful
    rig.predictor.gate.set()
    rig.wait_for_count('front', 'processed', 2)
    rig.wait_for_count('left', 'processed', 1)
    rig.harness.wait_for(lambda: len(rig.received['front', 'depth']) == 2)
    rig.harness.wait_for(lambda: rig.received['left', 'depth'])
    encodings = [message.encoding for message in rig.received['front', 'depth']]
    assert encodings == ['32FC1', '16UC1']
    assert rig.received['left', 'depth'][0].encoding == '16UC1'


def test_a_predictor_that_likes_batches_is_asked_once_for_what_waits_of_all_cameras(make_rig):
    """And one camera's bad image, of whatever kind, costs the others nothing."""
    names = ('front', 'left', 'right', 'rear')
    rig = make_rig(*names)
    rig.start(dict.fromkeys(names, ('depth',)))
    rig.predictor.likes_batches = True
    predict = rig.predictor.predict

    def fail_on_narrow(rgb: Any, camera: Any = None) -> DepthMap:
        if rgb.shape[1] == 8:
            raise RuntimeError('too narrow')
        return predict(rgb, camera)

    rig.predictor.predict = fail_on_narrow
    for n, right in enumerate((rgb_image(), rgb_image(8, 8)), start=1):
        rig.predictor.batches.clear()
        rig.predictor.gate.clear()
        rig.send('front', SECOND, rgb_image())
        waiting = rig.harness.node._predicting._worker._waiting
        rig.harness.wait_for(lambda waiting=waiting: not waiting)
        damaged = rgb_image()
        damaged.step = 1
        for name, image in (('left', rgb_image()), ('right', right), ('rear', damaged)):
            rig.send(name, SECOND, image)
        rig.send('front', 2 * SECOND, rgb_image())
        rig.predictor.gate.set()
        rig.wait_for_count('front', 'processed', 2 * n)
        rig.wait_for_count('left', 'processed', n)
        assert rig.predictor.batches == [3]  # left, right and front again: rear has nothing to ask
    assert (rig.counts('right')['processed'], rig.counts('right')['failed']) == (1, 1)
    assert rig.counts('rear')['failed'] == 2
    statuses = rig.statuses()
    assert 'too narrow' in statuses['camera right'].message
    assert 'step' in statuses['camera rear'].message
    assert statuses['camera left'].message == 'running'
    assert statuses['depth'].message == 'running'


def test_a_camera_without_camera_info_or_with_damaged_messages_is_no_hindrance(make_rig):
    names = ('good', 'silent', 'damaged', 'absent')
    rig = make_rig(*names)
    rig.start(dict.fromkeys(names, ('depth', 'cloud')))
    for i in range(1, 4):
        image = rgb_image()
        image.encoding = 'nonsense'
        rig.send('silent', i * SECOND, rgb_image())
        rig.send('damaged', i * SECOND, image)
        rig.send('good', i * SECOND, rgb_image(), camera_info())
        rig.wait_for_count('good', 'processed', i)
    rig.harness.wait_for(lambda: len(rig.received['good', 'cloud']) == 3)
    rig.wait_for_count('silent', 'processed', 3)
    rig.wait_for_count('damaged', 'failed', 3)
    assert not rig.received['silent', 'cloud']
    said = {name: status.message for name, status in rig.statuses().items()}
    assert said['camera good'] == said['depth'] == 'running'
    assert said['camera silent'] == 'depth without cloud: no camera_info has come'
    assert 'nonsense' in said['camera damaged']
    assert said['camera absent'] == 'waiting for images on /absent/image'


def test_a_camera_that_nobody_listens_to_costs_nothing(make_rig):
    rig = make_rig('front', 'left')
    rig.start({'front': ('depth',)})
    n_warm = rig.predictor.n_images
    rig.send('left', SECOND, rgb_image())
    rig.send('front', SECOND, rgb_image())
    rig.wait_for_count('front', 'processed', 1)
    assert rig.counts('left')['idle'] == 1
    assert rig.predictor.n_images == n_warm + 1
    assert rig.statuses()['camera left'].message == 'idle: nobody subscribes'


def test_cameras_change_with_the_next_configuration_and_those_that_stay_count_on(make_rig):
    rig = make_rig('front', 'left')
    node, world = rig.harness.node, rig.harness.world
    rig.start({'front': ('depth',), 'left': ('depth',)})
    rig.send('front', SECOND, rgb_image())
    rig.wait_for_count('front', 'processed', 1)
    refused = rig.harness.change(cameras=['front', 'rear'])
    assert 'cameras cannot change while the node is configured' in refused.reason
    assert node.trigger_deactivate() == SUCCESS
    assert node.trigger_cleanup() == SUCCESS
    assert world.count_publishers('/left/depth/image_rect') == 0
    assert rig.harness.change(cameras=['front', 'rear']).successful
    assert node.start()
    rig.harness.wait_for(lambda: world.count_publishers('/rear/depth/image_rect') == 1)
    rig.harness.wait_for(lambda: world.count_subscribers('/left/image') == 0)
    assert [*rig.statuses()] == ['depth', 'camera front', 'camera rear']
    assert rig.counts('front')['processed'] == 1


def test_stamps_that_jump_back_concern_one_camera_and_a_clock_that_does_all(make_rig):
    rig = make_rig('front', 'left', use_sim_time=True)
    clock = rig.harness.world.create_publisher(Clock, '/clock', 10)
    rig.start({'front': ('depth',), 'left': ('depth',)})
    rig.harness.wait_for(lambda: clock.get_subscription_count() > 0)
    for second in (9, 5):
        rig.send('front', second * SECOND, rgb_image())
        rig.send('left', SECOND, rgb_image())
    assert rig.counts('front')['time_jumps'] == 1
    assert 'time_jumps' not in rig.counts('left')
    node_clock = rig.harness.node.get_clock()
    for second in (100, 50):
        clock.publish(Clock(clock=Time(seconds=second).to_msg()))
        rig.harness.wait_for(
            lambda second=second: node_clock.now().nanoseconds == second * SECOND
        )
    rig.wait_for_count('front', 'time_jumps', 2)
    rig.wait_for_count('left', 'time_jumps', 1)


def test_compressed_images_come_in_below_the_name_of_their_camera(make_rig):
    rig = make_rig('left', image_transport='compressed')
    publisher = rig.harness.world.create_publisher(CompressedImage, 'left/image/compressed', 10)
    rig.images = {'left': publisher}
    rig.start({'left': ('depth',)})
    png = cv2.imencode('.png', np.zeros((24, 32, 3), np.uint8))[1].tobytes()
    rig.send('left', SECOND, CompressedImage(format='png', data=png))
    rig.harness.wait_for(lambda: rig.received['left', 'depth'])


def test_each_scan_is_in_the_frame_of_its_camera(make_rig):
    rig = make_rig('front', 'left', camera_height_m=1.0, scan_frame='level_{camera}')
    rig.start({'front': ('scan',), 'left': ('scan',)})
    for name in ('front', 'left'):
        rig.send(name, SECOND, rgb_image(), camera_info())
        rig.harness.wait_for(lambda name=name: rig.received[name, 'scan'])
        assert rig.received[name, 'scan'][0].header.frame_id == f'level_{name}'


@pytest.mark.parametrize(('values', 'reason'), [
    ({'cameras': ['front', 'left', 'front']}, 'must name each camera once, and has front twice'),
    ({'cameras': 'front'}, r"must be a list of names, such as \[front, left\], got 'front'"),
    ({'cameras': ['front', '2nd']}, "begin with a digit, and '2nd' is none"),
    ({'cameras': ['front/left']}, "and 'front/left' is none"),
    ({'cameras': ['']}, "and '' is none"),
    ({'cameras': ['front', 'left'], 'scan_frame': 'level'}, r'put \{camera\} into it'),
])
def test_what_is_no_name_or_no_place_of_a_camera_is_refused(values, reason):
    with pytest.raises(ConfigError, match=reason) as caught:
        NodeSettings.from_mapping(values)
    assert str(caught.value).startswith(('cameras: ', 'scan_frame='))


def test_a_node_with_two_cameras_of_one_name_says_so_and_can_be_corrected(make_rig):
    rig = make_rig('front', 'front')
    assert rig.harness.node.trigger_configure() == FAILURE
    said = rig.statuses()['depth'].message
    assert 'cameras: must name each camera once, and has front twice' in said
    assert rig.harness.change(cameras=['front']).successful
    assert rig.harness.node.start()
