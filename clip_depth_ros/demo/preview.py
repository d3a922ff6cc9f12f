# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One image with everything that was published for it: depth, truth, errors and the cloud."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.topics import TRUE_DEPTH
from clip_depth_ros.core.depth_images import decode_depth
from clip_depth_ros.core.images import rgb_of
from clip_depth_ros.core.metrics import relative_error
from clip_depth_ros.core.stamps import stamp_ns_of
from clip_depth_ros.demo.facts import cloud_points
from clip_depth_ros.demo.plan import DemoPlan
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.report.clouds import Cloud, draw_cloud, Extent
from clip_depth_ros.evaluation.report.panels import mean_abs, PictureColors
from clip_depth_ros.evaluation.score.prepare import prepare
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Depth, DepthMap, Rgb
from matplotlib.figure import Figure, SubFigure
import numpy as np
from numpy.typing import NDArray

_PANE_IN: Final = 4.8
_TITLE_IN: Final = 0.28
_BARS_IN: Final = 0.75
_CLOUD_IN: Final = 4.4
_DPI: Final = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFrame:
    """
    One image with what belongs to it.

    Attributes
    ----------
    rgb : uint8 (H, W, 3)
        The camera image.
    depths_m : mapping of str to float32 (h, w)
        What was published, by the title of the method.
    true_depth_m : float32 (H, W), optional
        The truth, where the recording has it.
    cloud : Cloud
        Points and colours that the first method published.

    """

    rgb: Rgb
    depths_m: Mapping[str, Depth]
    true_depth_m: Depth | None
    cloud: Cloud


def read_published(plan: DemoPlan, stamp_ns: int) -> PublishedFrame:
    """
    Return the frame of a stamp for which every node published everything.

    Raises
    ------
    RecordingError
        If the recording cannot be read.

    """
    depth_topics = {method.title: method.topic('depth') for method in plan.methods}
    cloud_topic = plan.methods[0].topic('cloud')
    messages: dict[str, Any] = {}
    with BagReader(plan.recording) as bag:
        topics = {plan.image_topic, TRUE_DEPTH, cloud_topic, *depth_topics.values()}
        for recorded in bag.messages(topics & set(bag.topics)):
            message: Any = bag.decode(recorded)
            if stamp_ns_of(message.header) == stamp_ns:
                messages[recorded.topic] = message
    depths = {
        topic: decode_depth(messages[topic])
        for topic in (TRUE_DEPTH, *depth_topics.values()) if topic in messages
    }
    points = cloud_points(messages[cloud_topic])
    return PublishedFrame(
        rgb=rgb_of(messages[plan.image_topic]),
        depths_m={title: depths[topic] for title, topic in depth_topics.items()},
        true_depth_m=depths.get(TRUE_DEPTH),
        cloud=(points[..., :3].reshape(-1, 3), _point_colors(points)),
    )


def preview_png(
    frame: PublishedFrame, protocol: EvaluationProtocol, far_m: float, footer: str
) -> bytes:
    """
    Return a PNG of a frame and its cloud from above and from the side.

    Parameters
    ----------
    frame : PublishedFrame
        What is shown.
    protocol : EvaluationProtocol
        How errors are computed, and which truth counts.
    far_m : float
        End of the colours, metres; they begin at the protocol's least depth.
    footer : str
        A line below it all.

    """
    colors = PictureColors(protocol.min_depth_m, far_m)
    rows = [[*row] for row in _rows(frame, colors, protocol)]
    height, width = frame.rgb.shape[:2]
    heights_in = (len(rows) * (_PANE_IN * height / width + _TITLE_IN), _BARS_IN, _CLOUD_IN)
    figure = Figure(
        figsize=(_PANE_IN * len(rows[0]), sum(heights_in)), dpi=_DPI, layout='constrained'
    )
    parts: Any = figure.subfigures(3, 1, height_ratios=heights_in)
    panes: Any = parts[0].subplots(len(rows), len(rows[0]), squeeze=False)
    for axes, (title, pixels) in zip(panes.flat, (pane for row in rows for pane in row),
                                     strict=True):
        axes.set_axis_off()
        axes.imshow(pixels)
        axes.set_title(title, fontsize=10, loc='left', pad=3)
    _draw_bars(parts[1], colors, len(rows))
    _draw_cloud(parts[2], frame, far_m)
    parts[2].supxlabel(footer, fontsize=10, x=0.01, ha='left')
    png = BytesIO()
    figure.savefig(png, format='png')
    return png.getvalue()


def _rows(
    frame: PublishedFrame, colors: PictureColors, protocol: EvaluationProtocol
) -> Iterator[Sequence[tuple[str, Rgb]]]:
    """Yield rows of panes with their titles: image and depth; truth and errors, if known."""
    yield [
        ('camera image', frame.rgb),
        *(
            (f'{title}: published depth', colors.of_depth(depth_m))
            for title, depth_m in frame.depths_m.items()
        ),
    ]
    if frame.true_depth_m is not None:
        sample = DepthSample('the image', frame.rgb, frame.true_depth_m)
        known = np.where(np.isfinite(frame.true_depth_m), frame.true_depth_m, np.nan)
        errors = {
            title: published_error(depth_m, sample, protocol)
            for title, depth_m in frame.depths_m.items()
        }
        yield [
            ('true depth', colors.of_depth(known)),
            *(
                (f'{title}: error, abs_rel {mean_abs(error):.3f}', colors.of_error(error))
                for title, error in errors.items()
            ),
        ]


def published_error(depth_m: Depth, sample: DepthSample, protocol: EvaluationProtocol) -> Depth:
    """Return (published - true) / true at the size of the truth; NaN where no truth counts."""
    try:
        prepared = prepare(DepthMap(depth_m), sample, protocol)
    except DataError:
        return np.full(sample.target_m.shape, np.nan, np.float32)
    return relative_error(prepared.pred, prepared.shown_gt)


def _draw_bars(figure: SubFigure, colors: PictureColors, n: int) -> None:
    """Draw the colours of depth and, with two bars, those of errors."""
    places: Any = figure.subplots(1, n, squeeze=False)[0]
    colors.draw_depth_bar(
        figure, places[0], 'depth in metres (log scale; grey: no true depth, such as sky)'
    )
    if n > 1:
        colors.draw_error_bar(
            figure, places[1], 'error, (published - true) / true (red: too near; blue: too far)'
        )


def _draw_cloud(figure: SubFigure, frame: PublishedFrame, far_m: float) -> None:
    above, side = figure.subplots(1, 2)
    aside_m = far_m / 4
    draw_cloud(above, side, *frame.cloud, Extent(far_m, aside_m, aside_m, aside_m))
    title = next(iter(frame.depths_m))
    for axes, where in ((above, 'from above'), (side, 'from the side')):
        axes.set_title(f'{title}: published cloud {where}', fontsize=10, loc='left')


def _point_colors(points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the packed colours as RGB, uint8 (N, 3); grey where the cloud has none."""
    if points.shape[2] < 4:
        return np.full((points[..., 0].size, 3), 128, np.uint8)
    packed = np.ascontiguousarray(points[..., 3]).view(np.uint8).reshape(-1, 4)
    return np.ascontiguousarray(packed[:, 2::-1])
