# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What moves the pixels of a frame: image, depth and intrinsics always go together.

None of it changes depth along the optical axis: a part of a picture is seen through the same lens,
a flip mirrors the world, a roll turns about the axis. A picture that is enlarged is that of a
longer lens, which its intrinsics say.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

from clip_depth_ros.core.image_plan import Size, Window
from clip_depth_ros.core.images import resize_rgb
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.score.crops import at_bottom_centre, KB_SIZE
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Depth, Intrinsics, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray

CropName = Literal['none', 'kitti_benchmark', 'nyu_border']

_NYU_WINDOW: Final = Window(x=43, y=45, width=565, height=427)
_SPARSE: Final = 0.5  # share of pixels with a target below which it counts as sparse


def used_part(sample: DepthSample, crop: CropName) -> DepthSample:
    """
    Return the part of a frame that is used, in training and validation.

    kitti_benchmark: 352 x 1216, bottom centre; nyu_border: rows 45 to 471, columns 43 to 607,
    inside of the white border. DataError if the frame is smaller.
    """
    if crop == 'none':
        return sample
    if crop == 'nyu_border':
        return cropped(sample, _NYU_WINDOW)
    return cropped(sample, at_bottom_centre(Size(*sample.rgb.shape[:2]), KB_SIZE))


def cropped(sample: DepthSample, window: Window) -> DepthSample:
    """Return a part of a frame; DataError if it does not lie within the frame."""
    x, y, width, height = window
    own_height, own_width = sample.rgb.shape[:2]
    if min(x, y) < 0 or x + width > own_width or y + height > own_height:
        raise DataError(
            f'{sample.name}: a window of {width}x{height} pixels does not fit into a frame of '
            f'{own_width}x{own_height}: choose a smaller one, or another crop'
        )
    rows, columns = slice(y, y + height), slice(x, x + width)
    intrinsics = sample.intrinsics and sample.intrinsics.cropped(x, y, width, height)
    return DepthSample(
        sample.name, sample.rgb[rows, columns], sample.target_m[rows, columns], intrinsics
    )


def resized(sample: DepthSample, size: Size, *, keep_target_size: bool = False) -> DepthSample:
    """Return a frame at another size; its target too, unless that keeps its own."""
    return replace(
        sample,
        rgb=fit_image(sample.rgb, size),
        target_m=sample.target_m if keep_target_size else fit_target(sample.target_m, size),
        intrinsics=sample.intrinsics and sample.intrinsics.scaled_to(size.width, size.height),
    )


def flipped(sample: DepthSample) -> DepthSample:
    """Return a frame with left and right exchanged."""
    return DepthSample(
        sample.name,
        np.ascontiguousarray(sample.rgb[:, ::-1]),
        np.ascontiguousarray(sample.target_m[:, ::-1]),
        sample.intrinsics and sample.intrinsics.flipped(),
    )


def rotated(sample: DepthSample, angle_deg: float) -> DepthSample:
    """
    Return a frame as a camera rolled about its optical axis would see it.

    Depth along that axis does not change, nor do the intrinsics: pixels move by K R K^-1, a turn
    about the principal point. Where intrinsics are not known it is about the middle of the image
    (as BTS's code has it), with square pixels. What was not seen is black, its depth unknown.
    Depth takes the nearest pixel, so that no two surfaces are mixed.

    A positive angle turns the picture from x to y, clockwise as it is looked at.
    """
    height, width = sample.rgb.shape[:2]
    middle = Intrinsics.straight(1.0, 1.0, width, height)
    motion = rotation_of_pixels(sample.intrinsics or middle, angle_deg)
    rgb = cv2.warpAffine(sample.rgb, motion, (width, height), flags=cv2.INTER_LINEAR)
    target_m = cv2.warpAffine(sample.target_m, motion, (width, height), flags=cv2.INTER_NEAREST)
    return DepthSample(
        sample.name,
        np.asarray(rgb, np.uint8),
        np.asarray(target_m, np.float32),
        sample.intrinsics,
    )


def rotation_of_pixels(intrinsics: Intrinsics, angle_deg: float) -> NDArray[np.float64]:
    """Return where pixels go when the camera rolls, float64 (2, 3): the first rows of K R K^-1."""
    angle = np.deg2rad(angle_deg)
    R = np.array([
        [np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]
    ])
    K = intrinsics.matrix()
    return np.asarray((K @ R @ np.linalg.inv(K))[:2], np.float64)


def fit_image(rgb: Rgb, size: Size) -> Rgb:
    """Return an image at a size, resampled as it is for prediction."""
    return np.ascontiguousarray(rgb if rgb.shape[:2] == size else resize_rgb(rgb, size))


def fit_target(target_m: Depth, size: Size) -> Depth:
    """
    Return a target at a size without mixing depths of different surfaces (our choice).

    Dense targets take the nearest pixel. Sparse ones (LiDAR) would lose most of their points
    that way: each new pixel takes the nearest surface among the points that fall into it.
    """
    if target_m.shape == size:
        return np.ascontiguousarray(target_m)
    height, width = target_m.shape
    valid = np.isfinite(target_m) & (target_m > 0)
    if valid.mean() >= _SPARSE:
        rows = ((np.arange(size.height) + 0.5) * height / size.height).astype(np.intp)
        columns = ((np.arange(size.width) + 0.5) * width / size.width).astype(np.intp)
        return np.ascontiguousarray(target_m[np.ix_(rows, columns)])
    rows, columns = np.nonzero(valid)
    fitted = np.full(size, np.inf, np.float32)
    where = (rows * size.height // height, columns * size.width // width)
    np.minimum.at(fitted, where, target_m[rows, columns])
    return np.where(np.isfinite(fitted), fitted, 0).astype(np.float32)
