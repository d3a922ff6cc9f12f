# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of a demo run: depth beside the truth with its error, and the cloud."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final

from clip_depth_ros.demo.errors import error_within
from clip_depth_ros.demo.frames import DemoFrame
from clip_depth_ros.evaluation.report.clouds import draw_cloud, Extent
from clip_depth_ros.evaluation.report.panels import mean_abs, PictureColors
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
import numpy as np

_PANE_IN: Final = 4.8
_TITLE_IN: Final = 0.28
_BARS_IN: Final = 0.75
_CLOUD_IN: Final = 4.4
_DPI: Final = 110


class Pictures:
    """
    Draws frames over one range of depth.

    Parameters
    ----------
    near_m, far_m : float
        Ends of the colours and of the true depth that counts, metres.

    """

    def __init__(self, near_m: float, far_m: float) -> None:
        self._near_m, self._far_m = near_m, far_m
        self._colors = PictureColors(near_m, far_m)

    def comparison_png(self, frames: Sequence[DemoFrame]) -> bytes:
        """Give a PNG of frames one below the other, each with its depths, truth and errors."""
        frames_in = _height_in(frames)
        figure, (above, below) = _stacked(_width_in(frames[0]), (frames_in, _BARS_IN))
        self._draw_frames(above, frames)
        self._draw_bars(below, frames[0])
        return _png(figure)

    def preview_png(self, frame: DemoFrame, title: str) -> bytes:
        """Give a PNG of one frame and its cloud from above and from the side."""
        heights_in = (_height_in([frame]), _BARS_IN, _CLOUD_IN)
        figure, (above, bars, below) = _stacked(_width_in(frame), heights_in)
        self._draw_frames(above, [frame])
        self._draw_bars(bars, frame)
        self._draw_cloud(below, frame)
        below.supxlabel(title, fontsize=10, x=0.01, ha='left')
        return _png(figure)

    def cloud_png(self, frame: DemoFrame) -> bytes:
        """Give a PNG of the cloud from above and from the side."""
        figure, (only,) = _stacked(3 * _PANE_IN, (_CLOUD_IN,))
        self._draw_cloud(only, frame)
        return _png(figure)

    def _draw_frames(self, figure: SubFigure, frames: Sequence[DemoFrame]) -> None:
        n_rows, n_columns = _n_rows(frames[0]), _n_columns(frames[0])
        panes: Any = figure.subplots(len(frames) * n_rows, n_columns, squeeze=False)
        for axes in panes.flat:
            axes.set_axis_off()
        for i, frame in enumerate(frames):
            self._draw_frame(panes[i * n_rows:(i + 1) * n_rows], frame)

    def _draw_frame(self, panes: Any, frame: DemoFrame) -> None:
        _show(panes[0, 0], 'camera image', frame.rgb)
        for column, (title, depth_m) in enumerate(frame.depths_m.items(), start=1):
            _show(panes[0, column], f'{title}: published depth', self._colors.of_depth(depth_m))
        truth = frame.true_depth_m
        if truth is None:
            return
        known = np.where(np.isfinite(truth), truth, np.nan)
        _show(panes[1, 0], 'true depth', self._colors.of_depth(known))
        for column, (title, depth_m) in enumerate(frame.depths_m.items(), start=1):
            error = error_within(depth_m, truth, self._near_m, self._far_m)
            words = f'{title}: error, abs_rel {mean_abs(error):.3f}'
            _show(panes[1, column], words, self._colors.of_error(error))

    def _draw_bars(self, figure: SubFigure, frame: DemoFrame) -> None:
        places: Any = figure.subplots(1, _n_rows(frame), squeeze=False)[0]
        self._colors.draw_depth_bar(
            figure, places[0], 'depth in metres (log scale; grey: no true depth, such as sky)'
        )
        if len(places) > 1:
            self._colors.draw_error_bar(
                figure, places[1],
                'error, (published - true) / true (red: too near; blue: too far)',
            )

    def _draw_cloud(self, figure: SubFigure, frame: DemoFrame) -> None:
        """Draw the points from above and from the side, metres, at the same scale."""
        above, side = figure.subplots(1, 2)
        aside_m = self._far_m / 4
        extent = Extent(self._far_m, aside_m, aside_m, aside_m)
        draw_cloud(above, side, frame.xyz_m, frame.point_rgb, extent)
        title = next(iter(frame.depths_m))
        for axes, where in ((above, 'from above'), (side, 'from the side')):
            axes.set_title(f'{title}: published cloud {where}', fontsize=10, loc='left')


def _n_columns(frame: DemoFrame) -> int:
    return 1 + len(frame.depths_m)


def _n_rows(frame: DemoFrame) -> int:
    return 1 if frame.true_depth_m is None else 2


def _width_in(frame: DemoFrame) -> float:
    return _PANE_IN * _n_columns(frame)


def _height_in(frames: Sequence[DemoFrame]) -> float:
    height, width = frames[0].rgb.shape[:2]
    n_rows = len(frames) * _n_rows(frames[0])
    return n_rows * (_PANE_IN * float(height) / float(width) + _TITLE_IN)


def _stacked(width_in: float, heights_in: Sequence[float]) -> tuple[Figure, list[SubFigure]]:
    """Give a figure of parts one below the other, each laid out for itself."""
    figure = Figure(figsize=(width_in, sum(heights_in)), dpi=_DPI, layout='constrained')
    parts: Any = figure.subfigures(len(heights_in), 1, height_ratios=heights_in, squeeze=False)
    return figure, [*parts[:, 0]]


def _png(figure: Figure) -> bytes:
    png = BytesIO()
    figure.savefig(png, format='png')
    return png.getvalue()


def _show(axes: Axes, title: str, pixels: Any) -> None:
    axes.imshow(pixels)
    axes.set_title(title, fontsize=10, loc='left', pad=3)
