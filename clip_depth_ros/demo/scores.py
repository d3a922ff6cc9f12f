# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How good the published depth is: decoded from the recording, compared with the true depth in it.

Beside each number stands what can be had without looking at the image: the best constant, and the
node's own answers given to other images of the drive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.core.depth_images import decode_depth
from clip_depth_ros.core.metrics import DepthMetrics, mean_metrics
from clip_depth_ros.core.stamps import stamp_ns_of
from clip_depth_ros.demo.errors import (
    best_constant_m,
    fit_to,
    is_within,
    metrics_within,
)
from clip_depth_ros.demo.methods import TITLES
from clip_depth_ros.types import Depth
import numpy as np

_CONTROL_STRIDE: Final = 4
_CONTROL_PIXELS: Final = slice(None, None, _CONTROL_STRIDE), slice(None, None, _CONTROL_STRIDE)


@dataclass(frozen=True, slots=True)
class Score:
    """Mean of the metrics of some images, and how many those are."""

    title: str
    metrics: DepthMetrics
    n_images: int

    def summary(self) -> dict[str, Any]:
        """Give plain values; ``n``, the mean number of pixels, is left out."""
        values = {name: value for name, value in asdict(self.metrics).items() if name != 'n'}
        return {'title': self.title, 'images': self.n_images, **values}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """
    How good each method was.

    Attributes
    ----------
    methods : dict of str to Score
        By method.
    controls : dict of str to Score
        What needs no image: the best constant, and each method's answers for other images.
    n_images : int
        Images with a true depth.
    min_depth_m, depth_cap_m : float
        True depth that counts lies between.

    """

    methods: Mapping[str, Score]
    controls: Mapping[str, Score]
    n_images: int
    min_depth_m: float
    depth_cap_m: float

    def summary(self, source: str) -> dict[str, Any]:
        """Give plain values with the protocol in words."""
        return {
            'protocol': (
                f'{source}, {self.n_images} images, true depth {self.min_depth_m:g} to '
                f'{self.depth_cap_m:g} m, no sky, no crop, no scaling, depth as published and '
                'clamped to that range, mean over images of per-image values; controls on every '
                f'{_CONTROL_STRIDE}th row and column'
            ),
            'images': self.n_images,
            'methods': {name: score.summary() for name, score in self.methods.items()},
            'controls': {name: score.summary() for name, score in self.controls.items()},
        }


@dataclass
class _Pairs:
    """Published depth beside the truth: metrics of each image, and thin copies for controls."""

    metrics: list[DepthMetrics] = field(default_factory=list)
    thin: list[tuple[Depth, Depth]] = field(default_factory=list)


def score_recording(
    recording: Path,
    depth_topics: Mapping[str, str],
    truth_topic: str,
    *,
    min_depth_m: float,
    depth_cap_m: float,
) -> Scores | None:
    """
    Compare what was published with the truth of the same stamp.

    Parameters
    ----------
    recording : Path
        Holds both.
    depth_topics : mapping of str to str
        Topic of the published depth by method.
    truth_topic : str
        Depth images, metres along z; what is not finite does not count.
    min_depth_m, depth_cap_m : float
        Range of the true depth that counts, metres; answers are clamped to it.

    Returns
    -------
    Scores or None
        None if the recording has no truth for any answer.

    Raises
    ------
    RecordingError
        If it cannot be read.

    """
    limits = (min_depth_m, depth_cap_m)
    pairs = {name: _Pairs() for name in depth_topics}
    matching = _Matching(recording, depth_topics, truth_topic, limits)
    for name, pred, gt in matching:
        fitted = fit_to(pred, gt, *limits)
        pairs[name].metrics.append(metrics_within(fitted, gt, *limits))
        pairs[name].thin.append((fitted[_CONTROL_PIXELS].copy(), gt[_CONTROL_PIXELS].copy()))
    answered = {name: found for name, found in pairs.items() if found.metrics}
    if not answered:
        return None
    return Scores(
        methods={
            name: Score(TITLES[name], mean_metrics(found.metrics), len(found.metrics))
            for name, found in answered.items()
        },
        controls=_controls({name: found.thin for name, found in answered.items()}, *limits),
        n_images=matching.n_truths,
        min_depth_m=min_depth_m,
        depth_cap_m=depth_cap_m,
    )


def _controls(
    thin: Mapping[str, Sequence[tuple[Depth, Depth]]], min_depth_m: float, depth_cap_m: float
) -> dict[str, Score]:
    limits = (min_depth_m, depth_cap_m)
    truths = [gt for _, gt in max(thin.values(), key=len) if is_within(gt, *limits).any()]
    if not truths:
        return {}
    constant_m = best_constant_m(truths, *limits)
    flat = [metrics_within(np.full_like(gt, constant_m), gt, *limits) for gt in truths]
    title = f'best constant for these images, {constant_m:.1f} m'
    controls = {'best_constant': Score(title, mean_metrics(flat), len(flat))}
    for name, pairs in thin.items():
        moved = [metrics_within(pred, gt, *limits) for pred, gt in _moved_on(pairs, limits)]
        if moved:
            title = f'{TITLES[name]}, answers for other images'
            controls[f'{name}_shuffled'] = Score(title, mean_metrics(moved), len(moved))
    return controls


def _moved_on(
    pairs: Sequence[tuple[Depth, Depth]], limits: tuple[float, float]
) -> Iterator[tuple[Depth, Depth]]:
    """Give each truth with the answer for the image half a drive away; none for one image."""
    half = len(pairs) // 2
    for i, (_, gt) in enumerate(pairs if half else ()):
        pred = pairs[(i + half) % len(pairs)][0]
        if pred.shape == gt.shape and is_within(gt, *limits).any():
            yield pred, gt


class _Matching:
    """
    Method, published and true depth of equal stamps, whichever of both was recorded first.

    Images without a true depth within the limits are passed over; ``n_truths`` counts the others.
    """

    def __init__(
        self,
        recording: Path,
        depth_topics: Mapping[str, str],
        truth_topic: str,
        limits: tuple[float, float],
    ) -> None:
        self.n_truths = 0
        self._recording = recording
        self._names = {topic: name for name, topic in depth_topics.items()}
        self._truth_topic = truth_topic
        self._limits = limits

    def __iter__(self) -> Iterator[tuple[str, Depth, Depth]]:
        truths: dict[int, Depth] = {}
        waiting: dict[int, dict[str, Depth]] = defaultdict(dict)
        for topic, stamp_ns, depth in self._depths():
            if topic != self._truth_topic:
                waiting[stamp_ns][self._names[topic]] = depth
            elif is_within(depth, *self._limits).any():
                truths[stamp_ns] = depth
                self.n_truths += 1
            if stamp_ns in truths and len(waiting[stamp_ns]) == len(self._names):
                # Given at once and forgotten: a recording may be long.
                yield from _beside(waiting.pop(stamp_ns), truths.pop(stamp_ns))
        for stamp_ns, gt in truths.items():
            yield from _beside(waiting[stamp_ns], gt)

    def _depths(self) -> Iterator[tuple[str, int, Depth]]:
        with BagReader(self._recording) as bag:
            for recorded in bag.messages({*self._names, self._truth_topic} & set(bag.topics)):
                message: Any = bag.decode(recorded)
                depth = decode_depth(message)
                yield recorded.topic, stamp_ns_of(message.header), depth


def _beside(preds: Mapping[str, Depth], gt: Depth) -> Iterator[tuple[str, Depth, Depth]]:
    return ((name, pred, gt) for name, pred in preds.items())
