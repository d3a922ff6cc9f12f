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
from functools import partial
from types import MappingProxyType
from typing import Final

from clip_depth_ros.core.image_plan import Size, Window
from clip_depth_ros.errors import DataError

KB_SIZE: Final = Size(height=352, width=1216)
"""Of KITTI's benchmark crop, the part of the frames that all its recording days share."""

NYU_SIZE: Final = Size(height=480, width=640)


def at_bottom_centre(size: Size, part: Size) -> Window:
    """Return the window of a part at the bottom, centred; it sticks out of a smaller image."""
    left = (size.width - part.width) // 2
    return Window(left, size.height - part.height, part.width, part.height)


def _share_of(size: Size, *, rows: tuple[float, float], columns: tuple[float, float]) -> Window:
    top, bottom = (int(share * size.height) for share in rows)
    left, right = (int(share * size.width) for share in columns)
    return Window(left, top, right - left, bottom - top)


def _of_kb(size: Size) -> Window:
    if size.height < KB_SIZE.height or size.width < KB_SIZE.width:
        raise DataError(
            f"KITTI's benchmark crop needs an image of at least {KB_SIZE.text} pixels, got "
            f'{size.text}: use a protocol without the kb crop'
        )
    return at_bottom_centre(size, KB_SIZE)


def _of_nyu(size: Size, *, first_column: int) -> Window:
    if size != NYU_SIZE:
        raise DataError(
            f'NYU crops are pixels of {NYU_SIZE.text} ground truth, got {size.text}: evaluate '
            'at the original size, or with eval_crop none'
        )
    return Window(first_column, 45, 601 - first_column, 471 - 45)


WINDOWS: Final[Mapping[str, Callable[[Size], Window]]] = MappingProxyType({
    'none': lambda size: Window(0, 0, size.width, size.height),
    # The road and what stands on it.
    'garg': partial(_share_of, rows=(0.40810811, 0.99189189), columns=(0.03594771, 0.96405229)),
    # From higher than Garg's to above the hood.
    'eigen': partial(_share_of, rows=(0.3324324, 0.91351351), columns=(0.0359477, 0.96405229)),
    # 352 x 1216 at the bottom, centred.
    'kb': _of_kb,
    # Rows 45 to 470, columns 41 to 600.
    'nyu-eigen': partial(_of_nyu, first_column=41),
    # That of the released DepthCLIP code: as Eigen's, from column 46 on.
    'nyu-depthclip': partial(_of_nyu, first_column=46),
})
"""By the names that protocols call them; DataError where an image is too small or no NYU frame."""
