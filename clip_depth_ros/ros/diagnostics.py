# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node says about itself on /diagnostics, as a pure function of what it knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
import os
from pathlib import Path

from clip_depth_ros.core.statistics import Statistics
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

STALE_AFTER_S = 2.0
"""Without an image for so long, an active node says that it is waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """
    What diagnostics are made of.

    Attributes
    ----------
    name : str
        Full name of the node.
    state : str
        Lifecycle state.
    statistics : Statistics
        Counters and windows.
    now_s : float
        Monotonic seconds.
    listened : tuple of str
        Outputs that somebody subscribes to.
    last_image_age_s : float or None
        Seconds since an image came while active; None if none has.
    camera_problem : str
        Why there is no cloud and no camera_info; empty if there is.
    last_error, last_error_age_s
        The newest error and its age in seconds; empty if none.
    predictor : mapping
        ``DepthPredictor.describe()``.
    sync_counts : mapping
        Images by how their camera_info was found.
    scene : str
        The recognised scene, empty if none.
    image_topic : str
        Resolved name of the image topic.

    """

    name: str
    state: str
    statistics: Statistics
    now_s: float
    listened: tuple[str, ...]
    last_image_age_s: float | None
    camera_problem: str
    last_error: str
    last_error_age_s: float
    image_topic: str
    scene: str = ''
    predictor: Mapping[str, str] = field(default_factory=dict)
    sync_counts: Mapping[str, int] = field(default_factory=dict)


def status_of(health: Health) -> DiagnosticStatus:
    """Give the diagnostic status: the level, one sentence, and the numbers behind it."""
    level, message = _verdict(health)
    return DiagnosticStatus(
        level=level,
        name=f'{health.name}: depth',
        message=message,
        hardware_id=health.predictor.get('device', ''),
        values=[KeyValue(key=key, value=value) for key, value in _values(health).items()],
    )


def _verdict(health: Health) -> tuple[bytes, str]:
    """Give the level and the sentence for the most urgent thing there is to say."""
    is_error_new = bool(health.last_error) and health.last_error_age_s < 2 * STALE_AFTER_S
    if health.state != 'active':
        if health.last_error:
            return DiagnosticStatus.ERROR, f'{health.state}: {health.last_error}'
        return DiagnosticStatus.OK, f'{health.state}: not running'
    if health.last_image_age_s is None:
        return DiagnosticStatus.WARN, f'waiting for images on {health.image_topic}'
    if health.last_image_age_s > STALE_AFTER_S:
        age = f'{health.last_image_age_s:.1f} s'
        return DiagnosticStatus.WARN, f'no image on {health.image_topic} for {age}'
    if is_error_new:
        return DiagnosticStatus.WARN, health.last_error
    if not health.listened:
        return DiagnosticStatus.OK, 'idle: nobody subscribes'
    if health.camera_problem:
        return DiagnosticStatus.WARN, f'depth without cloud: {health.camera_problem}'
    return DiagnosticStatus.OK, 'running'


def _values(health: Health) -> dict[str, str]:
    statistics, now_s = health.statistics, health.now_s
    counts = statistics.counts()
    values = {
        'state': health.state,
        'rate_in_hz': f'{statistics.rate_hz("in", now_s):.2f}',
        'rate_out_hz': f'{statistics.rate_hz("out", now_s):.2f}',
        'latency_p50_ms': f'{1e3 * statistics.percentile("latency_s", now_s, 50):.1f}',
        'latency_p95_ms': f'{1e3 * statistics.percentile("latency_s", now_s, 95):.1f}',
        'outputs_subscribed': ' '.join(health.listened),
        'last_error': health.last_error,
        'camera_problem': health.camera_problem,
        'memory_mb': f'{resident_memory_mb():.0f}',
    }
    for name in ('received', 'processed', 'dropped', 'failed', 'idle', 'discarded', 'time_jumps'):
        values[f'images_{name}' if name != 'time_jumps' else name] = str(counts.get(name, 0))
    for kind in ('exact', 'nearest', 'last', 'none'):
        values[f'camera_info_{kind}'] = str(health.sync_counts.get(kind, 0))
    if health.scene:
        values['scene'] = health.scene
    return {**values, **health.predictor}


def resident_memory_mb() -> float:
    """Give the resident memory of this process in MB; NaN where the system does not tell."""
    try:
        pages = int(Path('/proc/self/statm').read_text(encoding='ascii').split()[1])
    except (OSError, IndexError, ValueError):
        return float('nan')
    return pages * os.sysconf('SC_PAGE_SIZE') / 1e6
