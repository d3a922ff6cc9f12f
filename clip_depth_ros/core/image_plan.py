# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The geometry between a camera image and what a network sees, as a value that applies itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import math
from typing import Any, NamedTuple

from clip_depth_ros.errors import CalibrationError, ConfigError, ImageError
from clip_depth_ros.types import Depth, Intrinsics
import numpy as np
from numpy.typing import NDArray


class Size(NamedTuple):
    """Height and width in pixels, in the order of array axes."""

    height: int
    width: int


class Window(NamedTuple):
    """A part of an image: its top left pixel (x, y) and its size, in pixels."""

    x: int
    y: int
    width: int
    height: int


class Padding(NamedTuple):
    """Pixels added at each side."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0


Resize = Callable[[NDArray[Any], Size], NDArray[Any]]
"""Resamples an array (H, W) or (H, W, C) to a size; pixel (0, 0) is centred at (0, 0)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlan:
    """
    Crop, then resize, then pad, then flip left-right; build one with :func:`plan_image`.

    Attributes
    ----------
    source : Size
        Size of the image the plan is for.
    crop : Window
        Part of the image that is kept.
    resized : Size
        Size the crop is resampled to.
    padding : Padding
        Added around the resized crop: black in images, NaN in depth.
    flip : bool
        Whether left and right are exchanged at the end.

    Raises
    ------
    ConfigError
        If the crop does not lie in the image, a size is not positive or a padding negative.

    Notes
    -----
    Convention: the centre of pixel (0, 0) is at (0, 0). Resizing by s moves the principal point
    to ``(cx + 0.5) * s - 0.5``, flipping to ``W - 1 - cx``. Depth along z does not change.

    """

    source: Size
    crop: Window
    resized: Size
    padding: Padding
    flip: bool

    def __post_init__(self) -> None:
        x, y, width, height = self.crop
        inside = min(x, y) >= 0 and x + width <= self.source.width
        if not (inside and min(width, height) > 0 and y + height <= self.source.height):
            raise ConfigError(
                f'a crop must lie within the image of {_text(self.source)} pixels, '
                f'got x={x}, y={y}, width={width}, height={height}'
            )
        if min(self.resized) <= 0 or min(self.padding) < 0:
            raise ConfigError(
                f'a plan needs a positive size and no negative padding, got {self.resized} and '
                f'{self.padding}'
            )

    @property
    def size(self) -> Size:
        """Size of the result."""
        left, top, right, bottom = self.padding
        return Size(self.resized.height + top + bottom, self.resized.width + left + right)

    def apply_to_image(self, image: NDArray[Any], resize: Resize) -> NDArray[Any]:
        """
        Give the planned view of an image (H, W) or (H, W, C); it may share memory with it.

        Raises
        ------
        ImageError
            If the image is not of the size that the plan is for.

        """
        return self._forward(image, resize, 0)

    def apply_to_depth(self, depth_m: Depth, resize: Resize) -> Depth:
        """Give the planned view of a depth image; what was padded is NaN, unknown."""
        return self._forward(depth_m, resize, np.nan)

    def restore_depth(self, depth_m: Depth, resize: Resize) -> Depth:
        """
        Bring depth of the planned size back onto the image; what was cropped away is NaN.

        Raises
        ------
        ImageError
            If the depth is not of the planned size.

        """
        _check_size(depth_m, self.size)
        unflipped = depth_m[:, ::-1] if self.flip else depth_m
        left, top = self.padding.left, self.padding.top
        inner = unflipped[top:top + self.resized.height, left:left + self.resized.width]
        x, y, width, height = self.crop
        if self.resized != (height, width):
            inner = resize(inner, Size(height, width))
        restored = np.full(self.source, np.nan, depth_m.dtype)
        restored[y:y + height, x:x + width] = inner
        return restored

    def apply_to_intrinsics(self, intrinsics: Intrinsics) -> Intrinsics:
        """
        Give the intrinsics of the planned view.

        Raises
        ------
        CalibrationError
            If the intrinsics belong to another size than the plan.

        """
        _check_intrinsics(intrinsics, self.source)
        resized = intrinsics.cropped(*self.crop).scaled_to(self.resized.width, self.resized.height)
        height, width = self.size
        padded = resized.cropped(-self.padding.left, -self.padding.top, width, height)
        return padded.flipped() if self.flip else padded

    def restore_intrinsics(self, intrinsics: Intrinsics) -> Intrinsics:
        """
        Give the intrinsics of the image from those of the planned view.

        Raises
        ------
        CalibrationError
            If the intrinsics belong to another size than the planned view.

        """
        _check_intrinsics(intrinsics, self.size)
        unflipped = intrinsics.flipped() if self.flip else intrinsics
        left, top = self.padding.left, self.padding.top
        inner = unflipped.cropped(left, top, self.resized.width, self.resized.height)
        x, y, width, height = self.crop
        cropped = inner.scaled_to(width, height)
        return cropped.cropped(-x, -y, self.source.width, self.source.height)

    def _forward(self, array: NDArray[Any], resize: Resize, fill: float) -> NDArray[Any]:
        _check_size(array, self.source)
        x, y, width, height = self.crop
        view = array[y:y + height, x:x + width]
        if self.resized != (height, width):
            view = resize(view, self.resized)
        if any(self.padding):
            left, top, right, bottom = self.padding
            channels = ((0, 0),) * (array.ndim - 2)
            view = np.pad(
                view, ((top, bottom), (left, right), *channels), constant_values=fill
            )
        return view[:, ::-1] if self.flip else view


def plan_image(
    source: Size,
    *,
    crop: Window | None = None,
    resized: Size | None = None,
    padding: Padding | None = None,
    flip: bool = False,
) -> ImagePlan:
    """Give a plan; what is not named changes nothing."""
    window = crop or Window(0, 0, source.width, source.height)
    return ImagePlan(
        source=source,
        crop=window,
        resized=resized or Size(window.height, window.width),
        padding=padding or Padding(),
        flip=flip,
    )


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
    released DepthCLIP code feeds 416 x 544 pixels as they are; so does this plan.

    """
    sides = zip(requested, source, stride, strict=True)
    height, width = (
        max(1, math.floor((wanted or own) / patch + 0.5)) * patch for wanted, own, patch in sides
    )
    return plan_image(source, resized=Size(height, width))


def plan_centre_crop(source: Size, target: Size) -> ImagePlan:
    """Plan the largest centred crop of the target's aspect, resized to it, as CLIP is fed."""
    scale = min(source.height / target.height, source.width / target.width)
    height = min(source.height, max(1, round(target.height * scale)))
    width = min(source.width, max(1, round(target.width * scale)))
    window = Window((source.width - width) // 2, (source.height - height) // 2, width, height)
    return plan_image(source, crop=window, resized=target)


def _check_size(array: NDArray[Any], size: Size) -> None:
    if array.shape[:2] != size:
        raise ImageError(f'this plan is for {_text(size)} pixels, got shape {array.shape}')


def _check_intrinsics(intrinsics: Intrinsics, size: Size) -> None:
    if (intrinsics.height, intrinsics.width) != size:
        raise CalibrationError(
            f'this plan is for {_text(size)} pixels, got intrinsics of '
            f'{intrinsics.width}x{intrinsics.height}'
        )


def _text(size: Size) -> str:
    return f'{size.width}x{size.height}'
