# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``clip-depth bag kitti`` and ``clip-depth bag synth``: sources of frames into a recording."""

from __future__ import annotations

import argparse
from pathlib import Path


def make_from_kitti(args: argparse.Namespace) -> int:
    """Turn a KITTI folder into a recording."""
    from clip_depth_ros.bags.writer import write_recording
    from clip_depth_ros.sources.as_messages import kitti_messages
    from clip_depth_ros.sources.kitti_files import find_kitti_frames
    from tqdm import tqdm

    frames = find_kitti_frames(args.folder, rate_hz=args.rate)[: args.frames]
    out = args.out or Path(f'{args.folder.resolve().name}.mcap')
    messages = kitti_messages(tqdm(frames, unit='frame', disable=None))
    write_recording(messages, out, force=args.force)
    n_without_scan = sum(frame.scan_path is None for frame in frames)
    without = f', {n_without_scan} of them without a LiDAR scan' if n_without_scan else ''
    print(f'{out}: {len(frames)} frames{without}')
    return 0


def make_synthetic(args: argparse.Namespace) -> int:
    """Render a synthetic drive into a recording."""
    from clip_depth_ros.bags.writer import write_recording
    from clip_depth_ros.sources.as_messages import drive_messages
    from clip_depth_ros.world.drive import Drive
    from tqdm import tqdm

    out = args.out or Path(f'synthetic_{args.seed}.mcap')
    drive = Drive(args.seed, width=args.width, height=args.height, rate_hz=args.rate)
    bar = tqdm(drive.frames(args.frames), total=args.frames, unit='frame', disable=None)
    write_recording(drive_messages(bar), out, force=args.force)
    print(f'{out}: {args.frames} frames, seed {args.seed}')
    return 0
