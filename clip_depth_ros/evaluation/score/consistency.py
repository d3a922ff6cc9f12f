# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
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

Temporal alignment error (``tae``): that of Video Depth Anything (Chen et al., CVPR 2025, released
code), for one pair of frames. The answer for one frame is moved to the camera of the other by the
recorded motion; wherever a point falls on a pixel with an answer, p, the error is |moved - p| / p;
the mean over these pixels, and of both ways, counts. No truth is looked at. Theirs is in percent,
over relative depth that was fitted to each whole video; here answers are as they are, as for
flicker, and of large images every k-th pixel is moved, 20,000 or fewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.projection import project, projection_matrix
from clip_depth_ros.evaluation.score.points import pinhole_of_truth, points_at
from clip_depth_ros.evaluation.score.prepare import at_size, valid_gt
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Depth, DepthMap, Intrinsics, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray

_LONGEST_NS: Final = 500_000_000
_MOST_POINTS: Final = 20_000
_FEWEST_POINTS: Final = 100
_SAME_DEPTH: Final = 0.05
_REACHED: Final = 0.01

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Numbers = NDArray[np.integer[Any]]


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
    Return how much the answer changed where nothing did, and how well both go together.

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
        ``tae`` where the motion was recorded.

    Raises
    ------
    DataError
        If a crop of the protocol does not fit.

    """
    frames = [_Answered.of(*each, protocol) for each in (previous, current)]
    before, now = frames
    if before is None or now is None or not follows(before.sample, now.sample):
        return {}
    places = np.flatnonzero(valid_gt(now.sample.target_m, protocol))
    known = _known_motion(before.sample, now.sample)
    T = estimate_motion(now.sample, before.sample, places) if known is None else known
    if T is None:
        return {}
    found = {}
    change = _changes(before, now, T, places, protocol)
    if len(change) >= _FEWEST_POINTS:
        found = {
            'flicker': float(change.mean()),
            'flicker/n': float(len(change)),
            'flicker/estimated': float(known is None),
        }
    if known is not None:
        back = np.asarray(np.linalg.inv(T), np.float64)
        ways = (_moved_errors(now, before, T), _moved_errors(before, now, back))
        if all(len(errors) for errors in ways):
            found['tae'] = float(np.mean([errors.mean() for errors in ways]))
    return found


class _Answered(NamedTuple):
    """A frame with its pinhole, and the answer at the size of its truth."""

    sample: DepthSample
    camera: Intrinsics
    pred: Depth

    @classmethod
    def of(
        cls, sample: DepthSample, answer: DepthMap, protocol: EvaluationProtocol
    ) -> _Answered | None:
        """
        Return the frame; None if there is no pinhole, or it is for another size.

        Nor is there one of relative answers, which have no metres that could be compared.
        """
        camera = pinhole_of_truth(sample)
        if answer.is_relative or camera is None:
            return None
        return cls(sample, camera, at_size(answer, Size(*sample.target_m.shape), protocol))


def _changes(
    before: _Answered, now: _Answered, T: Floats, places: Places, protocol: EvaluationProtocol
) -> Floats:
    """Return how much ln(pred / gt) changed at points that stand still and are seen in both."""
    places = places[::_stride(len(places))]
    points = points_at(now.sample.target_m.ravel()[places], places, now.camera)
    pixels, depth_m = project(points, projection_matrix(before.camera, T))
    counts = valid_gt(before.sample.target_m, protocol)
    gt_before = np.where(counts, before.sample.target_m, np.float32(np.nan))
    is_same, places_before = _matching(pixels, depth_m, gt_before)
    change = np.abs(_log_error(now, places[is_same]) - _log_error(before, places_before))
    return change[np.isfinite(change)]


def _moved_errors(seen: _Answered, other: _Answered, T_other_seen: Floats) -> Floats:
    """Return how far answers that are moved to another frame are off from the answers there."""
    places = np.arange(0, seen.pred.size, _stride(seen.pred.size))
    places = places[np.isfinite(seen.pred.ravel()[places])]
    points = points_at(seen.pred.ravel()[places], places, seen.camera)
    pixels, depth_m = project(points, projection_matrix(other.camera, T_other_seen))
    is_inside, there = _places(pixels, other.pred.shape)
    # Where several fall on one, the last one stays, as in theirs.
    on, last = np.unique(there[::-1], return_index=True)
    moved = depth_m[is_inside][::-1][last]
    p = other.pred.ravel()[on].astype(np.float64)
    is_known = np.isfinite(p)  # neither unknown nor beyond range
    return np.asarray(np.abs(moved - p)[is_known] / p[is_known], np.float64)


def _stride(n: int) -> int:
    """Return k, so that every k-th of n is few enough."""
    return max(1, -(-n // _MOST_POINTS))


def _known_motion(before: DepthSample, now: DepthSample) -> Floats | None:
    """Return T_before_now, which takes points of the current camera to the previous one."""
    if before.T_world_camera is None or now.T_world_camera is None:
        return None
    return np.asarray(np.linalg.solve(before.T_world_camera, now.T_world_camera), np.float64)


def _matching(
    pixels: Floats, depth_m: Floats, gt: Depth
) -> tuple[NDArray[np.bool_], Places]:
    """Return which points are seen in a frame with this truth, and the places of those there."""
    is_same, places = _places(pixels, gt.shape)
    moved_m = depth_m[is_same]
    agrees = np.abs(gt.ravel()[places] - moved_m) <= _SAME_DEPTH * moved_m
    # On a road seen at a flat angle, depth differs by several percent from one row to the next.
    around = np.ones((3, 3), np.uint8)
    nearest = cv2.erode(np.where(np.isnan(gt), np.float32(np.inf), gt), around).ravel()[places]
    farthest = cv2.dilate(np.where(np.isnan(gt), np.float32(-np.inf), gt), around).ravel()[places]
    agrees &= (nearest <= (1 + _REACHED) * moved_m) & (farthest >= (1 - _REACHED) * moved_m)
    is_same[is_same] = agrees
    return is_same, places[agrees]


def _places(pixels: Floats, shape: tuple[int, ...]) -> tuple[NDArray[np.bool_], Places]:
    """Return which points are inside an image, and the places of those, counted row by row."""
    height, width = shape
    # NaN, behind the camera, is no place: all comparisons are false.
    columns, rows = np.floor(pixels + 0.5).T
    is_inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    columns, rows = columns[is_inside].astype(np.intp), rows[is_inside].astype(np.intp)
    return is_inside, rows * width + columns


def _log_error(frame: _Answered, places: Places) -> Floats:
    """Return ln(pred / gt) of pixels; not finite where there is no answer."""
    ratio = frame.pred.ravel()[places].astype(np.float64) / frame.sample.target_m.ravel()[places]
    with np.errstate(invalid='ignore'):  # -Inf, too near, has no logarithm
        return np.asarray(np.log(ratio), np.float64)


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
