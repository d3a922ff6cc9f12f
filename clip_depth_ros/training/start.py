# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where training starts from: settings and model of step 0."""

from __future__ import annotations

from clip_depth_ros.errors import ConfigError, WeightsError
from clip_depth_ros.model.clip2depth import build_clip2depth, Clip2Depth
from clip_depth_ros.model.clip2depth_weights import (
    Clip2DepthFile,
    load_clip2depth,
    read_clip2depth,
)
from clip_depth_ros.model.clipseg import load_clipseg
from clip_depth_ros.settings.clip2depth import Clip2DepthSettings
from clip_depth_ros.settings.installation import assets_dir, BUNDLED_CLIP2DEPTH
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.predictor import BUNDLED
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.training.clip import FrozenClip
import torch


def resolve_settings(settings: TrainSettings) -> TrainSettings:
    """
    Return the settings with the model of the weights that training starts from, if it does.

    Weights only fit the model that they were trained as, so its settings come with them: all but
    the canonical focal length and the input size, where one is asked for, and the field of view,
    which is that of the new frames. Where weights know their focal length, the camera of a frame
    decides its size, and not the size that they were trained at. WeightsError if they cannot be
    read.
    """
    file = initial_weights(settings)
    if file is None:
        return settings
    model = {**file.settings.model_dump(), 'hfov_deg': 0.0}
    if model['focal_px']:
        model |= {'input_height_px': 0, 'input_width_px': 0}
    asked = {
        name: value
        for name in ('input_height_px', 'input_width_px', 'focal_px', 'hfov_deg')
        if (value := getattr(settings, name))
    }
    resolved: TrainSettings = settings.changed(
        **{**model, **_range_at(settings, file.settings), **asked}
    )
    return resolved


def _range_at(settings: TrainSettings, trained: Clip2DepthSettings) -> dict[str, float]:
    """
    Return the range of answers of weights that are brought to another focal length.

    What they say of a picture is right in metres if it grows with the focal length that is
    canonical, and with it the range; what is scored stays as it was.
    """
    if not (settings.focal_px and trained.focal_px and settings.focal_px != trained.focal_px):
        return {}
    if trained.output != 'sigmoid':
        raise ConfigError(
            f'weights with output={trained.output!r} cannot be brought from a focal length of '
            f'{trained.focal_px:g} px to focal_px={settings.focal_px:g}: leave focal_px out'
        )
    ratio = settings.focal_px / trained.focal_px
    return {
        'min_depth_m': trained.min_depth_m * ratio,
        'max_depth_m': trained.max_depth_m * ratio,
        'score_min_depth_m': settings.score_min_depth_m or trained.min_depth_m,
        'score_max_depth_m': settings.score_max_depth_m or trained.max_depth_m,
    }


def initial_weights(settings: TrainSettings) -> Clip2DepthFile | None:
    """Read the weights that training starts from, if any; WeightsError if they cannot be read."""
    if settings.init_weights == BUNDLED:
        path = assets_dir() / BUNDLED_CLIP2DEPTH
        if not path.is_file():
            raise WeightsError(
                'this installation has no bundled CLIP2Depth weights: name a file in '
                'init_weights, or leave it empty to start afresh'
            )
        return read_clip2depth(path)
    if settings.init_weights:
        return read_clip2depth(user_path(settings.init_weights))
    return None


def start_model(settings: TrainSettings, clip: FrozenClip) -> Clip2Depth:
    """
    Return the model of step 0 on its device: fresh by the seed, from CLIPSeg, or from weights.

    ConfigError or WeightsError if settings, backbone and weights do not fit together.
    """
    torch.manual_seed(settings.seed)
    model = build_clip2depth(settings.model_settings(), clip.backbone)
    if settings.clipseg_weights:
        load_clipseg(model, user_path(settings.clipseg_weights))
    file = initial_weights(settings)
    if file is not None:
        model.load_state_dict(load_clip2depth(file, clip.backbone).state_dict())
    return model.to(clip.backbone.device)
