# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Compressed pictures, out of messages and files: looked at before anything is decoded.

The kind is that of the first bytes, whatever a name or ``format`` says, and the size stands in the
header: a kilobyte may claim to be a picture of gigabytes. Decoded by Pillow: OpenCV's decoders
write to the process's stderr about each damaged picture, and a camera may send 30 a second.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from io import BytesIO
import re
from typing import Any, Final
import warnings
import zlib

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ImageError
from clip_depth_ros.types import MAX_IMAGE_PIXELS
import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

Pixels = NDArray[Any]

MESSAGE_KINDS: Final = ('JPEG', 'PNG', 'WebP')
"""What comes from cameras."""

FILE_KINDS: Final = (*MESSAGE_KINDS, 'BMP', 'PPM', 'TIFF')
"""What folders of data sets hold."""

_STARTS: Final = {
    'JPEG': rb'\xff\xd8\xff',
    'PNG': rb'\x89PNG\r\n\x1a\n',
    'WebP': rb'RIFF....WEBP',
    'BMP': rb'BM',
    'PPM': rb'P[1-6]\s',
    'TIFF': rb'II\*\0|MM\0\*',
}

_OPENED: Final[dict[str, Callable[[BytesIO], Any]]] = {
    'JPEG': JpegImageFile, 'PNG': PngImageFile, 'WebP': WebPImageFile,
    'BMP': BmpImageFile, 'PPM': PpmImageFile, 'TIFF': TiffImageFile,
}
"""Readers, which look no further than the header until pixels are asked for; WebP's does."""

_PNG_CHUNKS: Final = (b'IHDR', b'PLTE', b'tRNS', b'IDAT', b'IEND')
"""What pixels come from. The others may be bombs of their own (text), or films (APNG)."""

_JPEG_METADATA: Final = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})
"""Segments that pixels do not come from; APP14 says how colours are stored."""

_EXIF_IFD: Final = 0x8769
"""The tag of the list of tags that say how a picture was taken."""

_MAX_SIDE_PX: Final = 65_535
"""Our choice, and JPEG's: where a side is resized up to a whole patch, the other one must not."""

_MAX_SCANS: Final = 64
"""Of a JPEG (our choice): each is a pass over all pixels, be it a few bytes; encoders use 10."""

_JPEG_PIXELS_A_BYTE: Final = 8 * 64
"""At most: each block of 8x8 takes a bit or more (Huffman codes, ITU-T T.81 F.1.2, G.1.2)."""


def check_size(size: Size, max_pixels: int, name: str) -> None:
    """
    Refuse a size that nobody should make room for; ``name`` says whose it is.

    Raises
    ------
    ImageError
        If there is no pixel, more than ``max_pixels``, or a side is longer than 65,535.

    """
    if min(size) <= 0:
        raise ImageError(f'an image needs a positive size, got {name} of {size.text}')
    if size.height * size.width > max_pixels:
        raise ImageError(
            f'{name} has {size.text} pixels, more than max_image_pixels={max_pixels}: if that is '
            'the size of your camera, raise max_image_pixels'
        )
    if max(size) > _MAX_SIDE_PX:
        raise ImageError(
            f'{name} has {size.text} pixels, a side may have {_MAX_SIDE_PX}: cut it into parts'
        )


def kind_of(data: bytes, kinds: Collection[str]) -> str | None:
    """Return the kind of a picture, of ``kinds``, by its first bytes; None if it is of none."""
    return next((kind for kind in kinds if re.match(_STARTS[kind], data, re.DOTALL)), None)


def size_in(data: Any, name: str, kinds: Collection[str] = MESSAGE_KINDS) -> Size:
    """
    Return the size that the header of a picture states; nothing is decoded.

    Parameters and errors are those of :func:`decode`.
    """
    return _looked_at(data, name, kinds, '')[2]


def decode(
    data: Any,
    name: str,
    *,
    max_pixels: int = MAX_IMAGE_PIXELS,
    kinds: Collection[str] = MESSAGE_KINDS,
    advice: str = '',
    upright: bool = False,
) -> Pixels:
    """
    Return a picture as it is stored, in colour or grey.

    Parameters
    ----------
    data : bytes-like
        All of it.
    name : str
        What errors call it.
    max_pixels : int
        A larger one is refused before it is decoded.
    kinds : collection of str
        Those that are wanted, of ``FILE_KINDS``.
    advice : str
        What to do where it does not decode; by default what is wrong with it.
    upright : bool
        Whether to turn it as it asks viewers to. Usually it must not be: camera_info, and depth
        beside it, are for the pixels as they are.

    Returns
    -------
    uint8 (H, W, 3), uint8 (H, W) or uint16 (H, W)
        Red first; without alpha. Colours of 16 bits keep their upper byte.

    Raises
    ------
    ImageError
        If it is of another kind, too large, truncated or damaged.

    """
    kind, raw, size = _looked_at(data, name, kinds, advice)
    check_size(size, max_pixels, name)
    if kind == 'JPEG' and (n_scans := raw.count(b'\xff\xda')) > _MAX_SCANS:
        raise ImageError(f'{name} has {n_scans} scans, a JPEG should have at most {_MAX_SCANS}')
    if kind == 'JPEG' and size.height * size.width > _JPEG_PIXELS_A_BYTE * len(raw):
        # libjpeg would fill up with grey, and say nothing.
        raise ImageError(f'{name} is too short for the {size.text} pixels that it states')
    with _explained(name, advice):
        picture = _OPENED[kind](BytesIO(bytes(data) if upright else raw))
        pixels = _pixels_of(ImageOps.exif_transpose(picture) if upright else picture)
    if sorted(pixels.shape[:2]) != sorted(size):
        raise ImageError(f'{name} states {size.text} pixels and holds {pixels.shape[:2]}')
    return pixels


def metadata_in(data: Any, kinds: Collection[str]) -> dict[int, Any]:
    """
    Return what the EXIF data of a picture says, by tag; of what cannot be read, nothing.

    For pictures that have been decoded: some readers make room for the pixels.
    """
    raw = bytes(data)
    kind = kind_of(raw, kinds)
    if kind is None:
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # that it is damaged
            exif = _OPENED[kind](BytesIO(raw)).getexif()
            return {**exif, **exif.get_ifd(_EXIF_IFD)}
    except Exception:
        return {}


@contextmanager
def _explained(name: str, advice: str) -> Iterator[None]:
    # Broad on purpose: of damaged data Pillow's readers let through whatever they trip over
    # (OSError, SyntaxError, struct.error, ValueError, IndexError ...).
    try:
        yield
    except Exception as error:
        raise ImageError(
            f'{name} does not decode: {advice or "it is truncated or damaged"}'
        ) from error


def _looked_at(
    data: Any, name: str, kinds: Collection[str], advice: str
) -> tuple[str, bytes, Size]:
    """Return the kind of a picture, what its pixels come from, and its size."""
    raw = bytes(data)
    kind = kind_of(raw, kinds)
    if kind is None:
        wanted = ', '.join(kinds)
        raise ImageError(
            f'{name} does not decode: {advice or f"it starts as none of {wanted} does"}'
        )
    with _explained(name, advice):
        if kind == 'WebP':  # its reader makes room for the picture when it is made
            return kind, raw, _webp_size(raw)
        if kind in _ESSENTIALS:
            raw = b''.join(_ESSENTIALS[kind](raw))
        width, height = _OPENED[kind](BytesIO(raw)).size
        return kind, raw, Size(height, width)


def _webp_size(raw: bytes) -> Size:
    """Return the size in a WebP header (RFC 9649): extended, lossless or lossy."""
    chunk, body = raw[12:16], raw[20:30]
    if chunk == b'VP8X':
        width, height = (1 + int.from_bytes(body[at:at + 3], 'little') for at in (4, 7))
    elif chunk == b'VP8L' and body[:1] == b'\x2f':
        bits = int.from_bytes(body[1:5], 'little')
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif chunk == b'VP8 ' and body[3:6] == b'\x9d\x01\x2a':
        width, height = (int.from_bytes(body[at:at + 2], 'little') & 0x3FFF for at in (6, 8))
    else:
        raise ValueError(f'no WebP chunk of an image: {chunk!r}')
    return Size(height, width)


def _essential_png(raw: bytes) -> Iterator[bytes]:
    """Give what pixels come from; ValueError for a wrong checksum, which Pillow overlooks."""
    yield raw[:8]
    start = 8
    while start < len(raw):
        end = start + 12 + int.from_bytes(raw[start:start + 4], 'big')
        name, stored = raw[start + 4:start + 8], raw[end - 4:end]
        if name in _PNG_CHUNKS:
            if zlib.crc32(raw[start + 4:end - 4]).to_bytes(4, 'big') != stored:
                raise ValueError(f'chunk {name!r} is damaged')
            yield raw[start:end]
        if name == b'IEND':
            return
        start = end
    raise ValueError('there is no end')


def _essential_jpeg(raw: bytes) -> Iterator[bytes]:
    """Give what pixels come from; ValueError if there is nothing."""
    yield raw[:2]
    start = 2
    while True:
        start = raw.index(b'\xff', start)
        marker = raw[start + 1]
        end = start + 2 + int.from_bytes(raw[start + 2:start + 4], 'big')
        if marker == 0xDA:  # from here on, pixels
            yield raw[start:]
            return
        if marker == 0xFF:  # filling
            end = start + 1
        elif marker not in _JPEG_METADATA:
            yield raw[start:end]
        start = end


_ESSENTIALS: Final = {'PNG': _essential_png, 'JPEG': _essential_jpeg}


def _pixels_of(picture: Any) -> Pixels:
    if picture.mode in ('L', '1'):
        return np.array(picture.convert('L'))
    # Grey of 16 bits; "I" where Pillow is older.
    if picture.mode == 'I' or picture.mode.startswith('I;16'):
        return np.asarray(picture).astype(np.uint16)
    if picture.mode == 'F':
        raise ValueError('floating point is no picture')
    picture.load()
    picture.info.pop('transparency', None)  # Pillow would warn that it is lost
    return np.array(picture if picture.mode == 'RGB' else picture.convert('RGB'))
