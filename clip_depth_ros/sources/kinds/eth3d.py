# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
ETH3D's high-resolution images with the depth of a laser scanner, as its archives unpack.

::

    <scene>/images/dslr_images/NAME.JPG
            ground_truth_depth/dslr_images/NAME.JPG    float32 metres row by row, Inf for none
            dslr_calibration_jpg/{cameras,images}.txt  COLMAP's text files

Depth belongs to the images as they were taken, which the lens bends. Source: the data set's page
on formats (Schöps et al., "A Multi-View Stereo Benchmark", CVPR 2017), and COLMAP's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from clip_depth_ros.bags.places import Matching
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import CalibrationError, ImageError, RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.cameras import camera_facts, fitted, folder_camera, FolderCamera
from clip_depth_ros.sources.files import read_bytes
from clip_depth_ros.sources.folders import FolderFrame, FolderSource
from clip_depth_ros.sources.registry import FrameRules, Kind
from clip_depth_ros.types import Depth, Intrinsics
import numpy as np

_GT: Final = 'ground_truth_depth/dslr_images'
_CALIBRATION: Final = 'dslr_calibration_jpg'
_STRAIGHT: Final = ('SIMPLE_PINHOLE', 'PINHOLE')
_BENT: Final = ('OPENCV', 'OPENCV_FISHEYE', 'FULL_OPENCV', 'THIN_PRISM_FISHEYE')
"""COLMAP's models by name; what bends comes behind fx fy cx cy."""

_CORNER: Final = 0.5
"""COLMAP counts from the corner of the first pixel, everything here from its centre."""

Cameras = Mapping[str, tuple[Intrinsics, bool]]
"""The camera of each image by its name, and whether its lens bends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eth3dFrame(FolderFrame):
    """An image and a file of bare numbers, as many as it has pixels."""

    def depth_m(self, size: Size) -> Depth:
        """Return the depth, float32 (H, W), metres; Inf where unknown."""
        data, n_pixels = read_bytes(self.gt), size.height * size.width
        if len(data) != 4 * n_pixels:
            raise ImageError(
                f'depth map {str(self.gt)!r} should be {n_pixels} numbers of 4 bytes for its '
                f'image of {size.text}, has {len(data)} bytes: copy both again'
            )
        return np.frombuffer(data, '<f4').reshape(size).astype(np.float32)


def open_eth3d(root: Path, settings: SourceSettings, rules: FrameRules) -> FolderSource:
    """
    Open the images of a scene, or of all scenes of a folder, that have depth.

    RecordingError if there are none, CalibrationError if a scene's camera files are damaged.
    """
    n_depths = 0
    own = folder_camera(settings) if settings.intrinsics else None
    frames: list[FolderFrame] = []
    for scene in _scenes(root):
        files = [scene / _CALIBRATION / name for name in ('cameras.txt', 'images.txt')]
        is_there = all(file.is_file() for file in files)
        cameras = _cameras(*files) if is_there else {}
        for gt in sorted((scene / _GT).glob('*')):
            n_depths += 1
            image = scene / 'images/dslr_images' / gt.name
            camera, is_bent = cameras.get(f'dslr_images/{gt.name}', (None, True))
            if image.is_file():
                frames.append(Eth3dFrame(
                    name=f'{scene.resolve().name}/{image.name}', image=image, gt=gt,
                    beside=tuple(files) if is_there else (), is_bent=is_bent,
                    recording=scene.resolve().name,
                    camera=own or _camera(camera, files[0], settings.calibration_scaling),
                ))
    if not frames:
        raise RecordingError(
            f'{str(root)!r} has no images with depth: looked for images/dslr_images/NAME and '
            f'{_GT}/NAME of scenes in it and below; depth is for the images as they were taken '
            '(SCENE_dslr_jpg.7z), not for undistorted ones'
        )
    return FolderSource(
        'eth3d', f'ETH3D ({root.resolve().name})', root, frames,
        camera_facts(settings, "ETH3D's own"),
        matching=Matching(n_depths, n_depths - len(frames)),
    )


def _scenes(root: Path) -> list[Path]:
    return [each for each in (root, *sorted(root.glob('*'))) if (each / _GT).is_dir()]


KIND: Final = Kind(
    looks_like=f'images/ beside {_GT}/', recognises=_scenes,
    uses={'intrinsics', 'calibration_scaling', 'max_image_pixels'},
    opened=open_eth3d,
)


def _camera(camera: Intrinsics | None, path: Path, is_scaled: bool) -> FolderCamera:
    if camera is None:
        return FolderCamera()
    return FolderCamera(partial(fitted, camera, whose=repr(str(path)), is_scaled=is_scaled))


def _cameras(cameras_path: Path, images_path: Path) -> Cameras:
    """Read COLMAP's cameras.txt and images.txt, of which every other line says what is seen."""
    cameras = dict(_camera_of(cameras_path, words) for words in _lines(cameras_path) if words)
    found = {}
    for words in [*_lines(images_path)][::2]:
        if len(words) != 10 or words[8] not in cameras:
            raise CalibrationError(
                f'{str(images_path)!r}: a line should be id, pose, camera and name, such as 1 qw '
                f'qx qy qz tx ty tz {next(iter(cameras), "0")} NAME, got {" ".join(words)!r:.80}'
            )
        found[words[9]] = cameras[words[8]]
    return found


def _lines(path: Path) -> Iterator[list[str]]:
    text = read_bytes(path).decode('utf-8', errors='replace')
    return (line.split() for line in text.splitlines() if not line.startswith('#'))


def _camera_of(path: Path, words: list[str]) -> tuple[str, tuple[Intrinsics, bool]]:
    """Return the camera that a line states: id, model, width, height, parameters."""
    try:
        number, model, width, height, *rest = words
        numbers = [float(word) for word in rest]
        numbers = numbers[:1] + numbers if model == 'SIMPLE_PINHOLE' else numbers
        fx, fy, cx, cy, *_ = numbers
        if model not in (*_STRAIGHT, *_BENT):
            raise ValueError(f'{model} is none of {", ".join((*_STRAIGHT, *_BENT))}')
        camera = Intrinsics(fx, fy, cx - _CORNER, cy - _CORNER, int(width), int(height))
    except ValueError as error:
        raise CalibrationError(
            f'{str(path)!r}: a line should be a camera, id, model, width, height and parameters '
            f'({error}), got {" ".join(words)!r:.80}'
        ) from error
    return number, (camera.checked(repr(str(path))), model in _BENT)
