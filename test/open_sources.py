# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sources of a kind as tests open them: a path, and what differs from the defaults."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.kitti_calibration import KittiCalibration
from clip_depth_ros.sources.registry import FrameRules, known_kinds
import numpy as np

_RULES = {field.name for field in fields(FrameRules)}


def open_kind(kind: str, path: Path, **changes: Any) -> Any:
    """Open a source of a kind; ``changes`` are settings (None: the default) or rules by name."""
    rules = {name: changes.pop(name) for name in _RULES & changes.keys()}
    values = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in changes.items()
        if value is not None
    }
    return known_kinds()[kind].opened(
        path, SourceSettings.from_mapping(values), FrameRules(**rules)
    )


def open_kitti(data_dir: Path, split: Path, *, gt: str = 'annotated', **changes: Any) -> Any:
    """Open listed frames of KITTI's raw data."""
    return open_kind(
        'kitti', data_dir, split=split, annotated_below=gt == 'annotated', **changes
    )


def open_nyu(path: Path, split: Path | None = None, **changes: Any) -> Any:
    """Open NYU Depth v2."""
    return open_kind('nyu', path, split=split, **changes)


def open_pattern(root: Path, images: str, gt_images: str, **changes: Any) -> Any:
    """Open a folder by patterns, PNGs as KITTI has them."""
    scale = {'gt_per_metre': 256.0} if gt_images.endswith('.png') else {}
    return open_kind('pattern', root, images=images, gt_images=gt_images, **{**scale, **changes})


def open_bag(
    path: Path,
    *,
    T_camera_lidar: Any = None,
    calibration: KittiCalibration | None = None,
    **changes: Any,
) -> Any:
    """Open a recording, its topics by name alone; matrices go into files beside it."""
    if T_camera_lidar is not None:
        changes['lidar_extrinsics'] = path.parent / 'T.txt'
        np.savetxt(changes['lidar_extrinsics'], T_camera_lidar)
    if calibration is not None:
        changes['calib_dir'] = path.parent
        K, T = calibration.K, calibration.T_cam2_velo
        write_matrices(path.parent / 'calib_cam_to_cam.txt', {
            'P_rect_02': np.hstack([K, np.zeros((3, 1))]), 'R_rect_00': np.eye(3),
            **({'S_rect_02': np.array(calibration.size)} if calibration.size else {}),
        })
        write_matrices(path.parent / 'calib_velo_to_cam.txt', {'R': T[:3, :3], 'T': T[:3, 3]})
    return open_kind('bag', path, **{'topics': 'none', **changes})


def write_matrices(path: Path, matrices: dict[str, Any]) -> None:
    """Write matrices as KITTI's calibration files have them, exactly."""
    lines = [
        f'{name}: {" ".join(map(repr, np.ravel(matrix).tolist()))}\n'
        for name, matrix in matrices.items()
    ]
    path.write_text(''.join(lines))
