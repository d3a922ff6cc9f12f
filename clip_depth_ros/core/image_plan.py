# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a camera image to the pixels that a network sees, as a value that applies itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import math
from typing import Any, Final, NamedTuple

from clip_depth_ros.errors import ConfigError, ImageError
import numpy as np
from numpy.typing import NDArray


class Size(NamedTuple):
    """Height and width in pixels, in the order of array axes."""

    height: int
    width: int

    @property
    def text(self) -> str:
        """Width first, as people say it: ``640x480``."""
        return f'{self.width}x{self.height}'


class Window(NamedTuple):
    """A part of an image: its top left pixel (x, y) and its size, in pixels."""

    x: int
    y: int
    width: int
    height: int


MOST_PATCHES: Final = 4096
"""
Of a network's input (our choice): a transformer's memory grows with their square.

ViT-B/16 needs 2 GB for as many, and as many flipped.
"""

MOST_PIXELS: Final = 1 << 21
"""Of a network's input (our choice): enough for 1920 x 1080; RN50 needs 1 GB for it."""

Resize = Callable[[NDArray[Any], Size], NDArray[np.uint8]]
"""Resamples an image (H, W, 3) to a size; pixel (0, 0) is centred at (0, 0)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlan:
    """
    Crop, then resize; build one with :func:`plan_image`.

    ConfigError if the crop does not lie in the image, or a size is not positive.

    Attributes
    ----------
    source : Size
        Size of the image the plan is for.
    crop : Window
        Part of the image that is kept.
    size : Size
        Size of the result, to which the crop is resampled.

    """

    source: Size
    crop: Window
    size: Size

    def __post_init__(self) -> None:
        x, y, width, height = self.crop
        inside = min(x, y) >= 0 and x + width <= self.source.width
        if not (inside and min(width, height) > 0 and y + height <= self.source.height):
            raise ConfigError(
                f'a crop must lie within the image of {self.source.text} pixels, '
                f'got x={x}, y={y}, width={width}, height={height}'
            )
        if min(self.size) <= 0:
            raise ConfigError(f'a plan needs a positive size, got {self.size}')

    def apply_to_image(self, image: NDArray[Any], resize: Resize) -> NDArray[Any]:
        """
        Return the planned view of an image (H, W, 3); it may share memory with it.

        Raises
        ------
        ImageError
            If the image is not of the size that the plan is for.

        """
        if image.shape[:2] != self.source:
            raise ImageError(
                f'this plan is for {self.source.text} pixels, got shape {image.shape}'
            )
        x, y, width, height = self.crop
        view = image[y:y + height, x:x + width]
        return view if self.size == (height, width) else resize(view, self.size)


def plan_image(source: Size, *, crop: Window | None = None, size: Size | None = None) -> ImagePlan:
    """Return a plan; what is not named changes nothing."""
    window = crop or Window(0, 0, source.width, source.height)
    return ImagePlan(source=source, crop=window, size=size or Size(window.height, window.width))


def plan_patches(source: Size, requested: Size, stride: Size) -> ImagePlan:
    """
    Plan a resize to whole patches.

    Parameters
    ----------
    source : Size
        Size of the image.
    requested : Size
        Wanted height and width in pixels; 0 means that of the image.
    stride : Size
        Pixels of one patch.

    Notes
    -----
    Our choice: each side becomes the nearest whole multiple of the patch (halves go up), at least
    one patch, by resizing and not by cropping, so that every row of the image is seen. The
    released DepthCLIP code feeds 416 x 544 pixels as they are; so does this plan. More than
    MOST_PATCHES or MOST_PIXELS in all shrink to that, the shape kept.

    """
    rows, columns = _whole_patches(source, requested, stride)
    if (most := _most_patches(stride)) < rows * columns:
        shrink = math.sqrt(most / (rows * columns))
        columns = min(max(1, math.floor(columns * shrink)), most)
        rows = min(max(1, math.floor(rows * shrink)), most // columns)
    return plan_image(source, size=Size(rows * stride.height, columns * stride.width))


def is_within_limit(source: Size, requested: Size, stride: Size) -> bool:
    """Return whether :func:`plan_patches` would keep the size, but for rounding."""
    return math.prod(_whole_patches(source, requested, stride)) <= _most_patches(stride)


def _most_patches(stride: Size) -> int:
    return max(1, min(MOST_PATCHES, MOST_PIXELS // math.prod(stride)))


def _whole_patches(source: Size, requested: Size, stride: Size) -> Size:
    sides = zip(requested, source, stride, strict=True)
    return Size(*(
        max(1, math.floor((wanted or own) / patch + 0.5)) for wanted, own, patch in sides
    ))


def plan_centre_crop(source: Size, target: Size) -> ImagePlan:
    """Plan the largest centred crop of the target's aspect, resized to it, as CLIP is fed."""
    scale = min(source.height / target.height, source.width / target.width)
    height = min(source.height, max(1, round(target.height * scale)))
    width = min(source.width, max(1, round(target.width * scale)))
    window = Window((source.width - width) // 2, (source.height - height) // 2, width, height)
    return plan_image(source, crop=window, size=target)
