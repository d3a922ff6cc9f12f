# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The one scorer: an answer compared with the truth, and every number that is known of it.

A :class:`FrameScore` has numbers by name. ``values`` are averaged over frames. Metrics are called
``<group>/<metric>``: the group is an alignment (those of ``ALIGNMENTS`` and the protocol's own:
all pixels that count) or a part of the pixels under the protocol's own alignment (``depth 0-10
m``, ``region top left``, ``class car``); the metrics are those of :class:`DepthMetrics` and
``log_bias``, the mean of ln pred - ln gt; of all pixels, also the others of :class:`GroupMetrics`
and ``delta_1.05`` for each threshold of the protocol. Without a group: ``scale`` (median gt /
median pred), ``coverage``, ``rank_correlation`` (of answers and truth; 1: the order is right),
``slope`` and ``disparity_slope`` (what ``scale-shift`` and ``disparity-scale-shift`` multiply
answers, or their inverse, with), ``roughness``, ``lost_edges``, ``boundary_f1``, ``ordinal``,
``ordinal_unequal``, and, where the frame before is known, ``flicker``, ``flicker/n`` (how many
points it is the mean of), ``flicker/estimated`` (1 where the camera's motion was estimated, 0
where it was recorded), and, where it was recorded, ``tae``. Where the protocol names distances,
``points 0.1 m/f_score``, ``/precision`` and ``/recall``, and ``points/chamfer``. Where edges and
planes are marked, ``dbe/...``, ``pe/...`` and ``dde 3 m/...``.

``sums`` are added up over frames: histograms and curves, whose edges are the constants here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
import math
from typing import Any, Final

from clip_depth_ros.core.alignment import (
    Alignment,
    fit_alignment,
    INVERSE_ALIGNMENTS,
    rank_correlation,
)
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.metrics import (
    blocks,
    DepthMetrics,
    GroupMetrics,
    metrics_of,
    MetricSums,
    PixelErrors,
)
from clip_depth_ros.evaluation.score.edges import continuity
from clip_depth_ros.evaluation.score.order import ordinal
from clip_depth_ros.evaluation.score.parts import is_part, Parts, parts_of
from clip_depth_ros.evaluation.score.points import cloud_distances, pinhole_of_truth
from clip_depth_ros.evaluation.score.prepare import Clamp, prepare, resized
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.evaluation.score.structure import structure_errors
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import DepthMap
import numpy as np
from numpy.typing import NDArray

ALIGNMENTS: Final = ('none', 'median', 'scale-shift', 'disparity-scale-shift')
"""What is computed of every answer; others only where they are the protocol's own."""

_SCALES: Final = {
    'slope': 'scale-shift', 'disparity_slope': 'disparity-scale-shift', 'scale': 'median',
}
"""Values that are the scale of a fit."""

METRICS: Final = tuple(f.name for f in fields(DepthMetrics) if f.name != 'n')

MORE_METRICS: Final = tuple(
    f.name for f in fields(GroupMetrics)
    if f.name not in (*METRICS, 'n', 'log_bias', 'more_deltas')
)
"""Of all pixels, beside ``METRICS``."""

DELTA: Final = 'delta_'
"""Begins the name of a share of pixels below a threshold of the protocol: ``delta_1.05``."""

_MORE_IS_BETTER: Final = {
    'delta05', 'delta1', 'delta2', 'delta3', 'coverage', 'boundary_f1', 'rank_correlation',
    'f_score', 'precision', 'recall', 'correct',
}

_DESCRIPTIVE: Final = {'n', 'estimated', 'log_bias', 'scale', 'slope', 'disparity_slope'}
"""Neither more nor less of these is better: how much was scored and how, and which way it errs."""

_SHARES: Final = _MORE_IS_BETTER - {'rank_correlation'} | {
    'lost_edges', 'estimated', 'ordinal', 'ordinal_unequal', 'too_near', 'too_far',
}

ERROR_EDGES: Final = tuple(np.linspace(-1, 1, 41).round(3).tolist())
"""Of ``error_histogram``: (pred - gt) / gt; what lies beyond counts in the outermost bins."""

DEPTH_EDGES_M: Final = tuple(np.geomspace(0.5, 128, 25).tolist())
"""Of ``depth/n``, ``depth/abs_rel``, ``depth/bias``: true depth; beyond: the outermost bins."""

CONFIDENCE_EDGES: Final = tuple(np.linspace(0, 1, 11).round(3).tolist())
"""Of ``confidence/n``, ``confidence/said``, ``confidence/abs_rel``, ``confidence/delta1``."""


@dataclass(frozen=True, slots=True)
class FrameScore:
    """
    What is known of the answer for one frame.

    Attributes
    ----------
    values : mapping of str to float
        By name; what cannot be told is left out.
    sums : mapping of str to tuple of float
        Vectors by name.

    """

    values: Mapping[str, float]
    sums: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def metrics(self, group: str = 'none') -> DepthMetrics:
        """Return the metrics of a group of pixels: by default of all that count, as answered."""
        numbers = {name: self.values[f'{group}/{name}'] for name in METRICS}
        return DepthMetrics(**numbers, n=int(self.values[f'{group}/n']))


def value_range(name: str) -> tuple[float, float]:
    """Return the least and the most that a value can be."""
    metric = name.rpartition('/')[2]
    if metric in ('log_bias', 'slope', 'disparity_slope'):
        return -math.inf, math.inf
    if metric == 'rank_correlation':
        return -1.0, 1.0
    return 0.0, 1.0 if metric in _SHARES or metric.startswith(DELTA) else math.inf


def is_more_better(name: str) -> bool:
    """Return whether more of a value is better."""
    metric = name.rpartition('/')[2]
    return metric in _MORE_IS_BETTER or metric.startswith(DELTA)


def is_of_pixels(name: str) -> bool:
    """Return whether a value is a metric of pixels: that of a union follows from its parts'."""
    metric = name.rpartition('/')[2]
    return metric in (*METRICS, *MORE_METRICS, 'log_bias') or metric.startswith(DELTA)


def is_judged(name: str) -> bool:
    """Return whether a value is of the whole image, and less or more of it is better."""
    group, _, metric = name.rpartition('/')
    return metric not in _DESCRIPTIVE and not is_part(group)


_Sums = dict[str, NDArray[np.float64]]


def _error_sums(errors: PixelErrors, log_gt: NDArray[np.float64]) -> _Sums:
    """
    Return the histogram of relative errors, and errors over depth, of N pixels.

    ``log_gt`` is the natural log of their true depth in metres, float64 (N,). ``error_histogram``:
    pixels by (pred - gt) / gt between ``ERROR_EDGES``; ``depth/n``, ``depth/abs_rel``,
    ``depth/bias``: by true depth between ``DEPTH_EDGES_M``, the number of pixels and the sums of
    |pred - gt| / gt and of (pred - gt) / gt.
    """
    in_error = _even_bins(errors.relative, ERROR_EDGES)
    in_depth = _even_bins(log_gt, np.log(DEPTH_EDGES_M))
    n_depths = len(DEPTH_EDGES_M) - 1
    return {
        'error_histogram': _sums(in_error, None, len(ERROR_EDGES) - 1),
        'depth/n': _sums(in_depth, None, n_depths),
        'depth/abs_rel': _sums(in_depth, np.abs(errors.relative), n_depths),
        'depth/bias': _sums(in_depth, errors.relative, n_depths),
    }


def _confidence_sums(errors: PixelErrors, confidence: NDArray[np.float32]) -> _Sums:
    """
    Return how good depth is by how confident the predictor is, (N,), of N pixels; NaN is left out.

    ``confidence/n``, ``confidence/said``, ``confidence/abs_rel``, ``confidence/delta1``: between
    ``CONFIDENCE_EDGES``, the number of pixels, the sums of their confidence and of
    |pred - gt| / gt, and the number of pixels within 1.25.
    """
    known = np.isfinite(confidence)
    said = confidence[known].astype(np.float64)
    bins = _even_bins(said, CONFIDENCE_EDGES)
    n = len(CONFIDENCE_EDGES) - 1
    return {
        'confidence/n': _sums(bins, None, n),
        'confidence/said': _sums(bins, said, n),
        'confidence/abs_rel': _sums(bins, np.abs(errors.relative[known]), n),
        'confidence/delta1': _sums(bins, errors.is_below(1.25)[known].astype(np.float64), n),
    }


def _even_bins(values: NDArray[np.float64], edges: Any) -> NDArray[np.intp]:
    """Return the bin of each value, edges evenly spaced; what lies beyond is in the outermost."""
    n = len(edges) - 1
    places = (values - edges[0]) * (n / (edges[-1] - edges[0]))
    return np.asarray(np.clip(places, 0, n - 1), np.intp)


def _sums(
    bins: NDArray[np.intp], weights: NDArray[np.float64] | None, n: int
) -> NDArray[np.float64]:
    return np.bincount(bins, weights, n).astype(np.float64, copy=False)


def score_frame(
    answer: DepthMap,
    sample: DepthSample,
    protocol: EvaluationProtocol,
    *,
    details: bool = True,
) -> FrameScore:
    """
    Compare an answer with the truth.

    Parameters
    ----------
    answer : DepthMap
        Of any size, for the whole image; see :func:`prepare` for what counts as an answer.
    sample : DepthSample
        The frame with its truth.
    protocol : EvaluationProtocol
        How.
    details : bool
        False leaves out all but the coverage and the metrics of all pixels under the protocol's
        own alignment, in a quarter of the time or less.

    Returns
    -------
    FrameScore
        By the names that :mod:`clip_depth_ros.evaluation.score.score` explains.

    Raises
    ------
    DataError
        If no truth counts, or nothing is answered where it does; if a crop does not fit.

    """
    prepared = prepare(answer, sample, protocol)
    size, places = Size(*prepared.gt.shape), np.flatnonzero(prepared.counted)
    gt, pred = prepared.gt.ravel()[places], prepared.answer.ravel()[places]
    if not details:
        whole = _whole(pred, gt, prepared.is_relative, protocol)
        named = _named({protocol.alignment: whole}, protocol)
        return FrameScore({**named, 'coverage': prepared.coverage})
    pixels = _Pixels(
        pred=pred,
        gt=gt,
        parts=parts_of(gt, places, size, sample.classes, protocol.depth_ranges_m),
        confidence=_confidence(answer, size, places),
    )
    is_inverse = prepared.is_relative
    some = [name for name in ALIGNMENTS if not is_inverse or name in INVERSE_ALIGNMENTS]
    fits = {
        name: fit_alignment(name, pred, gt, is_inverse=is_inverse)
        for name in dict.fromkeys((*some, protocol.alignment))
    }
    clamp = Clamp.of(gt, protocol)
    pieces = [_compare(pixels, block, fits, clamp, protocol) for block in blocks(len(places))]
    log_gt, log_error = (
        np.concatenate([getattr(piece, name) for piece in pieces])
        for name in ('log_gt', 'log_error')
    )
    values = {
        **_named(_by_group(pieces, pixels.parts, protocol), protocol),
        **{value: fits[name].scale for value, name in _SCALES.items() if name in fits},
        'coverage': prepared.coverage,
        **_order(pred, gt, is_inverse),
        **continuity(log_error, log_gt, places, size),
        **ordinal(log_error, log_gt),
        **cloud_distances(
            np.exp(log_gt + log_error), gt, places, pinhole_of_truth(sample), protocol.points_m
        ),
        **structure_errors(prepared, sample),
    }
    sums = {
        name: tuple(np.sum([piece.curves[name] for piece in pieces], axis=0).tolist())
        for name in pieces[0].curves
    }
    return FrameScore(values, sums)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pixels:
    """The pixels that count, in rows one after the other, (N,) each."""

    pred: NDArray[np.float32]
    gt: NDArray[np.float32]
    parts: Parts
    confidence: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Piece:
    """What is known of some of them: sums, and logs for the comparison with neighbours."""

    by_alignment: Mapping[str, MetricSums]
    curves: _Sums
    log_gt: NDArray[np.float64]
    log_error: NDArray[np.float64]


def _compare(
    pixels: _Pixels,
    block: slice,
    fits: Mapping[str, Alignment],
    clamp: Clamp,
    protocol: EvaluationProtocol,
) -> _Piece:
    """Compare some pixels; the sums of the protocol's own alignment are those of its cells."""
    gt = pixels.gt[block].astype(np.float64)
    log_gt = np.log(gt)
    errors = {
        name: PixelErrors.of(clamp(fit.apply(pixels.pred[block])), gt, protocol.deltas)
        for name, fit in fits.items()
    }
    own = errors[protocol.alignment]
    parts = pixels.parts
    curves = _error_sums(own, log_gt)
    if pixels.confidence is not None:
        curves.update(_confidence_sums(own, pixels.confidence[block]))
    return _Piece(
        by_alignment={
            name: MetricSums.of(each, parts.cells[block], parts.n_cells)
            if each is own
            else MetricSums.of(each)
            for name, each in errors.items()
        },
        curves=curves,
        log_gt=log_gt,
        log_error=own.log,
    )


def _whole(
    pred: NDArray[np.float32],
    gt: NDArray[np.float32],
    is_inverse: bool,
    protocol: EvaluationProtocol,
) -> GroupMetrics | None:
    """Return the metrics of all pixels under the protocol's own alignment."""
    fit = fit_alignment(protocol.alignment, pred, gt, is_inverse=is_inverse)
    clamp = Clamp.of(gt, protocol)
    pieces = ((pred[block], gt[block].astype(np.float64)) for block in blocks(len(gt)))
    each = [
        MetricSums.of(PixelErrors.of(clamp(fit.apply(p)), g, protocol.deltas)) for p, g in pieces
    ]
    return metrics_of(MetricSums.total(each), protocol.deltas)[0]


def _by_group(
    pieces: Sequence[_Piece], parts: Parts, protocol: EvaluationProtocol
) -> dict[str, GroupMetrics | None]:
    """Return the metrics of all pixels under each alignment, then those of the parts."""
    totals = {
        name: MetricSums.total([piece.by_alignment[name] for piece in pieces])
        for name in pieces[0].by_alignment
    }
    whole = {
        name: metrics_of(sums.merged(np.zeros(len(sums.n), np.intp), 1), protocol.deltas)[0]
        for name, sums in totals.items()
    }
    return {**whole, **parts.metrics(totals[protocol.alignment], protocol.deltas)}


def _named(
    groups: Mapping[str, GroupMetrics | None], protocol: EvaluationProtocol
) -> dict[str, float]:
    """Return the metrics of groups as ``<group>/<metric>``; of parts, the usual ones alone."""
    named = {}
    for group, metrics in groups.items():
        if metrics is None:
            continue
        more = () if is_part(group) else MORE_METRICS
        for name in (*METRICS, *more, 'n', 'log_bias'):
            named[f'{group}/{name}'] = float(getattr(metrics, name))
        if not is_part(group):
            shares = zip(protocol.deltas, metrics.more_deltas, strict=True)
            named.update((f'{group}/{DELTA}{delta:g}', share) for delta, share in shares)
        if protocol.silog == 'half':
            half = metrics.rmse_log**2 - metrics.log_bias**2 / 2
            named[f'{group}/silog'] = math.sqrt(half)
    return named


def _order(
    pred: NDArray[np.float32], gt: NDArray[np.float32], is_inverse: bool
) -> dict[str, float]:
    """Return the rank correlation; of constants there is none."""
    found = rank_correlation(pred, gt, is_inverse=is_inverse)
    return {} if math.isnan(found) else {'rank_correlation': found}


def _confidence(
    answer: DepthMap, size: Size, places: NDArray[np.intp]
) -> NDArray[np.float32] | None:
    if answer.confidence is None:
        return None
    return resized(answer.confidence, size, 'nearest').ravel()[places]
