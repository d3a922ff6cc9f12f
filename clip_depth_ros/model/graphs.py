# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Both methods as functions of tensors, from bytes of pixels on: run here, or exported.

All that depends on the pixels alone is inside; what an image is resized to, and what its metres
are multiplied with, depends on its camera and is outside.
"""

from __future__ import annotations

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.model.architecture import IMAGENET_MEAN, IMAGENET_STD, Rgb01
from clip_depth_ros.model.backbone import Backbone
from clip_depth_ros.model.clip2depth import Clip2Depth
from clip_depth_ros.model.depthclip import Features, patch_features
import torch
from torch import nn, Tensor


class WordGraph(nn.Module):
    """DepthCLIP: images, uint8 (B, H, W, 3), and unit vectors of words (K, D) to cosines."""

    def __init__(self, backbone: Backbone, features: Features) -> None:
        super().__init__()
        self._backbone, self._features = backbone, features
        # Registered, so that an exporter finds the weights.
        self.visual = backbone.visual
        # The released code has ImageNet's convention, dense features have CLIP's own.
        official, own = (IMAGENET_MEAN, IMAGENET_STD), (backbone.mean, backbone.std)
        self._convention: tuple[Rgb01, Rgb01] = official if features == 'official' else own

    def forward(self, image: Tensor, words: Tensor) -> Tensor:
        """Return float32 (B, K, grid_h, grid_w)."""
        pixels = self._backbone.pixels(image, *self._convention)
        patches = patch_features(self._backbone, pixels, self._features)
        return torch.einsum('bdhw,kd->bkhw', patches, words)


class DepthGraph(nn.Module):
    """CLIP2Depth, its condition frozen: images, uint8 (B, H, W, 3), and rays to metres."""

    def __init__(self, backbone: Backbone, model: Clip2Depth) -> None:
        super().__init__()
        self._backbone = backbone
        self.visual, self.model = backbone.visual, model

    def forward(self, image: Tensor, rays: Tensor | None = None) -> Tensor:
        """Return float32 (B, H, W)."""
        settings, stride = self.model.settings, self._backbone.tower.stride
        grid = Size(image.shape[1] // stride.height, image.shape[2] // stride.width)
        taps = self._backbone.taps(image, settings.taps, settings.pixels)
        depth_m: Tensor = self.model(taps, grid, rays=rays)
        return depth_m
