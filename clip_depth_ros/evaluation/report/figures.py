# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The curves over all frames: means, error over depth, histogram of errors, confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from clip_depth_ros.evaluation.report.drawing import (
    Canvas,
    INK,
    line_styles,
    literal,
    PERCENT,
    Picture,
    plain_log,
    svg_picture,
)
from clip_depth_ros.evaluation.results.result import PredictorResult, Result
from clip_depth_ros.evaluation.results.tables import (
    HEADLINE,
    is_baseline,
    METRIC_TITLES,
    number,
    own_alignment,
)
from clip_depth_ros.evaluation.score.score import (
    CONFIDENCE_EDGES,
    DEPTH_EDGES_M,
    ERROR_EDGES,
    is_more_better,
)
from matplotlib.axes import Axes
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SMALLEST_SHARE: Final = 1e-4
"""Bins that hold a smaller share of the pixels are not drawn."""

_TWO_AND_SHARE: Final = {'width_ratios': (2, 2, 1.2)}
_ROW_IN: Final = 0.36


def means(result: Result) -> Picture:
    """Draw the headline metrics with their intervals, one predictor below the other."""
    names = [*result.predictors]

    def draw(figure: Canvas) -> None:
        all_axes: Any = figure.subplots(1, len(HEADLINE), sharey=True)
        for axes, metric in zip(all_axes, HEADLINE, strict=True):
            _draw_means(axes, result, metric)
        labels = [literal(name) for name in names]
        all_axes[0].set_yticks(range(len(names)), labels, color=INK, fontsize=11)
        all_axes[0].set_ylim(len(names) - 0.4, -0.7)

    return svg_picture(
        'Means with 95 % intervals',
        'Means over frames under this protocol; bars are 95 % intervals (bootstrap over frames). '
        'Baselines, which look at no image, are grey.',
        draw, height_in=0.7 + _ROW_IN * len(names),
    )


def _draw_means(axes: Axes, result: Result, metric: str) -> None:
    styles, name_of = line_styles(result), f'{own_alignment(result)}/{metric}'
    for row, (name, found) in enumerate(result.predictors.items()):
        estimate = found.estimates.get(name_of)
        if estimate is None or not np.isfinite(estimate.mean):
            continue
        color = styles[name].color
        axes.plot([estimate.low, estimate.high], [row, row], color=color, linewidth=3.5,
                  solid_capstyle='butt', alpha=0.45)
        axes.plot(estimate.mean, row, 'o', color=color, markersize=7)
        axes.annotate(number(estimate.mean), (max(estimate.mean, estimate.high), row), (7, 0),
                      color=color, textcoords='offset points', va='center', fontsize=10)
    better = 'more' if is_more_better(metric) else 'less'
    axes.set_title(f'{METRIC_TITLES[metric]}, {better} is better')
    axes.tick_params(axis='y', length=0)
    axes.grid(visible=False, axis='y')
    most = 1.0 if metric == 'delta1' else max(axes.dataLim.x1, 0.0)
    # Room for the last number.
    axes.set_xlim(0, 1.18 * most or None)


def error_over_depth(result: Result) -> Picture | None:
    """Draw abs_rel and bias over true depth, and how the truth is spread over depth."""
    known = {name: found for name, found in result.predictors.items() if 'depth/n' in found.sums}
    if not known:
        return None
    styles = line_styles(result)

    def draw(figure: Canvas) -> None:
        all_axes: Any = figure.subplots(1, 3, gridspec_kw=_TWO_AND_SHARE)
        for name, found in known.items():
            for axes, curve in zip(all_axes, ('abs_rel', 'bias'), strict=False):
                axes.plot(*_depth_curve(found, curve), **styles[name].keywords())
        shares = _shares(next(iter(known.values())).sums['depth/n'])
        all_axes[2].stairs(shares, DEPTH_EDGES_M, fill=True, color='#b9c0c7')
        _label_depth_axes(*all_axes)
        _frame_bias(all_axes[1], result)

    return svg_picture(
        'Error over depth',
        'Left: mean relative error of the pixels at each true depth. Middle: mean signed '
        'relative error, above 0 is too far; baselines may leave the frame. Right: where the '
        'truth is.',
        draw, height_in=3.4, legend={name: styles[name] for name in known},
    )


def _depth_curve(found: PredictorResult, curve: str) -> tuple[Floats, Floats]:
    """Return the centres of bins, metres, and the means there; NaN where pixels are too few."""
    n, total = (np.asarray(found.sums[f'depth/{name}']) for name in ('n', curve))
    return _centres(DEPTH_EDGES_M, is_log=True), _means_of(n, total)


def _label_depth_axes(over_depth: Axes, bias: Axes, share: Axes) -> None:
    titles = ('abs_rel over true depth', 'bias over true depth', 'share of the truth')
    for axes, title in zip((over_depth, bias, share), titles, strict=True):
        axes.set_title(title)
        plain_log(axes, 'x')
        axes.set_xlabel('true depth (m)')
    plain_log(over_depth, 'y')
    for axes in (bias, share):
        axes.yaxis.set_major_formatter(PERCENT)


def _frame_bias(axes: Axes, result: Result) -> None:
    """Fit the axis to the predictors in question, not to the baselines."""
    loud = [
        _depth_curve(found, 'bias')[1]
        for name, found in result.predictors.items()
        if 'depth/n' in found.sums and not is_baseline(result, name)
    ]
    values = np.concatenate([np.array([-0.1, 0.1]), *loud])
    axes.set_ylim(1.2 * np.nanmin(values), 1.2 * np.nanmax(values))
    axes.axhline(0, color='#8a95a1', linewidth=1)


def error_histogram(result: Result) -> Picture | None:
    """Draw how signed relative errors are spread."""
    shares = {
        name: _shares(found.sums['error_histogram'])
        for name, found in result.predictors.items()
        if 'error_histogram' in found.sums
    }
    if not shares:
        return None
    styles = line_styles(result)
    loud = [share.max() for name, share in shares.items() if not is_baseline(result, name)]

    def draw(figure: Canvas) -> None:
        axes = figure.subplots()
        for name, share in shares.items():
            axes.stairs(share, ERROR_EDGES, **styles[name].keywords())
        axes.axvline(0, color='#8a95a1', linewidth=1)
        axes.set_xlabel('(pred - gt) / gt;  left: too near,  right: too far')
        axes.xaxis.set_major_formatter(PERCENT)
        axes.yaxis.set_major_formatter(PERCENT)
        axes.set_xlim(-1, 1)
        axes.set_ylim(0, 1.1 * max(loud, default=0) or None)

    return svg_picture(
        'Spread of the error',
        'Share of all pixels by their signed relative error, in steps of 5 %; what lies beyond '
        '-100 % or 100 % counts in the outermost steps, where baselines may leave the frame.',
        draw, height_in=3.6, width_in=5.4, legend={name: styles[name] for name in shares},
    )


def confidence_curves(result: Result) -> Picture | None:
    """Draw error over confidence, for predictors that give one."""
    known = {
        name: found
        for name, found in result.predictors.items()
        if sum(found.sums.get('confidence/n', ()))
    }
    if not known:
        return None
    styles = line_styles(result)

    def draw(figure: Canvas) -> None:
        all_axes: Any = figure.subplots(1, 3, gridspec_kw=_TWO_AND_SHARE)
        for name, found in known.items():
            n = np.asarray(found.sums['confidence/n'])
            centres = _centres(CONFIDENCE_EDGES)
            for axes, curve in zip(all_axes, ('abs_rel', 'delta1'), strict=False):
                total = np.asarray(found.sums[f'confidence/{curve}'])
                axes.plot(centres, _means_of(n, total), marker='o', markersize=4,
                          **styles[name].keywords())
            all_axes[1].plot((0, 1), (0, 1), color='0.8', linewidth=1, zorder=0)
            all_axes[2].stairs(_shares(n), CONFIDENCE_EDGES, **styles[name].keywords())
        _label_confidence_axes(all_axes)

    return svg_picture(
        'Is it right when it is sure?',
        'Error of the pixels by the confidence that came with them. A confidence that means '
        'something makes the left curve fall and the middle one rise; a calibrated one follows '
        'the grey line.',
        draw, height_in=3.2, legend={name: styles[name] for name in known},
    )


def _label_confidence_axes(all_axes: Any) -> None:
    titles = ('abs_rel over confidence', 'δ1 over confidence', 'share of the pixels')
    for axes, title in zip(all_axes, titles, strict=True):
        axes.set_title(title)
        axes.set_xlabel('confidence')
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1 if 'δ1' in title else None)
    all_axes[2].yaxis.set_major_formatter(PERCENT)


def _shares(counts: Sequence[float] | Floats) -> Floats:
    n = np.asarray(counts, np.float64)
    shares: Floats = n / max(n.sum(), 1)
    return shares


def _means_of(n: Floats, total: Floats) -> Floats:
    """Return total / n; NaN where n is too small a share of all."""
    is_enough = n > max(n.sum() * _SMALLEST_SHARE, 0)
    means = np.full(len(n), np.nan)
    np.divide(total, n, out=means, where=is_enough)
    return means


def _centres(edges: tuple[float, ...], *, is_log: bool = False) -> Floats:
    low, high = np.asarray(edges[:-1]), np.asarray(edges[1:])
    centres: Floats = np.sqrt(low * high) if is_log else (low + high) / 2
    return centres
