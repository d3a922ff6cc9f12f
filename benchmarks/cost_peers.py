# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What ``bench_cost.py`` compares with: each peer as a function from an image to an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clip_depth_ros.model.architecture import find_architecture, IMAGENET_MEAN, IMAGENET_STD
from clip_depth_ros.settings.depth_bins import BINS_M, DEPTH_WORDS
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
from torch.nn import functional

Answer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def _pixels(rgb: NDArray[np.uint8], device: str) -> Tensor:
    image = torch.from_numpy(rgb).to(device).permute(2, 0, 1)[None].float() / 255
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (IMAGENET_MEAN, IMAGENET_STD))
    return (image - mean.to(device)) / std.to(device)


def released(width: int, height: int, device: str) -> Answer:
    """Return DepthCLIP's released loop, for images of whole patches, with random weights."""
    import open_clip

    clip: Any = find_architecture('RN50-quickgelu').new_model().eval().to(device)
    visual, bins_m = clip.visual, torch.tensor(BINS_M['original'], device=device)
    with torch.no_grad():
        tokens = open_clip.tokenize([f'This object is {word}' for word in DEPTH_WORDS['original']])
        text = functional.normalize(clip.encode_text(tokens.to(device)), dim=-1)

    def depth_of(pixels: Tensor) -> Tensor:
        maps = visual.stem(pixels)
        for layer in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
            maps = layer(maps)
        patches = maps.flatten(2).permute(0, 2, 1)
        patches = patches / patches.norm(dim=-1, keepdim=True)
        patches = functional.interpolate(patches, scale_factor=0.5)  # nearest, over the channels
        probs = (100 * patches @ text.t() / 0.1).softmax(dim=-1)
        return (probs * bins_m).sum(-1).reshape(1, 1, *maps.shape[2:])

    @torch.no_grad()
    def answer(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = _pixels(rgb, device)
        both = depth_of(pixels) + depth_of(pixels.flip(3)).flip(3)
        depth_m = functional.interpolate(
            both / 2, size=(height, width), mode='bilinear', align_corners=True
        )
        return depth_m[0, 0].cpu().numpy()

    return answer


def clipseg(width: int, height: int, device: str) -> Answer:
    """Return CLIPSeg of transformers, on ViT-B/16, with random weights and a random condition."""
    import transformers

    vision = {'patch_size': 16, 'hidden_size': 768, 'num_attention_heads': 12}
    config = transformers.CLIPSegConfig(vision_config=vision)
    model = transformers.CLIPSegForImageSegmentation(config).eval().to(device)
    condition = torch.randn(1, config.projection_dim, device=device)

    @torch.no_grad()
    def answer(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        output = model(
            pixel_values=_pixels(rgb, device), conditional_embeddings=condition,
            interpolate_pos_encoding=True,
        )
        return output.logits.reshape(height, width).cpu().numpy()

    return answer
