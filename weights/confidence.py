# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Tables of confidence: how often answers are right, measured on streets that are used for no more.

A method answers; each pixel with a true depth is right if it is within a factor of 1.25. The share
of right ones is taken in cells of equally many pixels, by raw measure and answered depth, and must
not fall where the measure rises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
import math
from pathlib import Path
from typing import Any, Final, NamedTuple

from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.core.patches import ConfidenceTable
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.evaluation.score.prepare import is_right, valid_gt
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.predictor.confidence import Confidence, table_json, table_path
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.kinds.synthetic import WorldSource
from clip_depth_ros.sources.registry import FrameRules, kind_of, open_one, Source
from clip_depth_ros.world.rendered_streets import Streets
import numpy as np
from numpy.typing import NDArray
from weights.table import PROTOCOL

STREETS: Final = (
    Streets(920_000, 60, 2, 320, 96),
    Streets(920_100, 120, 1, 320, 240, cameras='varied'),
)
"""For these tables alone: neither trained on nor in any other table."""

FITTED_ON: Final = (
    "240 rendered frames, half of them behind KITTI's camera and half behind cameras drawn as "
    'those of training: seeds 920000 to 920059 and 920100 to 920219'
)

_PIXELS: Final = 4000
"""Of each frame, drawn at random: neighbours say the same."""

_MEASURES: Final = 12
_DEPTHS: Final = 8
_PRIOR: Final = 200.0
"""Pixels' worth of the mean over all depths in each cell: few pixels of one frame are no share."""


class Answered(NamedTuple):
    """Pixels with a true depth, (N,): raw measure, answered depth in trained metres, right."""

    measure: NDArray[np.float32]
    depth_m: NDArray[np.float32]
    is_right: NDArray[np.bool_]


def write_table(
    settings: PredictorSettings, data: Sequence[str] = (), on_frame: Callable[[], None] = print
) -> Path:
    """
    Measure the table of the weights in the settings, and write it where it is looked for.

    On the streets for that, or on frames with depth of any source that ``clip-depth evaluate``
    reads. ConfigError if the weights have no file that a table could lie beside.
    """
    predictor: Any = build_predictor(
        settings.changed(confidence_min=0.0, confidence_table='', flip=False)
    )
    named, weights = settings.confidence_table, predictor._weights_path()
    if not (named or weights):
        raise ConfigError('name the file of the table with confidence_table')
    predictor.confidence = Confidence(None, 'being measured')
    sources = [
        open_one(kind_of(each), each, SourceSettings(), FrameRules()) for each in data
    ] or [WorldSource(streets) for streets in STREETS]
    pixels = answered(predictor, sources, on_frame)
    said = f'{sum(map(len, sources))} frames of {", ".join(data)}' if data else FITTED_ON
    path = Path(named) if named else table_path(weights)
    content = table_json(fit(pixels), predictor._used(), said[:300])
    atomic_write_bytes(path, content.encode())
    return path


def answered(
    predictor: Any, sources: Sequence[Source], on_frame: Callable[[], None] = lambda: None
) -> Answered:
    """Return what a predictor with a raw measure answers on frames."""
    parts = [part for source in sources for part in _of_frames(predictor, source, on_frame)]
    return Answered(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def fit(pixels: Answered) -> ConfidenceTable:
    """Return the table of these pixels."""
    rows, measure = _cells(pixels.measure, _MEASURES)
    columns, depth_m = _cells(pixels.depth_m, _DEPTHS)
    cells, shape = rows * _DEPTHS + columns, (_MEASURES, _DEPTHS)
    n = np.bincount(cells, minlength=math.prod(shape)).reshape(shape).astype(np.float64)
    right = np.bincount(cells, pixels.is_right, minlength=math.prod(shape)).reshape(shape)
    by_measure = right.sum(axis=1, keepdims=True) / n.sum(axis=1, keepdims=True)
    share = (right + _PRIOR * by_measure) / (n + _PRIOR)
    rising = [rising_to(share[:, i], n[:, i] + _PRIOR) for i in range(_DEPTHS)]
    return ConfidenceTable(measure, depth_m, np.stack(rising, axis=1))


def rising_to(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the nearest sequence that never falls, by least squares: pool adjacent violators."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(values, weights, strict=True):
        pools.append((float(value), float(weight), 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, of_a, n_a), (b, of_b, n_b) = pools[-2:]
            pools[-2:] = [((a * of_a + b * of_b) / (of_a + of_b), of_a + of_b, n_a + n_b)]
    return np.repeat([mean for mean, _, _ in pools], [length for _, _, length in pools])


def _cells(
    values: NDArray[np.float32], count: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return which of so many equally full cells each value is in, and the medians of these."""
    edges = np.quantile(values, np.linspace(0, 1, count + 1)[1:-1])
    places = np.searchsorted(edges, values)
    middles = [float(np.median(values[places == place])) for place in range(count)]
    return places, np.array(middles)


def _of_frames(
    predictor: Any, source: Source, on_frame: Callable[[], None]
) -> Iterator[tuple[NDArray[Any], ...]]:
    random = np.random.default_rng(0)
    for index in range(len(source)):
        sample = source[index]
        answer = predictor.predict(sample.rgb, sample.intrinsics)
        places = np.flatnonzero(valid_gt(sample.target_m, PROTOCOL))
        places = random.choice(places, min(_PIXELS, len(places)), replace=False)
        # An answer that is marked as out of range is one, too: the end of the range.
        ends_m = predictor.settings.min_depth_m, predictor.settings.max_depth_m
        depth_m = np.clip(answer.depth_m.ravel()[places], *map(np.float32, ends_m))
        gt_m = sample.target_m.ravel()[places]
        seen_by, trained_px = answer.seen_by, predictor.views.trained.focal_px
        ratio = seen_by.focal_px / trained_px if seen_by else 1.0
        yield (
            answer.confidence.ravel()[places],
            depth_m / np.float32(ratio),
            is_right(depth_m, gt_m),
        )
        on_frame()
