# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What is done to training frames so that no two epochs are alike; intrinsics move along.

The recipe for one camera is that of BTS (Lee, Han, Ko, Suh, arXiv 1907.10326), which AdaBins took
over: KITTI is cropped to 352 x 1216, turned by up to 1 degree, a window of 352 x 704 is cut out,
half of the frames are flipped, and in half of them gamma, brightness and colours vary by 10 %.
NYU: without its white border, 2.5 degrees, 416 x 544, brightness by 25 %.

That for many cameras is ours: windows of many sizes, anywhere in the picture, and zoom, so that
neither a row of the picture nor the size of a patch is a depth; and looks that vary more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from clip_depth_ros.core.image_plan import Size, Window
from clip_depth_ros.errors import DataError
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.training.frames.geometry import cropped, flipped, resized, rotated
from clip_depth_ros.training.frames.looks import (
    blurred,
    cut_out,
    noisy,
    recolored,
    tinted,
)
from clip_depth_ros.types import Rgb
import numpy as np

_CHANGED: Final = 0.5  # share of frames that get each kind of change of looks, as in BTS


def window_of(settings: TrainSettings) -> Size | None:
    """Return the size of the window that augmentation cuts out, if it is one for all frames."""
    window = Size(settings.augment_crop_height_px, settings.augment_crop_width_px)
    return window if any(window) else None


def window_size(
    whole: Size, stride: Size, settings: TrainSettings, rng: np.random.Generator
) -> Size:
    """
    Return the size that frames of one batch have, of whole patches; ``whole`` if nothing is cut.

    ``whole`` is the size of an image at the network's input, ``stride`` that of a patch, pixels.
    Frames of a batch need generators in equal states.
    """
    if window := window_of(settings):
        return window
    if not settings.augment_window:
        return whole
    sides = zip(whole, stride, rng.uniform(1 - settings.augment_window, 1, 2), strict=True)
    return Size(*(max(1, round(side * share / patch)) * patch for side, patch, share in sides))


def moved(
    sample: DepthSample,
    whole: Size,
    size: Size,
    settings: TrainSettings,
    rng: np.random.Generator,
) -> DepthSample:
    """
    Return a frame at a size: turned, a window of it zoomed, perhaps flipped, as settings say.

    Parameters
    ----------
    sample : DepthSample
        The used part of a frame, at its own size.
    whole : Size
        What all of it would be resized to for the network, pixels.
    size : Size
        Of the window of that which is wanted, pixels.
    settings : TrainSettings
        The ``augment_*`` settings.
    rng : numpy.random.Generator
        Those in equal states give equal frames.

    Raises
    ------
    DataError
        If the window is larger than the frame.

    """
    if turn_deg := settings.augment_rotate_deg:
        sample = rotated(sample, rng.uniform(-turn_deg, turn_deg))
    if settings.augment_zoom or size != whole:
        zoom = _zoom(whole, size, settings.augment_zoom, rng)
        sample = cropped(sample, _window(sample, whole, size, zoom, rng))
    sample = resized(sample, size)
    return flipped(sample) if settings.augment_flip and rng.random() < 0.5 else sample


def changed_looks(rgb: Rgb, settings: TrainSettings, rng: np.random.Generator) -> Rgb:
    """Return an image changed as the settings say; the one given stays as it is."""
    spreads = (settings.augment_gamma, settings.augment_brightness, settings.augment_color)
    if any(spreads) and rng.random() < _CHANGED:
        gamma, brightness = (1 + spread * rng.uniform(-1, 1) for spread in spreads[:2])
        colors = 1 + settings.augment_color * rng.uniform(-1, 1, 3)
        rgb = recolored(rgb, gamma, brightness * colors)
    tints = (settings.augment_contrast, settings.augment_saturation, settings.augment_hue_deg)
    if any(tints) and rng.random() < _CHANGED:
        contrast, saturation, hue_deg = tints * rng.uniform(-1, 1, 3)
        rgb = tinted(rgb, contrast=1 + contrast, saturation=1 + saturation, hue_deg=hue_deg)
    if settings.augment_grey and rng.random() < settings.augment_grey:
        rgb = tinted(rgb, contrast=1, saturation=0, hue_deg=0)
    if settings.augment_blur_px and rng.random() < _CHANGED:
        rgb = blurred(rgb, max(0.1, rng.uniform(0, settings.augment_blur_px)))
    if settings.augment_noise and rng.random() < _CHANGED:
        rgb = noisy(rgb, rng.uniform(0, settings.augment_noise), rng)
    if settings.augment_cutout and rng.random() < _CHANGED:
        rgb = cut_out(rgb, int(rng.integers(1, settings.augment_cutout + 1)), rng)
    return rgb


def augment(
    sample: DepthSample,
    settings: TrainSettings,
    rng: np.random.Generator,
    *,
    whole: Size | None = None,
    size: Size | None = None,
) -> DepthSample:
    """
    Return a frame changed as the ``augment_*`` settings say; the one given stays as it is.

    Generators in equal states give equal frames. See :func:`moved` for ``whole`` and ``size``; by
    default the frame is not resized. DataError if it is smaller than the window that is cut out.
    """
    whole = whole or Size(*sample.rgb.shape[:2])
    size = size or window_of(settings) or whole
    fitted = moved(sample, whole, size, settings, rng)
    return replace(fitted, rgb=changed_looks(fitted.rgb, settings, rng))


def _zoom(whole: Size, size: Size, most: float, rng: np.random.Generator) -> float:
    """Draw how much the picture is enlarged; no less than fills the window."""
    least = max(size.height / whole.height, size.width / whole.width)
    drawn = float(most ** rng.uniform(-1, 1)) if most else 1.0
    return max(drawn, least)


def _window(
    sample: DepthSample, whole: Size, size: Size, zoom: float, rng: np.random.Generator
) -> Window:
    """Return the part of a frame that becomes a window at a zoom, anywhere in it."""
    own = Size(*sample.rgb.shape[:2])
    if size.height > whole.height or size.width > whole.width:
        raise DataError(
            f'{sample.name}: a window of {size.text} pixels does not fit into a frame of '
            f'{whole.text}: choose a smaller one, or another crop'
        )
    height, width = (
        min(side, max(1, round(side * wanted / (all_of_it * zoom))))
        for side, wanted, all_of_it in zip(own, size, whole, strict=True)
    )
    x, y = (
        int(rng.integers(0, own_side - side + 1))
        for own_side, side in ((own.width, width), (own.height, height))
    )
    return Window(x, y, width, height)
