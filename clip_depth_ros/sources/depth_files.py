# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images and their depth maps from the files of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from clip_depth_ros.errors import ImageError, RecordingError
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Depth, Intrinsics, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray

KITTI_PER_METRE: Final = 256
"""KITTI's annotated depth: uint16, 256 for each metre, 0 for none (its development kit)."""

MM_PER_METRE: Final = 1000

_AS_STORED: Final = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
"""A tag that asks viewers to rotate must not: depth is for the pixels as they are."""


def read_rgb(path: Path) -> Rgb:
    """
    Read an image (PNG, JPEG, PPM ...), uint8 (H, W, 3) RGB.

    Raises
    ------
    ImageError, RecordingError
        If the file does not decode or cannot be read, naming it.

    """
    bgr = _decoded(path, _AS_STORED, 'image')
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def read_depth(path: Path, per_metre: float) -> Depth:
    """
    Read a depth map of either kind, float32 (H, W), metres.

    Parameters
    ----------
    path : Path
        ``.npy`` with float metres, as they are; else a 16-bit PNG, 0 where nothing is known.
    per_metre : float
        What a PNG stores for each metre.

    Raises
    ------
    ImageError, RecordingError
        If the file does not decode, is of another kind or cannot be read, naming it.

    """
    return _read_npy(path) if path.suffix == '.npy' else read_depth_png(path, per_metre)


def read_depth_png(path: Path, per_metre: float) -> Depth:
    """
    Read a 16-bit depth map, float32 (H, W), metres; 0 where nothing is known.

    Parameters
    ----------
    path : Path
        A PNG with one channel of 16 bits.
    per_metre : float
        What is stored for each metre: 256 (KITTI), 1000 (millimetres).

    Raises
    ------
    ImageError, RecordingError
        If the file does not decode, is no 16-bit grey image or cannot be read, naming it.

    """
    stored = _decoded(path, cv2.IMREAD_UNCHANGED, 'depth map')
    if stored.dtype != np.uint16 or stored.ndim != 2:
        raise ImageError(
            f'depth map {str(path)!r} should be 16-bit grey, is {stored.dtype} {stored.shape}: '
            'it is a picture of depth rather than depth, or was saved anew by another program'
        )
    metres: Depth = stored.astype(np.float32) / np.float32(per_metre)
    return metres


def sample_of(
    name: str, rgb: Rgb, target_m: Depth, intrinsics: Intrinsics | None
) -> DepthSample:
    """
    Put an image and its depth together.

    Raises
    ------
    ImageError
        If they differ in size.

    """
    if rgb.shape[:2] != target_m.shape:
        image, depth = (f'{a.shape[1]}x{a.shape[0]}' for a in (rgb, target_m))
        raise ImageError(
            f'{name}: image and depth should have one size, the image has {image}, depth {depth}: '
            'they do not belong together, or one of them was resized'
        )
    known = np.isfinite(target_m) & (target_m > 0)
    return DepthSample(name, rgb, np.where(known, target_m, np.float32(0)), intrinsics)


def _read_npy(path: Path) -> Depth:
    try:
        with path.open('rb') as file:
            stored: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise ImageError(
            f'depth map {str(path)!r} cannot be read as a plain NumPy array ({error}): save it '
            'with np.save'
        ) from error
    if stored.dtype.kind != 'f' or stored.ndim != 2:
        raise ImageError(
            f'depth map {str(path)!r} should be float metres (H, W), is {stored.dtype} '
            f'{stored.shape}: save it with np.save as float32'
        )
    with np.errstate(over='ignore'):  # beyond float32 is beyond range: +Inf
        return stored.astype(np.float32)


def _decoded(path: Path, flags: int, kind: str) -> NDArray[Any]:
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise RecordingError(f'{str(path)!r} cannot be read: {error.strerror}') from error
    try:
        pixels = cv2.imdecode(data, flags) if data.size else None
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ImageError(f'{kind} {str(path)!r} does not decode: copy it again')
    return np.asarray(pixels)
