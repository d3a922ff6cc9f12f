# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Colours that mean the same in every picture: of depth, of its error, of each predictor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.results.tables import is_baseline
from clip_depth_ros.types import Depth, Rgb
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LogNorm, Normalize, to_hex
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import NullFormatter, PercentFormatter
import numpy as np

DEPTH_COLORS: Final = 'turbo_r'
"""Near is red, far is blue."""

ERROR_COLORS: Final = 'RdBu'
"""Too near is red, too far is blue."""

ERROR_SPAN: Final = 0.5
"""The error colours end at this share of the true depth."""

_TILE_COLORS: Final = 'YlOrRd'
_NO_VALUE: Final = '#b9c0c7'
_TICKS_M: Final = (0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 40, 80)

# Okabe and Ito's colours, which colour-blind people can tell apart; the strongest first.
_LINES: Final = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9')
_QUIET_LINES: Final = {'constant': ('#5d6875', '--'), 'prior': ('#7d8894', '-.')}
_OTHER_QUIET: Final = ('#98a2ad', ':')


class PictureColors:
    """
    Turns depth and errors into colours, and says which colour means what.

    Parameters
    ----------
    near_m, far_m : float
        Ends of the colours of depth, metres; what lies beyond has the end's colour.

    """

    def __init__(self, near_m: float, far_m: float) -> None:
        self.near_m, self.far_m = near_m, far_m
        # Evenly in log depth: on a street, half of what is seen lies within the first 20 m.
        self._depth = ScalarMappable(LogNorm(near_m, far_m), _with_grey(DEPTH_COLORS))
        self._error = ScalarMappable(
            Normalize(-ERROR_SPAN, ERROR_SPAN), _with_grey(ERROR_COLORS)
        )

    def of_depth(self, depth_m: Depth) -> Rgb:
        """Give depth in colours, uint8 (H, W, 3); NaN is grey."""
        return _rgb(self._depth, np.clip(depth_m, self.near_m, self.far_m))

    def of_error(self, error: Depth) -> Rgb:
        """Give the signed relative error in colours, uint8 (H, W, 3); NaN is grey."""
        return _rgb(self._error, error)

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
class LineStyle:
    """How a predictor's lines look: colour, width in points, matplotlib's name of the dashes."""

    color: str
    width: float
    dashes: str


def line_styles(result: Result) -> Mapping[str, LineStyle]:
    """Give each predictor its look: the first the strongest, baselines in grey and dashed."""
    styles: dict[str, LineStyle] = {}
    n_loud = 0
    for name in result.predictors:
        if is_baseline(result, name):
            styles[name] = LineStyle(*_quiet(name))
            continue
        styles[name] = LineStyle(_LINES[n_loud % len(_LINES)], 1.6 if n_loud else 2.4, '-')
        n_loud += 1
    return styles


def tile_colors(share: float) -> tuple[str, str]:
    """Give the colours of a tile and of the text on it; 0 is light, 1 is strong."""
    red, green, blue, _ = colormaps[_TILE_COLORS](0.05 + 0.75 * min(max(share, 0.0), 1.0))
    is_light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
    return to_hex((red, green, blue)), '#1d2733' if is_light else '#ffffff'


def _quiet(name: str) -> tuple[str, float, str]:
    color, dashes = _QUIET_LINES.get(name, _OTHER_QUIET)
    return color, 1.3, dashes


def _with_grey(name: str) -> Colormap:
    """Give a colour map that shows what is not known in grey."""
    return colormaps[name].with_extremes(bad=_NO_VALUE)


def _rgb(colors: ScalarMappable, values: Depth) -> Rgb:
    rgba = colors.to_rgba(np.ma.masked_invalid(values), bytes=True)
    return np.ascontiguousarray(rgba[..., :3])
