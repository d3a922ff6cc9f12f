# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Depth that can be had without looking: the best constant, the mean depth of each pixel.

And the control that goes with them: each frame with the answer for another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
import math
from typing import Final, TypeVar

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.patches import upsample
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.score.prepare import no_truth, valid_gt
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.sources.samples import reasons_text
from clip_depth_ros.types import Depth
import numpy as np
from numpy.typing import NDArray

Item = TypeVar('Item')

_BLOCK: Final = 4
_LARGER: Final = (1, 2, 4, 8, 16)
"""Times the smallest blocks, of which the prior takes what is best on frames it did not see."""

_TOGETHER: Final = 10
"""Neighbouring frames that are seen, or not seen, together when the blocks are chosen."""

_MOST_BLOCKS: Final = 40_000
_PRIOR_BIN: Final = 0.03
"""Width of the bins of ln depth of a block; what is said is the mean of what is in one."""

_BIN: Final = 1e-3
"""Width of the bins of ln depth: the best constant is known to 0.1 %."""


def fit_constant(truths: Iterable[Depth | DataError], protocol: EvaluationProtocol) -> float:
    """
    Return the constant with the least mean abs_rel over frames, metres.

    Parameters
    ----------
    truths : iterable of float32 (H, W), or DataError
        The very frames that it will be judged on, or why they cannot be read: a bound, not a fair
        prediction. Frames without truth that counts have no say.
    protocol : EvaluationProtocol
        What counts, and whether frames or pixels weigh the same; alignment plays no part.

    Raises
    ------
    DataError
        If no frame has any depth that counts; it says why.

    """
    reasons: list[str] = []
    known = (gt[counts] for gt, counts in _counted(truths, protocol, reasons))
    limits_m = protocol.min_depth_m, protocol.depth_cap_m
    try:
        return best_constant(known, *limits_m, over_pixels=protocol.aggregation == 'pixel')
    except DataError as error:
        if not reasons:
            raise
        raise DataError(
            f'none of {len(reasons)} frames has any depth that counts: {reasons_text(reasons)}'
        ) from error


def fit_mean_prior(
    truths: Iterable[Depth | DataError],
    protocol: EvaluationProtocol,
    name: str,
    *,
    geometric: bool = False,
) -> Depth:
    """
    Return the mean depth of each pixel over frames, float32 (H, W), metres, without gaps.

    Parameters
    ----------
    truths : iterable of float32 (h, w), or DataError
        Other frames than those that it will be judged on, or why they cannot be read.
    protocol : EvaluationProtocol
        Its range says which depth counts; not its window, since a prior answers everywhere.
    name : str
        What messages call the frames.
    geometric : bool
        Whether to take the geometric mean.

    Raises
    ------
    DataError
        If no frame has depth in the range; it says why.

    Notes
    -----
    Pixels without any depth (sparse LiDAR) take the mean of their row, rows without any that of
    the nearest row that has one (our choice).

    """
    sums: NDArray[np.float64] | None = None
    for gt, counts in _everywhere(truths, protocol, name):
        sums = np.zeros((2, *gt.shape)) if sums is None else sums
        add_depth(sums, np.log(np.where(counts, gt, 1)) if geometric else gt, counts)
    assert sums is not None  # there was a frame, or _everywhere has raised
    prior_m = _without_gaps(sums)
    return np.exp(prior_m) if geometric else prior_m


def fit_median_prior(
    truths: Iterable[Depth | DataError], protocol: EvaluationProtocol, name: str
) -> Depth:
    """
    Return what is best to say of each part of the picture without looking, float32 (H, W), metres.

    That is the depth with the least mean abs_rel over other frames, for blocks of pixels: their
    weighted median, weights 1 / depth, bilinear between their centres. Where a camera is fixed and
    the world flat it is hard to beat.

    Parameters
    ----------
    truths, protocol, name
        As for :func:`fit_mean_prior`; the prior has the size of the first frame.

    Raises
    ------
    DataError
        If no frame has depth in the range; it says why.

    Notes
    -----
    Blocks, not pixels: which pixel a LiDAR's beam falls on depends on its depth, as the LiDAR sits
    beside the camera, so that a prior of single pixels knows where it is measured. Each frame
    weighs the same, as in :func:`best_constant`. Blocks without any depth take the
    median of their row, rows without any that of the nearest row that has one.

    Blocks have 4 x 4 pixels, more where there would be more than 40,000, or 2, 4, 8 or 16 times
    that side: whichever answers one half of the frames best when fitted on the other half, every
    other ten, both ways. Up to ten frames have no other half, and keep the smallest (our choice).

    """
    blocks: _Blocks | None = None
    for gt, counts in _everywhere(truths, protocol, name):
        blocks = blocks or _Blocks(Size(*gt.shape), protocol)
        blocks.add(gt, counts)
    assert blocks is not None  # there was a frame, or _everywhere has raised
    return blocks.medians()


class _Blocks:
    """How often which depth was in which block of the picture: weights and shares by bins."""

    def __init__(self, size: Size, protocol: EvaluationProtocol) -> None:
        self._size, self._low = size, math.log(protocol.min_depth_m)
        self._n_bins = int((math.log(protocol.depth_cap_m) - self._low) / _PRIOR_BIN) + 1
        n_pixels = size.height * size.width
        self._side = max(_BLOCK, math.ceil(math.sqrt(n_pixels / _MOST_BLOCKS)))
        self._rows, self._columns = (math.ceil(side / self._side) for side in size)
        self._halves: list[NDArray[np.float64]] = []
        self._n_images = 0

    def add(self, gt: Depth, counts: NDArray[np.bool_]) -> None:
        """Count an image; one of another size where its pixels fall."""
        half = self._n_images // _TOGETHER % 2
        self._n_images += 1
        if half == len(self._halves):
            self._halves.append(np.zeros((2, self._rows * self._columns * self._n_bins)))
        weights, shares = self._halves[half]
        rows, columns = np.nonzero(counts)
        depths = gt[rows, columns].astype(np.float64)
        row = rows * self._size.height // gt.shape[0] // self._side
        column = columns * self._size.width // gt.shape[1] // self._side
        bins = ((np.log(depths) - self._low) / _PRIOR_BIN).astype(np.intp)
        place = (row * self._columns + column) * self._n_bins + bins.clip(0, self._n_bins - 1)
        share = 1 / depths.size
        np.add.at(weights, place, share / depths)
        np.add.at(shares, place, share)

    def medians(self) -> Depth:
        """Return the prior at the size of the images."""
        shape = 2, self._rows, self._columns, self._n_bins
        halves = [half.reshape(shape) for half in self._halves]
        times = _best_times(*halves) if len(halves) == 2 else 1
        whole = _medians_without_gaps(_merged(sum(halves[1:], start=halves[0]), times))
        side = times * self._side
        covered = Size(whole.shape[0] * side, whole.shape[1] * side)
        # Bilinear between blocks: where depth runs through a block, as on the road, steps cost.
        pixels = upsample(whole.astype(np.float32), covered)
        return np.ascontiguousarray(pixels[:self._size.height, :self._size.width])


def _best_times(one: NDArray[np.float64], other: NDArray[np.float64]) -> int:
    """Return how many blocks, on a side, are best taken as one, from two halves of the frames."""
    errors = {}
    for times in _LARGER:
        halves = _merged(one, times), _merged(other, times)
        errors[times] = sum(
            _error(_medians_without_gaps(fitted), judged)
            for fitted, judged in (halves, halves[::-1])
        )
    return min(errors, key=errors.__getitem__)


def _error(said_m: NDArray[np.float64], sums: NDArray[np.float64]) -> float:
    """Return the sum of share x |said - depth| / depth; exact but in the bin that is said."""
    weights, shares = sums
    return float(np.abs(said_m[..., np.newaxis] * weights - shares).sum())


def _merged(sums: NDArray[np.float64], times: int) -> NDArray[np.float64]:
    """Return the sums of blocks so many times larger, (2, rows, columns, bins)."""
    rows, columns = (np.arange(0, n, times) for n in sums.shape[1:3])
    by_row = np.add.reduceat(sums, rows, axis=1)
    return np.asarray(np.add.reduceat(by_row, columns, axis=2))


def _medians_without_gaps(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of each block, of its row, or of the nearest row that has one."""
    each, rows = _weighted_medians(sums), _weighted_medians(sums.sum(axis=2))
    nearest = rows[_nearest_known(np.isfinite(rows))]
    return np.where(np.isnan(each), nearest[:, np.newaxis], each)


def _weighted_medians(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted median of the last axis of weights and shares, (2, ..., bins)."""
    running = np.cumsum(sums[0], axis=-1)
    at = (running < running[..., -1:] / 2).sum(axis=-1, keepdims=True)
    weights, shares = (np.take_along_axis(each, at, axis=-1)[..., 0] for each in sums)
    # The mean of what is in the bin, not its middle; see best_constant.
    return np.where(weights > 0, shares / np.where(weights > 0, weights, 1), np.nan)


def shuffled(answers: Sequence[Item]) -> list[Item]:
    """
    Hand each frame the answer for another one: what is left was not seen in the image.

    Frames are moved on by half of all: none keeps its own and, where the frames of a recording
    follow each other, none gets that of a neighbour. One frame alone keeps its own.
    """
    half = len(answers) - len(answers) // 2
    return [*answers[half:], *answers[:half]]


def _counted(
    truths: Iterable[Depth | DataError], protocol: EvaluationProtocol, reasons: list[str]
) -> Iterator[tuple[Depth, NDArray[np.bool_]]]:
    """Yield truths with what counts of them; add to ``reasons`` why nothing does of the others."""
    for gt in truths:
        try:
            if isinstance(gt, DataError):
                raise gt
            counts = valid_gt(gt, protocol)
        except DataError as error:  # a crop that does not fit, too
            reasons.append(str(error))
            continue
        if counts.any():
            yield gt, counts
        else:
            reasons.append(no_truth(Size(*gt.shape), protocol))


def _everywhere(
    truths: Iterable[Depth | DataError], protocol: EvaluationProtocol, name: str
) -> Iterator[tuple[Depth, NDArray[np.bool_]]]:
    """
    Yield truths with what counts of them, whatever the windows of the protocol, for a prior.

    DataError at the end if there was none, saying why; ``name`` is that of the frames.
    """
    whole = protocol.model_copy(update={'gt_crop': 'none', 'eval_crop': 'none'})
    reasons: list[str] = []
    is_empty = True
    for counted in _counted(truths, whole, reasons):
        is_empty = False
        yield counted
    if is_empty:
        raise DataError(
            f'{name} has no depth within {protocol.min_depth_m:g} to {protocol.depth_cap_m:g} m '
            'to fit a prior on: name other frames'
            + (f' ({reasons_text(reasons)})' if reasons else '')
        )


def best_constant(
    images: Iterable[NDArray[np.floating]],
    min_depth_m: float,
    depth_cap_m: float,
    *,
    over_pixels: bool = False,
) -> float:
    """
    Return the constant with the least mean abs_rel over images, metres.

    Of each image, the true depths that count, (N,), metres, are given; they lie between the two
    limits. By default each image weighs the same, else each pixel. DataError if there is none.

    Notes
    -----
    The sum of w |c - g| is least at the weighted median of g; here w is 1/g. It is tuned on the
    images that it is judged on: no constant does better.

    """
    low = float(np.log(min_depth_m))
    n_bins = int(np.ceil((np.log(depth_cap_m) - low) / _BIN)) + 1
    weights, shares = np.zeros(n_bins), np.zeros(n_bins)
    for known_m in images:
        if known_m.size:
            depths = known_m.astype(np.float64)
            bins = ((np.log(depths) - low) / _BIN).astype(np.intp).clip(0, n_bins - 1)
            share = 1 if over_pixels else 1 / depths.size
            weights += np.bincount(bins, 1 / depths, n_bins) * share
            shares += np.bincount(bins, minlength=n_bins) * share
    running = np.cumsum(weights)
    if not running[-1]:
        raise DataError('there is no best constant: the ground truth is empty in every frame')
    median = np.searchsorted(running, running[-1] / 2)
    # The sum of w g over the sum of w: the mean of what is in the bin, not its middle.
    return float(shares[median] / weights[median])


def add_depth(
    sums: NDArray[np.float64], values: NDArray[np.floating], counts: NDArray[np.bool_]
) -> None:
    """
    Add an image, (h, w), where ``counts`` says so, to total and count of each pixel, (2, H, W).

    Of another size than the sums: each pixel goes to the one that its place falls into, so that
    depths of different surfaces are not mixed.
    """
    size = sums.shape[1:]
    if values.shape == size:
        sums += np.stack([np.where(counts, values, 0), counts])
        return
    rows, columns = np.nonzero(counts)
    into = (rows * size[0] // values.shape[0], columns * size[1] // values.shape[1])
    np.add.at(sums[0], into, values[rows, columns])
    np.add.at(sums[1], into, 1)


def _without_gaps(sums: NDArray[np.float64]) -> Depth:
    """Return the mean of each pixel, of its row, or of the nearest row that has one."""
    means, rows = means_of(sums), _row_means(sums)
    return np.where(np.isnan(means), rows[:, np.newaxis], means).astype(np.float32)


def means_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each pixel of :func:`add_depth`'s sums, (H, W); NaN without any depth."""
    total, count = sums
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def prior_at(prior_m: Depth, shape: tuple[int, ...]) -> Depth:
    """Return the prior for images of another size, bilinear."""
    return prior_m if prior_m.shape == shape else upsample(prior_m, Size(*shape))


def _row_means(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each row, from the nearest row where there is none."""
    total, count = sums.sum(axis=2)
    nearest = _nearest_known(count > 0)
    return np.asarray(total[nearest] / count[nearest], np.float64)


def _nearest_known(is_known: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return for each row the number of the nearest that is known, int (N,)."""
    known = np.flatnonzero(is_known)
    distance = np.abs(np.arange(len(is_known))[:, np.newaxis] - known)
    return np.asarray(known[distance.argmin(axis=1)], np.intp)
