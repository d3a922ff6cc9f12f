# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One answer compared with the truth: every number that is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clip_depth_ros.core.alignment import Alignment, fit_alignment
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.metric_sums import blocks, MetricSums, PixelErrors
from clip_depth_ros.core.metrics import GroupMetrics, metrics_of
from clip_depth_ros.evaluation.score.continuity import continuity
from clip_depth_ros.evaluation.score.curve_sums import confidence_sums, error_sums, Sums
from clip_depth_ros.evaluation.score.parts import Parts, parts_of
from clip_depth_ros.evaluation.score.prepare import prepare
from clip_depth_ros.evaluation.score.protocol import EvaluationProtocol
from clip_depth_ros.evaluation.score.resizing import resized
from clip_depth_ros.evaluation.score.score import ALIGNMENTS, FrameScore, METRICS
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import DepthMap
import numpy as np
from numpy.typing import NDArray


def score_frame(
    answer: DepthMap, sample: DepthSample, protocol: EvaluationProtocol
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
    gt = prepared.gt.ravel()[places]
    pixels = _Pixels(
        pred=prepared.answer.ravel()[places],
        gt=gt,
        parts=parts_of(gt, places, size, sample.classes),
        confidence=_confidence(answer, size, places),
    )
    fits = {name: fit_alignment(name, pixels.pred, gt) for name in ALIGNMENTS}
    pieces = [_compare(pixels, block, fits, protocol) for block in blocks(len(places))]
    log_gt, log_error = (
        np.concatenate([getattr(piece, name) for piece in pieces])
        for name in ('log_gt', 'log_error')
    )
    values = {
        **_named(_by_group(pieces, pixels.parts, protocol)),
        'scale': fits['median'].scale,
        'coverage': prepared.coverage,
        **continuity(log_error, log_gt, places, size),
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
    curves: Sums
    log_gt: NDArray[np.float64]
    log_error: NDArray[np.float64]


def _compare(
    pixels: _Pixels, block: slice, fits: Mapping[str, Alignment], protocol: EvaluationProtocol
) -> _Piece:
    """Compare some pixels; the sums of the protocol's own alignment are those of its cells."""
    gt = pixels.gt[block].astype(np.float64)
    log_gt = np.log(gt)
    pred, limits_m = pixels.pred[block], (protocol.min_depth_m, protocol.depth_cap_m)
    errors = {
        name: PixelErrors.of(np.clip(fit.apply(pred), *limits_m), gt)
        for name, fit in fits.items()
    }
    own = errors[protocol.alignment]
    parts = pixels.parts
    curves = error_sums(own, log_gt)
    if pixels.confidence is not None:
        curves.update(confidence_sums(own, pixels.confidence[block]))
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


def _by_group(
    pieces: Sequence[_Piece], parts: Parts, protocol: EvaluationProtocol
) -> dict[str, GroupMetrics | None]:
    """Give the metrics of all pixels under each alignment, then those of the parts."""
    totals = {
        name: MetricSums.total([piece.by_alignment[name] for piece in pieces])
        for name in ALIGNMENTS
    }
    whole = {
        name: metrics_of(sums.merged(np.zeros(len(sums.n), np.intp), 1))[0]
        for name, sums in totals.items()
    }
    return {**whole, **parts.metrics(totals[protocol.alignment])}


def _named(groups: Mapping[str, GroupMetrics | None]) -> dict[str, float]:
    """Give the metrics of groups as ``<group>/<metric>``."""
    return {
        f'{group}/{name}': float(getattr(metrics, name))
        for group, metrics in groups.items()
        if metrics
        for name in (*METRICS, 'n', 'log_bias')
    }


def _confidence(
    answer: DepthMap, size: Size, places: NDArray[np.intp]
) -> NDArray[np.float32] | None:
    if answer.confidence is None:
        return None
    return resized(answer.confidence, size, 'nearest').ravel()[places]
