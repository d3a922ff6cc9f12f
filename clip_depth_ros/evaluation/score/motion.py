# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a camera moved between two frames, from their images and the true depth of one."""

from __future__ import annotations

from typing import Any, Final

from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Rgb
import cv2
import numpy as np
from numpy.typing import NDArray

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
    Give T_other_seen, which takes points of one camera to the other.

    Parameters
    ----------
    seen : DepthSample
        With intrinsics, and true depth of the size of its image.
    other : DepthSample
        With intrinsics; of the same size.
    places : int (N,)
        Pixels of ``seen`` whose true depth may be used, counted row by row.

    Returns
    -------
    float64 (4, 4) or None
        None where too few pixels could be followed, or these do not move as one.

    Notes
    -----
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
    """Give, of the places in each square of the image, the one whose surroundings vary most."""
    texture = np.asarray(cv2.cornerMinEigenVal(grey, 5)).ravel()[places]
    order = np.argsort(-texture, kind='stable')
    rows, columns = np.divmod(places[order], grey.shape[1])
    squares = rows // _CELL_PX * grey.shape[1] + columns // _CELL_PX
    return places[order][np.unique(squares, return_index=True)[1]]


def _followed(
    first: NDArray[Any], second: NDArray[Any], points: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Give where points of one image are in the other, and for which the way back agrees."""
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
