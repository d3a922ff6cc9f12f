# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Protocols: every choice between an answer and its numbers, as data."""

from __future__ import annotations

from typing import Literal

from clip_depth_ros.settings.base import setting, Settings
from pydantic import model_validator


class EvaluationProtocol(Settings):
    """Every choice between an answer and its numbers; printed with each of them."""

    name: str = setting('plain', 'What tables call it.')
    source: str = setting('', 'Where it comes from: paper, code, data set.')
    split: str = setting('', 'The frames that its published numbers are of.')
    n_frames: int = setting(0, 'How many frames those are; 0: any.', ge=0)
    gt: Literal['any', 'annotated', 'raw-lidar', 'depth-images', 'exact'] = setting(
        'any', 'Kind of ground truth that its published numbers are against.'
    )
    lidar_value: Literal['z', 'forward'] = setting(
        'z',
        "What a LiDAR point stands for: z along the camera's axis, or its forward coordinate in "
        'the LiDAR (monodepth2).',
    )
    lidar_pixel: Literal['nearest', 'minus-one'] = setting(
        'nearest',
        'Pixel of a LiDAR point: the one whose centre is nearest, or round(u) - 1 (monodepth2).',
    )
    min_depth_m: float = setting(
        1e-3, 'True depth that counts is above; answers are clamped to it.', unit='m', gt=0
    )
    depth_cap_m: float = setting(
        80.0, 'True depth that counts is below; answers are clamped to it.', unit='m', gt=0
    )
    input_crop: Literal['none', 'kb'] = setting(
        'none', 'Part of the image that the predictor sees; kb: the bottom centre 1216x352.'
    )
    gt_crop: Literal['none', 'kb'] = setting(
        'none', 'Part of the ground truth that the evaluated window is a part of.'
    )
    eval_crop: Literal['none', 'garg', 'eigen', 'nyu-eigen', 'nyu-depthclip'] = setting(
        'none', 'Window that counts.'
    )
    resize: Literal['depth', 'inverse-depth'] = setting(
        'depth', 'What is resampled when an answer has another size than the ground truth.'
    )
    flip: Literal['none', 'average', 'ramps'] = setting(
        'none',
        'Left-right flip averaging: none, plain mean of depth, or of inverse depth with ramps at '
        'the borders (monodepth2).',
    )
    alignment: Literal['none', 'median', 'scale-shift'] = setting(
        'none', 'What is fitted to the truth of each image before it is compared.'
    )
    aggregation: Literal['image', 'pixel'] = setting(
        'image', 'Mean over images of per-image values, or over all pixels together.'
    )

    @model_validator(mode='after')
    def _check_range(self) -> EvaluationProtocol:
        if self.min_depth_m >= self.depth_cap_m:
            raise ValueError(
                'the range of depth must satisfy min_depth_m < depth_cap_m, got '
                f'min_depth_m={self.min_depth_m:g}, depth_cap_m={self.depth_cap_m:g}'
            )
        return self
