# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Show one street through four cameras: image, truth, depth and error, the same colours for all.

    python -m weights.picture docs/cameras.png [--seed S] [--frame N] [settings of the predictor]

Numbers below the pictures: abs_rel of the frame that is shown, and over several frames of the
drive; and those of the same predictor when it ignores the camera.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
import sys
from typing import Any, Final

from clip_depth_ros.cli.flags import add_setting_flags, given_settings
from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.core.metrics import relative_error
from clip_depth_ros.errors import ClipDepthError
from clip_depth_ros.evaluation.report.panels import mean_abs, PictureColors
from clip_depth_ros.evaluation.score.prepare import prepare
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.node import read_parameters
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Depth, DepthPredictor, Intrinsics, Rgb
from clip_depth_ros.world.drive import Drive
from clip_depth_ros.world.rig import kitti_like, Rig
from matplotlib.figure import Figure
import numpy as np
from weights.table import DEPTH_CAP_M, PROTOCOL

RIGS: Final = {
    "KITTI's camera": Rig(kitti_like(640, 192)),
    '4:3, 60° wide': Rig(Intrinsics.of_hfov(60, 480, 360)),
    '16:10, 90° wide, on a low robot': Rig(
        Intrinsics.of_hfov(90, 480, 300), height_m=0.4, on_sidewalk=True
    ),
    "KITTI's, a lens 2 x as long": Rig(kitti_like(640, 192)).with_lens(2),
}
"""The cameras that look at the street."""

_SEED: Final = 1_000_011  # held out: the bundled weights were not trained on it
_FRAMES: Final = 10
_STEP: Final = 13
_ROW_IN, _BAR_IN, _DPI = 1.55, 0.55, 110


@dataclass(frozen=True)
class Column:
    """One camera: what it shows of a frame, and how good depth is."""

    title: str
    rgb: Rgb
    truth_m: Depth
    depth_m: Depth
    error: Depth
    captions: tuple[str, str]


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the picture and return the exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m weights.picture', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('out', type=Path, metavar='PNG', help='the picture')
    parser.add_argument('--seed', type=int, default=_SEED, help='street (default: %(default)s)')
    parser.add_argument('--frame', type=int, default=40, help='(default: %(default)s)')
    add_setting_flags(parser)
    args = parser.parse_args(argv)
    try:
        settings: PredictorSettings = PredictorSettings.from_mapping(
            {**read_parameters('synthetic'), **given_settings(args)}
        )
        knowing = build_predictor(settings)
        ignoring = build_predictor(settings.changed(camera='ignore'), knowing)
        columns = [
            column(title, Drive(args.seed, rig=rig), args.frame, knowing, ignoring)
            for title, rig in RIGS.items()
        ]
        atomic_write_bytes(args.out, picture(columns, DEPTH_CAP_M))
    except ClipDepthError as error:
        print(f'weights.picture: error: {error}', file=sys.stderr)
        return 1
    for each in columns:
        print(each.title, *each.captions, sep='; ')
    return 0


def column(
    title: str, drive: Drive, number: int, knowing: DepthPredictor, ignoring: DepthPredictor
) -> Column:
    """Return what a camera shows of a frame, and how good depth is over several."""
    numbers = [number, *range(0, _STEP * (_FRAMES - 1), _STEP)]
    samples = [_sample(drive, each) for each in numbers]
    cameras = [sample.intrinsics for sample in samples]
    rgbs = [sample.rgb for sample in samples]
    by_use = []
    for predictor in (knowing, ignoring):
        answers = predictor.predict_batch(rgbs, cameras)
        by_use.append([
            prepare(*each, PROTOCOL) for each in zip(answers, samples, strict=True)
        ])
    errors = [
        [relative_error(each.pred, each.shown_gt) for each in prepared] for prepared in by_use
    ]
    means = [[mean_abs(error) for error in of_use] for of_use in errors]
    used, ignored = ((of_use[0], float(np.mean(of_use))) for of_use in means)
    captions = (
        f'abs_rel {used[0]:.2f}; {_FRAMES} frames {used[1]:.2f}',
        f'camera ignored {ignored[0]:.2f}; {ignored[1]:.2f}',
    )
    shown, camera = by_use[0][0], drive.intrinsics
    return Column(
        f'{title}\n{camera.width}x{camera.height}, {camera.hfov_deg:.0f}°, fx {camera.fx:.0f} px',
        rgbs[0], shown.shown_gt, shown.pred, errors[0][0], captions,
    )


def picture(columns: Sequence[Column], far_m: float) -> bytes:
    """Return a PNG: columns of cameras, rows of image, truth, depth and error."""
    colors = PictureColors(PROTOCOL.min_depth_m, far_m)
    shapes = [each.rgb.shape[1] / each.rgb.shape[0] for each in columns]
    figure = Figure((_ROW_IN * sum(shapes), 4 * _ROW_IN + 3 * _BAR_IN), dpi=_DPI)
    figure.set_layout_engine('constrained', w_pad=0.03, h_pad=0.03)
    parts: Any = figure.subfigures(2, 1, height_ratios=(4 * _ROW_IN + 2 * _BAR_IN, _BAR_IN))
    panes: Any = parts[0].subplots(4, len(columns), width_ratios=shapes)
    for place, each in enumerate(columns):
        rows = {
            'image': each.rgb, 'true depth': colors.of_depth(each.truth_m),
            'depth': colors.of_depth(each.depth_m), 'error': colors.of_error(each.error),
        }
        for axes, (name, pixels) in zip(panes[:, place], rows.items(), strict=True):
            axes.imshow(pixels)
            axes.set_xticks([])
            axes.set_yticks([])
            if not place:
                axes.set_ylabel(name, fontsize=9)
        panes[0, place].set_title(each.title, fontsize=9, loc='left')
        panes[3, place].set_xlabel('\n'.join(each.captions), fontsize=8.5, loc='left')
    bars: Any = parts[1].subplots(1, 2)
    colors.draw_depth_bar(parts[1], bars[0], 'depth in metres (log scale; grey: sky, or nearer)')
    colors.draw_error_bar(
        parts[1], bars[1], 'error, (answered - true) / true (red: too near; blue: too far)'
    )
    png = BytesIO()
    figure.savefig(png, format='png')
    return png.getvalue()


def _sample(drive: Drive, number: int) -> DepthSample:
    frame = drive.frame(number, lidar=False)
    return DepthSample(f'frame {number}', frame.rgb, frame.depth_m, frame.intrinsics)


if __name__ == '__main__':
    sys.exit(main())
