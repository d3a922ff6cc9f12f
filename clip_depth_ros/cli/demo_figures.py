# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of a demo run: depth beside the truth with its error, and the cloud."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final

from clip_depth_ros.cli.demo_errors import relative_error
from clip_depth_ros.cli.demo_frames import DemoFrame
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import NullFormatter, PercentFormatter
import numpy as np

DEPTH_COLORS: Final = 'turbo_r'
"""Near is red, far is blue."""

ERROR_COLORS: Final = 'RdBu'
"""Too near is red, too far is blue."""

ERROR_SPAN: Final = 0.5
"""The error colours end at this share of the true depth."""

_NO_VALUE: Final = '#b9c0c7'
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
        # Evenly in log depth: on a street, half of what is seen lies within the first 20 m.
        self._depth = ScalarMappable(LogNorm(near_m, far_m), _with_grey(DEPTH_COLORS))
        self._error = ScalarMappable(
            Normalize(-ERROR_SPAN, ERROR_SPAN), _with_grey(ERROR_COLORS)
        )

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
            _show(panes[0, column], f'{title}: published depth', self._depth_rgba(depth_m))
        truth = frame.true_depth_m
        if truth is None:
            return
        known = np.where(np.isfinite(truth), truth, np.nan)
        _show(panes[1, 0], 'true depth', self._depth_rgba(known))
        for column, (title, depth_m) in enumerate(frame.depths_m.items(), start=1):
            error = relative_error(
                depth_m, truth, min_depth_m=self._near_m, depth_cap_m=self._far_m
            )
            mean = np.abs(error[np.isfinite(error)]).mean() if np.isfinite(error).any() else np.nan
            _show(
                panes[1, column], f'{title}: error, abs_rel {mean:.3f}', self._error.to_rgba(error)
            )

    def _depth_rgba(self, depth_m: Any) -> Any:
        """Give colours; what is too near or too far gets the end's, NaN is grey."""
        return self._depth.to_rgba(np.clip(depth_m, self._near_m, self._far_m))

    def _draw_bars(self, figure: SubFigure, frame: DemoFrame) -> None:
        places: Any = figure.subplots(1, _n_rows(frame), squeeze=False)[0]
        self._draw_depth_bar(figure, places[0])
        if len(places) > 1:
            self._draw_error_bar(figure, places[1])

    def _draw_depth_bar(self, figure: SubFigure, axes: Axes) -> None:
        bar = figure.colorbar(self._depth, cax=axes, orientation='horizontal')
        ticks = [m for m in (0.5, 1, 2, 3, 5, 10, 20, 40, 80) if self._near_m <= m <= self._far_m]
        bar.set_ticks(ticks, labels=[f'{tick:g}' for tick in ticks])
        axes.xaxis.set_minor_formatter(NullFormatter())
        bar.set_label('depth in metres (log scale; grey: no true depth, such as sky)', fontsize=9)

    def _draw_error_bar(self, figure: SubFigure, axes: Axes) -> None:
        bar = figure.colorbar(
            self._error, cax=axes, orientation='horizontal', extend='both',
            format=PercentFormatter(1.0),
        )
        bar.set_label(
            'error, (published - true) / true (red: too near; blue: too far)',
            fontsize=9,
        )

    def _draw_cloud(self, figure: SubFigure, frame: DemoFrame) -> None:
        """Draw the points as two orthographic views, metres, at the same scale."""
        x, y, z = frame.xyz_m.T
        is_shown = np.isfinite(z)
        colours = frame.point_rgb[is_shown] / 255.0
        title = next(iter(frame.depths_m))
        views: Any = figure.subplots(1, 2)
        for axes, name, label, upward in (
            (views[0], f'{title}: published cloud from above', 'left (m)', -x),
            (views[1], f'{title}: published cloud from the side', 'up (m)', -y),
        ):
            axes.scatter(z[is_shown], upward[is_shown], c=colours, s=1.0, linewidths=0)
            self._set_up_view(axes, name, label)

    def _set_up_view(self, axes: Axes, name: str, label: str) -> None:
        axes.set_title(name, fontsize=10, loc='left')
        axes.set_xlabel('forward (m)')
        axes.set_ylabel(label)
        axes.set_xlim(0.0, self._far_m)
        axes.set_ylim(-self._far_m / 4, self._far_m / 4)
        axes.set_aspect('equal', adjustable='box')
        axes.set_facecolor('#f3f5f7')
        axes.grid(color='#dde3ea', linewidth=0.5)
        axes.set_axisbelow(True)


def _with_grey(name: str) -> Colormap:
    """Give a colour map that shows what is not known in grey."""
    return colormaps[name].with_extremes(bad=_NO_VALUE)


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
