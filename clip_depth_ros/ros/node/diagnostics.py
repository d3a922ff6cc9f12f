# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node says about itself on /diagnostics, as a pure function of what it knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
import os
from pathlib import Path

from clip_depth_ros.ros.node.statistics import Statistics
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
    transition_error : str
        Why the last transition failed; empty if it did not.
    change_error : str
        Why changed parameters are not in force; empty if they are, or are being built.
    changes : str
        Which settings in force differ from the parameters; empty if none do.
    image_error, image_error_age_s
        The newest error with an image and its age in seconds; empty if none.
    predictor : mapping
        ``DepthPredictor.describe()``.
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
    transition_error: str
    change_error: str
    changes: str
    image_error: str
    image_error_age_s: float
    image_topic: str
    scene: str = ''
    predictor: Mapping[str, str] = field(default_factory=dict)


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
    if health.transition_error:
        return DiagnosticStatus.ERROR, f'{health.state}: {health.transition_error}'
    if health.change_error:
        message = f'parameters are not in force ({health.changes}): {health.change_error}'
        return DiagnosticStatus.WARN, message
    if health.state != 'active':
        return DiagnosticStatus.OK, f'{health.state}: not running'
    if health.last_image_age_s is None:
        return DiagnosticStatus.WARN, f'waiting for images on {health.image_topic}'
    if health.last_image_age_s > STALE_AFTER_S:
        age = f'{health.last_image_age_s:.1f} s'
        return DiagnosticStatus.WARN, f'no image on {health.image_topic} for {age}'
    if health.image_error and health.image_error_age_s < 2 * STALE_AFTER_S:
        return DiagnosticStatus.WARN, health.image_error
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
        'last_error': health.transition_error or health.change_error or health.image_error,
        'parameters': _parameters_text(health),
        'camera_problem': health.camera_problem,
        'memory_mb': f'{resident_memory_mb():.0f}',
    }
    for name in ('received', 'processed', 'dropped', 'failed', 'idle', 'discarded', 'time_jumps'):
        values[f'images_{name}' if name != 'time_jumps' else name] = str(counts.get(name, 0))
    for kind in ('exact', 'nearest', 'last', 'none'):
        values[f'camera_info_{kind}'] = str(counts.get(f'camera_info_{kind}', 0))
    if health.scene:
        values['scene'] = health.scene
    return {**values, **health.predictor}


def _parameters_text(health: Health) -> str:
    """Return whether the parameters are in force, and which are not."""
    if not health.changes:
        return 'in force'
    return f'{"not in force" if health.change_error else "being built"}: {health.changes}'


def resident_memory_mb() -> float:
    """Give the resident memory of this process in MB; NaN where the system does not tell."""
    try:
        pages = int(Path('/proc/self/statm').read_text(encoding='ascii').split()[1])
    except (OSError, IndexError, ValueError):
        return float('nan')
    return pages * os.sysconf('SC_PAGE_SIZE') / 1e6
