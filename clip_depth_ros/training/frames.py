# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Frames of a source as the network wants them, in training's order, loaded in worker processes.

Which frame comes when, and with which random numbers, is a function of the seed and the position
alone: position p is the p-th frame that training sees, over all epochs and processes. So the order
is the same for any number of workers and processes, and a resumed run needs nothing but its step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
import multiprocessing
from typing import NamedTuple

from clip_depth_ros.core.files import end_with_parent
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.images import resize_rgb
from clip_depth_ros.errors import DataError
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.samples import DepthSample, SampleSource
from clip_depth_ros.training.augment import augment, used_part, window_of
from clip_depth_ros.training.distributed import Ranks
from clip_depth_ros.types import Depth, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

_SPARSE = 0.5  # share of pixels with a target below which it counts as sparse
_SHUFFLE, _AUGMENT = 1, 2  # streams of random numbers


@dataclass(frozen=True, slots=True)
class Order:
    """The order of frames by seed: epochs of ``n_frames``, each shuffled, one after the other."""

    n_frames: int
    seed: int

    def frame_at(self, position: int) -> int:
        """Return the number of the frame that comes at a position."""
        epoch, place = divmod(position, self.n_frames)
        return int(_shuffled(self.n_frames, self.seed, epoch)[place])

    def rng_at(self, position: int) -> np.random.Generator:
        """Return the random generator for the augmentation of the frame at a position."""
        return np.random.default_rng((self.seed, _AUGMENT, position))


@lru_cache(maxsize=2)
def _shuffled(n_frames: int, seed: int, epoch: int) -> NDArray[np.intp]:
    return np.random.default_rng((seed, _SHUFFLE, epoch)).permutation(n_frames)


def positions_of(
    steps: range, batch_size: int, accumulate: int, ranks: Ranks
) -> Iterator[list[int]]:
    """
    Yield the positions that one process loads, a list for each forward pass.

    A step takes ``batch_size`` frames, over all processes and its ``accumulate`` forward passes.
    ConfigError if they cannot be shared evenly.
    """
    n_each = batch_size // accumulate
    for step in steps:
        for part in range(accumulate):
            first = step * batch_size + part * n_each
            yield ranks.part_of(range(first, first + n_each))


class Frame(NamedTuple):
    """
    One frame as the network wants it.

    Attributes
    ----------
    name : str
        As its source calls it.
    rgb : uint8 (H, W, 3)
        At the network's input size.
    target_m : float32 (H, W) or its own size
        Metres; 0 where there is none.
    problem : str
        Why it could not be read; then it is black and has no target. Empty: it was read.

    """

    name: str
    rgb: Rgb
    target_m: Depth
    problem: str = ''


@dataclass(frozen=True, slots=True)
class Batch:
    """
    Frames that go through the network together.

    Attributes
    ----------
    names : list of str
        Of the frames.
    rgbs : uint8 (B, H, W, 3), or None
        Images, if the tokens are not known yet.
    tokens : float16 (B, n_taps, 1 + N, C), or None
        Tokens of the frozen CLIP, if they are.
    size : Size
        Of the images, pixels, also where only tokens are left of them.
    targets_m : list of float32 (H, W)
        Metres; 0 where there is none.
    problems : dict of str by str
        Why frames could not be read, by name.

    """

    names: list[str]
    rgbs: Tensor | None
    tokens: Tensor | None
    size: Size
    targets_m: list[Tensor]
    problems: dict[str, str]


@dataclass(frozen=True, slots=True)
class FrameSet(Dataset[Frame]):
    """
    The frames of a source by position; small enough to be sent to worker processes.

    Attributes
    ----------
    source : SampleSource
        Where they come from.
    size : Size
        What the used part of a frame is resized to, pixels.
    settings : TrainSettings
        Say which part is used, and how frames of training are augmented after resizing.
    order : Order, optional
        Which frame of training comes at a position; without, the position is the frame, and
        nothing is augmented.
    keep_target_size : bool
        Whether targets stay at the size of the cropped frame, for validation.

    """

    source: SampleSource
    size: Size
    settings: TrainSettings
    order: Order | None = None
    keep_target_size: bool = False

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, position: int) -> Frame:
        """Return the frame at a position; one that cannot be read says why."""
        index = self.order.frame_at(position) if self.order else position
        try:
            sample = used_part(self.source[index], self.settings.crop)
        except DataError as error:
            size = (window_of(self.settings) if self.order else None) or self.size
            blank = (np.zeros((*size, 3), np.uint8), np.zeros(size, np.float32))
            return Frame(f'frame {index}', *blank, str(error))
        rgb, target_m = fit_image(sample.rgb, self.size), sample.target_m
        if not self.keep_target_size:
            target_m = fit_target(target_m, self.size)
        if self.order:
            fitted = DepthSample(sample.name, rgb, target_m)
            changed = augment(fitted, self.settings, self.order.rng_at(position))
            rgb, target_m = np.ascontiguousarray(changed.rgb), changed.target_m
        known = np.isfinite(target_m) & (target_m > 0)
        return Frame(sample.name, rgb, np.where(known, target_m, 0).astype(np.float32))


def load_batches(
    frames: FrameSet, positions: Iterable[Sequence[int]], n_workers: int
) -> DataLoader[Frame]:
    """
    Return the batches at lists of positions, in their order, loaded in worker processes.

    0 workers: this process loads them. The batches are the same for any number.
    """
    # Not forked: this process has threads (of PyTorch, of OpenCV) that a fork would break.
    context = multiprocessing.get_context('forkserver') if n_workers else None
    if context is not None:
        context.set_forkserver_preload([__name__])
    return DataLoader(
        frames,
        batch_sampler=positions,  # type: ignore[arg-type]  # any iterable of lists will do
        collate_fn=batch_of,
        num_workers=n_workers,
        multiprocessing_context=context,
        worker_init_fn=_begin_worker,
    )


def in_chunks(n_frames: int, size: int) -> list[list[int]]:
    """Return the numbers 0 to ``n_frames - 1`` in lists of ``size``."""
    numbers = list(range(n_frames))
    return [numbers[first:first + size] for first in range(0, n_frames, size)]


def batch_of(frames: Sequence[Frame]) -> Batch:
    """Put frames together."""
    rgbs = np.stack([frame.rgb for frame in frames])
    return Batch(
        names=[frame.name for frame in frames],
        rgbs=torch.from_numpy(rgbs),
        tokens=None,
        size=Size(*rgbs.shape[1:3]),
        targets_m=[torch.from_numpy(frame.target_m) for frame in frames],
        problems={frame.name: frame.problem for frame in frames if frame.problem},
    )


def _begin_worker(worker: int) -> None:
    """End with the process that trains, and leave the other cores to the other workers."""
    end_with_parent()
    cv2.setNumThreads(0)


def fit_image(rgb: Rgb, size: Size) -> Rgb:
    """Return an image at a size, resampled as it is for prediction."""
    return np.ascontiguousarray(rgb if rgb.shape[:2] == size else resize_rgb(rgb, size))


def fit_target(target_m: Depth, size: Size) -> Depth:
    """
    Return a target at a size without mixing depths of different surfaces (our choice).

    Dense targets take the nearest pixel. Sparse ones (LiDAR) would lose most of their points
    that way: each new pixel takes the nearest surface among the points that fall into it.
    """
    if target_m.shape == size:
        return target_m
    height, width = target_m.shape
    valid = np.isfinite(target_m) & (target_m > 0)
    if valid.mean() >= _SPARSE:
        rows = ((np.arange(size.height) + 0.5) * height / size.height).astype(np.intp)
        columns = ((np.arange(size.width) + 0.5) * width / size.width).astype(np.intp)
        return np.ascontiguousarray(target_m[np.ix_(rows, columns)])
    rows, columns = np.nonzero(valid)
    fitted = np.full(size, np.inf, np.float32)
    where = (rows * size.height // height, columns * size.width // width)
    np.minimum.at(fitted, where, target_m[rows, columns])
    return np.where(np.isfinite(fitted), fitted, 0).astype(np.float32)
