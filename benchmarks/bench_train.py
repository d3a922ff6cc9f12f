# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How fast CLIP2Depth trains and answers, by image size.

    python benchmarks/bench_train.py --device cuda
    python benchmarks/bench_train.py --device cpu --backbone tiny --sizes 96x320 --batch-size 4

Weights are random: speed does not depend on them. Training is measured with images (frozen CLIP
and decoder) and with cached tokens (decoder alone); latency is one image in, depth out, without
flip averaging.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import statistics
import time

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.model.backbone import build_backbone
from clip_depth_ros.model.devices import this_machine
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.training.clip import FrozenClip
from clip_depth_ros.training.distributed import Ranks
from clip_depth_ros.training.frames.frames import Batch
from clip_depth_ros.training.learner import Learner
from clip_depth_ros.training.start import start_model
from clip_depth_ros.training.validation import predict
import numpy as np
import torch


def main() -> None:
    """Print one line for each size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--device', default='auto')
    parser.add_argument('--backbone', default='ViT-B-16-quickgelu')
    parser.add_argument('--sizes', nargs='+', default=['352x352', '352x704', '352x1216'],
                        metavar='HxW')
    parser.add_argument('--taps', type=int, nargs='+', help='(default: 3 6 9; tiny: 1 3 5)')
    parser.add_argument('--batch-size', type=int, default=16)
    parser.add_argument('--amp', default='auto', choices=('auto', 'off', 'bf16', 'fp16'))
    parser.add_argument('--repeats', type=int, default=10)
    args = parser.parse_args()
    taps = args.taps or ([1, 3, 5] if args.backbone == 'tiny' else [3, 6, 9])
    settings = TrainSettings.from_mapping({
        'backbone': args.backbone, 'pretrained': 'random', 'device': args.device, 'taps': taps,
        'batch_size': args.batch_size, 'amp': args.amp, 'steps': 10**6,
    })
    device, _ = this_machine(settings.device, 'fp32')
    clip = FrozenClip(build_backbone(settings.backbone_settings(), device, 'fp32'), settings)
    learner = Learner(start_model(settings, clip), clip, settings, Ranks())
    print(f'{settings.backbone} on {device}, {clip.dtype}, batch {args.batch_size}')
    for size in args.sizes:
        height, width = map(int, size.split('x'))
        measure(Size(height, width), learner, clip, args.batch_size, args.repeats, device)


def measure(
    size: Size, learner: Learner, clip: FrozenClip, batch_size: int, repeats: int, device: str
) -> None:
    """Print training throughput and latency of one image size."""
    images = batch_of_noise(size, batch_size)
    tokens = Batch(
        images.names, None, torch.from_numpy(clip.encode(np.asarray(images.rgbs))), size,
        images.targets_m, images.focal_ratios, None, {},
    )
    one = batch_of_noise(size, 1)
    train_s = seconds(lambda: learner.step(0, [images]), repeats, device)
    cached_s = seconds(lambda: learner.step(0, [tokens]), repeats, device)
    model = learner.model.eval()
    model.freeze_condition(clip.backbone)
    latency_s = seconds(lambda: predict(model, clip, one), repeats, device)
    print(
        f'{size.height:5d}x{size.width:<5d} training {batch_size / train_s:8.1f} images/s, '
        f'cached tokens {batch_size / cached_s:8.1f} images/s, latency {1e3 * latency_s:7.1f} ms'
    )


def batch_of_noise(size: Size, count: int) -> Batch:
    """Return images and depth of noise."""
    rng = np.random.default_rng(0)
    rgbs = rng.integers(0, 256, (count, *size, 3), np.uint8)
    targets_m = rng.uniform(1, 80, (count, *size)).astype(np.float32)
    names = [str(number) for number in range(count)]
    return Batch(
        names, torch.from_numpy(rgbs), None, size, list(torch.from_numpy(targets_m)),
        torch.ones(count), None, {},
    )


def seconds(do: Callable[[], object], repeats: int, device: str) -> float:
    """Return the median time of doing something, seconds, after warming up."""
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        do()
        if device != 'cpu':
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


if __name__ == '__main__':
    main()
