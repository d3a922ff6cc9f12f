# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How good it is by image region: tiles in the regions' places, the more colour the more error."""

from __future__ import annotations

from dataclasses import dataclass
import math

from clip_depth_ros.evaluation.report.colors import tile_colors
from clip_depth_ros.evaluation.results.result import PredictorResult, Result
from clip_depth_ros.evaluation.results.tables import is_baseline, number, part_names


@dataclass(frozen=True, slots=True)
class Tile:
    """A region of the image: its name, its metrics as texts, the colours of tile and text."""

    name: str
    abs_rel: str
    delta1: str
    color: str
    ink: str


def region_tiles(result: Result) -> dict[str, list[list[Tile]]]:
    """
    Give abs_rel by image region as tiles in the regions' places, by predictor.

    The strongest colour is the largest error of the predictors that are no baselines.
    """
    places = [part.split()[1:] for part in part_names(result, 'region')]
    rows, columns = (list(dict.fromkeys(place[i] for place in places)) for i in (0, -1))
    regions = [[f'region {row} {column}' for column in columns] for row in rows]
    errors = [
        _mean(found, f'{region}/abs_rel')
        for name, found in result.predictors.items() if not is_baseline(result, name)
        for row in regions
        for region in row
    ]
    most = max(filter(math.isfinite, errors), default=1.0)
    return {
        name: [[_tile(found, region, most) for region in row] for row in regions]
        for name, found in result.predictors.items()
        if regions
    }


def _tile(found: PredictorResult, region: str, most: float) -> Tile:
    abs_rel, delta1 = (_mean(found, f'{region}/{metric}') for metric in ('abs_rel', 'delta1'))
    is_known = most > 0 and math.isfinite(abs_rel)
    color, ink = tile_colors(abs_rel / most if is_known else 0.0)
    return Tile(region.partition(' ')[2], number(abs_rel), number(delta1), color, ink)


def _mean(found: PredictorResult, name: str) -> float:
    return found.estimates[name].mean if name in found.estimates else math.nan
