# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The panels of frames: image beside truth, each answer beside its error.

Small ones for the top of the page, larger ones below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from clip_depth_ros.core.depth_images import colorize
from clip_depth_ros.core.metrics import relative_error
from clip_depth_ros.core.projection import on_truth
from clip_depth_ros.evaluation.report.drawing import Canvas, Picture, svg_picture
from clip_depth_ros.evaluation.report.frames import ReportFrame
from clip_depth_ros.types import Depth, Rgb
import cv2
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import NullFormatter, PercentFormatter
import numpy as np

_DEPTH_COLORS: Final = 'turbo_r'
"""Near is red, far is blue."""

_ERROR_COLORS: Final = 'RdBu'
"""Too near is red, too far is blue."""

_ERROR_SPAN: Final = 0.5
"""The error colours end at this share of the true depth."""

_NO_VALUE: Final = '#b9c0c7'
_TICKS_M: Final = (0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 40, 80)

_WIDE: Final = 1.9
"""Images with a greater ratio of width to height are shown two in a row."""

_WIDTH_PX: Final = 720
_SMALL_PX: Final = 400


class PictureColors:
    """
    Turns depth and errors into colours, and draws which colour means what.

    Depth nearer than ``near_m`` or beyond ``far_m``, metres, has the colour of that end.
    """

    def __init__(self, near_m: float, far_m: float) -> None:
        self.near_m, self.far_m = near_m, far_m
        # Evenly in log depth: on a street, half of what is seen lies within the first 20 m.
        self._depth = ScalarMappable(LogNorm(near_m, far_m), _with_grey(_DEPTH_COLORS))
        self._error = ScalarMappable(
            Normalize(-_ERROR_SPAN, _ERROR_SPAN), _with_grey(_ERROR_COLORS)
        )

    def of_depth(self, depth_m: Depth) -> Rgb:
        """Return depth in colours, uint8 (H, W, 3); NaN is grey."""
        return colorize(depth_m, near_m=self.near_m, far_m=self.far_m, scale='log')

    def of_error(self, error: Depth) -> Rgb:
        """Return the signed relative error in colours, uint8 (H, W, 3); NaN is grey."""
        return _colored(self._error, error)

    def draw_depth_bar(self, figure: Figure | SubFigure, axes: Axes, label: str) -> None:
        """Draw the colours of depth with their metres."""
        bar = figure.colorbar(self._depth, cax=axes, orientation='horizontal')
        ticks = [m for m in _TICKS_M if self.near_m <= m <= self.far_m]
        bar.set_ticks(ticks, labels=[f'{tick:g}' for tick in ticks])
        axes.xaxis.set_minor_formatter(NullFormatter())
        bar.set_label(label, fontsize=9)

    def draw_error_bar(self, figure: Figure | SubFigure, axes: Axes, label: str) -> None:
        """Draw the colours of errors with their percentages."""
        bar = figure.colorbar(
            self._error, cax=axes, orientation='horizontal', extend='both',
            format=PercentFormatter(1.0),
        )
        bar.set_label(label, fontsize=9)


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """The panels of a frame: image and truth, then depth and error of each predictor."""

    caption: str
    pictures: Sequence[Picture]
    is_wide: bool


def shown_frame(frame: ReportFrame, colors: PictureColors) -> ShownFrame:
    """Return the panels of a frame."""
    return _shown(frame, colors, _WIDTH_PX)


def small_panels(frame: ReportFrame, predictor: str, colors: PictureColors) -> ShownFrame:
    """Return small panels of a frame: image, truth, and one predictor's depth and error."""
    preds = {name: pred for name, pred in frame.preds.items() if name == predictor}
    return _shown(replace(frame, preds=preds), colors, _SMALL_PX)


def color_bars(colors: PictureColors) -> Picture:
    """Draw which colour stands for which depth, and for which error."""
    def draw(figure: Canvas) -> None:
        depth, error = figure.subplots(1, 2)
        colors.draw_depth_bar(figure, depth, 'depth in metres, log scale; grey: not known')
        colors.draw_error_bar(
            figure, error, 'error, (pred - gt) / gt; red: too near, blue: too far'
        )

    caption = (
        'Colours of depth and of errors. Where the ground truth is sparse it is drawn as dots '
        'over the image in grey.'
    )
    return svg_picture('Colours', caption, draw, height_in=0.75, width_in=9.0)


def mean_abs(error: Depth) -> float:
    """Return the mean of the absolute errors that are known; NaN without any."""
    known = error[np.isfinite(error)]
    return float(np.abs(known).mean()) if known.size else float('nan')


def image_at(rgb: Rgb, shape: tuple[int, ...]) -> Rgb:
    """Return an image resized to (H, W)."""
    if rgb.shape[:2] == shape[:2]:
        return rgb
    return np.asarray(cv2.resize(rgb, (shape[1], shape[0]), interpolation=cv2.INTER_AREA))


def _shown(frame: ReportFrame, colors: PictureColors, width_px: int) -> ShownFrame:
    pictures = [
        Picture(title, f'{frame.caption}: {title}', _png(pixels, width_px))
        for title, pixels in panels(frame, colors, width_px)
    ]
    return ShownFrame(frame.caption, pictures, is_wide(frame))


def is_wide(frame: ReportFrame) -> bool:
    """Return whether the panels of a frame are shown two in a row."""
    height, width = frame.gt_m.shape
    return bool(width > _WIDE * height)


def panels(
    frame: ReportFrame, colors: PictureColors, width_px: int
) -> Iterator[tuple[str, Rgb]]:
    """
    Yield titles and pixels, uint8 (H, W, 3), in the order of the page.

    The pixels are as many as those of the truth, and made to be shown ``width_px`` wide.
    """
    rgb = image_at(frame.rgb, frame.gt_m.shape)
    yield 'image', rgb
    in_colors = colors.of_depth(frame.gt_m)
    yield 'ground truth', on_truth(rgb, in_colors, frame.gt_m, width_px)
    for name, pred_m in frame.preds.items():
        error = relative_error(pred_m, frame.gt_m)
        yield f'{name}: prediction', colors.of_depth(pred_m)
        title = f'{name}: error, abs_rel {mean_abs(error):.3f}'
        yield title, on_truth(rgb, colors.of_error(error), frame.gt_m, width_px)


def shrunk(rgb: Rgb, width_px: int) -> Rgb:
    """Return pixels not wider than a page shows them."""
    height, width = rgb.shape[:2]
    scale = min(1.0, width_px / width)
    size = (round(width * scale), max(1, round(height * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))


def _png(rgb: Rgb, width_px: int) -> bytes:
    _, png = cv2.imencode('.png', shrunk(rgb, width_px)[..., ::-1])
    return png.tobytes()


def _with_grey(name: str) -> Colormap:
    """Return a colour map that shows unknown values in grey."""
    return colormaps[name].with_extremes(bad=_NO_VALUE)


def _colored(colors: ScalarMappable, values: Depth) -> Rgb:
    rgba = colors.to_rgba(np.ma.masked_invalid(values), bytes=True)
    return np.ascontiguousarray(rgba[..., :3])
