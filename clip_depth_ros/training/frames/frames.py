# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of a source as the network wants them, in training's order, loaded in processes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
import multiprocessing
from typing import NamedTuple

from clip_depth_ros.core.files import end_with_parent
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import DataError
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.samples import DepthSample, SampleSource
from clip_depth_ros.training.frames.augment import augment, window_size
from clip_depth_ros.training.frames.geometry import resized, used_part
from clip_depth_ros.training.frames.inputs import Inputs
from clip_depth_ros.training.frames.order import Order
from clip_depth_ros.types import Depth, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


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
        0 where there is none. At the network's size, in the network's metres; at its own, true.
    focal_ratio : float
        True metres for one of the network's.
    rays : float32 (N, 2), optional
        Where patches look; None where the camera is ignored.
    problem : str
        Why it could not be read; then it is black and has no target. Empty: it was read.

    """

    name: str
    rgb: Rgb
    target_m: Depth
    focal_ratio: float = 1.0
    rays: NDArray[np.float32] | None = None
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
        Metres, of the network or true; 0 where there is none.
    focal_ratios : float32 (B,)
        True metres for one of the network's.
    rays : float32 (B, N, 2), or None
        Where patches look; None where the camera is ignored.
    problems : dict of str by str
        Why frames could not be read, by name.

    """

    names: list[str]
    rgbs: Tensor | None
    tokens: Tensor | None
    size: Size
    targets_m: list[Tensor]
    focal_ratios: Tensor
    rays: Tensor | None
    problems: dict[str, str]


@dataclass(frozen=True, slots=True)
class FrameSet(Dataset[Frame]):
    """
    The frames of a source by position; small enough to be sent to worker processes.

    Attributes
    ----------
    source : SampleSource
        Where they come from.
    inputs : Inputs
        How they go into the network.
    settings : TrainSettings
        Say which part is used, and how frames of training are augmented.
    order : Order, optional
        Which frame of training comes at a position; without, the position is the frame, and
        nothing is augmented.
    keep_target_size : bool
        Whether targets stay true, and at the size of the cropped frame, for validation.

    """

    source: SampleSource
    inputs: Inputs
    settings: TrainSettings
    order: Order | None = None
    keep_target_size: bool = False

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, position: int) -> Frame:
        """Return the frame at a position; one that cannot be read says why."""
        index = self.order.frame_at(position) if self.order else position
        whole = self.inputs.of(index).size
        size = whole
        if self.order:
            together = self.order.rng_together(position)
            size = window_size(whole, self.inputs.stride, self.settings, together)
        try:
            sample = used_part(self.source[index], self.settings.crop)
            self.inputs.check(sample, index)
        except DataError as error:
            return self._blank(index, size, str(error))
        sample = replace(sample, intrinsics=self.inputs.camera_of(sample, whole))
        if self.order:
            rng = self.order.rng_at(position)
            sample = augment(sample, self.settings, rng, whole=whole, size=size)
        else:
            sample = resized(sample, size, keep_target_size=self.keep_target_size)
        return self._as_frame(sample)

    def _as_frame(self, sample: DepthSample) -> Frame:
        camera = sample.intrinsics
        if camera is None:
            raise TypeError('a frame for the network has a camera')
        ratio = self.inputs.focal_ratio(camera)
        known = np.isfinite(sample.target_m) & (sample.target_m > 0)
        target_m = np.where(known, sample.target_m, 0).astype(np.float32)
        if not self.keep_target_size:
            target_m = self._in_network_metres(target_m, ratio)
        rgb = np.ascontiguousarray(sample.rgb)
        return Frame(sample.name, rgb, target_m, ratio, self.inputs.rays(camera))

    def _in_network_metres(self, target_m: Depth, ratio: float) -> Depth:
        """Return what the network should say; the sky is as far for it as it is called."""
        labels: Depth = target_m / np.float32(ratio)
        if sky_m := np.float32(self.settings.sky_depth_m):
            labels[target_m >= sky_m] = sky_m
            np.minimum(labels, sky_m, out=labels)
        return labels

    def _blank(self, index: int, size: Size, problem: str) -> Frame:
        stride = self.inputs.stride
        n_patches = size.height // stride.height * (size.width // stride.width)
        return Frame(
            f'frame {index}',
            np.zeros((*size, 3), np.uint8),
            np.zeros(size, np.float32),
            rays=np.zeros((n_patches, 2), np.float32) if self.inputs.focal_px else None,
            problem=problem,
        )


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


def in_chunks(numbers: Sequence[int] | NDArray[np.intp], size: int) -> list[list[int]]:
    """Return numbers in lists of ``size``, in their order."""
    plain = [int(number) for number in numbers]
    return [plain[first:first + size] for first in range(0, len(plain), size)]


def batch_of(frames: Sequence[Frame]) -> Batch:
    """Put frames of one size together."""
    rgbs = np.stack([frame.rgb for frame in frames])
    rays = [frame.rays for frame in frames if frame.rays is not None]
    return Batch(
        names=[frame.name for frame in frames],
        rgbs=torch.from_numpy(rgbs),
        tokens=None,
        size=Size(*rgbs.shape[1:3]),
        targets_m=[torch.from_numpy(frame.target_m) for frame in frames],
        focal_ratios=torch.tensor([frame.focal_ratio for frame in frames], dtype=torch.float32),
        rays=torch.from_numpy(np.stack(rays)) if len(rays) == len(frames) else None,
        problems={frame.name: frame.problem for frame in frames if frame.problem},
    )


def _begin_worker(worker: int) -> None:
    """End with the process that trains, and leave the other cores to the other workers."""
    end_with_parent()
    cv2.setNumThreads(0)
