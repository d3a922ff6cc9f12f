# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node counts, and what it says about itself on /diagnostics."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import math
import os
from pathlib import Path
import threading
from typing import get_args

from clip_depth_ros.errors import ClipDepthError
from clip_depth_ros.scale.keeper import NO_SCALE, ScaleState
from clip_depth_ros.types import CameraUse
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
import numpy as np

STALE_AFTER_S = 2.0
"""Without an image for so long, an active node says that it is waiting."""


_DROPPED_SHARE = 0.1
_DROPPED_LEAST = 10
"""From which share of the images on, and how many, a machine counts as too slow (our choice)."""

_STEP_PX = 32
"""Sizes of a network's input are advised in such steps: whole patches of all CLIPs but one."""


class Window:
    """Values of the last seconds; times are monotonic seconds, handed in."""

    def __init__(self, length_s: float = 5.0) -> None:
        self._length_s = length_s
        self._samples: deque[tuple[float, float]] = deque()
        self._first_s: float | None = None

    def add(self, now_s: float, value: float = 0.0) -> None:
        """Note a value at a time."""
        if self._first_s is None:
            self._first_s = now_s
        self._samples.append((now_s, value))
        self._forget(now_s)

    def rate_hz(self, now_s: float) -> float:
        """Return samples a second over the window, or since the first one when that is shorter."""
        self._forget(now_s)
        first_s = now_s if self._first_s is None else self._first_s
        # Below a second a rate says nothing: one sample would read as hundreds of hertz.
        return len(self._samples) / max(1.0, min(self._length_s, now_s - first_s))

    def percentile(self, now_s: float, percent: float) -> float:
        """Return a percentile of the values; NaN when there is none."""
        self._forget(now_s)
        if not self._samples:
            return float('nan')
        return float(np.percentile([value for _, value in self._samples], percent))

    def _forget(self, now_s: float) -> None:
        while self._samples and self._samples[0][0] < now_s - self._length_s:
            self._samples.popleft()


class Statistics:
    """
    What a node counts: windows and counters behind one lock.

    ``counts`` are totals since the start: received, processed, dropped (overwritten by a newer
    image before a worker was free), failed, idle (nobody listened), discarded (deactivated while
    computing); not received, but unseen (published, and overwritten in the middleware or lost
    before they could be taken), which nobody knows where images came that are unnumbered.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._windows = {
            'in': Window(), 'out': Window(), 'dropped': Window(), 'latency_s': Window(30.0),
        }

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counts[name] += amount

    def note(self, name: str, now_s: float, value: float = 0.0) -> None:
        """Add a sample to a window: in, out, dropped or latency_s."""
        with self._lock:
            self._windows[name].add(now_s, value)

    def counts(self) -> dict[str, int]:
        """Return the counters as they are."""
        with self._lock:
            return dict(self._counts)

    def rate_hz(self, name: str, now_s: float) -> float:
        """Return the rate of a window."""
        with self._lock:
            return self._windows[name].rate_hz(now_s)

    def percentile(self, name: str, now_s: float, percent: float) -> float:
        """Return a percentile of a window."""
        with self._lock:
            return self._windows[name].percentile(now_s, percent)


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """
    What there is to say of a camera and its images; texts are empty where there is nothing.

    ``listened`` are the outputs that somebody subscribes to.
    """

    statistics: Statistics
    image_topic: str  # resolved name
    listened: tuple[str, ...]
    last_image_age_s: float | None = None  # None if no image came since activation
    image_error: str = ''  # the newest
    image_error_age_s: float = 0.0
    camera_problem: str = ''  # why there is no cloud and no camera_info
    scan_problem: str = ''  # why there is a cloud and no scan
    camera_notes: str = ''  # what had to be assumed about it
    camera_doubt: str = ''  # why depth may be by a wrong one
    depth_camera: str = ''  # used, assumed or ignored, and why
    fx_px: Mapping[str, float] = field(default_factory=dict)  # in the image and the network
    scene: str = ''
    align: str = 'none'  # what holds the scale
    scale: ScaleState = NO_SCALE
    scale_doubt: str = ''  # why it may be wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """
    What diagnostics are made of; texts are empty where there is nothing to say.

    ``changes`` are the settings in force that differ from the parameters, ``change_error`` why
    they do if they are not being built.
    """

    name: str  # full name of the node
    state: str  # of the lifecycle
    now_s: float  # monotonic
    cameras: Mapping[str, CameraHealth]  # by name, which is empty for a node's only one
    transition_error: str = ''  # why the last one failed
    change_error: str = ''
    changes: str = ''
    is_abandoned: bool = False  # work of before cleanup still runs
    slowness: str = ''  # what to set where the machine is slower than the camera
    predictor: Mapping[str, str] = field(default_factory=dict)  # what it says of itself


def slowness(
    cameras: Sequence[Statistics], now_s: float, input_px: tuple[int, int] | None, *, flip: bool
) -> str:
    """
    Return what to set, and to which value, where the machine is slower than all cameras together.

    Empty where it is not. The work is taken to go with the pixels of the network's input
    (``input_px``: width, height), which holds for ResNets; transformers gain more.
    """
    in_hz, dropped_hz = (
        sum(statistics.rate_hz(name, now_s) for statistics in cameras)
        for name in ('in', 'dropped')
    )
    out_hz = sum(_answered_hz(statistics, now_s) for statistics in cameras)
    n_dropped = sum(statistics.counts().get('dropped', 0) for statistics in cameras)
    if not (in_hz and out_hz) or dropped_hz < _DROPPED_SHARE * in_hz or n_dropped < _DROPPED_LEAST:
        return ''
    share = min(1.0, out_hz / in_hz) * (2 if flip else 1)
    advice = ['set flip to false (half the work)'] if flip else []
    if share < 1 and input_px:
        sides = [max(1, int(side * math.sqrt(share)) // _STEP_PX) * _STEP_PX for side in input_px]
        if math.prod(sides) < math.prod(input_px):
            advice.append(
                f'set input_width_px to {sides[0]} and input_height_px to {sides[1]} (now '
                f'{input_px[0]} and {input_px[1]})'
            )
    return (
        f'slower than the camera{"s" * (len(cameras) > 1)}: {out_hz:.1f} of {in_hz:.1f} images a '
        'second are answered; for all of them '
        f'{" and ".join(advice) or "use a faster engine or device"}'
    )


def _answered_hz(statistics: Statistics, now_s: float) -> float:
    """Return how many images of a camera are answered in a second."""
    # Of a model that takes seconds, a longer window sees more, and latency from the first answer.
    out_hz = max(statistics.rate_hz(name, now_s) for name in ('out', 'latency_s'))
    latency_s = statistics.percentile('latency_s', now_s, 50)
    return min(out_hz, 1 / latency_s) if latency_s > 0 else out_hz


def reason(error: Exception) -> str:
    """Return the text of an error, with its type before it where it is none of this package."""
    return str(error) if isinstance(error, ClipDepthError) else f'{type(error).__name__}: {error}'


def statuses_of(health: Health) -> list[DiagnosticStatus]:
    """
    Return the diagnostic statuses: the level, one sentence, and the numbers behind it.

    One is of the node; one more is of each camera that has a name. What is counted of images is
    in that of the node as well, of all cameras together.
    """
    level, message = _verdict(health)
    of_node = _values_of_node(health)
    if '' not in health.cameras:
        counted = _counted([each.statistics for each in health.cameras.values()], health.now_s)
        of_node = {**of_node, **counted, **health.predictor}
        return [
            _status(health, 'depth', level, message, of_node),
            *(_status_of_camera(health, name) for name in health.cameras),
        ]
    camera = health.cameras['']
    of_camera = _values_of_camera(camera, health.now_s)
    of_camera['last_error'] = of_node['last_error'] or of_camera['last_error']
    if level == DiagnosticStatus.OK and health.state == 'active':
        level, message = _verdict_of_camera(camera) or (level, message)
    return [
        _status(health, 'depth', level, message, {**of_node, **of_camera, **health.predictor})
    ]


def _status_of_camera(health: Health, name: str) -> DiagnosticStatus:
    """Return the status of a camera that has a name."""
    camera = health.cameras[name]
    level, message = DiagnosticStatus.OK, f'{health.state}: not running'
    if health.state == 'active':
        level, message = _verdict_of_camera(camera) or (DiagnosticStatus.OK, 'running')
    return _status(
        health, f'camera {name}', level, message, _values_of_camera(camera, health.now_s)
    )


def _status(
    health: Health, part: str, level: bytes, message: str, values: Mapping[str, str]
) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=level,
        name=f'{health.name}: {part}',
        message=message,
        hardware_id=health.predictor.get('device', ''),
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def _verdict(health: Health) -> tuple[bytes, str]:
    """Return the level and the sentence for the most urgent thing there is to say of the node."""
    if health.transition_error:
        return DiagnosticStatus.ERROR, f'{health.state}: {health.transition_error}'
    if health.change_error:
        message = f'parameters are not in force ({health.changes}): {health.change_error}'
        return DiagnosticStatus.WARN, message
    if health.state != 'active':
        return DiagnosticStatus.OK, f'{health.state}: not running'
    # That it takes the newest image and leaves out the others is what a node is meant to do.
    return DiagnosticStatus.OK, health.slowness or 'running'


def _verdict_of_camera(camera: CameraHealth) -> tuple[bytes, str] | None:
    """Return what is most urgent to say of a camera; None if all is well."""
    if camera.last_image_age_s is None:
        return DiagnosticStatus.WARN, f'waiting for images on {camera.image_topic}'
    if camera.last_image_age_s > STALE_AFTER_S:
        age = f'{camera.last_image_age_s:.1f} s'
        return DiagnosticStatus.WARN, f'no image on {camera.image_topic} for {age}'
    if camera.image_error and camera.image_error_age_s < 2 * STALE_AFTER_S:
        return DiagnosticStatus.WARN, camera.image_error
    if not camera.listened:
        return DiagnosticStatus.OK, 'idle: nobody subscribes'
    if camera.camera_problem:
        return DiagnosticStatus.WARN, f'depth without cloud: {camera.camera_problem}'
    if camera.scan_problem:
        return DiagnosticStatus.WARN, f'depth without scan: {camera.scan_problem}'
    if camera.camera_doubt:
        return DiagnosticStatus.WARN, camera.camera_doubt
    if camera.align != 'none' and not (camera.scale.is_known and not camera.scale.is_old):
        return DiagnosticStatus.WARN, f'scale of depth, by {camera.align}: {camera.scale.why}'
    if camera.align != 'none' and camera.scale_doubt:
        return DiagnosticStatus.WARN, f'scale of depth, by {camera.align}: {camera.scale_doubt}'
    return None


def _values_of_node(health: Health) -> dict[str, str]:
    values = {
        'state': health.state,
        'last_error': health.transition_error or health.change_error,
        'parameters': 'in force',
        'slowness': health.slowness,
        'memory_mb': f'{_resident_memory_mb():.0f}',
        'abandoned': '',
    }
    if health.changes:
        progress = 'not in force' if health.change_error else 'being built'
        values['parameters'] = f'{progress}: {health.changes}'
    if health.is_abandoned:
        values['abandoned'] = 'work of before cleanup still runs, and holds its memory'
    return values


def _values_of_camera(camera: CameraHealth, now_s: float) -> dict[str, str]:
    statistics = camera.statistics
    values = {
        **_counted([statistics], now_s),
        'latency_p50_ms': f'{1e3 * statistics.percentile("latency_s", now_s, 50):.1f}',
        'latency_p95_ms': f'{1e3 * statistics.percentile("latency_s", now_s, 95):.1f}',
        'outputs_subscribed': ' '.join(camera.listened),
        'last_error': camera.image_error,
        'camera_problem': camera.camera_problem,
        'scan_problem': camera.scan_problem,
        'camera_notes': camera.camera_notes,
        'depth_camera': camera.depth_camera,
    }
    for place in ('image', 'network'):
        values[f'{place}_fx_px'] = f'{camera.fx_px[place]:.2f}' if place in camera.fx_px else ''
    values['align'] = camera.align
    if camera.align != 'none':
        values |= scale_values(camera.scale) | {
            'scale_problem': camera.scale.why or camera.scale_doubt
        }
        counts = statistics.counts()
        for what in ('measured', 'refused', 'unpaired'):
            values[f'scale_{what}'] = str(counts.get(f'scale_{what}', 0))
    if camera.scene:
        values['scene'] = camera.scene
    return values


def _counted(cameras: Sequence[Statistics], now_s: float) -> dict[str, str]:
    """Return what was counted of all images of some cameras."""
    counts: Counter[str] = Counter()
    for statistics in cameras:
        counts.update(statistics.counts())
    values = {
        f'rate_{name}_hz': f'{sum(each.rate_hz(name, now_s) for each in cameras):.2f}'
        for name in ('in', 'out')
    }
    for name in ('received', 'processed', 'dropped', 'failed', 'idle', 'discarded'):
        values[f'images_{name}'] = str(counts.get(name, 0))
    numbered = not counts.get('unnumbered')
    values['images_unseen'] = str(counts.get('unseen', 0)) if numbered else 'unknown'
    values['time_jumps'] = str(counts.get('time_jumps', 0))
    for kind in ('exact', 'nearest', 'last', 'none'):
        values[f'camera_info_{kind}'] = str(counts.get(f'camera_info_{kind}', 0))
    for use in get_args(CameraUse):
        values[f'images_camera_{use}'] = str(counts.get(f'camera_{use}', 0))
    values['camera_changes'] = str(counts.get('camera_changes', 0))
    return values


def scale_values(state: ScaleState) -> dict[str, str]:
    """Return the numbers of a scale, by name, as diagnostics have them."""
    correction = state.correction
    return {
        'scale': f'{correction.scale:.4f}',
        'scale_slope': f'{correction.slope:.4f}',
        'scale_spread': f'{state.spread:.4f}',
        'scale_points': str(state.n_points),
        'scale_age_s': f'{state.age_s:.3f}',
    }


def _resident_memory_mb() -> float:
    """Return the resident memory of this process in MB; NaN where the system does not tell."""
    try:
        pages = int(Path('/proc/self/statm').read_text(encoding='ascii').split()[1])
    except (OSError, IndexError, ValueError):
        return float('nan')
    return pages * os.sysconf('SC_PAGE_SIZE') / 1e6
