# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Depth images: to and from the two ROS encodings, the marks for what is no number, and in colours.

Convention: metres along z (REP 118); NaN unknown, +Inf beyond range, -Inf too near (REP 117).
16-bit images hold millimetres and know only one mark, 0.
"""

from __future__ import annotations

from functools import lru_cache
import math
from typing import Any, Final, get_args, Literal

from clip_depth_ros.core.compressed_depth import read_compressed_depth
from clip_depth_ros.core.images import is_depth, pixels_of, put_where, rgb_of
from clip_depth_ros.errors import ConfigError, ImageError
from clip_depth_ros.types import Depth, MAX_IMAGE_PIXELS, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray

MAX_16UC1_MM = np.iinfo(np.uint16).max
MM_PER_METRE = 1000.0


def mark_range(depth_m: Depth, *, min_depth_m: float, max_depth_m: float) -> Depth:
    """
    Return depth with what is nearer than the range marked -Inf, what is farther +Inf (REP 117).

    Parameters
    ----------
    depth_m : float32 (H, W)
        Metres; not changed. NaN stays NaN.
    min_depth_m, max_depth_m : float
        Nearest and farthest depth that stay numbers, both included.

    """
    marked = np.array(depth_m, np.float32, order='C')
    put_where(marked, depth_m > np.float32(max_depth_m), np.inf)
    put_where(marked, depth_m < np.float32(min_depth_m), -np.inf)
    return marked


def encode_depth(depth_m: Depth, encoding: str) -> NDArray[Any]:
    """
    Return the samples of a depth image, contiguous and little-endian.

    Parameters
    ----------
    depth_m : float32 (H, W)
        Metres, with REP 117 marks.
    encoding : str
        ``32FC1``: metres as they are. ``16UC1``: millimetres, rounded; 0 for every mark, for what
        is not positive and for what 16 bits cannot hold (above 65.535 m).

    Raises
    ------
    ImageError
        If the encoding is neither.

    """
    if encoding == '32FC1':
        return np.ascontiguousarray(depth_m, '<f4')
    if encoding != '16UC1':
        raise ImageError(f"depth encoding must be '32FC1' or '16UC1', got {encoding!r}")
    millimetres = np.multiply(depth_m, np.float32(1000), order='C')
    np.rint(millimetres, out=millimetres)
    # Comparisons with NaN are false, so NaN falls out with the infinities.
    fits = millimetres > 0
    fits &= millimetres <= MAX_16UC1_MM
    put_where(millimetres, np.logical_not(fits, out=fits), 0)
    return np.asarray(millimetres, '<u2')


def decode_depth(
    message: Any, max_pixels: int = MAX_IMAGE_PIXELS, per_metre: float = MM_PER_METRE
) -> Depth:
    """
    Return metres, float32 (H, W), of an Image or CompressedImage; 16-bit zeros become NaN.

    Compressed depth is a PNG of millimetres (``16UC1; png compressed``), or what image_transport's
    compressedDepth makes of either encoding, see :func:`read_compressed_depth`.

    ``per_metre`` is what 16 bits store for each metre; ROS has millimetres (REP 118). They may be
    called ``mono16``, as realsense-viewer calls them: whether grey is meant is for callers to say.

    Raises
    ------
    ImageError
        If the encoding is no depth's, the message does not fit its description, or it has more
        pixels than ``max_pixels``.

    """
    if not hasattr(message, 'encoding'):
        stored = read_compressed_depth(message, max_pixels)
        return _metres(stored, per_metre) if stored.dtype == np.uint16 else stored
    if message.encoding == '32FC1':
        return pixels_of(message, np.float32, 1, max_pixels).astype(np.float32)
    if message.encoding in ('16UC1', 'mono16'):
        return _metres(pixels_of(message, np.uint16, 1, max_pixels), per_metre)
    raise ImageError(f"depth encoding must be '32FC1' or '16UC1', got {message.encoding!r}")


def _metres(stored: NDArray[Any], per_metre: float) -> Depth:
    metres: Depth = stored.astype(np.float32) / np.float32(per_metre)
    metres[metres == 0] = np.nan
    return metres


_FEWEST_AT_END: Final = 50
_SHARE_AT_END: Final = 0.01
_SHARE_BEFORE: Final = 0.1
_VALUES_BEFORE: Final = 16
_TIMES_AS_MANY: Final = 10


def range_end_m(depth_m: Depth) -> float:
    """
    Return the depth at which a sensor's range ends, where an image shows that, else infinity.

    Depth cameras and renderers put the end of their range into all pixels that see farther. Walls
    that face the camera are flat too, so that the largest depth counts as the end only if, of the
    pixels that are known (our choice),

    - at least 1 %, and 50, have exactly that depth,
    - at least a tenth are nearer, at 16 depths and more, and
    - none of those depths has a tenth as many pixels: the rest is not flat, or coarsely rounded.

    A rendered wall that is farther than all else and exactly parallel to the image cannot be told
    apart from it.
    """
    known = depth_m[np.isfinite(depth_m) & (depth_m > 0)]
    if not known.size:
        return math.inf
    end_m = known.max()
    nearer = known[known < end_m]
    n_end = known.size - nearer.size
    if n_end < max(_FEWEST_AT_END, _SHARE_AT_END * known.size):
        return math.inf
    _, counts = np.unique(nearer, return_counts=True)
    if nearer.size < _SHARE_BEFORE * known.size or counts.size < _VALUES_BEFORE:
        return math.inf
    return float(end_m) if counts.max() * _TIMES_AS_MANY <= n_end else math.inf


ColorMap = Literal['turbo', 'viridis', 'magma', 'inferno', 'jet', 'gray']
ColorScale = Literal['auto', 'log', 'linear']

_LOG_FROM_RATIO: Final = 10.0
"""Wider ranges have a log scale: a linear one shows the first 10 of 80 m in one red."""

_UNKNOWN_RGB: Final = (185, 192, 199)
_UNKNOWN_IN_GRAY_RGB: Final = (112, 66, 150)
"""In none of the maps. Black, which is usual, is the far end of three of them."""

_PICTURE_RANGE_M: Final = (0.5, 80.0)


def picture_of(message: Any, max_pixels: int = MAX_IMAGE_PIXELS) -> Rgb:
    """
    Return the picture of an image message as :func:`rgb_of` does, of depth in colours.

    The colours reach over a fixed range, 0.5 to 80 m. ImageError if the message does not decode.
    """
    if not is_depth(message):
        return rgb_of(message, max_pixels)
    near_m, far_m = _PICTURE_RANGE_M
    return colorize(decode_depth(message, max_pixels), near_m=near_m, far_m=far_m)


def is_log(near_m: float, far_m: float, scale: ColorScale = 'auto') -> bool:
    """
    Return whether colours go evenly with the logarithm of depth, rather than with depth.

    ``auto`` is that where the range is wider than 10 : 1 (and begins above 0). ConfigError if
    ``near_m < far_m`` does not hold, or a log scale should begin at 0.
    """
    if not near_m < far_m:
        raise ConfigError(
            f'the colour range must satisfy near_m < far_m, got near_m={near_m}, far_m={far_m}'
        )
    if scale == 'log' and near_m <= 0:
        raise ConfigError(f'a log colour scale must begin above 0 m, got near_m={near_m}')
    is_wide = 0 < near_m * _LOG_FROM_RATIO < far_m
    return scale == 'log' or (scale == 'auto' and is_wide)


def unknown_rgb(color_map: ColorMap) -> tuple[int, int, int]:
    """Return the colour of unknown depth."""
    return _UNKNOWN_IN_GRAY_RGB if color_map == 'gray' else _UNKNOWN_RGB


def colorize(
    depth_m: Depth,
    *,
    near_m: float,
    far_m: float,
    color_map: ColorMap = 'turbo',
    scale: ColorScale = 'auto',
) -> Rgb:
    """
    Return depth in colours, uint8 (H, W, 3) RGB.

    Parameters
    ----------
    depth_m : float32 (H, W)
        Metres along z.
    near_m, far_m : float
        The ends of the colour map; depth beyond them gets the end's colour. A fixed range, so
        that a colour means the same depth in every frame (one fitted to each frame flickers).
    color_map : str
        Name of the colour map.
    scale : str
        As in :func:`is_log`.

    Raises
    ------
    ConfigError
        As :func:`is_log`, and if the colour map is not known.

    Notes
    -----
    Convention (our choice): the upper end of the map is near, so near is red in turbo and jet,
    bright in the others. -Inf (too near) has the nearest colour, +Inf (beyond range) the
    farthest. NaN (unknown) is grey, in the map ``gray`` violet.

    """
    table = _table(color_map)
    with_log = is_log(near_m, far_m, scale)
    levels = _levels(depth_m, np.float32(near_m), np.float32(far_m), with_log)
    rgb = cv2.applyColorMap(levels, table)
    if depth_m.size and np.isnan(depth_m.min()):
        rgb[np.isnan(depth_m)] = unknown_rgb(color_map)
    return np.asarray(rgb, np.uint8)


def _levels(
    depth_m: Depth, near: np.float32, far: np.float32, with_log: bool
) -> NDArray[np.uint8]:
    """
    Return rows of a colour map, 0 far to 255 near, uint8 (H, W); any for NaN.

    As :func:`_levels_by_numpy` does, in half the time: OpenCV's logarithm is some units in the
    last place off, so that only what lies so near to the limit of two levels is left to numpy.
    """
    lower, upper = (float(np.log(end) if with_log else end) for end in (near, far))
    gain = 255 / (upper - lower)
    margin = 16 * float(np.finfo(np.float32).eps) * (255 + gain * max(-lower, upper, 1))
    if margin > 0.1 or depth_m.size == 0:
        return _levels_by_numpy(depth_m, near, far, with_log)
    value = np.clip(depth_m, near, far, order='C')
    if with_log:
        cv2.log(value, value)
    levels, others = (
        cv2.convertScaleAbs(value, alpha=-gain, beta=gain * upper + side)
        for side in (-margin, margin)
    )
    unsure = np.flatnonzero(levels != others)
    levels.reshape(-1)[unsure] = _levels_by_numpy(depth_m.reshape(-1)[unsure], near, far, with_log)
    return np.asarray(levels, np.uint8)


def _levels_by_numpy(
    depth_m: Depth, near: np.float32, far: np.float32, with_log: bool
) -> NDArray[np.uint8]:
    # fmax answers near for NaN, so that the cast below is defined for every input.
    level = np.fmax(depth_m, near)
    np.fmin(level, far, out=level)
    if with_log:
        np.log(level, out=level)
        near, far = np.log(near), np.log(far)
    np.subtract(far, level, out=level)
    level *= np.float32(255) / (far - near)
    return np.rint(level, out=level).astype(np.uint8)


@lru_cache
def _table(color_map: ColorMap) -> Rgb:
    """Return the 256 colours of a map, far first, uint8 (256, 1, 3) RGB."""
    if color_map not in get_args(ColorMap):
        raise ConfigError(f'color_map must be one of {[*get_args(ColorMap)]}, got {color_map!r}')
    levels = np.arange(256, dtype=np.uint8)
    if color_map == 'gray':
        return np.repeat(levels[:, np.newaxis, np.newaxis], 3, axis=2)
    bgr = cv2.applyColorMap(levels, getattr(cv2, f'COLORMAP_{color_map.upper()}'))
    return np.ascontiguousarray(bgr.reshape(256, 1, 3)[..., ::-1])


_LEGEND_PX: Final = 44
_LEGEND_UP_TO_PX: Final = 1280
"""Height of a legend, and how wide it may be for that; wider ones grow, to be read when shrunk."""

_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_INK: Final = (60, 60, 60)


def legend(
    width: int,
    *,
    near_m: float,
    far_m: float,
    color_map: ColorMap = 'turbo',
    scale: ColorScale = 'auto',
) -> Rgb:
    """
    Return a strip that says which colour means how many metres, uint8 (h, ``width``, 3) RGB.

    The other parameters, and errors, are those of :func:`colorize`. What does not fit is left out.
    """
    zoom = max(1.0, width / _LEGEND_UP_TO_PX)
    margin, top, bottom, gap = (round(px * zoom) for px in (14, 8, 22, 8))
    strip = np.full((round(_LEGEND_PX * zoom), width, 3), 255, np.uint8)
    right = width - margin
    unknown_px = _text_px('unknown', zoom)
    if width > 5 * unknown_px:
        start = right - unknown_px
        strip[top:bottom, start:right] = unknown_rgb(color_map)
        _write(strip, 'unknown', start, zoom)
        right = start - 2 * gap
    is_scaled = is_log(near_m, far_m, scale)
    ends = (near_m, far_m, max(1, right - margin))
    along = (np.geomspace(*ends) if is_scaled else np.linspace(*ends)).astype(np.float32)
    strip[top:bottom, margin:right] = colorize(
        along[np.newaxis], near_m=near_m, far_m=far_m, color_map=color_map, scale=scale
    )
    taken: list[tuple[int, int]] = []
    for depth_m in _ticks(near_m, far_m, is_scaled):
        text = f'{depth_m:.3g} m' if depth_m == far_m else f'{depth_m:.3g}'
        text_px = _text_px(text, zoom)
        x = margin + min(int(np.searchsorted(along, np.float32(depth_m))), along.size - 1)
        begin = max(0, min(x - text_px // 2, right + gap - text_px))
        if all(begin + text_px + gap <= at or end + gap <= begin for at, end in taken):
            taken.append((begin, begin + text_px))
            cv2.line(strip, (x, bottom), (x, bottom + round(3 * zoom)), _INK, round(zoom))
            _write(strip, text, begin, zoom)
    return strip


_LEAST_PX: Final = 320
_MOST_PX: Final = 1280
"""Sides of the two panels of :func:`side_by_side`: a picture is for looking at."""

_GAP_PX: Final = 8


def side_by_side(
    rgb: Rgb,
    depth_m: Depth,
    *,
    near_m: float,
    far_m: float,
    color_map: ColorMap = 'turbo',
    scale: ColorScale = 'auto',
) -> Rgb:
    """
    Return an image beside its depth in colours, above a legend, uint8 (h, w, 3) RGB.

    ``rgb`` is uint8 (H, W, 3), depth of any size. Both are shown with a width from 320 and sides
    up to 1280 pixels, in the shape of the image; sides of the result are even, as videos want
    them. The other parameters, and errors, are those of :func:`colorize`.
    """
    colors: Any = {'near_m': near_m, 'far_m': far_m, 'color_map': color_map, 'scale': scale}
    height, width = rgb.shape[:2]
    zoom = min(_MOST_PX / width, _MOST_PX / height, max(1.0, _LEAST_PX / width))
    size = (max(2, round(width * zoom / 2) * 2), max(2, round(height * zoom / 2) * 2))
    image = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    # Depth is resized and not its colours, which would mix to those of other depths.
    depth = np.asarray(cv2.resize(depth_m, size, interpolation=cv2.INTER_NEAREST), np.float32)
    gap = np.full((size[1], _GAP_PX, 3), 255, np.uint8)
    panels = np.concatenate([image, gap, colorize(depth, **colors)], axis=1)
    strip = legend(panels.shape[1], **colors)
    return np.asarray(np.concatenate([panels, strip[:len(strip) // 2 * 2]]), np.uint8)


def _ticks(near_m: float, far_m: float, is_scaled: bool) -> list[float]:
    """Return the depths to label, most important first: the ends, then round ones between."""
    least = near_m if is_scaled else (far_m - near_m) / 8
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(far_m)) + 1)
    round_m = [step * 10.0 ** power for power in powers for step in (1, 2, 5)]
    if not is_scaled:
        every = next(step for step in round_m if step >= least)
        round_m = [every * i for i in range(math.floor(far_m / every) + 1)]
    return [far_m, near_m, *(depth_m for depth_m in round_m if near_m < depth_m < far_m)]


def _text_px(text: str, zoom: float) -> int:
    (width, _), _ = cv2.getTextSize(text, _FONT, 0.42 * zoom, 1)
    return width


def _write(strip: Rgb, text: str, x: int, zoom: float) -> None:
    where = (x, round(38 * zoom))
    cv2.putText(strip, text, where, _FONT, 0.42 * zoom, _INK, round(zoom), cv2.LINE_AA)
