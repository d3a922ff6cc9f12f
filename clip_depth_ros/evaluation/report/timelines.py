# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The curves over time: error and scale frame by frame, recordings side by side."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from clip_depth_ros.evaluation.report.drawing import (
    Canvas,
    line_styles,
    LineStyle,
    literal,
    Picture,
    plain_log,
    SOFT,
    svg_picture,
)
from clip_depth_ros.evaluation.results.result import FrameTable, Result
from clip_depth_ros.evaluation.results.tables import own_alignment
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_WINDOWS: Final = 25
"""The running median spans the frames divided by this, but at least five."""

_FEW: Final = 60
"""Up to this many frames are drawn as they are: a median of neighbours would hide them."""

_LONGEST_NAME: Final = 36


def error_by_frame(result: Result) -> Picture | None:
    """Draw abs_rel of each frame."""
    return _timeline(
        result, f'{own_alignment(result)}/abs_rel', 'abs_rel',
        'Error, frame by frame',
        'abs_rel of each frame (dots), the lines a running median where there are many frames; '
        'recordings side by side. Less is better.',
    )


def scale_by_frame(result: Result) -> Picture | None:
    """Draw the factor by which each answer is too small."""
    return _timeline(
        result, 'scale', 'median gt / median pred',
        'Scale, frame by frame',
        'The factor that each answer lacks: 1 is right, 2 is half as far as it should be. A '
        'metric method stays near one line.',
        reference=1.0,
    )


def _timeline(
    result: Result, value: str, label: str, title: str, caption: str,
    reference: float | None = None,
) -> Picture | None:
    curves = {
        name: np.asarray(values[value], np.float64)
        for name, values in result.frames.values.items()
        if value in values and np.isfinite(values[value]).any()
    }
    if not curves:
        return None
    styles = line_styles(result)

    def draw(figure: Canvas) -> None:
        axes = figure.subplots()
        if reference is not None:
            axes.axhline(reference, color='#8a95a1', linewidth=1)
        # The first one last, so that it lies on top.
        for name, curve in reversed(curves.items()):
            draw_curve(axes, curve, result.frames, styles[name])
        plain_log(axes, 'y')
        set_up(axes, result.frames, label)

    shown = {name: styles[name] for name in curves}
    return svg_picture(title, caption, draw, height_in=3.6, legend=shown)


def draw_curve(axes: Axes, curve: Floats, frames: FrameTable, style: LineStyle) -> None:
    """Draw a value of each frame, and where there are many frames their running median."""
    are_few = len(curve) <= _FEW
    alpha = 1.0 if are_few else max(0.03, min(0.3, 60 / len(curve)))
    # As pixels: ten thousand dots would make the page slow.
    axes.plot(curve, 'o', color=style.color, markersize=4 if are_few else 3, alpha=alpha,
              markeredgewidth=0, rasterized=True)
    window = 1 if are_few else max(5, len(curve) // _WINDOWS)
    for _, start, stop in _recordings(frames):
        places = start + np.flatnonzero(np.isfinite(curve[start:stop]))
        if places.size:
            axes.plot(places, running_median(curve[places], window), **style.keywords())


def set_up(axes: Axes, frames: FrameTable, label: str) -> None:
    """Name the axes, and mark where recordings begin."""
    axes.set_ylabel(label)
    axes.set_xlabel('frame, in order')
    axes.set_xlim(-0.5, len(frames.names) - 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    recordings = [*_recordings(frames)]
    for name, start, stop in recordings if len(recordings) > 1 else []:
        axes.axvline(start - 0.5, color='#8a95a1', linewidth=1)
        share = (stop - start) / len(frames.names)
        axes.annotate(literal(_shortened(name, share)), (start - 0.5, 1), (4, -4), color=SOFT,
                      xycoords=('data', 'axes fraction'), textcoords='offset points',
                      va='top', fontsize=9)


def running_median(values: Floats, window: int) -> Floats:
    """Return the median of each value's neighbourhood, float64 (n,); smaller at the ends."""
    half = window // 2
    padded = np.pad(values, half, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    return np.asarray(np.nanmedian(windows, axis=1), np.float64)


def _recordings(frames: FrameTable) -> Iterator[tuple[str, int, int]]:
    """Yield the name of each recording, its first place, and the place after its last."""
    start = 0
    for name, members in groupby(frames.recordings):
        stop = start + sum(1 for _ in members)
        yield name, start, stop
        start = stop


def _shortened(name: str, share: float) -> str:
    """Return the end of a name that fits above its part of the axis; nothing if none fits."""
    longest = int(share * 4 * _LONGEST_NAME)
    if longest < 4:
        return ''
    return name if len(name) <= longest else f'…{name[-longest + 1:]}'
