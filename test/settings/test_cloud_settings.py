# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of the cloud: what goes together, and what is said where it does not."""

from __future__ import annotations

import math

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.clouds import CloudSettings
import pytest


def test_by_default_nothing_is_cropped_and_nothing_put_in():
    assert CloudSettings().cloud_crop() == {
        'camera_height_m': 0.0, 'camera_pitch_deg': 0.0, 'min_range_m': 0.0,
        'max_range_m': math.inf, 'min_height_m': -math.inf, 'max_height_m': math.inf,
        'min_support': 0.0, 'clear_range_m': math.inf,
    }


@pytest.mark.parametrize(('values', 'reason'), [
    ({'camera_height_m': -1.0}, 'camera_height_m: .*greater than or equal to 0, got -1'),
    ({'camera_height_m': 1e6}, 'camera_height_m: .*less than or equal to 100'),
    ({'camera_height_m': math.nan}, 'camera_height_m: .*finite'),
    ({'camera_pitch_deg': 90.0}, 'camera_pitch_deg: .*less than or equal to 80'),
    ({'cloud_min_support': 1.5}, 'cloud_min_support: .*less than or equal to 1'),
    (
        {'cloud_min_range_m': 8.0, 'cloud_max_range_m': 5.0},
        'cloud_min_range_m < cloud_max_range_m .*cloud_min_range_m=8.0, cloud_max_range_m=5.0',
    ),
    ({'cloud_max_height_m': 2.0}, r'above ground, and need camera_height_m, .* got 0'),
    (
        {'camera_height_m': 1.0, 'cloud_min_height_m': 2.0, 'cloud_max_height_m': 1.0},
        'cloud_min_height_m < cloud_max_height_m .*cloud_min_height_m=2.0',
    ),
    (
        {'cloud_clear_range_m': 9.0, 'cloud_max_range_m': 8.0},
        'cloud_clear_range_m must be .* at most cloud_max_range_m .*cloud_clear_range_m=9.0',
    ),
    ({'cloud_clear_range_m': 20.0, 'max_depth_m': 10.0}, 'at most .*max_depth_m=10.0'),
    (
        {'scan_min_height_m': 2.0, 'scan_max_height_m': 1.0},
        'scan_min_height_m < scan_max_height_m.*scan_min_height_m=2.0',
    ),
    ({'scan_max_range_m': 20.0, 'max_depth_m': 10.0}, 'scan_max_range_m must be .*max_depth_m=10'),
    ({'cloud_clear_range_m': 1.0, 'cloud_min_range_m': 2.0}, 'above cloud_min_range_m'),
])
def test_what_cannot_be_is_refused_by_name(values, reason):
    with pytest.raises(ConfigError, match=reason):
        CloudSettings.from_mapping(values)
