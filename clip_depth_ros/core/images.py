# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pixels out of ROS image buffers, for the encodings that are plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from clip_depth_ros.errors import ImageError
from clip_depth_ros.types import Rgb
import numpy as np
from numpy.typing import NDArray


class Layout(NamedTuple):
    """How a plain encoding stores a pixel."""

    dtype: type[np.generic]
    channels: tuple[int, ...]
    """Which stored channel is red, green, blue; one entry means grey."""
    stored: int
    """Channels stored for each pixel."""


LAYOUTS: Final[Mapping[str, Layout]] = {
    'rgb8': Layout(np.uint8, (0, 1, 2), 3),
    'bgr8': Layout(np.uint8, (2, 1, 0), 3),
    'rgba8': Layout(np.uint8, (0, 1, 2), 4),
    'bgra8': Layout(np.uint8, (2, 1, 0), 4),
    'mono8': Layout(np.uint8, (0,), 1),
    'mono16': Layout(np.uint16, (0,), 1),
    '8UC1': Layout(np.uint8, (0,), 1),
    '8UC3': Layout(np.uint8, (2, 1, 0), 3),
    '8UC4': Layout(np.uint8, (2, 1, 0), 4),
}
"""Camera encodings that need no library; ``8UC3`` and ``8UC4`` are blue first, as OpenCV's are."""

DEPTH_ENCODINGS: Final = ('32FC1', '16UC1')
"""Encodings of depth images: never a camera picture."""


@dataclass(frozen=True, slots=True)
class ImageBuffer:
    """
    The fields of ``sensor_msgs/Image`` that say where the pixels are.

    Attributes
    ----------
    data : buffer
        At least ``step * height`` bytes.
    height, width : int
        Size in pixels.
    step : int
        Bytes from one row to the next; may be more than a row needs.
    encoding : str
        Name from ``sensor_msgs/image_encodings``.
    is_bigendian : bool
        Byte order of samples wider than a byte.

    """

    data: Any
    height: int
    width: int
    step: int
    encoding: str
    is_bigendian: bool = False

    @classmethod
    def of(cls, message: Any) -> ImageBuffer:
        """Give the buffer of a ``sensor_msgs/Image``, of whichever library made it."""
        return cls(
            data=message.data,
            height=message.height,
            width=message.width,
            step=message.step,
            encoding=message.encoding,
            is_bigendian=bool(message.is_bigendian),
        )

    def view(self, dtype: type[np.generic], channels: int) -> NDArray[Any]:
        """
        Give the pixels as an array (H, W) or (H, W, channels) without copying.

        Raises
        ------
        ImageError
            If the size is zero, the step too short for a row, or the data shorter than the rows.

        """
        sample = np.dtype(dtype).newbyteorder('>' if self.is_bigendian else '<')
        row_bytes = self.width * channels * sample.itemsize
        name = f'{self.width}x{self.height} {self.encoding} image'
        if self.width <= 0 or self.height <= 0:
            raise ImageError(f'an image needs a positive size, got a {name}')
        if self.step < row_bytes or self.step % sample.itemsize:
            raise ImageError(f'a {name} needs step >= {row_bytes} bytes, got step={self.step}')
        raw = np.frombuffer(self.data, np.uint8)
        if raw.size < self.step * (self.height - 1) + row_bytes:
            raise ImageError(
                f'a {name} with step={self.step} needs {self.step * self.height} bytes, got '
                f'{raw.size}: the message is truncated'
            )
        pixel: tuple[int, ...] = (self.height, self.width, channels)
        strides: tuple[int, ...] = (self.step, channels * sample.itemsize, sample.itemsize)
        if channels == 1:
            pixel, strides = pixel[:2], strides[:2]
        view: NDArray[Any] = np.ndarray(pixel, sample, buffer=raw.data, strides=strides)
        return view


def decode_plain(image: ImageBuffer) -> Rgb:
    """
    Give a camera image as uint8 (H, W, 3) RGB, contiguous.

    Parameters
    ----------
    image : ImageBuffer
        In one of the encodings of ``LAYOUTS``. 16-bit grey keeps its upper byte (our choice: a
        fixed scale does not flicker); alpha is dropped.

    Raises
    ------
    ImageError
        If the encoding is not plain, or the buffer does not fit its description.

    """
    layout = LAYOUTS.get(image.encoding)
    if layout is None:
        raise ImageError(f'encoding {image.encoding!r} is not one of {[*LAYOUTS]}')
    pixels = image.view(layout.dtype, layout.stored)
    if layout.dtype is np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if layout.stored == 1:
        return np.repeat(pixels[..., np.newaxis], 3, axis=2)
    if layout.channels == (0, 1, 2):
        return np.ascontiguousarray(pixels[..., :3])
    return np.ascontiguousarray(pixels[..., 2::-1])


def check_rgb(rgb: Rgb) -> None:
    """
    Refuse what is not an image, uint8 (H, W, 3) of at least one pixel.

    Raises
    ------
    ImageError
        Naming the type or the shape that came.

    """
    if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8:
        kind = rgb.dtype if isinstance(rgb, np.ndarray) else type(rgb).__name__
        raise ImageError(f'an image must be a uint8 array (H, W, 3) RGB, got {kind}')
    if rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise ImageError(
            f'an image must be a uint8 array (H, W, 3) RGB of at least one pixel, got shape '
            f'{rgb.shape}'
        )
