# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Curves as SVG in one look: text in the reader's own font, the same bytes for the same data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, Final
import warnings

from clip_depth_ros.evaluation.report.colors import LineStyle
from clip_depth_ros.evaluation.report.page import Picture
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
import numpy as np

Canvas = Figure | SubFigure
"""What curves are drawn on."""

INK: Final = '#1d2733'
SOFT: Final = '#52606d'

PERCENT: Final = FuncFormatter(lambda value, _: f'{100 * value:.3g} %')
"""Of an axis of shares."""

_WIDTH_IN: Final = 11.0
_LEGEND_IN: Final = 0.3
"""Height of a line of names."""

_HANDLE_IN, _LETTER_IN = 0.75, 0.08
"""Width of a name in it: of its line, and of each letter."""

_NARROW, _BROAD = 5.0, 1000.0
"""A logarithmic axis has even steps below the one ratio, only powers of ten above the other."""

STYLE: Final = {
    'svg.fonttype': 'none', 'svg.hashsalt': 'clip_depth_ros',
    'font.size': 10, 'axes.titlesize': 11, 'axes.titlelocation': 'left',
    'axes.spines.top': False, 'axes.spines.right': False, 'axes.edgecolor': '#8a95a1',
    'axes.labelcolor': SOFT, 'text.color': INK, 'xtick.color': SOFT, 'ytick.color': SOFT,
    'axes.grid': True, 'grid.color': '#e3e8ee', 'grid.linewidth': 0.8, 'axes.axisbelow': True,
    'legend.frameon': False, 'legend.fontsize': 10.5,
}


def svg_picture(
    title: str,
    caption: str,
    draw: Callable[[Canvas], None],
    *,
    height_in: float,
    width_in: float = _WIDTH_IN,
    legend: Mapping[str, LineStyle] | None = None,
) -> Picture:
    """
    Give a picture of curves.

    Parameters
    ----------
    title, caption : str
        See :class:`Picture`.
    draw : callable
        Draws on a figure.
    height_in, width_in : float
        Size in inches; a page is as wide as the default.
    legend : mapping of str to LineStyle, optional
        Names with their looks, in a line above.

    """
    svg = BytesIO()
    with rc_context(STYLE), warnings.catch_warnings():  # type: ignore[arg-type]
        # Names of recordings may have letters that matplotlib's font lacks; the reader's has them.
        warnings.filterwarnings('ignore', 'Glyph')
        figure = Figure(figsize=(width_in, height_in), layout='constrained')
        draw(_below_legend(figure, legend) if legend else figure)
        figure.savefig(svg, format='svg', metadata={'Date': None}, transparent=True)
    return Picture(title, caption, svg.getvalue(), 'image/svg+xml')


def looks(style: LineStyle) -> dict[str, Any]:
    """Give a line's look as matplotlib's keywords."""
    return {'color': style.color, 'linewidth': style.width, 'linestyle': style.dashes}


def literal(text: str) -> str:
    """Give a text that matplotlib shows as it is: dollars are no formula."""
    return text.replace('$', r'\$')


def plain_log(axes: Axes, which: str) -> None:
    """Make an axis of drawn data logarithmic with numbers written out, if the data allow that."""
    place = 'xy'.index(which)
    limits: Any = axes.dataLim
    least, most = limits.minpos[place], limits.max[place]
    if not np.isfinite(least):
        return
    getattr(axes, f'set_{which}scale')('log')
    axis = (axes.xaxis, axes.yaxis)[place]
    subs = (1.0, 2.0, 5.0) if most < _BROAD * least else (1.0,)
    is_narrow = most < _NARROW * least
    axis.set_major_locator(MaxNLocator(6) if is_narrow else LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    axis.set_minor_locator(NullLocator())


def _below_legend(figure: Figure, legend: Mapping[str, LineStyle]) -> SubFigure:
    """Draw names above, in as many lines as they need, and give what is below."""
    lengths_in = [_HANDLE_IN + _LETTER_IN * len(name) for name in legend]
    n_columns = max(1, min(len(legend), int(figure.get_figwidth() / max(lengths_in))))
    legend_in = _LEGEND_IN * -(-len(legend) // n_columns)
    parts: Any = figure.subfigures(
        2, 1, height_ratios=(legend_in, figure.get_figheight() - legend_in)
    )
    above: SubFigure = parts[0]
    below: SubFigure = parts[1]
    handles = [
        Line2D([], [], label=literal(name), **looks(style)) for name, style in legend.items()
    ]
    above.legend(handles=handles, loc='center left', ncol=n_columns)
    return below
