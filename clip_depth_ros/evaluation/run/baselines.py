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
from typing import Final

from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.run.answers import Answers
from clip_depth_ros.evaluation.score import baselines
from clip_depth_ros.evaluation.score.baselines import prior_at, shuffled
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.sources.samples import DepthSample, SampleSource
from clip_depth_ros.types import Depth, DepthMap
import numpy as np

MEDIAN_PRIOR: Final = 'prior: weighted-median depth of blocks of pixels, chosen in size'
MEAN_PRIOR: Final = 'prior-mean: mean depth of each pixel'


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
        """Return the constant for each frame."""
        return [
            DepthMap(np.full(sample.rgb.shape[:2], self.depth_m, np.float32))
            for sample in samples
        ]

    def describe(self) -> Mapping[str, str]:
        """Return the constant, and that it is no fair prediction."""
        return {
            'method': 'best constant: least mean abs_rel of all constants',
            'depth_m': f'{self.depth_m:.6g}',
            'tuned_on': 'the very frames that are evaluated: a bound, no fair prediction',
        }

    def close(self) -> None:
        """Do nothing."""


class PixelPrior:
    """
    What is best to say of each part of the picture without looking, as :class:`Answers`.

    Parameters
    ----------
    prior_m : float32 (H, W)
        Metres; see :func:`fit_median_prior`. Brought to the size of each image, bilinear.
    fitted_on : str
        The name of those frames.
    method : str
        What it is, for reports.

    """

    def __init__(self, prior_m: Depth, fitted_on: str, method: str = MEDIAN_PRIOR) -> None:
        self.prior_m, self.fitted_on, self.method = prior_m, fitted_on, method
        self._at_size: dict[tuple[int, ...], Depth] = {}

    def answer(self, samples: Sequence[DepthSample]) -> list[DepthMap]:
        """Return the prior for each frame."""
        return [DepthMap(self._at(sample.rgb.shape[:2])) for sample in samples]

    def describe(self) -> Mapping[str, str]:
        """Return what it was fitted on, and what it is."""
        height, width = self.prior_m.shape
        return {
            'method': self.method,
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
        """Return other random numbers for each frame."""
        return [DepthMap(self._depth_m(sample)) for sample in samples]

    def describe(self) -> Mapping[str, str]:
        """Return range and seed."""
        return {
            'method': 'uniform random depth at each pixel',
            'range_m': f'{self.min_depth_m:g} to {self.depth_cap_m:g}',
            'seed': str(self.seed),
        }

    def close(self) -> None:
        """Do nothing."""

    def _depth_m(self, sample: DepthSample) -> Depth:
        frame = hashlib.sha256(f'{sample.recording}\n{sample.name}'.encode()).digest()
        rng = np.random.default_rng([self.seed, int.from_bytes(frame[:8], 'little')])
        depth_m = rng.random(sample.rgb.shape[:2], np.float32)
        depth_m *= np.float32(self.depth_cap_m - self.min_depth_m)
        depth_m += np.float32(self.min_depth_m)
        return depth_m


class Shuffled:
    """
    A predictor's answers given to other frames, as :class:`Answers`: what needs no image is left.

    Which frame gets which answer is said by
    :func:`clip_depth_ros.evaluation.score.baselines.shuffled`.

    Parameters
    ----------
    answers : Answers
        The predictor; it is not closed with this.
    source : SampleSource
        All frames.
    names : sequence of str
        Their names, each but once.

    """

    def __init__(self, answers: Answers, source: SampleSource, names: Sequence[str]) -> None:
        self._answers, self._source = answers, source
        self._other = dict(zip(names, shuffled(range(len(names))), strict=True))

    def answer(self, samples: Sequence[DepthSample]) -> list[DepthMap | DataError]:
        """Return the answers for the other frames."""
        return [self._one(sample) for sample in samples]

    def describe(self) -> Mapping[str, str]:
        """Return what the predictor says about itself, and that its answers are shuffled."""
        return {**self._answers.describe(), 'shuffled': 'the answers for other frames'}

    def close(self) -> None:
        """Do nothing."""

    def _one(self, sample: DepthSample) -> DepthMap | DataError:
        try:
            [answer] = self._answers.answer([self._source[self._other[sample.name]]])
        except DataError as error:
            return error
        return answer


def fit_constant(source: SampleSource, protocol: EvaluationProtocol, n_workers: int) -> float:
    """
    Return the constant with the least mean abs_rel over these very frames, metres.

    Frames that cannot be read have no say; DataError, saying why, if no frame has any depth that
    counts.
    """
    return baselines.fit_constant(_truths(source, n_workers), protocol)


def fit_prior(source: SampleSource, protocol: EvaluationProtocol, n_workers: int) -> PixelPrior:
    """
    Return the best depth for each part of the picture over frames, at the size of the first one.

    Frames that cannot be read have no say; DataError if no frame has depth in the range.
    """
    prior_m = baselines.fit_median_prior(_truths(source, n_workers), protocol, source.name)
    return PixelPrior(prior_m, f'{source.name}, {len(source)} frames')


def fit_mean_prior(
    source: SampleSource, protocol: EvaluationProtocol, n_workers: int
) -> PixelPrior:
    """Return the mean depth of each pixel over frames; otherwise as :func:`fit_prior`."""
    prior_m = baselines.fit_mean_prior(_truths(source, n_workers), protocol, source.name)
    return PixelPrior(prior_m, f'{source.name}, {len(source)} frames', MEAN_PRIOR)


def _truths(source: SampleSource, n_workers: int) -> Iterator[Depth | DataError]:
    """
    Yield the ground truth of each frame, or why it cannot be read.

    Frames are read ahead in threads, each with its own copy of the source: there is no predictor
    yet that threads could disturb (see :mod:`clip_depth_ros.evaluation.run.team`).
    """
    reader, left = _Reader(source), iter(range(len(source)))
    pool = ThreadPoolExecutor(max(1, n_workers), 'read')
    try:
        ahead = islice(left, 2 * n_workers + 1)
        reading = deque(pool.submit(reader.read, index) for index in ahead)
        while reading:
            frame = reading.popleft().result()
            reading.extend(pool.submit(reader.read, index) for index in islice(left, 1))
            yield frame if isinstance(frame, DataError) else frame.target_m
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
