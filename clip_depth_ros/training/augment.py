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

from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal

from clip_depth_ros.core.crops import at_bottom_centre, KB_SIZE
from clip_depth_ros.core.image_plan import Size, Window
from clip_depth_ros.errors import ConfigError, DataError
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.training.frames import Change, Crop
from clip_depth_ros.types import Intrinsics, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray

CropName = Literal['none', 'kitti_benchmark', 'nyu_border']

_NYU_WINDOW: Final = Window(x=43, y=45, width=565, height=427)


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """
    What may be done to a frame, in this order; by default nothing.

    Attributes
    ----------
    crop : {'none', 'kitti_benchmark', 'nyu_border'}
        The part of every frame that is used. kitti_benchmark: 352 x 1216, bottom centre;
        nyu_border: rows 45 to 471, columns 43 to 607, inside of the white border.
    rotate_deg : float
        Turned by up to so much either way.
    window_height_px, window_width_px : int
        Window cut out anywhere; 0: all of that side.
    flip : bool
        Left and right are exchanged in half of the frames.
    gamma, brightness, color : float
        Gamma, brightness and each colour are between 1 minus and 1 plus this.
    color_share : float
        Share of frames whose gamma, brightness and colour change; half in BTS's code.

    Raises
    ------
    ConfigError
        If a number is out of its range.

    """

    crop: CropName = 'none'
    rotate_deg: float = 0.0
    window_height_px: int = 0
    window_width_px: int = 0
    flip: bool = False
    gamma: float = 0.0
    brightness: float = 0.0
    color: float = 0.0
    color_share: float = 0.5

    def __post_init__(self) -> None:
        checks = {
            '0 <= rotate_deg <= 45': 0 <= self.rotate_deg <= 45,
            'sizes of 0 or more': min(self.window_height_px, self.window_width_px) >= 0,
            'gamma, brightness and color in [0, 1)': all(
                0 <= spread < 1 for spread in (self.gamma, self.brightness, self.color)
            ),
            'color_share in [0, 1]': 0 <= self.color_share <= 1,
        }
        for claim, holds in checks.items():
            if not holds:
                raise ConfigError(f'an augmentation needs {claim}, got {self}')

    def __call__(self, sample: DepthSample, rng: np.random.Generator) -> DepthSample:
        """
        Return a changed frame; the one that was given stays as it is.

        Parameters
        ----------
        sample : DepthSample
            The frame.
        rng : numpy.random.Generator
            Generators in equal states give equal frames.

        Raises
        ------
        DataError
            If the frame is smaller than a crop.

        """
        height, width = sample.rgb.shape[:2]
        if self.crop != 'none':
            sample = cropped(sample, _fixed_window(self.crop, height, width))
        if self.rotate_deg:
            sample = rotated(sample, rng.uniform(-self.rotate_deg, self.rotate_deg))
        if self.window_height_px or self.window_width_px:
            sample = cropped(sample, self._window(sample, rng))
        if self.flip and rng.random() < 0.5:
            sample = flipped(sample)
        spreads = (self.gamma, self.brightness, self.color)
        if any(spreads) and rng.random() < self.color_share:
            gamma, brightness = (1 + s * rng.uniform(-1, 1) for s in spreads[:2])
            colors = 1 + self.color * rng.uniform(-1, 1, 3)
            sample = replace(sample, rgb=recolored(sample.rgb, gamma, brightness * colors))
        return sample

    def _window(self, sample: DepthSample, rng: np.random.Generator) -> Window:
        height, width = sample.rgb.shape[:2]
        wanted = (self.window_width_px or width, self.window_height_px or height)
        x, y = (
            int(rng.integers(0, max(0, own - want) + 1))
            for own, want in zip((width, height), wanted, strict=True)
        )
        return Window(x, y, *wanted)


def cropped(sample: DepthSample, window: Window) -> DepthSample:
    """
    Return a part of a frame.

    Raises
    ------
    DataError
        If it does not lie within the frame.

    """
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

    Parameters
    ----------
    sample : DepthSample
        The frame.
    angle_deg : float
        Positive turns the picture from x to y, clockwise as it is looked at.

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

    Parameters
    ----------
    rgb : uint8 (H, W, 3)
        The image.
    gamma : float
        Above 0.
    gains : float (3,)
        Of red, green and blue.

    """
    levels = (np.arange(256) / 255) ** gamma
    tables = np.rint(255 * np.clip(np.outer(levels, gains), 0, 1)).astype(np.uint8)
    return np.stack([tables[rgb[..., i], i] for i in range(3)], axis=-1)


def _fixed_window(crop: CropName, height: int, width: int) -> Window:
    if crop == 'nyu_border':
        return _NYU_WINDOW
    return at_bottom_centre(Size(height, width), KB_SIZE)


def crop_of(settings: TrainSettings) -> Crop | None:
    """Return what takes the part of every frame that is used; None: all of it."""
    if settings.crop == 'none':
        return None
    # Cropping draws no random numbers.
    return partial(Augmentation(crop=settings.crop), rng=np.random.default_rng(0))


def change_of(settings: TrainSettings) -> Change:
    """Return what augments training frames, once they are cropped and resized."""
    return Augmentation(
        rotate_deg=settings.augment_rotate_deg,
        window_height_px=settings.augment_crop_height_px,
        window_width_px=settings.augment_crop_width_px,
        flip=settings.augment_flip,
        gamma=settings.augment_gamma,
        brightness=settings.augment_brightness,
        color=settings.augment_color,
    )
