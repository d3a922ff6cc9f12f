# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How the frames of a source go into the network: at which size, and in whose metres.

As for prediction (:mod:`clip_depth_ros.predictor.views`): each image keeps its shape and is
resized to the canonical focal length, rounded to whole patches. What rounding, a zoom or another
lens leaves is in the label: depth in the network's space = true depth x canonical / own focal
length. The size must be known before a frame is read, so it is one for all frames of a part of the
source, and the first frame of each part decides it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math
from typing import Any, Final

from clip_depth_ros.core.camera import patch_rays
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ConfigError, DataError
from clip_depth_ros.predictor.views import TrainedAt, Views
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.samples import DepthSample, parts_of, SampleSource
from clip_depth_ros.training.frames.augment import window_of
from clip_depth_ros.training.frames.geometry import used_part
from clip_depth_ros.training.frames.order import one_group
from clip_depth_ros.types import Intrinsics
import numpy as np
from numpy.typing import NDArray

_TRIED: Final = 20  # frames of a part that are looked at for their size
_SQUEEZED: Final = 0.05  # how far the shape of a frame may be from that of the first of its part
_LOOKED_AT: Final = 32  # frames whose cameras are told


@dataclass(frozen=True, slots=True)
class PartInput:
    """
    How the frames of one part of a source go into the network.

    Attributes
    ----------
    size : Size
        What the used part of a frame is resized to, pixels.
    shape : float
        Width by height of the used part of its first frame, pixels made square.

    """

    size: Size
    shape: float


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """
    How the frames of a source go into the network.

    Attributes
    ----------
    part_of : intp (n_frames,)
        Which part each frame is of.
    parts : sequence of PartInput
        Each of them.
    focal_px : float
        Canonical focal length at network input; 0: the camera is ignored.
    stride : Size
        Of a patch, pixels.

    """

    part_of: NDArray[np.intp]
    parts: Sequence[PartInput]
    focal_px: float
    stride: Size

    @property
    def sizes(self) -> list[Size]:
        """Return the sizes of the network's input, each once."""
        return list(dict.fromkeys(part.size for part in self.parts))

    def groups(self, *, one_size: bool = False) -> list[NDArray[np.intp]]:
        """
        Return the numbers of the frames that can go through the network together, ascending.

        All of them with ``one_size``: then they are cut to it.
        """
        if one_size:
            return [*one_group(len(self.part_of))]
        number = {size: index for index, size in enumerate(self.sizes)}
        group_of = np.array([number[part.size] for part in self.parts])[self.part_of]
        return [np.flatnonzero(group_of == group) for group in range(len(number))]

    def of(self, index: int) -> PartInput:
        """Return how a frame goes in."""
        return self.parts[int(self.part_of[index])]

    def check(self, sample: DepthSample, index: int) -> None:
        """Check the used part of a frame; DataError if it would be squeezed, or lacks a camera."""
        if not self.focal_px:
            return
        if sample.intrinsics is None:
            raise DataError(
                f'{sample.name} has no intrinsics, and others of {len(self.part_of)} frames have: '
                'name the calibration of all frames, or train on these alone'
            )
        shape, wanted = shape_of(sample), self.of(index).shape
        if abs(math.log(shape / wanted)) > _SQUEEZED:
            height, width = sample.rgb.shape[:2]
            raise DataError(
                f'{sample.name} has {width}x{height} pixels, of another shape than the first '
                f'frame of its source ({shape:.3g} by 1, not {wanted:.3g} by 1), and would be '
                'squeezed: name frames of different cameras as sources of their own'
            )

    def focal_ratio(self, camera: Intrinsics) -> float:
        """Return what true metres are divided by, of a camera at the network's input."""
        return camera.focal_px / (self.focal_px or 1.0)

    def rays(self, camera: Intrinsics) -> NDArray[np.float32] | None:
        """Return where patches look, float32 (N, 2); None if the camera is ignored."""
        if not self.focal_px:
            return None
        rows, columns = camera.height // self.stride.height, camera.width // self.stride.width
        return patch_rays(camera, Size(rows, columns))

    def camera_of(self, sample: DepthSample, whole: Size) -> Intrinsics:
        """
        Return the camera of the used part of a frame, before it is resized to ``whole``.

        Where cameras are ignored, one whose focal length is 1 when that is done: then a zoom
        changes labels as with any other.
        """
        if self.focal_px and sample.intrinsics is not None:
            return sample.intrinsics
        height, width = sample.rgb.shape[:2]
        return Intrinsics.straight(width / whole.width, height / whole.height, width, height)


def plan_inputs(
    source: SampleSource, settings: TrainSettings, stride: Size, focal_px: float
) -> Inputs:
    """
    Decide how the frames of a source go into the network.

    Parameters
    ----------
    source : SampleSource
        The first frame of each of its parts is read.
    settings : TrainSettings
        crop, and the size that is asked for, which overrules.
    stride : Size
        Of a patch, pixels.
    focal_px : float
        As :func:`canonical_focal` says.

    Raises
    ------
    ConfigError
        If a size is not of whole patches, or frames are smaller than one.
    DataError
        If none of the first frames of a part can be read.

    """
    part_of = np.unique(parts_of(source), return_inverse=True)[1].reshape(-1).astype(np.intp)
    parts = []
    for part in range(int(part_of.max(initial=-1)) + 1):
        first = first_used(source, settings, np.flatnonzero(part_of == part))
        frame = Size(*first.rgb.shape[:2])
        if focal_px and first.intrinsics is not None:
            size = _canonical_size(settings, frame, stride, focal_px, first.intrinsics)
        else:
            size = input_size(settings, frame, stride)
        parts.append(PartInput(size, shape_of(first)))
    return Inputs(part_of, tuple(parts), focal_px, stride)


def canonical_focal(source: SampleSource, settings: TrainSettings, stride: Size) -> float:
    """
    Return the canonical focal length of a training, pixels at network input; 0: not known.

    It is what the settings say, else that of the first frame at the size of the training.
    ConfigError if rays are to be told and no camera is known.
    """
    first = first_used(source, settings, np.arange(len(source)))
    if first.intrinsics is None:
        if settings.rays:
            raise ConfigError(
                f'rays need the camera of each frame, and {source.name} has none: name its '
                'calibration, or set rays to false'
            )
        return 0.0
    if settings.focal_px:
        return settings.focal_px
    size = input_size(settings, Size(*first.rgb.shape[:2]), stride)
    return first.intrinsics.scaled_to(size.width, size.height).focal_px


def check_windows(settings: TrainSettings, sizes: Sequence[Size], stride: Size) -> None:
    """Check that windows are of whole patches and fit; ConfigError naming what does not."""
    window = window_of(settings)
    if window is None:
        return
    _check_patches('augment_crop_height_px and augment_crop_width_px', window, stride)
    for size in sizes:
        if window.height > size.height or window.width > size.width:
            raise ConfigError(
                f'a window of {window.height} x {window.width} pixels (augment_crop_height_px, '
                f'augment_crop_width_px) does not fit into frames of {size.height} x {size.width}'
            )


def first_used(
    source: SampleSource, settings: TrainSettings, indices: NDArray[np.intp]
) -> DepthSample:
    """Return the used part of the first frame that can be read; DataError if none of a few can."""
    problem: DataError | None = None
    for index in indices[:_TRIED]:
        try:
            return used_part(source[int(index)], settings.crop)
        except DataError as error:
            problem = error
    raise DataError(
        f'none of the first {_TRIED} frames of {source.name} can be read: {problem}'
    ) from problem


def input_size(settings: TrainSettings, frame: Size, stride: Size) -> Size:
    """
    Return the size that frames are resized to for the network where the camera does not say.

    ``frame`` is the size of frames after cropping, ``stride`` that of one patch, pixels. Where
    input_height_px or input_width_px is 0, it is the frame's, rounded down to whole patches.
    ConfigError if a size that is asked for is not of whole patches, or a frame is smaller than
    one.
    """
    asked = Size(settings.input_height_px, settings.input_width_px)
    _check_patches('input_height_px and input_width_px', asked, stride)
    size = Size(
        asked.height or frame.height // stride.height * stride.height,
        asked.width or frame.width // stride.width * stride.width,
    )
    if min(size) == 0:
        raise ConfigError(
            f'frames of {frame.height} x {frame.width} pixels are smaller than one patch, '
            f'{stride.height} x {stride.width}: set input_height_px and input_width_px'
        )
    return size


def shape_of(sample: DepthSample) -> float:
    """Return width by height of a frame, its pixels made square where the camera is known."""
    height, width = sample.rgb.shape[:2]
    camera = sample.intrinsics
    return float(width / height) * (camera.fy / camera.fx if camera else 1.0)


def camera_facts(source: SampleSource, inputs: Inputs) -> tuple[dict[str, Any], list[str]]:
    """
    Return what is known of the cameras of a source, as JSON, and what had to be assumed.

    They are looked up on frames all over it. ``hfov_deg`` and ``vfov_deg`` are lowest, median and
    highest field of view; empty without. What was assumed of frames is as their notes have it.
    """
    picks = np.unique(np.linspace(0, len(source) - 1, min(_LOOKED_AT, len(source))).astype(int))
    cameras, assumed = [], dict[str, None]()
    for index in map(int, picks):
        try:
            sample = source[index]
        except DataError:
            continue
        assumed |= dict.fromkeys(note for note, count in sample.notes.items() if not count)
        if sample.intrinsics is not None:
            cameras.append(sample.intrinsics)
    if not (cameras and inputs.focal_px):
        return {}, [*assumed]
    upright = [Intrinsics(k.fy, k.fx, k.cy, k.cx, k.height, k.width) for k in cameras]
    return {
        'frames_looked_at': len(cameras),
        'hfov_deg': _spread([camera.hfov_deg for camera in cameras]),
        'vfov_deg': _spread([camera.hfov_deg for camera in upright]),
        'input_sizes': [size.text for size in inputs.sizes],
        'focal_px': inputs.focal_px,
    }, [*assumed]


def _spread(values: Sequence[float]) -> list[float]:
    return [round(float(value), 2) for value in np.percentile(values, [0, 50, 100])]


def _canonical_size(
    settings: TrainSettings, frame: Size, stride: Size, focal_px: float, camera: Intrinsics
) -> Size:
    asked = Size(settings.input_height_px, settings.input_width_px)
    _check_patches('input_height_px and input_width_px', asked, stride)
    predictor: PredictorSettings = PredictorSettings.from_mapping({
        'input_height_px': asked.height, 'input_width_px': asked.width,
    })
    views = Views(predictor, TrainedAt(focal_px=focal_px), stride)
    return views.of(frame, camera).plan.size


def _check_patches(names: str, size: Size, stride: Size) -> None:
    if size.height % stride.height or size.width % stride.width:
        raise ConfigError(
            f'{names} must be multiples of the patch, {stride.height} x {stride.width}, got '
            f'{size.height} x {size.width}'
        )
