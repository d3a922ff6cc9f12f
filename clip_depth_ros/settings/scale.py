# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the scale of depth is held: by the camera's height, a LiDAR or a depth camera."""

from __future__ import annotations

from collections.abc import Iterator
import math
from typing import Final, Literal

from clip_depth_ros.settings.base import setting
from clip_depth_ros.settings.clouds import CloudSettings
from pydantic import field_validator

_UNIT_TOLERANCE: Final = 0.02


class ScaleSettings(CloudSettings):
    """What depth is multiplied by, measured while the node runs."""

    align: Literal['none', 'height', 'lidar', 'depth'] = setting(
        'none',
        'What holds the scale of depth. height: the ground, which is camera_height_m below the '
        'camera; lidar: points on align/points or align/scan; depth: a depth camera on '
        'align/depth; none: depth is as predicted.',
        at_run_time=True,
    )
    align_fit: Literal['scale', 'log'] = setting(
        'scale',
        'What is fitted to lidar or depth. scale: one factor; log: a line in log depth, so that '
        'near and far depth have a factor of their own.',
        at_run_time=True,
    )
    align_time_s: float = setting(
        1.0, 'Time constant by which the scale follows what is measured; 0: at once.',
        unit='s', at_run_time=True, ge=0.0, le=600.0,
    )
    align_hold_s: float = setting(
        5.0,
        'How long a scale is good without being measured again. After that it stays in force, '
        'and diagnostics warn that it is old.',
        unit='s', at_run_time=True, gt=0.0, le=3600.0,
    )
    align_tolerance_s: float = setting(
        0.05,
        'Largest difference between the stamps of an image and of what is measured; at 10 m/s, '
        '0.05 s are half a metre.',
        unit='s', at_run_time=True, ge=0.0, le=10.0,
    )
    align_min_scale: float = setting(
        0.25, 'Smallest scale that is believed.', at_run_time=True, ge=0.01, le=1.0
    )
    align_max_scale: float = setting(
        4.0, 'Largest scale that is believed.', at_run_time=True, ge=1.0, le=100.0
    )
    align_min_points: int = setting(
        50, 'Measured points in the image, on known depth, that it takes for lidar and depth.',
        at_run_time=True, ge=3, le=1_000_000,
    )
    align_max_spread: float = setting(
        0.35,
        'Largest disagreement of what is measured with depth that is accepted: the median '
        'distance of the log ratios from their median, so 0.1 is 10 %.',
        at_run_time=True, gt=0.0, le=2.0,
    )
    lidar_extrinsics: tuple[float, ...] = setting(
        (),
        'Pose of the LiDAR in the optical frame of the camera, as static_transform_publisher '
        'takes it: x, y, z, qx, qy, qz, qw. Empty: from TF.',
        at_run_time=True,
    )
    ground_frame: str = setting(
        '',
        'Frame on the ground, z up, such as base_footprint, from whose transform height and pitch '
        'of the camera are taken for align: height. Empty: camera_height_m and camera_pitch_deg.',
        at_run_time=True,
    )

    @field_validator('lidar_extrinsics')
    @classmethod
    def _check_extrinsics(cls, numbers: tuple[float, ...]) -> tuple[float, ...]:
        if not numbers:
            return numbers
        if len(numbers) != 7:
            raise ValueError(f'must be 7 numbers x, y, z, qx, qy, qz, qw, not {len(numbers)}')
        length = math.hypot(*numbers[3:])
        if abs(length - 1) > _UNIT_TOLERANCE:
            raise ValueError(
                'must end in a rotation: a quaternion qx, qy, qz, qw of length 1, not '
                f'{length:.3g}'
            )
        return numbers

    def needs_transforms(self) -> bool:
        """Return whether TF says where a sensor is, or the ground."""
        if self.align == 'lidar':
            return not self.lidar_extrinsics
        return self.align == 'height' and bool(self.ground_frame)

    def clashes(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from super().clashes()
        if self.align == 'height' and not (self.camera_height_m or self.ground_frame):
            yield (
                "align='height' needs the height of the camera: set camera_height_m, or "
                'ground_frame to take it from TF'
            )
