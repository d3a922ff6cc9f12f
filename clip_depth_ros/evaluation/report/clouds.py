# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Point clouds in two orthographic views: from above and from the side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import itertools
import math
from typing import Final

from clip_depth_ros.core.camera import pinhole_rays, Rays
from clip_depth_ros.evaluation.report.drawing import file_of, Picture, STYLE
from clip_depth_ros.evaluation.report.frames import ReportFrame
from clip_depth_ros.evaluation.report.panels import image_at
from clip_depth_ros.types import Depth, Rgb
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
"""float32 (N, 3): x right, y down, z forward, metres; NaN where there is none."""

Cloud = tuple[Points, NDArray[np.uint8]]
"""Points with their colours, uint8 (N, 3)."""

_MOST_POINTS: Final = 100_000
_FEW_POINTS: Final = 8_000

_PIXELS: Final = 900
"""From the camera to the farthest that is shown; each of many points is a square of 2 by 2."""

_WIDTH_IN: Final = 7.0
_MOST_HEIGHT_IN: Final = 10.0
_DPI: Final = 130
_LABELS_IN: Final = 0.35


@dataclass(frozen=True, slots=True)
class Extent:
    """Metres that the views show: forward from 0, to either side, below and above the camera."""

    far_m: float
    aside_m: float
    down_m: float
    up_m: float


def draw_cloud(
    above: Axes, side: Axes, xyz_m: Points, rgb: NDArray[np.uint8], extent: Extent
) -> None:
    """Draw a cloud with colours uint8 (N, 3) from above and from the side, each to scale."""
    is_shown = np.isfinite(xyz_m[:, 2])
    x, y, z = xyz_m[is_shown].T
    limits_m = (-extent.aside_m, extent.aside_m), (-extent.down_m, extent.up_m)
    for axes, upward, upward_m in zip((above, side), (-x, -y), limits_m, strict=True):
        if len(z) > _FEW_POINTS:
            _draw_dots(axes, z, upward, rgb[is_shown], extent.far_m, upward_m)
        else:
            axes.scatter(z, upward, c=rgb[is_shown] / 255.0, s=3.0, linewidths=0)
    _set_up_view(above, 'left (m)', extent.far_m, limits_m[0])
    _set_up_view(side, 'up (m)', extent.far_m, limits_m[1])


def _draw_dots(
    axes: Axes, forward: Depth, upward: Depth, rgb: NDArray[np.uint8], far_m: float,
    upward_m: tuple[float, float],
) -> None:
    """Draw many points as pixels of one image: as markers they would take seconds."""
    low_m, high_m = upward_m
    pixel_m = far_m / _PIXELS
    height = max(1, math.ceil((high_m - low_m) / pixel_m))
    columns, rows = np.floor(forward / pixel_m), np.floor((high_m - upward) / pixel_m)
    is_inside = (columns >= 0) & (columns < _PIXELS) & (rows >= 0) & (rows < height)
    column, row = columns[is_inside].astype(int), rows[is_inside].astype(int)
    pixels = np.zeros((height + 1, _PIXELS + 1, 4), np.uint8)
    for down, right in itertools.product((0, 1), repeat=2):
        pixels[row + down, column + right] = np.insert(rgb[is_inside], 3, 255, axis=1)
    axes.imshow(
        pixels[:-1, :-1], extent=(0.0, far_m, high_m - height * pixel_m, high_m), zorder=1
    )


def cloud_pictures(frame: ReportFrame) -> list[Picture]:
    """Draw the truth and each answer as clouds at one scale; nothing without intrinsics."""
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


def frame_clouds(frame: ReportFrame) -> Mapping[str, Cloud]:
    """Return the clouds of the truth and of each answer; nothing without intrinsics."""
    if frame.intrinsics is None:
        return {}
    height, width = frame.gt_m.shape
    rays = pinhole_rays(frame.intrinsics.scaled_to(width, height))
    rgb = image_at(frame.rgb, frame.gt_m.shape)
    depths = {'ground truth': frame.gt_m, **frame.preds}
    return {name: _points(depth_m, rays, rgb) for name, depth_m in depths.items()}


def extent_of(cloud: Cloud) -> Extent:
    """Return an extent that holds most of a cloud."""
    xyz_m, _ = cloud
    known = xyz_m[np.isfinite(xyz_m[:, 2])]
    if not known.size:
        return Extent(1.0, 1.0, 1.0, 1.0)
    far_m = 1.1 * float(np.percentile(known[:, 2], 99))
    # A glimpse down a side street must not make the rest small.
    aside_m = min(1.1 * float(np.percentile(np.abs(known[:, 0]), 95)), 0.35 * far_m)
    up_m, down_m = (1.1 * float(np.percentile(sign * known[:, 1], 99)) for sign in (-1, 1))
    least_m = far_m / 20
    return Extent(
        far_m, max(aside_m, 2 * least_m), max(down_m, least_m), max(up_m, 2 * least_m)
    )


def _points(depth_m: Depth, rays: Rays, rgb: Rgb) -> Cloud:
    known = np.flatnonzero(np.isfinite(depth_m))
    # A random choice: every n-th point of a regular grid would show patterns.
    kept = np.random.default_rng(0).permutation(known)[:_MOST_POINTS]
    z = depth_m.reshape(-1, 1)[kept]
    return np.hstack([rays.reshape(-1, 2)[kept] * z, z]), rgb.reshape(-1, 3)[kept]


def _cloud_png(cloud: Cloud, extent: Extent) -> bytes:
    heights_m = (2 * extent.aside_m, extent.down_m + extent.up_m)
    per_m = _WIDTH_IN / extent.far_m
    height_in = min(sum(heights_m) * per_m, _MOST_HEIGHT_IN) + 2 * _LABELS_IN
    with rc_context(STYLE):  # type: ignore[arg-type]
        figure = Figure((_WIDTH_IN, height_in), dpi=_DPI, layout='constrained')
        above, side = figure.subplots(2, 1, sharex=True, gridspec_kw={'height_ratios': heights_m})
        draw_cloud(above, side, *cloud, extent)
        above.set_xlabel('')
        return file_of(figure, format='png')


def _set_up_view(axes: Axes, label: str, far_m: float, upward_m: tuple[float, float]) -> None:
    axes.set_xlabel('forward (m)')
    axes.set_ylabel(label)
    axes.set_xlim(0.0, far_m)
    axes.set_ylim(*upward_m)
    axes.set_aspect('equal', adjustable='box')
    axes.set_facecolor('#f3f5f7')
    axes.grid(color='#dde3ea', linewidth=0.5)
    axes.set_axisbelow(True)
