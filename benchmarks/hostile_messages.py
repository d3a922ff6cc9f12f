# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Malformed and hostile images and camera_infos by what is wrong with them, and good ones."""

from __future__ import annotations

from collections.abc import Callable
import struct
from typing import Any, Final

from clip_depth_ros.core.images import ENCODINGS
import cv2
import numpy as np
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

WIDTH, HEIGHT = 64, 48
STEERING: Final = ('\x1b[2J\x1b[31m', 'a\r\n[FATAL] forged', '\x07' * 40, '\x9b2J', '\u202eegami')
"""Names that would steer a terminal."""
HUGE: Final = (2**31 - 1, 2**32 - 1, 65536, 10**5)

Make = Callable[[np.random.Generator], Any]
"""Makes one message of a kind: an image, a camera_info, or the bytes of an image message."""


def good_image(transport: str = 'raw') -> Image | CompressedImage:
    """Return a small picture."""
    rgb = np.arange(HEIGHT * WIDTH * 3, dtype=np.uint32).astype(np.uint8)
    if transport == 'compressed':
        return CompressedImage(format='png', data=encoded('.png', rgb.reshape(HEIGHT, WIDTH, 3)))
    return Image(
        width=WIDTH, height=HEIGHT, encoding='rgb8', step=3 * WIDTH, data=rgb.tobytes()
    )


def good_info() -> CameraInfo:
    """Return its camera_info."""
    p = [60.0, 0.0, 31.5, 0.0, 0.0, 60.0, 23.5, 0.0, 0.0, 0.0, 1.0, 0.0]
    k = [60.0, 0.0, 31.5, 0.0, 60.0, 23.5, 0.0, 0.0, 1.0]
    return CameraInfo(width=WIDTH, height=HEIGHT, k=k, p=p, distortion_model='plumb_bob')


def encoded(suffix: str, pixels: Any) -> bytes:
    """Return pixels as the bytes of a picture file."""
    return bytes(cv2.imencode(suffix, pixels)[1].tobytes())


# ------------------------------------------------------------------ hostile messages


def pick(rng: np.random.Generator, choices: Any) -> Any:
    """Return one of several."""
    return choices[int(rng.integers(len(choices)))]


def image_with(**fields: Any) -> Image:
    """Return the good picture with other fields."""
    image = good_image()
    for name, value in fields.items():
        setattr(image, name, value)
    return image


def any_encoding(rng: np.random.Generator) -> Image:
    """Return random bytes that fit their description: NaN and infinities among them."""
    name = pick(rng, [*ENCODINGS])
    layout = ENCODINGS[name]
    row = WIDTH * layout.channels * np.dtype(layout.dtype).itemsize
    step = row + 16 * int(rng.integers(3))
    return image_with(
        encoding=name, step=step, is_bigendian=int(rng.integers(256)),
        data=rng.bytes(step * HEIGHT * 3 // 2),
    )


def too_short(rng: np.random.Generator) -> Image:
    """Return an image with less data than it says."""
    image = any_encoding(rng)
    image.data = image.data[:int(rng.integers(image.step * HEIGHT // 2))]
    return image


def any_claim(rng: np.random.Generator) -> Image:
    """Return an image that says that it is huge, in a step that goes with it or not."""
    width, step = pick(rng, HUGE), pick(rng, [3 * WIDTH, 2**32 - 1, 0])
    return image_with(width=width, height=pick(rng, HUGE), step=step)


def odd_size(rng: np.random.Generator) -> Image:
    """Return a Bayer or YUV image whose size does not go with it, or of a few pixels."""
    names = [name for name in ENCODINGS if 'bayer' in name or 'yu' in name or 'nv' in name]
    width, height = int(rng.integers(1, 8)), int(rng.integers(1, 8))
    return image_with(
        encoding=pick(rng, names), width=width, height=height, step=width * 4,
        data=rng.bytes(width * height * 8),
    )


def any_stamp(rng: np.random.Generator) -> Image:
    """Return an image of any time: negative, of 1970, of 2038, with 2^32 - 1 nanoseconds."""
    image = good_image()
    image.header.stamp.sec = int(rng.integers(-2**31, 2**31))
    image.header.stamp.nanosec = int(rng.integers(2**32))
    return image


def steering(rng: np.random.Generator) -> Image:
    """Return an image with names that would steer a terminal."""
    image = image_with(encoding=pick(rng, ['rgb8', *STEERING]))
    image.header.frame_id = pick(rng, STEERING)
    return image


def long_names(rng: np.random.Generator) -> Image:
    """Return an image with names of a megabyte."""
    name = 'x\x1b' * 2**19
    image = image_with(encoding=pick(rng, ['rgb8', name]))
    image.header.frame_id = pick(rng, ['camera', name])
    return image


def damaged(rng: np.random.Generator, message: Any) -> bytes:
    """Return a serialized message cut off, or with bytes changed: lengths among them."""
    data = bytearray(serialize_message(message))
    if rng.random() < 0.3:
        return bytes(data[:int(rng.integers(4, len(data)))])
    for _ in range(int(rng.integers(1, 4))):
        # The first bytes say how to read the others; most of the rest are pixels.
        data[int(rng.integers(4, 80))] = int(rng.integers(256))
    return bytes(data)


def info_with(**fields: Any) -> CameraInfo:
    """Return the good camera_info with other fields."""
    info = good_info()
    for name, value in fields.items():
        setattr(info, name, value)
    return info


def any_numbers(rng: np.random.Generator) -> CameraInfo:
    """Return matrices of what no camera has."""
    bad = [np.nan, np.inf, -np.inf, 0.0, -1.0, 1e300, 1e-300, 5e-324]
    info = good_info()
    for name in ('k', 'p', 'r'):
        for _ in range(int(rng.integers(3))):
            getattr(info, name)[int(rng.integers(9))] = pick(rng, bad)
    return info


def any_distortion(rng: np.random.Generator) -> CameraInfo:
    """Return distortion that does not fit its model, or cannot be undone."""
    numbers = [0.0, 1e10, -1e10, np.nan, np.inf, 1e300, -0.3]
    models = ['plumb_bob', 'equidistant', 'rational_polynomial', '', *STEERING]
    return info_with(
        distortion_model=pick(rng, models),
        d=[pick(rng, numbers) for _ in range(int(rng.integers(21)))], p=[0.0] * 12,
    )


def any_size(rng: np.random.Generator) -> CameraInfo:
    """Return a camera_info of another size, with absurd binning and region of interest."""
    info = info_with(width=pick(rng, [0, WIDTH, *HUGE]), height=pick(rng, [0, HEIGHT, *HUGE]))
    info.binning_x, info.binning_y = pick(rng, [0, 1, *HUGE]), pick(rng, [0, 1, *HUGE])
    info.roi.x_offset, info.roi.width = pick(rng, [0, *HUGE]), pick(rng, [0, WIDTH, *HUGE])
    info.roi.y_offset, info.roi.height = pick(rng, [0, *HUGE]), pick(rng, [0, HEIGHT, *HUGE])
    return info


def much_distortion(rng: np.random.Generator) -> CameraInfo:
    """Return a camera_info of a megabyte: many numbers, or a long name, other ones each time."""
    if rng.random() < 0.5:
        return info_with(d=rng.random(2**17).tolist(), p=[0.0] * 12)
    return info_with(distortion_model=f'{rng.random()}' * 2**16, d=[1.0], p=[0.0] * 12)


def picture(rng: np.random.Generator, suffixes: Any = ('.jpg', '.png', '.webp')) -> bytes:
    """Return the file of a small picture."""
    pixels = np.kron(rng.integers(0, 256, (6, 8, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    return encoded(pick(rng, suffixes), pixels)


def cut_off(rng: np.random.Generator) -> CompressedImage:
    """Return the beginning of a picture file, with other bytes after it or without."""
    data = picture(rng)
    data = data[:int(rng.integers(len(data)))]
    return CompressedImage(format='jpeg', data=data + rng.bytes(pick(rng, [0, 0, 300])))


def flipped(rng: np.random.Generator) -> CompressedImage:
    """Return a picture file with some bytes changed."""
    data = bytearray(picture(rng))
    for _ in range(int(rng.integers(1, 20))):
        data[int(rng.integers(len(data)))] = int(rng.integers(256))
    return CompressedImage(format='png', data=bytes(data))


def claims(rng: np.random.Generator) -> CompressedImage:
    """Return a small file that says that it is 20000x20000 and more."""
    side = pick(rng, [20_000, 65_535])
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    png, jpeg = bytearray(encoded('.png', pixels)), bytearray(encoded('.jpg', pixels))
    png[16:24] = struct.pack('>II', side, side)
    start = jpeg.index(b'\xff\xc0') + 5
    jpeg[start:start + 4] = struct.pack('>HH', side, side)
    bmp = bytearray(encoded('.bmp', pixels))
    bmp[18:26] = struct.pack('<ii', side, side)
    return CompressedImage(format='jpeg', data=bytes(pick(rng, [png, jpeg, bmp])))


def run_length_bomb(rng: np.random.Generator) -> CompressedImage:
    """Return a BMP of 1,080 bytes that is 10000x10000 (8-bit, run length encoded)."""
    head = struct.pack('<2sIHHI', b'BM', 1080, 0, 0, 1078)
    head += struct.pack('<IiiHHIIiiII', 40, 10_000, 10_000, 1, 8, 1, 0, 0, 0, 256, 0)
    return CompressedImage(format='bmp', data=head + bytes(1024) + b'\0\1')


def other_files(rng: np.random.Generator) -> CompressedImage:
    """Return a picture in a format that no camera sends."""
    begun = [b'P6 100000 100000 255\n', b'GIF89a\xff\xff\xff\xff\xf7\0\0', b'#?RADIANCE\n']
    pixels = np.zeros((8, 8, 3), np.uint8)
    whole = [encoded(suffix, pixels) for suffix in ('.bmp', '.ppm', '.tiff')]
    return CompressedImage(format='jpeg', data=pick(rng, [*begun, *whole]))


def other_formats(rng: np.random.Generator) -> CompressedImage:
    """Return a good picture whose format says something else."""
    said = ['', '16UC1; png compressed', '32FC1; compressedDepth', 'bayer_rggb8; jpeg compressed']
    names = [*said, 'h264', *STEERING, 'x' * 2**20]
    return CompressedImage(format=pick(rng, names), data=picture(rng))


KINDS: Final[dict[str, dict[str, Make]]] = {
    'raw': {
        'any encoding, random bytes': any_encoding,
        'data too short': too_short,
        'step too small': lambda rng: image_with(step=int(rng.integers(3 * WIDTH))),
        'sizes up to 2^32': any_claim,
        'no size': lambda rng: image_with(**{pick(rng, ['width', 'height']): 0}),
        'unknown encoding': lambda rng: image_with(encoding=pick(rng, ['', 'RGB8', 'jpeg'])),
        'depth as picture': lambda rng: image_with(encoding=pick(rng, ['32FC1', '16UC1'])),
        'odd sizes of Bayer, YUV': odd_size,
        'any stamp': any_stamp,
        'names that steer': steering,
        'names of a megabyte': long_names,
        'damaged in transport': lambda rng: damaged(rng, good_image()),
        'info: NaN, zero, 1e300': any_numbers,
        'info: any distortion': any_distortion,
        'info: any size': any_size,
        'info: of a megabyte': much_distortion,
    },
    'compressed': {
        'noise': lambda rng: CompressedImage(data=rng.bytes(int(rng.integers(999)))),
        'cut off': cut_off,
        'bytes changed': flipped,
        'claims 20000x20000': claims,
        'run length bomb': run_length_bomb,
        'formats of no camera': other_files,
        'format says otherwise': other_formats,
        'damaged in transport': lambda rng: damaged(rng, good_image('compressed')),
    },
}
"""Hostile messages by image transport, and by what is wrong with them."""
