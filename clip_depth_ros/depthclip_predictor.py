# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""DepthCLIP behind the predictor's seam: sizes, scenes, ranges and sharing of the frozen CLIP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from clip_depth_ros.config import PredictorSettings
from clip_depth_ros.core.bins import bin_confidence, expected_depth
from clip_depth_ros.core.depth_encoding import mark_range
from clip_depth_ros.core.image_plan import plan_centre_crop, plan_patches, Size
from clip_depth_ros.core.rgb import check_rgb
from clip_depth_ros.core.upsample import upsample
from clip_depth_ros.errors import ClipDepthError
from clip_depth_ros.model.backbone import Backbone, build_backbone
from clip_depth_ros.model.depthclip import (
    bin_probabilities,
    check_official,
    resolve_features,
)
from clip_depth_ros.model.devices import explain_out_of_memory, this_machine
from clip_depth_ros.model.prompts import prompt_embeddings
from clip_depth_ros.model.scenes import scene_probabilities, SceneMemory
from clip_depth_ros.model.towers import ResnetTower
from clip_depth_ros.types import Depth, DepthMap, DepthPredictor, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray
import torch

_OF_BACKBONE: Final = ('backbone', 'pretrained', 'clip_weights', 'device', 'precision')
"""Settings that decide which frozen CLIP is built."""


def build_depthclip_predictor(
    settings: PredictorSettings, previous: DepthPredictor | None = None
) -> DepthClipPredictor:
    """Build it, sharing the frozen CLIP of the previous predictor where the settings allow."""
    shared = previous if isinstance(previous, DepthClipPredictor) else None
    if shared is None or not shared.has_backbone_of(settings):
        device, precision = this_machine(settings.device, settings.precision)
        return DepthClipPredictor(settings, build_backbone(settings, device, precision))
    predictor = DepthClipPredictor(settings, shared.backbone)
    predictor.scenes.inherit(shared.scenes)
    return predictor


class DepthClipPredictor:
    """
    Zero-shot metric depth of images of any size.

    Attributes
    ----------
    settings : PredictorSettings
        What it was built from.
    scenes : SceneMemory
        The scene it is in, when scene_aware is set.

    Notes
    -----
    Build it with :func:`clip_depth_ros.predictor.build_predictor`. Apart from the scene memory,
    an answer depends on its image alone. One thread at a time may call it.

    """

    def __init__(self, settings: PredictorSettings, backbone: Backbone) -> None:
        self.settings = settings
        self.scenes = SceneMemory([*settings.resolved_scenes()], settings.scene_smoothing)
        self._bins_m: dict[str | None, tuple[float, ...]] = {None: settings.resolved_bins_m()}
        self._bins_m.update(settings.resolved_scenes())
        self._backbone: Backbone | None = backbone
        self._features = resolve_features(settings.features, is_resnet=backbone.is_resnet)
        if self._features == 'official' and isinstance(backbone.tower, ResnetTower):
            check_official(backbone.tower.channels, backbone.embed_dim)
        with explain_out_of_memory(backbone.device, 'the prompts'):
            self._prompts = prompt_embeddings(
                backbone.text,
                settings.resolved_words(),
                templates=settings.prompt_templates,
                objects=settings.prompt_objects,
            )

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
            raise ClipDepthError('this predictor was closed: build another')
        return self._backbone

    def has_backbone_of(self, settings: PredictorSettings) -> bool:
        """Say whether its frozen CLIP, if still there, is the one these settings would build."""
        return self._backbone is not None and all(
            getattr(self.settings, name) == getattr(settings, name) for name in _OF_BACKBONE
        )

    def predict(self, rgb: Rgb) -> DepthMap:
        """
        Give the depth of one image.

        Parameters
        ----------
        rgb : uint8 (H, W, 3)
            Red first; any size.

        Returns
        -------
        DepthMap
            ``depth_m`` at the size of the image times ``depth_scale``: finite, within the bins in
            force, but -Inf and +Inf outside of min_depth_m to max_depth_m. ``grid_depth_m``: one
            depth for each patch, always finite. ``confidence``: 1 - entropy of the bin
            probabilities / its maximum, how decided and not how right.

        Raises
        ------
        ImageError
            If it is not a uint8 array (H, W, 3).
        DeviceError
            If the memory of the device is too small for it.

        """
        return self.predict_batch([rgb])[0]

    def predict_batch(self, rgbs: Sequence[Rgb]) -> list[DepthMap]:
        """
        Give the depth of several images, in their order; equal sizes share a forward pass.

        The scene memory takes the images in one after the other, so a batch answers the same as
        its images one by one.
        """
        for rgb in rgbs:
            check_rgb(rgb)
        scenes = self._recognise(rgbs)
        answers: dict[int, DepthMap] = {}
        for indices in _same_size(rgbs):
            maps = self._predict_group([rgbs[i] for i in indices], [scenes[i] for i in indices])
            answers.update(zip(indices, maps, strict=True))
        return [answers[index] for index in range(len(rgbs))]

    def describe(self) -> Mapping[str, str]:
        """Give what an operator or a report should know."""
        settings, backbone = self.settings, self.backbone
        why = 'the best whose weights are there' if settings.method == 'auto' else 'as set'
        return {
            'method': f'depthclip, zero-shot ({why})',
            'backbone': backbone.name,
            'weights': backbone.weights,
            'device': backbone.device,
            'precision': backbone.precision,
            'features': self._features,
            'words': ', '.join(settings.resolved_words()),
            'bins_m': _numbers(settings.resolved_bins_m()),
            'scenes': ', '.join(self.scenes.names) if settings.scene_aware else 'off',
            'temperature': f'{settings.temperature:g}',
            'flip': 'on' if settings.flip else 'off',
            **_device_memory(backbone.device),
        }

    def reset(self) -> None:
        """Forget what was seen before: the running scene probabilities."""
        self.scenes.reset()

    def close(self) -> None:
        """Give memory back, on the device too, unless another predictor shares the CLIP."""
        self._backbone = None
        self._prompts = torch.empty(0)
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.empty_cache()

    def _recognise(self, rgbs: Sequence[Rgb]) -> list[str | None]:
        """Give the scene at each image; None where scenes are not looked for."""
        if not self.settings.scene_aware or not rgbs:
            return [None] * len(rgbs)
        size = self.backbone.tower.native_size
        plans = [plan_centre_crop(Size(*rgb.shape[:2]), size) for rgb in rgbs]
        crops = np.stack([
            plan.apply_to_image(rgb, _resize) for plan, rgb in zip(plans, rgbs, strict=True)
        ])
        with explain_out_of_memory(self.backbone.device, 'recognising the scene'):
            probs = scene_probabilities(
                self.backbone, crops, self.scenes.names, self.settings.scene_template
            )
        return [self.scenes.update(each) for each in probs]

    def _predict_group(
        self, rgbs: Sequence[Rgb], scenes: Sequence[str | None]
    ) -> list[DepthMap]:
        """Give the depth of images of one size."""
        size = Size(*rgbs[0].shape[:2])
        probs = self._probabilities(rgbs, size)
        bins = [self._bins_m[scene] for scene in scenes]
        grids = np.stack([
            np.stack([expected_depth(each, bins_m), bin_confidence(each)])
            for each, bins_m in zip(probs, bins, strict=True)
        ])  # (B, 2, grid_h, grid_w)
        maps = upsample(grids, self._depth_size(size))
        np.clip(maps[:, 1], 0, 1, out=maps[:, 1])
        return [
            DepthMap(self._within(maps[i, 0], bins[i]), grids[i, 0], maps[i, 1], scenes[i])
            for i in range(len(rgbs))
        ]

    def _probabilities(self, rgbs: Sequence[Rgb], size: Size) -> NDArray[np.float32]:
        settings, backbone = self.settings, self.backbone
        requested = Size(settings.input_height_px, settings.input_width_px)
        plan = plan_patches(size, requested, backbone.tower.stride)
        batch = np.stack([plan.apply_to_image(rgb, _resize) for rgb in rgbs])
        what = f'{len(rgbs)} image(s) of {plan.size.width}x{plan.size.height} pixels'
        with explain_out_of_memory(backbone.device, what):
            return bin_probabilities(
                backbone,
                batch,
                self._prompts,
                features=self._features,
                temperature=settings.temperature,
                flip=settings.flip,
            )

    def _depth_size(self, size: Size) -> Size:
        scale = self.settings.depth_scale
        return Size(*(max(1, round(side * scale)) for side in size))

    def _within(self, depth_m: Depth, bins_m: Sequence[float]) -> Depth:
        """Take off what rounding adds beyond the bins, then mark what is out of range."""
        nearest, farthest = np.float32(bins_m[0]), np.float32(bins_m[-1])
        np.clip(depth_m, nearest, farthest, out=depth_m)
        low, high = self.settings.min_depth_m, self.settings.max_depth_m
        if nearest >= np.float32(low) and farthest <= np.float32(high):
            return depth_m
        return mark_range(depth_m, min_depth_m=low, max_depth_m=high)


def _resize(image: NDArray[Any], size: Size) -> NDArray[Any]:
    """Resample an image; averaging when it shrinks, so that fine structure does not alias."""
    shrinks = size.height * size.width < image.shape[0] * image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (size.width, size.height), interpolation=interpolation)


def _same_size(rgbs: Sequence[Rgb]) -> list[list[int]]:
    """Give the indices of the images, grouped by image size."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, rgb in enumerate(rgbs):
        groups.setdefault(rgb.shape, []).append(index)
    return [*groups.values()]


def _device_memory(device: str) -> dict[str, str]:
    """Give what torch holds on a cuda device now; nothing on the cpu."""
    if not device.startswith('cuda'):
        return {}
    return {'device_memory_mb': f'{torch.cuda.memory_allocated(device) / 1e6:.0f}'}


def _numbers(values: Sequence[float]) -> str:
    return ' '.join(f'{value:.4g}' for value in values)
