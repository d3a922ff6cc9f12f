# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
ScanNet's frames, as its own reader unpacks them from a .sens file, or as in scannet_frames_25k.

::

    <scene>/color/N.jpg    1296 x 968
            depth/N.png    640 x 480, 16 bits, millimetres
            pose/N.txt     4 x 4, where the camera is; of -inf where that is not known
            intrinsic/{intrinsic_color,intrinsic_depth,extrinsic_color,extrinsic_depth}.txt
            {intrinsics_color,intrinsics_depth}.txt    in scannet_frames_25k

Depth is what the depth camera measured, seen from the camera: both have matrices of their own.
Source: SensReader and the readme of the data set (Dai et al., CVPR 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clip_depth_ros.bags.places import Matching
from clip_depth_ros.core.camera import Camera
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.transforms import check_rigid, Matrix4
from clip_depth_ros.errors import CalibrationError, RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.camera_files import camera_beside, camera_in, read_matrix
from clip_depth_ros.sources.cameras import camera_facts, FolderCamera
from clip_depth_ros.sources.files import first_file, read_bytes, read_depth_png
from clip_depth_ros.sources.folders import FolderFrame, FolderSource
from clip_depth_ros.sources.kinds.pattern import natural
from clip_depth_ros.sources.registry import FrameRules, Kind
from clip_depth_ros.sources.truth import registered, TruthRules
from clip_depth_ros.types import Depth
import numpy as np

_COLOR: Final = (1296, 968)
_DEPTH: Final = (640, 480)
"""Sizes in pixels that the matrices are for."""

_PLACES: Final = ('intrinsic/intrinsic_{}.txt', 'intrinsics_{}.txt')


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannetFrame(FolderFrame):
    """An image and a depth map of the camera beside it."""

    depth_camera: FolderCamera
    T_camera_depth: Matrix4

    def depth_m(self, size: Size) -> Depth:
        """Return the depth as the camera of the image sees it; 0 where unknown."""
        depth_m = read_depth_png(self.gt, self.per_metre, self.max_pixels)
        height, width = depth_m.shape
        own, other = self.depth_camera(width, height)[0], self.camera(*reversed(size))[0]
        if own is None or other is None:
            raise CalibrationError(f'{self.name}: both cameras should be known')
        cameras = [Camera(each, None, 'K') for each in (own, other)]
        return registered(depth_m, cameras[0], self.T_camera_depth, cameras[1])


def open_scannet(root: Path, settings: SourceSettings, rules: FrameRules) -> FolderSource:
    """
    Open the frames of a scene, or of all scenes of a folder.

    Stamps count from ``frame_rate_hz``, if it is named: nothing else says when frames were taken.
    RecordingError if no image has depth, CalibrationError if a scene's matrices are none.
    """
    scenes = _scenes(root)
    images = [image for scene in scenes for image in _images(scene)]
    truth = TruthRules(max_range_m=settings.gt_max_range_m)
    frames: list[FolderFrame] = []
    for scene in scenes:
        frames += _frames(root, scene, settings, truth)
    if not frames:
        raise RecordingError(
            f'{str(root)!r} has no images with depth: looked for color/N.jpg and depth/N.png of '
            'scenes in it and below'
        )
    facts = {
        **truth.describe(), **camera_facts(settings, "ScanNet's own"),
        **({'frame_rate_hz': f'{settings.frame_rate_hz:g}'} if settings.frame_rate_hz else {}),
    }
    return FolderSource(
        'scannet', f'ScanNet ({root.resolve().name})', root, frames, facts,
        matching=Matching(len(images), len(images) - len(frames)),
    )


KIND: Final = Kind(
    looks_like='color/ and depth/ beside intrinsic/',
    recognises=lambda path: _scenes(path),
    uses={
        'intrinsics', 'calibration_scaling', 'frame_rate_hz', 'gt_max_range_m', 'max_image_pixels',
    },
    opened=open_scannet,
)


def _scenes(root: Path) -> list[Path]:
    found = [root, *sorted(root.glob('*')), *sorted(root.glob('scans/*'))]
    return [
        each for each in found
        if _matrix_file(each, 'depth') and (each / 'color').is_dir() and (each / 'depth').is_dir()
    ]


def _matrix_file(scene: Path, camera: str) -> Path | None:
    return first_file(scene / place.format(camera) for place in _PLACES)


def _images(scene: Path) -> list[Path]:
    return sorted((scene / 'color').glob('*.jpg'), key=lambda image: natural(image.name))


def _frames(
    root: Path, scene: Path, settings: SourceSettings, truth: TruthRules
) -> list[FolderFrame]:
    files = [_matrix_file(scene, camera) or scene / 'intrinsic' for camera in ('color', 'depth')]
    color = camera_beside(files[0], settings, size=_COLOR)
    depth = camera_in(files[1], is_scaled=settings.calibration_scaling, size=_DEPTH)
    extrinsics = [scene / f'intrinsic/extrinsic_{camera}.txt' for camera in ('color', 'depth')]
    T_world_color, T_world_depth = map(_matrix, extrinsics)
    name = scene.resolve().name
    return [
        ScannetFrame(
            name=f'{name}/{image.name}', image=image, gt=gt, camera=color, depth_camera=depth,
            T_camera_depth=np.linalg.inv(T_world_color) @ T_world_depth, rules=truth,
            beside=tuple(file for file in (*files, *extrinsics, pose) if file.is_file()),
            recording=name, T_world_camera=_pose(pose),
            stamp_ns=_stamp_ns(image, settings.frame_rate_hz),
        )
        for image in _images(scene)
        if (gt := scene / 'depth' / f'{image.stem}.png').is_file()
        for pose in [scene / 'pose' / f'{image.stem}.txt']
    ]


def _matrix(path: Path) -> Matrix4:
    """Return where a camera is; scannet_frames_25k leaves out that both are in one place."""
    if not path.is_file():
        return np.eye(4)
    matrix = read_matrix(path, (4, 4))
    check_rigid(matrix)
    return matrix


def _pose(path: Path) -> Matrix4 | None:
    """Return where the camera was, None where that is not known."""
    if not path.is_file() or b'inf' in read_bytes(path):
        return None
    return _matrix(path)


def _stamp_ns(image: Path, rate_hz: float) -> int | None:
    return round(int(image.stem) * 1e9 / rate_hz) if rate_hz and image.stem.isdecimal() else None
