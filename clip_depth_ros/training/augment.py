# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What is done to training frames so that no two epochs are alike; intrinsics move along.

The recipe is that of BTS (Lee, Han, Ko, Suh, arXiv 1907.10326), which AdaBins took over: KITTI is
cropped to 352 x 1216, turned by up to 1 degree, a window of 352 x 704 is cut out, half of the
frames are flipped, and in half of them gamma, brightness and colours vary by 10 %. NYU: without
its white border, 2.5 degrees, 416 x 544, brightness by 25 %.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

from clip_depth_ros.core.image_plan import Size, Window
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.score.crops import at_bottom_centre, KB_SIZE
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Intrinsics, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray

CropName = Literal['none', 'kitti_benchmark', 'nyu_border']

_NYU_WINDOW: Final = Window(x=43, y=45, width=565, height=427)
_RECOLORED: Final = 0.5  # share of frames whose gamma, brightness and colour change, as in BTS


def augment(
    sample: DepthSample, settings: TrainSettings, rng: np.random.Generator
) -> DepthSample:
    """
    Return a frame changed as the ``augment_*`` settings say; the one given stays as it is.

    Generators in equal states give equal frames. DataError if the frame is smaller than the
    window that is cut out.
    """
    height, width = sample.rgb.shape[:2]
    if turn_deg := settings.augment_rotate_deg:
        sample = rotated(sample, rng.uniform(-turn_deg, turn_deg))
    if window := window_of(settings):
        x, y = (
            int(rng.integers(0, max(0, own - want) + 1))
            for own, want in ((width, window.width), (height, window.height))
        )
        sample = cropped(sample, Window(x, y, window.width, window.height))
    if settings.augment_flip and rng.random() < 0.5:
        sample = flipped(sample)
    spreads = (settings.augment_gamma, settings.augment_brightness, settings.augment_color)
    if any(spreads) and rng.random() < _RECOLORED:
        gamma, brightness = (1 + spread * rng.uniform(-1, 1) for spread in spreads[:2])
        colors = 1 + settings.augment_color * rng.uniform(-1, 1, 3)
        sample = replace(sample, rgb=recolored(sample.rgb, gamma, brightness * colors))
    return sample


def window_of(settings: TrainSettings) -> Size | None:
    """Return the size of the window that augmentation cuts out, if it does."""
    window = Size(settings.augment_crop_height_px, settings.augment_crop_width_px)
    return window if any(window) else None


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
    middle = Intrinsics(1.0, 1.0, (width - 1) / 2, (height - 1) / 2, width, height)
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


def recolored(rgb: Rgb, gamma: float, gains: NDArray[np.float64]) -> Rgb:
    """
    Return an image with each colour c in [0, 1] as ``gain * c ** gamma``, cut at 1.

    Gamma is above 0; the gains, (3,), are those of red, green and blue.
    """
    levels = (np.arange(256) / 255) ** gamma
    tables = np.rint(255 * np.clip(np.outer(levels, gains), 0, 1)).astype(np.uint8)
    return np.stack([tables[rgb[..., i], i] for i in range(3)], axis=-1)
