# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Predictors from weights, by PyTorch; what the previous one has and fits is shared."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.model.architecture import find_architecture
from clip_depth_ros.model.backbone import Backbone
from clip_depth_ros.model.clip2depth_weights import load_clip2depth, read_clip2depth
from clip_depth_ros.model.devices import explain_out_of_memory
from clip_depth_ros.predictor.choice import choose_method
from clip_depth_ros.predictor.clip2depth import Clip2DepthPredictor
from clip_depth_ros.predictor.depthclip import DepthClipPredictor
from clip_depth_ros.predictor.torch_networks import (
    in_its_precision,
    new_backbone,
    shared_backbone,
    TorchDepth,
    TorchWords,
)
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import DepthPredictor


def build_from_weights(
    settings: PredictorSettings, previous: DepthPredictor | None = None
) -> Clip2DepthPredictor | DepthClipPredictor:
    """Build the predictor that the settings describe; raises as ``build_predictor`` does."""
    choice = choose_method(settings)
    if choice.weights_path is not None:
        return build_clip2depth_predictor(settings, choice.weights_path, previous, choice.why)
    return build_depthclip_predictor(settings, previous, choice.why)


def build_clip2depth_predictor(
    settings: PredictorSettings, weights_path: Path, previous: DepthPredictor | None, why: str
) -> Clip2DepthPredictor:
    """
    Build it, sharing what the previous predictor has and these settings would build again.

    Of a CLIP2Depth with the same weights everything is shared; of a DepthCLIP with the same
    backbone, the frozen CLIP.

    Raises
    ------
    ConfigError
        If the backbone is no vision transformer, whose blocks CLIP2Depth reads.
    WeightsError
        If the weights are missing, damaged or of another backbone.
    DeviceError
        If the device or precision is not there, or its memory is too small.

    """
    before = getattr(previous, 'network', None)
    if (
        isinstance(before, TorchDepth)
        and before.file.path == weights_path
        and before.has_backbone_of(settings)
    ):
        again = TorchDepth(settings, before.backbone, before.model, before.file)
        return Clip2DepthPredictor(settings, again, why)
    file = read_clip2depth(weights_path)
    _check_transformer(settings)

    def on(backbone: Backbone) -> TorchDepth:
        with explain_out_of_memory(backbone.device, 'the CLIP2Depth decoder'):
            model = load_clip2depth(file, backbone)
            model.freeze_condition(backbone)
        return TorchDepth(settings, backbone, model, file)

    def on_its_own() -> TorchDepth:
        network = on(new_backbone(settings))
        network.backbone.trim(max(file.settings.taps))
        return network

    shared = shared_backbone(before, settings)
    network = on(shared) if shared else in_its_precision(on_its_own, settings)
    predictor = Clip2DepthPredictor(settings, network, why)
    predictor.check_answers()
    return predictor


def build_depthclip_predictor(
    settings: PredictorSettings, previous: DepthPredictor | None, why: str
) -> DepthClipPredictor:
    """Build it, sharing the frozen CLIP of the previous predictor where the settings allow."""
    shared = shared_backbone(getattr(previous, 'network', None), settings)
    network = (
        TorchWords(settings, shared) if shared
        else in_its_precision(lambda: TorchWords(settings, new_backbone(settings)), settings)
    )
    predictor = DepthClipPredictor(settings, network, why)
    if shared is None:
        predictor.check_answers()
    elif isinstance(previous, DepthClipPredictor):
        predictor.scenes.inherit(previous.scenes)
    return predictor


def _check_transformer(settings: PredictorSettings) -> None:
    """Refuse a ResNet before its weights are looked for."""
    vision = find_architecture(settings.backbone).config['vision_cfg']
    # A list of blocks for each stage makes a ResNet of open_clip; its default is one number.
    if isinstance(vision.get('layers'), (list, tuple)):
        raise ConfigError(
            f'CLIP2Depth reads the blocks of a vision transformer, which {settings.backbone!r} '
            'does not have: set `backbone` to a ViT, such as ViT-B-16-quickgelu, or '
            "method='depthclip'"
        )
