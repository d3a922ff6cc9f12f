# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Answer and truth as clouds of points in the camera's frame: how near each is to the other.

As in Oernek et al., "From 2D to 3D: Re-thinking Benchmarking of Monocular Depth Prediction" (arXiv
2203.08122), and the code of the MDEC challenges. Both clouds are made of the pixels that count, so
a LiDAR's truth is compared with the answer at its pixels alone.

``points 0.1 m/precision``, ``points 0.1 m/recall``
    Share of the answer's points with a true point nearer than 0.1 m, and the other way round.
``points 0.1 m/f_score``
    Their harmonic mean (Knapitsch et al., SIGGRAPH 2017).
``points/chamfer``
    Mean distance of the answer's points to the nearest true one, plus that of the other way, m.

Of large clouds, the nearest point is looked for among all points, and for 5,000 of them: that
leaves the mean what it is, while clouds that are thinned themselves lie farther apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Intrinsics
import numpy as np
from numpy.typing import NDArray

POINTS: Final = 'points'
"""Begins the names of all values here."""

_MOST_ASKED: Final = 5000

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


def pinhole_of_truth(sample: DepthSample) -> Intrinsics | None:
    """Return the pinhole of a frame; None where there is none, or it is for another size."""
    camera = sample.pinhole
    is_own = camera is not None and (camera.height, camera.width) == sample.target_m.shape
    return camera if is_own else None


def points_at(depth_m: NDArray[Any], places: Places, camera: Intrinsics) -> Floats:
    """
    Return the points of pixels, float64 (N, 3), metres in the camera's optical frame.

    ``depth_m``, (N,), is that of the pixels, ``places`` are where these lie, counted row by row.
    """
    rows, columns = np.divmod(places, camera.width)
    z = depth_m.astype(np.float64)
    return np.stack(
        [(columns - camera.cx) / camera.fx * z, (rows - camera.cy) / camera.fy * z, z], axis=1
    )


def cloud_distances(
    pred: NDArray[Any],
    gt: NDArray[Any],
    places: Places,
    camera: Intrinsics | None,
    thresholds_m: Sequence[float],
) -> dict[str, float]:
    """
    Compare two clouds; nothing is known without a camera, or if nobody asks for a distance.

    Parameters
    ----------
    pred, gt : float (N,)
        Depth of the pixels that count, metres; the answer aligned and clamped.
    places : int (N,)
        Where these pixels lie, counted row by row.
    camera : Intrinsics
        A pinhole of the size of the truth.
    thresholds_m : sequence of float
        Distances, metres.

    """
    if camera is None or not thresholds_m:
        return {}
    answered, true = (points_at(depth, places, camera) for depth in (pred, gt))
    asked = _asked(len(places))
    of_answer = _nearest_m(answered[asked], true)
    of_truth = _nearest_m(true[asked], answered)
    found = {}
    for threshold_m in thresholds_m:
        group = f'{POINTS} {threshold_m:g} m'
        precision, recall = (float(np.mean(each < threshold_m)) for each in (of_answer, of_truth))
        total = precision + recall
        found[f'{group}/precision'] = precision
        found[f'{group}/recall'] = recall
        found[f'{group}/f_score'] = 2 * precision * recall / total if total else 0.0
    return {**found, f'{POINTS}/chamfer': float(of_answer.mean() + of_truth.mean())}


def _asked(n: int) -> Places:
    """Return which of n points are asked for their nearest one, the same for all methods."""
    if n <= _MOST_ASKED:
        return np.arange(n)
    return np.random.default_rng(0).choice(n, _MOST_ASKED, replace=False, shuffle=False)


def _nearest_m(points: Floats, others: Floats) -> Floats:
    """Return how far each point is from the nearest of the others, float64 (N,)."""
    from scipy.spatial import cKDTree  # a tenth of a second that few evaluations need

    # Built and searched several times as fast this way, where surfaces lie far apart.
    tree = cKDTree(others, balanced_tree=False, compact_nodes=False)
    distances, _ = tree.query(points)
    return np.asarray(distances, np.float64)
