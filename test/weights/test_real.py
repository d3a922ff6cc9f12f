# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of real frames: a folder of them, here a rendered one that is laid out alike."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.run.baselines import Constant
from clip_depth_ros.world.drive import Drive
from data_folders import write_object
import pytest
from weights.real import judged
from weights.table import CONSTANT


def test_each_kind_of_frames_has_a_table_that_says_whether_it_beats_the_constant(tmp_path: Path):
    drive = Drive(5, width=160, height=48)
    write_object(tmp_path / 'kitti_object', [drive.frame(index) for index in (3, 60)])
    [table] = judged(tmp_path, {'a tenth': Constant(0.1)})
    assert table['title'].startswith('KITTI object frames, LiDAR (raw-lidar: ')
    rows = table['rows']
    assert rows['a tenth']['abs_rel'] > rows[CONSTANT]['abs_rel']
    assert rows[CONSTANT]['frames'] == 2
    assert table['note'].endswith('a tenth: too few frames to tell.')


def test_a_folder_without_any_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match='holds none of kitti_depth, kitti_object'):
        [*judged(tmp_path, {})]
