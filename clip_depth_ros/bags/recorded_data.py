# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pixels and points out of the messages of a recording, as rosbags' objects."""

from __future__ import annotations

import struct
from typing import Any, Final, NamedTuple

from clip_depth_ros.core.depth_images import colorize, decode_depth
from clip_depth_ros.core.images import decode_plain, DEPTH_ENCODINGS, ImageBuffer, LAYOUTS
from clip_depth_ros.errors import DataError, ImageError, RecordingError
from clip_depth_ros.types import RecordedMessage, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.image import message_to_cvimage

_SHOWN_M: Final = (0.0, 80.0)
"""What the colours of depth reach over where it is shown as a picture."""

_AS_STORED: Final = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_CLASS_ENCODINGS: Final = ('mono8', '8UC1')
_FLOATS: Final = {7: 'f4', 8: 'f8'}
"""PointField's datatypes of coordinates."""


class HeaderFacts(NamedTuple):
    """What the header of a message says."""

    stamp_ns: int
    frame_id: str


def header_of(message: RecordedMessage) -> HeaderFacts:
    """
    Read the header of a message that starts with one, and nothing of what follows.

    Raises
    ------
    RecordingError
        If the message ends within its header, or does not even start as CDR does.

    """
    if message.cdr[:1] not in (b'\x00', b''):
        raise RecordingError(
            f'a message of {message.topic!r} should be CDR, which starts with a zero, maybe '
            f'compressed with zstd, and starts with {bytes(message.cdr[:4])!r}: the recording is '
            'damaged'
        )
    # CDR: four bytes of which the second says the byte order, then int32 and uint32, then the
    # length of the text with its closing zero.
    order = '<' if message.cdr[1:2] == b'\x01' else '>'
    try:
        seconds, nanoseconds, length = struct.unpack_from(f'{order}iII', message.cdr, 4)
        (name,) = struct.unpack_from(f'{max(0, length - 1)}s', message.cdr, 16)
    except struct.error as error:
        raise RecordingError(
            f'a message of {message.topic!r} ends within its header ({len(message.cdr)} bytes): '
            'the recording is damaged'
        ) from error
    return HeaderFacts(seconds * 10**9 + nanoseconds, name.decode('utf-8', 'replace'))


def rgb_of(message: Any, *, may_be_depth: bool = False) -> Rgb:
    """
    Give the picture of an Image or CompressedImage, uint8 (H, W, 3) RGB.

    Parameters
    ----------
    message : Image or CompressedImage
        As rosbags gives it.
    may_be_depth : bool
        Whether depth images are to be had, in colours over a fixed range.

    Raises
    ------
    ImageError
        If it does not decode.

    """
    if not hasattr(message, 'encoding'):
        return _decompressed(message)
    if message.encoding in LAYOUTS:
        return decode_plain(ImageBuffer.of(message))
    if may_be_depth and message.encoding in DEPTH_ENCODINGS:
        near_m, far_m = _SHOWN_M
        depth_m = decode_depth(ImageBuffer.of(message))
        return colorize(depth_m, near_m=near_m, far_m=far_m, color_map='turbo')
    try:
        pixels = message_to_cvimage(message, 'rgb8')
    # Broad on purpose: the library raises several unrelated types for damaged or unknown images.
    except Exception as error:
        raise ImageError(f'cannot convert a {message.encoding!r} image: {error}') from error
    return np.ascontiguousarray(pixels, np.uint8)


def _decompressed(message: Any) -> Rgb:
    data = np.frombuffer(message.data, np.uint8)
    try:
        bgr = cv2.imdecode(data, _AS_STORED) if data.size else None
    except cv2.error:
        bgr = None
    if bgr is None:
        raise ImageError(
            f'a compressed image of {data.size} bytes, format {message.format!r}, does not decode'
        )
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def class_ids_of(message: Any, size: tuple[int, ...]) -> NDArray[np.uint8]:
    """
    Give the class of each pixel, uint8 (H, W), from an 8-bit image of that size.

    Raises
    ------
    ImageError
        If it is of another kind or size.

    """
    if message.encoding not in _CLASS_ENCODINGS:
        raise ImageError(
            f'class ids need an encoding of {_CLASS_ENCODINGS}, got {message.encoding!r}'
        )
    ids = np.ascontiguousarray(ImageBuffer.of(message).view(np.uint8, 1))
    if ids.shape != size:
        raise ImageError(
            f'the image has {size[1]}x{size[0]} pixels, its class ids {ids.shape[1]}x'
            f'{ids.shape[0]}: name the class_topic of this camera'
        )
    return ids


def points_of(cloud: Any) -> NDArray[np.float64]:
    """
    Give the points of a ``sensor_msgs/PointCloud2``, float64 (N, 3), in its frame.

    Raises
    ------
    DataError
        If x, y or z is missing or no floating-point number, or the message is truncated.

    """
    fields = {field.name: field for field in cloud.fields}
    if not all(name in fields and fields[name].datatype in _FLOATS for name in 'xyz'):
        raise DataError(
            f'a cloud needs fields x, y, z of float32 or float64, has {sorted(fields)}'
        )
    order = '>' if cloud.is_bigendian else '<'
    offsets = [fields[name].offset for name in 'xyz']
    try:
        point = np.dtype({
            'names': ['x', 'y', 'z'],
            'formats': [order + _FLOATS[fields[name].datatype] for name in 'xyz'],
            'offsets': offsets,
            'itemsize': cloud.point_step,
        })
    except ValueError as error:
        raise DataError(
            f'x, y, z of a cloud should be within points of {cloud.point_step} bytes, are at '
            f'{offsets}: the message is damaged'
        ) from error
    row_bytes = cloud.width * cloud.point_step
    raw = np.frombuffer(cloud.data, np.uint8)
    if cloud.row_step < row_bytes or raw.size < cloud.height * cloud.row_step:
        raise DataError(
            f'a cloud of {cloud.width}x{cloud.height} points of {cloud.point_step} bytes needs '
            f'{cloud.height * row_bytes} bytes, has {raw.size}: the message is truncated'
        )
    rows = raw[:cloud.height * cloud.row_step].reshape(cloud.height, cloud.row_step)
    points = np.ascontiguousarray(rows[:, :row_bytes]).reshape(-1).view(point)
    return np.stack([points[name].astype(np.float64) for name in 'xyz'], axis=1)
