# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
DepthCLIP: patches of an image answer to sentences about distance.

Zhang, Zeng, Guo, Li: "Can Language Understand Depth?", ACM Multimedia 2022, arXiv 2207.01077.
"The released code" below is the authors' repository Adonis-galaxy/DepthCLIP.
"""

from __future__ import annotations

from typing import Literal

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.model.backbone import Backbone
from clip_depth_ros.model.towers import ResnetTower
from torch import Tensor
from torch.nn import functional

Features = Literal['official', 'dense']


def check_official(channels: int, embed_dim: int) -> None:
    """Check that layer 4 of a ResNet has a multiple of the text dimensions; else ConfigError."""
    if channels % embed_dim:
        raise ConfigError(
            f"features='official' keeps every n-th of layer 4's channels, so their number must be "
            f'a multiple of embed_dim; got {channels} channels and embed_dim={embed_dim}: set '
            "features='dense'"
        )


def resolve_features(requested: str, *, is_resnet: bool) -> Features:
    """
    Return the feature mode: ``auto`` is official for ResNets and dense for the rest.

    ConfigError if official features are asked of a backbone that is no ResNet.
    """
    if requested == 'dense' or (requested == 'auto' and not is_resnet):
        return 'dense'
    if not is_resnet:
        raise _needs_resnet()
    return 'official'


def patch_features(backbone: Backbone, pixels: Tensor, features: Features) -> Tensor:
    """
    Return one vector for each patch of :meth:`Backbone.pixels`, (B, embed_dim, grid_h, grid_w).

    Parameters
    ----------
    backbone, pixels
        The frozen CLIP and its input.
    features : str
        ``official``: layer-4 maps of the ResNet, brought to unit length, then every n-th channel
        kept and not normalised again, as the released code does; these are not in CLIP's joint
        space. It keeps even channels (n = 2) of RN50's 2048 for 1024 text dimensions. Our choice:
        other ResNets keep the channels that as many text dimensions ask for, and a patch without
        any response stays zero.
        ``dense`` (our choice): patches in CLIP's joint space, unit length.

    """
    tower = backbone.tower
    if features == 'dense':
        return functional.normalize(tower.dense(pixels).float(), dim=1)
    if not isinstance(tower, ResnetTower):
        raise _needs_resnet()
    maps = functional.normalize(tower.layer4(pixels).float(), dim=1)  # (B, C, grid_h, grid_w)
    return maps[:, :: maps.shape[1] // backbone.embed_dim]  # (B, D, grid_h, grid_w)


def _needs_resnet() -> ConfigError:
    return ConfigError(
        "features='official' needs a ResNet backbone such as RN50-quickgelu, which the released "
        "DepthCLIP code has: set features='dense' or 'auto'"
    )
