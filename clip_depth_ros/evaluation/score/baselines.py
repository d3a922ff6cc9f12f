# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Depth that can be had without looking: the best constant, the mean depth of each pixel.

And the control that goes with them: each frame with the answer for another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.patches import upsample
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.score.prepare import valid_gt
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.types import Depth
import numpy as np
from numpy.typing import NDArray

Item = TypeVar('Item')

_BIN: Final = 1e-3
"""Width of the bins of ln depth: the best constant is known to 0.1 %."""


def fit_constant(truths: Iterable[Depth], protocol: EvaluationProtocol) -> float:
    """
    Return the constant with the least mean abs_rel over frames, metres.

    Parameters
    ----------
    truths : iterable of float32 (H, W)
        The very frames that it will be judged on: a bound, not a fair prediction. Frames without
        truth that counts have no say.
    protocol : EvaluationProtocol
        What counts, and whether frames or pixels weigh the same; alignment plays no part.

    Raises
    ------
    DataError
        If no frame has any depth that counts.

    """
    best = BestConstant(
        protocol.min_depth_m,
        protocol.depth_cap_m,
        over_pixels=protocol.aggregation == 'pixel',
    )
    for gt, counts in _counted(truths, protocol):
        best.add(gt[counts])
    return best.depth_m()


def fit_prior(
    truths: Iterable[Depth],
    protocol: EvaluationProtocol,
    name: str,
    *,
    size: Size | None = None,
    geometric: bool = False,
    add_up: Callable[[NDArray[np.float64]], NDArray[np.float64]] = lambda sums: sums,
) -> Depth:
    """
    Return the mean depth of each pixel over frames, float32 (H, W), metres, without gaps.

    Parameters
    ----------
    truths : iterable of float32 (h, w)
        Other frames than those that it will be judged on.
    protocol : EvaluationProtocol
        Its range says which depth counts; not its window, since a prior answers everywhere.
    name : str
        What messages call the frames.
    size : Size, optional
        Of the prior; by default that of the first frame.
    geometric : bool
        Whether to take the geometric mean.
    add_up : callable
        Adds up :attr:`DepthSums.sums` over the processes that share the frames.

    Raises
    ------
    DataError
        If no frame has depth in the range.

    Notes
    -----
    Pixels without any depth (sparse LiDAR) take the mean of their row, rows without any that of
    the nearest row that has one (our choice).

    """
    everywhere = protocol.model_copy(update={'gt_crop': 'none', 'eval_crop': 'none'})
    sums = DepthSums(size) if size else None
    for gt, counts in _counted(truths, everywhere):
        sums = sums or DepthSums(Size(*gt.shape))
        sums.add(np.log(np.where(counts, gt, 1)) if geometric else gt, counts)
    total = add_up(sums.sums) if sums else np.zeros((2, 1, 1))
    if not total[1].any():
        raise DataError(
            f'{name} has no depth within {protocol.min_depth_m:g} to {protocol.depth_cap_m:g} m '
            'to fit a prior on: name other frames'
        )
    prior_m = _without_gaps(total)
    return np.exp(prior_m) if geometric else prior_m


def shuffled(answers: Sequence[Item]) -> list[Item]:
    """
    Give each frame the answer for another one: what is left was not seen in the image.

    Frames are moved on by half of all: none keeps its own and, where the frames of a recording
    follow each other, none gets that of a neighbour. One frame alone keeps its own.
    """
    half = len(answers) - len(answers) // 2
    return [*answers[half:], *answers[:half]]


def _counted(
    truths: Iterable[Depth], protocol: EvaluationProtocol
) -> Iterator[tuple[Depth, NDArray[np.bool_]]]:
    """Yield truths with what counts of them; those that a crop does not fit are left out."""
    for gt in truths:
        try:
            yield gt, valid_gt(gt, protocol)
        except DataError:
            continue  # the evaluation itself names it


class BestConstant:
    """
    The constant with the least mean abs_rel over images, which come one by one.

    Parameters
    ----------
    min_depth_m, depth_cap_m : float
        What counts lies in between, metres.
    over_pixels : bool
        Whether the mean is over all pixels together: by default each image weighs the same.

    Notes
    -----
    The sum of w |c - g| is least at the weighted median of g; here w is 1/g. It is tuned on the
    images that it is judged on: no constant does better.

    """

    def __init__(
        self, min_depth_m: float, depth_cap_m: float, *, over_pixels: bool = False
    ) -> None:
        self._over_pixels = over_pixels
        self._low = float(np.log(min_depth_m))
        n_bins = int(np.ceil((np.log(depth_cap_m) - self._low) / _BIN)) + 1
        self._weights, self._shares = np.zeros(n_bins), np.zeros(n_bins)

    def add(self, known_m: NDArray[np.floating]) -> None:
        """Count an image: the true depths that count, (N,), metres."""
        if not known_m.size:
            return
        depths = known_m.astype(np.float64)
        last = len(self._weights) - 1
        bins = ((np.log(depths) - self._low) / _BIN).astype(np.intp).clip(0, last)
        share = 1 if self._over_pixels else 1 / depths.size
        self._weights += np.bincount(bins, 1 / depths, last + 1) * share
        self._shares += np.bincount(bins, minlength=last + 1) * share

    def depth_m(self) -> float:
        """
        Return the constant, metres.

        Raises
        ------
        DataError
            If no image has any depth that counts.

        """
        running = np.cumsum(self._weights)
        if not running[-1]:
            raise DataError('there is no best constant: the ground truth is empty in every frame')
        median = np.searchsorted(running, running[-1] / 2)
        # The sum of w g over the sum of w: the mean of what is in the bin, not its middle.
        return float(self._shares[median] / self._weights[median])


class DepthSums:
    """
    Depth added up pixel by pixel, over images that come one by one.

    Parameters
    ----------
    size : Size
        Of the sums, pixels.

    Attributes
    ----------
    sums : float64 (2, H, W)
        Total and count; those of several processes may be added up.

    """

    def __init__(self, size: Size) -> None:
        self.sums: NDArray[np.float64] = np.zeros((2, *size))

    def add(self, values: NDArray[np.floating], counts: NDArray[np.bool_]) -> None:
        """
        Add an image, (h, w), where ``counts`` says so.

        Of another size than the sums: each pixel goes to the one that its place falls into, so
        that depths of different surfaces are not mixed.
        """
        size = self.sums.shape[1:]
        if values.shape == size:
            self.sums += np.stack([np.where(counts, values, 0), counts])
            return
        rows, columns = np.nonzero(counts)
        into = (rows * size[0] // values.shape[0], columns * size[1] // values.shape[1])
        np.add.at(self.sums[0], into, values[rows, columns])
        np.add.at(self.sums[1], into, 1)

    def means(self) -> NDArray[np.float64]:
        """Return the mean of each pixel, (H, W); NaN where nothing was counted."""
        return _means_of(self.sums)


def _without_gaps(sums: NDArray[np.float64]) -> Depth:
    """Return the mean of each pixel, of its row, or of the nearest row that has one."""
    means, rows = _means_of(sums), _row_means(sums)
    return np.where(np.isnan(means), rows[:, np.newaxis], means).astype(np.float32)


def _means_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each pixel of :attr:`DepthSums.sums`, (H, W); NaN without any depth."""
    total, count = sums
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def prior_at(prior_m: Depth, shape: tuple[int, ...]) -> Depth:
    """Return the prior for images of another size, bilinear."""
    return prior_m if prior_m.shape == shape else upsample(prior_m, Size(*shape))


def _row_means(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each row, from the nearest row where there is none."""
    total, count = sums.sum(axis=2)
    known = np.flatnonzero(count)
    nearest = known[np.abs(np.arange(len(count))[:, np.newaxis] - known).argmin(axis=1)]
    return np.asarray(total[nearest] / count[nearest], np.float64)
