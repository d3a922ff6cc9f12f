# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The method DepthCLIP: patches of an image answer to words for distance, without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clip_depth_ros.core.image_plan import plan_centre_crop, Size
from clip_depth_ros.core.images import resize_rgb
from clip_depth_ros.core.patches import (
    bin_confidence,
    bin_probabilities,
    expected_depth,
    upsample,
)
from clip_depth_ros.predictor.base import ClipPredictor
from clip_depth_ros.predictor.networks import WordNetwork
from clip_depth_ros.predictor.scenes import scene_probabilities, SceneMemory, words_of
from clip_depth_ros.predictor.views import TrainedAt
from clip_depth_ros.settings.installation import assets_dir, BUNDLED_CLIP
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.predictor import BUNDLED_HFOV_DEG, PredictorSettings
from clip_depth_ros.types import DepthMap, Intrinsics, Rgb
import numpy as np
from numpy.typing import NDArray


def probabilities(
    network: WordNetwork,
    batch: NDArray[np.uint8],
    words: NDArray[np.float32],
    *,
    temperature: float,
    flip: bool,
) -> NDArray[np.float32]:
    """
    Return the probability of each distance word at each patch.

    Parameters
    ----------
    network : WordNetwork
        The frozen CLIP.
    batch : uint8 (B, height, width, 3)
        Images of whole patches, red first.
    words : float32 (K, embed_dim)
        Unit vectors of the words for distance.
    temperature : float
        Divides 100 x cosine (released code: 0.1).
    flip : bool
        Average with the left-right flipped image at the patch grid, as the released code does. It
        averages depths there; averaging probabilities is the same, as depth is linear in them.

    Returns
    -------
    float32 (B, K, grid_h, grid_w)
        Sums to 1 over K.

    """
    if not flip:
        return bin_probabilities(network.cosines(batch, words), temperature)
    both = np.concatenate([batch, batch[:, :, ::-1]])
    probs = bin_probabilities(network.cosines(both, words), temperature)
    mean: NDArray[np.float32] = probs[: len(batch)] + probs[len(batch):, ..., ::-1]
    mean *= np.float32(0.5)
    return mean


class DepthClipPredictor(ClipPredictor[WordNetwork]):
    """
    Zero-shot metric depth; it answers within the bins in force.

    ``words`` are their unit vectors, float32 (K, embed_dim): of sentences, or learned.
    ``grid_depth_m`` holds one depth for each patch, always finite. ``confidence`` is a share
    of right pixels where a table comes with the weights, and else 1 - entropy of the bin
    probabilities / its maximum: how decided, not how right. Apart from ``scenes``, the
    memory of the scene it is in when scene_aware is set, which takes the images of a batch one
    after the other, an answer depends on its image alone.
    """

    measure = '1 - entropy of the words / its maximum'

    def __init__(self, settings: PredictorSettings, network: WordNetwork, why: str) -> None:
        hfov_deg = BUNDLED_HFOV_DEG if settings.uses_bundled() else 0.0
        trained = TrainedAt(focal_px=settings.resolved_bins_focal_px(), hfov_deg=hfov_deg)
        self.words, self._words_said = words_of(settings, network)
        super().__init__(settings, network, trained, why)
        self.scenes = SceneMemory([*settings.resolved_scenes()], settings.scene_smoothing)
        self._bins_m: dict[str | None, tuple[float, ...]] = {None: settings.resolved_bins_m()}
        self._bins_m.update(settings.resolved_scenes())

    def reset(self) -> None:
        """Forget what was seen before: the running scene probabilities."""
        self.scenes.reset()

    def recognise(self, rgbs: Sequence[Rgb]) -> Sequence[str | None]:
        if not self.settings.scene_aware or not rgbs:
            return super().recognise(rgbs)
        size = self.network.native_size
        plans = [plan_centre_crop(Size(*rgb.shape[:2]), size) for rgb in rgbs]
        crops = np.stack([
            plan.apply_to_image(rgb, resize_rgb) for plan, rgb in zip(plans, rgbs, strict=True)
        ])
        probs = scene_probabilities(
            self.network, crops, self.scenes.names, self.settings.scene_template
        )
        return [self.scenes.update(each) for each in probs]

    def _answer(
        self,
        batch: NDArray[np.uint8],
        size: Size,
        scenes: Sequence[str | None],
        camera: Intrinsics | None,
    ) -> list[DepthMap]:
        probs = probabilities(
            self.network,
            batch,
            self.words,
            temperature=self.settings.resolved_temperature(),
            flip=self.settings.flip,
        )
        grids = np.stack([
            self._grid(each, self._bins_m[scene])
            for each, scene in zip(probs, scenes, strict=True)
        ])  # (B, 2, grid_h, grid_w)
        maps = upsample(grids, size, align_corners=self.network.features == 'official')
        np.clip(maps[:, 1], 0, 1, out=maps[:, 1])
        return [
            DepthMap(depth_m, grid_depth_m, confidence, scene)
            for (depth_m, confidence), (grid_depth_m, _), scene in zip(
                maps, grids, scenes, strict=True
            )
        ]

    def _grid(self, probs: NDArray[np.float32], bins_m: Sequence[float]) -> NDArray[np.float32]:
        """Return depth and its confidence for each patch, float32 (2, grid_h, grid_w)."""
        depth_m = expected_depth(probs, bins_m)
        return np.stack([depth_m, self.confidence.of(bin_confidence(probs), depth_m)])

    def _weights_path(self) -> Path | None:
        named = self.settings.exported_model or self.settings.clip_weights
        if named:
            return user_path(named)
        return assets_dir() / BUNDLED_CLIP if self.settings.uses_bundled() else None

    def _used(self) -> Mapping[str, Any]:
        settings = self.settings
        return {
            'method': 'depthclip',
            'weights': self.network.weights,
            'features': self.network.features,
            'words': self._words_said if settings.learned_words else settings.resolved_words(),
            'templates': settings.prompt_templates,
            'objects': settings.prompt_objects,
            'bins_m': settings.resolved_bins_m(),
            'temperature': settings.resolved_temperature(),
            'scene_aware': settings.scene_aware,
        }

    def _answer_range_m(self, scene: str | None) -> tuple[float, float]:
        bins_m = self._bins_m[scene]
        return bins_m[0], bins_m[-1]

    def _notes(self) -> list[str]:
        return self.settings.depthclip_notes()

    def _describe(self) -> dict[str, str]:
        settings = self.settings
        return {
            'method': f'depthclip, zero-shot ({self.why})',
            'features': self.network.features,
            'words': self._words_said,
            'bins_m': ' '.join(f'{depth_m:.4g}' for depth_m in settings.resolved_bins_m()),
            'scenes': ', '.join(self.scenes.names) if settings.scene_aware else 'off',
            'temperature': f'{settings.resolved_temperature():g}',
            **({'fitted_on': settings.fitted_on} if settings.fitted_on else {}),
        }
