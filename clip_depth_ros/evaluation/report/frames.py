# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames that a report shows: the first predictor's best, typical and worst."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.results.tables import is_baseline, number, own_alignment
from clip_depth_ros.evaluation.score.prepare import prepare
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.sources.samples import DepthSample, SampleSource
from clip_depth_ros.types import Depth, DepthMap, Intrinsics, Rgb
import numpy as np
from numpy.typing import NDArray

Ask = Callable[[Sequence[DepthSample]], Sequence[DepthMap | DataError]]
"""Returns a predictor's answer for each frame."""

_ENDS_PERCENT: Final = (1.0, 99.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFrame:
    """
    An image, uint8 (h, w, 3), with everything that a report shows of it; see `frame_caption`.

    ``gt_m`` is the true depth, float32 (H, W), metres, NaN where it does not count; ``preds`` have
    its shape: depth by predictor after alignment and clamping, NaN where there is none. Without
    the intrinsics of the image, and where its lens bends it, there is no cloud.
    """

    caption: str
    rgb: Rgb
    gt_m: Depth
    preds: Mapping[str, Depth]
    intrinsics: Intrinsics | None = None


def report_frames(result: Result) -> list[tuple[str, int]]:
    """
    Return the frames that a report shows: ``best``, ``median`` or ``worst``, and the index.

    They are chosen by the first predictor's abs_rel under the protocol's alignment. Of two frames
    with a score these are the best and the worst, of one the worst: the last is always the worst.
    The index is that in the source.
    """
    values = _abs_rel(result)
    order = np.argsort(values, kind='stable')[:np.count_nonzero(np.isfinite(values))]
    if not order.size:
        return []
    places = {'best': order[0], 'median': order[(len(order) - 1) // 2], 'worst': order[-1]}
    kinds = {1: ('worst',), 2: ('best', 'worst')}.get(len(order), tuple(places))
    return [(kind, int(result.frames.indices[places[kind]])) for kind in kinds]


def frame_caption(result: Result, kind: str, index: int) -> str:
    """Return the caption of a frame that :func:`report_frames` names."""
    place = list(result.frames.indices).index(index)
    frames, abs_rel = result.frames, number(float(_abs_rel(result)[place]))
    name, recording = frames.names[place], frames.recordings[place]
    where = '' if recording in name else f' of {recording}'
    first = next(iter(result.predictors))
    return f'{kind.capitalize()} frame: {name}{where} ({first}: abs_rel {abs_rel})'


def read_frames_again(
    result: Result, source: SampleSource, asks: Mapping[str, Ask], protocol: EvaluationProtocol
) -> list[ReportFrame]:
    """
    Read the frames that a report shows, and ask all predictors but the baselines for them.

    Parameters
    ----------
    result : Result
        What the evaluation found.
    source : SampleSource
        The frames that were evaluated; those that cannot be read any more are left out.
    asks : mapping of str to callable
        The predictors by name.
    protocol : EvaluationProtocol
        How they were compared.

    """
    shown = shown_asks(result, asks)
    frames = []
    for kind, index in report_frames(result):
        with suppress(DataError):
            caption = frame_caption(result, kind, index)
            frames.append(report_frame(caption, source[index], shown, protocol))
    return frames


def shown_asks(result: Result, asks: Mapping[str, Ask]) -> Mapping[str, Ask]:
    """Return the predictors that pictures show: all but the baselines."""
    return {name: ask for name, ask in asks.items() if not is_baseline(result, name)}


def color_range_m(
    frames: Sequence[ReportFrame], protocol: EvaluationProtocol
) -> tuple[float, float]:
    """Return the ends of the colours, metres: nearly all truth that is shown lies in between."""
    known = [frame.gt_m[np.isfinite(frame.gt_m)] for frame in frames]
    depths_m = np.concatenate([*known, np.empty(0, np.float32)])
    if not depths_m.size:
        return protocol.min_depth_m, protocol.depth_cap_m
    near_m, far_m = np.percentile(depths_m, _ENDS_PERCENT)
    return float(near_m), float(max(far_m, near_m * 1.1))


def report_frame(
    caption: str, sample: DepthSample, asks: Mapping[str, Ask], protocol: EvaluationProtocol
) -> ReportFrame:
    """Ask predictors for a frame, and return what there is to show of it."""
    preds: dict[str, Depth] = {}
    gt_m = np.full(sample.target_m.shape, np.nan, np.float32)
    for name, ask in asks.items():
        [answer] = ask([sample])
        if isinstance(answer, DataError):
            continue
        with suppress(DataError):  # named among the problems
            prepared = prepare(answer, sample, protocol)
            preds[name], gt_m = prepared.pred, prepared.shown_gt
    return ReportFrame(
        caption=caption, rgb=sample.rgb, gt_m=gt_m, preds=preds,
        intrinsics=sample.pinhole,
    )


def _abs_rel(result: Result) -> NDArray[np.float64]:
    """Return the first predictor's abs_rel by frame, float64 (n,); NaN where it has none."""
    values = result.frames.values.get(next(iter(result.predictors), ''), {})
    missing = np.full(len(result.frames.names), np.nan)
    return np.asarray(values.get(f'{own_alignment(result)}/abs_rel', missing), np.float64)
