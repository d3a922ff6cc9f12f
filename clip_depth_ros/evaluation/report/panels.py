# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of one frame: image beside truth, each answer beside its error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from clip_depth_ros.evaluation.report.colors import PictureColors
from clip_depth_ros.evaluation.report.report_frames import ReportFrame
from clip_depth_ros.types import Depth, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray

_SPARSE: Final = 0.3
"""Truth that covers less of the image is drawn as dots."""

_GREY: Final = (0.3, 100)
"""Factor and offset of the grey below dots: neither white nor dark ones may drown in it."""

_WIDTH_PX: Final = 720
_DOT_PX: Final = 1.5


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture with its words: uint8 (H, W, 3)."""

    caption: str
    rgb: Rgb

    def png(self) -> bytes:
        """Give it as PNG, not wider than a page shows it."""
        height, width = self.rgb.shape[:2]
        scale = min(1.0, _WIDTH_PX / width)
        size = (round(width * scale), max(1, round(height * scale)))
        shown = cv2.resize(self.rgb, size, interpolation=cv2.INTER_AREA)
        _, png = cv2.imencode('.png', shown[..., ::-1])
        return png.tobytes()


def frame_panels(frame: ReportFrame, colors: PictureColors) -> list[Panel]:
    """Give image, truth, and for each predictor its depth and its error, in this order."""
    rgb = image_at(frame.rgb, frame.gt_m.shape)
    is_sparse = bool(np.isfinite(frame.gt_m).mean() < _SPARSE)

    def on_truth(in_colors: Rgb) -> Rgb:
        return dotted(rgb, in_colors, frame.gt_m) if is_sparse else in_colors

    panels = [
        Panel('image', rgb),
        Panel('ground truth', on_truth(colors.of_depth(frame.gt_m))),
    ]
    for name, pred_m in frame.preds.items():
        error = relative_error(pred_m, frame.gt_m)
        panels.append(Panel(f'{name}: prediction', colors.of_depth(pred_m)))
        words = f'{name}: error, abs_rel {mean_abs(error):.3f}'
        panels.append(Panel(words, on_truth(colors.of_error(error))))
    return panels


def relative_error(pred_m: Depth, gt_m: Depth) -> Depth:
    """Give (pred - gt) / gt, float32 (H, W); NaN where either is not finite."""
    known = np.isfinite(pred_m) & np.isfinite(gt_m)
    error = np.full(gt_m.shape, np.nan, np.float32)
    error[known] = (pred_m[known] - gt_m[known]) / gt_m[known]
    return error


def mean_abs(error: Depth) -> float:
    """Give the mean of the absolute errors that are known; NaN without any."""
    known = error[np.isfinite(error)]
    return float(np.abs(known).mean()) if known.size else float('nan')


def image_at(rgb: Rgb, shape: tuple[int, ...]) -> Rgb:
    """Give an image at the size of (H, W)."""
    if rgb.shape[:2] == shape[:2]:
        return rgb
    return np.asarray(cv2.resize(rgb, (shape[1], shape[0]), interpolation=cv2.INTER_AREA))


def dotted(rgb: Rgb, in_colors: Rgb, gt_m: Depth) -> Rgb:
    """
    Give the image in grey with a dot of colour wherever there is truth; near ones on top.

    Parameters
    ----------
    rgb, in_colors : uint8 (H, W, 3)
        The image; the colours, of which those at a true depth are used.
    gt_m : float32 (H, W)
        NaN where there is none.

    """
    rows, columns = _far_first(gt_m)
    dots = _offsets(gt_m.shape[1])
    y = (rows[:, np.newaxis] + dots[:, 0]).ravel()
    x = (columns[:, np.newaxis] + dots[:, 1]).ravel()
    seen = np.repeat(in_colors[rows, columns], len(dots), axis=0)
    inside = (y >= 0) & (y < gt_m.shape[0]) & (x >= 0) & (x < gt_m.shape[1])
    shown = _in_grey(rgb)
    # Of several colours for one pixel NumPy keeps the last: the nearest.
    shown[y[inside], x[inside]] = seen[inside]
    return shown


def _far_first(gt_m: Depth) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give rows and columns of the known pixels, the farthest first."""
    rows, columns = np.nonzero(np.isfinite(gt_m))
    order = np.argsort(-gt_m[rows, columns], kind='stable')
    return rows[order], columns[order]


def _offsets(width: int) -> NDArray[np.intp]:
    """Give the pixels of a dot about its centre, int (n, 2) rows and columns."""
    radius = _DOT_PX * max(1.0, width / _WIDTH_PX)
    reach = int(radius)
    offsets = np.mgrid[-reach:reach + 1, -reach:reach + 1].reshape(2, -1).T.astype(np.intp)
    within: NDArray[np.intp] = offsets[np.hypot(*offsets.T) <= radius]
    return within


def _in_grey(rgb: Rgb) -> Rgb:
    factor, offset = _GREY
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., np.newaxis] * factor + offset
    return np.repeat(grey.astype(np.uint8), 3, axis=2)
