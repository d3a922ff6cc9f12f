# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rates and percentiles over a window of seconds."""

from __future__ import annotations

import math

from clip_depth_ros.ros.node.diagnostics import slowness, Statistics, Window
import pytest


def test_a_steady_stream_has_its_rate():
    window = Window(length_s=5.0)
    for i in range(101):
        window.add(i * 0.1)
    assert window.rate_hz(10.0) == pytest.approx(10.0, rel=0.05)


def test_a_stream_younger_than_the_window_is_not_underrated():
    window = Window(length_s=5.0)
    for i in range(20):
        window.add(i * 0.1)
    assert window.rate_hz(2.0) == pytest.approx(10.0)


def test_one_sample_is_no_high_rate():
    window = Window()
    window.add(0.0)
    assert window.rate_hz(0.001) == 1.0


def test_a_stream_that_stopped_falls_to_zero_and_has_no_percentile():
    window = Window(length_s=5.0)
    window.add(0.0, 3.0)
    assert window.percentile(1.0, 50) == 3.0
    assert window.rate_hz(60.0) == 0.0
    assert math.isnan(window.percentile(60.0, 50))


def test_percentiles_of_a_window():
    statistics = Statistics()
    for i in range(101):
        statistics.note('latency_s', now_s=1.0, value=i / 100)
    assert statistics.percentile('latency_s', 1.0, 50) == pytest.approx(0.50)
    assert statistics.percentile('latency_s', 1.0, 95) == pytest.approx(0.95)


def test_counters_add_up_and_are_handed_out_as_a_copy():
    statistics = Statistics()
    statistics.count('received')
    statistics.count('received', 2)
    statistics.counts()['received'] = 99
    assert statistics.counts() == {'received': 3}


def busy(in_hz: int, out_hz: int) -> Statistics:
    """Return what a node has counted of five seconds in which it answered so many a second."""
    statistics = Statistics()
    for i in range(5 * in_hz):
        statistics.note('in', i / in_hz)
        if i % in_hz < out_hz:
            statistics.note('out', i / in_hz)
        else:
            statistics.note('dropped', i / in_hz)
            statistics.count('dropped')
    return statistics


@pytest.mark.parametrize(('in_hz', 'out_hz', 'input_px', 'flip', 'advice'), [
    # A quarter is answered: half of each side, down to whole steps of 32.
    (20, 5, (704, 224), False, 'set input_width_px to 352 and input_height_px to 96 (now 704 and'),
    (20, 5, (704, 224), True, 'set flip to false (half the work) and set input_width_px to '
     '480 and input_height_px to 128'),
    (20, 12, (704, 224), True, 'for all of them set flip to false (half the work)'),
    (20, 5, (32, 32), False, 'use a faster engine or device'),
    (20, 5, None, False, 'use a faster engine or device'),
])
def test_a_machine_that_is_slower_than_the_camera_says_what_to_set(
    in_hz, out_hz, input_px, flip, advice
):
    said = slowness([busy(in_hz, out_hz)], 5.0, input_px, flip=flip)
    assert said.startswith(f'slower than the camera: {out_hz}.0 of {in_hz}.0 images a second are')
    assert advice in said


@pytest.mark.parametrize(('in_hz', 'out_hz'), [(20, 20), (20, 19), (1, 0)])
def test_a_machine_that_keeps_up_or_has_answered_nothing_says_nothing(in_hz, out_hz):
    assert slowness([busy(in_hz, out_hz)], 5.0, (704, 224), flip=False) == ''


def test_a_camera_that_has_stopped_is_not_too_fast():
    """Answers count for half a minute, images for five seconds: there is no rate to compare."""
    statistics = busy(20, 5)
    statistics.note('latency_s', 5.0, 0.2)
    assert slowness([statistics], 15.0, (704, 224), flip=False) == ''


def test_one_answer_is_enough_to_tell():
    statistics = busy(20, 0)
    statistics.note('out', 5.0)
    statistics.note('latency_s', 5.0, 4.0)
    said = slowness([statistics], 5.0, (704, 224), flip=False)
    assert said.startswith('slower than the camera: 0.2 of 20.0 images a second')


def test_of_a_model_that_takes_longer_than_the_window_the_answers_of_half_a_minute_count():
    statistics = busy(20, 0)
    for second in (-20.0, -12.0, -4.0):
        statistics.note('latency_s', second, 8.0)
    said = slowness([statistics], 5.0, (704, 224), flip=False)
    assert said.startswith('slower than the camera: 0.1 of 20.0 images a second')


def test_of_several_cameras_all_images_together_are_too_many_for_a_machine():
    said = slowness([busy(10, 2), busy(10, 3)], 5.0, (704, 224), flip=False)
    assert said.startswith('slower than the cameras: 5.0 of 20.0 images a second are answered')
    assert 'set input_width_px to 352 and input_height_px to 96' in said
    assert slowness([busy(10, 9), busy(10, 10)], 5.0, (704, 224), flip=False) == ''
