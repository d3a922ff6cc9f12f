# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Pictures, and how curves look: SVG with text in the reader's own font.

The same data make the same bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final
import warnings

from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.results.tables import is_baseline
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
"""Labels of an axis that shows shares."""

_WIDTH_IN: Final = 11.0
_LEGEND_IN: Final = 0.3
"""Height of a line of the legend."""

_HANDLE_IN, _LETTER_IN = 0.75, 0.08
"""Width of a name in the legend: of its line, and of each letter."""

_NARROW, _BROAD = 5.0, 1000.0
"""
A logarithmic axis that spans less than the first ratio has even steps.

One that spans more than the second shows only powers of ten.
"""

# Okabe and Ito's colours, which colour-blind people can tell apart; the strongest first.
_LINES: Final = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9')
_QUIET_LINES: Final = {'constant': ('#5d6875', '--'), 'prior': ('#7d8894', '-.')}
_OTHER_QUIET: Final = ('#98a2ad', ':')

STYLE: Final = {
    'svg.fonttype': 'none', 'svg.hashsalt': 'clip_depth_ros',
    'font.size': 10, 'axes.titlesize': 11, 'axes.titlelocation': 'left',
    'axes.spines.top': False, 'axes.spines.right': False, 'axes.edgecolor': '#8a95a1',
    'axes.labelcolor': SOFT, 'text.color': INK, 'xtick.color': SOFT, 'ytick.color': SOFT,
    'axes.grid': True, 'grid.color': '#e3e8ee', 'grid.linewidth': 0.8, 'axes.axisbelow': True,
    'legend.frameon': False, 'legend.fontsize': 10.5,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """
    A picture with its heading, and a caption that also serves readers who cannot see it.

    ``data`` is the file, ``mime`` its type: ``image/png`` or ``image/svg+xml``.
    """

    title: str
    caption: str
    data: bytes
    mime: str = 'image/png'

    @property
    def url(self) -> str:
        """Return a URL that holds the picture itself."""
        return f'data:{self.mime};base64,{base64.b64encode(self.data).decode("ascii")}'


@dataclass(frozen=True, slots=True)
class LineStyle:
    """How a predictor's lines look: colour, width in points, matplotlib's name of the dashes."""

    color: str
    width: float
    dashes: str

    def keywords(self) -> dict[str, Any]:
        """Return the style as matplotlib's keywords."""
        return {'color': self.color, 'linewidth': self.width, 'linestyle': self.dashes}


def line_styles(result: Result) -> Mapping[str, LineStyle]:
    """Return each predictor's style: the first is the strongest, baselines are grey and dashed."""
    styles: dict[str, LineStyle] = {}
    n_loud = 0
    for name in result.predictors:
        if is_baseline(result, name):
            color, dashes = _QUIET_LINES.get(name, _OTHER_QUIET)
            styles[name] = LineStyle(color, 1.3, dashes)
            continue
        styles[name] = LineStyle(_LINES[n_loud % len(_LINES)], 1.6 if n_loud else 2.4, '-')
        n_loud += 1
    return styles


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
    Return a picture of the curves that ``draw`` draws on a figure, by default as wide as the page.

    ``legend`` has styles by name, shown in lines above the curves.
    """
    with rc_context(STYLE), warnings.catch_warnings():  # type: ignore[arg-type]
        # Names of recordings may have letters that matplotlib's font lacks but the reader's has.
        warnings.filterwarnings('ignore', 'Glyph')
        figure = Figure(figsize=(width_in, height_in), layout='constrained')
        draw(_below_legend(figure, legend) if legend else figure)
        svg = file_of(figure, format='svg', metadata={'Date': None}, transparent=True)
    return Picture(title, caption, svg, 'image/svg+xml')


def file_of(figure: Figure, **keywords: Any) -> bytes:
    """
    Return the file that a figure is saved as; ``keywords`` are those of savefig.

    What is to be laid out is laid out here: savefig would draw everything twice for that.
    """
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        figure.set_layout_engine(None)
    file = BytesIO()
    figure.savefig(file, **keywords)
    return file.getvalue()


def literal(text: str) -> str:
    """Return a text that matplotlib shows as it is: dollar signs do not start a formula."""
    return text.replace('$', r'\$')


def plain_log(axes: Axes, which: str) -> None:
    """Make an axis logarithmic, with plain numbers, if the data drawn on it allow that."""
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
    """Draw the legend, in as many lines as it needs, and return the figure below it."""
    lengths_in = [_HANDLE_IN + _LETTER_IN * len(name) for name in legend]
    n_columns = max(1, min(len(legend), int(figure.get_figwidth() / max(lengths_in))))
    legend_in = _LEGEND_IN * -(-len(legend) // n_columns)
    parts: Any = figure.subfigures(
        2, 1, height_ratios=(legend_in, figure.get_figheight() - legend_in)
    )
    above: SubFigure = parts[0]
    below: SubFigure = parts[1]
    handles = [
        Line2D([], [], label=literal(name), **style.keywords()) for name, style in legend.items()
    ]
    above.legend(handles=handles, loc='center left', ncol=n_columns)
    return below
