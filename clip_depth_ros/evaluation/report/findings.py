# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a result shows: sentences about its first predictor, and image regions as tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import math
from typing import Final

from clip_depth_ros.evaluation.results.result import Estimate, PredictorResult, Result
from clip_depth_ros.evaluation.results.tables import (
    is_baseline,
    number,
    own_alignment,
    part_names,
    PARTS,
)
from clip_depth_ros.evaluation.results.verdict import relation, weakest_part
from clip_depth_ros.evaluation.score.parts import REGION_ROWS, REGIONS
from matplotlib import colormaps
from matplotlib.colors import to_hex

_TILE_COLORS: Final = 'YlOrRd'

_EMPTY_COLORS: Final = ('#e4e8ec', '#52606d')
"""Of a tile without a value, and of the dash on it."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A region of the image: its name, its metrics as text, the colours of tile and text."""

    name: str
    abs_rel: str
    delta1: str
    color: str
    ink: str


def findings(result: Result) -> list[str]:
    """Return sentences about the first predictor; they claim only what the intervals allow."""
    if not result.predictors:
        return []
    name, first = next(iter(result.predictors.items()))
    return [
        *_against_others(result, name, f'{own_alignment(result)}/abs_rel'),
        *_weakest_parts(result, first),
        *_scale(first),
        *_coverage(first),
    ]


def _against_others(result: Result, name: str, metric: str) -> Iterator[str]:
    ours = result.predictors[name].estimates.get(metric)
    others = [
        f'{_relation(ours, theirs)} {other} ({number(theirs.mean)})'
        for other, found in result.predictors.items()
        if other != name and ours and (theirs := found.estimates.get(metric))
    ]
    if ours and others:
        yield f'abs_rel {number(ours.mean)}: {", ".join(others)}.'


def _relation(ours: Estimate, theirs: Estimate) -> str:
    """Say less, more, or no difference shown, judged by the intervals."""
    found = relation(ours, theirs)
    if found == 'too few':
        return 'too few frames to tell it from'
    if found == 'no difference':
        return 'no difference shown (the intervals meet) from'
    change = ours.mean / theirs.mean - 1 if theirs.mean else math.inf
    return f'{abs(100 * change):.0f} % {found} than'


def _weakest_parts(result: Result, first: PredictorResult) -> Iterator[str]:
    """Name the part of each kind that has the largest error."""
    worst = [
        f'{found[0]} ({number(found[1])})'
        for kind in PARTS
        if (found := weakest_part(result, first, kind))
    ]
    if worst:
        yield f'Largest abs_rel: {", ".join(worst)}.'


def _scale(first: PredictorResult) -> Iterator[str]:
    scale = first.estimates.get('scale')
    if scale is None or not math.isfinite(first.scale_spread):
        return
    yield (
        f'Scale (median gt / median pred): {number(scale.mean)} on average, wandering by about '
        f'{100 * math.expm1(first.scale_spread):.0f} % from frame to frame.'
    )


def _coverage(first: PredictorResult) -> Iterator[str]:
    coverage = first.estimates.get('coverage')
    if coverage is not None and coverage.mean < 0.9995:
        yield f'{100 * (1 - coverage.mean):.1f} % of the pixels with ground truth have no answer.'


def region_tiles(result: Result) -> dict[str, list[list[Tile]]]:
    """
    Return abs_rel by image region as rows of tiles in the regions' places, by predictor.

    A region without truth, such as the sky, keeps its place, in grey. The strongest colour stands
    for the largest error of the predictors that are not baselines.
    """
    if not part_names(result, 'region'):
        return {}
    errors = [
        _mean(found, f'{region}/abs_rel')
        for name, found in result.predictors.items() if not is_baseline(result, name)
        for region in REGIONS
    ]
    most = max(filter(math.isfinite, errors), default=1.0)
    return {
        name: [[_tile(found, region, most) for region in row] for row in REGION_ROWS]
        for name, found in result.predictors.items()
    }


def tile_colors(share: float) -> tuple[str, str]:
    """Return the colours of a tile and of the text on it; 0 is light, 1 is strong."""
    red, green, blue, _ = colormaps[_TILE_COLORS](0.05 + 0.75 * min(max(share, 0.0), 1.0))
    is_light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
    return to_hex((red, green, blue)), '#1d2733' if is_light else '#ffffff'


def _tile(found: PredictorResult, region: str, most: float) -> Tile:
    abs_rel, delta1 = (_mean(found, f'{region}/{metric}') for metric in ('abs_rel', 'delta1'))
    if math.isfinite(abs_rel):
        color, ink = tile_colors(abs_rel / most if most > 0 else 0.0)
    else:
        color, ink = _EMPTY_COLORS
    return Tile(region.partition(' ')[2], number(abs_rel), number(delta1), color, ink)


def _mean(found: PredictorResult, name: str) -> float:
    return found.estimates[name].mean if name in found.estimates else math.nan
