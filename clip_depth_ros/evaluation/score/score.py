# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What is known of one answer after it was compared with the truth: numbers by name.

``values`` are averaged over frames. Metrics are called ``<group>/<metric>``: the group is an
alignment (``none``, ``median``, ``scale-shift``: all pixels that count) or a part of the pixels
under the protocol's own alignment (``depth 0-10 m``, ``region top left``, ``class car``); the
metrics are those of :class:`DepthMetrics` and ``log_bias``, the mean of ln pred - ln gt. Without a
group: ``scale`` (median gt / median pred), ``coverage``, ``roughness``, ``lost_edges``, and, where
the frame before is known, ``flicker``, ``flicker/n`` (points that it is of) and
``flicker/estimated`` (1 where the camera's motion was estimated, 0 where it was recorded).

``sums`` are added up over frames: histograms and curves, whose edges are the constants here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from clip_depth_ros.core.metrics import DepthMetrics
import numpy as np

ALIGNMENTS: Final = ('none', 'median', 'scale-shift')

METRICS: Final = tuple(f.name for f in fields(DepthMetrics) if f.name != 'n')

_MORE_IS_BETTER: Final = {'delta1', 'delta2', 'delta3', 'coverage'}

DEPTH_RANGES_M: Final = ((0.0, 10.0), (10.0, 20.0), (20.0, 40.0), (40.0, 80.0))
"""True depth, metres: above the first, up to and with the second."""

ERROR_EDGES: Final = tuple(np.linspace(-1, 1, 41).round(3).tolist())
"""Of ``error_histogram``: (pred - gt) / gt; what lies beyond counts in the outermost bins."""

DEPTH_EDGES_M: Final = tuple(np.geomspace(0.5, 128, 25).tolist())
"""Of ``depth/n``, ``depth/abs_rel``, ``depth/bias``: true depth; beyond: the outermost bins."""

CONFIDENCE_EDGES: Final = tuple(np.linspace(0, 1, 11).round(3).tolist())
"""Of ``confidence/n``, ``confidence/abs_rel``, ``confidence/delta1``."""


@dataclass(frozen=True, slots=True)
class FrameScore:
    """
    What is known of the answer for one frame.

    Attributes
    ----------
    values : mapping of str to float
        By name; what cannot be told is left out.
    sums : mapping of str to tuple of float
        Vectors by name.

    """

    values: Mapping[str, float]
    sums: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def is_more_better(name: str) -> bool:
    """Say whether more of a value is better."""
    return name.rpartition('/')[2] in _MORE_IS_BETTER
