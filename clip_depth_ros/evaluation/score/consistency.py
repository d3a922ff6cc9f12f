# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Consistency of an answer in space, and over time.

Spatial continuity: smooth where the truth is smooth, and a step where it steps.

Our definitions. Pairs are pixels beside or below each other that both count; d is the difference
of ln depth within a pair, so that a common scale plays no part.

``roughness``
    Mean of |d pred - d gt| over pairs with |d gt| < 0.03: ripples and blocks that are not there.
``lost_edges``
    Of pairs with |d gt| > 0.25 (one is 28 % farther), the share whose prediction steps less than
    half as far, or the other way: borders of things that are smeared or not seen.

Each is left out where it has fewer than 50 pairs.

Temporal consistency: how much the answer for a point that stands still changes between frames.

Our definition. A pixel of the current frame with known true depth is a point in space; moved to
the camera of the previous frame, it falls on a pixel there. It stands still and is seen in both if
the true depth there is within 5 % of its own, and the depths of that pixel and its neighbours
reach its own within 1 %. A car ahead that drives as fast as the camera keeps its depth, which a
point that stands still does not, so it is left out; what moves across the view, or hardly moves,
can be mistaken for standing. Flicker is then the mean over such points of
|ln(pred / gt) now - ln(pred / gt) before|, each with the truth of its own frame: a perfect
predictor has 0, and so has one that is always wrong by the same factor. Answers are taken as they
are, neither aligned nor clamped: a scale that wanders from frame to frame is flicker. 0.01 is
about 1 %.

The motion of the camera is the recorded one, or estimated from both images and the true depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.metrics import blocks
from clip_depth_ros.core.projection import project, projection_matrix
from clip_depth_ros.evaluation.score.prepare import at_size, valid_gt
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Depth, DepthMap, Intrinsics, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray

_SMOOTH: Final = 0.03
_STEP: Final = 0.25
_FEWEST_PAIRS: Final = 50

_LONGEST_NS: Final = 500_000_000
_MOST_POINTS: Final = 20_000
_FEWEST_POINTS: Final = 100
_SAME_DEPTH: Final = 0.05
_REACHED: Final = 0.01

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Numbers = NDArray[np.integer[Any]]


def continuity(
    log_error: Floats, log_gt: Floats, pixels: NDArray[np.intp], size: Size
) -> dict[str, float]:
    """
    Return roughness and lost edges, as far as there are enough pairs.

    Errors, ln pred - ln gt, and ln gt are float64 (N,); the pixels are their places in an image of
    this size, ascending, counted row by row.
    """
    n_smooth, rough, n_steps, n_lost = 0, 0.0, 0, 0
    for first, second in _pairs(pixels, size):
        d_gt, change = log_gt[second] - log_gt[first], log_error[second] - log_error[first]
        jump = np.abs(d_gt)
        is_smooth, is_step = jump < _SMOOTH, jump > _STEP
        n_smooth += int(np.count_nonzero(is_smooth))
        rough += float(np.abs(change).sum(where=is_smooth))
        n_steps += int(np.count_nonzero(is_step))
        seen = jump + change * np.sign(d_gt)  # d pred, in the direction of d gt
        n_lost += int(np.count_nonzero(is_step & (seen < 0.5 * jump)))
    found = {}
    if n_smooth >= _FEWEST_PAIRS:
        found['roughness'] = rough / n_smooth
    if n_steps >= _FEWEST_PAIRS:
        found['lost_edges'] = n_lost / n_steps
    return found


def _pairs(pixels: NDArray[np.intp], size: Size) -> Iterator[tuple[Numbers, Numbers]]:
    """Yield the pairs beside and below each other, as numbers of pixels, in pieces."""
    number = np.full((size.height + 1) * size.width, -1, np.int32)
    number[pixels] = np.arange(len(pixels), dtype=np.int32)
    for block in blocks(len(pixels)):
        own, here = np.arange(block.start, block.stop), pixels[block]
        for step in (1, size.width):
            other = number[here + step]
            is_pair = other >= 0
            if step == 1:
                is_pair &= (here + 1) % size.width != 0  # the next pixel is in the next row
            yield own[is_pair], other[is_pair]


def follows(previous: DepthSample, current: DepthSample) -> bool:
    """Return whether a frame was taken at most 0.5 s after another one of the same recording."""
    if previous.stamp_ns is None or current.stamp_ns is None:
        return False
    is_soon = 0 < current.stamp_ns - previous.stamp_ns <= _LONGEST_NS
    return is_soon and previous.recording == current.recording


def flicker(
    previous: tuple[DepthSample, DepthMap],
    current: tuple[DepthSample, DepthMap],
    protocol: EvaluationProtocol,
) -> Mapping[str, float]:
    """
    Return how much the answer changed where nothing did.

    Parameters
    ----------
    previous, current : tuple of DepthSample, DepthMap
        Two frames with the answers for them.
    protocol : EvaluationProtocol
        Its window and range of true depth, and how answers are resampled, are used.

    Returns
    -------
    mapping of str to float
        ``flicker``; ``flicker/n``, the points; ``flicker/estimated``, 1 where the motion of the
        camera was estimated from the images, 0 where it was known. Empty if the frames do not
        follow each other, intrinsics or motion are not known, or there are fewer than 100 points.

    Raises
    ------
    DataError
        If a crop of the protocol does not fit.

    """
    (before, answer_before), (now, answer_now) = previous, current
    if not follows(before, now):
        return {}
    same = _same_points(before, now, protocol)
    if same is None:
        return {}
    error_now = _log_error(answer_now, now, same.now, protocol)
    error_before = _log_error(answer_before, before, same.before, protocol)
    is_number = np.isfinite(error_now) & np.isfinite(error_before)
    change = np.abs(error_now[is_number] - error_before[is_number])
    if len(change) < _FEWEST_POINTS:
        return {}
    return {
        'flicker': float(change.mean()),
        'flicker/n': float(len(change)),
        'flicker/estimated': float(same.is_estimated),
    }


class _SamePoints(NamedTuple):
    """Pixels of two frames that show the same points, (N,), counted row by row."""

    now: Places
    before: Places
    is_estimated: bool


def _same_points(
    before: DepthSample, now: DepthSample, protocol: EvaluationProtocol
) -> _SamePoints | None:
    """Return the points that stand still and are seen in both frames; None if nobody can tell."""
    camera_before, camera_now = _camera(before), _camera(now)
    if camera_before is None or camera_now is None:
        return None
    places = np.flatnonzero(valid_gt(now.target_m, protocol))
    known = _known_motion(before, now)
    T_before_now = estimate_motion(now, before, places) if known is None else known
    if T_before_now is None:
        return None
    places = places[::max(1, -(-len(places) // _MOST_POINTS))]
    points = _points(now.target_m, camera_now, places)
    pixels, depth_m = project(points, projection_matrix(camera_before, T_before_now))
    counts = valid_gt(before.target_m, protocol)
    gt_before = np.where(counts, before.target_m, np.float32(np.nan))
    is_same, places_before = _matching(pixels, depth_m, gt_before)
    return _SamePoints(places[is_same], places_before, known is None)


def _camera(sample: DepthSample) -> Intrinsics | None:
    """Return the pinhole of the truth; None where there is none, or it is for another size."""
    camera = sample.pinhole
    is_own = camera is not None and (camera.height, camera.width) == sample.target_m.shape
    return camera if is_own else None


def _known_motion(before: DepthSample, now: DepthSample) -> Floats | None:
    """Return T_before_now, which takes points of the current camera to the previous one."""
    if before.T_world_camera is None or now.T_world_camera is None:
        return None
    return np.asarray(np.linalg.solve(before.T_world_camera, now.T_world_camera), np.float64)


def _points(depth_m: Depth, camera: Intrinsics, places: Places) -> Floats:
    """Return the points of pixels, float64 (N, 3), in the camera's optical frame."""
    rows, columns = np.divmod(places, depth_m.shape[1])
    z = depth_m.ravel()[places].astype(np.float64)
    return np.stack(
        [(columns - camera.cx) / camera.fx * z, (rows - camera.cy) / camera.fy * z, z], axis=1
    )


def _matching(
    pixels: Floats, depth_m: Floats, gt: Depth
) -> tuple[NDArray[np.bool_], Places]:
    """Return which points are seen in a frame with this truth, and the places of those there."""
    height, width = gt.shape
    # NaN, behind the camera, is no place: all comparisons are false.
    columns, rows = np.floor(pixels + 0.5).T
    is_same = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    places = rows[is_same].astype(np.intp) * width + columns[is_same].astype(np.intp)
    moved_m = depth_m[is_same]
    agrees = np.abs(gt.ravel()[places] - moved_m) <= _SAME_DEPTH * moved_m
    # On a road seen at a flat angle, depth differs by several percent from one row to the next.
    around = np.ones((3, 3), np.uint8)
    nearest = cv2.erode(np.where(np.isnan(gt), np.float32(np.inf), gt), around).ravel()[places]
    farthest = cv2.dilate(np.where(np.isnan(gt), np.float32(-np.inf), gt), around).ravel()[places]
    agrees &= (nearest <= (1 + _REACHED) * moved_m) & (farthest >= (1 - _REACHED) * moved_m)
    is_same[is_same] = agrees
    return is_same, places[agrees]


def _log_error(
    answer: DepthMap, sample: DepthSample, places: Places, protocol: EvaluationProtocol
) -> Floats:
    """Return ln(pred / gt) of pixels; not finite where there is no answer."""
    pred = at_size(answer, Size(*sample.target_m.shape), protocol).ravel()[places]
    ratio = pred.astype(np.float64) / sample.target_m.ravel()[places]
    with np.errstate(invalid='ignore'):  # -Inf, too near, has no logarithm
        return np.log(ratio)


_CELL_PX: Final = 12
_WINDOW_PX: Final = 15
_LEVELS: Final = 3
_THERE_AND_BACK_PX: Final = 0.5
_REPROJECTION_PX: Final = 1.0
_FEWEST: Final = 30
_FEWEST_SHARE: Final = 0.3


def estimate_motion(
    seen: DepthSample, other: DepthSample, places: NDArray[np.intp]
) -> NDArray[np.float64] | None:
    """
    Return T_other_seen, float64 (4, 4), which takes points of one camera to the other.

    Both have intrinsics and images of one size, that of the true depth of ``seen``, which may be
    used at ``places``, int (N,), counted row by row. None where too few pixels could be followed,
    or these do not move as one.

    Our choice: the most textured pixel of each square of 12 x 12 is followed by pyramidal
    Lucas-Kanade optical flow, there and back again; the motion comes from its depth here and its
    place there (perspective-n-point with RANSAC, then refined).
    """
    if seen.rgb.shape != other.rgb.shape or seen.rgb.shape[:2] != seen.target_m.shape:
        return None
    grey, other_grey = (_grey(sample.rgb) for sample in (seen, other))
    chosen = _textured(grey, places)
    rows, columns = np.divmod(chosen, grey.shape[1])
    here = np.stack([columns, rows], axis=1).astype(np.float32)
    if len(here) < _FEWEST:
        return None
    there, is_followed = _followed(grey, other_grey, here)
    z = seen.target_m.ravel()[chosen][is_followed].astype(np.float64)
    if len(z) < _FEWEST:
        return None
    rays = np.column_stack([here[is_followed], np.ones(len(z))]) @ np.linalg.inv(_matrix(seen)).T
    return _pose(rays * z[:, np.newaxis], there[is_followed], _matrix(other))


def _grey(rgb: Rgb) -> NDArray[Any]:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))


def _matrix(sample: DepthSample) -> NDArray[np.float64]:
    assert sample.intrinsics is not None
    return sample.intrinsics.matrix()


def _textured(grey: NDArray[Any], places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return, of the places in each square of the image, the one whose surroundings vary most."""
    texture = np.asarray(cv2.cornerMinEigenVal(grey, 5)).ravel()[places]
    order = np.argsort(-texture, kind='stable')
    rows, columns = np.divmod(places[order], grey.shape[1])
    squares = rows // _CELL_PX * grey.shape[1] + columns // _CELL_PX
    return places[order][np.unique(squares, return_index=True)[1]]


def _followed(
    first: NDArray[Any], second: NDArray[Any], points: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return where points of one image are in the other, and for which the way back agrees."""
    there, is_there = _flow(first, second, points)
    back, is_back = _flow(second, first, there)
    agrees = np.linalg.norm(back - points, axis=1) < _THERE_AND_BACK_PX
    return there, agrees & is_there & is_back


def _flow(
    first: NDArray[Any], second: NDArray[Any], points: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    guess = points.copy()
    there, status, _ = cv2.calcOpticalFlowPyrLK(
        first, second, points, guess, winSize=(_WINDOW_PX, _WINDOW_PX), maxLevel=_LEVELS
    )
    return np.asarray(there, np.float32), np.asarray(status)[:, 0] == 1


def _pose(
    points: NDArray[np.float64], pixels: NDArray[np.float32], K: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    found, rotation, translation, inliers = cv2.solvePnPRansac(
        points, pixels.astype(np.float64), K, None,
        iterationsCount=200, reprojectionError=_REPROJECTION_PX, flags=cv2.SOLVEPNP_EPNP,
    )
    if not found or inliers is None or len(inliers) < max(_FEWEST, _FEWEST_SHARE * len(points)):
        return None
    own = inliers[:, 0]
    rotation, translation = cv2.solvePnPRefineLM(
        points[own], pixels[own].astype(np.float64), K, None, rotation, translation
    )
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = cv2.Rodrigues(rotation)[0], translation[:, 0]
    return T
