# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the predictors on a frozen CLIP have in common: sizes, groups, ranges, sharing, memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from clip_depth_ros.core.depth_images import mark_range
from clip_depth_ros.core.image_plan import ImagePlan, plan_patches, Size
from clip_depth_ros.core.images import check_rgb
from clip_depth_ros.errors import ClipDepthError
from clip_depth_ros.model.backbone import Backbone
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import Depth, DepthMap, DepthPredictor, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray
import torch

_OF_BACKBONE: Final = ('backbone', 'pretrained', 'clip_weights', 'device', 'precision')
"""Settings that decide which frozen CLIP is built."""


class BackboneHolder:
    """
    The part of a predictor that holds a frozen CLIP, until it is closed.

    Attributes
    ----------
    settings : PredictorSettings
        What the predictor was built from.

    """

    def __init__(self, settings: PredictorSettings, backbone: Backbone) -> None:
        self.settings = settings
        self._backbone: Backbone | None = backbone

    @property
    def backbone(self) -> Backbone:
        """
        Give the frozen CLIP.

        Raises
        ------
        ClipDepthError
            If the predictor was closed.

        """
        if self._backbone is None:
            raise closed_error()
        return self._backbone

    def has_backbone_of(self, settings: PredictorSettings) -> bool:
        """Say whether its frozen CLIP, if still there, is the one these settings would build."""
        return self._backbone is not None and all(
            getattr(self.settings, name) == getattr(settings, name) for name in _OF_BACKBONE
        )

    def close(self) -> None:
        """Give memory back, on the device too, unless another predictor shares the CLIP."""
        self._backbone = None
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.empty_cache()


def closed_error() -> ClipDepthError:
    """Give the error that a predictor was used after it was closed."""
    return ClipDepthError('this predictor was closed: build another')


def whole_backbone(
    previous: DepthPredictor | None, settings: PredictorSettings
) -> Backbone | None:
    """Give the CLIP of a previous predictor if it is the one wanted, text tower and all."""
    if not isinstance(previous, BackboneHolder) or not previous.has_backbone_of(settings):
        return None
    return None if previous.backbone.is_trimmed else previous.backbone


def predict_in_groups(
    rgbs: Sequence[Rgb], predict_group: Callable[[list[int]], Sequence[DepthMap]]
) -> list[DepthMap]:
    """
    Give the answers for images of several sizes, in their order; equal sizes go together.

    Parameters
    ----------
    rgbs : sequence of uint8 (H, W, 3)
        Images; they were checked.
    predict_group : callable
        Gives the answers for the images at some indices, which are of one size.

    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, rgb in enumerate(rgbs):
        groups.setdefault(rgb.shape, []).append(index)
    answers: dict[int, DepthMap] = {}
    for indices in groups.values():
        answers.update(zip(indices, predict_group(indices), strict=True))
    return [answers[index] for index in range(len(rgbs))]


def check_all(rgbs: Sequence[Rgb]) -> None:
    """
    Refuse a batch with anything in it that is no image, before any work.

    Raises
    ------
    ImageError
        Naming the type or the shape that came.

    """
    for rgb in rgbs:
        check_rgb(rgb)


def network_input(
    rgbs: Sequence[Rgb], requested: Size, stride: Size
) -> tuple[ImagePlan, NDArray[np.uint8]]:
    """
    Give the plan for images of one size and the batch that follows from it.

    Parameters
    ----------
    rgbs : sequence of uint8 (H, W, 3)
        Images of one size, at least one.
    requested : Size
        Height and width for the network, pixels; 0 means that of the image.
    stride : Size
        Pixels of one patch.

    Returns
    -------
    ImagePlan, uint8 (B, height, width, 3)
        Height and width are whole patches.

    """
    plan = plan_patches(Size(*rgbs[0].shape[:2]), requested, stride)
    return plan, np.stack([plan.apply_to_image(rgb, resize_rgb) for rgb in rgbs])


def work_on(batch: NDArray[np.uint8]) -> str:
    """Say in words what a batch asks of the device, for errors."""
    return f'{len(batch)} image(s) of {batch.shape[2]}x{batch.shape[1]} pixels'


def resize_rgb(image: NDArray[Any], size: Size) -> NDArray[Any]:
    """Resample an image; averaging when it shrinks, so that fine structure does not alias."""
    shrinks = size.height * size.width < image.shape[0] * image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (size.width, size.height), interpolation=interpolation)


def depth_size(rgb: Rgb, settings: PredictorSettings) -> Size:
    """Give the size of the depth for an image: its own times ``depth_scale``."""
    return Size(*(max(1, round(side * settings.depth_scale)) for side in rgb.shape[:2]))


def within_range(
    depth_m: Depth, nearest_m: float, farthest_m: float, settings: PredictorSettings
) -> Depth:
    """
    Take off what rounding adds to a method's own range, then mark what is out of the settings'.

    Parameters
    ----------
    depth_m : float32 (H, W)
        Metres; it is changed.
    nearest_m, farthest_m : float
        What the method can answer, metres.
    settings : PredictorSettings
        min_depth_m and max_depth_m are used.

    Returns
    -------
    float32 (H, W)
        -Inf where nearer than min_depth_m, +Inf where farther than max_depth_m.

    """
    nearest, farthest = np.float32(nearest_m), np.float32(farthest_m)
    np.clip(depth_m, nearest, farthest, out=depth_m)
    low, high = settings.min_depth_m, settings.max_depth_m
    if nearest >= np.float32(low) and farthest <= np.float32(high):
        return depth_m
    return mark_range(depth_m, min_depth_m=low, max_depth_m=high)


def describe_backbone(backbone: Backbone) -> Mapping[str, str]:
    """Give what an operator should know of the frozen CLIP."""
    return {
        'backbone': backbone.name,
        'weights': backbone.weights,
        'device': backbone.device,
        'precision': backbone.precision,
    }


def device_memory(device: str) -> Mapping[str, str]:
    """Give what torch holds on a cuda device now; nothing on the cpu."""
    if not device.startswith('cuda'):
        return {}
    return {'device_memory_mb': f'{torch.cuda.memory_allocated(device) / 1e6:.0f}'}
