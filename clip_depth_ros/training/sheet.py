# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The picture sheet of a validation: image, ground truth, prediction and error side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from clip_depth_ros.core.depth_images import colorize
from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.types import Depth, Rgb
import cv2
import numpy as np

_WIDTH_PX: Final = 416
_GAP_PX: Final = 4
_TITLE_PX: Final = 22
_WORST_ERROR: Final = 0.5
_WHITE: Final = (255, 255, 255)


class SheetRow(NamedTuple):
    """One frame of a sheet: uint8 (H, W, 3), float32 (H, W) and (h, w), metres."""

    rgb: Rgb
    gt_m: Depth
    pred_m: Depth


def write_sheet(
    path: Path, rows: Sequence[SheetRow], *, min_depth_m: float, max_depth_m: float
) -> None:
    """
    Write a sheet as PNG, one row for each frame.

    Depth is coloured by its logarithm, near is red, without ground truth is black; the error is
    abs(pred - gt) / gt, from black (none) to yellow (half and more).

    Raises
    ------
    OutputError
        If it cannot be written.

    """
    pictures = [_row(row, min_depth_m, max_depth_m) for row in rows]
    blank = np.zeros((_GAP_PX, pictures[0].shape[1], 3), np.uint8)
    title = _title(min_depth_m, max_depth_m, pictures[0].shape[1])
    stacked = [title, *(part for picture in pictures for part in (picture, blank))]
    _, png = cv2.imencode('.png', np.concatenate(stacked)[..., ::-1])
    atomic_write_bytes(path, png.tobytes())


def _row(row: SheetRow, min_depth_m: float, max_depth_m: float) -> Rgb:
    height, width = row.gt_m.shape
    resized = cv2.resize(row.pred_m, (width, height), interpolation=cv2.INTER_LINEAR)
    pred_m = np.asarray(resized, np.float32)
    gt_m = np.where(np.isfinite(row.gt_m) & (row.gt_m > 0), row.gt_m, np.nan).astype(np.float32)
    error = (np.abs(pred_m - gt_m) / gt_m).astype(np.float32)

    def in_colors(depth_m: Depth) -> Rgb:
        near, far = float(np.log(min_depth_m)), float(np.log(max_depth_m))
        log_depth = np.log(depth_m, dtype=np.float32)
        return colorize(log_depth, near_m=near, far_m=far, color_map='turbo')

    # The map's upper end is near: minus the error, so that a large error is bright.
    wrong = colorize(_WORST_ERROR - error, near_m=0.0, far_m=_WORST_ERROR, color_map='inferno')
    # All at the shape of the ground truth: the image may have been squeezed for the network.
    shown_height = max(1, round(height * _WIDTH_PX / width))
    pictures = (row.rgb, in_colors(gt_m), in_colors(pred_m), wrong)
    return np.concatenate([_shown(picture, shown_height) for picture in pictures], axis=1)


def _shown(picture: Rgb, height: int) -> Rgb:
    """Give a picture at the sheet's width, with the gap to the next."""
    shown = cv2.resize(picture, (_WIDTH_PX, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(
        cv2.copyMakeBorder(shown, 0, 0, 0, _GAP_PX, cv2.BORDER_CONSTANT), np.uint8
    )


def _title(min_depth_m: float, max_depth_m: float, width: int) -> Rgb:
    depth = f'(log, {min_depth_m:g} to {max_depth_m:g} m)'
    names = ('image', f'ground truth {depth}', f'prediction {depth}', 'abs error / gt, 0 to 0.5')
    title = np.zeros((_TITLE_PX, width, 3), np.uint8)
    for i, name in enumerate(names):
        where = (i * (_WIDTH_PX + _GAP_PX) + 4, _TITLE_PX - 7)
        cv2.putText(title, name, where, cv2.FONT_HERSHEY_SIMPLEX, 0.42, _WHITE, 1, cv2.LINE_AA)
    return title
