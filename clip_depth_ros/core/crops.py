# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The windows of an image that depth evaluations count, to the pixel.

Garg's and Eigen's are shares of height and width, cut off to whole pixels (not rounded), as the
codes that published with them have it: Garg, Vijay Kumar, Carneiro and Reid (ECCV 2016); Eigen,
Puhrsch and Fergus (NIPS 2014). So the same name means other pixels of a frame that was cropped
before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from clip_depth_ros.core.image_plan import Size, Window
from clip_depth_ros.errors import DataError

KB_SIZE: Final = Size(height=352, width=1216)
"""Of KITTI's benchmark crop, the part of the frames that all its recording days share."""

NYU_SIZE: Final = Size(height=480, width=640)

_SIDES: Final = (0.03594771, 0.96405229)


def whole_window(size: Size) -> Window:
    """Return the window of a whole image."""
    return Window(0, 0, size.width, size.height)


def garg_window(size: Size) -> Window:
    """Return Garg's crop of a KITTI frame: the road and what stands on it."""
    return _share_of(size, rows=(0.40810811, 0.99189189), columns=_SIDES)


def eigen_window(size: Size) -> Window:
    """Return Eigen's crop of a KITTI frame: from higher than Garg's to above the hood."""
    return _share_of(size, rows=(0.3324324, 0.91351351), columns=(0.0359477, _SIDES[1]))


def kb_window(size: Size) -> Window:
    """
    Return KITTI's benchmark crop: 352 x 1216 at the bottom, centred.

    Raises
    ------
    DataError
        If the image is smaller.

    """
    if size.height < KB_SIZE.height or size.width < KB_SIZE.width:
        raise DataError(
            f"KITTI's benchmark crop needs an image of at least {_text(KB_SIZE)} pixels, got "
            f'{_text(size)}: use a protocol without the kb crop'
        )
    return at_bottom_centre(size, KB_SIZE)


def at_bottom_centre(size: Size, part: Size) -> Window:
    """Return the window of a part at the bottom, centred; it sticks out of a smaller image."""
    left = (size.width - part.width) // 2
    return Window(left, size.height - part.height, part.width, part.height)


def nyu_eigen_window(size: Size) -> Window:
    """
    Return Eigen's crop of an NYU frame: rows 45 to 470, columns 41 to 600.

    Raises
    ------
    DataError
        If the image is not 640x480.

    """
    return _of_nyu(size, first_column=41)


def nyu_depthclip_window(size: Size) -> Window:
    """
    Return the window of the released DepthCLIP code: as Eigen's, from column 46 on.

    Raises
    ------
    DataError
        If the image is not 640x480.

    """
    return _of_nyu(size, first_column=46)


WINDOWS: Final[Mapping[str, Callable[[Size], Window]]] = MappingProxyType({
    'none': whole_window,
    'garg': garg_window,
    'eigen': eigen_window,
    'kb': kb_window,
    'nyu-eigen': nyu_eigen_window,
    'nyu-depthclip': nyu_depthclip_window,
})
"""By the names that protocols call them."""


def _share_of(size: Size, *, rows: tuple[float, float], columns: tuple[float, float]) -> Window:
    top, bottom = (int(share * size.height) for share in rows)
    left, right = (int(share * size.width) for share in columns)
    return Window(left, top, right - left, bottom - top)


def _of_nyu(size: Size, *, first_column: int) -> Window:
    if size != NYU_SIZE:
        raise DataError(
            f'NYU crops are pixels of {_text(NYU_SIZE)} ground truth, got {_text(size)}: evaluate '
            'at the original size, or with eval_crop none'
        )
    return Window(first_column, 45, 601 - first_column, 471 - 45)


def _text(size: Size) -> str:
    return f'{size.width}x{size.height}'
