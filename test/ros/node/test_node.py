# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node over real rclpy with a constant predictor: the contract that robots rely on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import math
import re
import threading
import time
from typing import Any

from clip_depth_ros.errors import WeightsError
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.ros.node.diagnostics import statuses_of
import cv2
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import State
import numpy as np
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.time import Time
import ros_harness
from ros_harness import camera_info, FakePredictor, Harness, rgb_image
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, PointCloud2

pytestmark = pytest.mark.ros

SECOND = 1_000_000_000
SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE
MakeHarness = Callable[..., Harness]


@pytest.fixture
def make(ros_domain: int) -> Iterator[MakeHarness]:
    made: list[Harness] = []

    def factory(build: Any = None, **parameters: Any) -> Harness:
        predictor = FakePredictor()
        build = build or (lambda settings, previous: previous or predictor)
        made.append(ros_harness.make_harness(ros_domain, build, **parameters))
        return made[-1]

    yield factory
    for harness in made:
        harness.close()


def active(make: MakeHarness, *outputs: str, **kwargs: Any) -> Harness:
    """Return an active node with listeners on the named outputs."""
    harness = make(**kwargs)
    assert harness.node.start()
    harness.listen(*outputs)
    harness.wait_until_connected()
    return harness


def stamps(messages: list[Any]) -> list[int]:
    return [Time.from_msg(message.header.stamp).nanoseconds for message in messages]


def xyz(cloud: Any) -> Any:
    fields = len(cloud.fields)
    data = np.frombuffer(cloud.data, np.float32)
    return data.reshape(cloud.height, cloud.width, fields)[..., :3]


# --------------------------------------------------------------------------- the contract


def test_every_image_is_answered_once_on_every_topic_with_its_own_stamp_and_frame(make):
    """One output per input stamp; a warm-up pair is sent first and left out."""
    harness = active(make, 'depth', 'info', 'cloud', 'color')
    names = ('depth', 'info', 'cloud', 'color')
    harness.send(1 * SECOND, rgb_image(), camera_info())
    harness.wait_for(lambda: all(harness.received[name] for name in names))
    sent = [2 * SECOND + i * SECOND // 10 for i in range(20)]
    for n, stamp_ns in enumerate(sent, start=2):
        harness.send(stamp_ns, rgb_image(), camera_info())
        harness.wait_for(lambda n=n: all(len(harness.received[name]) == n for name in names))
    for name in names:
        assert stamps(harness.received[name])[1:] == sent
        assert {m.header.frame_id for m in harness.received[name]} == {'camera_optical'}
    harness.wait_for(lambda: harness.counts()['processed'] == 21)
    assert harness.counts().get('dropped', 0) == 0


def test_depth_is_32fc1_metres_of_the_image_size(make):
    harness = active(make, 'depth')
    harness.send(SECOND, rgb_image(width=40, height=30))
    harness.wait_for(lambda: harness.received['depth'])
    (depth,) = harness.received['depth']
    assert (depth.encoding, depth.width, depth.height, depth.step) == ('32FC1', 40, 30, 160)
    assert np.all(np.frombuffer(depth.data, np.float32) == 2.0)


def test_what_is_unsure_can_be_left_out_of_depth_and_cloud_while_confidence_says_how_sure(make):
    """With the bundled weights: what the node publishes is what the predictor says."""
    names = ('depth', 'cloud', 'confidence')
    bundled = {'backbone': 'tiny', 'pretrained': 'bundled', 'flip': False}
    harness = active(make, *names, build=build_predictor, **bundled)
    image, info = rgb_image(64, 48), camera_info(64, 48)
    for n, least in enumerate((0.0, 0.6), start=1):
        assert harness.change(confidence_min=least).successful
        harness.send(n * SECOND, image, info)
        harness.wait_for(lambda n=n: all(len(harness.received[name]) == n for name in names))
    (all_m, some_m), (sure, same) = (
        [np.frombuffer(message.data, np.float32) for message in harness.received[name]]
        for name in ('depth', 'confidence')
    )
    assert {(m.encoding, m.width, m.height) for m in harness.received['confidence']} == {
        ('32FC1', 64, 48)
    }
    assert stamps(harness.received['confidence']) == stamps(harness.received['depth'])
    np.testing.assert_array_equal(sure, same)
    is_unsure = sure < np.float32(0.6)
    assert 0 < is_unsure.sum() < len(sure)
    assert np.isfinite(all_m).all()
    np.testing.assert_array_equal(np.isnan(some_m), is_unsure)
    cloud = xyz(harness.received['cloud'][1])
    np.testing.assert_array_equal(np.isnan(cloud[..., 2]).ravel(), is_unsure)
    harness.wait_for_diagnostics('confidence', 'calibrated on 240 rendered frames')


def test_no_confidence_is_published_for_a_predictor_without(make):
    harness = active(make, 'depth', 'confidence')
    harness.send(SECOND, rgb_image())
    harness.wait_for(lambda: harness.received['depth'])
    harness.wait_for(lambda: harness.counts()['processed'] == 1)
    assert not harness.received['confidence']


def test_a_cloud_point_lands_on_its_own_pixel_again(make):
    harness = active(make, 'cloud')
    harness.send(SECOND, rgb_image(), camera_info(fx=30.0))
    harness.wait_for(lambda: harness.received['cloud'])
    (cloud,) = harness.received['cloud']
    points = xyz(cloud)
    v, u = np.mgrid[0:24, 0:32]
    assert cloud.is_dense is False
    assert np.abs(30.0 * points[..., 0] / points[..., 2] + 15.5 - u).max() < 1e-3
    assert np.abs(30.0 * points[..., 1] / points[..., 2] + 11.5 - v).max() < 1e-3


def test_a_camera_that_publishes_raw_images_has_no_points_where_its_model_folds(make):
    """D, and P is K again: K with D it is, which is said; depth stays in the corners."""
    info = camera_info(fx=16.0)
    info.d = [-0.2535, 0.0924, -0.0006, 0.0007, -0.0191]
    harness = active(make, 'depth', 'cloud')
    harness.send(SECOND, rgb_image(), info)
    harness.wait_for(lambda: harness.received['cloud'] and harness.received['depth'])
    points = xyz(harness.received['cloud'][0])
    corners = points[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.isnan(corners).all()
    assert np.isfinite(points[12]).all()
    rays = points[..., :2] / points[..., 2:]
    assert rays[12, 31, 0] > (31 - 15.5) / 16.0 * 1.2  # bent outwards
    depth_m = np.frombuffer(harness.received['depth'][0].data, np.float32)
    assert np.isfinite(depth_m).all()
    harness.wait_for(lambda: harness.node._health().cameras[''].camera_notes)
    health = harness.node._health()
    assert 'taken as not rectified, K with distortion D' in health.cameras[''].camera_notes
    values = {value.key: value.value for value in statuses_of(health)[0].values}
    assert values['camera_notes'] == health.cameras[''].camera_notes


def test_without_camera_info_depth_flows_and_diagnostics_say_why_there_is_no_cloud(make):
    harness = active(make, 'depth', 'cloud')
    harness.send(SECOND, rgb_image())
    harness.wait_for(lambda: harness.counts().get('processed') == 1)
    assert harness.received['cloud'] == []
    assert 'no camera_info' in harness.node._health().cameras[''].camera_problem


def test_a_camera_info_that_comes_after_its_image_is_waited_for(make):
    harness = active(make, 'cloud', sync_wait_s=5.0, sync_mode='exact')
    harness.send(SECOND, rgb_image())
    harness.wait_for(lambda: harness.counts().get('received') == 1)
    harness.send(SECOND, info=camera_info())
    harness.wait_for(lambda: harness.received['cloud'])
    assert stamps(harness.received['cloud']) == [SECOND]


def test_a_camera_info_of_another_size_is_reported_and_not_used(make):
    harness = active(make, 'depth', 'cloud')
    harness.send(SECOND, rgb_image(32, 24), camera_info(64, 48))
    harness.wait_for(lambda: harness.counts().get('processed') == 1)
    problem = harness.node._health().cameras[''].camera_problem
    assert problem == 'camera_info is for 64x48 images, got 32x24'
    assert harness.received['cloud'] == []


@pytest.mark.parametrize('bad', [0.0, math.nan])
def test_zero_or_nan_intrinsics_cost_the_cloud_and_not_the_depth(make, bad):
    info = camera_info()
    info.k[0] = info.p[0] = info.k[4] = info.p[5] = bad
    harness = active(make, 'depth', 'cloud')
    harness.send(SECOND, rgb_image(), info)
    harness.wait_for(lambda: harness.counts().get('processed') == 1)
    assert 'must be finite with fx, fy > 0' in harness.node._health().cameras[''].camera_problem


def test_resolution_and_encoding_may_change_in_mid_stream(make):
    harness = active(make, 'depth', 'cloud')
    grey = rgb_image(48, 16)
    grey.encoding, grey.step, grey.data = 'mono8', 48, bytes(48 * 16)
    harness.send(1 * SECOND, rgb_image(32, 24), camera_info(32, 24))
    harness.wait_for(lambda: len(harness.received['cloud']) == 1)
    harness.send(2 * SECOND, grey, camera_info(48, 16))
    harness.wait_for(lambda: len(harness.received['cloud']) == 2)
    assert [(m.width, m.height) for m in harness.received['depth']] == [(32, 24), (48, 16)]
    assert [(m.width, m.height) for m in harness.received['cloud']] == [(32, 24), (48, 16)]


@pytest.mark.parametrize(('field', 'value', 'reason'), [
    ('data', b'\0' * 100, 'truncated'),
    ('step', 10, 'step'),
    ('width', 0, 'positive size'),
    ('encoding', 'nonsense', 'nonsense'),
    ('encoding', '32FC1', 'depth encoding'),
])
def test_a_damaged_image_is_counted_and_named_and_the_node_goes_on(make, field, value, reason):
    harness = active(make, 'depth')
    damaged = rgb_image()
    setattr(damaged, field, value)
    harness.send(1 * SECOND, damaged)
    harness.wait_for(lambda: harness.counts().get('failed') == 1)
    harness.send(2 * SECOND, rgb_image())
    harness.wait_for(lambda: harness.received['depth'])
    assert reason in harness.node._health().cameras[''].image_error
    assert stamps(harness.received['depth']) == [2 * SECOND]


def test_a_predictor_that_raises_costs_one_frame(make):
    predictor = FakePredictor()
    harness = active(make, 'depth', build=lambda settings, previous: predictor)
    predictor.delay_s = -1.0  # time.sleep refuses it with a ValueError
    harness.send(1 * SECOND, rgb_image())
    harness.wait_for(lambda: harness.counts().get('failed') == 1)
    predictor.delay_s = 0.0
    harness.send(2 * SECOND, rgb_image())
    harness.wait_for(lambda: harness.received['depth'])
    assert 'ValueError' in harness.node._health().cameras[''].image_error


def test_a_slow_predictor_gets_the_newest_image_and_the_rest_is_counted_as_dropped(make):
    predictor = FakePredictor()
    harness = active(make, 'depth', build=lambda settings, previous: predictor)
    predictor.gate.clear()
    for i in range(1, 6):
        harness.send(i * SECOND, rgb_image())
        harness.wait_for(lambda i=i: harness.counts().get('received') == i)
    predictor.gate.set()
    harness.wait_for(lambda: len(harness.received['depth']) == 2)
    assert stamps(harness.received['depth']) == [1 * SECOND, 5 * SECOND]
    assert harness.counts()['dropped'] == 3


def test_a_machine_that_is_slower_than_the_camera_says_so_once_in_the_log(make, capfd):
    predictor = FakePredictor(delay_s=0.1)
    harness = active(make, 'depth', build=lambda settings, previous: predictor)
    for i in range(1, 31):
        harness.send(i * SECOND, rgb_image())
        harness.wait_for(lambda i=i: harness.counts().get('received') == i)
        time.sleep(0.02)
    said = harness.wait_for_diagnostics('slowness', 'slower than the camera: ')
    assert said.endswith('for all of them use a faster engine or device')  # its input has no size
    assert capfd.readouterr().err.count('slower than the camera') == 1


def test_stamps_that_jump_back_are_answered_and_start_matching_anew(make):
    predictor = FakePredictor()
    harness = active(make, 'cloud', build=lambda settings, previous: predictor)
    for n, stamp_ns in enumerate([9 * SECOND, 10 * SECOND, 1 * SECOND], start=1):
        harness.send(stamp_ns, rgb_image(), camera_info())
        harness.wait_for(lambda n=n: len(harness.received['cloud']) == n)
    assert harness.counts()['time_jumps'] == 1
    assert predictor.n_resets == 1
    assert harness.counts()['camera_info_exact'] == 3


def test_depth_of_another_size_comes_with_its_own_camera_info_and_cloud(make):
    predictor = FakePredictor()
    predictor.shrink = 2
    harness = active(make, 'depth', 'info', 'cloud', build=lambda settings, previous: predictor)
    harness.send(SECOND, rgb_image(), camera_info(fx=30.0))
    harness.wait_for(lambda: harness.received['cloud'] and harness.received['info'])
    (info,), (cloud,) = harness.received['info'], harness.received['cloud']
    assert (info.width, info.height) == (cloud.width, cloud.height) == (16, 12)
    assert (info.p[0], info.p[2]) == (15.0, 7.5)
    u = np.mgrid[0:12, 0:16][1]
    points = xyz(cloud)
    assert np.abs(info.p[0] * points[..., 0] / points[..., 2] + info.p[2] - u).max() < 1e-3
    assert len(cloud.fields) == 4


def test_compressed_images_come_in_on_their_own_topic(make):
    harness = make(image_transport='compressed')
    assert harness.node.start()
    harness.listen('depth')
    publisher = harness.world.create_publisher(CompressedImage, 'image/compressed', 10)
    harness.wait_for(lambda: publisher.get_subscription_count() > 0)
    png = cv2.imencode('.png', np.zeros((24, 32, 3), np.uint8))[1].tobytes()
    message = CompressedImage(format='png', data=png)
    message.header.stamp = Time(nanoseconds=SECOND).to_msg()
    publisher.publish(message)
    harness.wait_for(lambda: harness.received['depth'])
    assert stamps(harness.received['depth']) == [SECOND]


def test_a_clock_that_jumps_back_starts_matching_anew(make):
    predictor = FakePredictor()
    harness = make(lambda settings, previous: predictor, use_sim_time=True)
    clock = harness.world.create_publisher(Clock, '/clock', 10)
    assert harness.node.start()
    harness.listen('depth')
    harness.wait_until_connected()
    harness.wait_for(lambda: clock.get_subscription_count() > 0)
    for second in (100, 50):
        clock.publish(Clock(clock=Time(seconds=second).to_msg()))
        harness.wait_for(
            lambda second=second: harness.node.get_clock().now().nanoseconds == second * SECOND
        )
    harness.wait_for(lambda: harness.counts().get('time_jumps') == 1)
    harness.send(50 * SECOND, rgb_image())
    harness.wait_for(lambda: predictor.n_resets == 1)


@pytest.mark.parametrize('which', ['image', 'info'])
def test_a_negative_stamp_of_a_broken_driver_does_not_end_the_node(make, which):
    harness = active(make, 'depth')
    image, info = rgb_image(), camera_info()
    (image if which == 'image' else info).header.stamp.sec = -5
    (harness._image if which == 'image' else harness._info).publish(
        image if which == 'image' else info
    )
    harness.send(SECOND, rgb_image())
    harness.wait_for(lambda: SECOND in stamps_of_good(harness.received['depth']))


def stamps_of_good(messages: list[Any]) -> list[int]:
    return stamps([message for message in messages if message.header.stamp.sec >= 0])


def test_no_image_after_the_first_waits_for_a_camera_info_that_never_comes(make):
    """They must come as fast as they are computed, and their clouds are given up."""
    harness = active(make, 'depth', 'cloud', sync_wait_s=0.2)
    harness.send(1 * SECOND, rgb_image())
    harness.wait_for(lambda: harness.counts().get('processed') == 1)
    assert harness.change(sync_wait_s=5.0).successful
    for n in (2, 3):
        harness.send(n * SECOND, rgb_image())
        harness.wait_for(lambda n=n: len(harness.received['depth']) == n, timeout_s=4.0)
    harness.wait_for(lambda: harness.counts().get('processed') == 3, timeout_s=4.0)


@pytest.mark.parametrize(('model', 'd', 'reason'), [
    ('plumb_bob', [0.1, 0.2, 0.3], 'plumb_bob'),
    ('equidistant', [0.1] * 5, 'equidistant'),
    ('plumb_bob', [0.1, math.nan, 0.0, 0.0, 0.0], 'finite'),
    ('made_up', [0.1] * 4, 'made_up'),
])
def test_distortion_that_does_not_fit_its_model_costs_the_cloud_alone(make, model, d, reason):
    info = camera_info()
    info.p, info.d, info.distortion_model = [0.0] * 12, d, model
    harness = active(make, 'depth', 'info', 'cloud')
    harness.send(SECOND, rgb_image(), info)
    harness.wait_for(lambda: harness.counts().get('processed') == 1)
    assert reason in harness.node._health().cameras[''].camera_problem
    harness.wait_for(lambda: harness.received['depth'])
    assert len(harness.received['depth']) == 1
    assert harness.received['info'] == harness.received['cloud'] == []
    assert harness.counts().get('failed', 0) == 0


def test_a_camera_info_forgotten_while_depth_is_computed_is_used_all_the_same(make):
    """A recording loops: the next round's camera_info arrives before this frame is done."""
    predictor = FakePredictor()
    harness = active(
        make, 'cloud', build=lambda settings, previous: predictor, sync_mode='exact'
    )
    predictor.gate.clear()
    harness.send(9 * SECOND, info=camera_info())
    harness.wait_for(lambda: harness.stream.pipeline._infos.newest() is not None)
    harness.send(9 * SECOND, rgb_image())
    harness.wait_for(lambda: harness.counts().get('received') == 1)
    harness.wait_for(lambda: not harness.node._predicting._worker._waiting)
    time.sleep(0.1)
    harness.send(1 * SECOND, info=camera_info())
    harness.wait_for(lambda: harness.stream.pipeline._infos.find(9 * SECOND) is None)
    predictor.gate.set()
    harness.wait_for(lambda: stamps(harness.received['cloud']) == [9 * SECOND])


# --------------------------------------------------------------------------- laziness


def test_nobody_listening_means_no_inference(make):
    predictor = FakePredictor()
    harness = active(make, build=lambda settings, previous: predictor)
    n_warm_up = predictor.n_images
    harness.send(SECOND, rgb_image(), camera_info())
    harness.wait_for(lambda: harness.counts().get('idle') == 1)
    assert predictor.n_images == n_warm_up


def test_nothing_is_built_for_topics_without_subscribers(make, monkeypatch):
    import clip_depth_ros.ros.node.outputs as outputs

    def fail(*args: Any, **kwargs: Any) -> None:
        raise AssertionError('built for nobody')

    monkeypatch.setattr(outputs, 'colorize', fail)
    monkeypatch.setattr(outputs, 'cloud_message', fail)
    harness = active(make, 'depth')
    harness.send(SECOND, rgb_image(), camera_info())
    harness.wait_for(lambda: harness.received['depth'])
    assert harness.counts().get('failed', 0) == 0


# --------------------------------------------------------------------------- lifecycle


def test_the_whole_lifecycle_twice_and_memory_is_given_back(make):
    predictors: list[FakePredictor] = []

    def build(settings: Any, previous: Any) -> FakePredictor:
        predictors.append(FakePredictor())
        return predictors[-1]

    harness = make(build)
    for turn in (1, 2):
        assert harness.node.trigger_configure() == SUCCESS
        assert harness.node.trigger_activate() == SUCCESS
        harness.wait_until_connected()
        assert harness.node.trigger_deactivate() == SUCCESS
        harness.wait_for(lambda: harness._image.get_subscription_count() == 0)
        assert harness.node.trigger_cleanup() == SUCCESS
        harness.wait_for(lambda: harness.world.count_publishers('depth/image_rect') == 0)
        assert [p.is_closed for p in predictors] == [True] * turn


def test_a_configure_that_fails_says_why_and_can_be_tried_again(make):
    is_there = False

    def build(settings: Any, previous: Any) -> FakePredictor:
        if not is_there:
            raise WeightsError('no weights at /nowhere: set clip_weights')
        return FakePredictor()

    harness = make(build)
    assert harness.node.trigger_configure() == FAILURE
    assert harness.state() == State.PRIMARY_STATE_UNCONFIGURED
    assert 'no weights at /nowhere' in harness.node._health().transition_error
    is_there = True
    assert harness.node.trigger_configure() == SUCCESS
    assert harness.state() == State.PRIMARY_STATE_INACTIVE


@pytest.mark.parametrize(('name', 'value'), [
    ('temperature', -1.0), ('method', 'magic'), ('cloud_stride', 'two'), ('bins_m', [2.0, 1.0]),
])
def test_a_wrong_value_from_outside_lets_the_node_start_and_refuses_to_configure(
    make, name, value
):
    harness = make(**{name: value})
    assert harness.node.trigger_configure() == FAILURE
    assert name in harness.node._health().transition_error


def test_an_activate_that_fails_leaves_nothing_behind_and_can_be_tried_again(make):
    harness = make(**{'qos_overrides./camera_info.subscription.reliability': 'bogus'})
    assert harness.node.trigger_configure() == SUCCESS
    assert harness.node.trigger_activate() == FAILURE
    harness.wait_for(lambda: harness._image.get_subscription_count() == 0)
    assert harness.stream.pipeline is None
    assert harness.node.trigger_activate() == FAILURE
    assert harness.node.trigger_cleanup() == SUCCESS


def test_a_configure_that_fails_late_takes_its_publishers_back(make):
    harness = make(**{'qos_overrides./depth/points.publisher.reliability': 'bogus'})
    for _ in range(2):
        assert harness.node.trigger_configure() == FAILURE
        harness.wait_for(lambda: harness.world.count_publishers('depth/image_rect') == 0)


def test_a_predictor_that_cannot_be_closed_does_not_end_the_node(make):
    predictor = FakePredictor()

    def fail() -> None:
        raise RuntimeError('device lost')

    predictor.close = fail
    harness = make(lambda settings, previous: predictor)
    assert harness.node.trigger_configure() == SUCCESS
    assert harness.node.trigger_cleanup() == FAILURE
    assert 'device lost' in harness.node._health().transition_error
    assert harness.node._health().predictor == {}


def test_wrong_start_values_can_be_corrected_one_by_one(make):
    harness = make(bins_m=[1.0, 2.0], depth_words=['near', 'far', 'very far'])
    assert harness.node.trigger_configure() == FAILURE
    assert harness.change(bins_m=[1.0, 2.0, 4.0]).successful
    assert harness.node.trigger_configure() == SUCCESS


def test_deactivating_during_inference_answers_at_once_and_publishes_nothing_after(make):
    predictor = FakePredictor()
    harness = active(make, 'depth', build=lambda settings, previous: predictor)
    predictor.gate.clear()
    harness.send(SECOND, rgb_image())
    harness.wait_for(lambda: harness.counts().get('received') == 1)
    assert harness.node.trigger_deactivate() == SUCCESS
    assert predictor.n_images == 1  # the warm-up: the frame in hand is not done yet
    predictor.gate.set()
    harness.wait_for(lambda: harness.counts().get('discarded') == 1)
    assert harness.received['depth'] == []
    assert harness.node.trigger_activate() == SUCCESS


# --------------------------------------------------------------------------- parameters


def test_every_parameter_has_a_description_and_numbers_have_ranges(make):
    harness = make()
    from clip_depth_ros.ros.node.parameters import SPECS

    for name, spec in SPECS.items():
        described = harness.node.describe_parameter(name)
        assert described.description.startswith(spec.description)
        if spec.kind in ('int', 'float'):
            assert described.integer_range or described.floating_point_range
        if spec.choices:
            assert all(choice in described.additional_constraints for choice in spec.choices)


def test_a_change_takes_effect_from_the_next_frame(make):
    harness = active(make, 'depth', 'cloud')
    harness.send(1 * SECOND, rgb_image(), camera_info())
    harness.wait_for(lambda: len(harness.received['cloud']) == 1)
    assert harness.change(depth_encoding='16UC1', cloud_stride=2, cloud_rgb=False).successful
    harness.send(2 * SECOND, rgb_image(), camera_info())
    harness.wait_for(lambda: len(harness.received['cloud']) == 2)
    assert [m.encoding for m in harness.received['depth']] == ['32FC1', '16UC1']
    assert np.all(np.frombuffer(harness.received['depth'][1].data, np.uint16) == 2000)
    assert [(m.width, m.height) for m in harness.received['cloud']] == [(32, 24), (16, 12)]
    assert [len(m.fields) for m in harness.received['cloud']] == [4, 3]


def test_a_cloud_is_cropped_from_the_next_frame_and_keeps_its_rows_and_columns(make):
    """A camera 1 m up, fx 30, depth 2 m: the rows of the cloud are 1/15 m apart."""
    harness = active(make, 'cloud')
    harness.send(1 * SECOND, rgb_image(), camera_info(fx=30.0))
    harness.wait_for(lambda: len(harness.received['cloud']) == 1)
    assert harness.change(
        camera_height_m=1.0, cloud_min_height_m=0.55, cloud_max_height_m=1.15
    ).successful
    harness.send(2 * SECOND, rgb_image(), camera_info(fx=30.0))
    harness.wait_for(lambda: len(harness.received['cloud']) == 2)
    whole, cropped = map(xyz, harness.received['cloud'])
    height = 1.0 - whole[..., 1]
    is_kept = (height > 0.55) & (height < 1.15)
    assert 0 < np.count_nonzero(is_kept) < is_kept.size
    assert np.array_equal(np.isfinite(cropped[..., 0]), is_kept)
    assert np.array_equal(cropped[is_kept], whole[is_kept])


def test_a_scan_is_of_the_heights_in_a_level_frame_beside_the_optical_one(make):
    """A wall 2 m ahead and a camera 1 m up; the fake predictor answers 2 m everywhere."""
    harness = active(make, 'scan', camera_height_m=1.0, scan_max_range_m=10.0)
    harness.send(SECOND, rgb_image(), camera_info(fx=30.0))
    harness.wait_for(lambda: harness.received['scan'])
    (scan,) = harness.received['scan']
    assert (scan.header.frame_id, stamps([scan])) == ('camera', [SECOND])
    bearings = scan.angle_min + scan.angle_increment * np.arange(len(scan.ranges))
    assert bearings[-1] == pytest.approx(scan.angle_max)
    assert np.asarray(scan.ranges) == pytest.approx(2 / np.cos(bearings), rel=0.02)
    assert (scan.range_min, scan.range_max) == (0.5, 10.0)
    assert harness.change(scan_frame='laser').successful
    harness.send(2 * SECOND, rgb_image(), camera_info(fx=30.0))
    harness.wait_for(lambda: len(harness.received['scan']) == 2)
    assert harness.received['scan'][1].header.frame_id == 'laser'


@pytest.mark.parametrize(('values', 'frame_id', 'reason'), [
    ({}, 'camera_optical', 'need camera_height_m, the height of the camera, got 0'),
    ({'camera_height_m': 1.0}, 'lens', "'lens' has no '_optical' .* set scan_frame"),
    (
        {'camera_height_m': 1.0, 'camera_pitch_deg': 5.0}, 'camera_optical',
        'camera_pitch_deg=5.0 needs scan_frame, a level frame',
    ),
    (
        {'camera_height_m': 90.0, 'camera_pitch_deg': -60.0, 'scan_frame': 'laser'}, 'lens',
        'no pixel sees heights of 0.3 to 2.0 m .* camera_height_m=90.0',
    ),
])
def test_where_there_can_be_no_scan_diagnostics_name_the_setting(make, values, frame_id, reason):
    """All else goes on, and there is a scan as soon as the settings allow one."""
    harness = active(make, 'depth', 'cloud', 'scan', **values)
    harness.send(SECOND, rgb_image(frame_id=frame_id), camera_info())
    harness.wait_for(lambda: harness.node._health().cameras[''].scan_problem)
    health = harness.node._health()
    assert re.search(reason, health.cameras[''].scan_problem)
    assert 'depth without scan' in statuses_of(health)[0].message
    harness.wait_for(lambda: harness.received['depth'] and harness.received['cloud'])
    assert harness.received['scan'] == []
    assert harness.change(
        camera_height_m=1.0, camera_pitch_deg=0.0, scan_frame='laser'
    ).successful
    harness.send(2 * SECOND, rgb_image(frame_id=frame_id), camera_info())
    harness.wait_for(lambda: harness.received['scan'])
    harness.wait_for(lambda: not harness.node._health().cameras[''].scan_problem)


def test_the_predictor_is_rebuilt_from_the_previous_one_with_the_new_settings(make):
    calls: list[tuple[float, Any]] = []

    def build(settings: Any, previous: Any) -> FakePredictor:
        calls.append((settings.resolved_temperature(), previous))
        return FakePredictor(depth_m=settings.resolved_temperature())

    harness = active(make, 'depth', build=build)
    assert harness.change(temperature=0.5).successful
    harness.send(SECOND, rgb_image())
    harness.wait_for(lambda: harness.received['depth'])
    assert [temperature for temperature, _ in calls] == [0.1, 0.5]
    assert calls[1][1] is not None
    assert np.frombuffer(harness.received['depth'][0].data, np.float32)[0] == 0.5


def test_whole_numbers_are_good_enough_for_depths(make):
    harness = make(max_depth_m=40, bins_m=[1, 2, 3, 4, 5, 6, 7])
    assert harness.node.trigger_configure() == SUCCESS
    assert harness.change(max_depth_m=60).successful


@pytest.mark.parametrize(('values', 'reason'), [
    ({'bins_m': [1.0, 2.0]}, '7 words'),
    ({'bins_m': [3.0, 2.0, 1.0]}, 'ascend'),
    ({'depth_words': ['near', '']}, 'empty text'),
    ({'min_depth_m': 90.0}, 'min_depth_m < max_depth_m'),
    ({'color_map': 'rainbow'}, 'color_map'),
    ({'cloud_stride': 0}, 'range'),
    ({'cloud_max_height_m': 2.0}, 'need camera_height_m'),
    ({'camera_height_m': -1.0}, 'range'),
    ({'backbone': 'ViT-B-16'}, 'clean it up'),
])
def test_a_wrong_change_is_refused_with_the_reason_and_nothing_changes(make, values, reason):
    harness = make()
    assert harness.node.start()
    before = {name: harness.node.get_parameter(name).value for name in values}
    result = harness.change(**values)
    assert not result.successful
    assert reason in result.reason
    assert {name: harness.node.get_parameter(name).value for name in values} == before


def test_setting_a_fixed_parameter_to_what_it_is_is_no_change(make):
    harness = make()
    assert harness.node.start()
    assert harness.change(device='auto', temperature=0.2).successful


@pytest.mark.parametrize('is_configured', [False, True])
def test_a_parameter_cannot_be_deleted(make, is_configured):
    harness = make()
    if is_configured:
        assert harness.node.start()
    result = harness.change(bins_m=None)
    assert not result.successful
    assert 'bins_m cannot be deleted; for the default, set it to []' in result.reason
    assert harness.node.has_parameter('bins_m')


def test_a_parameter_that_nobody_knows_is_reported(make, capfd):
    make(temprature=0.3)
    said = capfd.readouterr().err
    assert "'temprature' is unknown here and has no effect; did you mean 'temperature'?" in said, (
        "rclpy's Node._parameter_overrides is gone: ros/node/parameters.py asks it for the names "
        'that were given from outside'
    )


def test_weights_may_be_switched_through_the_lifecycle_without_a_new_process(make):
    built: list[str] = []

    def build(settings: Any, previous: Any) -> FakePredictor:
        built.append(settings.backbone)
        return FakePredictor()

    harness = make(build)
    assert harness.node.start()
    assert not harness.change(backbone='tiny').successful
    assert harness.node.trigger_deactivate() == SUCCESS
    assert harness.node.trigger_cleanup() == SUCCESS
    assert harness.change(backbone='tiny').successful
    assert harness.node.start()
    assert built == ['RN50-quickgelu', 'tiny']


# --------------------------------------------------------------------------- building a change


class Builder:
    """Build fakes that answer the temperature as depth, behind a gate; note who does it."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.begun: list[float] = []
        self.threads: set[int] = set()
        self.predictors: list[FakePredictor] = []

    def __call__(self, settings: Any, previous: Any) -> FakePredictor:
        self.begun.append(settings.resolved_temperature())
        self.threads.add(threading.get_ident())
        assert self.gate.wait(ros_harness.TIMEOUT_S)
        if settings.temperature > 50.0:
            raise WeightsError('too hot to build')
        self.predictors.append(Spied(settings.resolved_temperature(), self.threads))
        return self.predictors[-1]


class Spied(FakePredictor):
    """A fake that notes the threads that use it."""

    def __init__(self, depth_m: float, threads: set[int]) -> None:
        super().__init__(depth_m)
        self._threads = threads

    def predict(self, rgb: Any, camera: Any = None) -> Any:
        self._threads.add(threading.get_ident())
        return super().predict(rgb, camera)

    def describe(self) -> Any:
        self._threads.add(threading.get_ident())
        return super().describe()

    def reset(self) -> None:
        self._threads.add(threading.get_ident())
        super().reset()


def depth_after(harness: Harness, stamp_ns: int) -> float:
    """Send an image and return its depth, which is the temperature in force."""
    harness.send(stamp_ns, rgb_image())
    harness.wait_for(lambda: stamp_ns in stamps(harness.received['depth']))
    message = harness.received['depth'][stamps(harness.received['depth']).index(stamp_ns)]
    return round(float(np.frombuffer(message.data, np.float32)[0]), 3)


def test_a_change_is_answered_at_once_and_built_by_the_worker_alone(make):
    builder = Builder()
    harness = active(make, 'depth', build=builder)
    builder.gate.clear()

    assert harness.change(temperature=0.5).successful
    harness.wait_for(lambda: builder.begun == [0.1, 0.5])
    being_built = harness.wait_for_diagnostics('parameters', 'being built')
    assert being_built == 'being built: temperature is 0.0 and not 0.5'
    builder.gate.set()
    assert depth_after(harness, SECOND) == 0.5
    harness.send(SECOND // 2, rgb_image())  # time jumps back: the predictor is reset
    harness.wait_for(lambda: builder.predictors[-1].n_resets == 1)
    harness.wait_for_diagnostics('parameters', 'in force')
    assert builder.threads == {harness.node._predicting._worker._thread.ident}


def test_a_change_that_cannot_be_built_leaves_the_old_settings_in_force_and_is_told(make, capfd):
    builder = Builder()
    harness = active(make, 'depth', build=builder)
    assert harness.change(temperature=99.0, cloud_stride=3).successful
    told = harness.wait_for_diagnostics('parameters', 'not in force')
    assert told == 'not in force: temperature is 0.0 and not 99.0, cloud_stride is 1 and not 3'
    status = harness.received['diagnostics'][-1].status[0]
    assert status.level == DiagnosticStatus.WARN
    assert status.message.endswith('too hot to build')
    assert harness.diagnostics()['last_error'] == 'too hot to build'
    assert depth_after(harness, 1 * SECOND) == 0.1
    assert 'changed parameters are not in force: too hot to build' in capfd.readouterr().err
    assert harness.node.get_parameter('temperature').value == 99.0

    assert harness.change(temperature=0.0).successful  # back to what is in force
    harness.wait_for_diagnostics('parameters', 'in force')
    assert harness.node._predicting.settings.cloud_stride == 3
    assert harness.node._health().change_error == ''
    assert depth_after(harness, 2 * SECOND) == 0.1


def test_a_change_that_failed_may_be_asked_for_again(make):
    builder = Builder()
    harness = active(make, build=builder)
    for n in (1, 2):
        assert harness.change(temperature=99.0).successful
        harness.wait_for(lambda n=n: builder.begun.count(99.0) == n)
        harness.wait_for(lambda: harness.node._health().change_error)


def test_of_rapid_changes_the_last_is_built_and_those_between_are_not(make):
    builder = Builder()
    harness = active(make, 'depth', build=builder)
    builder.gate.clear()
    assert harness.change(temperature=0.2).successful
    harness.wait_for(lambda: builder.begun == [0.1, 0.2])
    for temperature in (0.3, 0.4, 0.5):
        assert harness.change(temperature=temperature).successful
    builder.gate.set()
    assert depth_after(harness, SECOND) == 0.5
    assert builder.begun == [0.1, 0.2, 0.5]


def test_a_change_taken_back_while_it_is_built_is_not_in_force(make):
    builder = Builder()
    harness = active(make, 'depth', build=builder)
    builder.gate.clear()
    assert harness.change(temperature=0.2).successful
    harness.wait_for(lambda: builder.begun == [0.1, 0.2])
    assert harness.change(temperature=0.0).successful
    builder.gate.set()
    assert depth_after(harness, SECOND) == 0.1


def test_changes_while_images_stream_in_lose_no_frame_to_an_error(make):
    builder = Builder()
    harness = active(make, 'depth', build=builder)
    for i in range(1, 41):
        harness.send(i * SECOND, rgb_image())
        if i % 4 == 0:
            assert harness.change(temperature=i / 10).successful
        time.sleep(0.005)
    assert depth_after(harness, 41 * SECOND) == 4.0
    assert harness.counts().get('failed', 0) == 0
    rising = [float(np.frombuffer(m.data, np.float32)[0]) for m in harness.received['depth']]
    assert rising == sorted(rising)


@pytest.mark.parametrize('end', ['cleanup', 'shutdown', 'destroy'])
def test_a_node_may_end_while_a_change_is_being_built(make, end):
    """It is soon done here, and so nothing is abandoned."""
    builder = Builder()
    harness = active(make, 'depth', build=builder)
    builder.gate.clear()
    assert harness.change(temperature=0.5).successful
    harness.wait_for(lambda: builder.begun == [0.1, 0.5])
    if end != 'shutdown':
        assert harness.node.trigger_deactivate() == SUCCESS  # at once
    threading.Timer(0.2, builder.gate.set).start()
    if end == 'cleanup':
        assert harness.node.trigger_cleanup() == SUCCESS
        assert harness.node.start()
    elif end == 'shutdown':
        assert harness.node.trigger_shutdown() == SUCCESS
    else:
        harness.node._release()
    assert builder.predictors[1].is_closed
    assert harness.counts().get('failed', 0) == 0


def test_a_change_of_an_inactive_node_is_built_too(make):
    builder = Builder()
    harness = make(builder)
    assert harness.node.trigger_configure() == SUCCESS
    assert harness.change(temperature=99.0).successful
    harness.wait_for(lambda: 'too hot' in harness.node._health().change_error)
    assert harness.change(temperature=0.5).successful
    harness.wait_for(lambda: harness.node._predicting.settings.temperature == 0.5)


# --------------------------------------------------------------------------- diagnostics


def test_the_recognised_scene_is_in_diagnostics(make):
    predictor = FakePredictor()
    predictor.scene = 'kitchen'
    harness = active(make, 'depth', build=lambda settings, previous: predictor)
    harness.send(SECOND, rgb_image())
    harness.wait_for(lambda: harness.received['depth'])
    assert harness.node._health().cameras[''].scene == 'kitchen'


def test_a_camera_problem_is_over_when_nobody_wants_a_cloud_any_more(make):
    harness = active(make, 'depth')
    cloud = harness.world.create_subscription(PointCloud2, 'depth/points', print, 10)
    harness.wait_for(lambda: harness.stream.outputs.is_wanted('cloud'))
    harness.send(1 * SECOND, rgb_image())
    harness.wait_for(lambda: harness.node._health().cameras[''].camera_problem)
    harness.world.destroy_subscription(cloud)
    harness.wait_for(lambda: not harness.stream.outputs.is_wanted('cloud'))
    harness.send(2 * SECOND, rgb_image())
    harness.wait_for(lambda: not harness.node._health().cameras[''].camera_problem)


def test_the_log_names_in_one_line_what_was_configured_and_diagnostics_say_the_rest(make, capfd):
    predictor = FakePredictor()
    said = {'method': 'constant (as set)', 'weights': '/w' * 200, 'backbone': '/long path' * 50}
    predictor.describe = lambda: said
    harness = make(lambda settings, previous: predictor)
    assert harness.node.trigger_configure() == SUCCESS
    (line,) = [text for text in capfd.readouterr().err.splitlines() if 'configured;' in text]
    assert len(line) < 200
    assert 'configured; method: constant (as set), ' in line
    harness.wait_for(lambda: said.items() <= harness.diagnostics().items())


def test_a_bad_image_is_no_error_of_an_inactive_node(make):
    harness = active(make, 'depth')
    harness.send(SECOND, rgb_image(width=0))
    harness.wait_for(lambda: harness.counts().get('failed') == 1)
    assert harness.node.trigger_deactivate() == SUCCESS
    status = statuses_of(harness.node._health())[0]
    assert (status.level, status.message) == (DiagnosticStatus.OK, 'inactive: not running')


def test_switching_to_simulated_time_is_no_jump(make):
    harness = active(make, 'depth')
    assert harness.change(use_sim_time=True).successful
    harness.send(SECOND, rgb_image())
    harness.wait_for(lambda: harness.received['depth'])
    assert harness.counts().get('time_jumps', 0) == 0


def test_diagnostics_flow_in_every_state_and_tell_what_is_waited_for(make):
    harness = make()
    texts: list[str] = []

    def says(text: str) -> bool:
        texts[:] = [d.status[0].message for d in harness.received['diagnostics']]
        return any(text in message for message in texts)

    harness.wait_for(lambda: says('unconfigured'))
    assert harness.node.start()
    harness.wait_for(lambda: says('waiting for images on /image'))
    harness.wait_until_connected()
    harness.send(SECOND, rgb_image())
    harness.wait_for(lambda: says('idle: nobody subscribes'))
    values = {v.key: v.value for v in harness.received['diagnostics'][-1].status[0].values}
    assert values['method'] == 'constant'
    assert values['images_received'] == '1'
    assert float(values['memory_mb']) > 1


def test_an_empty_list_from_the_command_line_means_the_preset(make):
    """``-p bins_m:=[]`` has no type and reaches rclpy as no value."""
    harness = make(bins_m=None, depth_words=[])
    assert harness.node.trigger_configure() == SUCCESS
    assert harness.node._predicting.settings.bins_m == ()


def test_a_preset_takes_the_place_of_the_defaults_and_parameters_win(make):
    harness = make(preset='kitti', cloud_stride=4)
    assert harness.node.trigger_configure() == SUCCESS
    settings = harness.node._predicting.settings
    assert (settings.bins, settings.intrinsics_source) == ('outdoor', 'P')
    assert settings.cloud_stride == 4


@pytest.mark.parametrize(('content', 'message'), [
    ('', "no preset 'kiti' in this package.*did you mean 'kitti'"),
    ('clip_weight: x.pt', "unknown setting 'clip_weight'; did you mean 'clip_weights'"),
])
def test_a_preset_that_is_wrong_refuses_to_configure(make, tmp_path, content, message):
    path = tmp_path / 'mine.yaml'
    path.write_text(f'/**: {{ros__parameters: {{{content}}}}}')
    harness = make(preset=str(path) if content else 'kiti')
    assert harness.node.trigger_configure() == FAILURE
    assert re.search(f'parameter preset: .*{message}', harness.node._health().transition_error)
