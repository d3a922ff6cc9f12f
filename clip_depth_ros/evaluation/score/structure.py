# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Where edges and planes were marked: how near answered edges are, how flat answered planes.

The geometric errors of iBims-1 (Koch et al., "Evaluation of CNN-based Single-Image Depth
Estimation Methods", ECCVW 2018), of frames that have a :class:`Structure`. Pixels without an
answer have no edge, nor has what is near them.

``dbe/acc``, ``dbe/comp``
    Depth boundary errors, pixels. Edges of the answer are those that Canny finds once the answer
    is brought to 0 to 1: ``acc`` is the mean distance of those within 10 px of a marked edge to
    it, ``comp`` that of all marked edges to the nearest one found, at most 10 px. Both are 10
    where nothing is found. Left out where no edge is marked.
``pe/plan``, ``pe/ori``
    Planarity errors, means over the planes that fill 5 % of the image or more. The answer, scaled
    to the median of the truth on the plane, becomes points, and a plane is fitted to these:
    ``plan`` is the deviation of the points from it (root mean square), centimetres, ``ori`` the
    angle between it and the true one, degrees. ``pe/n`` is how many planes there are. Left out
    where there is none, or no camera is known.
``dde 3 m/correct``, ``dde 3 m/too_near``, ``dde 3 m/too_far``
    Directed depth error: share of pixels that are on the right side of a plane 3 m away, answered
    before it and truly behind, and the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.score.points import pinhole_of_truth, points_at
from clip_depth_ros.evaluation.score.prepare import evaluated_window, Prepared
from clip_depth_ros.sources.samples import DepthSample, Plane, Structure
from clip_depth_ros.types import Depth, Intrinsics
import cv2
import numpy as np
from numpy.typing import NDArray

_SIGMA_PX: Final = np.sqrt(2)
_LOW: Final = 0.1
_HIGH: Final = 0.2
_FARTHEST_PX: Final = 10.0
_LEAST_SHARE: Final = 0.05
_SIDE_M: Final = 3.0

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


def structure_errors(prepared: Prepared, sample: DepthSample) -> dict[str, float]:
    """Return the errors of an answer, as far as something is marked that tells them."""
    structure = sample.structure
    if structure is None:
        return {}
    size = Size(*prepared.gt.shape)
    _check(structure, size)
    pred, gt, counted = prepared.pred, prepared.gt, prepared.counted
    found = _directed(pred[counted], gt[counted])
    if structure.edges is not None:
        x, y, width, height = evaluated_window(size, prepared.protocol)
        here = (slice(y, y + height), slice(x, x + width))
        found.update(_boundary(pred[here], structure.edges[here]))
    camera = pinhole_of_truth(sample)
    if camera is not None:
        found.update(_planarity(pred, gt, counted, structure.planes, camera))
    return found


def _check(structure: Structure, size: Size) -> None:
    marked = [plane.mask for plane in structure.planes]
    if structure.edges is not None:
        marked.append(structure.edges)
    for each in marked:
        if each.shape != size:
            raise DataError(
                f'edges and planes must be of the size of the ground truth, {size.text}, got '
                f'{Size(*each.shape).text}'
            )


def _directed(pred: NDArray[Any], gt: NDArray[Any]) -> dict[str, float]:
    is_near, is_truly_near = pred <= _SIDE_M, gt <= _SIDE_M
    return {
        f'dde {_SIDE_M:g} m/{name}': float(np.mean(each))
        for name, each in (
            ('correct', is_near == is_truly_near),
            ('too_near', is_near & ~is_truly_near),
            ('too_far', ~is_near & is_truly_near),
        )
    }


def _boundary(pred: NDArray[Any], edges: Mask) -> dict[str, float]:
    if not edges.any():
        return {}
    answered = canny(_from_0_to_1(pred))
    to_truth, to_answer = _distance_px(edges), _distance_px(answered)
    near = to_truth[answered & (to_truth < _FARTHEST_PX)]
    return {
        'dbe/acc': float(near.mean(dtype=np.float64)) if near.size else _FARTHEST_PX,
        'dbe/comp': float(np.minimum(to_answer[edges], _FARTHEST_PX).mean(dtype=np.float64)),
    }


def _from_0_to_1(depth: Depth) -> Depth:
    """Return depth from its least to its largest; NaN stays, and a constant has NaN alone."""
    raised = depth - np.nanmin(depth)
    largest = np.nanmax(raised)
    return np.asarray(raised / (largest if largest > 0 else np.float32(np.nan)))


def _distance_px(edges: Mask) -> NDArray[np.float32]:
    """Return how far each pixel is from the nearest edge; very far if there is none."""
    others = np.where(edges, np.uint8(0), np.uint8(1))
    distance = cv2.distanceTransform(others, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, np.float32)


def canny(image: Depth) -> Mask:
    """
    Return the edges of an image of 0 to 1, bool (H, W); its border has none.

    As scikit-image's ``canny`` has it, in whose units the thresholds are: a Gaussian, of which
    only what lies within the image counts, Sobel's operators (which give 8 times the slope), what
    is largest across the edge between pixels that are interpolated, and of the lines above the
    lower threshold those that exceed the upper one. OpenCV's own takes slopes in whole numbers and
    looks in 4 directions, so that other pixels are left. The Gaussian rounds to float32, as there:
    that decides between equal slopes.
    """
    from scipy import ndimage  # as in :mod:`.points`

    smooth, weight = (
        ndimage.gaussian_filter(each, _SIGMA_PX, mode='constant')
        for each in (image, np.ones(image.shape))
    )
    down, right = (ndimage.sobel(smooth / weight, axis) for axis in (0, 1))
    slope = np.hypot(down, right)
    ridge = _ridge(down, right, slope)
    _, line = cv2.connectedComponents(ridge.astype(np.uint8), connectivity=8)
    is_strong = np.zeros(line.max() + 1, bool)
    is_strong[line[ridge & (slope >= _HIGH)]] = True
    return np.asarray(is_strong[line])


def _ridge(down: Floats, right: Floats, slope: Floats) -> Mask:
    """Return where a slope above the lower threshold is not less than on either side of it."""
    is_steep = slope >= _LOW
    is_steep[[0, -1]] = is_steep[:, [0, -1]] = False
    rows, columns = np.nonzero(is_steep)
    down, right, own = (each[rows, columns] for each in (down, right, slope))
    is_down = np.abs(down) >= np.abs(right)
    turn = np.where(down * right >= 0, 1, -1)
    # The slope lies between a neighbour in a straight line and one at a corner.
    corner = np.where(is_down, 1, turn), np.where(is_down, turn, 1)
    share = np.minimum(np.abs(down), np.abs(right)) / np.maximum(np.abs(down), np.abs(right))
    is_ridge = np.ones(len(own), bool)
    for way in (1, -1):
        straight = slope[rows + way * is_down, columns + way * ~is_down]
        cornered = slope[rows + way * corner[0], columns + way * corner[1]]
        is_ridge &= share * cornered + (1 - share) * straight <= own
    found = np.zeros_like(is_steep)
    found[rows[is_ridge], columns[is_ridge]] = True
    return found


def _planarity(
    pred: NDArray[Any], gt: NDArray[Any], counted: Mask, planes: Sequence[Plane],
    camera: Intrinsics,
) -> dict[str, float]:
    errors = []
    for plane in planes:
        places = np.flatnonzero(counted & plane.mask)
        if len(places) >= max(_LEAST_SHARE * gt.size, 3):
            answered, true = (each.ravel()[places].astype(np.float64) for each in (pred, gt))
            answered *= np.median(true) / np.median(answered)
            errors.append(_off_plane(points_at(answered, places, camera), plane.normal))
    if not errors:
        return {}
    plan, ori = np.mean(errors, axis=0)
    return {'pe/plan': float(plan), 'pe/ori': float(ori), 'pe/n': float(len(errors))}


def _off_plane(points: Floats, normal: Floats) -> tuple[float, float]:
    """Return how flat points are, centimetres, and how their plane is turned, degrees."""
    spread, axes = np.linalg.eigh(np.cov(points, rowvar=False, bias=True))
    own = axes[:, 0]
    angle = np.arctan2(np.linalg.norm(np.cross(normal, own)), abs(normal @ own))
    return 100 * np.sqrt(max(spread[0], 0)), float(np.degrees(angle))
