# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""DepthCLIP behind the predictor's seam: words and bins, scenes, and what it is shared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clip_depth_ros.core.image_plan import plan_centre_crop, Size
from clip_depth_ros.core.patches import bin_confidence, expected_depth, upsample
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
from clip_depth_ros.predictor.base import (
    BackboneHolder,
    check_all,
    depth_size,
    describe_backbone,
    device_memory,
    network_input,
    predict_in_groups,
    resize_rgb,
    whole_backbone,
    within_range,
    work_on,
)
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import DepthMap, DepthPredictor, Rgb
import numpy as np
from numpy.typing import NDArray
import torch


def build_depthclip_predictor(
    settings: PredictorSettings, previous: DepthPredictor | None = None, *, why: str = 'as set'
) -> DepthClipPredictor:
    """Build it, sharing the frozen CLIP of the previous predictor where the settings allow."""
    backbone = whole_backbone(previous, settings)
    if backbone is None:
        device, precision = this_machine(settings.device, settings.precision)
        backbone = build_backbone(settings, device, precision)
        return DepthClipPredictor(settings, backbone, why=why)
    predictor = DepthClipPredictor(settings, backbone, why=why)
    if isinstance(previous, DepthClipPredictor):
        predictor.scenes.inherit(previous.scenes)
    return predictor


class DepthClipPredictor(BackboneHolder):
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
    Build it with :func:`clip_depth_ros.predictor.build.build_predictor`. Apart from the scene
    memory, an answer depends on its image alone. One thread at a time may call it.

    """

    def __init__(
        self, settings: PredictorSettings, backbone: Backbone, *, why: str = 'as set'
    ) -> None:
        super().__init__(settings, backbone)
        self._why = why
        self.scenes = SceneMemory([*settings.resolved_scenes()], settings.scene_smoothing)
        self._bins_m: dict[str | None, tuple[float, ...]] = {None: settings.resolved_bins_m()}
        self._bins_m.update(settings.resolved_scenes())
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
        check_all(rgbs)
        scenes = self._recognise(rgbs)

        def predict_group(indices: Sequence[int]) -> list[DepthMap]:
            return self._predict_group([rgbs[i] for i in indices], [scenes[i] for i in indices])

        return predict_in_groups(rgbs, predict_group)

    def describe(self) -> Mapping[str, str]:
        """Give what an operator or a report should know."""
        settings, backbone = self.settings, self.backbone
        return {
            'method': f'depthclip, zero-shot ({self._why})',
            **describe_backbone(backbone),
            'features': self._features,
            'words': ', '.join(settings.resolved_words()),
            'bins_m': _numbers(settings.resolved_bins_m()),
            'scenes': ', '.join(self.scenes.names) if settings.scene_aware else 'off',
            'temperature': f'{settings.temperature:g}',
            'flip': 'on' if settings.flip else 'off',
            **device_memory(backbone.device),
        }

    def reset(self) -> None:
        """Forget what was seen before: the running scene probabilities."""
        self.scenes.reset()

    def close(self) -> None:
        """Give memory back, on the device too, unless another predictor shares the CLIP."""
        self._prompts = torch.empty(0)
        super().close()

    def _recognise(self, rgbs: Sequence[Rgb]) -> list[str | None]:
        """Give the scene at each image; None where scenes are not looked for."""
        if not self.settings.scene_aware or not rgbs:
            return [None] * len(rgbs)
        size = self.backbone.tower.native_size
        plans = [plan_centre_crop(Size(*rgb.shape[:2]), size) for rgb in rgbs]
        crops = np.stack([
            plan.apply_to_image(rgb, resize_rgb) for plan, rgb in zip(plans, rgbs, strict=True)
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
        probs = self._probabilities(rgbs)
        bins = [self._bins_m[scene] for scene in scenes]
        grids = np.stack([
            np.stack([expected_depth(each, bins_m), bin_confidence(each)])
            for each, bins_m in zip(probs, bins, strict=True)
        ])  # (B, 2, grid_h, grid_w)
        maps = upsample(
            grids,
            depth_size(rgbs[0], self.settings),
            align_corners=self._features == 'official',
        )
        np.clip(maps[:, 1], 0, 1, out=maps[:, 1])
        return [
            DepthMap(
                within_range(maps[i, 0], bins[i][0], bins[i][-1], self.settings),
                grids[i, 0],
                maps[i, 1],
                scenes[i],
            )
            for i in range(len(rgbs))
        ]

    def _probabilities(self, rgbs: Sequence[Rgb]) -> NDArray[np.float32]:
        settings, backbone = self.settings, self.backbone
        requested = Size(settings.input_height_px, settings.input_width_px)
        _, batch = network_input(rgbs, requested, backbone.tower.stride)
        with explain_out_of_memory(backbone.device, work_on(batch)):
            return bin_probabilities(
                backbone,
                batch,
                self._prompts,
                features=self._features,
                temperature=settings.temperature,
                flip=settings.flip,
            )


def _numbers(values: Sequence[float]) -> str:
    return ' '.join(f'{value:.4g}' for value in values)
