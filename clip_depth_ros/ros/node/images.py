# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image messages to RGB arrays, and arrays to image messages."""

from __future__ import annotations

import array
from typing import Any, Final

from clip_depth_ros.core.depth_images import encode_depth
from clip_depth_ros.core.images import decode_plain, DEPTH_ENCODINGS, ImageBuffer, LAYOUTS
from clip_depth_ros.errors import ImageError, MissingDependencyError
from clip_depth_ros.types import Depth, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

_AS_STORED: Final = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
"""A tag that asks viewers to rotate must not: camera_info is for the pixels as they are."""


def decode_image(message: Image) -> Rgb:
    """
    Give the picture of an Image message, uint8 (H, W, 3) RGB.

    Plain encodings are read here; Bayer, YUV and other ones go through ``cv_bridge`` where a
    distro provides it, else through ``rosbags-image``.

    Raises
    ------
    ImageError
        If the message does not fit its description, or the encoding is unknown or no picture.
    MissingDependencyError
        If the encoding needs a library that is not installed.

    """
    if message.encoding in LAYOUTS:
        return decode_plain(ImageBuffer.of(message))
    if message.encoding in DEPTH_ENCODINGS:
        raise ImageError(
            f'{message.encoding} is a depth encoding; remap image to a camera picture'
        )
    if message.width <= 0 or message.height <= 0:
        raise ImageError(f'an image needs a positive size, got {message.width}x{message.height}')
    return _decode_with_library(message)


def decode_compressed(message: CompressedImage) -> Rgb:
    """
    Give the picture of a CompressedImage message (JPEG, PNG, ...), uint8 (H, W, 3) RGB.

    Raises
    ------
    ImageError
        If the data does not decode.

    """
    data = np.frombuffer(message.data, np.uint8)
    try:
        bgr = cv2.imdecode(data, _AS_STORED) if data.size else None
    except cv2.error as error:
        raise ImageError(f'a {message.format!r} image does not decode: {error}') from error
    if bgr is None:
        raise ImageError(
            f'a compressed image of {data.size} bytes, format {message.format!r}, does not '
            'decode: it is truncated or of a format that OpenCV cannot read'
        )
    return _rgb(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


def depth_message(header: Header, depth_m: Depth, encoding: str) -> Image:
    """Give a depth image message (REP 118), 32FC1 in metres or 16UC1 in millimetres."""
    return _image(header, encode_depth(depth_m, encoding), encoding)


def rgb_message(header: Header, rgb: Rgb) -> Image:
    """Give an rgb8 image message of a uint8 (H, W, 3) RGB array."""
    return _image(header, np.ascontiguousarray(rgb), 'rgb8')


def as_bytes(samples: NDArray[Any]) -> array.array[int]:
    """
    Give the bytes of a contiguous array as message fields take them fastest.

    A ready ``array('B')`` is taken over as it is; assigning bytes is checked element by element
    on older distros (87 ms for 1.9 MB on Humble).
    """
    data = array.array('B')
    data.frombytes(samples.data.cast('B'))
    return data


def _image(header: Header, samples: NDArray[Any], encoding: str) -> Image:
    message = Image(header=header, encoding=encoding)
    message.height, message.width = samples.shape[:2]
    message.step = samples.strides[0]
    message.data = as_bytes(samples)
    return message


def _decode_with_library(message: Image) -> Rgb:
    try:
        try:
            from cv_bridge import CvBridge
        except ImportError:
            from rosbags.image import message_to_cvimage

            return _rgb(message_to_cvimage(message, 'rgb8'))
        return _rgb(CvBridge().imgmsg_to_cv2(message, 'rgb8'))
    except ImportError as error:
        raise MissingDependencyError(
            f'images encoded as {message.encoding!r} need cv_bridge (from the distro) or '
            'rosbags-image (pip install rosbags-image)'
        ) from error
    except Exception as error:
        # Both libraries raise several unrelated types for a damaged or unknown image.
        raise ImageError(
            f'cannot convert a {message.width}x{message.height} {message.encoding!r} image of '
            f'{len(message.data)} bytes to rgb8: {error}'
        ) from error


def _rgb(pixels: Any) -> Rgb:
    rgb: Rgb = np.ascontiguousarray(pixels, np.uint8)
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ImageError(f'an image must decode to (H, W, 3), got {rgb.shape}')
    return rgb
