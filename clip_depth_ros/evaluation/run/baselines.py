# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Answers that need no image: what any predictor has to beat."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
import hashlib
from itertools import islice
import pickle
import threading

from clip_depth_ros.core.baselines import BestConstant, DepthSums, prior_at, prior_of
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.score.prepare import valid_gt
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.sources.samples import DepthSample, SampleSource
from clip_depth_ros.types import Depth, DepthMap
import numpy as np
from numpy.typing import NDArray


class Constant:
    """
    The same depth everywhere, as :class:`Answers`.

    Parameters
    ----------
    depth_m : float
        See :func:`fit_constant`.

    """

    def __init__(self, depth_m: float) -> None:
        self.depth_m = depth_m

    def answer(self, samples: Sequence[DepthSample]) -> list[DepthMap]:
        """Give the constant for each frame."""
        return [
            DepthMap(np.full(sample.rgb.shape[:2], self.depth_m, np.float32))
            for sample in samples
        ]

    def describe(self) -> Mapping[str, str]:
        """Give the constant, and that it is no fair prediction."""
        return {
            'method': 'best constant: least mean abs_rel of all constants',
            'depth_m': f'{self.depth_m:.6g}',
            'tuned_on': 'the very frames that are evaluated: a bound, no fair prediction',
        }

    def close(self) -> None:
        """Do nothing."""


class PixelPrior:
    """
    The mean depth that each pixel had on other frames, as :class:`Answers`.

    Parameters
    ----------
    prior_m : float32 (H, W)
        Metres; see :func:`fit_prior`. Brought to the size of each image, bilinear.
    fitted_on : str
        The name of those frames.

    """

    def __init__(self, prior_m: Depth, fitted_on: str) -> None:
        self.prior_m, self.fitted_on = prior_m, fitted_on
        self._at_size: dict[tuple[int, ...], Depth] = {}

    def answer(self, samples: Sequence[DepthSample]) -> list[DepthMap]:
        """Give the prior for each frame."""
        return [DepthMap(self._at(sample.rgb.shape[:2])) for sample in samples]

    def describe(self) -> Mapping[str, str]:
        """Give what it was fitted on, and what it is."""
        height, width = self.prior_m.shape
        return {
            'method': 'prior: mean depth of each pixel',
            'fitted_on': self.fitted_on,
            'size': f'{width}x{height}',
            'sha256': hashlib.sha256(self.prior_m.tobytes()).hexdigest(),
        }

    def close(self) -> None:
        """Do nothing."""

    def _at(self, shape: tuple[int, ...]) -> Depth:
        if shape not in self._at_size:
            # The last size alone: they seldom change, and memory must not grow with frames.
            self._at_size = {shape: prior_at(self.prior_m, shape)}
        return self._at_size[shape]


class UniformRandom:
    """
    Uniform random depth at each pixel, as :class:`Answers`: DepthCLIP's lower bound.

    Parameters
    ----------
    min_depth_m, depth_cap_m : float
        The range, metres.
    seed : int
        The same frame gets the same answer, in whatever order they come.

    """

    def __init__(self, min_depth_m: float, depth_cap_m: float, seed: int) -> None:
        self.min_depth_m, self.depth_cap_m, self.seed = min_depth_m, depth_cap_m, seed

    def answer(self, samples: Sequence[DepthSample]) -> list[DepthMap]:
        """Give other dice for each frame."""
        return [DepthMap(self._depth_m(sample)) for sample in samples]

    def describe(self) -> Mapping[str, str]:
        """Give range and seed."""
        return {
            'method': 'uniform random depth at each pixel',
            'range_m': f'{self.min_depth_m:g} to {self.depth_cap_m:g}',
            'seed': str(self.seed),
        }

    def close(self) -> None:
        """Do nothing."""

    def _depth_m(self, sample: DepthSample) -> Depth:
        frame = hashlib.sha256(f'{sample.recording}\n{sample.name}'.encode()).digest()
        dice = np.random.default_rng([self.seed, int.from_bytes(frame[:8], 'little')])
        depth_m = dice.random(sample.rgb.shape[:2], np.float32)
        depth_m *= np.float32(self.depth_cap_m - self.min_depth_m)
        depth_m += np.float32(self.min_depth_m)
        return depth_m


def fit_constant(source: SampleSource, protocol: EvaluationProtocol, n_workers: int) -> float:
    """
    Give the constant with the least mean abs_rel over these very frames, metres.

    Frames that cannot be read, or have no ground truth that counts, have no say. Alignment is
    not taken into account.

    Raises
    ------
    DataError
        If no frame has any.

    """
    best = BestConstant(
        protocol.min_depth_m,
        protocol.depth_cap_m,
        over_pixels=protocol.aggregation == 'pixel',
    )
    for gt, counts in _truths(source, protocol, n_workers):
        best.add(gt[counts])
    return best.depth_m()


def fit_prior(source: SampleSource, protocol: EvaluationProtocol, n_workers: int) -> PixelPrior:
    """
    Give the mean depth of each pixel over frames, at the size of the first one.

    Only the range of the protocol counts, not its window: the prior should answer everywhere.
    Pixels without any depth take the mean of their row, rows that of the nearest row (our
    choice).

    Raises
    ------
    DataError
        If no frame has any.

    """
    everywhere = protocol.model_copy(update={'gt_crop': 'none', 'eval_crop': 'none'})
    sums: DepthSums | None = None
    for gt, counts in _truths(source, everywhere, n_workers):
        sums = sums or DepthSums(Size(*gt.shape))
        sums.add(gt, counts)
    if sums is None or not sums.sums[1].any():
        raise DataError(
            f'{source.name} has no depth within {protocol.min_depth_m:g} to '
            f'{protocol.depth_cap_m:g} m to fit a prior on: name other frames in prior_from'
        )
    prior_m = prior_of(sums.sums, fallback_m=protocol.depth_cap_m)
    return PixelPrior(prior_m, f'{source.name}, {len(source)} frames')


def _truths(
    source: SampleSource, protocol: EvaluationProtocol, n_workers: int
) -> Iterator[tuple[Depth, NDArray[np.bool_]]]:
    """
    Yield the ground truth of each frame that can be read, with what counts of it.

    Frames are read ahead in threads, each with its own copy of the source: there is no predictor
    yet that threads could disturb (see :mod:`clip_depth_ros.evaluation.run.workers`).
    """
    reader, left = _Reader(source), iter(range(len(source)))
    pool = ThreadPoolExecutor(max(1, n_workers), 'read')
    try:
        ahead = islice(left, 2 * n_workers + 1)
        reading = deque(pool.submit(reader.read, index) for index in ahead)
        while reading:
            frame = reading.popleft().result()
            reading.extend(pool.submit(reader.read, index) for index in islice(left, 1))
            try:
                if isinstance(frame, DataError):
                    raise frame
                counts = valid_gt(frame.target_m, protocol)
            except DataError:
                continue  # the evaluation itself names it
            yield frame.target_m, counts
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C ends at once


class _Reader:
    """Reads frames in any thread: files are not read by two threads at once."""

    def __init__(self, source: SampleSource) -> None:
        self._pickled = pickle.dumps(source)
        self._local = threading.local()

    def read(self, index: int) -> DepthSample | DataError:
        """Return a frame, or why it cannot be read."""
        if not hasattr(self._local, 'source'):
            self._local.source = pickle.loads(self._pickled)
        source: SampleSource = self._local.source
        try:
            return source[index]
        except DataError as error:
            return error
