# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One image with everything that was published for it: depth, truth, errors and the cloud."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from typing import Any, Final

from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.core.clouds import points_of
from clip_depth_ros.core.depth_images import decode_depth
from clip_depth_ros.core.images import rgb_of
from clip_depth_ros.core.metrics import relative_error
from clip_depth_ros.core.projection import on_truth
from clip_depth_ros.core.stamps import stamp_ns_of
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

_PANE_IN: Final = 4.8
_TITLE_IN: Final = 0.28
_BARS_IN: Final = 0.75
_CLOUD_IN: Final = 4.4
_DPI: Final = 110
_PANE_PX: Final = round(_PANE_IN * _DPI)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFrame:
    """
    One image, uint8 (H, W, 3), with what belongs to it.

    ``depths_m`` is what was published, float32 (h, w), by the title of the method;
    ``true_depth_m`` the truth, float32 (H, W), where the recording has it, maybe sparse; ``cloud``
    has points and colours that the first method published, if it did.
    """

    rgb: Rgb
    depths_m: Mapping[str, Depth]
    true_depth_m: Depth | None
    cloud: Cloud | None


def read_published(
    plan: DemoPlan, stamps_ns: Collection[int], true_depths_m: Mapping[int, Depth]
) -> Iterator[tuple[int, PublishedFrame]]:
    """
    Yield stamps and their frames, as they were recorded: one at a time is in memory.

    Every node must have published depth for each, and clouds if it published any; what is known of
    the truth is given by stamp.
    """
    depth_topics = {method.title: method.topic('depth') for method in plan.methods}
    cloud_topic = plan.methods[0].topic('cloud')
    messages: dict[int, dict[str, Any]] = {stamp_ns: {} for stamp_ns in stamps_ns}
    with BagReader(plan.recording) as bag:
        wanted = {plan.image_topic, cloud_topic, *depth_topics.values()}
        topics = {name for name in wanted & set(bag.topics) if bag.topics[name].count}
        for recorded in bag.messages(topics):
            message: Any = bag.decode(recorded)
            stamp_ns = stamp_ns_of(message.header)
            if (found := messages.get(stamp_ns)) is None:
                continue
            found[recorded.topic] = message
            if found.keys() == topics:
                yield stamp_ns, PublishedFrame(
                    rgb=rgb_of(found[plan.image_topic]),
                    depths_m={t: decode_depth(found[topic]) for t, topic in depth_topics.items()},
                    true_depth_m=true_depths_m.get(stamp_ns),
                    cloud=_cloud_of(found[cloud_topic]) if cloud_topic in found else None,
                )
                del messages[stamp_ns]


def preview_png(
    frame: PublishedFrame, protocol: EvaluationProtocol, far_m: float, footer: str
) -> bytes:
    """
    Return a PNG of a frame and its cloud from above and from the side, with a line below it all.

    The protocol says how errors are computed, and which truth counts. Colours go from its least
    depth to ``far_m``.
    """
    colors = PictureColors(protocol.min_depth_m, far_m)
    rows = _rows(frame, colors, protocol)
    height, width = frame.rgb.shape[:2]
    # What is last has the footer below it.
    below_in = (_BARS_IN, _CLOUD_IN) if frame.cloud else (_BARS_IN + _TITLE_IN,)
    heights_in = (len(rows) * (_PANE_IN * height / width + _TITLE_IN), *below_in)
    figure = Figure(
        figsize=(_PANE_IN * len(rows[0]), sum(heights_in)), dpi=_DPI, layout='constrained'
    )
    parts: Any = figure.subfigures(len(heights_in), 1, height_ratios=heights_in)
    panes: Any = parts[0].subplots(len(rows), len(rows[0]), squeeze=False)
    for axes, (title, pixels) in zip(panes.flat, chain(*rows), strict=True):
        axes.set_axis_off()
        axes.imshow(pixels)
        axes.set_title(title, fontsize=10, loc='left', pad=3)
    _draw_bars(parts[1], colors, len(rows))
    if frame.cloud:
        _draw_cloud(parts[2], frame.cloud, next(iter(frame.depths_m)), far_m)
    parts[-1].supxlabel(footer, fontsize=10, x=0.01, ha='left')
    png = BytesIO()
    figure.savefig(png, format='png')
    return png.getvalue()


def _rows(
    frame: PublishedFrame, colors: PictureColors, protocol: EvaluationProtocol
) -> list[list[tuple[str, Rgb]]]:
    """Return rows of panes with their titles: image and depth; truth and errors, if known."""
    upper = [('camera image', frame.rgb)]
    for title, depth_m in frame.depths_m.items():
        upper.append((f'{title}: published depth', colors.of_depth(depth_m)))
    if frame.true_depth_m is None:
        return [upper]
    sample = DepthSample('the image', frame.rgb, frame.true_depth_m)
    known = known_depth(frame.true_depth_m)
    lower = [('true depth', on_truth(frame.rgb, colors.of_depth(known), known, _PANE_PX))]
    for title, depth_m in frame.depths_m.items():
        error = published_error(depth_m, sample, protocol)
        shown = on_truth(frame.rgb, colors.of_error(error), known, _PANE_PX)
        lower.append((f'{title}: error, abs_rel {mean_abs(error):.3f}', shown))
    return [upper, lower]


def known_depth(true_depth_m: Depth) -> Depth:
    """Return the truth with NaN where there is none."""
    is_known = np.isfinite(true_depth_m) & (true_depth_m > 0)
    return np.where(is_known, true_depth_m, np.float32(np.nan))


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
        figure, places[0], 'depth in metres (log scale; grey: not known)'
    )
    if n > 1:
        colors.draw_error_bar(
            figure, places[1], 'error, (published - true) / true (red: too near; blue: too far)'
        )


def _draw_cloud(figure: SubFigure, cloud: Cloud, title: str, far_m: float) -> None:
    above, side = figure.subplots(1, 2)
    aside_m = far_m / 4
    draw_cloud(above, side, *cloud, Extent(far_m, aside_m, aside_m, aside_m))
    for axes, where in ((above, 'from above'), (side, 'from the side')):
        axes.set_title(f'{title}: published cloud {where}', fontsize=10, loc='left')


def _cloud_of(message: Any) -> Cloud:
    """Return the points of a published cloud with their colours; grey where it has none."""
    fields = np.frombuffer(message.data, np.uint8).reshape(-1, message.point_step)
    # Behind x, y and z are the bytes of 0x00RRGGBB: blue, green, red, 0.
    rgb = fields[:, 14:11:-1] if message.point_step > 12 else np.full((len(fields), 3), 128)
    return points_of(message).astype(np.float32), rgb.astype(np.uint8)
