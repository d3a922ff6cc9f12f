# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The method DepthCLIP: patches of an image answer to words for distance, without training."""

from __future__ import annotations

from collections.abc import Sequence

from clip_depth_ros.core.image_plan import plan_centre_crop, Size
from clip_depth_ros.core.images import resize_rgb
from clip_depth_ros.core.patches import bin_confidence, expected_depth, upsample
from clip_depth_ros.model.backbone import Backbone
from clip_depth_ros.model.depthclip import bin_probabilities, check_official, resolve_features
from clip_depth_ros.model.devices import explain_out_of_memory
from clip_depth_ros.model.scenes import scene_probabilities, SceneMemory
from clip_depth_ros.model.text import prompt_embeddings
from clip_depth_ros.model.towers import ResnetTower
from clip_depth_ros.predictor.base import (
    ClipPredictor,
    new_backbone,
    shared_backbone,
)
from clip_depth_ros.predictor.views import TrainedAt
from clip_depth_ros.settings.predictor import BUNDLED_HFOV_DEG, PredictorSettings
from clip_depth_ros.types import DepthMap, DepthPredictor, Intrinsics, Rgb
import numpy as np
from numpy.typing import NDArray
import torch


def build_depthclip_predictor(
    settings: PredictorSettings, previous: DepthPredictor | None, why: str
) -> DepthClipPredictor:
    """Build it, sharing the frozen CLIP of the previous predictor where the settings allow."""
    shared = shared_backbone(previous, settings)
    predictor = DepthClipPredictor(settings, shared or new_backbone(settings), why)
    if shared is None:
        predictor.check_answers()
    elif isinstance(previous, DepthClipPredictor):
        predictor.scenes.inherit(previous.scenes)
    return predictor


class DepthClipPredictor(ClipPredictor):
    """
    Zero-shot metric depth; it answers within the bins in force.

    ``grid_depth_m`` holds one depth for each patch, always finite. ``confidence`` is 1 - entropy
    of the bin probabilities / its maximum: how decided, not how right. Apart from ``scenes``, the
    memory of the scene it is in when scene_aware is set, which takes the images of a batch one
    after the other, an answer depends on its image alone.
    """

    def __init__(self, settings: PredictorSettings, backbone: Backbone, why: str) -> None:
        hfov_deg = BUNDLED_HFOV_DEG if settings.uses_bundled() else 0.0
        trained = TrainedAt(focal_px=settings.resolved_bins_focal_px(), hfov_deg=hfov_deg)
        super().__init__(settings, backbone, trained, why)
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

    def reset(self) -> None:
        """Forget what was seen before: the running scene probabilities."""
        self.scenes.reset()

    def close(self) -> None:
        """Give memory back, on the device too, unless another predictor shares the CLIP."""
        self._prompts = torch.empty(0)
        super().close()

    def _recognise(self, rgbs: Sequence[Rgb]) -> Sequence[str | None]:
        if not self.settings.scene_aware or not rgbs:
            return super()._recognise(rgbs)
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

    def _answer(
        self,
        batch: NDArray[np.uint8],
        size: Size,
        scenes: Sequence[str | None],
        camera: Intrinsics | None,
    ) -> list[DepthMap]:
        probs = bin_probabilities(
            self.backbone,
            batch,
            self._prompts,
            features=self._features,
            temperature=self.settings.resolved_temperature(),
            flip=self.settings.flip,
        )
        grids = np.stack([
            np.stack([expected_depth(each, self._bins_m[scene]), bin_confidence(each)])
            for each, scene in zip(probs, scenes, strict=True)
        ])  # (B, 2, grid_h, grid_w)
        maps = upsample(grids, size, align_corners=self._features == 'official')
        np.clip(maps[:, 1], 0, 1, out=maps[:, 1])
        return [
            DepthMap(depth_m, grid_depth_m, confidence, scene)
            for (depth_m, confidence), (grid_depth_m, _), scene in zip(
                maps, grids, scenes, strict=True
            )
        ]

    def _answer_range_m(self, scene: str | None) -> tuple[float, float]:
        bins_m = self._bins_m[scene]
        return bins_m[0], bins_m[-1]

    def _notes(self) -> list[str]:
        return self.settings.depthclip_notes()

    def _describe(self) -> dict[str, str]:
        settings = self.settings
        return {
            'method': f'depthclip, zero-shot ({self.why})',
            'features': self._features,
            'words': ', '.join(settings.resolved_words()),
            'bins_m': ' '.join(f'{depth_m:.4g}' for depth_m in settings.resolved_bins_m()),
            'scenes': ', '.join(self.scenes.names) if settings.scene_aware else 'off',
            'temperature': f'{settings.resolved_temperature():g}',
        }
