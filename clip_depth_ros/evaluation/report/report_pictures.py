# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a report shows of single frames: panels, their colours, clouds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from clip_depth_ros.evaluation.report.cloud_view import (
    Cloud,
    draw_cloud,
    Extent,
    extent_of,
    frame_clouds,
)
from clip_depth_ros.evaluation.report.colors import PictureColors
from clip_depth_ros.evaluation.report.page import Picture
from clip_depth_ros.evaluation.report.panels import frame_panels
from clip_depth_ros.evaluation.report.report_frames import ReportFrame
from clip_depth_ros.evaluation.report.svg import Canvas, STYLE, svg_picture
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
