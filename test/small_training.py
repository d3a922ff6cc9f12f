# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A training that takes a second, for tests."""

from __future__ import annotations

import json
import os
from pathlib import Path
import subprocess
import sys
from typing import Any

from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.training.loop import train
from clip_depth_ros.training.run import read_log
from ramps import Ramps

TEST_DIR = Path(__file__).parent

IN_A_PROCESS = """
import json, sys, time
from clip_depth_ros.training.loop import train
from small_training import small_settings, small_sources
out_dir, changes, resume, pause_s = json.loads(sys.argv[1])
train(
    small_settings(out_dir, **changes), resume=resume, sources=small_sources(),
    on_progress=lambda progress: time.sleep(pause_s),
)
"""


def small_settings(out_dir: Any, **changes: Any) -> TrainSettings:
    """Return the settings of a training of 8 short steps."""
    settings: TrainSettings = TrainSettings.from_mapping({
        'backbone': 'tiny', 'pretrained': 'random', 'device': 'cpu', 'amp': 'off',
        'taps': (0, 1), 'mirror_length': 4, 'reduce_dim': 16, 'n_heads': 2, 'mlp_dim': 32,
        'head': 'simple', 'min_depth_m': 1.0, 'max_depth_m': 80.0,
        'steps': 8, 'batch_size': 4, 'learning_rate': 3e-3, 'ema_decay': 0.5,
        'validation_interval': 4, 'save_interval': 2, 'log_interval': 1, 'n_sheet_frames': 1,
        'n_workers': 0, 'n_threads': 1, 'out_dir': str(out_dir),
        **changes,
    })
    return settings


def small_sources() -> tuple[Ramps, Ramps]:
    """Return frames of training and held-out frames."""
    return Ramps(10), Ramps(5, seed=1)


def trained(out_dir: Path, *, sources: Any = None, options: Any = None, **changes: Any) -> Any:
    """Train in this process."""
    settings = small_settings(out_dir, **changes)
    return train(settings, sources=sources or small_sources(), **(options or {}))


def started(
    out_dir: Path,
    *,
    resume: bool = False,
    pause_s: float = 0.0,
    environment: Any = None,
    **changes: Any,
) -> subprocess.Popen[bytes]:
    """Start a training in a process of its own, that pauses after each step."""
    arguments = json.dumps([str(out_dir), changes, resume, pause_s])
    return subprocess.Popen(
        [sys.executable, '-c', IN_A_PROCESS, arguments],
        cwd=TEST_DIR,
        env={
            **os.environ,
            # This checkout, whichever one is installed.
            'PYTHONPATH': os.pathsep.join([str(TEST_DIR.parent), str(TEST_DIR)]),
            **(environment or {}),
        },
    )


def losses(out_dir: Path) -> list[tuple[int, float]]:
    """Return steps and losses that a run has written down."""
    return [(int(row['step']), float(row['loss'])) for row in read_log(out_dir / 'train.csv')]
