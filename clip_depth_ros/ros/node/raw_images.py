# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Image messages from their bytes, without copying the picture.

rclpy makes a message of the bytes while nothing else in Python can run, and copies the picture
three times on the way; it also drops what is damaged without a word. Here, the executor reads
some twenty numbers, and what cannot be read is an error that can be counted.

Convention: CDR as ROS 2 writes it (DDS-XTypes 1.3, 7.4.3, "plain CDR"): four bytes that say the
byte order, then the fields one by one, numbers at multiples of their size from there.
"""

from __future__ import annotations

from dataclasses import dataclass
import struct
from typing import Final

from clip_depth_ros.errors import ImageError
from std_msgs.msg import Header

_START: Final = 4
"""Bytes before the fields: 0, then 0 or 1 for big or little endian, then two without meaning."""


@dataclass(frozen=True, slots=True)
class RawImage:
    """A ``sensor_msgs/Image``, its data a view into the bytes that came."""

    header: Header
    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: memoryview


@dataclass(frozen=True, slots=True)
class RawCompressedImage:
    """A ``sensor_msgs/CompressedImage``, its data a view into the bytes that came."""

    header: Header
    format: str  # noqa: A003, RUF100
    data: memoryview


def read_image(cdr: bytes) -> RawImage:
    """Return an Image message from its bytes; ImageError if they are none of such a message."""
    reader = _Reader(cdr)
    header = reader.header()
    height, width = reader.number('I'), reader.number('I')
    encoding = reader.text()
    is_bigendian, step = reader.number('B'), reader.number('I')
    return RawImage(header, height, width, encoding, is_bigendian, step, reader.data())


def read_compressed_image(cdr: bytes) -> RawCompressedImage:
    """Return a CompressedImage message from its bytes; ImageError as :func:`read_image`."""
    reader = _Reader(cdr)
    return RawCompressedImage(reader.header(), reader.text(), reader.data())


class _Reader:
    """Reads one field after the other."""

    def __init__(self, cdr: bytes) -> None:
        if len(cdr) < _START or cdr[0] != 0 or cdr[1] > 1:
            raise ImageError(
                f'an image message should be CDR, which starts with 0x0000 or 0x0001, got '
                f'{len(cdr)} bytes that start with 0x{cdr[:2].hex()}'
            )
        self._cdr = cdr
        self._order = '<' if cdr[1] else '>'
        self._at = _START

    def header(self) -> Header:
        """Read a header."""
        header = Header()
        header.stamp.sec, header.stamp.nanosec = self.number('i'), self.number('I')
        header.frame_id = self.text()
        return header

    def number(self, code: str) -> int:
        """Read a number, by its code in :mod:`struct`."""
        size = struct.calcsize(code)
        self._at += -(self._at - _START) % size
        (number,) = struct.unpack(self._order + code, self._bytes(size))
        return int(number)

    def text(self) -> str:
        """Read a text; what follows a zero does not belong to it, as in C."""
        text, _, _ = bytes(self.data()).partition(b'\0')
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            raise ImageError('an image message has a name that is not UTF-8: damaged') from error

    def data(self) -> memoryview:
        """Read bytes whose number comes first."""
        return self._bytes(self.number('I'))

    def _bytes(self, size: int) -> memoryview:
        begin, self._at = self._at, self._at + size
        if self._at > len(self._cdr):
            raise ImageError(
                f'an image message of {len(self._cdr)} bytes needs {self._at}: it is cut off or '
                'damaged'
            )
        return memoryview(self._cdr)[begin:self._at]
