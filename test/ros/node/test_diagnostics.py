# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rates and percentiles over a window of seconds."""

from __future__ import annotations

import math

from clip_depth_ros.ros.node.diagnostics import Statistics, Window
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
