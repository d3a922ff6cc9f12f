# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What each arithmetic costs and changes: fp16 and bf16 beside fp32, both methods.

    python benchmarks/bench_precision.py --device cuda

The bundled weights answer frames of the synthetic drive, so the differences are those of trained
networks; abs_rel is against the rendered depth. RN50 at DepthCLIP's NYU size has random weights:
its time means something, its answers do not. Times are medians of single images, image in to
depth out, in one process, the arithmetics taking turns.
"""

from __future__ import annotations

import argparse
import statistics
import time

from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.world.drive import Drive
import numpy as np
import torch

PRECISIONS = ('fp32', 'fp16', 'bf16')
BUNDLED = {
    'backbone': 'tiny', 'pretrained': 'bundled', 'min_depth_m': 1.0, 'bins': 'outdoor',
    'temperature': 3.5,
}
CASES = {
    'clip2depth tiny 320x96': {**BUNDLED, 'method': 'clip2depth'},
    'depthclip tiny 320x96': {**BUNDLED, 'method': 'depthclip'},
    'depthclip RN50 544x416 random': {
        'method': 'depthclip', 'pretrained': 'random',
        'input_width_px': 544, 'input_height_px': 416,
    },
}


def main() -> None:
    """Print one line for each method and arithmetic."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--device', default='auto')
    parser.add_argument('--frames', type=int, default=40)
    args = parser.parse_args()
    drive = Drive(1_000_000)
    frames = [drive.frame(7 + 13 * index, lidar=False) for index in range(args.frames)]
    for name, values in CASES.items():
        compare(name, values, frames, args.device)


def compare(name, values, frames, device) -> None:
    """Print speed and answers of one method in each arithmetic."""
    settings = PredictorSettings.from_mapping({**values, 'device': device})
    predictors = {
        precision: build_predictor(settings.changed(precision=precision))
        for precision in PRECISIONS
    }
    times = {precision: [] for precision in PRECISIONS}
    errors = {precision: [] for precision in PRECISIONS}
    changes = {precision: [] for precision in PRECISIONS}
    for number, frame in enumerate([frames[0], frames[0], *frames]):
        answers = {}
        for precision, predictor in predictors.items():
            start = time.perf_counter()
            answers[precision] = predictor.predict(frame.rgb, frame.intrinsics).depth_m
            if number >= 2:  # the first two warm up
                times[precision].append(time.perf_counter() - start)
        for precision, depth_m in answers.items():
            valid = np.isfinite(frame.depth_m) & np.isfinite(depth_m) & (frame.depth_m < 80)
            truth = frame.depth_m[valid]
            errors[precision].append(np.mean(np.abs(depth_m[valid] - truth) / truth))
            both = np.isfinite(depth_m) & np.isfinite(answers['fp32'])
            changes[precision].append(np.abs(depth_m[both] / answers['fp32'][both] - 1))
    full_s = statistics.median(times['fp32'])
    for precision in PRECISIONS:
        median_s = statistics.median(times[precision])
        change = np.concatenate(changes[precision])
        print(
            f'{name:30} {precision}: {1e3 * median_s:7.2f} ms, {full_s / median_s:5.2f} x fp32, '
            f'abs_rel {np.mean(errors[precision]):.4f}, depth changed by mean '
            f'{change.mean():.5f}, 99.9 % {np.quantile(change, 0.999):.5f} of itself'
        )
    if torch.cuda.is_available():
        print(f'{"":30} on {torch.cuda.get_device_name()}')


if __name__ == '__main__':
    main()
