# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One street through several cameras, as a picture with numbers."""

from __future__ import annotations

from io import BytesIO

from clip_depth_ros.predictor.constant import ConstantPredictor
from clip_depth_ros.types import Intrinsics
from clip_depth_ros.world.drive import Drive
from clip_depth_ros.world.rig import Rig
from matplotlib.image import imread
from weights.picture import column, picture


def test_columns_are_as_wide_as_their_images_and_have_their_numbers(monkeypatch):
    monkeypatch.setattr('weights.picture._FRAMES', 2)
    rigs = [Rig(Intrinsics.of_hfov(60, 32, 24)), Rig(Intrinsics.of_hfov(90, 64, 16))]
    predictor = ConstantPredictor(10.0)
    columns = [column('it', Drive(7, rig=rig), 3, predictor, predictor) for rig in rigs]
    assert columns[0].title == 'it\n32x24, 60°, fx 28 px'
    assert columns[0].depth_m.shape == columns[0].truth_m.shape == (24, 32)
    used, ignored = columns[0].captions
    assert used.replace(' 2 frames', '') == ignored.replace('camera ignored', 'abs_rel')
    pixels = imread(BytesIO(picture(columns, 80.0)))
    assert pixels.shape[1] > pixels.shape[0]
