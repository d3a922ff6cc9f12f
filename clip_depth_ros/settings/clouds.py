# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a robot's map is given of depth: which points the cloud keeps, and a laser scan."""

from __future__ import annotations

from collections.abc import Iterator
import math
from typing import Any, Final

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.base import setting
from clip_depth_ros.settings.pictures import PictureSettings

CAMERA_GAP: Final = '{camera}'
"""Stands for the name of each camera."""


class CloudSettings(PictureSettings):
    """
    The cloud, the scan, and how the camera stands above the ground.

    Ranges of the cloud are distances from the camera in any direction, as costmaps measure them,
    not depth; those of the scan are along the ground.
    """

    camera_height_m: float = setting(
        0.0,
        'Height of the camera above level ground, from which heights of points are told. 0: not '
        'known, and no depth/scan.',
        unit='m', at_run_time=True, ge=0.0, le=100.0,
    )
    camera_pitch_deg: float = setting(
        0.0,
        'How far the camera looks down: the angle of its optical axis below the horizon. Heights '
        'need it within a degree or so; roll is taken to be none.',
        unit='deg', at_run_time=True, ge=-80.0, le=80.0,
    )
    cloud_stride: int = setting(
        1, 'Keep every n-th row and column of the depth image in the cloud.',
        at_run_time=True, ge=1, le=64,
    )
    cloud_rgb: bool = setting(True, 'Colour the points of the cloud.', at_run_time=True)
    cloud_min_range_m: float = setting(
        0.0,
        'Points of the cloud that are nearer to the camera become NaN, such as the hood of a car; '
        'the cloud keeps its rows and columns.',
        unit='m', at_run_time=True, ge=0.0, le=1000.0,
    )
    cloud_max_range_m: float = setting(
        0.0,
        'Points of the cloud that are farther from the camera become NaN. 0: no limit.',
        unit='m', at_run_time=True, ge=0.0, le=1000.0,
    )
    cloud_min_height_m: float = setting(
        0.0,
        'Points of the cloud that are lower above ground become NaN, as do those above '
        'cloud_max_height_m; both 0: all heights. Needs camera_height_m.',
        unit='m', at_run_time=True, ge=-100.0, le=1000.0,
    )
    cloud_max_height_m: float = setting(
        0.0,
        'Points of the cloud that are higher above ground become NaN; see cloud_min_height_m.',
        unit='m', at_run_time=True, ge=-100.0, le=1000.0,
    )
    cloud_min_support: float = setting(
        0.0,
        'Points of the cloud become NaN that are alone where they are: fewer than this share of '
        'those about them (16 in a star of 9x9 pixels) lie at their depth, to some 15 %. It takes '
        'away veils between near and far things, and what is thinner than that share. 0: off.',
        at_run_time=True, ge=0.0, le=1.0,
    )
    cloud_clear_range_m: float = setting(
        0.0,
        'Where nothing is within range (depth +Inf, or beyond cloud_max_range_m), put a point at '
        'this distance from the camera, so that a costmap clears what is seen through: its '
        'obstacle_max_range must be less, or it marks these points. 0: such points are NaN.',
        unit='m', at_run_time=True, ge=0.0, le=1000.0,
    )

    scan_frame: str = setting(
        '',
        'Frame of depth/scan: level, at the camera, x forward and y to the left. Empty: that of '
        'the image without "_optical", which is such a frame (REP 103) unless the camera is '
        'pitched. Of several cameras, {camera} in it stands for the name of each.',
        at_run_time=True,
    )
    scan_min_height_m: float = setting(
        0.3,
        'Lowest height above ground that depth/scan sees. Depth that is short by a tenth lifts '
        'the ground by a tenth of camera_height_m, so keep it well above that.',
        unit='m', at_run_time=True, ge=-100.0, le=1000.0,
    )
    scan_max_height_m: float = setting(
        2.0,
        'Greatest height above ground that depth/scan sees: that of the robot, so that it drives '
        'under what is higher.',
        unit='m', at_run_time=True, ge=-100.0, le=1000.0,
    )
    scan_max_range_m: float = setting(
        0.0,
        'Longest range of depth/scan; where nothing is nearer, it is +Inf. 0: max_depth_m.',
        unit='m', at_run_time=True, ge=0.0, le=1000.0,
    )

    def clashes(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from super().clashes()
        near_m, far_m = self.cloud_min_range_m, self.cloud_max_range_m
        if far_m and near_m >= far_m:
            yield (
                'range of the cloud must satisfy cloud_min_range_m < cloud_max_range_m (0: no '
                f'limit), got cloud_min_range_m={near_m}, cloud_max_range_m={far_m}'
            )
        yield from self._height_clashes()
        clear_m, most_m = self.cloud_clear_range_m, far_m or self.max_depth_m
        if clear_m and not near_m < clear_m <= min(most_m, self.max_depth_m):
            yield (
                'cloud_clear_range_m must be above cloud_min_range_m, and at most '
                'cloud_max_range_m and max_depth_m, up to which it is known that nothing is '
                f'there; got cloud_clear_range_m={clear_m}, cloud_min_range_m={near_m}, '
                f'cloud_max_range_m={far_m}, max_depth_m={self.max_depth_m}'
            )
        yield from self._scan_clashes()

    def _scan_clashes(self) -> Iterator[str]:
        low_m, high_m, far_m = (
            self.scan_min_height_m, self.scan_max_height_m, self.scan_max_range_m
        )
        if low_m >= high_m:
            yield (
                'heights of the scan must satisfy scan_min_height_m < scan_max_height_m, got '
                f'scan_min_height_m={low_m}, scan_max_height_m={high_m}'
            )
        if far_m and not self.min_depth_m < far_m <= self.max_depth_m:
            yield (
                'scan_max_range_m must be above min_depth_m, and at most max_depth_m, up to '
                'which it is known that nothing is there (0: max_depth_m); got '
                f'scan_max_range_m={far_m}, min_depth_m={self.min_depth_m}, '
                f'max_depth_m={self.max_depth_m}'
            )

    def _height_clashes(self) -> Iterator[str]:
        low_m, high_m = self.cloud_min_height_m, self.cloud_max_height_m
        if not (low_m or high_m):
            return
        if low_m >= high_m:
            yield (
                'heights of the cloud must satisfy cloud_min_height_m < cloud_max_height_m (both '
                f'0: all), got cloud_min_height_m={low_m}, cloud_max_height_m={high_m}'
            )
        if not self.camera_height_m:
            yield (
                f'cloud_min_height_m={low_m} and cloud_max_height_m={high_m} are above ground, '
                'and need camera_height_m, the height of the camera, got 0 (not known)'
            )

    def cloud_crop(self) -> dict[str, Any]:
        """Return what :class:`Crop` is told, by name."""
        has_heights = self.cloud_min_height_m or self.cloud_max_height_m
        return {
            'camera_height_m': self.camera_height_m,
            'camera_pitch_deg': self.camera_pitch_deg,
            'min_range_m': self.cloud_min_range_m,
            'max_range_m': self.cloud_max_range_m or math.inf,
            'min_height_m': self.cloud_min_height_m if has_heights else -math.inf,
            'max_height_m': self.cloud_max_height_m if has_heights else math.inf,
            'min_support': self.cloud_min_support,
            'clear_range_m': self.cloud_clear_range_m or math.inf,
        }

    def scan_band(self) -> dict[str, Any]:
        """Return what :class:`Crop` is told of the band of the scan, by name."""
        return {
            'camera_height_m': self.camera_height_m,
            'camera_pitch_deg': self.camera_pitch_deg,
            'min_range_m': self.min_depth_m,
            'max_range_m': self.scan_max_range_m or self.max_depth_m,
            'min_height_m': self.scan_min_height_m,
            'max_height_m': self.scan_max_height_m,
        }

    def scan_frame_of(self, image_frame: str, camera: str = '') -> str:
        """
        Return the frame of the scan of an image of a camera, by its name.

        ConfigError says why there can be no scan.
        """
        if not self.camera_height_m:
            raise ConfigError(
                'heights above ground need camera_height_m, the height of the camera, got 0 (not '
                'known)'
            )
        if self.scan_frame:
            return self.scan_frame.replace(CAMERA_GAP, camera)
        if self.camera_pitch_deg:
            raise ConfigError(
                f'a camera with camera_pitch_deg={self.camera_pitch_deg} needs scan_frame, a '
                'level frame at the camera, x forward: its own is tilted'
            )
        if '_optical' not in image_frame:
            raise ConfigError(
                f"the image's frame {image_frame!r} has no '_optical' in its name to leave out: "
                'set scan_frame to a level frame at the camera, x forward'
            )
        return image_frame.replace('_optical', '', 1)
