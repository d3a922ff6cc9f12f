# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where training starts from: settings, model and optimiser of step 0."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import DataError, WeightsError
from clip_depth_ros.model.clip2depth import build_clip2depth, Clip2Depth
from clip_depth_ros.model.clip2depth_weights import (
    Clip2DepthFile,
    load_clip2depth,
    read_clip2depth,
)
from clip_depth_ros.model.clipseg import load_clipseg
from clip_depth_ros.settings.installation import assets_dir, BUNDLED_CLIP2DEPTH, versions
from clip_depth_ros.settings.predictor import BUNDLED
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.samples import SampleSource
from clip_depth_ros.training.frames import Crop
from clip_depth_ros.training.frozen import FrozenClip
import torch
from torch.optim import AdamW

_TRIED = 20  # frames that are looked at for their size


def resolve_settings(settings: TrainSettings) -> TrainSettings:
    """
    Give the settings with the model of the weights that training starts from, if it does.

    Weights only fit the model that they were trained as, so its settings come with them: all but
    the input size, where one is asked for.

    Raises
    ------
    WeightsError
        If the weights cannot be read.

    """
    file = initial_weights(settings)
    if file is None:
        return settings
    model = file.settings.model_dump()
    size = {
        name: getattr(settings, name) or model[name]
        for name in ('input_height_px', 'input_width_px')
    }
    resolved: TrainSettings = settings.changed(**{**model, **size})
    return resolved


def initial_weights(settings: TrainSettings) -> Clip2DepthFile | None:
    """
    Read the weights that training starts from, if any.

    Raises
    ------
    WeightsError
        If they cannot be read.

    """
    if settings.init_weights == BUNDLED:
        path = assets_dir() / BUNDLED_CLIP2DEPTH
        if not path.is_file():
            raise WeightsError(
                'this installation has no bundled CLIP2Depth weights: name a file in '
                'init_weights, or leave it empty to start afresh'
            )
        return read_clip2depth(path)
    if settings.init_weights:
        return read_clip2depth(Path(settings.init_weights).expanduser())
    return None


def start_model(settings: TrainSettings, clip: FrozenClip) -> Clip2Depth:
    """
    Give the model of step 0 on its device: fresh by the seed, from CLIPSeg, or from weights.

    Raises
    ------
    ConfigError, WeightsError
        If settings, backbone and weights do not fit together.

    """
    torch.manual_seed(settings.seed)
    model = build_clip2depth(settings.model_settings(), clip.backbone)
    if settings.clipseg_weights:
        load_clipseg(model, Path(settings.clipseg_weights).expanduser())
    file = initial_weights(settings)
    if file is not None:
        model.load_state_dict(load_clip2depth(file, clip.backbone).state_dict())
    return model.to(clip.backbone.device)


def adamw(model: Clip2Depth, settings: TrainSettings) -> AdamW:
    """
    Build the optimiser; weights of layers decay, biases, norms and the mirror do not.

    The mirror stands in for embeddings of words, which are not decayed either (our choice).
    """
    trained = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    layers = [each for name, each in trained if each.ndim > 1 and name != 'mirror']
    others = [each for name, each in trained if each.ndim <= 1 or name == 'mirror']
    groups = [
        {'params': layers, 'weight_decay': settings.weight_decay},
        {'params': others, 'weight_decay': 0.0},
    ]
    return AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.999))


def frame_size(source: SampleSource, crop: Crop | None) -> Size:
    """
    Give the size of a source's frames after cropping; the first that can be read decides.

    Raises
    ------
    DataError
        If none of the first can be read.

    """
    problem: DataError | None = None
    for index in range(min(_TRIED, len(source))):
        try:
            sample = source[index]
            sample = crop(sample) if crop else sample
        except DataError as error:
            problem = error
            continue
        return Size(*sample.rgb.shape[:2])
    raise DataError(
        f'none of the first {_TRIED} frames of {source.name} can be read: {problem}'
    ) from problem


def provenance(settings: TrainSettings, source: SampleSource, n_steps: int) -> dict[str, object]:
    """Give what weights tell about their making: settings, data, versions."""
    return {
        'settings': settings.model_dump(mode='json'),
        'data': f'{source.name}, {len(source)} frames',
        'source': source.describe(),
        'steps': n_steps,
        'seed': settings.seed,
        'versions': versions(),
    }
