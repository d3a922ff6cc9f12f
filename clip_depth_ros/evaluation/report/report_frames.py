# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which frames a report shows: where the first predictor is at its best, typical, and worst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.results.tables import number, own_alignment
from clip_depth_ros.types import Depth, Intrinsics, Rgb
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFrame:
    """
    A frame with everything that a report shows of it.

    Attributes
    ----------
    caption : str
        What it is; see :func:`frame_caption`.
    rgb : uint8 (h, w, 3)
        The image.
    gt_m : float32 (H, W)
        True depth, metres; NaN where it does not count.
    preds : mapping of str to float32 (H, W)
        Depth by predictor at the size of the truth, after alignment and clamping; NaN where
        there is none.
    intrinsics : Intrinsics, optional
        Of the image; without them there is no cloud.

    """

    caption: str
    rgb: Rgb
    gt_m: Depth
    preds: Mapping[str, Depth]
    intrinsics: Intrinsics | None = None


def report_frames(result: Result) -> list[tuple[str, int]]:
    """
    Give the frames that a report shows: what each is, and its index in the source.

    Best, median and worst by the first predictor's abs_rel under the protocol's alignment: of two
    frames best and worst, of one the worst, so that the last is always the worst; nothing where no
    frame has a score.
    """
    values = _abs_rel(result)
    order = np.argsort(values, kind='stable')[:np.count_nonzero(np.isfinite(values))]
    if not order.size:
        return []
    places = {'best': order[0], 'median': order[(len(order) - 1) // 2], 'worst': order[-1]}
    kinds = {1: ('worst',), 2: ('best', 'worst')}.get(len(order), tuple(places))
    return [(kind, int(result.frames.indices[places[kind]])) for kind in kinds]


def frame_caption(result: Result, kind: str, index: int) -> str:
    """Give the words for a frame that :func:`report_frames` names."""
    place = list(result.frames.indices).index(index)
    frames, abs_rel = result.frames, number(float(_abs_rel(result)[place]))
    name, recording = frames.names[place], frames.recordings[place]
    where = '' if recording in name else f' of {recording}'
    first = next(iter(result.predictors))
    return f'{kind.capitalize()} frame: {name}{where} ({first}: abs_rel {abs_rel})'


def _abs_rel(result: Result) -> NDArray[np.float64]:
    """Give the first predictor's abs_rel by frame, float64 (n,); NaN where it has none."""
    values = result.frames.values.get(next(iter(result.predictors), ''), {})
    missing = np.full(len(result.frames.names), np.nan)
    return np.asarray(values.get(f'{own_alignment(result)}/abs_rel', missing), np.float64)
