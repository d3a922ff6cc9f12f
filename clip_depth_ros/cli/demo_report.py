# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pictures and the page of a demo run: what a person looks at."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Final

from clip_depth_ros.cli.demo_summary import DemoFrame
from clip_depth_ros.color import colorize
import jinja2
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
import numpy as np
from numpy.typing import NDArray

_WIDTH_IN: Final = 11.0

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>clip_depth_ros demo</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem;
       color: #1d2733; background: #fff; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
p.lead { font-size: 1.1rem; }
p.note { background: #fff4d6; border-left: 4px solid #e0a100; padding: .6rem 1rem; }
img { width: 100%; height: auto; border: 1px solid #dde3ea; border-radius: 4px; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .25rem 1.5rem .25rem 0; border-bottom: 1px solid #e8edf2;
         vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 500; color: #52606d; white-space: nowrap; }
</style></head><body>
<h1>clip_depth_ros demo</h1>
<p class="lead">{{ sentence }}</p>
{% if note %}<p class="note">{{ note }}</p>{% endif %}
<img alt="{{ caption }}" src="data:image/png;base64,{{ preview }}">
<p>{{ caption }}</p>
{% for title, rows in tables.items() %}
<h2>{{ title }}</h2>
<table>{% for key, value in rows.items() %}
<tr><th>{{ key }}</th><td>{{ value }}</td></tr>{% endfor %}
</table>
{% endfor %}
</body></html>
"""


def report_html(
    *, sentence: str, note: str, caption: str, preview_png: bytes, tables: Mapping[str, Any]
) -> str:
    """Give one self-contained page: no script, no network; every text is escaped."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(_PAGE).render(
        sentence=sentence,
        note=note,
        caption=caption,
        preview=base64.b64encode(preview_png).decode('ascii'),
        tables=tables,
    )


def preview_png(frame: DemoFrame, *, far_m: float, title: str) -> bytes:
    """
    Give a PNG that shows a frame: image, depth, true depth if known, cloud from above and side.

    Parameters
    ----------
    frame : DemoFrame
        What was recorded for one stamp.
    far_m : float
        Far end of colour maps and of the cloud's axes, metres.
    title : str
        What is shown.

    """
    height, width = frame.depth_m.shape
    pictures = [('camera image', frame.rgb), ('depth published by the node', frame.color)]
    if frame.true_depth_m is not None:
        truth = colorize(frame.true_depth_m, near_m=0.0, far_m=far_m, color_map='turbo')
        pictures.append(('true depth', truth))
    picture_in = _WIDTH_IN * height / width
    cloud_in = 4.2
    figure = Figure(
        figsize=(_WIDTH_IN + 1.0, len(pictures) * (picture_in + 0.3) + cloud_in + 0.4),
        dpi=110,
        layout='constrained',
    )
    grid = figure.add_gridspec(
        len(pictures) + 1,
        2,
        height_ratios=[picture_in] * len(pictures) + [cloud_in],
        width_ratios=[_WIDTH_IN, 0.15],
    )
    for row, (name, pixels) in enumerate(pictures):
        _show_picture(figure.add_subplot(grid[row, 0]), name, pixels)
        if row > 0:
            # The published colours run from red (near) to blue (far).
            mappable = ScalarMappable(Normalize(0.0, far_m), 'turbo_r')
            figure.colorbar(mappable, cax=figure.add_subplot(grid[row, 1]), label='m')
    views = grid[-1, 0].subgridspec(1, 2)
    _show_cloud([figure.add_subplot(views[0, column]) for column in (0, 1)], frame, far_m)
    figure.suptitle(title, fontsize=12, x=0.01, ha='left')
    png = BytesIO()
    figure.savefig(png, format='png')
    return png.getvalue()


def _show_picture(axes: Axes, name: str, pixels: NDArray[np.uint8]) -> None:
    axes.imshow(pixels)
    axes.set_title(name, fontsize=10, loc='left', pad=3)
    axes.set_axis_off()


def _show_cloud(views: Sequence[Axes], frame: DemoFrame, far_m: float) -> None:
    """Draw the points as two orthographic views, metres, at the same scale."""
    x, y, z = frame.xyz_m.T
    is_shown = np.isfinite(z)
    x, y, z = x[is_shown], y[is_shown], z[is_shown]
    colours = frame.point_rgb[is_shown] / 255.0
    for axes, name, label, upward in (
        (views[0], 'cloud from above', 'left (m)', -x),
        (views[1], 'cloud from the side', 'up (m)', -y),
    ):
        axes.scatter(z, upward, c=colours, s=1.0, linewidths=0)
        axes.set_title(name, fontsize=10, loc='left')
        axes.set_xlabel('forward (m)')
        axes.set_ylabel(label)
        axes.set_xlim(0.0, far_m)
        axes.set_ylim(-far_m / 2, far_m / 2)
        axes.set_aspect('equal', adjustable='box')
        axes.set_facecolor('#f3f5f7')
        axes.grid(color='#dde3ea', linewidth=0.5)
        axes.set_axisbelow(True)
