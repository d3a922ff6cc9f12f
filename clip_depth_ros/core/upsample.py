# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From the patch grid to image size."""

from __future__ import annotations

from clip_depth_ros.core.image_plan import Size
import numpy as np
from numpy.typing import NDArray


def upsample(
    maps: NDArray[np.float32], size: Size, *, align_corners: bool = False
) -> NDArray[np.float32]:
    """
    Give maps (..., grid_h, grid_w) at image size, float32 (..., height, width).

    Parameters
    ----------
    maps : float32 (..., grid_h, grid_w)
        One number for each patch.
    size : Size
        Of the image.
    align_corners : bool
        False: each patch's number stands at the centre of the patch, and beyond the outer centres
        nothing changes any more. True: those of the corner patches stand on the corner pixels, as
        in the released DepthCLIP code; all others are then off by up to half a patch.

    Notes
    -----
    Both are PyTorch's ``interpolate(mode='bilinear', align_corners=...)``. One axis after the
    other, in rows, is several times faster than that on the cpu.

    """
    wide = _stretch(maps, size.width, -1, align_corners)
    return _stretch(wide, size.height, -2, align_corners)


def _stretch(
    maps: NDArray[np.float32], length: int, axis: int, align_corners: bool
) -> NDArray[np.float32]:
    last = maps.shape[axis] - 1
    if align_corners:
        positions = np.linspace(0, last, length) if length > 1 else np.zeros(1)
    else:
        positions = ((np.arange(length) + 0.5) * (last + 1) / length - 0.5).clip(0, last)
    lower = np.minimum(positions.astype(np.intp), max(last - 1, 0))
    weights = (positions - lower).astype(np.float32)
    before = maps.take(lower, axis)
    stretched: NDArray[np.float32] = maps.take(np.minimum(lower + 1, last), axis)
    stretched -= before
    stretched *= weights if axis == -1 else weights[:, np.newaxis]
    stretched += before
    return stretched
