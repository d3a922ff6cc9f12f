# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The method CLIP2Depth: a trained decoder on the blocks of a frozen CLIP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
import textwrap
from typing import Any, Final

from clip_depth_ros.core.camera import patch_rays
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.patches import evenness
from clip_depth_ros.core.plain_text import printable
from clip_depth_ros.errors import WeightsError
from clip_depth_ros.predictor.base import ClipPredictor
from clip_depth_ros.predictor.networks import DepthNetwork, is_stuck
from clip_depth_ros.predictor.views import TrainedAt
from clip_depth_ros.settings.clip2depth import Clip2DepthSettings
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import Depth, DepthMap, Intrinsics
import cv2
import numpy as np
from numpy.typing import NDArray

_MOST_SAID: Final = 300
"""Characters of what a file says of itself that are shown."""

_HEADLINE: Final = ('abs_rel', 'rmse', 'delta1')


class Clip2DepthPredictor(ClipPredictor[DepthNetwork]):
    """
    Metric depth by a trained decoder; it answers within the range that it was trained for.

    There is no grid. An answer depends on its image alone. Its confidence is a share of right
    pixels where a table comes with the weights, and else how even depth is.
    """

    measure = 'evenness of depth, docs/confidence.md'

    def __init__(self, settings: PredictorSettings, network: DepthNetwork, why: str) -> None:
        file = network.file
        if settings.camera == 'use' and not file.settings.focal_px:
            raise WeightsError(
                f"camera='use' needs weights that say at which focal length they were trained, "
                f"and {file} do not: train again, or set camera='auto'"
            )
        self.file = file
        super().__init__(settings, network, _trained_at(file.settings), why)

    def _answer(
        self,
        batch: NDArray[np.uint8],
        size: Size,
        scenes: Sequence[str | None],
        camera: Intrinsics | None,
    ) -> list[DepthMap]:
        if not self.settings.flip:
            depth_m = self._forward(batch, [camera])
        else:
            both = self._forward(
                np.concatenate([batch, batch[:, :, ::-1]]), [camera, camera and camera.flipped()]
            )
            # Our choice: the mean of the depths, as DepthCLIP's released code has it.
            straight, flipped = both[: len(batch)], both[len(batch):, :, ::-1]
            depth_m = (straight + flipped) * np.float32(0.5)
        return [
            DepthMap(_resize(each, size), confidence=_resize(self._confidence(each), size))
            for each in depth_m
        ]

    def _confidence(self, depth_m: Depth) -> Depth:
        """Return how sure each patch of an answer at the size of the network's input is."""
        within = np.clip(depth_m, *self._answer_range_m(None))
        return self.confidence.of(*evenness(within, self.network.stride))

    def _forward(
        self, batch: NDArray[np.uint8], cameras: Sequence[Intrinsics | None]
    ) -> NDArray[np.float32]:
        """
        Return depth at the size of the network's input, float32 (B, height, width).

        Each camera is of an equal part of the batch, one after the other.
        """
        rays, stride = None, self.network.stride
        if self.file.settings.rays:
            grid = Size(batch.shape[1] // stride.height, batch.shape[2] // stride.width)
            rays = np.stack([patch_rays(camera, grid) for camera in cameras if camera])
            rays = rays.repeat(len(batch) // len(cameras), axis=0)
        return self.network.depth_m(batch, rays)

    def _answer_range_m(self, scene: str | None) -> tuple[float, float]:
        return self.file.settings.min_depth_m, self.file.settings.max_depth_m

    def _weights_path(self) -> Path | None:
        if self.settings.exported_model:
            return user_path(self.settings.exported_model)
        return getattr(self.file, 'path', None)

    def _used(self) -> Mapping[str, Any]:
        return {'method': 'clip2depth', 'weights': str(self.file)}

    def _is_stuck(self, depth_m: Depth) -> bool:
        return is_stuck(depth_m, *self._answer_range_m(None))

    def _notes(self) -> list[str]:
        trained = self.file.settings
        notes = []
        if not trained.focal_px and self.settings.camera != 'ignore':
            notes.append(
                'the weights do not say at which focal length they were trained: the camera is '
                'ignored, and depth is in the metres of the camera of the training'
            )
        size, wanted = _size_text(self.views.trained.size), _size_text(self.views.requested)
        if self.views.uses_camera or wanted == size or not all(self.views.trained.size):
            return notes
        return [
            *notes,
            f'images of {wanted} pixels go into a network that was trained at {size}: set '
            'input_width_px and input_height_px to 0, or train at that size'
        ]

    def _describe(self) -> dict[str, str]:
        trained = self.file.settings
        return {
            'method': f'clip2depth, trained ({self.why})',
            'clip2depth_weights': str(self.file),
            'trained_on': self._said('data'),
            'trained_metrics': _headline(self.file.metrics),
            'trained_protocol': self._said('protocol'),
            'trained_size': _size_text(self.views.trained.size),
            'trained_range_m': f'{trained.min_depth_m:g} to {trained.max_depth_m:g}',
            'input_size': self._input_size(),
            'condition': trained.condition,
            'head': f'{trained.head}, {trained.output}',
        }

    def _input_size(self) -> str:
        requested = self.views.requested
        by_camera = self.views.uses_camera and not all(requested)
        return 'by the camera' if by_camera else _size_text(requested)

    def _said(self, name: str) -> str:
        """Return what the file says of its training, which anybody may have written."""
        text = printable(str(self.file.provenance.get(name, 'not said')), in_one_line=True)
        return textwrap.shorten(text, _MOST_SAID)


def _trained_at(settings: Clip2DepthSettings) -> TrainedAt:
    size = Size(settings.input_height_px, settings.input_width_px)
    return TrainedAt(size, settings.focal_px, settings.hfov_deg)


def _resize(values: Depth, size: Size) -> Depth:
    """
    Resample depth, or how sure it is: float32 (H, W) to (height, width), a new array.

    Bilinear between pixel centres. As the image was resized, so that depth falls on its own
    pixels; not averaged when it shrinks, which would make points in the air between near and far
    (our choice).
    """
    resized = cv2.resize(values, (size.width, size.height), interpolation=cv2.INTER_LINEAR)
    return np.array(resized, np.float32)


def _size_text(size: Size) -> str:
    """Return width x height, pixels; a side of 0 is any, that of the image."""
    return f'{size.width or "any"}x{size.height or "any"}'


def _headline(metrics: Mapping[str, float]) -> str:
    """Return the metrics that papers compare by, in one line, to three digits."""
    named = [f'{name} {metrics[name]:.3g}' for name in _HEADLINE if name in metrics]
    return ', '.join(named) or 'not said'
