# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a report shows of single frames: panels, their colours, clouds; and regions as tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
import math
from typing import Final

from clip_depth_ros.evaluation.cloud_view import Cloud, draw_cloud, Extent, extent_of, frame_clouds
from clip_depth_ros.evaluation.colors import PictureColors, tile_colors
from clip_depth_ros.evaluation.page import Picture
from clip_depth_ros.evaluation.panels import frame_panels
from clip_depth_ros.evaluation.report_frames import ReportFrame
from clip_depth_ros.evaluation.result import PredictorResult, Result
from clip_depth_ros.evaluation.summary_tables import is_baseline, number, part_names
from clip_depth_ros.evaluation.svg import Canvas, STYLE, svg_picture
from matplotlib import rc_context
from matplotlib.figure import Figure

_WIDE: Final = 1.9
"""Images with a greater ratio of width to height are shown two in a row."""

_CLOUD_WIDTH_IN: Final = 7.0
_CLOUD_MOST_IN: Final = 10.0
_CLOUD_DPI: Final = 130
_LABELS_IN: Final = 0.35


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """The panels of a frame: image and truth, then depth and error of each predictor."""

    caption: str
    pictures: Sequence[Picture]
    is_wide: bool


@dataclass(frozen=True, slots=True)
class Tile:
    """A region of the image: its name, its metrics as texts, the colours of tile and text."""

    name: str
    abs_rel: str
    delta1: str
    color: str
    ink: str


def shown_frame(frame: ReportFrame, colors: PictureColors) -> ShownFrame:
    """Give the panels of a frame."""
    pictures = [
        Picture(panel.caption, f'{frame.caption}: {panel.caption}', panel.png())
        for panel in frame_panels(frame, colors)
    ]
    height, width = frame.gt_m.shape
    return ShownFrame(frame.caption, pictures, width > _WIDE * height)


def color_bars(colors: PictureColors) -> Picture:
    """Draw which colour is which depth, and which error."""
    def draw(figure: Canvas) -> None:
        depth, error = figure.subplots(1, 2)
        colors.draw_depth_bar(figure, depth, 'depth in metres, log scale; grey: not known')
        colors.draw_error_bar(
            figure, error, 'error, (pred - gt) / gt; red: too near, blue: too far'
        )

    caption = (
        'Colours of depth and of errors. Where the ground truth is sparse it is drawn as dots '
        'over the image in grey.'
    )
    return svg_picture('Colours', caption, draw, height_in=0.75, width_in=9.0)


def cloud_pictures(frame: ReportFrame) -> list[Picture]:
    """Draw the truth and each answer as clouds over the same extent; none without intrinsics."""
    clouds = frame_clouds(frame)
    if not clouds:
        return []
    extent = extent_of(next(iter(clouds.values())))
    return [
        Picture(
            name,
            f'{frame.caption}: {name}, from above (top) and from the side, in the colours of the '
            'image.',
            _cloud_png(cloud, extent),
        )
        for name, cloud in clouds.items()
    ]


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


def _cloud_png(cloud: Cloud, extent: Extent) -> bytes:
    heights_m = (2 * extent.aside_m, extent.down_m + extent.up_m)
    per_m = _CLOUD_WIDTH_IN / extent.far_m
    height_in = min(sum(heights_m) * per_m, _CLOUD_MOST_IN) + 2 * _LABELS_IN
    png = BytesIO()
    with rc_context(STYLE):  # type: ignore[arg-type]
        figure = Figure((_CLOUD_WIDTH_IN, height_in), dpi=_CLOUD_DPI, layout='constrained')
        above, side = figure.subplots(2, 1, sharex=True, gridspec_kw={'height_ratios': heights_m})
        draw_cloud(above, side, *cloud, extent)
        above.set_xlabel('')
        figure.savefig(png, format='png')
    return png.getvalue()
