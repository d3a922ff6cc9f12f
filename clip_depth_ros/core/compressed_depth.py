# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Depth out of ``sensor_msgs/CompressedImage``: PNG, and image_transport's compressedDepth.

compressedDepth puts twelve bytes before the data: the kind of quantisation (int32, always inverse
depth) and its two parameters a and b (float32). 16UC1 is stored as it is; of 32FC1, each number is
a / depth + b, rounded down, and 0 where nothing is known or depth is beyond the publisher's
``depth_max``. The data are a PNG of 16 bits, or RVL.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from clip_depth_ros.core.compressed import check_size, decode
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.images import COMPRESSED_DEPTH, DEPTH_ENCODINGS, encoding_of
from clip_depth_ros.errors import ImageError
from clip_depth_ros.types import Depth
import numpy as np
from numpy.typing import NDArray

_HEADER: Final = struct.Struct('<iff')
_RVL_SIZE: Final = struct.Struct('<II')

_MAX_NIBBLES: Final = 10
"""Of a number in RVL: 30 bits, more than a run of pixels needs."""


def read_compressed_depth(message: Any, max_pixels: int) -> NDArray[Any]:
    """
    Return float32 (H, W) metres of compressed 32FC1, uint16 (H, W) millimetres of 16UC1.

    Where it is unknown, millimetres are 0 and metres NaN.

    Parameters
    ----------
    message : sensor_msgs/CompressedImage
        ``format`` says what it holds.
    max_pixels : int
        A larger image is refused.

    Raises
    ------
    ImageError
        If it holds no depth, is too large, or does not decode.

    """
    name = f'compressed depth of {len(message.data)} bytes, format {message.format!r},'
    encoding, is_transported = encoding_of(message), COMPRESSED_DEPTH in message.format
    if encoding not in (*DEPTH_ENCODINGS, *(('mono16',) if is_transported else ())):
        raise ImageError(
            f'{name} does not say 16UC1 or 32FC1 first: name a topic of depth, such as one of '
            "image_transport's compressedDepth"
        )
    if not is_transported:
        if encoding == '32FC1':
            raise ImageError(f'{name} cannot hold metres: publish it as compressedDepth')
        return _of_16_bits(message.data, name, max_pixels)
    data = bytes(message.data)
    if len(data) <= _HEADER.size:
        raise ImageError(f'{name} should have more than its header of {_HEADER.size} bytes')
    _, a, b = _HEADER.unpack_from(data)
    is_rvl = 'rvl' in message.format.lower().rpartition(COMPRESSED_DEPTH.lower())[2]
    read = _of_rvl if is_rvl else _of_16_bits
    stored = read(data[_HEADER.size:], name, max_pixels)
    if encoding != '32FC1':
        return stored
    if not (np.isfinite([a, b]).all() and a > 0):
        raise ImageError(f'{name} should have a > 0 and a finite b to be depth, has {a} and {b}')
    return _inverse(stored, np.float32(a), np.float32(b))


def _inverse(stored: NDArray[np.uint16], a: np.float32, b: np.float32) -> Depth:
    inverse_depth = stored.astype(np.float32) - b
    unknown = (stored == 0) | (inverse_depth <= 0)
    with np.errstate(divide='ignore', over='ignore'):
        metres: Depth = np.where(unknown, np.float32(np.nan), a / inverse_depth)
    return metres


def _of_16_bits(data: Any, name: str, max_pixels: int) -> NDArray[np.uint16]:
    stored = decode(data, name, max_pixels=max_pixels, kinds=('PNG',))
    if stored.dtype != np.uint16 or stored.ndim != 2:
        raise ImageError(
            f'{name} should be 16-bit grey, is {stored.dtype} {stored.shape}: it is a picture of '
            'depth rather than depth'
        )
    return stored


def _of_rvl(data: bytes, name: str, max_pixels: int) -> NDArray[np.uint16]:
    """
    Return what RVL holds (Wilson, "Fast Lossless Depth Image Compression", ISS 2017).

    Width and height (uint32), then numbers: how many zeros, how many other pixels, and their
    differences each from the one before, with the sign in the last bit; and so on.
    """
    damaged = ImageError(f'{name} is truncated or damaged')
    if len(data) < _RVL_SIZE.size:
        raise damaged
    width, height = _RVL_SIZE.unpack_from(data)
    check_size(Size(height, width), max_pixels, name)
    n_pixels = height * width
    words = np.frombuffer(data, np.uint8, (len(data) - 8) // 4 * 4, 8).reshape(-1, 4)
    numbers = _numbers_in(words)
    if numbers is None:
        raise damaged
    sequence, at, done = numbers.tolist(), 0, 0
    runs = []  # where in the numbers, where in the pixels, how many
    while done < n_pixels:
        n_zeros, n_others = sequence[at:at + 2] if at + 2 <= len(sequence) else (0, 0)
        at, done = at + 2, done + n_zeros
        runs.append((at, done, n_others))
        at, done = at + n_others, done + n_others
        if n_zeros + n_others == 0 or done > n_pixels or at > len(sequence):
            raise damaged
    in_numbers, in_pixels, lengths = np.array(runs).T
    steps = numbers[_ranges(in_numbers, lengths)]
    pixels = np.zeros(n_pixels, np.uint16)
    pixels[_ranges(in_pixels, lengths)] = np.cumsum(steps >> 1 ^ -(steps & 1)).astype(np.uint16)
    return pixels.reshape(height, width)


def _ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return all of ``range(start, start + length)``, one after the other."""
    before = np.cumsum(lengths) - lengths
    return np.asarray(np.repeat(starts - before, lengths) + np.arange(lengths.sum()))


def _numbers_in(words: NDArray[np.uint8]) -> NDArray[np.int64] | None:
    """
    Return the numbers in words of 32 bits, uint8 (N, 4); None if one is too large.

    A number is some nibbles, its lowest three bits first; the upper bit of a nibble says whether
    another one follows. Of a word, the upper nibble is first.
    """
    byte = words[:, ::-1].reshape(-1, 1)
    nibbles = np.concatenate([byte >> 4, byte & 15], axis=1).ravel()
    ends = np.flatnonzero(nibbles < 8)
    lengths = np.diff(ends, prepend=-1)
    if not ends.size or lengths.max() > _MAX_NIBBLES:
        return None
    starts = ends - lengths + 1
    places = np.arange(ends[-1] + 1) - np.repeat(starts, lengths)
    return np.add.reduceat((nibbles[:ends[-1] + 1] & 7).astype(np.int64) << 3 * places, starts)
